"""The queries that bring an export's facts into the order in which the ledger applied them, step by step.

Each makes one of `TABLES` for the next. They start from the views of `analysis.source`, and from `topics` (type,
topic) and `change` (since: when the rules change; null: at the start). What has to be sorted is narrow: facts and
customers go by numbers, and their texts come back in the end.
"""

from typing import Final

EVENT: Final = 0
"""Kinds of turns: a point event of before the rules change, which is folded as it is;"""
FACT: Final = 1
ANSWER: Final = 2
"""where the answer of an owner was applied; `id` is the request's;"""
WIN: Final = 3
"""where a draw's winner was told; `id` is that of the message;"""
REWARD: Final = 4
"""where a referrer was rewarded; `id` is the command's."""

TABLES: Final = ("stated", "made", "cuts", "found", "placed", "clocked", "turns")

STATED: Final = f"""
CREATE TEMP TABLE stated AS
SELECT customer, id, source, type, topic, "partition" AS partition, "offset",
    epoch_us(time) AS at_us, epoch_ms(recorded_at) AS stamped, data,
    CASE WHEN $follow AND source = 'loyalty-stream' AND id LIKE 'referral:%' THEN {REWARD} ELSE {FACT} END AS kind
FROM facts JOIN topics USING (type)
WHERE customer IS NOT NULL
"""
"""The facts, but for announcements, whose types are not in `topics`. A fact's number is its row's in this table."""

MADE: Final = """
CREATE TEMP TABLE made AS
SELECT customer, cause_source AS source, cause_id AS id, min("offset") AS place, max("offset") AS last
FROM points_events GROUP BY ALL
"""

CUTS: Final = """
CREATE TEMP TABLE cuts AS
SELECT row_number() OVER () AS c, * FROM (
    SELECT customer, any_value("partition") AS partition, min("offset") FILTER (note_kind = 'erased') AS erased,
        CASE WHEN any_value(since) IS NULL THEN 0
        ELSE coalesce(min("offset") FILTER (time >= since), 9223372036854775807) END AS cut
    FROM points_events, change GROUP BY customer
)
"""
"""From the offset `cut` on a customer's history is decided anew."""

FOUND: Final = """
CREATE TEMP TABLE found AS
SELECT f.rowid AS n, f.partition, f."offset", f.at_us, f.stamped, f.kind, made.place, made.last, cuts.c, cuts.erased,
    coalesce(max(place) OVER (
        PARTITION BY f.partition, f.topic ORDER BY f."offset" ROWS UNBOUNDED PRECEDING), -1) AS of_topic
FROM stated f
LEFT JOIN made ON made.customer = f.customer AND made.source = f.source AND made.id = f.id
LEFT JOIN cuts ON cuts.customer = f.customer
WHERE coalesce(cuts.partition, f.partition) = f.partition
"""
"""Facts on another partition than their customer's events were refused for it, and stay so."""

PLACED: Final = """
CREATE TEMP TABLE placed AS
SELECT * EXCLUDE (erased, of_topic), of_topic AS turn FROM found WHERE place IS NOT NULL
UNION ALL BY NAME
SELECT lost.* EXCLUDE (erased, of_topic),
    greatest(any_value(of_topic), coalesce(any_value(erased), -1), coalesce(max(before.place), -1)) AS turn
FROM found lost LEFT JOIN (SELECT c, place, at_us FROM found WHERE place IS NOT NULL) before
    ON before.c = lost.c AND before.at_us <= lost.at_us
WHERE lost.place IS NULL GROUP BY ALL
"""
"""A fact that made no event was refused, or came to an erased account: any turn that is late enough will do."""

CLOCKED: Final = f"""
CREATE TEMP TABLE clocked AS
WITH moves AS (
    SELECT n, c, partition, kind, turn, place, last, at_us, stamped, "offset" FROM placed
    UNION ALL BY NAME
    SELECT customer, "partition" AS partition, "offset", cause_id AS id,
        epoch_us(time) AS at_us, epoch_ms(recorded_at) AS stamped, "offset" AS place, "offset" AS last,
        "offset" AS turn,
        CASE WHEN note_kind = 'answer' THEN {ANSWER} WHEN type = 'draw-won' THEN {WIN} ELSE -1 END AS kind
    FROM points_events WHERE cause_source = 'loyalty-stream' AND cause_id NOT LIKE 'referral:%'
)
SELECT *, coalesce(max(least(at_us // 1000, stamped)) OVER (
    PARTITION BY partition ORDER BY turn, place IS NULL, at_us, "offset"
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS clock
FROM moves
"""
"""What fell due tells that the partition's time had come so far, whatever moved it."""

TURNS: Final = f"""
CREATE TEMP TABLE turns AS
SELECT hash(customer) AS h, customer, t.partition, t.kind, clock, coalesce(place, -1) AS place, type,
    CASE WHEN t.kind = {ANSWER} THEN regexp_replace(id, ':answered$', '') ELSE id END AS id,
    source, t.at_us, t.stamped, false AS cut_in_two, data, turn, last, t."offset"
FROM (
    SELECT clocked.* EXCLUDE (customer, id), coalesce(f.customer, clocked.customer) AS customer,
        coalesce(f.id, clocked.id) AS id, f.type, f.source, f.data
    FROM clocked LEFT JOIN stated f ON f.rowid = clocked.n WHERE clocked.kind > 0
) t
"""

SETTLED: Final = f"""
DELETE FROM turns WHERE rowid IN (
    SELECT t.rowid FROM turns t JOIN change ON true LEFT JOIN cuts USING (customer)
    WHERE CASE WHEN place < 0 THEN make_timestamptz(at_us) < since
        WHEN kind = {FACT} THEN last < cut ELSE place < cut END
)
"""
"""What was done before the change is not decided again:"""

PAST: Final = f"""
INSERT INTO turns BY NAME
SELECT hash(e.customer) AS h, e.customer, e."partition" AS partition, {EVENT} AS kind, 0 AS clock,
    e."offset" AS place, e.type, e.id, made.last >= cuts.cut AS cut_in_two,
    epoch_us(e.time) AS at_us, epoch_ms(e.recorded_at) AS stamped, e.data, e."offset" AS turn, e."offset"
FROM points_events e JOIN cuts USING (customer)
JOIN made ON made.customer = e.customer AND made.source = e.cause_source AND made.id = e.cause_id
WHERE e."offset" < cuts.cut
"""
"""what the ledger recorded of it is folded."""

_HEAD: Final = """
'["', customer, '",', partition, ',', kind, ',', clock, ',', place, ',', at_us, ',', stamped, ',',
"""

SHARD: Final = f"""
COPY (
    SELECT customer, CASE kind
        WHEN {FACT} THEN concat({_HEAD} '{{{{"specversion":"1.0","type":"', type, '","id":"', id,
            '","source":', to_json(source), ',"subject":"', customer,
            '","time":"', make_timestamp(at_us), 'Z","data":', data, '}}}}]', chr(10))
        WHEN {EVENT} THEN concat({_HEAD} 'null,"', id, '","', type, '",', cut_in_two, ',', data, ']', chr(10))
        ELSE concat({_HEAD} 'null,', to_json(id), ']', chr(10)) END AS line
    FROM turns WHERE h % {{shards}} = {{number}}
    ORDER BY h, customer, kind <> {EVENT}, turn, place < 0, at_us, "offset"
) TO '{{path}}' (FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE 20000)
"""
"""A shard's turns, a line of JSON for each as `turns.Turn` reads it. Ids have no characters that JSON escapes."""

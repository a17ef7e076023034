"""The queries that bring an export's facts into the order in which the ledger applied them, step by step.

Each makes a table for the next: `made`, `cuts`, `found`, `placed`, `clocked`, `turns`. They start from the views of
`analysis.source`, `topics` (type, topic) and `change` (since: when the rules change; null: at the start).
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

CUT_IN_TWO: Final = "cut in two"
"""The `source` of a point event to fold whose cause made events from the change of the rules on as well."""

MADE: Final = """
CREATE TEMP TABLE made AS
SELECT customer, cause_source AS source, cause_id AS id, min("offset") AS place, max("offset") AS last,
    any_value("partition") AS partition
FROM points_events GROUP BY ALL
"""

CUTS: Final = """
CREATE TEMP TABLE cuts AS
SELECT customer, any_value("partition") AS partition, any_value(since) AS since,
    min("offset") FILTER (note_kind = 'erased') AS erased,
    CASE WHEN any_value(since) IS NULL THEN 0
    ELSE coalesce(min("offset") FILTER (time >= since), 9223372036854775807) END AS cut
FROM points_events, change GROUP BY customer
"""
"""From this offset on a customer's history is decided anew."""

FOUND: Final = f"""
CREATE TEMP TABLE found AS
SELECT f.customer, f."partition" AS partition, f."offset", f.type, f.id, f.source, epoch_us(f.time) AS at_us,
    epoch_ms(f.recorded_at) AS stamped, made.place, made.last, topics.topic, cuts.erased,
    CASE WHEN $follow AND f.source = 'loyalty-stream' AND f.id LIKE 'referral:%' THEN {REWARD} ELSE {FACT} END AS kind,
    coalesce(max(place) OVER (
        PARTITION BY f."partition", topics.topic ORDER BY f."offset" ROWS UNBOUNDED PRECEDING), -1) AS of_topic
FROM facts f JOIN topics USING (type)
LEFT JOIN made ON made.customer = f.customer AND made.source = f.source AND made.id = f.id
LEFT JOIN cuts ON cuts.customer = f.customer
WHERE f.customer IS NOT NULL AND NOT list_contains($announcements, f.type)
    AND coalesce(cuts.partition, f."partition") = f."partition"
"""
"""Facts on another partition than their customer's events were refused for it, and stay so."""

PLACED: Final = """
CREATE TEMP TABLE placed AS
SELECT * EXCLUDE (erased, of_topic), of_topic AS turn FROM found WHERE place IS NOT NULL
UNION ALL BY NAME
SELECT lost.* EXCLUDE (erased, of_topic),
    greatest(any_value(of_topic), coalesce(any_value(erased), -1), coalesce(max(before.place), -1)) AS turn
FROM found lost LEFT JOIN (SELECT customer, place, at_us FROM found WHERE place IS NOT NULL) before
    ON before.customer = lost.customer AND before.at_us <= lost.at_us
WHERE lost.place IS NULL GROUP BY ALL
"""
"""A fact that made no event was refused, or came to an erased account: any turn that is late enough will do."""

CLOCKED: Final = f"""
CREATE TEMP TABLE clocked AS
WITH moves AS (
    SELECT customer, partition, topic, "offset", type, id, source, at_us, stamped, place, last, turn, kind FROM placed
    UNION ALL BY NAME
    SELECT customer, "partition" AS partition, "offset", type, cause_id AS id, cause_source AS source,
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
SELECT c.customer, c.partition, c.kind, c.clock, coalesce(c.place, -1) AS place, c.type,
    CASE WHEN c.kind = {ANSWER} THEN regexp_replace(c.id, ':answered$', '') ELSE c.id END AS id,
    c.source, c.at_us, c.stamped, f.data, c.turn, c."offset"
FROM (
    SELECT clocked.* FROM clocked JOIN change ON true LEFT JOIN cuts USING (customer)
    WHERE kind > 0 AND CASE WHEN change.since IS NULL THEN true
        WHEN place IS NULL THEN make_timestamptz(at_us) >= change.since
        WHEN kind = {FACT} THEN last >= cuts.cut ELSE place >= cuts.cut END
) c
LEFT JOIN (SELECT topic, "partition" AS partition, "offset", data FROM facts JOIN topics USING (type)) f
    ON f.topic = c.topic AND f.partition = c.partition AND f."offset" = c."offset"
"""

PAST: Final = f"""
INSERT INTO turns BY NAME
SELECT e.customer, e."partition" AS partition, {EVENT} AS kind, 0 AS clock, e."offset" AS place, e.type, e.id,
    CASE WHEN made.last >= cuts.cut THEN '{CUT_IN_TWO}' ELSE '' END AS source,
    epoch_us(e.time) AS at_us, epoch_ms(e.recorded_at) AS stamped, e.data, e."offset" AS turn, e."offset"
FROM points_events e JOIN cuts USING (customer)
JOIN made ON made.customer = e.customer AND made.source = e.cause_source AND made.id = e.cause_id
WHERE e."offset" < cuts.cut
"""
"""What the ledger recorded before the change."""

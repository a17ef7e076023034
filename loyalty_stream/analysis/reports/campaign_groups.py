"""The groups of a campaign: who takes part, who is invited, who met its condition before; each against the others.

It must not know what the campaign cost or brought.
"""

from datetime import datetime
from typing import Final

from duckdb import DuckDBPyConnection

from loyalty_stream.analysis.reports.uplift import Comparison, compare
from loyalty_stream.programme.campaigns import Campaign

_TAKERS: Final = """
CREATE OR REPLACE TEMP TABLE campaign_revoked AS
SELECT customer, part.points AS points
FROM (SELECT customer, unnest(revokes) AS part FROM points_events WHERE "type" = 'point-revoked')
WHERE part.campaign_id = $id;

CREATE OR REPLACE TEMP TABLE entry AS
SELECT customer, entry_id FROM points_events WHERE "type" = 'draw-entered' AND campaign_id = $id
EXCEPT
SELECT customer, unnest(from_json(json_extract(data, '$.note.entry_ids'), '["VARCHAR"]')) FROM points_events
WHERE note_kind = 'award-withdrawn' AND json_extract_string(data, '$.note.campaign_id') = $id;

CREATE OR REPLACE TEMP TABLE taker AS
SELECT customer FROM (
    SELECT customer, granted AS points FROM lot WHERE campaign_id = $id
    UNION ALL SELECT customer, -points FROM campaign_revoked
) GROUP BY customer HAVING sum(points) > 0
UNION SELECT customer FROM entry
UNION SELECT customer FROM points_events WHERE "type" = 'reward-issued' AND campaign_id = $id;

CREATE OR REPLACE TEMP TABLE campaign_goods AS SELECT unnest($skus::VARCHAR[]) AS sku;

CREATE OR REPLACE TEMP TABLE invited AS
SELECT DISTINCT customer FROM (
    SELECT customer, local_time("time") AS "local",
        from_json(json_extract(data, '$.note.segments'), '["VARCHAR"]') AS segments,
        lead(local_time("time"), 1, 'infinity'::TIMESTAMP)
            OVER (PARTITION BY customer ORDER BY "time", "offset") AS until
    FROM points_events WHERE note_kind IN ('registration', 'segment')
) WHERE "local" < $ends AND until > $starts AND list_has_any(segments, $segments::VARCHAR[]);
"""


def gather(connection: DuckDBPyConnection, campaign: Campaign, starts: datetime, ends: datetime) -> None:
    """Make the tables of who takes part and who is invited: in one of its segments at any time while it runs."""
    given = {
        "id": campaign.id,
        "skus": list(campaign.include_skus),
        "segments": list(campaign.audience.segments),
        "starts": starts,
        "ends": ends,
    }
    for statement in _TAKERS.split(";"):
        if statement.strip():
            named = {name: value for name, value in given.items() if f"${name}" in statement}
            connection.execute(statement, named)


_SELECTED: Final = """
CREATE OR REPLACE TEMP TABLE selected AS
WITH bought AS (
    SELECT customer, order_id, sum(sales_amount) AS amount FROM line
    WHERE stands AND "local" >= $first AND "local" < $end
        AND (sku IN (FROM campaign_goods) OR NOT EXISTS (FROM campaign_goods))
    GROUP BY ALL
), tiers AS (
    SELECT customer, max_by(tier, "local") AS tier FROM tier_step WHERE "local" < $end GROUP BY ALL
)
SELECT customer FROM bought
WHERE len($tiers::VARCHAR[]) = 0
    OR customer IN (SELECT customer FROM tiers WHERE list_contains($tiers::VARCHAR[], tier))
GROUP BY customer HAVING {met} >= $minimum
"""


def gather_selected(
    connection: DuckDBPyConnection, campaign: Campaign, first: datetime, end: datetime
) -> None:
    """Make the table of who met the campaign's condition on purchases between two local instants."""
    met = "sum(amount)" if campaign.accumulate else "max(amount)"
    connection.execute(
        _SELECTED.format(met=met),
        {
            "first": first,
            "end": end,
            "tiers": list(campaign.audience.tiers),
            "minimum": campaign.minimum_amount,
        },
    )


_COMPARED: Final = """
CREATE OR REPLACE TEMP TABLE compared AS
WITH known AS (
    SELECT customer, customer IN (SELECT customer FROM {group}) AS takes_part FROM member WHERE first_seen < $starts
), spent AS (
    SELECT customer,
        coalesce(sum(sales_amount) FILTER ("local" < $starts), 0) AS earlier_spend,
        {windows}
    FROM sale WHERE stands AND "local" >= $matched_from AND "local" < $after_end GROUP BY ALL
)
SELECT k.customer, takes_part, coalesce(earlier_spend, 0)::BIGINT AS earlier_spend,
    {filled}
FROM known k LEFT JOIN spent USING (customer)
"""
_WINDOW_NAMES: Final = ("before", "during", "after")


def compare_group(
    connection: DuckDBPyConnection, group: str, matched_from: datetime, starts: datetime, ends: datetime
) -> Comparison:
    """Compare the customers of a table with all others that were known when the campaign started."""
    length = ends - starts
    bounds = (starts - length, starts, ends, ends + length)
    windows = ",\n".join(
        f"coalesce(sum(sales_amount) FILTER (\"local\" >= '{first}' AND \"local\" < '{end}'), 0) AS spend_{name}, "
        f"count(*) FILTER (\"local\" >= '{first}' AND \"local\" < '{end}') AS orders_{name}"
        for name, first, end in zip(_WINDOW_NAMES, bounds, bounds[1:], strict=False)
    )
    filled = ", ".join(
        f"coalesce({what}_{name}, 0)::BIGINT AS {what}_{name}"
        for what in ("spend", "orders")
        for name in _WINDOW_NAMES
    )
    connection.execute(
        _COMPARED.format(group=group, windows=windows, filled=filled),
        {"starts": starts, "matched_from": matched_from, "after_end": ends + length},
    )
    return compare(connection)

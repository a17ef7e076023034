"""The tables that every report asks: orders, their lines, movements of points, customers, in the programme's time zone.

They are made of the views `points_events` and `facts` (`analysis.source`), once per connection. Orders come of the
ledger's own notes, so an order counts here exactly if the ledger took it, once, and less what was refunded.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final

from duckdb import DuckDBPyConnection
from msgspec import Struct

from loyalty_stream.app.mendable import MendableError

Row = tuple[Any, ...]

_ORDERS: Final = """
CREATE OR REPLACE TEMP TABLE noted_line AS
WITH noted AS (
    SELECT customer, cause_source, cause_id, "time", "offset",
        from_json(json_extract(data, '$.note'), '{"order_id": "VARCHAR", "lines": [["JSON"]]}') AS note
    FROM points_events WHERE note_kind = 'order'
), paid AS (  -- of an order that is told of again, the first
    SELECT customer, note.order_id AS order_id, cause_source, cause_id, local_time("time") AS "local",
        note.lines AS lines
    FROM noted
    QUALIFY row_number() OVER (PARTITION BY customer, note.order_id ORDER BY "time", "offset") = 1
)
SELECT customer, order_id, cause_source, cause_id, "local", place - 1 AS place,
    json_extract_string(lines[place][1], '$') AS line_id, lines[place][2]::BIGINT AS net_amount
FROM (SELECT *, unnest(range(1, len(lines) + 1)) AS place FROM paid);

CREATE OR REPLACE TEMP TABLE returned AS
WITH noted AS (
    SELECT customer,
        from_json(json_extract(data, '$.note'),
            '{"order_id": "VARCHAR", "lines": [["BIGINT"]], "cancelled": "BOOLEAN"}') AS note
    FROM points_events WHERE note_kind = 'refund'
)
SELECT customer, note.order_id AS order_id, coalesce(note.cancelled, false) AS cancelled, note.lines AS lines
FROM noted;

CREATE OR REPLACE TEMP TABLE line_left AS
WITH refunded AS (
    SELECT customer, order_id, line[1] AS place, sum(line[2])::BIGINT AS amount
    FROM (SELECT customer, order_id, unnest(lines) AS line FROM returned) GROUP BY ALL
), cancelled AS (
    SELECT DISTINCT customer, order_id FROM returned WHERE cancelled
)
SELECT n.*, c.order_id IS NOT NULL AS cancelled,
    CASE WHEN c.order_id IS NOT NULL THEN 0 ELSE n.net_amount - coalesce(r.amount, 0) END AS left_amount
FROM noted_line n
LEFT JOIN refunded r USING (customer, order_id, place)
LEFT JOIN cancelled c USING (customer, order_id);

CREATE OR REPLACE TEMP TABLE sale AS
WITH spent AS (
    SELECT customer, order_id, hold_id, points, coalesce(amount, 0) AS amount
    FROM points_events WHERE "type" = 'point-redeemed' AND (order_id IS NOT NULL OR amount IS NOT NULL)
), sums AS (
    SELECT customer, order_id, any_value(cause_source) AS cause_source, any_value(cause_id) AS cause_id,
        any_value("local") AS "local", bool_or(cancelled) AS cancelled, count(*) AS lines,
        sum(net_amount)::BIGINT AS net_amount, sum(left_amount)::BIGINT AS left_amount
    FROM line_left GROUP BY ALL
), facts_of AS (
    SELECT customer, source, id, any_value(amount) AS goods_amount, any_value(hold_id) AS hold_id
    FROM facts WHERE "type" = 'order-paid' GROUP BY ALL
), whole AS (
    SELECT s.*, f.goods_amount, f.hold_id,
        coalesce(by_order.amount, 0) + coalesce(by_hold.amount, 0) AS points_amount,
        coalesce(by_order.points, 0) + coalesce(by_hold.points, 0) AS points_spent
    FROM sums s
    LEFT JOIN facts_of f ON f.customer = s.customer AND f.source = s.cause_source AND f.id = s.cause_id
    LEFT JOIN (SELECT customer, order_id, sum(amount)::BIGINT AS amount, sum(points)::BIGINT AS points
        FROM spent WHERE order_id IS NOT NULL GROUP BY ALL) by_order
        ON by_order.customer = s.customer AND by_order.order_id = s.order_id
    LEFT JOIN (SELECT customer, hold_id, sum(amount)::BIGINT AS amount, sum(points)::BIGINT AS points
        FROM spent WHERE order_id IS NULL AND hold_id IS NOT NULL GROUP BY ALL) by_hold
        ON by_hold.customer = s.customer AND by_hold.hold_id = f.hold_id
), kept AS (  -- points come back in proportion to what is refunded (DOMAIN, Refunds), so what they paid goes back too
    SELECT *,
        CASE WHEN cancelled THEN 0
            WHEN net_amount = 0 THEN points_amount
            ELSE left_amount + (points_amount * left_amount) // net_amount END AS sales_amount,
        NOT cancelled AND (left_amount > 0 OR net_amount = 0) AS stands
    FROM whole
)
SELECT *, "local"::DATE AS "day", date_trunc('month', "local")::DATE AS "month",
    CASE WHEN stands THEN row_number() OVER (
        PARTITION BY customer, stands ORDER BY "local", order_id) END AS nth
FROM kept;
"""

_POINTS: Final = """
CREATE OR REPLACE TEMP TABLE movement AS
SELECT customer, grant_id, local_time("time") AS "local", 'granted' AS what, points, campaign_id
FROM points_events WHERE "type" = 'point-granted'
UNION ALL
SELECT customer, grant_id, local_time("time"), 'expired', points, NULL
FROM points_events WHERE "type" = 'point-expired'
UNION ALL
SELECT customer, part.grant_id, "local", what, part.points, NULL
FROM (
    SELECT customer, local_time("time") AS "local", unnest(grants) AS part,
        CASE "type" WHEN 'point-redeemed' THEN 'redeemed' WHEN 'point-restored' THEN 'restored'
            ELSE 'revoked' END AS what
    FROM points_events WHERE "type" IN ('point-redeemed', 'point-restored', 'point-revoked')
);

CREATE OR REPLACE TEMP TABLE lot AS
WITH grants AS (
    SELECT customer, grant_id, any_value(campaign_id) AS campaign_id, min(local_time("time")) AS "local",
        max(expires_at) AS expires_at
    FROM points_events WHERE "type" = 'point-granted' GROUP BY ALL
), sums AS (
    SELECT customer, grant_id,
        coalesce(sum(points) FILTER (what = 'granted'), 0)::BIGINT AS granted,
        coalesce(sum(points) FILTER (what = 'redeemed'), 0)::BIGINT
            - coalesce(sum(points) FILTER (what = 'restored'), 0)::BIGINT AS redeemed,
        coalesce(sum(points) FILTER (what = 'expired'), 0)::BIGINT AS expired,
        coalesce(sum(points) FILTER (what = 'revoked'), 0)::BIGINT AS revoked
    FROM movement GROUP BY ALL
)
SELECT g.*, date_trunc('month', g."local")::DATE AS "month", s.granted, s.redeemed, s.expired, s.revoked,
    s.granted - s.redeemed - s.expired - s.revoked AS outstanding
FROM grants g JOIN sums s USING (customer, grant_id);

CREATE OR REPLACE TEMP TABLE tier_step AS
SELECT customer, local_time("time") AS "local", coalesce(tier_to, '') AS tier
FROM points_events WHERE "type" = 'tier-changed'
QUALIFY row_number() OVER (PARTITION BY customer, "time" ORDER BY "offset" DESC) = 1;

CREATE OR REPLACE TEMP TABLE flow AS
SELECT e.customer, e."local", date_trunc('month', e."local")::DATE AS "month", e."type", e.points, e.amount, e.reason,
    CASE WHEN e.campaign_id IS NOT NULL AND e."type" = 'point-granted' THEN 'campaign'
        WHEN e."type" <> 'point-granted' THEN e.reason
        WHEN e.reason = 'threshold' THEN 'threshold'
        WHEN e.rule IN ('registration', 'first_purchase', 'review', 'share', 'check_in', 'activity', 'adjust-points',
            'grant-points')
            THEN e.rule
        WHEN starts_with(e.rule, 'survey:') OR starts_with(e.rule, 'game:') THEN split_part(e.rule, ':', 1)
        ELSE 'purchase' END AS way,
    e.campaign_id, e.order_id, e.redemption_id, e.entry_id, coalesce(t.tier, '') AS tier
FROM (SELECT *, local_time("time") AS "local" FROM points_events
    WHERE "type" IN ('point-granted', 'point-redeemed', 'point-restored', 'point-expired', 'point-revoked')) e
ASOF LEFT JOIN tier_step t ON t.customer = e.customer AND e."local" > t."local";
"""

_CUSTOMERS: Final = """
CREATE OR REPLACE TEMP TABLE member AS
SELECT customer, local_time(min("time")) AS first_seen,
    local_time(min("time") FILTER (note_kind = 'registration')) AS registered
FROM points_events GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE applied AS  -- facts that the ledger took, each once
SELECT f.customer, f."type", local_time(f."time") AS "local", f.sku, f.rating, f.review_id, f.survey_id, f.satisfaction,
    f.data
FROM facts f
SEMI JOIN (SELECT DISTINCT customer, cause_source, cause_id FROM points_events) e
    ON e.customer = f.customer AND e.cause_source = f.source AND e.cause_id = f.id
WHERE f."type" IN ('review-published', 'review-removed', 'survey-submitted')
QUALIFY row_number() OVER (PARTITION BY f.customer, f.source, f.id ORDER BY f.recorded_at, f."offset") = 1;
"""


_LINES: Final = """
CREATE OR REPLACE TEMP TABLE line AS
WITH paid AS (
    SELECT customer, source, id, lines FROM facts WHERE "type" = 'order-paid'
    QUALIFY row_number() OVER (PARTITION BY customer, source, id ORDER BY recorded_at, "offset") = 1
), goods AS (
    SELECT customer, source, id, lines[place + 1].sku AS sku, lines[place + 1].merchant_id AS merchant_id, place
    FROM (SELECT *, unnest(range(len(lines))) AS place FROM paid)
)
SELECT l.customer, l.order_id, s."local", s."day", s."month", s.nth, s.stands, l.line_id, g.sku, g.merchant_id,
    -- the order's sales, points included, in proportion to what is left of the line
    CASE WHEN s.left_amount > 0 THEN s.sales_amount * l.left_amount::DOUBLE / s.left_amount
        ELSE s.sales_amount / s.lines END AS sales_amount
FROM line_left l
JOIN sale s USING (customer, order_id)
LEFT JOIN goods g
    ON g.customer = l.customer AND g.source = l.cause_source AND g.id = l.cause_id AND g.place = l.place;
"""


class NothingToReportError(MendableError):
    """The data holds nothing that the report is about; the message says what was looked for."""


class Span(Struct, frozen=True):
    """The days that the data covers, in the programme's time zone: from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def end(self) -> datetime:
        """The first local instant after it."""
        return datetime.combine(self.last, datetime.min.time()) + timedelta(days=1)


def prepare(connection: DuckDBPyConnection, zone: str) -> Span:
    """Make the tables, and return what days the point events cover.

    `zone` is the programme's time zone, by which days and months are cut; every `local` is a clock's time there.
    Raises NothingToReportError where there is no point event.
    """
    connection.execute("SET TimeZone = 'UTC'")
    name = zone.replace("'", "''")
    connection.execute(
        f"CREATE OR REPLACE TEMP MACRO local_time(instant) AS timezone('{name}', instant::TIMESTAMPTZ)"
    )
    for statements in (_ORDERS, _POINTS, _CUSTOMERS):
        connection.execute(statements)
    first, last = row(
        connection, 'SELECT local_time(min("time"))::DATE, local_time(max("time"))::DATE FROM points_events'
    )
    if first is None:
        raise NothingToReportError("there are no point events yet: nothing to report")
    return Span(first, last)


def prepare_lines(connection: DuckDBPyConnection) -> None:
    """Make the table `line` besides: what was sold of which product of whom. It takes as long as all the others."""
    connection.execute(_LINES)


def row(connection: DuckDBPyConnection, query: str, **given: Any) -> Row:
    """The one row of a query."""
    (found,) = rows(connection, query, **given)
    return found


def rows(connection: DuckDBPyConnection, query: str, **given: Any) -> list[Row]:
    """All rows of a query."""
    return connection.execute(query, given).fetchall()

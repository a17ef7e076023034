"""The programme as a whole: what customers earn, spend and let expire, whether they come back, how near targets are."""

from datetime import date, datetime, timedelta
from typing import Final

from duckdb import DuckDBPyConnection
from msgspec import Struct

from loyalty_stream.analysis.reports.ledger_tables import Row, Span, row, rows
from loyalty_stream.programme import Programme

TARGET_DAYS: Final = 90
"""The length of the windows that targets compare; less where the data is shorter than two of them."""
YEAR: Final = timedelta(days=365)


class Totals(Struct, frozen=True):
    """Over all of the data. Points are whole, sales in minor units, less what was refunded."""

    customers: int
    registered: int
    buyers: int
    repeat_buyers: int
    """Who bought more than once."""
    orders: int
    repeat_orders: int
    """All but each customer's first."""
    sales_amount: int
    granted: int
    redeemed: int
    """Less what was restored."""
    expired: int
    revoked: int
    outstanding: int
    redemption_rate: float
    """Redeemed, as a share of what was granted and not revoked."""


class Month(Struct, frozen=True):
    """A month of the calendar; the first and the last may not be whole."""

    month: date
    new_customers: int
    active: int
    """Customers who bought."""
    returning: int
    """Of them, those who had bought in an earlier month."""
    retained: int
    """Of them, those who had bought in the month before."""
    retention: float | None
    """Retained, as a share of the active of the month before."""
    orders: int
    repeat_orders: int
    sales_amount: int
    granted: int
    redeemed: int
    expired: int
    revoked: int


class Way(Struct, frozen=True):
    """Points that were granted, spent or revoked one way."""

    way: str
    points: int
    events: int
    customers: int


class TierLine(Struct, frozen=True):
    """A tier: who is in it now and what they bought; points by the tier at the time. Empty: below the first."""

    tier: str
    customers: int
    sales_amount: int
    granted: int
    redeemed: int
    expired: int


class Measure(Struct, frozen=True):
    """What a target is set for, then and now. Uplift is now / then - 1."""

    then: float | None
    now: float | None
    uplift: float | None
    target: float | None
    """The uplift hoped for, [finance.targets] of the programme file."""
    reached: float | None
    """Uplift as a share of the target."""


class Targets(Struct, frozen=True):
    """Two windows of equal length compared."""

    then: Span
    now: Span
    same_season: bool
    """Whether `then` is the same days a year earlier; else it is the first days of the data."""
    retention: Measure
    """Of who bought in the first half of the window, the share who bought in its second."""
    purchase_frequency: Measure
    """Orders of each customer who bought."""
    activity: Measure
    """Of all customers known by its end, the share who bought, earned or spent in it; to register is not enough."""


class ProgrammeReport(Struct, frozen=True):
    """The programme in numbers; amounts in minor units of `currency`."""

    id: str
    currency: str
    data: Span
    totals: Totals
    months: tuple[Month, ...]
    earned: tuple[Way, ...]
    spent: tuple[Way, ...]
    revoked: tuple[Way, ...]
    tiers: tuple[TierLine, ...]
    targets: Targets | None
    """None where the data is shorter than four days."""


_TOTALS: Final = """
WITH buyer AS (SELECT customer, count(*) AS orders, sum(sales_amount) AS amount FROM sale WHERE stands GROUP BY ALL),
points AS (SELECT sum(granted) AS granted, sum(redeemed) AS redeemed, sum(expired) AS expired, sum(revoked) AS revoked,
    sum(outstanding) AS outstanding FROM lot)
SELECT (SELECT count(*) FROM member), (SELECT count(registered) FROM member), count(*), count(*) FILTER (orders > 1),
    coalesce(sum(orders), 0)::BIGINT, coalesce(sum(orders - 1), 0)::BIGINT, coalesce(sum(amount), 0)::BIGINT,
    (SELECT [coalesce(granted, 0), coalesce(redeemed, 0), coalesce(expired, 0), coalesce(revoked, 0),
        coalesce(outstanding, 0)]::BIGINT[] FROM points)
FROM buyer
"""
_MONTHS: Final = """
WITH calendar AS (
    SELECT unnest(generate_series(date_trunc('month', $first::DATE), $last::DATE, INTERVAL 1 MONTH))::DATE AS "month"
), active AS (
    SELECT customer, "month", count(*) AS orders, count(*) FILTER (nth > 1) AS repeat_orders,
        sum(sales_amount) AS amount, lag("month") OVER (PARTITION BY customer ORDER BY "month") AS earlier
    FROM sale WHERE stands GROUP BY customer, "month"
), bought AS (
    SELECT "month", count(*) AS active, count(earlier) AS came_back,
        count(*) FILTER (earlier = "month" - INTERVAL 1 MONTH) AS retained,
        sum(orders)::BIGINT AS orders, sum(repeat_orders)::BIGINT AS repeat_orders, sum(amount)::BIGINT AS amount
    FROM active GROUP BY ALL
), joined AS (
    SELECT date_trunc('month', first_seen)::DATE AS "month", count(*) AS customers FROM member GROUP BY ALL
), moved AS (
    SELECT date_trunc('month', "local")::DATE AS "month",
        sum(points) FILTER (what = 'granted') AS granted,
        coalesce(sum(points) FILTER (what = 'redeemed'), 0)
            - coalesce(sum(points) FILTER (what = 'restored'), 0) AS redeemed,
        sum(points) FILTER (what = 'expired') AS expired, sum(points) FILTER (what = 'revoked') AS revoked
    FROM movement GROUP BY ALL
)
SELECT "month", coalesce(customers, 0), coalesce(active, 0), coalesce(came_back, 0), coalesce(retained, 0),
    retained / lag(active) OVER (ORDER BY "month"), coalesce(orders, 0), coalesce(repeat_orders, 0),
    coalesce(amount, 0), coalesce(granted, 0)::BIGINT, coalesce(redeemed, 0)::BIGINT, coalesce(expired, 0)::BIGINT,
    coalesce(revoked, 0)::BIGINT
FROM calendar LEFT JOIN bought USING ("month") LEFT JOIN joined USING ("month") LEFT JOIN moved USING ("month")
ORDER BY "month"
"""
_WAYS: Final = """
SELECT {way}, sum(points)::BIGINT, count(*), count(DISTINCT customer) FROM flow
WHERE "type" = $type AND points > 0 GROUP BY 1 ORDER BY 2 DESC, 1
"""
_SPENT_ON: Final = """CASE WHEN order_id IS NOT NULL OR amount IS NOT NULL THEN 'order'
    WHEN redemption_id IS NOT NULL THEN 'reward' WHEN entry_id IS NOT NULL THEN 'draw' ELSE 'other' END"""
_TIERS: Final = """
WITH now AS (SELECT customer, coalesce(tier, '') AS tier FROM accounts),
held AS (SELECT tier, count(*) AS customers FROM now GROUP BY ALL),
bought AS (SELECT tier, sum(sales_amount)::BIGINT AS amount
    FROM sale JOIN now USING (customer) WHERE stands GROUP BY ALL),
moved AS (SELECT tier,
    sum(points) FILTER ("type" = 'point-granted')::BIGINT AS granted,
    (coalesce(sum(points) FILTER ("type" = 'point-redeemed'), 0)
        - coalesce(sum(points) FILTER ("type" = 'point-restored'), 0))::BIGINT AS redeemed,
    sum(points) FILTER ("type" = 'point-expired')::BIGINT AS expired
    FROM flow GROUP BY ALL)
SELECT tier, coalesce(customers, 0), coalesce(amount, 0), coalesce(granted, 0), coalesce(redeemed, 0),
    coalesce(expired, 0)
FROM held FULL JOIN moved USING (tier) LEFT JOIN bought USING (tier)
"""
_WINDOW: Final = """
WITH halves AS (
    SELECT customer, count(*) AS orders, bool_or("local" < $middle) AS early, bool_or("local" >= $middle) AS late
    FROM sale WHERE stands AND "local" >= $first AND "local" < $end GROUP BY ALL
), active AS (
    SELECT customer FROM halves
    UNION SELECT customer FROM flow
    WHERE "local" >= $first AND "local" < $end AND ("type" = 'point-redeemed'
        OR "type" = 'point-granted' AND way NOT IN ('registration', 'adjust-points', 'grant-points'))
)
SELECT count(*) FILTER (early AND late) / nullif(count(*) FILTER (early), 0), sum(orders) / nullif(count(*), 0),
    (SELECT count(*) FROM active) / nullif((SELECT count(*) FROM member WHERE first_seen < $end), 0)
FROM halves
"""


def programme_report(connection: DuckDBPyConnection, data: Span, programme: Programme) -> ProgrammeReport:
    """The report over all days of the data."""
    tiers = {tier: line for tier, *line in rows(connection, _TIERS)}
    levels = [level.name for level in programme.tiers.levels] if programme.tiers else []
    known = [*reversed(levels), *sorted(set(tiers) - set(levels) - {""}), ""]
    return ProgrammeReport(
        id=programme.programme.id,
        currency=programme.programme.currency,
        data=data,
        totals=_totals(row(connection, _TOTALS)),
        months=tuple(Month(*each) for each in rows(connection, _MONTHS, first=data.first, last=data.last)),
        earned=_ways(connection, "way", "point-granted"),
        spent=_ways(connection, _SPENT_ON, "point-redeemed"),
        revoked=_ways(connection, "way", "point-revoked"),
        tiers=tuple(TierLine(tier, *tiers.get(tier, (0, 0, 0, 0, 0))) for tier in known),
        targets=_targets(connection, data, programme),
    )


def _totals(found: Row) -> Totals:
    customers, registered, buyers, repeat_buyers, orders, repeat_orders, sales, points = found
    granted, redeemed, expired, revoked, outstanding = points
    kept = granted - revoked
    return Totals(
        customers=customers,
        registered=registered,
        buyers=buyers,
        repeat_buyers=repeat_buyers,
        orders=orders,
        repeat_orders=repeat_orders,
        sales_amount=sales,
        granted=granted,
        redeemed=redeemed,
        expired=expired,
        revoked=revoked,
        outstanding=outstanding,
        redemption_rate=redeemed / kept if kept else 0.0,
    )


def _ways(connection: DuckDBPyConnection, way: str, event_type: str) -> tuple[Way, ...]:
    return tuple(Way(*each) for each in rows(connection, _WAYS.format(way=way), type=event_type))


def _targets(connection: DuckDBPyConnection, data: Span, programme: Programme) -> Targets | None:
    length = timedelta(days=min(TARGET_DAYS, data.days // 2))
    if length.days < 2:  # a half is a day
        return None
    start = datetime.combine(data.first, datetime.min.time())
    now = data.end - length
    same_season = now - YEAR >= start
    then = now - YEAR if same_season else start
    measured = [
        row(connection, _WINDOW, first=first, middle=first + length / 2, end=first + length)
        for first in (then, now)
    ]
    hoped = programme.finance.targets
    retention, frequency, activity = (
        _measure(before, after, float(target) if target is not None else None)
        for before, after, target in zip(
            *measured,
            (hoped.retention, hoped.purchase_frequency, hoped.activity) if hoped else (None, None, None),
            strict=True,
        )
    )
    return Targets(
        then=Span(then.date(), (then + length).date() - timedelta(days=1)),
        now=Span(now.date(), data.last),
        same_season=same_season,
        retention=retention,
        purchase_frequency=frequency,
        activity=activity,
    )


def _measure(then: float | None, now: float | None, target: float | None) -> Measure:
    uplift = now / then - 1 if then and now is not None else None
    return Measure(then, now, uplift, target, uplift / target if uplift is not None and target else None)

"""One campaign: before, during and after it, what it cost, and what it brought against customers alike."""

from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from duckdb import DuckDBPyConnection
from msgspec import Struct

from loyalty_stream.analysis.reports.campaign_groups import compare_group, gather, gather_selected
from loyalty_stream.analysis.reports.ledger_tables import NothingToReportError, Span, prepare_lines, row, rows
from loyalty_stream.analysis.reports.uplift import Comparison, Uplift, less
from loyalty_stream.programme import Programme
from loyalty_stream.programme.campaigns import Campaign, PublishedCampaign

EARLIER_DAYS: Final = 90
"""Of spend that customers are matched on, or as long as the campaign, whichever is longer."""


class Window(Struct, frozen=True):
    """What the customers who take part did in one of the windows; amounts in minor units. `last` is included."""

    first: datetime
    end: datetime
    """The first local instant after it."""
    buyers: int
    orders: int
    sales_amount: int
    goods_sales_amount: int
    """Of the campaign's goods, by all customers: of everything where it names none."""


class Day(Struct, frozen=True):
    """A local day: what those who take part bought, and what the campaign granted."""

    day: date
    orders: int
    sales_amount: int
    points_granted: int


class Winner(Struct, frozen=True):
    """Who won which prize of the draw."""

    customer: str
    prize: str


class Effect(Struct, frozen=True):
    """What the campaign brought, by the comparison that it is based on; amounts in minor units, with 95 % intervals.

    Who is invited does not hang on what they do, so `invited` is the fairest. Who takes part by buying has bought, so
    of the participants' uplift that of `selection` is taken off, where there is one.
    """

    based_on: Literal["invited", "participants"]
    is_clear: bool
    """Whether the uplift of spend differs from 0."""
    per_customer_amount: Uplift
    """Spend of each customer of the group that would not have been."""
    extra_sales_amount: Uplift
    extra_orders: Uplift
    extra_margin_amount: float
    net_amount: float
    """Extra margin less the campaign's cost."""
    cost_per_extra_order_amount: float | None
    """None where there is no extra order."""
    cost_per_extra_sales: float | None
    """Cost of each extra unit of currency sold; None where nothing more was sold."""


class CampaignReport(Struct, frozen=True):
    """A campaign in numbers. Points are whole, amounts in minor units, times local to the programme's zone."""

    id: str
    theme: str
    currency: str
    starts_at: datetime
    ends_at: datetime
    data: Span
    state: Literal["ahead", "running", "after_incomplete", "over"]
    """By the end of the data; `after_incomplete`: it has ended, the window after it has not."""
    customers: int
    """Who take part: a grant, an entry or a gift of it is theirs, and not taken back as a whole."""
    new_customers: int
    """Of them, those that the ledger saw first while it ran."""
    windows: tuple[Window, Window, Window]
    points_granted: int
    points_revoked: int
    points_redeemed: int
    points_expired: int
    points_outstanding: int
    budget_points: int
    """0: none."""
    budget_left_points: int
    """What a refund takes back does not return to the budget."""
    gifts: int
    entries: int
    winners: tuple[Winner, ...]
    cost_amount: int
    """Points granted and not revoked at their unit cost, and gifts at what the mall asks for them."""
    matched_days: int
    """The days before the start by whose spend customers are matched."""
    participants: Comparison
    selection: Comparison | None
    """The comparison of the participants made one window earlier, of customers who met the campaign's condition then,
    without a campaign: what buyers spend over others anyway. None where buying is no condition."""
    invited: Comparison | None
    """Who is in one of the campaign's segments against who is not; None where it asks for no segment."""
    effect: Effect | None
    days: tuple[Day, ...]


def campaign_report(
    connection: DuckDBPyConnection, data: Span, programme: Programme, campaign_id: str
) -> CampaignReport:
    """The report of a campaign in the programme file, or of one that was published live.

    Raises NothingToReportError where there is no such campaign.
    """
    campaign = _find(connection, programme, campaign_id)
    zone = ZoneInfo(programme.programme.timezone)
    starts, ends = (at.astimezone(zone).replace(tzinfo=None) for at in (campaign.starts_at, campaign.ends_at))
    length = ends - starts
    prepare_lines(connection)
    gather(connection, campaign, starts, ends)
    customers, new = row(
        connection,
        "SELECT count(*), count(*) FILTER (first_seen >= $starts) FROM taker JOIN member USING (customer)",
        starts=starts,
    )
    granted, redeemed, expired, outstanding = row(
        connection,
        """SELECT coalesce(sum(granted), 0)::BIGINT, coalesce(sum(redeemed), 0)::BIGINT,
            coalesce(sum(expired), 0)::BIGINT, coalesce(sum(outstanding), 0)::BIGINT
        FROM lot WHERE campaign_id = $id""",
        id=campaign.id,
    )
    (revoked,) = row(connection, "SELECT coalesce(sum(points), 0)::BIGINT FROM campaign_revoked")
    gifts = rows(
        connection,
        """SELECT reward_id, sum(coalesce(json_extract(data, '$.quantity')::BIGINT, 1))::BIGINT
        FROM points_events WHERE "type" = 'reward-issued' AND campaign_id = $id GROUP BY ALL""",
        id=campaign.id,
    )
    asked = {reward.id: reward.cost for reward in programme.rewards}
    worth = granted - revoked + sum(asked.get(reward, 0) * count for reward, count in gifts)
    cost = worth * programme.finance.unit_cost_amount
    matched_from = starts - max(length, timedelta(days=EARLIER_DAYS))
    participants = compare_group(connection, "taker", matched_from, starts, ends)
    invited = selection = None
    if campaign.audience.segments:
        invited = compare_group(connection, "invited", matched_from, starts, ends)
    elif campaign.trigger == "purchase":
        gather_selected(connection, campaign, starts - length, starts)
        selection = compare_group(connection, "selected", matched_from - length, starts - length, starts)
    return CampaignReport(
        id=campaign.id,
        theme=campaign.theme,
        currency=programme.programme.currency,
        starts_at=starts,
        ends_at=ends,
        data=data,
        state=_state(data, starts, ends),
        customers=customers,
        new_customers=new,
        windows=(
            _window(connection, starts - length, starts),
            _window(connection, starts, ends),
            _window(connection, ends, ends + length),
        ),
        points_granted=granted,
        points_revoked=revoked,
        points_redeemed=redeemed,
        points_expired=expired,
        points_outstanding=outstanding,
        budget_points=campaign.budget_points,
        budget_left_points=max(0, campaign.budget_points - granted),
        gifts=sum(count for _, count in gifts),
        entries=row(connection, "SELECT count(*) FROM entry")[0],
        winners=tuple(
            Winner(*found)
            for found in rows(
                connection,
                """SELECT customer, json_extract_string(data, '$.prize') FROM points_events
                WHERE "type" = 'draw-won' AND campaign_id = $id ORDER BY 2, 1""",
                id=campaign.id,
            )
        ),
        cost_amount=cost,
        matched_days=(starts - matched_from).days,
        participants=participants,
        selection=selection,
        invited=invited,
        effect=_effect(participants, selection, invited, cost, programme),
        days=tuple(
            Day(*found)
            for found in rows(connection, _DAYS, id=campaign.id, first=starts - length, end=ends + length)
        ),
    )


def _find(connection: DuckDBPyConnection, programme: Programme, campaign_id: str) -> Campaign:
    for campaign in programme.campaigns:
        if campaign.id == campaign_id:
            return campaign
    published = rows(
        connection,
        """SELECT data FROM facts WHERE "type" = 'campaign-published' AND campaign_id = $id
        ORDER BY "time" DESC, "offset" DESC LIMIT 1""",
        id=campaign_id,
    )
    if published:
        return PublishedCampaign.model_validate_json(published[0][0], extra="ignore", strict=False)
    known = ", ".join(campaign.id for campaign in programme.campaigns) or "none"
    raise NothingToReportError(
        f"campaign {campaign_id}: neither the programme file nor the campaigns topic has it; in the file: {known}"
    )


def _state(
    data: Span, starts: datetime, ends: datetime
) -> Literal["ahead", "running", "after_incomplete", "over"]:
    if data.end <= starts:
        return "ahead"
    if data.end < ends:
        return "running"
    return "after_incomplete" if data.end < ends + (ends - starts) else "over"


# -- what happened --------------------------------------------------------------------------------------

_WINDOW: Final = """
SELECT count(DISTINCT customer), count(*), coalesce(sum(sales_amount), 0)::BIGINT
FROM sale SEMI JOIN taker USING (customer) WHERE stands AND "local" >= $first AND "local" < $end
"""
_GOODS: Final = """
SELECT round(coalesce(sum(sales_amount), 0))::BIGINT FROM line
WHERE "local" >= $first AND "local" < $end
    AND (sku IN (FROM campaign_goods) OR NOT EXISTS (FROM campaign_goods))
"""
_DAYS: Final = """
WITH calendar AS (
    SELECT unnest(generate_series(
        $first::TIMESTAMP::DATE, ($end::TIMESTAMP - INTERVAL 1 MICROSECOND)::DATE, INTERVAL 1 DAY))::DATE AS "day"
), bought AS (
    SELECT "day", count(*) AS orders, sum(sales_amount)::BIGINT AS amount
    FROM sale SEMI JOIN taker USING (customer) WHERE stands GROUP BY ALL
), given AS (
    SELECT l."local"::DATE AS "day", sum(granted)::BIGINT AS points
    FROM lot l WHERE campaign_id = $id GROUP BY ALL
)
SELECT "day", coalesce(orders, 0), coalesce(amount, 0), coalesce(points, 0)
FROM calendar LEFT JOIN bought USING ("day") LEFT JOIN given USING ("day") ORDER BY "day"
"""


def _window(connection: DuckDBPyConnection, first: datetime, end: datetime) -> Window:
    buyers, orders, sales = row(connection, _WINDOW, first=first, end=end)
    (goods,) = row(connection, _GOODS, first=first, end=end)
    return Window(first, end, buyers, orders, sales, goods)


# -- what it brought ------------------------------------------------------------------------------------


def _effect(
    participants: Comparison,
    selection: Comparison | None,
    invited: Comparison | None,
    cost: int,
    programme: Programme,
) -> Effect | None:
    basis = invited or participants
    spend, orders = basis.spend_uplift, basis.order_uplift
    if spend is None or orders is None:
        return None
    if selection and selection.spend_uplift and selection.order_uplift:
        spend, orders = less(spend, selection.spend_uplift), less(orders, selection.order_uplift)
    sales, more_orders = (_times(each, basis.customers) for each in (spend, orders))
    margin = sales.mean * float(programme.finance.gross_margin)
    return Effect(
        based_on="invited" if invited else "participants",
        is_clear=spend.is_clear,
        per_customer_amount=spend,
        extra_sales_amount=sales,
        extra_orders=more_orders,
        extra_margin_amount=margin,
        net_amount=margin - cost,
        cost_per_extra_order_amount=cost / more_orders.mean if more_orders.mean > 0 else None,
        cost_per_extra_sales=cost / sales.mean if sales.mean > 0 else None,
    )


def _times(uplift: Uplift, customers: int) -> Uplift:
    return Uplift(uplift.mean * customers, uplift.low * customers, uplift.high * customers)

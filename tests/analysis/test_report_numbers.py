"""The reports' numbers against plain Python over the same history, which knows neither SQL nor the reports' tables."""

import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import mall_year
import pytest
from reported import exported, history, report

from loyalty_stream.analysis.reports import make_report
from loyalty_stream.analysis.reports.finance import plan
from loyalty_stream.analysis.reports.ledger_tables import NothingToReportError
from loyalty_stream.analysis.source import connect
from loyalty_stream.programme import parse_programme

ZONE = ZoneInfo("Asia/Shanghai")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(ZONE).replace(tzinfo=None)


def month(at: datetime) -> date:
    return at.date().replace(day=1)


class Order:
    """An order as it stands in the end."""

    def __init__(self, fact: dict) -> None:
        self.customer = fact["subject"]
        self.at = local(fact["time"])
        data = fact["data"]
        self.id = data["order_id"]
        self.lines = {
            line["line_id"]: [line["sku"], line["amount"], line["merchant_id"]] for line in data["lines"]
        }
        self.goods = sum(line["amount"] for line in data["lines"])
        self.discount = data["discount_amount"]
        self.hold_id = data.get("hold_id")
        self.refunded: Counter[str] = Counter()
        self.cancelled = False

    @property
    def sales(self) -> int:
        return 0 if self.cancelled else self.goods - self.discount - sum(self.refunded.values())


@pytest.fixture(scope="module")
def facts():
    return [json.loads(line) for line in history().facts]


@pytest.fixture(scope="module")
def events():
    return [json.loads(line) for line in history().events]


@pytest.fixture(scope="module")
def orders(facts):
    erased = {each["subject"]: local(each["time"]) for each in facts if each["type"] == "erase-customer"}
    assert erased
    found = {}
    for fact in facts:
        if fact["subject"] in erased and local(fact["time"]) > erased[fact["subject"]]:
            continue
        match fact["type"]:
            case "order-paid":
                found[fact["data"]["order_id"]] = Order(fact)
            case "order-cancelled":
                found[fact["data"]["order_id"]].cancelled = True
            case "order-refunded":
                for line in fact["data"]["lines"]:
                    found[fact["data"]["order_id"]].refunded[line["line_id"]] += line["amount"]
    assert any(order.cancelled for order in found.values())
    assert any(order.refunded for order in found.values())
    return sorted(
        (each for each in found.values() if not each.cancelled), key=lambda order: (order.at, order.id)
    )


def points(events, *types):
    return sum(each["data"]["points"] for each in events if each["type"] in types)


def test_totals_of_the_programme(orders, events):
    totals = report("programme").totals
    by_customer = Counter(order.customer for order in orders)
    assert (totals.orders, totals.buyers) == (len(orders), len(by_customer))
    assert totals.repeat_buyers == sum(count > 1 for count in by_customer.values())
    assert totals.repeat_orders == len(orders) - len(by_customer)
    assert totals.sales_amount == sum(order.sales for order in orders)
    assert totals.customers == len({each["subject"] for each in events})
    assert totals.granted == points(events, "point-granted")
    assert totals.redeemed == points(events, "point-redeemed") - points(events, "point-restored")
    assert totals.expired == points(events, "point-expired") > 0
    assert totals.revoked == points(events, "point-revoked") > 0
    assert totals.redemption_rate == totals.redeemed / (totals.granted - totals.revoked)
    assert totals.outstanding - report("finance").liability.debt == sum(
        each["available"] + each["pending"] + each["held"] - each["debt"] for each in history().balances
    )


def test_months_of_the_programme(orders, events):
    active = defaultdict(set)
    for order in orders:
        active[month(order.at)].add(order.customer)
    granted = Counter()
    for each in events:
        if each["type"] == "point-granted":
            granted[month(local(each["time"]))] += each["data"]["points"]
    before: set[str] = set()
    previous: set[str] = set()
    months = report("programme").months
    assert [each.month for each in months] == sorted(granted)
    for each in months:
        now = active[each.month]
        assert each.active == len(now)
        assert each.returning == len(now & before)
        assert each.retained == len(now & previous)
        assert each.retention == (len(now & previous) / len(previous) if previous else None)
        assert each.sales_amount == sum(order.sales for order in orders if month(order.at) == each.month)
        assert each.granted == granted[each.month]
        before |= now
        previous = now


def test_where_points_come_from(events):
    expected = Counter()
    for each in events:
        if each["type"] == "point-granted":
            data = each["data"]
            name = "campaign" if "campaign_id" in data else data["reason"]
            expected[{"first purchase": "first_purchase", "check-in": "check_in"}.get(name, name)] += data[
                "points"
            ]
    assert {each.way: each.points for each in report("programme").earned} == {
        way: count for way, count in expected.items() if count
    }
    spent = {each.way: each.points for each in report("programme").spent}
    on_orders = sum(
        each["data"]["points"]
        for each in events
        if each["type"] == "point-redeemed" and "order_id" in each["data"]
    )
    assert spent["order"] == on_orders > 0
    assert spent["reward"] == points(events, "point-redeemed") - on_orders > 0


def test_points_by_the_tier_at_the_time(events):
    tier: dict[str, tuple[str, str]] = {}
    held: dict[str, str] = {}
    granted = Counter()
    for each in events:
        customer, at = each["subject"], each["time"]
        if each["type"] == "tier-changed":
            before = tier.get(customer, ("", ""))
            tier[customer] = (at, each["data"]["to"] or "")
            held[customer] = before[1] if before[0] != at else held.get(customer, "")
        elif each["type"] == "point-granted":
            changed, now = tier.get(customer, ("", ""))
            granted[held.get(customer, "") if changed == at else now] += each["data"]["points"]
    assert {each.tier: each.granted for each in report("programme").tiers if each.granted} == dict(granted)
    assert sum(each.customers for each in report("programme").tiers) == len(history().balances)


def test_targets(orders):
    targets = report("programme").targets
    length = timedelta(days=90)
    end = datetime.combine(report("programme").data.last, datetime.min.time()) + timedelta(days=1)
    for start, name in ((datetime.fromisoformat("2026-01-01"), "then"), (end - length, "now")):
        inside = [order for order in orders if start <= order.at < start + length]
        early = {order.customer for order in inside if order.at < start + length / 2}
        late = {order.customer for order in inside if order.at >= start + length / 2}
        assert getattr(targets.retention, name) == len(early & late) / len(early)
        assert getattr(targets.purchase_frequency, name) == len(inside) / len(early | late)
    frequency = targets.purchase_frequency
    assert frequency.uplift == frequency.now / frequency.then - 1
    assert (targets.retention.target, frequency.target, targets.activity.target) == (0.2, 0.15, 0.3)
    assert frequency.reached == frequency.uplift / 0.15


def test_points_outstanding_by_month_of_grant(events):
    left: dict[str, int] = {}
    granted_in: dict[str, date] = {}
    for each in events:
        data, kind = each["data"], each["type"]
        if kind == "point-granted":
            left[data["grant_id"]] = data["points"]
            granted_in[data["grant_id"]] = month(local(each["time"]))
        elif kind == "point-expired":
            left[data["grant_id"]] -= data["points"]
        elif kind in {"point-redeemed", "point-revoked", "point-restored"}:
            for taken in data["grants"]:
                left[taken["grant_id"]] -= taken["points"] * (-1 if kind == "point-restored" else 1)
    expected = Counter()
    for grant, count in left.items():
        expected[granted_in[grant]] += count
    liability = report("finance").liability
    assert {each.month: each.outstanding for each in liability.months} == dict(expected)
    assert liability.outstanding == sum(expected.values()) - liability.debt
    assert liability.liability_amount == liability.outstanding  # a fen a point
    assert all(
        each.granted == each.redeemed + each.expired + each.revoked + each.outstanding
        for each in liability.months
    )


def test_sales_with_and_without_the_programme(orders, events):
    first_seen: dict[str, date] = {}
    for each in events:
        first_seen.setdefault(each["subject"], local(each["time"]).date())
    finance = report("finance")
    for each in finance.months:
        after = (each.month + timedelta(days=32)).replace(day=1)
        last = min(finance.data.last, after - timedelta(days=1))
        days = sum(max(0, (last - max(seen, each.month)).days + 1) for seen in first_seen.values())
        assert each.baseline_sales_amount == round(100_000 * days / 365)
        assert each.sales_amount == sum(order.sales for order in orders if month(order.at) == each.month)
        assert each.margin_amount == round(each.sales_amount * 3 / 10)
        assert each.net_amount == each.margin_amount - each.baseline_margin_amount - each.points_cost_amount
    assert finance.benefit.net_amount == sum(each.net_amount for each in finance.months) - 50_000_000


def test_the_figures_of_the_brief():
    brief = plan(parse_programme("").finance)
    assert brief.investment_amount == 500_000_00
    assert brief.extra_sales_amount == 3_000_000_00
    assert brief.net_amount == 2_500_000_00
    assert (brief.customers, brief.baseline_annual_spend_amount, brief.expected_annual_spend_amount) == (
        100_000,
        1_000_00,
        1_200_00,
    )
    assert brief.potential_amount == 20_000_000_00
    assert (brief.extra_margin_amount, brief.net_margin_amount) == (900_000_00, 400_000_00)


def test_what_customers_say(facts):
    answers = [each for each in facts if each["type"] == "survey-submitted"]
    feedback = report("feedback")
    stars = [each["data"]["satisfaction"] for each in answers]
    assert feedback.satisfaction.answers == len(stars)
    assert feedback.satisfaction.mean == pytest.approx(sum(stars) / len(stars))
    assert feedback.satisfaction.satisfied == pytest.approx(sum(star >= 4 for star in stars) / len(stars))
    assert sum(each.answers for each in feedback.tiers) == len(stars)
    by_month = defaultdict(list)
    for each in answers:
        by_month[f"{local(each['time']):%Y-%m}"].append(each["data"]["satisfaction"])
    assert {each.of: each.mean for each in feedback.months} == {
        name: pytest.approx(sum(given) / len(given)) for name, given in by_month.items()
    }
    removed = {each["data"]["review_id"] for each in facts if each["type"] == "review-removed"}
    ratings = [
        each["data"]["rating"]
        for each in facts
        if each["type"] == "review-published" and each["data"]["review_id"] not in removed
    ]
    assert feedback.removed == len(removed) > 0
    assert feedback.ratings.answers == len(ratings)
    assert feedback.ratings.mean == pytest.approx(sum(ratings) / len(ratings))


def test_a_merchant(orders):
    merchant = report("merchant", "kiln")
    own = [order for order in orders if any(line[2] == "kiln" for line in order.lines.values())]
    by_customer = Counter(order.customer for order in own)
    assert (merchant.orders, merchant.customers) == (len(own), len(by_customer))
    assert merchant.repeat_customers == sum(count > 1 for count in by_customer.values())
    sales = 0.0
    for order in own:
        for line_id, (_, amount, seller) in order.lines.items():
            if seller == "kiln":
                sales += amount * (order.goods - order.discount) / order.goods - order.refunded[line_id]
    assert merchant.sales_amount == pytest.approx(sales, abs=len(own))  # the ledger shares out whole fen
    assert sum(each.sales_amount for each in merchant.months) == pytest.approx(
        merchant.sales_amount, abs=len(merchant.months)
    )
    assert sum(each.new_customers for each in merchant.months) == merchant.customers


def test_all_merchants_together_sold_what_was_sold(orders):
    named = [report("merchant", name).sales_amount for name in ("leaf-house", "kiln", "snack-bar")]
    nobodys = sum(
        amount * (order.goods - order.discount) / order.goods - order.refunded[line_id]
        for order in orders
        for line_id, (_, amount, seller) in order.lines.items()
        if seller is None
    )
    assert sum(named) + nobodys == pytest.approx(sum(order.sales for order in orders), abs=len(orders))


def test_a_campaign(orders, events):
    campaign = report("campaign", "tea-week")
    granted, revoked = Counter(), Counter()
    lots = set()
    for each in events:
        data = each["data"]
        if each["type"] == "point-granted" and data.get("campaign_id") == "tea-week":
            granted[each["subject"]] += data["points"]
            lots.add(data["grant_id"])
        for back in data.get("revokes", ()) if each["type"] == "point-revoked" else ():
            if back.get("campaign_id") == "tea-week":
                revoked[each["subject"]] += back["points"]
    took_part = {customer for customer in granted if granted[customer] > revoked[customer]}
    assert campaign.customers == len(took_part) > 10
    assert (campaign.points_granted, campaign.points_revoked) == (granted.total(), revoked.total())
    assert campaign.budget_left_points == 40_000 - granted.total()
    assert campaign.cost_amount == granted.total() - revoked.total()
    assert campaign.points_redeemed == sum(
        taken["points"]
        for each in events
        if each["type"] == "point-redeemed"
        for taken in each["data"]["grants"]
        if taken["grant_id"] in lots
    ) - sum(
        back["points"]
        for each in events
        if each["type"] == "point-restored"
        for back in each["data"]["grants"]
        if back["grant_id"] in lots
    )
    starts = datetime.fromisoformat("2026-04-06")
    for window, place in zip(campaign.windows, (-1, 0, 1), strict=True):
        first = starts + place * timedelta(days=7)
        theirs = [o for o in orders if o.customer in took_part and first <= o.at < first + timedelta(days=7)]
        assert (window.orders, window.sales_amount) == (len(theirs), sum(order.sales for order in theirs))
        assert window.buyers == len({order.customer for order in theirs})
    assert sum(day.sales_amount for day in campaign.days) == sum(
        window.sales_amount for window in campaign.windows
    )
    assert sum(day.points_granted for day in campaign.days) == granted.total()
    assert len(campaign.days) == 21


def test_a_draw(events):
    campaign = report("campaign", "lucky-june")
    assert [(each.customer, each.prize) for each in campaign.winners] == sorted(
        (each["subject"], each["data"]["prize"]) for each in events if each["type"] == "draw-won"
    )
    assert len(campaign.winners) == 3
    assert campaign.entries <= sum(each["type"] == "draw-entered" for each in events)


def test_uplift_is_found_where_it_was_planted_and_nowhere_else():
    tea, quiet, lucky = (report("campaign", name) for name in ("tea-week", "quiet-week", "lucky-june"))
    assert tea.effect.based_on == "invited"
    assert tea.effect.is_clear
    assert tea.invited.order_uplift.low <= mall_year.UPLIFT_ORDERS <= tea.invited.order_uplift.high
    assert not quiet.effect.is_clear
    # Who takes part has bought, so they have more than others, though nothing was planted.
    assert quiet.participants.spend_uplift.mean > abs(quiet.invited.spend_uplift.mean)
    # An open campaign has no one uninvited; the week before shows what selection alone does.
    assert lucky.invited is None
    assert lucky.participants.spend_uplift.low > 0
    assert not lucky.effect.is_clear


def test_what_is_not_there_is_said():
    with connect(exported()) as connection:
        for kind, name, said in (
            ("campaign", "no-week", "tea-week"),
            ("merchant", "nobody", "kiln, leaf-house, snack-bar"),
        ):
            with pytest.raises(NothingToReportError, match=said):
                make_report(connection, mall_year.programme(), kind, name)

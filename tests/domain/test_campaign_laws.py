"""The laws of campaigns over any history: spend, awards and limits agree, and refunds undo what they gave."""

from collections import Counter
from fractions import Fraction

from hypothesis import given, note
from hypothesis import strategies as st

from loyalty_stream.domain import fold_campaigns, orders
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import PointEvent, PointGranted, PointRevoked
from loyalty_stream.domain.notes import AskNote, ReturnNote
from loyalty_stream.domain.rules import Award, Campaign, Draw, Prize, Rules
from tests.domain.given import Customer, cancellation, order_paid, refund, share
from tests.domain.given_campaigns import campaign, with_campaigns
from tests.domain.given_rewards import MALL, answer
from tests.domain.watched import LAWS

AWARDS = [
    Award(points=30),
    Award(points=20),
    Award(multiplier=Fraction(2)),
    Award(multiplier=Fraction("1.3")),
    Award(draw_entries=2),
    Award(gift="off-10"),
    Award(gift="tea-cup"),
]
SKUS = ("tea-01", "tea-02", "milk")


@st.composite
def any_campaigns(draw) -> Rules:
    campaigns: list[Campaign] = []
    for name in draw(st.sampled_from(["a", "ab", "abc"])):
        award = draw(st.sampled_from(AWARDS))
        trigger = "purchase" if award.multiplier else draw(st.sampled_from(["purchase", "purchase", "share"]))
        campaigns.append(
            campaign(
                name,
                award=award,
                trigger=trigger,
                include_skus=draw(st.sampled_from([frozenset(), frozenset({"tea-01", "tea-02"})])),
                minimum_amount=draw(st.sampled_from([1, 1000, 2500])),
                accumulate=draw(st.booleans()),
                per_customer_limit=draw(st.sampled_from([0, 1, 2])),
                budget_points=draw(st.sampled_from([0, 100])),
                stacking=draw(st.sampled_from(["stack", "stack", "best", "exclusive"])),
                priority=draw(st.sampled_from([1, 2])),
                draw=Draw((Prize("off-10", 1),)) if award.draw_entries else None,
            )
        )
    return with_campaigns(*campaigns, rules=MALL)


AMOUNTS = st.lists(
    st.tuples(st.sampled_from(SKUS), st.integers(0, 3000)),
    min_size=1,
    max_size=3,
    unique_by=lambda line: line[0],
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), AMOUNTS),
        st.tuples(st.just("refund"), st.integers(1, 3), st.integers(1, 2000)),
        st.tuples(st.just("cancel"), st.integers(1, 3)),
        st.tuples(st.just("share"), st.none()),
        st.tuples(st.just("answer"), st.integers(0, 100)),
    ),
    max_size=14,
)


class Shop:
    """A customer who shops, and the answers that are still to come."""

    def __init__(self, rules: Rules) -> None:
        self.customer = Customer(rules)
        self.asked: list[list[PointEvent]] = []
        self.orders = 0
        self.facts = 0

    def take(self, step) -> None:
        self.facts += 1
        at, name = f"2026-03-02 10:{self.facts:02}", f"f-{self.facts}"
        match step:
            case ("order", lines):
                self.orders += 1
                self._keep(self.customer.when(order_paid(name, at, lines, order_id=f"o-{self.orders}")))
            case ("refund", number, amount):
                order = orders.find(self.customer.account, f"o-{number}")
                if order is not None and order.left_amount:
                    refunded = min(amount, order.left_amount)
                    self._keep(self.customer.when(refund(name, at, f"o-{number}", refunded)))
            case ("cancel", number):
                if orders.find(self.customer.account, f"o-{number}") is not None:
                    self._keep(self.customer.when(cancellation(name, at, f"o-{number}")))
            case ("share", _):
                self._keep(self.customer.when(share(name, at)))
            case ("answer", given):
                self.answer(given)

    def answer(self, given: int) -> None:
        if self.asked:
            made = self.asked.pop(0)
            asked = next(e.data.note for e in made if isinstance(e.data.note, AskNote))
            self.customer.when(answer(made, min(given, asked.quantity)))

    def _keep(self, made: list[PointEvent]) -> None:
        for event in made:
            if isinstance(event.data.note, AskNote):
                self.asked.append([event])


def agree(account: Account, rules: Rules, *, answered: bool) -> None:
    """What the account remembers of campaigns is what its orders say, and no limit is passed."""
    for one in rules.campaigns:
        known = account.campaigns.get(one.id)
        if known is None:
            continue
        counted = [
            (order, each)
            for order in orders.each(account)
            for each in order.campaigns
            if each.campaign_id == one.id
        ]
        spend = sum(fold_campaigns.left_in(order, each.scope) for order, each in counted if each.accumulates)
        assert known.spend == spend
        assert known.awards >= 0
        if one.per_customer_limit:
            assert known.awards <= one.per_customer_limit
        if one.trigger != "purchase" or one.award.multiplier or one.award.gift:
            continue
        if one.accumulate:
            assert known.awards <= spend // one.minimum_amount
            assert known.awards == sum(each.awards for _, each in counted)
        if one.award.points and answered:
            left = points_left(account, one.id)
            assert left <= known.awards * one.award.points
            if not one.budget_points:
                assert left == known.awards * one.award.points


def points_left(account: Account, campaign_id: str) -> int:
    return sum(
        earned.points - earned.revoked
        for order in orders.each(account)
        for earned in order.earned
        if earned.kind == f"campaign:{campaign_id}"
    )


@LAWS
@given(any_campaigns(), STEPS)
def test_spend_awards_and_limits_agree_after_every_fact(rules, steps):
    shop = Shop(rules)
    for step in steps:
        note(str(step))
        shop.take(step)
        agree(shop.customer.account, rules, answered=not shop.asked)


@LAWS
@given(any_campaigns(), STEPS, st.data())
def test_what_orders_gave_is_gone_once_they_are_all_cancelled(rules, steps, data):
    shop = Shop(rules)
    for step in steps:
        shop.take(step)
    late = data.draw(st.booleans(), label="answers come after the cancellations")
    if not late:
        while shop.asked:
            shop.answer(50)
    for number in data.draw(st.permutations(range(1, shop.orders + 1))):
        shop.take(("cancel", number))
    while shop.asked:
        shop.answer(50)
    account = shop.customer.account
    for one in rules.campaigns:
        if one.trigger == "purchase":
            assert points_left(account, one.id) == 0
            known = account.campaigns.get(one.id)
            if known is not None and not one.award.gift and not one.budget_points:
                assert known.awards == 0


@LAWS
@given(any_campaigns(), STEPS)
def test_no_campaign_gives_more_than_it_was_allowed(rules, steps):
    shop = Shop(rules)
    for step in steps:
        shop.take(step)
    while shop.asked:
        shop.answer(7)
    granted: Counter[str] = Counter()
    revoked: Counter[str] = Counter()
    for event in shop.customer.events:
        if isinstance(event.data, PointGranted) and event.data.campaign_id:
            granted[event.data.campaign_id] += event.data.points
        if isinstance(event.data, PointRevoked):
            for each in event.data.revokes:
                revoked[each.campaign_id or ""] += each.points
    for campaign_id, points in granted.items():
        assert revoked[campaign_id] <= points


GIFTS = st.builds(
    lambda minimum, accumulate, limit: with_campaigns(
        campaign(
            "a",
            award=Award(gift="tea-cup"),
            minimum_amount=minimum,
            accumulate=accumulate,
            per_customer_limit=limit,
        ),
        rules=MALL,
    ),
    st.sampled_from([1000, 2500]),
    st.booleans(),
    st.sampled_from([0, 1, 2]),
)


@LAWS
@given(GIFTS, STEPS)
def test_what_is_asked_of_stock_and_not_given_back_are_the_awards_that_the_customer_has(rules, steps):
    """And of those that are not given yet, none is beyond what the orders still reach."""
    shop = Shop(rules)
    (one,) = rules.campaigns
    for step in steps:
        note(str(step))
        shop.take(step)
        asked: dict[str, int] = {}
        for event in shop.customer.events:
            match event.data.note:
                case AskNote(request_id=request_id, quantity=quantity):
                    asked[request_id] = quantity
                case ReturnNote(request_id=request_id):
                    del asked[request_id]
        account = shop.customer.account
        known = account.campaigns.get("a")
        if known is None:
            continue
        assert sum(asked.values()) == known.awards
        waited_for = sum(quantity for request_id, quantity in asked.items() if request_id in account.asked)
        if one.accumulate:
            reached = known.spend // one.minimum_amount
        else:
            reached = sum(order.left_amount >= one.minimum_amount for order in orders.each(account))
        assert waited_for <= reached

"""A customer's life as a state machine: whatever comes in whatever order, the laws hold after every event.

Hypothesis draws the programme and the steps; orders, holds and reviews that were made up are met again, so that
refunds, confirmations and repeats belong to something. `Watched` checks conservation, the fold, the balances, the
spending order and that no lot is negative and no point in two holds; what is written here is about the life of orders.
"""

from collections import Counter
from copy import deepcopy

from any_history import START_MS, fact_of
from any_rules import DAY_MS, MINUTE_MS, any_rules
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace
from watched import LAWS, Watched

from loyalty_stream.domain import calendar, decide, evolve, orders, refunds
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import PointEvent, PointGranted, PointRedeemed, PointRestored, PointRevoked
from loyalty_stream.domain.facts import (
    ActivityAttended,
    ActivityAttendedData,
    AdjustPoints,
    AdjustPointsData,
    CheckedIn,
    CheckedInData,
    ConfirmHold,
    CustomerRegistered,
    CustomerRegisteredData,
    GamePlayed,
    GamePlayedData,
    GrantPoints,
    GrantPointsData,
    HoldPoints,
    HoldPointsData,
    HoldRef,
    Incoming,
    OrderCancelled,
    OrderCompleted,
    OrderLine,
    OrderPaid,
    OrderPaidData,
    OrderRef,
    OrderRefunded,
    OrderRefundedData,
    ReleaseHold,
    ReviewPublished,
    ReviewPublishedData,
    ReviewRef,
    ReviewRemoved,
    ShareCompleted,
    ShareCompletedData,
)

AMOUNTS = st.sampled_from([60000, 10000, 5000, 950, 40, 0])
AHEAD_MS = st.sampled_from([0, 1, MINUTE_MS, 31 * MINUTE_MS, DAY_MS, 3 * DAY_MS, 30 * DAY_MS])
"""25 steps stay within the retention: what is forgotten is the subject of a law of its own."""
LATE_MS = st.sampled_from([0, 0, 0, 0, 5 * MINUTE_MS, 2 * DAY_MS, 35 * DAY_MS])
SHARES = st.sampled_from([(1, 1), (1, 1), (1, 2), (1, 3), (2, 1), (0, 1)])
"""How much of an order a refund is of: all, a part, more than there is, nothing."""


class Life(RuleBasedStateMachine):
    orders = Bundle("orders")
    holds = Bundle("holds")
    reviews = Bundle("reviews")

    @initialize(rules=any_rules())
    def start(self, rules):
        self.rules = rules = replace(rules, retention_ms=800 * DAY_MS)
        self.clock = START_MS
        self.number = 0
        self.watched = Watched(rules)
        self.events: list[PointEvent] = []
        self.sizes: dict[str, int] = {}
        self.sent: list[Incoming] = []

    def send(self, kind, data, ahead=0, late=0):
        self.clock += ahead
        self.number += 1
        fact = fact_of(kind, data, self.clock - late, self.number)
        self.take(fact)
        return fact

    def take(self, fact):
        at = calendar.to_ms(fact.time)
        if decide.too_old(at, self.clock, self.rules):
            return
        self.events += self.watched.settle(self.clock)
        if isinstance(fact, OrderRefunded) and refunds.excess(self.watched.account, fact.data) is not None:
            return  # the ledger sets it aside
        self.events += self.watched.apply(fact, self.clock)
        self.sent.append(fact)

    # -- orders ----------------------------------------------------------------------------------------

    @rule(
        target=orders,
        amounts=st.lists(AMOUNTS, min_size=1, max_size=3),
        discount=st.sampled_from([0, 0, 500, 60000]),
        hold_id=st.none() | holds,
        ahead=AHEAD_MS,
        late=LATE_MS,
    )
    def pay(self, amounts, discount, hold_id, ahead, late):
        order_id = f"o{self.number}"
        lines = tuple(
            OrderLine(line_id=f"l{place}", sku="tea", quantity=1, amount=amount)
            for place, amount in enumerate(amounts)
        )
        self.sizes[order_id] = max(sum(amounts) - discount, 0)
        data = OrderPaidData(
            order_id=order_id, currency="CNY", lines=lines, discount_amount=discount, hold_id=hold_id
        )
        self.send(OrderPaid, data, ahead, late)
        return order_id

    @rule(target=orders, share=SHARES, late=LATE_MS)
    def refund_an_order_that_is_to_come(self, share, late):
        """It is paid next, if its number is drawn next: the two then overtook each other."""
        order_id = f"o{self.number + 1}"
        self.refund(order_id, share, 0, late)
        return order_id

    @rule(order_id=orders, share=SHARES, ahead=AHEAD_MS, late=LATE_MS)
    def refund(self, order_id, share, ahead, late):
        amount = self.sizes.get(order_id, 10000) * share[0] // share[1]
        data = OrderRefundedData(order_id=order_id, refund_id=f"r{self.number}", amount=amount)
        self.send(OrderRefunded, data, ahead, late)

    @rule(order_id=orders, ahead=AHEAD_MS, late=LATE_MS)
    def cancel(self, order_id, ahead, late):
        self.send(OrderCancelled, OrderRef(order_id=order_id), ahead, late)

    @rule(order_id=orders, ahead=AHEAD_MS, late=LATE_MS)
    def complete(self, order_id, ahead, late):
        self.send(OrderCompleted, OrderRef(order_id=order_id), ahead, late)

    # -- holds -----------------------------------------------------------------------------------------

    @rule(target=holds, points=st.sampled_from([1, 10, 20, 50, 100, 300]), ahead=AHEAD_MS, late=LATE_MS)
    def hold(self, points, ahead, late):
        hold_id = f"h{self.number}"
        self.send(HoldPoints, HoldPointsData(hold_id=hold_id, points=points), ahead, late)
        return hold_id

    @rule(target=holds)
    def name_a_hold_that_is_to_come(self):
        return f"h{self.number + 1}"

    @rule(hold_id=holds, ahead=AHEAD_MS)
    def confirm(self, hold_id, ahead):
        self.send(ConfirmHold, HoldRef(hold_id=hold_id), ahead)

    @rule(hold_id=holds, ahead=AHEAD_MS)
    def release(self, hold_id, ahead):
        self.send(ReleaseHold, HoldRef(hold_id=hold_id), ahead)

    # -- all else --------------------------------------------------------------------------------------

    @rule(target=reviews, ahead=AHEAD_MS, late=LATE_MS)
    def review(self, ahead, late):
        review_id = f"v{self.number}"
        data = ReviewPublishedData(review_id=review_id, sku="tea", rating=5)
        self.send(ReviewPublished, data, ahead, late)
        return review_id

    @rule(review_id=reviews, ahead=AHEAD_MS)
    def remove_review(self, review_id, ahead):
        self.send(ReviewRemoved, ReviewRef(review_id=review_id), ahead)

    @rule(points=st.sampled_from([30, 5, -5, -200]), ahead=AHEAD_MS)
    def adjust(self, points, ahead):
        data = AdjustPointsData(
            adjustment_id=f"j{self.number}", points=points, reason="goodwill", operator="eve"
        )
        self.send(AdjustPoints, data, ahead)

    @rule(points=st.sampled_from([1, 40, 500]), ahead=AHEAD_MS, late=LATE_MS)
    def grant(self, points, ahead, late):
        data = GrantPointsData(grant_id=f"g{self.number}", points=points, reason="contest")
        self.send(GrantPoints, data, ahead, late)

    @rule(which=st.integers(0, 4), ahead=AHEAD_MS, late=LATE_MS)
    def trifle(self, which, ahead, late):
        name = f"t{self.number}"
        kind, data = [
            (CheckedIn, CheckedInData()),
            (ShareCompleted, ShareCompletedData(share_id=name, channel="wechat")),
            (GamePlayed, GamePlayedData(game_id="spin", play_id=name, score=100)),
            (ActivityAttended, ActivityAttendedData(activity_id="fair", attendance_id=name, mode="online")),
            (CustomerRegistered, CustomerRegisteredData()),
        ][which]
        self.send(kind, data, ahead, late)

    @rule(ahead=AHEAD_MS)
    def let_time_pass(self, ahead):
        self.clock += ahead
        self.events += self.watched.settle(self.clock)

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 30))
    def deliver_again(self, which):
        """The same event once more: nothing happens, whatever came in between."""
        fact = self.sent[which % len(self.sent)]
        if decide.too_old(calendar.to_ms(fact.time), self.clock, self.rules):
            return
        self.events += self.watched.settle(self.clock)
        before = deepcopy(self.watched.account)
        assert decide.apply(self.watched.account, fact, self.rules, self.clock) == []
        assert self.watched.account == before

    # -- what must be true at the end ------------------------------------------------------------------

    def teardown(self):
        if not hasattr(self, "events"):
            return
        self.orders_that_are_gone_gave_everything_back()
        self.replay_is_what_was_lived()

    def orders_that_are_gone_gave_everything_back(self):
        """However many refunds there were: what a grant of the order gave is revoked to the point, what was spent on
        it is restored to the point."""
        gone = set()
        for order_id in self.sizes:
            order = orders.find(self.watched.account, order_id)
            if order is not None and (order.cancelled or (order.net_amount and order.left_amount == 0)):
                gone.add(order_id)
        granted, revoked, spent, restored = Counter(), Counter(), Counter(), Counter()
        order_of = {}
        for event in self.events:
            match event.data:
                case PointGranted(order_id=str(order_id), grant_id=grant_id, points=points):
                    granted[grant_id] += points
                    order_of[grant_id] = order_id
                case PointRevoked(revokes=revokes):
                    for each in revokes:
                        revoked[each.grant_id] += each.points
                case PointRedeemed(order_id=str(order_id), points=points):
                    spent[order_id] += points
                case PointRestored(order_id=str(order_id), points=points):
                    restored[order_id] += points
        for grant_id, points in granted.items():
            assert 0 <= revoked[grant_id] <= points
            if order_of[grant_id] in gone:
                assert revoked[grant_id] == points
        for order_id, points in restored.items():
            assert points <= spent[order_id] or order_id not in gone
        for order_id in gone & spent.keys():
            assert restored[order_id] >= spent[order_id]

    def replay_is_what_was_lived(self):
        """From the start, the events lead to the same account."""
        replayed = Account()
        for event in self.events:
            evolve.fold(replayed, event)
        assert replayed == self.watched.account


TestLife = Life.TestCase
TestLife.settings = settings(LAWS, stateful_step_count=25)

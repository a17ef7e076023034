"""Refunds and cancellations: what goes back of an order's grants, what comes back of the points spent on it."""

from fractions import Fraction

import pytest
from given import (
    PLAIN,
    PURCHASE,
    RULES,
    Customer,
    brief,
    cancellation,
    completion,
    data,
    hold_points,
    ms,
    order_paid,
    refund,
    registered,
    review,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty_stream.domain import orders, refunds
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import PointExpired, PointRestored, PointRevoked, Revoked, Taken
from loyalty_stream.domain.rules import Expiry, Period, PurchaseRule, Refunds, Threshold

BARE = replace(PLAIN, purchase=(replace(PURCHASE, thresholds=()),))
"""A point a yuan and nothing else."""
CLAMP = Refunds(shortfall="clamp")
EXTEND = Refunds(restore_expired="extend", extend_by=Period("P30D", days=30))


def spent_on(customer: Customer, order_id: str, points: int, goods: int = 40000, at: str = "2026-02-01"):
    """Spend points on an order of that many goods before them."""
    customer.when(hold_points(f"h-{order_id}", f"{at} 10:00", points))
    return customer.when(order_paid(order_id, f"{at} 10:01", goods, hold_id=f"h-{order_id}"))


def said(events) -> list[tuple[str, int]]:
    return [(kind.removeprefix("point-"), points) for kind, points in brief(events)]


# -- the grants of the order ----------------------------------------------------------------------------


def test_the_worked_example_of_the_rules():
    """Earned 150, spent 100, refunded: 50 are taken, 100 owed; of the next 130, 30 are left to spend."""
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 15000))
    spent_on(customer, "o-2", 100, 100)
    (revoked,) = data(customer.when(refund("r-1", "2026-02-02 10:00", "o-1", 15000)))
    assert isinstance(revoked, PointRevoked)
    assert (revoked.points, revoked.shortfall, revoked.owed) == (50, 100, 100)
    assert (revoked.reason, revoked.order_id) == ("refund", "o-1")
    assert customer.balance == (0, 0, 100)
    made = customer.when(order_paid("o-3", "2026-02-03 10:00", 13000))
    assert said(made) == [("granted", 130), ("revoked", 100)]
    assert made[1].data.reason == "debt_repaid"
    assert customer.balance == (30, 0, 0)
    account = customer.account
    assert (account.granted, account.redeemed, account.revoked) == (280, 100, 150)


def test_with_clamp_what_is_missing_is_let_go():
    customer = Customer(replace(BARE, refunds=CLAMP))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 15000))
    spent_on(customer, "o-2", 100, 100)
    (revoked,) = data(customer.when(refund("r-1", "2026-02-02 10:00", "o-1", 15000)))
    assert (revoked.points, revoked.shortfall, revoked.owed) == (50, 100, 0)
    assert said(customer.when(order_paid("o-3", "2026-02-03 10:00", 13000))) == [("granted", 130)]
    assert customer.balance == (130, 0, 0)


@pytest.mark.parametrize(
    ("rounding", "granted", "after"),
    [  # 190.50 yuan, refunded in parts of 63.50
        ("floor", 190, [127, 63, 0]),
        ("half_up", 191, [127, 64, 0]),
        ("ceil", 191, [127, 64, 0]),
    ],
)
def test_what_stays_is_the_exact_fraction_rounded_as_the_grant_was(rounding, granted, after):
    customer = Customer(replace(PLAIN, purchase=(PurchaseRule("base", Fraction(1), 100, rounding=rounding),)))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 19050))
    assert customer.balance == (granted, 0, 0)
    for number, left in enumerate(after):
        customer.when(refund(f"r-{number}", "2026-01-16 10:00", "o-1", 6350))
        assert customer.balance == (left, 0, 0)


def test_a_refund_counts_only_where_the_rule_does():
    """Food gives two points a yuan, everything one: a refund by line takes of each what it is about."""
    rules = replace(
        PLAIN,
        purchase=(
            PurchaseRule("base", Fraction(1), 100),
            PurchaseRule("food", Fraction(2), 100, include_categories=frozenset({"food"})),
        ),
    )
    customer = Customer(rules)
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", [("tea", 3000), ("cup", 7000)], categories={"tea": "food"})
    )
    assert customer.balance == (100 + 60, 0, 0)
    (cups,) = data(customer.when(refund("r-1", "2026-01-16 10:00", "o-1", lines={"l2": 7000})))
    assert cups.points == 70
    (tea,) = data(customer.when(refund("r-2", "2026-01-16 11:00", "o-1", lines={"l1": 1000})))
    assert [(part.points) for part in tea.revokes] == [10, 20]
    (rest,) = data(customer.when(refund("r-3", "2026-01-16 12:00", "o-1", 2000)))
    assert [(part.points) for part in rest.revokes] == [20, 40]
    assert customer.balance == (0, 0, 0)


def test_a_refund_without_lines_is_spread_over_what_is_left_of_them():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", [("tea", 3000), ("cup", 6000), ("jar", 1)]))
    customer.when(refund("r-1", "2026-01-16 10:00", "o-1", lines={"l1": 1500}))
    customer.when(refund("r-2", "2026-01-16 11:00", "o-1", 2500))
    order = orders.find(customer.account, "o-1")
    assert [line.refunded for line in order.lines] == [1500 + 500, 2000, 0]


@pytest.mark.parametrize(
    ("refunded", "left"),
    [  # 600 and 150 from 1000.00 on; then 50 from 500.00 on; then none
        (0, 1200 + 150),
        (20000, 1000 + 150),
        (20100, 999 + 50),
        (70000, 500 + 50),
        (70001, 499),
        (120000, 0),
    ],
)
def test_the_threshold_bonus_is_worked_out_again_on_what_remains(refunded, left):
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 120000))
    customer.when(refund("r-1", "2026-01-16 10:00", "o-1", refunded))
    assert customer.balance == (left, 0, 0)


def test_thresholds_that_add_up_go_back_one_after_the_other():
    rule = replace(PURCHASE, threshold_mode="all", thresholds=(Threshold(5000, 5), Threshold(10000, 20)))
    customer = Customer(replace(PLAIN, purchase=(rule,)))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert customer.balance == (125, 0, 0)
    customer.when(refund("r-1", "2026-01-16 10:00", "o-1", 1000))
    assert customer.balance == (95, 0, 0)
    customer.when(refund("r-2", "2026-01-16 10:00", "o-1", 4001))
    assert customer.balance == (49, 0, 0)


def test_a_gross_base_shrinks_with_the_net_that_was_paid():
    """100.00 less 40.00 gave 100 points by gross; half of the 60.00 paid back takes half."""
    customer = Customer(replace(PLAIN, purchase=(PurchaseRule("base", Fraction(1), 100, basis="gross"),)))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000, discount=4000))
    assert customer.balance == (100, 0, 0)
    customer.when(refund("r-1", "2026-01-16 10:00", "o-1", 3000))
    assert customer.balance == (50, 0, 0)
    customer.when(refund("r-2", "2026-01-16 10:00", "o-1", 3000))
    assert customer.balance == (0, 0, 0)


def test_of_an_order_without_net_goods_only_a_cancellation_takes_anything():
    gross = replace(PLAIN, purchase=(PurchaseRule("base", Fraction(1), 100, basis="gross"),))
    customer = Customer(gross)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000, discount=10000))
    assert said(customer.when(refund("r-1", "2026-01-16 10:00", "o-1", 0))) == [("account-noted", 0)]
    assert customer.balance == (100, 0, 0)
    assert said(customer.when(cancellation("c-1", "2026-01-17 10:00", "o-1"))) == [("revoked", 100)]


def test_all_grants_of_an_order_go_back_in_one_event_pinned_to_each():
    customer = Customer(RULES)
    granted = customer.when(order_paid("o-1", "2026-01-15 10:00", 60000))
    assert said(granted) == [("granted", 600), ("granted", 50), ("granted", 50)]
    (revoked,) = data(customer.when(cancellation("c-1", "2026-01-16 10:00", "o-1")))
    assert (revoked.points, revoked.reason) == (700, "cancellation")
    assert revoked.revokes == tuple(
        Revoked(event.id, event.data.points, granted[0].time) for event in granted
    )
    assert customer.balance == (0, 0, 0)


def test_points_are_taken_from_the_orders_own_lots_first_then_in_spending_order():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), order_paid("o-2", "2026-01-20 10:00", 10000))
    customer.when(order_paid("o-3", "2026-01-25 10:00", 10000))
    first, second, third = (lot.grant_id for lot in customer.account.lots)
    (revoked,) = data(customer.when(refund("r-1", "2026-02-02 10:00", "o-2", 4000)))
    assert revoked.grants == (Taken(second, 40),)
    spent_on(
        customer, "o-4", 200, 200, "2026-02-03"
    )  # takes the first, the rest of the second, some of the third
    (revoked,) = data(customer.when(refund("r-2", "2026-02-04 10:00", "o-2", 6000)))
    assert (revoked.grants, revoked.shortfall) == ((Taken(third, 60),), 0)
    assert first not in {lot.grant_id for lot in customer.account.lots}


def test_held_points_are_not_taken():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 15000), hold_points("h-1", "2026-01-15 11:00", 100))
    (revoked,) = data(customer.when(cancellation("c-1", "2026-01-15 11:05", "o-1")))
    assert (revoked.points, revoked.shortfall) == (50, 100)
    assert customer.balance == (0, 100, 100)
    assert said(customer.clock("2026-01-15 12:00")) == [("released", 100), ("revoked", 100)]
    assert customer.balance == (0, 0, 0)


# -- repeats, and what cannot be ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (
            refund("r-1", "2026-01-16 10:00", "o-1", 4000),
            refund("e-2", "2026-01-17 10:00", "o-1", 4000, refund_id="r-1"),
        ),
        (cancellation("c-1", "2026-01-16 10:00", "o-1"), cancellation("e-2", "2026-01-17 10:00", "o-1")),
        (completion("k-1", "2026-01-16 10:00", "o-1"), completion("e-2", "2026-01-17 10:00", "o-1")),
    ],
)
def test_a_repeat_under_a_new_event_changes_nothing(first, again):
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), first)
    balance = customer.balance
    made = customer.when(again)
    assert [event.data.kind for event in made] == ["key"]
    assert customer.balance == balance
    assert customer.when(again) == []


def account_with_order() -> Account:
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", [("tea", 3000), ("cup", 7000)]))
    customer.when(refund("r-1", "2026-01-16 10:00", "o-1", lines={"l1": 1000}))
    return customer.account


@pytest.mark.parametrize(
    ("fact", "why"),
    [
        (refund("r-2", "2026-01-17", "o-1", 9000), None),
        (refund("r-2", "2026-01-17", "o-1", 9001), "9001 refunded, 9000 of order o-1 is left"),
        (refund("r-2", "2026-01-17", "o-1", lines={"l1": 2000, "l2": 7000}), None),
        (refund("r-2", "2026-01-17", "o-1", lines={"l1": 2001}), "2001 refunded of line l1, 2000 of it"),
        (refund("r-2", "2026-01-17", "o-1", lines={"l3": 1}), "1 refunded of line l3, 0 of it is left"),
        (refund("r-2", "2026-01-17", "o-1", 900, lines={"l1": 901}), "together 901, where `amount` says 900"),
        (refund("e-2", "2026-01-17", "o-1", 99999, refund_id="r-1"), None),  # known: it changes nothing
        (refund("r-2", "2026-01-17", "o-9", 99999), None),  # it waits for its payment
        (refund("r-2", "2026-01-17", "o-9", 900, lines={"l1": 901}), "together 901"),
    ],
)
def test_a_refund_beyond_what_is_left_is_told(fact, why):
    told = refunds.excess(account_with_order(), fact.data)
    assert (told is None) == (why is None)
    assert (why or "") in (told or "")


def test_a_refund_that_comes_to_the_decider_in_excess_is_dropped_with_its_text():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    (made,) = data(customer.when(refund("r-1", "2026-01-16 10:00", "o-1", 10001)))
    assert (made.kind, made.note.order_id) == ("dropped", "o-1")
    assert '"refund_id":"r-1"' in made.note.event
    assert customer.balance == (100, 0, 0)


def test_after_a_cancellation_nothing_is_left_to_refund():
    customer = Customer(BARE)
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", 10000), cancellation("c-1", "2026-01-16 10:00", "o-1")
    )
    assert refunds.excess(customer.account, refund("r-1", "2026-01-17", "o-1", 1).data) is not None


def test_lines_that_share_an_id_are_refunded_one_after_the_other():
    customer = Customer(BARE)
    paid = order_paid("o-1", "2026-01-15 10:00", [("tea", 3000), ("cup", 7000)])
    lines = tuple(replace(line, line_id="same") for line in paid.data.lines)
    customer.when(replace(paid, data=replace(paid.data, lines=lines)))
    customer.when(refund("r-1", "2026-01-16 10:00", "o-1", lines={"same": 4000}))
    assert [line.refunded for line in orders.find(customer.account, "o-1").lines] == [3000, 1000]


@given(
    st.lists(st.integers(0, 4000), min_size=1, max_size=4).filter(any),
    st.lists(st.integers(0, 4000), max_size=6),
    st.sampled_from(["floor", "half_up", "ceil"]),
    st.fractions(min_value=Fraction(1, 7), max_value=3, max_denominator=9),
    st.integers(0, 3000),
)
def test_partial_refunds_add_up_to_the_whole(amounts, parts, rounding, points, discount):
    rule = replace(
        PURCHASE, points=points, rounding=rounding, thresholds=(Threshold(3000, 7), Threshold(6000, 20))
    )
    whole = Customer(replace(RULES, purchase=(rule,), registration_points=0))
    in_parts = Customer(whole.rules)
    lines = [(f"sku-{number}", amount) for number, amount in enumerate(amounts)]
    paid = order_paid("o-1", "2026-01-15 10:00", lines, discount=discount)
    for customer in (whole, in_parts):
        customer.when(paid)
    whole.when(cancellation("c-1", "2026-01-20 10:00", "o-1"))
    for number, part in enumerate(parts):
        left = orders.find(in_parts.account, "o-1").left_amount
        in_parts.when(refund(f"r-{number}", "2026-01-16 10:00", "o-1", min(part, left)))
    in_parts.when(cancellation("c-1", "2026-01-20 10:00", "o-1"))
    assert in_parts.account.revoked == whole.account.revoked == whole.account.granted
    assert in_parts.balance == whole.balance == (0, 0, 0)


# -- points that were spent on the order ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("amounts", "restored"),
    [  # 300 points paid 3.00 of 400.00; the net is 397.00
        ([39700], [300]),
        ([19850, 19850], [150, 150]),
        ([100, 100, 39500], [0, 1, 299]),
    ],
)
def test_spent_points_come_back_in_proportion_and_before_points_are_taken(amounts, restored):
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 30000))
    spent_on(customer, "o-2", 300)
    for number, (amount, points) in enumerate(zip(amounts, restored, strict=True)):
        made = customer.when(refund(f"r-{number}", "2026-02-02 10:00", "o-2", amount))
        kinds = ["point-restored"] * bool(points) + ["point-revoked"]
        assert [event.type for event in made] == kinds
        assert sum(event.data.points for event in made if isinstance(event.data, PointRestored)) == points
    assert customer.balance == (300, 0, 0)
    assert customer.account.restored == 300


def test_spent_points_come_back_to_their_lots_with_their_dates():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), order_paid("o-2", "2026-01-20 10:00", 10000))
    before = [(lot.grant_id, lot.points, lot.earned_at, lot.expires_at) for lot in customer.account.lots]
    spent_on(customer, "o-3", 200, 200)
    assert customer.account.lots == []
    customer.when(cancellation("c-1", "2026-02-02 10:00", "o-3"))
    assert [
        (lot.grant_id, lot.points, lot.earned_at, lot.expires_at) for lot in customer.account.lots
    ] == before


def test_of_several_lots_what_expires_last_comes_back_first():
    """What remains spent is what a smaller spending would have taken."""
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), order_paid("o-2", "2026-01-20 10:00", 10000))
    first, second = (lot.grant_id for lot in customer.account.lots)
    spent_on(customer, "o-3", 200, 400)  # net 2.00
    (restored, _) = data(customer.when(refund("r-1", "2026-02-02 10:00", "o-3", 150)))
    assert [(part.grant_id, part.points) for part in restored.grants] == [(second, 100), (first, 50)]


def test_an_order_paid_with_points_alone_gives_them_back_only_when_it_is_cancelled():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    spent_on(customer, "o-2", 100, 100)
    customer.when(refund("r-1", "2026-02-02 10:00", "o-2", 0))
    assert customer.balance == (0, 0, 0)
    assert said(customer.when(cancellation("c-1", "2026-02-03 10:00", "o-2"))) == [("restored", 100)]
    assert customer.balance == (100, 0, 0)


def test_points_that_come_back_after_their_date_expire_in_the_same_moment():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), order_paid("o-2", "2026-12-15 10:00", 10000))
    spent_on(customer, "o-3", 200, 30000, "2026-12-20")
    made = customer.when(cancellation("c-1", "2027-02-01 10:00", "o-3"))
    assert said(made) == [("restored", 200), ("expired", 100), ("revoked", 298)]
    assert made[2].data.shortfall == 0
    expired = made[1]
    assert isinstance(expired.data, PointExpired)
    assert expired.time == made[0].time
    assert expired.data.cause.source == "loyalty-stream"
    assert customer.balance == (100, 0, 0)
    assert [event.id.partition(".")[2] for event in (made[0], made[2])] == ["0", "1"]


def test_or_they_live_on_for_a_while():
    customer = Customer(replace(BARE, refunds=EXTEND))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    spent_on(customer, "o-2", 100, 100, "2026-12-20")
    made = customer.when(cancellation("c-1", "2027-02-01 10:00", "o-2"))
    # The notice of seven days is still to come; that of thirty begins where the points begin to live again.
    assert said(made) == [("restored", 100), ("expiring", 100)]
    assert made[1].time == made[0].time
    (lot,) = customer.account.lots
    assert lot.expires_at == ms("2027-03-03 10:00")
    assert said(customer.clock("2027-03-03 09:00")) == [("expiring", 100)]
    assert said(customer.clock("2027-03-03 10:00")) == [("expired", 100)]


def test_points_of_a_grant_can_expire_again_and_again_each_under_its_own_id():
    rules = replace(BARE, refunds=EXTEND, expiry=Expiry("rolling", Period("P1M", months=1), "none"))
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 30000))
    spent_on(customer, "o-2", 100, 100)
    spent_on(customer, "o-3", 100, 100, "2026-02-02")
    customer.clock("2026-03-01 10:00")
    customer.when(cancellation("c-1", "2026-03-02 10:00", "o-2"))
    customer.clock("2026-04-05 10:00")
    customer.when(cancellation("c-2", "2026-04-06 10:00", "o-3"))
    customer.clock("2026-06-05 10:00")
    expired = [event for event in customer.events if isinstance(event.data, PointExpired)]
    assert [event.data.points for event in expired] == [100, 100, 100]
    assert len({event.id for event in expired}) == len({event.data.grant_id for event in expired}) * 3


def test_points_that_come_back_repay_debt_before_they_can_be_spent():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 15000))
    spent_on(customer, "o-2", 100, 100)
    customer.when(cancellation("c-1", "2026-02-02 10:00", "o-1"))
    assert customer.balance == (0, 0, 100)
    made = customer.when(cancellation("c-2", "2026-02-03 10:00", "o-2"))
    assert said(made) == [("restored", 100), ("revoked", 100)]
    assert made[1].data.reason == "debt_repaid"
    assert customer.balance == (0, 0, 0)


# -- the first purchase ---------------------------------------------------------------------------------

FIRST = replace(BARE, first_purchase_points=50)


def test_the_first_purchase_passes_to_the_earliest_other_order_that_stands():
    customer = Customer(FIRST)
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", 10000),
        order_paid("o-2", "2026-01-17 10:00", 20000),
        order_paid("o-3", "2026-01-16 10:00", 30000),  # arrives later, was paid earlier
        order_paid("o-4", "2026-01-14 10:00", 100, discount=100),  # paid nothing
    )
    made = customer.when(cancellation("c-1", "2026-01-18 10:00", "o-1"))
    assert said(made) == [("revoked", 150), ("granted", 50)]
    assert made[1].data.reason == "first purchase"
    assert orders.find(customer.account, "o-3").first
    assert customer.balance == (550, 0, 0)
    made = customer.when(refund("r-1", "2026-01-19 10:00", "o-3", 30000))
    assert said(made) == [("revoked", 350), ("granted", 50)]
    assert made[0].data.revokes[1].earned_at == customer.events[-3].time  # of the passing, not of the order
    assert orders.find(customer.account, "o-2").first


def test_or_to_the_next_one():
    customer = Customer(FIRST)
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", 10000), cancellation("c-1", "2026-01-18 10:00", "o-1")
    )
    assert customer.account.first_order == ""
    made = customer.when(order_paid("o-2", "2026-01-19 10:00", 10000))
    assert said(made) == [("granted", 100), ("granted", 50)]


def test_a_partial_refund_leaves_the_first_purchase_where_it_is():
    customer = Customer(FIRST)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), order_paid("o-2", "2026-01-16 10:00", 10000))
    assert said(customer.when(refund("r-1", "2026-01-18 10:00", "o-1", 9999))) == [("revoked", 100)]
    assert orders.find(customer.account, "o-1").first


def test_who_is_first_is_remembered_even_where_that_is_worth_nothing():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), order_paid("o-2", "2026-01-16 10:00", 10000))
    customer.when(cancellation("c-1", "2026-01-18 10:00", "o-1"))
    assert orders.find(customer.account, "o-2").first
    customer.rules = FIRST
    assert said(customer.when(order_paid("o-3", "2026-01-19 10:00", 10000))) == [("granted", 100)]


def test_other_grants_are_none_of_an_orders_business():
    customer = Customer(RULES)
    customer.when(
        registered("x-1", "2026-01-10 10:00"),
        order_paid("o-1", "2026-01-15 10:00", 10000),
        review("v-1", "2026-01-16 10:00", order_id="o-1"),
        cancellation("c-1", "2026-01-18 10:00", "o-1"),
    )
    assert customer.balance == (110, 0, 0)

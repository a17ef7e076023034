"""What refunds take back of campaigns: awards that the spend no longer reaches (DOMAIN.md, Campaigns)."""

from fractions import Fraction

import pytest

from loyalty_stream.domain import orders
from loyalty_stream.domain.events import PointGranted, PointRevoked
from loyalty_stream.domain.notes import AskNote, AwardWithdrawnNote, ReturnNote
from loyalty_stream.domain.rules import Award, Draw
from tests.domain.given import Customer, cancellation, order_paid, refund
from tests.domain.given_campaigns import campaign, with_campaigns
from tests.domain.given_rewards import MALL, answer, cancel

IN = "2026-03-02 10:00"
LATER = "2026-03-20 10:00"
TEA = frozenset({"tea-01", "tea-02"})
MINIMUM = 20000


def revoked(events, grant_of="campaign:c"):
    """Points revoked of the campaign's grants, with the reason, in the order of the events."""
    return [
        (event.data.reason, sum(each.points for each in event.data.revokes if each.campaign_id))
        for event in events
        if isinstance(event.data, PointRevoked) and any(each.campaign_id for each in event.data.revokes)
    ]


def withdrawn(events):
    return [event.data.note for event in events if isinstance(event.data.note, AwardWithdrawnNote)]


def left_of_campaign(customer):
    granted = sum(
        e.data.points for e in customer.events if isinstance(e.data, PointGranted) and e.data.campaign_id
    )
    return granted - sum(points for _, points in revoked(customer.events))


# -- in one order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refunds", "taken", "awards"),
    [
        ([10000], [], 1),  # 200.00 of 300.00 is left: reached still
        ([10001], [("refund", 300)], 0),
        ([5000, 5000, 1, 19999], [("refund", 300)], 0),  # once
    ],
)
def test_an_award_for_one_order_goes_when_what_remains_no_longer_reaches_it(refunds, taken, awards):
    customer = Customer(with_campaigns(campaign("c", minimum_amount=MINIMUM, per_customer_limit=1)))
    customer.when(order_paid("o-1", IN, 30000))
    made = [
        e for n, amount in enumerate(refunds) for e in customer.when(refund(f"r-{n}", LATER, "o-1", amount))
    ]
    assert revoked(made) == taken
    assert customer.account.campaigns["c"].awards == awards


def test_an_award_that_is_gone_no_longer_counts_against_the_limit():
    customer = Customer(with_campaigns(campaign("c", minimum_amount=MINIMUM, per_customer_limit=1)))
    customer.when(order_paid("o-1", IN, 30000), cancellation("x-1", IN, "o-1"), order_paid("o-2", IN, 30000))
    assert left_of_campaign(customer) == 300
    assert customer.account.campaigns["c"].awards == 1


def test_only_what_is_refunded_of_the_included_goods_counts():
    customer = Customer(with_campaigns(campaign("c", minimum_amount=MINIMUM, include_skus=TEA)))
    customer.when(order_paid("o-1", IN, [("tea-01", 20000), ("milk", 20000)]))
    made = customer.when(refund("r-1", LATER, "o-1", 20000, lines={"l2": 20000}))
    assert revoked(made) == []
    assert revoked(customer.when(refund("r-2", LATER, "o-1", 1, lines={"l1": 1}))) == [("refund", 300)]


def test_an_award_without_a_minimum_is_gone_with_its_order():
    customer = Customer(with_campaigns(campaign("c")))
    customer.when(order_paid("o-1", IN, 30000), refund("r-1", LATER, "o-1", 29999))
    assert left_of_campaign(customer) == 300
    customer.when(refund("r-2", LATER, "o-1", 1))
    assert left_of_campaign(customer) == 0


def test_multiplied_points_shrink_in_proportion_and_partial_refunds_add_up():
    customer = Customer(with_campaigns(campaign("c", award=Award(multiplier=Fraction("1.5")))))
    customer.when(order_paid("o-1", IN, 10001))
    taken = [
        sum(p for _, p in revoked(customer.when(refund(f"r-{n}", LATER, "o-1", 3333)))) for n in range(3)
    ]
    # 150.015 of which the rules give 100: 50, of an extra fraction of 50.005
    assert taken == [17, 17, 16]
    customer.when(refund("r-9", LATER, "o-1", 2))
    assert left_of_campaign(customer) == 0
    assert customer.account.campaigns["c"].awards == 0


def test_a_refund_of_goods_that_a_multiplier_does_not_count_takes_nothing_of_it():
    """109.50 and 100.00 in one order: what the multiplier adds, 10, is more than its extra fraction of 9.5."""
    doubled = campaign("c", award=Award(multiplier=Fraction(2)), include_skus=frozenset({"tea-01"}))
    customer = Customer(with_campaigns(doubled))
    customer.when(order_paid("o-1", IN, [("milk", 10000), ("tea-01", 950)]))
    assert left_of_campaign(customer) == 10
    assert revoked(customer.when(refund("r-1", LATER, "o-1", 100, lines={"l1": 100}))) == []
    assert left_of_campaign(customer) == 10


# -- over the window ------------------------------------------------------------------------------------


def accumulating(**more):
    return with_campaigns(campaign("c", accumulate=True, minimum_amount=MINIMUM, **more))


@pytest.mark.parametrize(
    ("orders", "steps", "left", "awards"),
    [
        # The spend stays above what the award needs, whichever order it came with.
        ([15000, 15000, 15000], [("o-1", 5000)], 600, 2),
        ([15000, 15000, 15000], [("o-1", 5001)], 300, 1),
        ([15000, 15000, 15000], [("o-1", 15000), ("o-2", 10001)], 0, 0),
        ([50000], [("o-0", 10000)], 600, 2),
        ([50000], [("o-0", 10001)], 300, 1),
        ([50000], [("o-0", 30001)], 0, 0),
        ([50000], [("o-0", None)], 0, 0),
    ],
)
def test_the_latest_awards_go_when_the_spend_over_the_window_falls(orders, steps, left, awards):
    customer = Customer(accumulating())
    customer.when(*[order_paid(f"o-{n}", IN, amount) for n, amount in enumerate(orders)])
    for n, (order_id, amount) in enumerate(steps):
        if amount is None:
            customer.when(cancellation(f"x-{n}", LATER, order_id))
        else:
            customer.when(refund(f"r-{n}", LATER, order_id, amount))
    assert (left_of_campaign(customer), customer.account.campaigns["c"].awards) == (left, awards)
    assert {reason for reason, _ in revoked(customer.events)} <= {"campaign"}


def test_the_award_of_another_order_is_pinned_by_that_orders_id():
    customer = Customer(accumulating())
    customer.when(order_paid("o-1", IN, 15000), order_paid("o-2", IN, 5000))
    made = customer.when(refund("r-1", LATER, "o-1", 1))
    assert withdrawn(made) == [AwardWithdrawnNote("c", "o-2", 1)]
    (event,) = [e.data for e in made if isinstance(e.data, PointRevoked) and e.data.reason == "campaign"]
    assert (event.order_id, event.campaign_id, event.points) == ("o-2", "c", 300)
    assert customer.when(refund("r-2", LATER, "o-1", 1)) != []
    assert left_of_campaign(customer) == 0


@pytest.mark.parametrize("later", ["2026-03-02 10:01", "2026-03-07 10:00"])
def test_the_award_of_the_order_that_was_paid_last_goes_whichever_was_heard_of_last(later):
    late, last = order_paid("o-late", IN, MINIMUM), order_paid("o-last", later, MINIMUM)
    taken = set()
    for heard in ([late, last], [last, late]):
        customer = Customer(accumulating())
        customer.when(*heard)
        (note,) = withdrawn(customer.when(refund("r-1", LATER, "o-late", 1)))
        taken.add(note.order_id)
    assert taken == {"o-last"}


def test_spend_that_rises_again_is_awarded_again():
    customer = Customer(accumulating(per_customer_limit=1))
    customer.when(
        order_paid("o-1", IN, 20000), refund("r-1", IN, "o-1", 1), order_paid("o-2", "2026-03-03 10:00", 1)
    )
    assert left_of_campaign(customer) == 300


def test_an_award_stays_while_other_spend_reaches_it_even_when_its_own_order_is_cancelled():
    customer = Customer(accumulating(per_customer_limit=1))
    customer.when(order_paid("o-1", IN, 20000), order_paid("o-2", IN, 20000), cancellation("x-1", IN, "o-1"))
    assert left_of_campaign(customer) == 300


def test_points_that_were_spent_are_owed():
    customer = Customer(accumulating())
    customer.when(order_paid("o-1", IN, 20000))
    customer.when(order_paid("o-2", LATER, 30000))  # outside: 300 points of the rules
    customer.when(cancellation("x-2", LATER, "o-2"))
    assert customer.account.available == 500
    customer.when(cancellation("x-1", LATER, "o-1"))
    assert (customer.account.available, customer.account.debt) == (0, 0)


# -- entries and gifts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulate", [True, False])
def test_entries_are_withdrawn_while_the_draw_is_open(accumulate):
    award = Award(draw_entries=2)
    one = campaign("c", award=award, minimum_amount=MINIMUM, accumulate=accumulate, draw=Draw())
    for at, gone in ((IN, True), (LATER, False)):
        customer = Customer(with_campaigns(one))
        customer.when(order_paid("o-1", IN, 20000))
        notes = withdrawn(customer.when(refund("r-1", at, "o-1", 1)))
        stem = orders.find(customer.account, "o-1").stem
        entered = (f"{stem}.c.1", f"{stem}.c.2")
        assert notes == ([AwardWithdrawnNote("c", "o-1", 1, 2, entered)] if gone else [])
        assert customer.account.campaigns["c"].awards == (0 if gone else 1)
        assert withdrawn(customer.when(refund("r-2", at, "o-1", 1))) == []


def test_a_refund_of_nothing_takes_nothing_of_an_order_that_was_free_from_the_start():
    free = campaign("c", award=Award(draw_entries=1), draw=Draw())
    customer = Customer(with_campaigns(free))
    customer.when(order_paid("o-1", IN, 6000, discount=6000))
    assert withdrawn(customer.when(refund("r-1", IN, "o-1", 0))) == []
    assert [note.awards for note in withdrawn(customer.when(cancellation("x-1", IN, "o-1")))] == [1]


def test_while_the_budget_has_not_answered_no_more_awards_go_than_the_spend_lost():
    """Four awards came with the first order and two with the second, which alone is cancelled."""
    customer = Customer(
        with_campaigns(campaign("c", accumulate=True, minimum_amount=5000, budget_points=4000))
    )
    customer.when(order_paid("o-1", IN, 20500), order_paid("o-2", IN, 10000))
    made = customer.when(cancellation("x-1", LATER, "o-2"))
    assert [(note.order_id, note.awards) for note in withdrawn(made)] == [("o-2", 2)]
    assert customer.account.campaigns["c"].awards == 4


# -- gifts whose stock has not answered -----------------------------------------------------------------


def asked_of(events):
    """Each request for a gift: its id, how many, and the event that told of it."""
    return [
        (event.data.note.request_id, event.data.note.quantity, event)
        for event in events
        if isinstance(event.data.note, AskNote)
    ]


def returned(events):
    return [event.data.note.request_id for event in events if isinstance(event.data.note, ReturnNote)]


def issued(customer):
    return [event.data.quantity for event in customer.events if event.type == "reward-issued"]


def of_gifts(**more):
    return with_campaigns(campaign("c", award=Award(gift="tea-cup"), minimum_amount=5000, **more), rules=MALL)


@pytest.mark.parametrize("accumulate", [True, False])
@pytest.mark.parametrize("undo", [cancellation("x-1", IN, "o-1"), refund("x-1", IN, "o-1", 1)])
def test_a_gift_that_is_waited_for_goes_back_to_stock_with_its_order(accumulate, undo):
    customer = Customer(of_gifts(accumulate=accumulate, per_customer_limit=1))
    ((request_id, _, asking),) = asked_of(customer.when(order_paid("o-1", IN, 5000)))
    made = customer.when(undo)
    assert withdrawn(made) == [AwardWithdrawnNote("c", "o-1", 1)]
    assert returned(made) == [request_id]
    assert customer.account.campaigns["c"].awards == 0
    assert customer.when(answer([asking], 1)) == []  # late: the owner has it back already, or will
    assert issued(customer) == []
    assert len(asked_of(customer.when(order_paid("o-2", IN, 5000)))) == 1  # the limit is free again


def test_a_gift_that_was_given_stays_with_the_customer_and_counts():
    customer = Customer(of_gifts(per_customer_limit=1))
    ((_, _, asking),) = asked_of(customer.when(order_paid("o-1", IN, 5000)))
    customer.when(answer([asking], 1))
    made = customer.when(cancellation("x-1", IN, "o-1"))
    assert (withdrawn(made), returned(made), issued(customer)) == ([], [], [1])
    assert asked_of(customer.when(order_paid("o-2", IN, 5000))) == []


def test_of_several_gifts_that_are_waited_for_those_that_stay_are_asked_for_anew():
    customer = Customer(of_gifts(accumulate=True))
    ((first, quantity, _),) = asked_of(customer.when(order_paid("o-1", IN, 15000)))
    assert quantity == 3
    made = customer.when(refund("r-1", IN, "o-1", 1))
    assert returned(made) == [first]
    ((second, quantity, asking),) = asked_of(made)
    assert (quantity, customer.account.campaigns["c"].awards) == (2, 2)
    made = customer.when(refund("r-2", IN, "o-1", 5000))
    assert returned(made) == [second]
    ((_, quantity, asking),) = asked_of(made)
    customer.when(answer([asking], 1))
    assert (quantity, issued(customer), customer.account.campaigns["c"].awards) == (1, [1], 1)


def test_of_spend_over_the_window_the_latest_gift_goes_that_is_still_waited_for():
    """The latest is given already: it stays, and the one before it, which is not, goes instead."""
    customer = Customer(of_gifts(accumulate=True))
    ((first, _, _),) = asked_of(customer.when(order_paid("o-1", IN, 5000)))
    ((_, _, asking),) = asked_of(customer.when(order_paid("o-2", IN, 5000)))
    customer.when(answer([asking], 1))
    made = customer.when(refund("r-1", IN, "o-2", 5000))
    assert returned(made) == [first]
    assert (issued(customer), customer.account.campaigns["c"].awards) == ([1], 1)


def test_a_withdrawn_gift_is_a_cancelled_redemption():
    customer = Customer(of_gifts())
    customer.when(order_paid("o-1", IN, 5000), cancellation("x-1", IN, "o-1"))
    (redemption_id,) = customer.account.redemptions
    (rejected,) = customer.when(cancel("x-2", IN, redemption_id))
    assert rejected.data.code == "hold_closed"

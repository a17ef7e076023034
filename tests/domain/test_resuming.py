"""Refunds, cancellations and completions that come before their payment, and orders that come before their hold."""

from itertools import permutations

import pytest
from given import (
    PLAIN,
    Customer,
    brief,
    cancellation,
    completion,
    confirm_hold,
    data,
    hold_points,
    moment,
    ms,
    order_paid,
    refund,
    release_hold,
)
from msgspec.structs import replace

from loyalty_stream.domain import expiry, orders
from loyalty_stream.domain.rules import Availability, PurchaseRule

BARE = replace(PLAIN, purchase=(replace(PLAIN.purchase[0], thresholds=()),))
ON_COMPLETION = replace(BARE, availability=Availability("on_completion"))


def said(events) -> list[tuple[str, int]]:
    return [(kind.removeprefix("point-"), points) for kind, points in brief(events)]


@pytest.mark.parametrize(
    ("early", "made", "available"),
    [
        (refund("r-1", "2026-01-16 10:00", "o-1", 4000), [("granted", 100), ("revoked", 40)], 60),
        (cancellation("c-1", "2026-01-16 10:00", "o-1"), [("granted", 100), ("revoked", 100)], 0),
        (completion("k-1", "2026-01-16 10:00", "o-1"), [("granted", 100), ("account-noted", 0)], 100),
    ],
)
def test_what_comes_before_its_payment_waits_and_is_applied_right_after_it(early, made, available):
    customer = Customer(BARE)
    (noted,) = data(customer.when(early))
    assert (noted.kind, noted.note.order_id) == ("waiting", "o-1")
    assert noted.note.due_at == early.time + (moment("2028-03-26 10:00") - moment("2026-01-16 10:00"))
    assert expiry.next_due(customer.account, BARE) == ms("2026-01-16 10:00") + BARE.retention_ms
    events = customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert said(events) == made
    assert events[-1].data.cause.id == early.id
    assert (events[-1].time, events[-1].id.partition(".")[2]) == (early.time, "1")
    assert customer.balance == (available, 0, 0)
    assert customer.account.waiting == {}
    assert customer.when(early) == []


def test_what_an_early_cancellation_gives_back_expired_at_its_own_time_not_at_that_of_the_payment():
    customer = Customer(BARE)
    customer.when(order_paid("o-1", "2025-01-15 10:00", 10000))
    customer.when(hold_points("h-1", "2026-01-15 23:50", 100), cancellation("c-2", "2026-01-16 00:05", "o-2"))
    events = customer.when(order_paid("o-2", "2026-01-16 00:10", 10000, hold_id="h-1"))
    times = {event.type: event.time for event in events if event.type in ("point-restored", "point-expired")}
    assert times == dict.fromkeys(("point-restored", "point-expired"), moment("2026-01-16 00:05"))


def test_in_whatever_order_the_services_deliver_the_balance_is_the_same():
    facts = [
        order_paid("o-1", "2026-01-15 10:00", 10000),
        refund("r-1", "2026-01-16 10:00", "o-1", 3000),
        refund("r-2", "2026-01-17 10:00", "o-1", 1999),
        completion("k-1", "2026-01-18 10:00", "o-1"),
    ]
    for arrival in permutations(facts):
        customer = Customer(ON_COMPLETION)
        customer.when(*arrival)
        assert customer.balance == (50, 0, 0), [fact.id for fact in arrival]
        assert customer.account.pending == 0
        assert customer.account.waiting == {}


def test_what_is_never_matched_is_dropped_after_the_retention():
    customer = Customer(BARE)
    customer.when(refund("r-1", "2026-01-16 10:00", "o-1", 4000))
    due = moment("2026-01-16 10:00") + (moment("2028-03-26 10:00") - moment("2026-01-16 10:00"))
    assert customer.clock("2028-03-26 09:59:59.999") == []
    (dropped,) = customer.clock("2028-03-26 10:00")
    assert dropped.time == due
    assert (dropped.data.kind, dropped.data.note.order_id) == ("dropped", "o-1")
    assert (dropped.data.note.why, dropped.data.note.event) == (None, None)
    assert dropped.data.cause.source == "loyalty-stream"
    assert customer.account.waiting == {}
    assert customer.balance == (0, 0, 0)


def test_a_refund_that_waited_and_is_too_large_is_dropped_with_its_text():
    customer = Customer(BARE)
    customer.when(
        refund("r-1", "2026-01-16 10:00", "o-1", 6000),
        refund("r-2", "2026-01-16 11:00", "o-1", 6000),
        refund("r-3", "2026-01-16 12:00", "o-1", 4000),
    )
    events = customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert said(events) == [("granted", 100), ("revoked", 60), ("account-noted", 0), ("revoked", 40)]
    note = events[2].data.note
    assert note.why == "`$.data.amount`: 6000 refunded, 4000 of order o-1 is left"
    assert '"refund_id":"r-2"' in note.event
    assert customer.account.waiting == {}


def test_of_repeats_that_waited_only_the_first_counts():
    customer = Customer(BARE)
    customer.when(
        cancellation("c-1", "2026-01-16 10:00", "o-1"),
        cancellation("c-2", "2026-01-16 11:00", "o-1"),
        refund("r-1", "2026-01-16 12:00", "o-1", 0),
        refund("r-2", "2026-01-16 12:00", "o-1", 0, refund_id="r-1"),
    )
    events = customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert said(events) == [("granted", 100), ("revoked", 100), *[("account-noted", 0)] * 3]
    assert [event.data.kind for event in events[2:]] == ["dropped", "refund", "dropped"]
    assert customer.account.waiting == {}


# -- together with holds --------------------------------------------------------------------------------


def earned(points: int) -> Customer:
    customer = Customer(BARE)
    customer.when(order_paid("o-first", "2026-01-15 10:00", points * 100))
    return customer


def test_a_cancellation_gives_back_what_is_held_for_an_order_that_was_never_paid():
    customer = earned(500)
    customer.when(
        hold_points("h-1", "2026-01-16 10:00", 100, order_id="o-1"),
        hold_points("h-2", "2026-01-16 10:00", 100, order_id="o-1"),
        hold_points("h-3", "2026-01-16 10:00", 100, order_id="o-2"),
    )
    events = customer.when(cancellation("c-1", "2026-01-16 10:10", "o-1"))
    assert said(events) == [("released", 100), ("released", 100), ("account-noted", 0)]
    assert customer.balance == (400, 100, 0)
    # Paid all the same: the points are taken again, and the cancellation, which waited, gives them back.
    events = customer.when(order_paid("o-1", "2026-01-16 10:05", 20100, hold_id="h-1"))
    assert said(events) == [("redeemed", 100), ("granted", 200), ("restored", 100), ("revoked", 200)]
    assert customer.balance == (400, 100, 0)
    ids = [event.id for event in customer.events]
    assert len(ids) == len(set(ids))


def test_an_order_that_waits_for_its_hold_makes_its_refund_wait_too():
    customer = earned(500)
    customer.when(
        order_paid("o-1", "2026-01-16 10:00", 10100, hold_id="h-1"),
        refund("r-1", "2026-01-16 10:05", "o-1", 5000),
    )
    assert len(customer.account.waiting) == 2
    events = customer.when(hold_points("h-1", "2026-01-16 09:59", 100))
    assert said(events) == [
        ("held", 100),
        ("redeemed", 100),
        ("granted", 100),
        ("restored", 50),
        ("revoked", 50),
    ]
    assert customer.account.waiting == {}


def test_or_until_the_hold_has_not_come_in_time():
    customer = earned(500)
    customer.when(
        order_paid("o-1", "2026-01-16 10:00", 10000, hold_id="h-1"),
        cancellation("c-1", "2026-01-16 10:05", "o-1"),
    )
    assert said(customer.clock("2026-01-16 10:30")) == [("granted", 100), ("revoked", 100)]
    assert customer.balance == (500, 0, 0)
    assert orders.find(customer.account, "o-1").cancelled


@pytest.mark.parametrize(
    ("cancelled", "made", "debt"),
    [
        ("2027-01-15 23:59", [("granted", 100), ("revoked", 100)], 0),
        ("2027-01-16 00:00", [("granted", 100), ("revoked", 0), ("expired", 100)], 100),
    ],
)
def test_points_granted_late_are_taken_back_as_they_would_have_been_in_time(cancelled, made, debt):
    """A payment that arrives when its points have expired: what matters is if they had when it was cancelled."""
    customer = Customer(BARE)
    customer.when(cancellation("c-1", cancelled, "o-1"))
    customer.clock("2027-02-15 10:00")
    assert said(customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))) == made
    assert customer.balance == (0, 0, debt)


def test_a_hold_that_was_released_and_spent_after_all_comes_back():
    customer = earned(500)
    customer.when(
        hold_points("h-1", "2026-01-16 10:00", 100),
        release_hold("l-1", "2026-01-16 10:01", "h-1"),
        order_paid("o-1", "2026-01-16 10:02", 100, hold_id="h-1"),
    )
    assert customer.balance == (400, 0, 0)
    customer.when(cancellation("c-1", "2026-01-16 10:10", "o-1"))
    assert customer.balance == (500, 0, 0)


def test_points_of_a_hold_confirmed_before_its_order_come_back_with_it():
    customer = earned(500)
    customer.when(
        hold_points("h-1", "2026-01-16 10:00", 100),
        confirm_hold("f-1", "2026-01-16 10:01", "h-1"),
        order_paid("o-1", "2026-01-16 10:02", 10100, hold_id="h-1"),
    )
    made = customer.when(refund("r-1", "2026-01-16 10:10", "o-1", 10000))
    assert said(made) == [("restored", 100), ("revoked", 100)]
    assert customer.balance == (500, 0, 0)


def test_a_shortfall_of_a_hold_is_owed_and_repaid_by_what_comes_back():
    customer = Customer(replace(BARE, purchase=(PurchaseRule("base", PLAIN.purchase[0].points, 100),)))
    customer.when(order_paid("o-first", "2026-01-15 10:00", 10000))
    customer.when(
        hold_points("h-1", "2026-01-16 10:00", 100),
        release_hold("l-1", "2026-01-16 10:01", "h-1"),
        hold_points("h-2", "2026-01-16 10:02", 100),
        order_paid("o-2", "2026-01-16 10:03", 100, hold_id="h-2"),
        order_paid("o-1", "2026-01-16 10:04", 100, hold_id="h-1"),
    )
    assert customer.balance == (0, 0, 100)
    made = customer.when(cancellation("c-1", "2026-01-16 10:10", "o-2"))
    assert said(made) == [("restored", 100), ("revoked", 100)]
    assert customer.balance == (0, 0, 0)

"""Availability: what an order earns is pending until it completes, or until its delay is over."""

import pytest
from given import (
    PLAIN,
    Customer,
    brief,
    cancellation,
    completion,
    data,
    hold_points,
    moment,
    ms,
    order_paid,
    refund,
    registered,
    review,
)
from msgspec.structs import replace

from loyalty_stream.domain import expiry
from loyalty_stream.domain.events import PointActivated
from loyalty_stream.domain.notes import CompletionNote
from loyalty_stream.domain.rules import Availability, Expiry, Period

P30D = Period("P30D", days=30)
BARE = replace(PLAIN, purchase=(replace(PLAIN.purchase[0], thresholds=()),))
WITH_BONUSES = replace(BARE, first_purchase_points=50, registration_points=100)
ON_COMPLETION = Availability("on_completion")
DELAY = Availability("delay", Period("P7D", days=7))


def said(events) -> list[tuple[str, int]]:
    return [(kind.removeprefix("point-"), points) for kind, points in brief(events)]


def stands(customer: Customer) -> tuple[int, int, int]:
    """Available, pending, debt."""
    return customer.account.available, customer.account.pending, customer.account.debt


def test_what_an_order_earns_is_pending_until_it_completes():
    customer = Customer(replace(WITH_BONUSES, availability=ON_COMPLETION))
    customer.when(registered("x-1", "2026-01-15 09:00"), review("v-1", "2026-01-15 09:30"))
    assert stands(customer) == (110, 0, 0)  # no order has caused these
    first, bonus = customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert (first.data.available_at, bonus.data.available_at) == (None, None)
    assert stands(customer) == (110, 150, 0)
    made = customer.when(completion("k-1", "2026-01-25 10:00", "o-1"))
    assert made[0].data.note == CompletionNote("o-1")
    assert data(made) == [
        PointActivated(grant_id=first.id, points=100, **told(made[0])),
        PointActivated(grant_id=bonus.id, points=50, **told(made[1])),
    ]
    assert [event.data.cause.id for event in made] == ["k-1", "k-1"]
    assert stands(customer) == (260, 0, 0)


def told(event):
    return {"cause": event.data.cause, "balance": event.data.balance, "note": event.data.note}


def test_or_until_its_delay_is_over_counted_from_the_payment():
    customer = Customer(replace(BARE, availability=DELAY))
    (granted,) = customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert granted.data.available_at == moment("2026-01-22 10:00")
    assert expiry.next_due(customer.account, customer.rules) == ms("2026-01-22 10:00")
    assert said(customer.when(completion("k-1", "2026-01-16 10:00", "o-1"))) == [("account-noted", 0)]
    assert customer.clock("2026-01-22 09:59:59.999") == []
    (activated,) = customer.clock("2026-01-22 10:00")
    assert activated.data.cause.source == "loyalty-stream"
    assert activated.data.cause.id == f"{granted.id}:activated"
    assert activated.time == moment("2026-01-22 10:00")
    assert stands(customer) == (100, 0, 0)


def test_pending_points_cannot_be_spent():
    customer = Customer(replace(BARE, availability=DELAY))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    (made,) = data(customer.when(hold_points("h-1", "2026-01-16 10:00", 100)))
    assert made.code == "insufficient_points"
    assert said(customer.when(hold_points("h-2", "2026-01-22 10:00", 100))) == [
        ("activated", 100),
        ("held", 100),
    ]


def test_an_order_that_arrives_after_its_delay_is_available_at_once():
    customer = Customer(replace(BARE, availability=DELAY))
    customer.clock("2026-03-15 10:00")
    made = customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert said(made) == [("granted", 100), ("activated", 100)]
    assert made[1].time == moment("2026-01-22 10:00")
    assert stands(customer) == (100, 0, 0)


@pytest.mark.parametrize("availability", [ON_COMPLETION, DELAY])
def test_completed_after_a_full_refund_activates_nothing(availability):
    customer = Customer(replace(BARE, availability=availability))
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", 10000), refund("r-1", "2026-01-16 10:00", "o-1", 10000)
    )
    assert stands(customer) == (0, 0, 0)
    assert said(customer.when(completion("k-1", "2026-01-17 10:00", "o-1"))) == [("account-noted", 0)]
    assert customer.clock("2026-03-01 10:00") == []


def test_a_refund_takes_the_orders_pending_points_before_available_ones():
    customer = Customer(replace(WITH_BONUSES, availability=ON_COMPLETION))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), completion("k-1", "2026-01-16 10:00", "o-1"))
    customer.when(order_paid("o-2", "2026-01-17 10:00", 20000))
    assert stands(customer) == (150, 200, 0)
    customer.when(refund("r-1", "2026-01-18 10:00", "o-2", 5000))
    assert stands(customer) == (150, 150, 0)
    assert said(customer.when(completion("k-2", "2026-01-20 10:00", "o-2"))) == [("activated", 150)]


def test_pending_points_repay_debt_before_they_can_be_spent():
    customer = Customer(replace(BARE, availability=ON_COMPLETION))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), completion("k-1", "2026-01-16 10:00", "o-1"))
    customer.when(
        hold_points("h-1", "2026-01-17 10:00", 100), order_paid("o-2", "2026-01-17 10:01", 100, hold_id="h-1")
    )
    customer.when(cancellation("c-1", "2026-01-18 10:00", "o-1"))
    assert stands(customer) == (0, 0, 100)
    made = customer.when(order_paid("o-3", "2026-01-19 10:00", 13000))
    assert said(made) == [("granted", 130), ("revoked", 100)]
    assert stands(customer) == (0, 30, 0)
    assert said(customer.when(completion("k-3", "2026-01-20 10:00", "o-3"))) == [("activated", 30)]


def test_what_another_order_has_pending_is_taken_rather_than_owed():
    customer = Customer(replace(BARE, availability=ON_COMPLETION))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), completion("k-1", "2026-01-16 10:00", "o-1"))
    customer.when(
        hold_points("h-1", "2026-01-17 10:00", 100), order_paid("o-2", "2026-01-17 10:01", 100, hold_id="h-1")
    )
    customer.when(order_paid("o-3", "2026-01-19 10:00", 13000))
    (revoked,) = data(customer.when(cancellation("c-1", "2026-01-20 10:00", "o-1")))
    assert (revoked.points, revoked.shortfall) == (100, 0)
    assert stands(customer) == (0, 30, 0)


# -- dates ----------------------------------------------------------------------------------------------

SHORT = replace(BARE, expiry=Expiry("rolling", Period("P7D", days=7), "none", (Period("P1D", days=1),)))


def test_pending_points_expire_and_nobody_is_warned_of_them():
    customer = Customer(replace(SHORT, availability=ON_COMPLETION))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert expiry.next_due(customer.account, customer.rules) == ms("2026-01-22 10:00")
    assert said(customer.clock("2026-01-22 10:00")) == [("expired", 100)]
    assert said(customer.when(completion("k-1", "2026-01-22 10:00", "o-1"))) == [("account-noted", 0)]


def test_who_gets_points_late_is_warned_when_they_can_be_spent():
    customer = Customer(replace(SHORT, availability=ON_COMPLETION))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    made = customer.when(completion("k-1", "2026-01-21 20:00", "o-1"))
    assert said(made) == [("activated", 100), ("expiring", 100)]
    assert made[1].time == moment("2026-01-21 20:00")


def test_points_that_become_available_when_they_expire_have_expired():
    customer = Customer(replace(SHORT, availability=DELAY))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    assert said(customer.clock("2026-01-22 10:00")) == [("expired", 100)]


def test_activation_falls_due_before_expiry_and_between_other_things():
    rules = replace(SHORT, availability=Availability("delay", Period("P6D", days=6)))
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    made = customer.clock("2026-01-23 10:00")
    # At one instant points become available first and are warned of then.
    assert said(made) == [("activated", 100), ("expiring", 100), ("expired", 100)]
    assert [event.time for event in made] == [
        moment("2026-01-21 10:00"),
        moment("2026-01-21 10:00"),
        moment("2026-01-22 10:00"),
    ]


def test_the_programme_may_change_and_what_was_granted_keeps_its_way():
    customer = Customer(replace(BARE, availability=ON_COMPLETION))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    customer.rules = BARE
    assert said(customer.when(completion("k-1", "2026-01-16 10:00", "o-1"))) == [("activated", 100)]


def test_the_bonus_that_passes_waits_like_the_order_that_it_passes_to():
    customer = Customer(replace(WITH_BONUSES, availability=ON_COMPLETION, registration_points=0))
    customer.when(order_paid("o-1", "2026-01-15 10:00", 10000), order_paid("o-2", "2026-01-16 10:00", 10000))
    customer.when(order_paid("o-3", "2026-01-17 10:00", 10000), completion("k-3", "2026-01-18 10:00", "o-3"))
    customer.when(cancellation("c-1", "2026-01-19 10:00", "o-1"))
    assert stands(customer) == (100, 150, 0)
    customer.when(cancellation("c-2", "2026-01-20 10:00", "o-2"))
    assert stands(customer) == (150, 0, 0)

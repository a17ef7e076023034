import pytest
from given import (
    PLAIN,
    Customer,
    adjust_points,
    brief,
    data,
    grant_points,
    hold_points,
    moment,
    order_paid,
)
from msgspec.structs import replace

from loyalty_stream.domain.events import CommandRejected, PointGranted, PointRevoked, Taken

DAY = "2026-01-15"


def with_points(points: int) -> Customer:
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", f"{DAY} 10:00", points * 100))
    return customer


def test_a_positive_adjustment_is_a_grant_that_says_who_and_why():
    customer = Customer(PLAIN)
    (event,) = data(customer.when(adjust_points("a-1", f"{DAY} 10:00", 70)))
    assert isinstance(event, PointGranted)
    assert (event.points, event.rule, event.reason) == (70, "adjust-points", "goodwill")
    assert (event.operator, event.command_id) == ("ann", "a-1")
    assert event.expires_at == moment("2027-01-16 00:00")
    assert customer.balance == (70, 0, 0)


def test_a_negative_adjustment_is_a_revocation_in_spending_order():
    customer = with_points(100)
    customer.when(order_paid("o-2", f"{DAY} 10:01", 5000))
    first, second = (lot.grant_id for lot in customer.account.lots)
    (event,) = data(customer.when(adjust_points("a-1", f"{DAY} 10:05", -120)))
    assert isinstance(event, PointRevoked)
    assert (event.points, event.reason) == (120, "goodwill")
    assert (event.operator, event.command_id, event.shortfall) == ("ann", "a-1", 0)
    assert event.grants == (Taken(first, 100), Taken(second, 20))
    assert customer.balance == (30, 0, 0)
    assert customer.account.tier_points == 150  # what counts towards tiers is lowered by refunds alone


@pytest.mark.parametrize(
    ("points", "made"),
    [
        (-100, [("point-revoked", 100)]),
        (-101, [("command-rejected", 0)]),
        (-300, [("command-rejected", 0)]),
    ],
)
def test_never_more_is_taken_than_is_available(points, made):
    customer = with_points(300)
    customer.when(hold_points("h-1", f"{DAY} 10:01", 200))
    assert brief(customer.when(adjust_points("a-1", f"{DAY} 10:05", points))) == made


def test_a_refused_adjustment_says_why_and_may_be_sent_again():
    customer = with_points(100)
    (event,) = data(customer.when(adjust_points("a-1", f"{DAY} 10:05", -101)))
    assert isinstance(event, CommandRejected)
    assert (event.command, event.command_id, event.code) == (
        "adjust-points",
        "a-1",
        "insufficient_points",
    )
    assert event.message == "101 points to be taken, 100 available"
    customer.when(order_paid("o-2", f"{DAY} 10:06", 5000))
    again = customer.when(adjust_points("e-2", f"{DAY} 10:07", -101, adjustment_id="a-1"))
    assert brief(again) == [("point-revoked", 101)]


@pytest.mark.parametrize("points", [50, -50])
def test_an_adjustment_counts_once_by_its_own_id(points):
    customer = with_points(100)
    customer.when(adjust_points("a-1", f"{DAY} 10:05", points))
    assert customer.when(adjust_points("a-1", f"{DAY} 10:05", points)) == []
    again = customer.when(adjust_points("e-2", f"{DAY} 10:06", points, adjustment_id="a-1"))
    assert brief(again) == [("account-noted", 0)]
    assert customer.balance == (100 + points, 0, 0)


def test_a_grant_by_command_counts_once_and_not_towards_tiers():
    customer = Customer(PLAIN)
    (event,) = data(customer.when(grant_points("g-1", f"{DAY} 10:00", 70)))
    assert isinstance(event, PointGranted)
    assert (event.points, event.rule, event.reason, event.command_id) == (
        70,
        "grant-points",
        "contest",
        "g-1",
    )
    assert event.operator is None
    again = customer.when(grant_points("e-2", f"{DAY} 10:06", 70, grant_id="g-1"))
    assert brief(again) == [("account-noted", 0)]
    assert customer.balance == (70, 0, 0)
    assert customer.account.tier_points == 0


def test_an_adjustment_and_a_grant_may_have_the_same_id():
    customer = Customer(PLAIN)
    customer.when(adjust_points("e-1", f"{DAY} 10:00", 70, adjustment_id="x"))
    customer.when(grant_points("e-2", f"{DAY} 10:00", 30, grant_id="x"))
    assert customer.balance == (100, 0, 0)


def test_our_own_command_sent_again_makes_no_event():
    """Our own causes are remembered by no key, so that its event would have the id of the grant."""
    customer = Customer(PLAIN)
    own = grant_points("referral:c-2:granted", f"{DAY} 10:00", 70, grant_id="g", source="loyalty-stream")
    assert brief(customer.when(own)) == [("point-granted", 70)]
    assert customer.when(own) == []


def test_a_grant_by_command_repays_debt_first():
    customer = Customer(replace(PLAIN, redemption=replace(PLAIN.redemption, hold_timeout_ms=60_000)))
    customer.when(
        order_paid("o-1", f"{DAY} 10:00", 10000),
        hold_points("h-1", f"{DAY} 10:01", 100),
        hold_points("h-2", f"{DAY} 10:03", 100),
        order_paid("o-2", f"{DAY} 10:03", 100, hold_id="h-1"),
    )
    assert customer.account.debt == 100
    made = customer.when(grant_points("g-1", f"{DAY} 10:03", 130))
    assert brief(made) == [("point-granted", 130), ("point-revoked", 100)]

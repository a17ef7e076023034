from copy import deepcopy

import pytest
from given import (
    EXPIRY,
    P7D,
    P30D,
    PLAIN,
    Customer,
    brief,
    data,
    hold_points,
    moment,
    ms,
    order_paid,
    release_hold,
)
from msgspec.structs import replace

from loyalty_stream.domain import expiry, grants
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import Cause, PointExpired, PointExpiring
from loyalty_stream.domain.rules import Availability, Expiry, Period

EXACT = replace(PLAIN, expiry=replace(EXPIRY, round_to="none", warn_before=()))
QUIET = replace(PLAIN, expiry=replace(EXPIRY, warn_before=()))


def due_causes(events) -> list[tuple[str, str]]:
    """What fell due, and when in UTC."""
    return [(event.data.cause.id, event.time.isoformat()) for event in events]


# -- dates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earned", "period", "round_to", "expires"),
    [
        ("2026-01-15 10:00", Period("P12M", months=12), "none", "2027-01-15 10:00"),
        ("2026-01-15 10:00", Period("P12M", months=12), "day", "2027-01-16 00:00"),
        ("2026-01-15 10:00", Period("P12M", months=12), "month_end", "2027-02-01 00:00"),
        ("2026-01-15 10:00", Period("P12M", months=12), "year_end", "2028-01-01 00:00"),
        ("2026-01-15 00:00", Period("P12M", months=12), "day", "2027-01-15 00:00"),
        ("2026-01-15 00:00:00.001", Period("P12M", months=12), "day", "2027-01-16 00:00"),
        ("2026-01-15 23:59:59.999", Period("P12M", months=12), "day", "2027-01-16 00:00"),
        ("2026-01-31 10:00", Period("P1M", months=1), "none", "2026-02-28 10:00"),
        ("2026-01-31 10:00", Period("P1M", months=1), "day", "2026-03-01 00:00"),
        ("2026-01-15 10:00", Period("PT20H", milliseconds=72_000_000), "day", "2026-01-17 00:00"),
        ("2026-01-15 03:00", Period("PT20H", milliseconds=72_000_000), "day", "2026-01-16 00:00"),
    ],
)
def test_when_points_expire(earned, period, round_to, expires):
    rules = replace(PLAIN, expiry=Expiry("rolling", period, round_to))
    assert grants.expires_at(ms(earned), rules) == moment(expires)


def test_points_that_never_expire():
    rules = replace(PLAIN, expiry=replace(EXPIRY, policy="never"))
    assert grants.expires_at(ms("2026-01-15"), rules) is None
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-01-15 10:00"))
    assert expiry.next_due(customer.account, rules) is None
    assert customer.clock("2126-01-15") == []
    assert customer.balance == (100, 0, 0)


# -- expiry ---------------------------------------------------------------------------------------------


def test_at_the_very_moment_points_have_expired():
    customer = Customer(EXACT)
    customer.when(order_paid("o-1", "2026-01-15 10:00"))
    grant = customer.account.lots[0].grant_id
    assert expiry.next_due(customer.account, EXACT) == ms("2027-01-15 10:00")
    assert customer.clock("2027-01-15 09:59:59.999") == []
    (event,) = customer.clock("2027-01-15 10:00")
    assert (event.type, event.time) == ("point-expired", moment("2027-01-15 10:00"))
    assert event.data.cause == Cause("loyalty-stream", f"{grant}:expired:2027-01-15T02:00:00.000Z")
    assert (event.data.grant_id, event.data.points) == (grant, 100)
    assert customer.balance == (0, 0, 0)
    assert customer.account.expired == 100


def test_expired_points_cannot_be_spent_however_late_the_sweeper_is():
    customer = Customer(EXACT)
    customer.when(order_paid("o-1", "2026-01-15 10:00"))
    events = customer.when(hold_points("h-1", "2027-01-15 10:00", 100))
    assert brief(events) == [("point-expired", 100), ("command-rejected", 0)]


def test_held_points_do_not_expire_and_given_back_after_their_date_expire_at_once():
    customer = Customer(EXACT)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 30000))
    grant = customer.account.lots[0].grant_id
    customer.when(hold_points("h-1", "2027-01-15 09:50", 100), hold_points("h-2", "2027-01-15 09:55", 100))
    assert brief(customer.clock("2027-01-15 10:00")) == [("point-expired", 100)]
    assert customer.balance == (0, 200, 0)
    events = customer.when(release_hold("r-1", "2027-01-15 10:05", "h-1"))
    assert brief(events) == [("point-released", 100), ("point-expired", 100)]
    assert events[1].time == moment("2027-01-15 10:05")
    assert events[1].data.expires_at == moment("2027-01-15 10:00")
    timed_out = customer.clock("2027-01-15 12:00")
    assert brief(timed_out) == [("point-released", 100), ("point-expired", 100)]
    assert {event.time for event in timed_out} == {moment("2027-01-15 10:25")}
    causes = [event.data.cause.id for event in customer.events if isinstance(event.data, PointExpired)]
    expired = f"{grant}:expired:2027-01-15T02:00:00.000Z"
    assert causes == [f"{expired}:200", f"{expired}:100", expired]
    assert customer.account.expired == 300


def test_a_held_point_may_be_spent_after_its_date():
    customer = Customer(EXACT)
    customer.when(order_paid("o-1", "2026-01-15 10:00"), hold_points("h-1", "2027-01-15 09:50", 100))
    events = customer.when(order_paid("o-2", "2027-01-15 10:10", 100, hold_id="h-1"))
    assert brief(events) == [("point-redeemed", 100)]


def test_a_late_grant_whose_date_has_passed_expires_in_the_same_call():
    customer = Customer(EXACT)
    customer.clock("2027-03-01")
    events = customer.when(order_paid("o-1", "2026-01-15 10:00"))
    assert brief(events) == [("point-granted", 100), ("point-expired", 100)]
    assert events[1].time == moment("2027-01-15 10:00")


def test_points_past_their_date_repay_no_debt():
    customer = Customer(EXACT)
    customer.when(
        order_paid("o-1", "2026-01-15 10:00"),
        hold_points("h-1", "2026-01-15 10:10", 100),
        release_hold("r-1", "2026-01-15 10:11", "h-1"),
        hold_points("h-2", "2026-01-15 10:12", 100),
        order_paid("o-2", "2026-01-15 10:13", 100, hold_id="h-1"),
    )
    assert customer.balance == (0, 100, 100)
    customer.clock("2026-01-15 10:30")
    assert customer.when(order_paid("o-3", "2024-06-01 10:00"))[1].type == "point-expired"
    assert customer.balance == (0, 100, 100)


# -- hold time-outs -------------------------------------------------------------------------------------


def test_a_hold_times_out():
    customer = Customer(QUIET)
    customer.when(order_paid("o-1", "2026-01-15 10:00"), hold_points("h-1", "2026-01-15 10:10", 100))
    assert expiry.next_due(customer.account, QUIET) == ms("2026-01-15 10:40")
    assert customer.clock("2026-01-15 10:39:59.999") == []
    (event,) = customer.clock("2026-01-15 11:00")
    assert (event.type, event.data.reason) == ("point-released", "timed_out")
    assert due_causes([event]) == [("h-1:timed-out", "2026-01-15T02:40:00+00:00")]
    assert customer.balance == (100, 0, 0)


def test_at_one_instant_points_expire_before_holds_time_out():
    """What the hold gives back at that instant is past its date then, and expires after it."""
    customer = Customer(EXACT)
    customer.when(order_paid("o-1", "2026-01-15 10:00", 20000), hold_points("h-1", "2027-01-15 09:30", 100))
    assert brief(customer.clock("2027-01-15 10:00")) == [
        ("point-expired", 100),
        ("point-released", 100),
        ("point-expired", 100),
    ]


# -- warnings -------------------------------------------------------------------------------------------


def test_a_date_is_warned_of_once_for_each_notice():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", "2026-01-15 10:00"), order_paid("o-2", "2026-01-15 11:00", 5000))
    assert expiry.next_due(customer.account, PLAIN) == ms("2026-12-17 00:00")
    (warning,) = customer.clock("2026-12-17 00:00")
    assert isinstance(warning.data, PointExpiring)
    assert (warning.data.points, warning.data.notice) == (150, "P30D")
    assert warning.data.expires_at == moment("2027-01-16 00:00")
    assert due_causes([warning]) == [("2027-01-15T16:00:00.000Z:expiring:P30D", "2026-12-16T16:00:00+00:00")]
    assert customer.clock("2027-01-08 23:59") == []
    customer.when(hold_points("h-1", "2027-01-08 23:59", 100))
    (warning,) = data(customer.clock("2027-01-09 00:00"))
    assert (warning.points, warning.notice) == (50, "P7D")  # what is held does not expire
    assert [event.type for event in customer.clock("2027-02-01")] == [
        "point-released",
        "point-expired",
        "point-expired",
    ]
    assert customer.balance == (0, 0, 0)


def test_points_earned_within_the_notice_get_no_warning_of_it():
    rules = replace(PLAIN, expiry=Expiry("rolling", Period("P10D", days=10), "none", (P30D, P7D)))
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-01-15 10:00"))
    assert [(event.type, event.time) for event in customer.clock("2026-02-01")] == [
        ("point-expiring", moment("2026-01-18 10:00")),
        ("point-expired", moment("2026-01-25 10:00")),
    ]


def test_two_dates_with_warnings_at_one_instant_are_both_warned_of():
    """By the calendar, 28 February is a month before 28, 29, 30 and 31 March alike."""
    month = Period("P1M", months=1)
    rules = replace(PLAIN, expiry=Expiry("rolling", Period("P40D", days=40), "day", (month,)))
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-02-18 10:00"), order_paid("o-2", "2026-02-17 10:00"))
    assert [(event.type, event.time) for event in customer.clock("2026-03-01")] == [
        ("point-expiring", moment("2026-02-28 00:00")),
        ("point-expiring", moment("2026-02-28 00:00")),
    ]


def test_what_is_remembered_of_warnings_goes_with_their_dates():
    rules = replace(PLAIN, expiry=Expiry("rolling", Period("P10D", days=10), "none", (P7D,)))
    customer = Customer(rules)
    for day in range(1, 29):
        customer.when(order_paid(f"o-{day}", f"2026-01-{day:02} 10:00"))
    assert len(customer.account.warned) <= 8


# -- one instant at a time ------------------------------------------------------------------------------


def test_settling_one_instant_does_only_what_falls_due_then():
    customer = Customer(EXACT)
    customer.when(order_paid("o-1", "2026-01-15 10:00"), order_paid("o-2", "2026-01-16 10:00"))
    account = deepcopy(customer.account)
    late = ms("2028-01-01")
    first = expiry.settle_next(account, "c-1", EXACT, late)
    assert [event.time for event in first] == [moment("2027-01-15 10:00")]
    assert expiry.next_due(account, EXACT) == ms("2027-01-16 10:00")
    second = expiry.settle_next(account, "c-1", EXACT, late)
    assert [event.time for event in second] == [moment("2027-01-16 10:00")]
    assert expiry.settle_next(account, "c-1", EXACT, late) == []
    assert first + second == customer.clock("2028-01-01")


def test_nothing_is_ever_due_on_an_empty_account():
    assert expiry.next_due(Account(), PLAIN) is None
    assert expiry.settle(Account(), "c-1", PLAIN, ms("2028-01-01")) == []


def test_points_that_a_hold_gives_back_after_their_warning_was_due_are_warned_of_then_and_not_earlier():
    warned = replace(
        EXPIRY, period=Period("P2D", days=2), round_to="none", warn_before=(Period("P1D", days=1),)
    )
    redemption = replace(PLAIN.redemption, hold_timeout_ms=36 * 3600 * 1000)
    customer = Customer(replace(PLAIN, expiry=warned, redemption=redemption))
    customer.when(order_paid("o-1", "2026-01-15 10:00"), hold_points("h-1", "2026-01-15 10:00", 100))
    events = customer.clock("2026-01-18 10:00")
    assert [(event.type, event.time) for event in events] == [
        ("point-released", moment("2026-01-16 22:00")),
        ("point-expiring", moment("2026-01-16 22:00")),
        ("point-expired", moment("2026-01-17 10:00")),
    ]


def test_points_that_come_after_their_date_expire_at_once_without_a_warning():
    """An order that waited in vain and came late: its points were pending, and their date has passed."""
    rules = replace(
        PLAIN,
        availability=Availability("delay", Period("P1D", days=1)),
        expiry=Expiry("rolling", Period("P1M", months=1), "none", (Period("P7D", days=7),)),
    )
    customer = Customer(rules)
    customer.clock("2026-05-01 10:00")
    made = customer.when(order_paid("o-1", "2026-03-01 10:00", 10000, hold_id="h-1"))
    assert brief(made) == [("account-noted", 0), ("point-granted", 100), ("point-expired", 100)]

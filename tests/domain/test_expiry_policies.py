"""Expiry by inactivity and by calendar year; the rolling dates are `test_expiry`'s."""

import pytest
from given import (
    PLAIN,
    REDEMPTION,
    Customer,
    adjust_points,
    brief,
    cancellation,
    check_in,
    confirm_hold,
    hold_points,
    moment,
    ms,
    order_paid,
    release_hold,
)
from msgspec.structs import replace

from loyalty_stream.domain import calendar, expiry, grants
from loyalty_stream.domain.events import PointExpired
from loyalty_stream.domain.rules import Expiry, Period, Rules

P1M = Period("P1M", months=1)
P7D = Period("P7D", days=7)
P1D = Period("P1D", days=1)


def by_inactivity(round_to="none", notices=(), **changed) -> Rules:
    return replace(PLAIN, expiry=Expiry("inactivity", P1M, round_to, notices), **changed)


def by_calendar_year(**changed) -> Rules:
    return replace(PLAIN, expiry=Expiry("calendar_year", P1M, "day", **changed))


def dates(customer: Customer) -> set[str]:
    """The dates of all lots, on the clock of Shanghai."""
    return {local(lot.expires_at) for lot in customer.account.lots}


def local(at_ms: int) -> str:

    return calendar.to_datetime(at_ms).astimezone(PLAIN.zone).strftime("%Y-%m-%d %H:%M")


# -- inactivity -----------------------------------------------------------------------------------------


def test_earning_moves_the_date_of_everything():
    customer = Customer(by_inactivity())
    customer.when(order_paid("o-1", "2026-01-15 10:00"))
    assert dates(customer) == {"2026-02-15 10:00"}
    (event,) = customer.when(check_in("k-1", "2026-02-10 12:00"))
    assert event.data.expires_at == event.data.all_expire_at == moment("2026-03-10 12:00")
    assert dates(customer) == {"2026-03-10 12:00"}
    assert customer.clock("2026-03-10 11:59") == []
    assert brief(customer.clock("2026-03-10 12:00")) == [("point-expired", 100), ("point-expired", 2)]


@pytest.mark.parametrize(
    ("fact", "until"),
    [
        (confirm_hold("f-1", "2026-01-20 10:20", "h-1"), "2026-02-20 10:20"),
        (order_paid("o-2", "2026-01-20 10:20", 10000, discount=9999, hold_id="h-1"), "2026-02-20 10:20"),
        (release_hold("r-1", "2026-01-20 10:20", "h-1"), "2026-02-15 10:00"),
        (adjust_points("a-1", "2026-01-20 10:20", -100), "2026-02-15 10:00"),
        (adjust_points("a-1", "2026-01-20 10:20", 100), "2026-02-20 10:20"),
    ],
)
def test_spending_moves_it_and_holding_releasing_and_taking_do_not(fact, until):
    customer = Customer(by_inactivity())
    customer.when(order_paid("o-1", "2026-01-15 10:00", 30000), hold_points("h-1", "2026-01-20 10:10", 100))
    assert dates(customer) == {"2026-02-15 10:00"}
    customer.when(fact)
    assert dates(customer) == {until}


def test_an_order_that_earns_nothing_is_no_activity():
    customer = Customer(by_inactivity())
    customer.when(order_paid("o-1", "2026-01-15 10:00"), order_paid("o-2", "2026-01-20 10:00", 99))
    assert dates(customer) == {"2026-02-15 10:00"}


@pytest.mark.parametrize(
    ("round_to", "first", "second"),
    [
        ("none", "2026-02-15 10:00", "2026-02-15 11:00"),
        ("day", "2026-02-16 00:00", "2026-02-16 00:00"),
        ("month_end", "2026-03-01 00:00", "2026-03-01 00:00"),
        ("year_end", "2027-01-01 00:00", "2027-01-01 00:00"),
    ],
)
def test_the_date_is_rounded_and_an_event_says_it_only_where_it_moves(round_to, first, second):
    customer = Customer(by_inactivity(round_to))
    customer.when(order_paid("o-1", "2026-01-15 10:00"))
    assert dates(customer) == {first}
    (event,) = customer.when(order_paid("o-2", "2026-01-15 11:00"))
    assert dates(customer) == {second}
    assert (event.data.all_expire_at is None) == (first == second)


def test_a_late_fact_moves_nothing_back_and_its_points_share_the_date():
    customer = Customer(by_inactivity())
    customer.when(order_paid("o-1", "2026-01-15 10:00"), order_paid("late", "2026-01-10 10:00"))
    assert dates(customer) == {"2026-02-15 10:00"}


def test_after_everything_was_spent_a_late_grant_still_has_the_date_of_the_spending():
    customer = Customer(by_inactivity())
    customer.when(
        order_paid("o-1", "2026-01-15 10:00"),
        hold_points("h-1", "2026-01-20 10:00", 100),
        confirm_hold("f-1", "2026-01-20 10:00", "h-1"),
        order_paid("late", "2026-01-10 10:00"),
    )
    assert dates(customer) == {"2026-02-20 10:00"}


def test_what_has_expired_does_not_come_back_with_the_next_activity():
    customer = Customer(by_inactivity())
    customer.when(order_paid("o-1", "2026-01-15 10:00"))
    made = customer.when(order_paid("o-2", "2026-02-15 10:00"))
    assert brief(made) == [("point-expired", 100), ("point-granted", 100)]
    assert dates(customer) == {"2026-03-15 10:00"}


def test_held_points_that_could_not_expire_get_the_date_of_the_next_activity():
    customer = Customer(by_inactivity(redemption=replace(REDEMPTION, hold_timeout_ms=10 * 86_400_000)))
    customer.when(order_paid("o-1", "2026-01-15 10:00"), hold_points("h-1", "2026-02-14 10:00", 100))
    customer.when(order_paid("o-2", "2026-02-16 10:00"))
    assert dates(customer) == {"2026-03-16 10:00"}
    assert brief(customer.when(release_hold("r-1", "2026-02-17 10:00", "h-1"))) == [("point-released", 100)]


def test_held_points_given_back_after_the_date_expire_at_once():
    customer = Customer(by_inactivity(redemption=replace(REDEMPTION, hold_timeout_ms=10 * 86_400_000)))
    customer.when(order_paid("o-1", "2026-01-15 10:00"), hold_points("h-1", "2026-02-14 10:00", 100))
    made = customer.when(release_hold("r-1", "2026-02-17 10:00", "h-1"))
    assert brief(made) == [("point-released", 100), ("point-expired", 100)]


def test_a_date_that_moved_is_warned_of_anew():
    customer = Customer(by_inactivity("day", (P7D, P1D)))
    customer.when(order_paid("o-1", "2026-01-15 10:00"))
    assert [event.data.notice for event in customer.clock("2026-02-10")] == ["P7D"]
    customer.when(check_in("k-1", "2026-02-12 10:00"))
    warnings = customer.clock("2026-03-12 23:59")
    assert [(event.data.notice, event.data.points) for event in warnings] == [("P7D", 102), ("P1D", 102)]
    assert [event.time for event in warnings] == [moment("2026-03-06"), moment("2026-03-12")]
    assert {type(event.data) for event in customer.clock("2026-03-13")} == {PointExpired}


def test_a_date_that_came_within_the_notice_is_not_warned_of():
    """From 31 January, a month is 28 days: a notice of 30 had begun before."""
    customer = Customer(by_inactivity("none", (Period("P30D", days=30),)))
    customer.when(order_paid("o-0", "2025-12-31 10:00"))
    assert len(customer.clock("2026-01-02")) == 1
    made = customer.when(order_paid("o-1", "2026-01-31 09:00"))
    assert brief(made) == [("point-granted", 100)]
    assert {event.type for event in customer.clock("2026-03-01")} == {"point-expired"}


def test_lots_of_one_date_are_spent_as_they_were_earned():
    customer = Customer(by_inactivity())
    customer.when(
        order_paid("o-1", "2026-01-15 10:00"),
        order_paid("o-2", "2026-01-16 10:00"),
        order_paid("late", "2026-01-14 10:00"),
    )
    earned = [lot.earned_at for lot in customer.account.lots]
    assert earned == [ms("2026-01-14 10:00"), ms("2026-01-15 10:00"), ms("2026-01-16 10:00")]


@pytest.mark.parametrize(
    ("second", "expire"),
    [("2026-02-01 10:00", False), ("2026-01-31 10:00", True), ("2026-01-21 10:00", True)],
)
def test_spent_points_come_back_with_the_date_of_all_others(second, expire):
    customer = Customer(by_inactivity())
    customer.when(
        order_paid("o-1", "2026-01-15 10:00"),
        hold_points("h-1", "2026-01-20 10:00", 100),
        order_paid("o-2", "2026-01-20 10:00", 100, hold_id="h-1"),
        check_in("k-1", second),
    )
    customer.clock("2026-02-28 10:00")
    made = customer.when(cancellation("x-1", "2026-02-28 10:00", "o-2"))
    assert brief(made) == [("point-restored", 100), ("point-expired", 100)][: 2 if expire else 1]
    assert dates(customer) == (set() if expire else {"2026-03-01 10:00"})


def test_dates_that_become_one_put_the_lots_in_the_order_they_were_earned_in():
    """As when the programme goes over to inactivity from rolling dates of another period."""
    customer = Customer(by_inactivity())
    customer.rules = replace(PLAIN, expiry=Expiry("rolling", P1M, "none"))
    customer.when(order_paid("o-1", "2026-01-10 10:00"))
    customer.rules = replace(PLAIN, expiry=Expiry("rolling", P7D, "none"))
    customer.when(order_paid("o-2", "2026-01-15 10:00"))
    later_first = [lot.earned_at for lot in customer.account.lots]
    customer.rules = by_inactivity()
    customer.when(order_paid("o-3", "2026-01-20 10:00"))
    assert dates(customer) == {"2026-02-20 10:00"}
    assert [lot.earned_at for lot in customer.account.lots[:2]] == later_first[::-1]


# -- calendar year --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earned", "expires"),
    [
        ("2026-01-01 00:00", "2028-01-01 00:00"),
        ("2026-06-15 10:00", "2028-01-01 00:00"),
        ("2026-12-31 23:59:59.999", "2028-01-01 00:00"),
        ("2027-01-01 00:00", "2029-01-01 00:00"),
        ("2025-12-31 20:00+00:00", "2028-01-01 00:00"),
    ],
)
def test_points_live_to_the_end_of_the_year_after_the_one_they_were_earned_in(earned, expires):
    assert grants.expires_at(ms(earned), by_calendar_year()) == moment(expires)


def test_they_are_warned_of_and_expire():
    rules = by_calendar_year(warn_before=(P7D,))
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-12-31 23:00"))
    assert expiry.next_due(customer.account, rules) == ms("2027-12-25 00:00")
    customer.when(order_paid("o-2", "2027-01-01 01:00"))
    assert [(event.type, event.time) for event in customer.clock("2028-01-01")] == [
        ("point-expiring", moment("2027-12-25")),
        ("point-expired", moment("2028-01-01")),
    ]
    assert dates(customer) == {"2029-01-01 00:00"}


def test_nothing_of_it_falls_due_too_early_to_be_looked_for():
    """`quiet_ms` spares most events a look: it must be no longer than any points live without a notice."""
    rules = by_calendar_year(warn_before=(P7D,))
    shortest = ms("2028-01-01") - ms("2026-12-31 23:59:59.999") - 7 * 86_400_000
    assert rules.expiry.quiet_ms <= shortest

"""Tiers over orders and time; what refunds do to them is at the end."""

from fractions import Fraction

import pytest
from given import PLAIN, PURCHASE, Customer, cancellation, data, moment, ms, order_paid, refund
from msgspec.structs import replace

from loyalty_stream.domain import expiry, orders, tiers
from loyalty_stream.domain.events import AccountNoted, TierChanged
from loyalty_stream.domain.rules import Expiry, Level, Period, Rules, Threshold, Tiers

P1M = Period("P1M", months=1)
SILVER = Level("silver", 1000, Fraction(6, 5))
GOLD = Level("gold", 5000, Fraction(3, 2))
BASE = replace(
    PLAIN,
    purchase=(replace(PURCHASE, thresholds=()),),
    expiry=Expiry("never", P1M, "none"),
)


def ruled(**changed) -> Rules:
    return replace(BASE, tiers=Tiers(levels=(SILVER, GOLD), **changed))


def changes(customer: Customer) -> list[tuple[str, str | None, str | None, str | None]]:
    """When, from, to and until when, on the clock of Shanghai."""
    return [
        (
            local(event.time),
            event.data.before,
            event.data.to,
            None if event.data.valid_until is None else local(event.data.valid_until),
        )
        for event in customer.events
        if isinstance(event.data, TierChanged)
    ]


def local(instant) -> str:
    return instant.astimezone(BASE.zone).strftime("%Y-%m-%d %H:%M")


def points(events) -> list[int]:
    return [each.points for each in data(events) if hasattr(each, "points")]


# -- rising ---------------------------------------------------------------------------------------------


def test_the_tier_before_an_order_applies_to_that_order():
    customer = Customer(ruled())
    first = customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    assert points(first) == [1000]
    assert [event.type for event in first] == ["point-granted", "tier-changed"]
    second = customer.when(order_paid("o-2", "2026-03-02 10:00", 10050))
    (grant,) = data(second)
    assert (grant.points, grant.exact) == (120, (10050 * 6, 100 * 5))
    assert changes(customer) == [("2026-03-01 10:00", None, "silver", "2028-01-01 00:00")]


def test_a_customer_can_rise_over_a_level():
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 500000))
    assert [change[1:3] for change in changes(customer)] == [(None, "gold")]


def test_one_point_below_the_level_is_below_it():
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 99999))
    assert changes(customer) == []
    assert tiers.current(customer.account, customer.rules) == ""
    customer.when(order_paid("o-2", "2026-03-01 11:00", 100))
    assert [change[2] for change in changes(customer)] == ["silver"]


def test_threshold_bonus_and_multiplier_count_and_are_not_multiplied_again():
    rules = replace(
        ruled(), purchase=(replace(PURCHASE, thresholds=(Threshold(50000, 50),)),), first_purchase_points=900
    )
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-03-01 10:00", 50000))
    assert customer.account.tier_points == 550  # not the 900 of the first purchase
    customer.when(order_paid("o-2", "2026-03-01 11:00", 50000))
    assert changes(customer)[0][2] == "silver"
    made = customer.when(order_paid("o-3", "2026-03-01 12:00", 50000))
    assert points(made) == [600, 50]
    assert customer.account.tier_points == 1750


def test_an_order_that_earns_nothing_counts_where_spend_does():
    rules = replace(BASE, purchase=(), tiers=Tiers(basis="spend", levels=(replace(SILVER, minimum=6000),)))
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-03-01 10:00", 6000))
    assert customer.account.tier == "silver"


def test_an_order_that_waited_in_vain_and_comes_late_is_judged_by_the_time_seen():
    """Its hold's time-out is past, and so is the window in which it would have counted."""
    rules = replace(BASE, tiers=Tiers(levels=(SILVER,), window=P1M, downgrade="immediate"))
    customer = Customer(rules)
    customer.clock("2026-05-01 10:00")
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000, hold_id="h-1"))
    assert customer.account.available == 1000
    assert changes(customer) == []


def test_net_spend_can_be_what_counts():
    rules = replace(
        BASE,
        tiers=Tiers(basis="spend", levels=(replace(SILVER, minimum=150000),)),
    )
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-03-01 10:00", 160000, discount=20000))
    assert changes(customer) == []
    (change,) = [
        each
        for each in data(customer.when(order_paid("o-2", "2026-03-01 11:00", 10000)))
        if isinstance(each, TierChanged)
    ]
    assert (change.to, change.spend_amount, change.tier_points) == ("silver", 150000, None)


def test_a_first_level_from_nothing_is_everybodys():
    bronze = Level("bronze", 0, Fraction(2))
    rules = replace(BASE, tiers=Tiers(levels=(bronze, SILVER), downgrade="immediate"))
    customer = Customer(rules)
    assert tiers.current(customer.account, rules) == "bronze"
    customer.when(order_paid("o-1", "2026-03-01 10:00", 10000))
    assert customer.account.available == 200
    customer.when(order_paid("o-2", "2026-03-02 10:00", 40000))
    customer.clock("2028-01-01")
    assert [change[:3] for change in changes(customer)] == [
        ("2026-03-02 10:00", "bronze", "silver"),
        ("2027-03-01 10:00", "silver", "bronze"),
    ]
    assert expiry.next_due(customer.account, rules) is None


def test_the_exact_sum_is_noted_where_the_bound_was_too_high():
    """Orders that have left the window are in the bound until they make a difference."""
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 60000))
    customer.when(order_paid("o-2", "2027-02-28 10:00", 10000))
    assert customer.account.tier_points == 700
    made = data(customer.when(order_paid("o-3", "2027-03-01 10:00", 60000)))
    assert isinstance(made[-1], AccountNoted)
    assert (made[-1].kind, made[-1].note.tier_points) == ("tier", 700)  # 100 and 600
    assert customer.account.tier_points == 700
    customer.when(order_paid("o-4", "2027-03-01 11:00", 30000))
    assert changes(customer) == [("2027-03-01 11:00", None, "silver", "2029-01-01 00:00")]


@pytest.mark.parametrize(
    ("second", "rises"), [("2027-03-01 09:59:59.999", True), ("2027-03-01 10:00", False)]
)
def test_an_order_counts_until_its_time_plus_the_window(second, rises):
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 60000), order_paid("o-2", second, 40000))
    assert bool(changes(customer)) is rises


# -- falling --------------------------------------------------------------------------------------------


def test_a_tier_is_kept_until_the_first_instant_of_the_year_after_it_was_lost():
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    assert expiry.next_due(customer.account, customer.rules) == ms("2028-01-01")
    assert customer.clock("2027-12-31 23:59") == []
    (event,) = customer.clock("2028-01-01")
    assert event.data.cause.id == "tier:2027-12-31T16:00:00.000Z:ended"
    assert changes(customer)[1:] == [("2028-01-01 00:00", "silver", None, None)]
    assert expiry.next_due(customer.account, customer.rules) is None


def test_at_once_is_when_the_order_leaves_the_window():
    customer = Customer(ruled(downgrade="immediate"))
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    customer.clock("2030-01-01")
    assert changes(customer) == [
        ("2026-03-01 10:00", None, "silver", "2027-03-01 10:00"),
        ("2027-03-01 10:00", "silver", None, None),
    ]


def test_what_was_earned_meanwhile_keeps_the_tier_and_is_noted():
    customer = Customer(ruled(downgrade="immediate"))
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    customer.when(order_paid("o-2", "2026-09-01 10:00", 100000))
    (event,) = customer.clock("2027-03-01 10:00")
    assert (event.type, event.data.kind) == ("account-noted", "tier")
    assert event.data.note.valid_until == moment("2027-09-01 10:00")
    customer.clock("2030-01-01")
    assert changes(customer)[1:] == [("2027-09-01 10:00", "silver", None, None)]


def test_from_gold_a_customer_falls_to_what_is_still_reached():
    customer = Customer(ruled(downgrade="immediate"))
    customer.when(order_paid("o-1", "2026-03-01 10:00", 400000))
    customer.when(order_paid("o-2", "2026-09-01 10:00", 100000))
    customer.clock("2030-01-01")
    assert changes(customer) == [
        ("2026-03-01 10:00", None, "silver", "2027-03-01 10:00"),
        ("2026-09-01 10:00", "silver", "gold", "2027-03-01 10:00"),
        ("2027-03-01 10:00", "gold", "silver", "2027-09-01 10:00"),
        ("2027-09-01 10:00", "silver", None, None),
    ]


def test_an_order_at_the_instant_of_the_fall_comes_after_it():
    customer = Customer(ruled(downgrade="immediate"))
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    made = customer.when(order_paid("o-2", "2027-03-01 10:00", 10000))
    assert [event.type for event in made] == ["tier-changed", "point-granted"]
    assert points(made) == [100]


def test_a_lifetime_never_ends_and_outlives_the_memory_of_orders():
    rules = replace(ruled(window=None), retention_ms=400 * 24 * 3600 * 1000)
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-03-01 10:00", 60000))
    customer.when(order_paid("o-2", "2029-03-01 10:00", 10000))
    assert orders.count(customer.account) == 1
    customer.when(order_paid("o-3", "2030-03-01 10:00", 30000))
    assert changes(customer) == [("2030-03-01 10:00", None, "silver", None)]
    assert customer.clock("2090-01-01") == []


def test_a_late_order_counts_where_it_is_still_in_the_window():
    customer = Customer(ruled())
    customer.clock("2027-03-01 10:00")
    customer.when(order_paid("late", "2026-03-01 10:00", 100000))
    assert changes(customer) == []
    customer.when(order_paid("later", "2026-03-01 10:01", 100000))
    assert changes(customer) == [("2026-03-01 10:01", None, "silver", "2028-01-01 00:00")]


def test_a_tier_that_the_programme_no_longer_has_counts_as_none():
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    customer.rules = replace(customer.rules, tiers=Tiers(levels=(replace(SILVER, name="bronze"),)))
    assert tiers.current(customer.account, customer.rules) == ""
    made = customer.when(order_paid("o-2", "2026-03-02 10:00", 10000))
    assert points(made) == [100]
    assert [change[1:3] for change in changes(customer)] == [(None, "silver"), ("silver", "bronze")]


# -- refunds --------------------------------------------------------------------------------------------


def test_a_refund_lowers_what_counts_and_at_once_means_at_the_refund():
    customer = Customer(ruled(downgrade="immediate"))
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000), order_paid("o-2", "2026-03-02 10:00", 10000))
    made = customer.when(refund("r-1", "2026-04-01 10:00", "o-1", 11900))
    assert [event.type for event in made] == ["point-revoked"]  # 1000 - 119 + 120 = 1001
    made = customer.when(refund("r-2", "2026-04-02 10:00", "o-2", 200))
    assert [event.type for event in made] == ["point-revoked", "tier-changed"]
    assert changes(customer)[1:] == [("2026-04-02 10:00", "silver", None, None)]
    assert customer.account.tier_points == 998


def test_at_years_end_a_refund_takes_the_tier_with_the_next_year():
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    assert expiry.next_due(customer.account, customer.rules) == ms("2028-01-01")
    made = customer.when(refund("r-1", "2026-04-01 10:00", "o-1", 100))
    assert [event.type for event in made] == ["point-revoked", "account-noted"]
    assert made[1].data.note.valid_until == moment("2027-01-01")
    second = customer.when(order_paid("o-2", "2026-05-01 10:00", 10000))
    assert points(second) == [120]
    customer.when(refund("r-2", "2026-06-01 10:00", "o-2", 10000))
    assert customer.clock("2026-12-31 23:59") == []
    customer.clock("2027-01-01")
    assert changes(customer)[1:] == [("2027-01-01 00:00", "silver", None, None)]


def test_at_the_first_instant_of_a_year_the_next_year_is_the_one_after():
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    customer.when(refund("r-1", "2027-01-01 00:00", "o-1", 100))
    customer.clock("2029-01-01")
    assert changes(customer)[1:] == [("2028-01-01 00:00", "silver", None, None)]


def test_what_was_earned_after_a_refund_saves_the_tier():
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    customer.when(cancellation("x-1", "2026-04-01 10:00", "o-1"))
    customer.when(order_paid("o-2", "2026-12-31 10:00", 100000))
    customer.clock("2029-01-01")
    assert changes(customer)[1:] == [("2028-01-01 00:00", "silver", None, None)]


def test_the_refund_of_an_order_that_left_the_window_does_not_hide_a_rise():
    """The bound must not fall below what counts."""
    rules = replace(ruled(), tiers=Tiers(levels=(SILVER,), window=P1M))
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-03-01 10:00", 90000))
    customer.when(order_paid("o-2", "2026-04-02 10:00", 90000))  # the bound says 1800, 900 count
    assert customer.account.tier_points == 900
    customer.when(refund("r-1", "2026-04-03 10:00", "o-1", 90000))
    assert customer.account.tier_points == 900
    customer.when(order_paid("o-3", "2026-04-04 10:00", 10000))
    assert [change[2] for change in changes(customer)] == ["silver"]


def test_spend_is_net_of_refunds():
    rules = replace(
        BASE, tiers=Tiers("spend", levels=(replace(SILVER, minimum=1000),), downgrade="immediate")
    )
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-03-01 10:00", 1500))
    customer.when(refund("r-1", "2026-03-02 10:00", "o-1", 500))
    assert customer.account.tier_spend == 1000
    customer.when(refund("r-2", "2026-03-03 10:00", "o-1", 1))
    assert [change[1:3] for change in changes(customer)] == [(None, "silver"), ("silver", None)]


@pytest.mark.parametrize(
    ("downgrade", "at"), [("immediate", "2026-04-01 10:00"), ("year_end", "2027-01-01 00:00")]
)
def test_over_a_lifetime_only_refunds_take_a_tier(downgrade, at):
    customer = Customer(ruled(window=None, downgrade=downgrade))
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000))
    customer.when(refund("r-1", "2026-04-01 10:00", "o-1", 100))
    customer.clock("2030-01-01")
    assert changes(customer) == [("2026-03-01 10:00", None, "silver", None), (at, "silver", None, None)]


def test_what_a_multiplier_gave_goes_back_with_it():
    customer = Customer(ruled())
    customer.when(order_paid("o-1", "2026-03-01 10:00", 100000), order_paid("o-2", "2026-03-02 10:00", 10050))
    half = customer.when(refund("r-1", "2026-03-03 10:00", "o-2", 5025))
    rest = customer.when(refund("r-2", "2026-03-03 11:00", "o-2", 5025))
    assert points(half) == [60]  # 120 - floor(60.3)
    assert points(rest) == [60]
    assert customer.account.tier_points == 1000

from datetime import date, timedelta

import pytest
from given import RULES, Customer, check_in, data
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty_stream.domain.check_ins import milestones, neighbours, times_reached
from loyalty_stream.domain.events import AccountNoted, PointGranted
from loyalty_stream.domain.notes import CheckInNote, KeyNote
from loyalty_stream.domain.rules import CheckInRule, StreakBonus

FIRST_DAY = (date(2026, 3, 1) - date(1970, 1, 1)).days

# Small numbers, so that runs meet, join and pass their cycle often.
DAYS = st.lists(st.integers(0, 40), unique=True, max_size=41)
STREAKS = st.lists(st.integers(1, 9), unique=True, max_size=3).map(
    lambda days: tuple(StreakBonus(day, 10**day) for day in sorted(days))
)


def runs_of(days):
    """The runs of consecutive days among `days`, told day by day."""
    runs = []
    for day in sorted(days):
        if runs and runs[-1][0] + runs[-1][1] == day:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((day, 1))
    return runs


def bonuses_by_counting(days, streaks):
    """What customers are promised, word for word: count the days of a streak, start again after the longest."""
    total = 0
    for _, length in runs_of(days):
        count = 0
        for _ in range(length):
            count += 1
            total += sum(streak.bonus for streak in streaks if streak.days == count)
            if count == streaks[-1].days:
                count = 0
    return total


def bonuses_one_by_one(days, streaks):
    """What the check-ins earn in the order in which they come."""
    total = 0
    for number, day in enumerate(days):
        joins = neighbours(runs_of(days[:number]), day)
        assert joins is not None
        total += sum(streak.bonus for streak in milestones(streaks, *joins))
    return total


@given(DAYS, STREAKS)
def test_days_in_order_earn_what_counting_them_gives(days, streaks):
    assert bonuses_one_by_one(sorted(days), streaks) == (bonuses_by_counting(days, streaks) if streaks else 0)


@given(DAYS, STREAKS.filter(bool))
def test_days_in_any_order_never_earn_less(days, streaks):
    assert bonuses_one_by_one(days, streaks) >= bonuses_by_counting(days, streaks)


@given(DAYS, st.integers(1, 9))
def test_a_single_streak_earns_the_same_in_any_order(days, length):
    # Only milestones short of the cycle's end can be reached twice by runs that then join.
    streaks = (StreakBonus(length, 20),)
    assert bonuses_one_by_one(days, streaks) == bonuses_by_counting(days, streaks)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 40), st.integers(0, 40))
def test_a_join_reaches_a_milestone_at_most_once(earlier, later, days, longer):
    cycle = days + longer
    before = times_reached(days, earlier, cycle) + times_reached(days, later, cycle)
    assert times_reached(days, earlier + 1 + later, cycle) - before <= 1


@given(st.sets(st.integers(0, 30)), st.integers(0, 30))
def test_neighbours_are_the_runs_that_the_day_joins(days, day):
    found = neighbours(runs_of(days), day)
    if day in days:
        assert found is None
    else:
        earlier = later = 0
        while day - earlier - 1 in days:
            earlier += 1
        while day + later + 1 in days:
            later += 1
        assert found == (earlier, later)


def test_milestones_of_a_run_come_again_after_the_longest():
    streaks = (StreakBonus(7, 20), StreakBonus(30, 100))
    reached = {
        length: [streak.days for streak in milestones(streaks, length - 1, 0)] for length in range(1, 68)
    }
    assert {length: days for length, days in reached.items() if days} == {
        7: [7],
        30: [30],
        37: [7],
        60: [30],
        67: [7],
    }


# -- through the ledger ---------------------------------------------------------------------------------


def on(day, fact_id=""):
    """A check-in at noon of the n-th day, the first being 2026-03-01."""
    at = date(2026, 3, 1) + timedelta(days=day - 1)
    return check_in(fact_id or f"e-{day}", f"{at} 12:00")


def earned(events):
    return [(one.points, one.reason) for one in data(events) if isinstance(one, PointGranted)]


def test_a_check_in_earns_once_a_local_day():
    customer = Customer()
    (granted,) = data(customer.when(check_in("e-1", "2026-03-01 00:00")))
    assert isinstance(granted, PointGranted)
    assert (granted.points, granted.rule, granted.reason) == (2, "check_in", "check-in")
    assert granted.note == CheckInNote(FIRST_DAY)
    (again,) = data(customer.when(check_in("e-2", "2026-03-01T15:59:59.999+00:00")))
    assert isinstance(again, AccountNoted)
    assert (again.kind, again.note) == ("key", KeyNote())
    assert earned(customer.when(check_in("e-3", "2026-03-01T16:00:00+00:00"))) == [(2, "check-in")]
    assert customer.account.streaks == [(FIRST_DAY, 2)]


def test_a_streak_is_paid_on_its_last_day_and_starts_again_after_the_longest():
    customer = Customer()
    paid = {day: earned(customer.when(on(day)))[1:] for day in range(1, 68)}
    assert {day: bonus for day, bonus in paid.items() if bonus} == {
        7: [(20, "streak of 7 days")],
        30: [(100, "streak of 30 days")],
        37: [(20, "streak of 7 days")],
        60: [(100, "streak of 30 days")],
        67: [(20, "streak of 7 days")],
    }


def test_a_missed_day_starts_again():
    customer = Customer()
    days = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13]
    assert [earned(customer.when(on(day))) for day in days] == [[(2, "check-in")]] * len(days)
    assert earned(customer.when(on(14))) == [(2, "check-in"), (20, "streak of 7 days")]


def test_a_late_day_joins_two_streaks():
    customer = Customer()
    for day in (1, 2, 3, 5, 6, 7):
        customer.when(on(day))
    # The late day itself reaches the seventh of the joined run, on the day that it stands for.
    assert earned(customer.when(on(4))) == [(2, "check-in"), (20, "streak of 7 days")]
    assert customer.account.streaks == [(FIRST_DAY, 7)]
    # Later milestones follow the joined count.
    bonuses = {day: earned(customer.when(on(day)))[1:] for day in range(8, 31)}
    assert {day: bonus for day, bonus in bonuses.items() if bonus} == {30: [(100, "streak of 30 days")]}


def test_a_milestone_that_a_part_had_reached_is_not_granted_twice():
    customer = Customer()
    for day in (*range(1, 8), *range(9, 15)):
        customer.when(on(day))
    assert customer.account.granted == 13 * 2 + 20
    assert earned(customer.when(on(8))) == [(2, "check-in")]
    assert customer.account.streaks == [(FIRST_DAY, 14)]


def test_nothing_is_taken_back_when_two_paid_streaks_join():
    customer = Customer()
    for day in (*range(1, 8), *range(9, 16)):
        customer.when(on(day))
    assert customer.account.granted == 14 * 2 + 2 * 20
    assert earned(customer.when(on(8))) == [(2, "check-in")]
    assert customer.account.granted == 15 * 2 + 2 * 20


def test_one_join_can_reach_several_milestones():
    customer = Customer()
    for day in (
        *range(1, 7),
        *(day for start in (8, 15, 22) for day in range(start, start + 6)),
        *range(28, 31),
    ):
        customer.when(on(day))
    for day in (14, 21):
        customer.when(on(day))
    assert customer.account.streaks == [(FIRST_DAY, 6), (FIRST_DAY + 7, 23)]
    # Its 23 days had reached the seven; the joined 30 reach that once, and the thirty.
    assert earned(customer.when(on(7))) == [(2, "check-in"), (100, "streak of 30 days")]

    rule = CheckInRule(points=2, streaks=(StreakBonus(2, 20), StreakBonus(3, 30)))
    customer = Customer(replace(RULES, check_in=rule))
    customer.when(on(1), on(3))
    assert earned(customer.when(on(2))) == [
        (2, "check-in"),
        (20, "streak of 2 days"),
        (30, "streak of 3 days"),
    ]


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        (None, [], []),
        (CheckInRule(points=0), [], []),
        (CheckInRule(points=0, streaks=(StreakBonus(2, 20),)), [], [(20, "streak of 2 days")]),
        (CheckInRule(points=1, streaks=(StreakBonus(2, 0),)), [(1, "check-in")], [(1, "check-in")]),
    ],
)
def test_the_day_is_remembered_whatever_it_earns(rule, first, second):
    customer = Customer(replace(RULES, check_in=rule))
    assert earned(customer.when(on(1))) == first
    assert earned(customer.when(on(2))) == second
    assert customer.account.streaks == [(FIRST_DAY, 2)]


@given(st.lists(st.integers(1, 40), max_size=40), STREAKS)
def test_the_ledger_pays_what_the_days_promise(days, streaks):
    customer = Customer(replace(RULES, check_in=CheckInRule(points=2, streaks=streaks)))
    for number, day in enumerate(days):
        customer.when(on(day, f"e-{number}"))
    unique = list(dict.fromkeys(days))
    assert customer.account.streaks == [(first + FIRST_DAY - 1, length) for first, length in runs_of(unique)]
    assert customer.account.granted == 2 * len(unique) + bonuses_one_by_one(unique, streaks)

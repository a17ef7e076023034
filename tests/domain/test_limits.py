import pytest
from given import (
    RULES,
    Customer,
    attended,
    check_in,
    data,
    game,
    order_paid,
    registered,
    review,
    share,
    survey,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty_stream.domain import limits
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.calendar import local_day
from loyalty_stream.domain.day_records import Days
from loyalty_stream.domain.events import AccountNoted, PointGranted
from loyalty_stream.domain.rules import CheckInRule, Rules, StreakBonus

T = "2026-03-01 10:00"


def limited(points: int, rules: Rules = RULES) -> Rules:
    return replace(rules, daily_points_limit=points)


def grants(events):
    return [(one.rule, one.points, one.reason) for one in data(events) if isinstance(one, PointGranted)]


@pytest.mark.parametrize(
    ("used", "limit", "reached"), [(0, 3, False), (2, 3, False), (3, 3, True), (4, 3, True), (9, 0, False)]
)
def test_a_counter_is_reached_at_its_limit_and_never_without_one(used, limit, reached):
    account = Account(days=Days({7: {"review": used, "share": 5}}, []))
    assert limits.reached(account, 7, "review", limit) is reached
    assert limits.counted(account, 7, "review") == used
    assert limits.counted(account, 8, "review") == 0


@pytest.mark.parametrize(
    ("used", "limit", "points", "allowed"),
    [
        (0, 0, 50, 50),
        (0, 30, 50, 30),
        (10, 30, 20, 20),
        (11, 30, 20, 19),
        (30, 30, 1, 0),
        (40, 30, 1, 0),
        (0, 30, 0, 0),
    ],
)
def test_points_are_cut_to_what_is_left(used, limit, points, allowed):
    account = Account(days=Days({7: {"points": used}}, []))
    assert limits.allowed_points(account, limited(limit), 7, points) == allowed


def test_a_grant_that_is_cut_says_so_and_the_next_is_none():
    customer = Customer(limited(25))
    assert grants(customer.when(attended("e-1", T))) == [("activity", 20, "activity")]
    assert grants(customer.when(review("e-2", T))) == [("review", 5, "review, cut by the daily limit")]
    (noted,) = data(customer.when(review("e-3", T, review_id="r")))
    assert isinstance(noted, AccountNoted)
    assert noted.note is not None
    assert noted.note.earned is False
    assert customer.account.daily[local_day(customer.now, RULES.zone)] == {"points": 25, "review": 1}
    assert grants(customer.when(attended("e-4", "2026-03-02 00:00"))) == [("activity", 20, "activity")]


@pytest.mark.parametrize(
    "fact",
    [
        review("e-1", T),
        share("e-1", T),
        check_in("e-1", T),
        game("e-1", T, 500),
        survey("e-1", T),
        attended("e-1", T),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_what_comes_after_the_limit_is_remembered_without_points(fact):
    customer = Customer(limited(20))
    customer.when(attended("e-0", T))
    (noted,) = data(customer.when(fact))
    assert isinstance(noted, AccountNoted)
    assert noted.note is not None
    assert noted.kind == noted.note.__struct_config__.tag
    assert customer.balance == (20, 0, 0)


def test_purchases_and_registrations_are_not_limited():
    customer = Customer(limited(1))
    customer.when(registered("e-1", T), order_paid("e-2", T, 19000))
    assert customer.balance == (100 + 190 + 50, 0, 0)
    assert customer.account.daily == {}


def test_check_in_and_its_streak_bonuses_share_what_is_left():
    rule = CheckInRule(points=2, streaks=(StreakBonus(1, 5), StreakBonus(2, 20)))
    customer = Customer(limited(10, replace(RULES, check_in=rule)))
    assert grants(customer.when(check_in("e-1", "2026-03-01 10:00"))) == [
        ("check_in", 2, "check-in"),
        ("check_in", 5, "streak of 1 days"),
    ]
    assert grants(customer.when(check_in("e-2", "2026-03-02 10:00"))) == [
        ("check_in", 2, "check-in"),
        ("check_in", 8, "streak of 2 days, cut by the daily limit"),
    ]


def test_a_grant_names_its_day_only_under_a_limit():
    (free,) = data(Customer().when(share("e-1", T)))
    (under,) = data(Customer(limited(100)).when(share("e-1", T)))
    assert free.day is None
    assert under.day == under.note.day


FACTS = st.lists(
    st.tuples(
        st.sampled_from(["review", "share", "check_in", "game", "survey", "attended"]), st.integers(1, 3)
    ),
    max_size=25,
)


@given(FACTS, st.integers(0, 60))
def test_no_day_gives_more_than_its_limit_and_none_is_cut_too_early(kinds, limit):
    free, customer = Customer(), Customer(limited(limit))
    for number, (kind, day) in enumerate(kinds):
        at = f"2026-03-0{day} 10:00"
        make = {
            "review": review,
            "share": share,
            "check_in": check_in,
            "survey": survey,
            "attended": attended,
        }
        fact = game(f"e-{number}", at, 100) if kind == "game" else make[kind](f"e-{number}", at)
        free.when(fact)
        customer.when(fact)
    for day in {local_day(event_ms, RULES.zone) for event_ms in (lot.earned_at for lot in free.account.lots)}:
        wanted = sum(lot.points for lot in free.account.lots if local_day(lot.earned_at, RULES.zone) == day)
        given_ = sum(
            lot.points for lot in customer.account.lots if local_day(lot.earned_at, RULES.zone) == day
        )
        if limit == 0:
            assert given_ == wanted
        else:
            assert min(limit, wanted) <= given_ <= limit
            assert given_ == customer.account.daily[day]["points"]

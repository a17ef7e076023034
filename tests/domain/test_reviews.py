import pytest
from given import (
    REDEMPTION,
    RULES,
    Customer,
    brief,
    confirm_hold,
    data,
    hold_points,
    ms,
    review,
    review_removed,
)
from msgspec.structs import replace

from loyalty_stream.domain.calendar import local_day
from loyalty_stream.domain.events import AccountNoted, PointGranted, Revoked, Taken
from loyalty_stream.domain.notes import ReviewNote
from loyalty_stream.domain.rules import ReviewRule

T = "2026-03-01 10:00"


def told(events):
    """What became of a fact: the points and reason of its grant, or the kind of its note and whether it earned."""
    (first,) = data(events)
    if isinstance(first, PointGranted):
        assert first.note is not None
        assert first.note.earned
        return first.points, first.reason
    assert isinstance(first, AccountNoted)
    return first.kind, getattr(first.note, "earned", None)


KNOWN = ("key", None)
UNEARNED = ("review", False)


@pytest.mark.parametrize(
    ("first", "second", "then"),
    [
        ({"review_id": "r"}, {"review_id": "r"}, KNOWN),
        ({"review_id": "r"}, {"review_id": "r", "sku": "cup-01", "order_id": "o"}, KNOWN),
        ({"order_id": "o"}, {"order_id": "o"}, KNOWN),
        ({"order_id": "o"}, {"order_id": "o", "sku": "cup-01"}, (10, "review")),
        ({"order_id": "o"}, {"order_id": "p"}, (10, "review")),
        ({"order_id": "o"}, {}, (10, "review")),
        ({}, {}, (10, "review")),
        ({}, {"has_photo": True}, (15, "review with photo")),
    ],
)
def test_once_per_review_and_once_per_order_and_sku(first, second, then):
    customer = Customer()
    assert told(customer.when(review("e-1", T, **first))) == (10, "review")
    assert told(customer.when(review("e-2", T, **second))) == then


def test_a_review_past_the_days_limit_earns_nothing_and_is_remembered():
    customer = Customer()
    for number in range(5):
        assert told(customer.when(review(f"e-{number}", T))) == (10, "review")
    (sixth,) = data(customer.when(review("e-5", T, sku="cup-01", order_id="o")))
    assert isinstance(sixth, AccountNoted)
    day = local_day(customer.now, RULES.zone)
    assert sixth.note == ReviewNote("e-5", "cup-01", day, order_id="o", earned=False)
    assert told(customer.when(review("e-6", "2026-03-02 00:00", review_id="e-5"))) == KNOWN
    assert told(customer.when(review("e-7", "2026-03-02 00:00", sku="cup-01", order_id="o"))) == KNOWN
    assert customer.balance == (50, 0, 0)


def test_the_day_is_the_local_one_of_the_reviews_own_time():
    customer = Customer(replace(RULES, review=ReviewRule(points=10, photo_bonus=0, daily_limit=1)))
    assert told(customer.when(review("e-1", "2026-03-02 00:00"))) == (10, "review")
    assert told(customer.when(review("e-2", "2026-03-01T15:59:59.999+00:00"))) == (10, "review")
    assert told(customer.when(review("e-3", "2026-03-01 00:00"))) == UNEARNED
    assert told(customer.when(review("e-4", "2026-03-01T16:00:00+00:00"))) == UNEARNED


@pytest.mark.parametrize(
    ("rule", "photo", "then"),
    [
        (None, True, UNEARNED),
        (ReviewRule(points=0, photo_bonus=0, daily_limit=5), True, UNEARNED),
        (ReviewRule(points=0, photo_bonus=5, daily_limit=5), False, UNEARNED),
        (ReviewRule(points=0, photo_bonus=5, daily_limit=5), True, (5, "review with photo")),
    ],
)
def test_a_review_worth_nothing_does_not_count_against_the_limit(rule, photo, then):
    customer = Customer(replace(RULES, review=rule))
    assert told(customer.when(review("e-1", T, has_photo=photo))) == then
    assert sum(day.get("review", 0) for day in customer.account.daily.values()) == (then != UNEARNED)


def test_a_limit_of_zero_is_none():
    customer = Customer(replace(RULES, review=ReviewRule(points=1, photo_bonus=0, daily_limit=0)))
    for number in range(20):
        assert told(customer.when(review(f"e-{number}", T))) == (1, "review")


# -- removal --------------------------------------------------------------------------------------------


def test_a_removed_review_gives_its_points_back_once():
    customer = Customer()
    (granted,) = customer.when(review("v-1", "2026-01-15 10:00", has_photo=True))
    (revoked,) = data(customer.when(review_removed("x-1", "2026-01-16 10:00", "v-1")))
    assert (revoked.points, revoked.reason, revoked.shortfall) == (15, "review_removed", 0)
    assert revoked.revokes == (Revoked(granted.id, 15, granted.time),)
    assert customer.balance == (0, 0, 0)
    assert brief(customer.when(review_removed("x-2", "2026-01-17 10:00", "v-1"))) == [("account-noted", 0)]
    assert brief(customer.when(review("v-2", "2026-01-18 10:00", review_id="v-1"))) == [("account-noted", 0)]
    assert customer.balance == (0, 0, 0)
    assert customer.account.reviews == {}


def test_what_was_spent_of_it_meanwhile_is_owed():
    customer = Customer(replace(RULES, redemption=replace(REDEMPTION, minimum_points=1, step=1)))
    customer.when(review("v-1", "2026-01-15 10:00"), hold_points("h-1", "2026-01-15 11:00", 8))
    customer.when(confirm_hold("f-1", "2026-01-15 11:01", "h-1"))
    (revoked,) = data(customer.when(review_removed("x-1", "2026-01-16 10:00", "v-1")))
    assert (revoked.points, revoked.shortfall, revoked.owed) == (2, 8, 8)
    assert brief(customer.when(review("v-2", "2026-01-17 10:00"))) == [
        ("point-granted", 10),
        ("point-revoked", 8),
    ]


def test_its_own_points_go_first():
    customer = Customer()
    customer.when(review("v-1", "2026-01-14 10:00"))
    (granted,) = customer.when(review("v-2", "2026-01-15 10:00", sku="tea-02"))
    (revoked,) = data(customer.when(review_removed("x-1", "2026-01-16 10:00", "v-2")))
    assert revoked.grants == (Taken(granted.id, 10),)


REVIEWS = [
    review("v-1", "2026-01-15 10:00", order_id="o-1"),
    review_removed("x-1", "2026-01-15 11:00", "v-1"),
    review("v-2", "2026-01-15 12:00", order_id="o-1"),  # of the same SKU: it earns nothing either way
    review("v-3", "2026-01-15 13:00", sku="tea-02"),
    review("v-4", "2026-01-15 14:00", sku="tea-03"),
]


@pytest.mark.parametrize("arrival", [(0, 1, 2, 3, 4), (1, 0, 2, 3, 4), (0, 3, 1, 2, 4)])
def test_removed_before_or_after_it_arrives_the_rest_of_the_day_is_the_same(arrival):
    customer = Customer(replace(RULES, review=ReviewRule(points=10, photo_bonus=0, daily_limit=2)))
    for number in arrival:
        customer.when(REVIEWS[number])
    # The removed one was one of the two reviews that count on a day.
    assert customer.account.daily[local_day(ms("2026-01-15 12:00"), RULES.zone)]["review"] == 2
    assert customer.balance == (10, 0, 0)


def test_a_review_that_earned_nothing_gives_nothing_back():
    customer = Customer(replace(RULES, review=None))
    customer.when(review("v-1", "2026-01-15 10:00"))
    assert brief(customer.when(review_removed("x-1", "2026-01-16 10:00", "v-1"))) == [("account-noted", 0)]

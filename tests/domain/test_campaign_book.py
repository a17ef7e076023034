"""Which versions are live when: half-open windows, versions by their effective_at, withdrawals."""

import pytest

from loyalty_stream.domain.campaign_book import book_of
from loyalty_stream.domain.rules import Withdrawal
from tests.domain.given import ms
from tests.domain.given_campaigns import campaign

START, END = "2026-03-01 00:00", "2026-03-08 00:00"


def live(told, at, trigger="purchase"):
    return [(each.id, each.version) for each in book_of(told).live(trigger, ms(at))]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-02-28 23:59:59.999", []),
        (START, [("c", 1)]),
        ("2026-03-07 23:59:59.999", [("c", 1)]),
        (END, []),
    ],
)
def test_a_window_is_half_open(at, expected):
    assert live([campaign("c", starts=START, ends=END)], at) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-02 00:00", [("c", 1)]),
        ("2026-03-02 11:59:59.999", [("c", 1)]),
        ("2026-03-02 12:00", [("c", 2)]),
        ("2026-03-04 11:59", [("c", 2)]),
        ("2026-03-04 12:00", []),  # withdrawn
        ("2026-03-05 12:00", [("c", 3)]),  # and published again
        ("2026-03-06 12:00", []),  # the third version ends earlier
    ],
)
def test_a_version_applies_from_its_effective_at_on(at, expected):
    told = [
        campaign("c"),
        campaign("c", version=3, effective="2026-03-05 12:00", ends="2026-03-06 12:00"),
        campaign("c", version=2, effective="2026-03-02 12:00"),  # told later, effective earlier
        Withdrawal("c", ms("2026-03-04 12:00")),
    ]
    assert live(told, at) == expected


def test_of_two_versions_with_one_instant_the_one_told_later_counts():
    told = [
        campaign("c"),
        campaign("c", version=2, effective=START),
        campaign("c", version=3, effective=START),
    ]
    assert live(told, "2026-03-02 00:00") == [("c", 3)]


def test_live_campaigns_come_by_priority_then_id():
    told = [campaign("b"), campaign("c", priority=5), campaign("a")]
    assert [each for each, _ in live(told, START)] == ["c", "a", "b"]


def test_a_trigger_sees_its_own_campaigns_only():
    told = [campaign("a"), campaign("b", trigger="review")]
    assert live(told, START, "review") == [("b", 1)]
    assert live(told, START, "share") == []


def test_the_version_in_its_window_or_not_is_found_by_id():
    book = book_of([campaign("c"), Withdrawal("c", ms("2026-03-04 12:00"))])
    assert book.version_at("c", ms("2026-04-01 00:00")) is None
    assert book.version_at("c", ms("2026-01-01 00:00")).version == 1
    assert book.version_at("d", ms("2026-03-02 00:00")) is None
    assert not book.ended("c", ms("2026-03-07 00:00"))
    assert book.ended("c", ms(END))
    assert book.ended("d", 0)

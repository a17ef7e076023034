"""Periods of boards: their names, bounds and closes."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from loyalty_stream.domain import boards
from loyalty_stream.domain.boards import NEVER
from loyalty_stream.domain.campaign_book import NO_CAMPAIGNS, book_of
from loyalty_stream.domain.campaign_terms import Award, Campaign
from loyalty_stream.domain.rules import Board
from tests.domain import given

HOUR = 3_600_000
BERLIN = ZoneInfo("Europe/Berlin")


def board(period: str, grace_ms: int = HOUR) -> Board:
    return Board("b", "earned", period, 100, grace_ms)


@pytest.mark.parametrize(
    ("period", "at", "name", "starts", "ends"),
    [
        ("day", "2026-03-05 00:00", "2026-03-05", "2026-03-05 00:00", "2026-03-06 00:00"),
        ("day", "2026-03-05 23:59:59", "2026-03-05", "2026-03-05 00:00", "2026-03-06 00:00"),
        ("week", "2026-03-08 23:00", "2026-W10", "2026-03-02 00:00", "2026-03-09 00:00"),
        ("week", "2027-01-01 10:00", "2026-W53", "2026-12-28 00:00", "2027-01-04 00:00"),
        ("month", "2026-12-31 23:59", "2026-12", "2026-12-01 00:00", "2027-01-01 00:00"),
        ("month", "2024-02-29 12:00", "2024-02", "2024-02-01 00:00", "2024-03-01 00:00"),
    ],
)
def test_a_period_is_of_local_days(period: str, at: str, name: str, starts: str, ends: str) -> None:
    span = boards.span_at(board(period), given.ms(at), given.SHANGHAI, NO_CAMPAIGNS)
    assert span == boards.Span(name, given.ms(starts), given.ms(ends))
    assert boards.closes_at(board(period), span) == given.ms(ends) + HOUR
    assert boards.span_named(board(period), name, given.SHANGHAI, NO_CAMPAIGNS) == span


def test_all_time_never_closes() -> None:
    always = board("all_time")
    span = boards.span_at(always, 5, given.SHANGHAI, NO_CAMPAIGNS)
    assert (span.name, boards.closes_at(always, span)) == ("all-time", NEVER)
    assert boards.next_close(always, 5, given.SHANGHAI, NO_CAMPAIGNS) == NEVER
    assert boards.instant(span.starts_at) is boards.instant(span.ends_at) is None


@pytest.mark.parametrize("name", ["2026-13", "2026-W54", "march", "", "2026-03-05"])
def test_what_is_no_name_of_a_period_is_none(name: str) -> None:
    assert boards.span_named(board("month"), name, given.SHANGHAI, NO_CAMPAIGNS) is None


@hypothesis_given(
    st.sampled_from(["day", "week", "month"]),
    st.integers(0, 3 * 366 * 24 * 60),
    st.integers(0, 40 * 24),
    st.sampled_from([given.SHANGHAI, BERLIN]),
)
def test_the_next_close_is_the_first_one_after(period: str, minute: int, grace_hours: int, zone) -> None:
    """Against all closes, by walking over the days."""
    kept = board(period, grace_hours * HOUR)
    time = given.ms("2025-01-01 00:00") + minute * 60_000
    closes = set()
    for number in range(-80, 60):
        day = (date(2025, 1, 1) + timedelta(days=minute // 1440 + number) - date(1970, 1, 1)).days
        noon = boards.calendar.first_instant(day, zone) + 12 * HOUR
        closes.add(boards.closes_at(kept, boards.span_at(kept, noon, zone, NO_CAMPAIGNS)))
    assert boards.next_close(kept, time, zone, NO_CAMPAIGNS) == min(each for each in closes if each > time)


def test_a_campaign_s_period_is_its_window_by_the_latest_version() -> None:
    week = Campaign(
        id="week",
        version=1,
        theme="week",
        mode="online",
        starts_at_ms=given.ms("2026-03-01 00:00"),
        ends_at_ms=given.ms("2026-03-08 00:00"),
        trigger="purchase",
        award=Award(points=1),
    )
    longer = msgspec.structs.replace(
        week, version=2, ends_at_ms=given.ms("2026-03-09 00:00"), effective_at_ms=given.ms("2026-03-05 00:00")
    )
    kept = Board("b", "campaign", "campaign", 10, HOUR, campaign_id="week")
    for versions, ends in (((week,), "2026-03-08 00:00"), ((week, longer), "2026-03-09 00:00")):
        span = boards.span_at(kept, given.ms("2026-05-01 00:00"), given.SHANGHAI, book_of(versions))
        assert span == boards.Span("campaign", given.ms("2026-03-01 00:00"), given.ms(ends))
    assert boards.next_close(kept, 0, given.SHANGHAI, book_of((week,))) == given.ms("2026-03-08 01:00")
    assert boards.next_close(kept, given.ms("2026-03-08 01:00"), given.SHANGHAI, book_of((week,))) == NEVER

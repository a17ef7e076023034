"""Leaderboards: which periods there are, when each closes, and what an event counts in which (DOMAIN.md).

It knows rules and calendar, and no account, order of ranks or topic.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias, assert_never

from msgspec import Struct

from loyalty_stream.domain import calendar
from loyalty_stream.domain.campaign_book import CampaignBook
from loyalty_stream.domain.campaign_terms import Campaign
from loyalty_stream.domain.rules import Board

NEVER: Final = 1 << 62
"""Later than every instant, in ms."""
ALL_TIME: Final = "all-time"
CAMPAIGN: Final = "campaign"
"""The names of the periods of which a board has only one."""
_EPOCH: Final = date(1970, 1, 1)


class Span(Struct, frozen=True, gc=False):
    """A period of a board: what it is called, and its first instant and the first after it, in ms.

    Days are named `2026-03-05`, weeks, from Monday on, `2026-W10`, months `2026-03`.
    """

    name: str
    starts_at: int
    ends_at: int
    """`NEVER`: it has no end, and is never closed."""


_ALWAYS: Final = Span(ALL_TIME, 0, NEVER)


# -- what counts ----------------------------------------------------------------------------------------


class Scored(Struct, frozen=True, gc=False):
    """A rule or a campaign granted `points` at `at` (ms), or the customer checked in on the local day `day`."""

    at: int
    points: int
    campaign_id: str = ""
    """Of a campaign's grant."""
    day: int = -1
    """Days since 1970-01-01; -1: it is no check-in."""


class Part(Struct, frozen=True, gc=False):
    """So many points of a grant that was earned at `earned_at` (ms)."""

    points: int
    earned_at: int
    campaign_id: str = ""


class TakenBack(Struct, frozen=True, gc=False):
    """Grants are taken back at `at` (ms), each by so much."""

    at: int
    parts: tuple[Part, ...]


class Chosen(Struct, frozen=True, gc=False):
    """How a customer wants to be shown, from `at` (ms) on; None: as before."""

    at: int
    alias: str | None = None
    opted_out: bool | None = None


class Left(Struct, frozen=True, gc=False):
    """The customer was erased at `at` (ms)."""

    at: int


BoardEvent: TypeAlias = Scored | TakenBack | Chosen | Left


# -- periods --------------------------------------------------------------------------------------------


def span_at(board: Board, at: int, zone: tzinfo, book: CampaignBook) -> Span:
    """The period that an event of the instant `at` (ms) belongs to."""
    match board.period:
        case "all_time":
            return _ALWAYS
        case "campaign":
            return _of_campaign(board, book)
        case "day" | "week" | "month":
            return _span_of_day(board.period, calendar.local_day(at, zone), zone)
        case _:
            assert_never(board.period)


def span_named(board: Board, name: str, zone: tzinfo, book: CampaignBook) -> Span | None:
    """The board's period of this name; None where it has none, as when the programme has changed."""
    if board.period in ("all_time", "campaign"):
        span = span_at(board, 0, zone, book)
        return span if span.name == name else None
    try:
        day = date.fromisoformat({"day": name, "week": f"{name}-1", "month": f"{name}-01"}[board.period])
    except ValueError:
        return None
    span = _span_of_day(board.period, (day - _EPOCH).days, zone)
    return span if span.name == name else None


def closes_at(board: Board, span: Span) -> int:
    """When the period closes, in ms: once every partition's time has reached it."""
    return NEVER if span.ends_at == NEVER else span.ends_at + board.grace_ms


def next_close(board: Board, time: int, zone: tzinfo, book: CampaignBook) -> int:
    """The first instant after `time` (ms) at which a period of the board closes; `NEVER`: there is none."""
    close = closes_at(board, span_at(board, max(0, time - board.grace_ms), zone, book))
    return close if close > time else NEVER


def next_close_of(boards: Sequence[Board], time: int, zone: tzinfo, book: CampaignBook) -> int:
    """The first instant after `time` (ms) at which a period of any board closes."""
    return min((next_close(board, time, zone, book) for board in boards), default=NEVER)


@lru_cache(maxsize=1 << 10)
def _span_of_day(period: str, day: int, zone: tzinfo) -> Span:
    today = _EPOCH + timedelta(days=day)
    if period == "day":
        name, first, after = today.isoformat(), today, today + timedelta(days=1)
    elif period == "week":
        year, week, weekday = today.isocalendar()
        name, first = f"{year}-W{week:02}", today - timedelta(days=weekday - 1)
        after = first + timedelta(days=7)
    else:
        name, first = f"{today:%Y-%m}", today.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    return Span(name, _first_instant(first, zone), _first_instant(after, zone))


def _first_instant(day: date, zone: tzinfo) -> int:
    return calendar.first_instant((day - _EPOCH).days, zone)


def _of_campaign(board: Board, book: CampaignBook) -> Span:
    """The window of the campaign as its latest version says; whatever it grants belongs to it."""
    versions = [each for each in book.versions.get(board.campaign_id, ()) if isinstance(each, Campaign)]
    if not versions:
        return Span(CAMPAIGN, 0, NEVER)
    return Span(CAMPAIGN, versions[-1].starts_at_ms, versions[-1].ends_at_ms)


def instant(ms: int) -> datetime | None:
    """An end of a period as it is shown; None where it has none."""
    return None if ms in (0, NEVER) else calendar.to_datetime(ms)

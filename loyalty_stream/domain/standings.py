"""What the `leaderboards` topic says: a board's standings while its period runs, and the final ones.

The types are the contract of EVENTS.md, and what the parts of a board tell its owner. They know no scores.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from loyalty_stream.domain import boards, calendar, identity
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.rules import Board

CHANGED: Final = "leaderboard-changed"
CLOSED: Final = "leaderboard-closed"
_LONGEST: Final = 96
"""An id has 128 characters at most; this much of one may be a board's id and the name of a period."""


class Ranked(Struct, frozen=True, gc=False, omit_defaults=True):
    """One place of a board."""

    rank: int
    customer: str
    score: int
    reached_at: datetime
    """Of equal scores the one that was reached first is before the others, then by customer id."""
    alias: str | None = None
    """What others may see instead of the id, where the customer wants it so."""
    reward_points: int | None = None
    """What the rank is paid, once the period is closed."""


class StandingsData(Struct, frozen=True, gc=False):
    """The first places of a board in one period, each customer once."""

    board: str
    period: str
    """`2026-03-05`, `2026-W10`, `2026-03`, `all-time` or `campaign`."""
    metric: str
    """As the programme file writes it."""
    starts_at: datetime | None
    """Null, as `ends_at`: it has none."""
    ends_at: datetime | None
    entries: tuple[Ranked, ...]


class Standings(Struct, frozen=True, gc=False):
    """Standings as a CloudEvent: `leaderboard-changed`, or once and final `leaderboard-closed`."""

    id: str
    type: Literal["leaderboard-changed", "leaderboard-closed"]
    subject: str
    """The board's id."""
    time: datetime
    data: StandingsData
    specversion: Literal["1.0"] = "1.0"
    source: str = SOURCE


# -- between the parts of a board and its owner ---------------------------------------------------------

Entry: TypeAlias = tuple[str, int, int, str]
"""Customer, score, the time (ms) at which it was reached, alias (empty: none)."""


class PartTold(Struct, frozen=True, gc=False, tag_field="type", tag="board-part"):
    """The first places of one partition in a period, in order, as of its `time`; all instants in ms."""

    board: str
    span: str
    starts_at: int
    ends_at: int
    closes_at: int
    partition: int
    time: int
    entries: tuple[Entry, ...]


class PartPassed(Struct, frozen=True, gc=False, tag_field="type", tag="board-time"):
    """A partition's time has reached `time` (ms); what closes by then is told of.

    What closed by `since` was over before the partition kept boards at all: nobody is rewarded for it.
    """

    board: str
    partition: int
    time: int
    since: int


PartMessage: TypeAlias = PartTold | PartPassed


# -- names ----------------------------------------------------------------------------------------------


def metric_of(board: Board) -> str:
    """The metric as the programme file writes it."""
    return f"campaign:{board.campaign_id}" if board.metric == "campaign" else board.metric


def key_of(board: str, span: str) -> str:
    """The key of a board's period in the `leaderboards` topic: one record of each stays."""
    return f"{board}/{span}"


def reward_id(board: str, span: str, rank: int) -> str:
    """What a rank's reward is granted under, once; very long ids are stood for by their digest."""
    named = f"{board}:{span}"
    if len(named) > _LONGEST:
        named = f"{identity.text_of(identity.digest(board, '', ''))}:{span}"
    return f"board:{named}:{rank}"


def reward_of(board: Board, rank: int) -> int:
    """The points for a rank, 0 for none."""
    return next((each.points for each in board.rewards if each.first <= rank <= each.last), 0)


def data_of(board: Board, told: PartTold, entries: Sequence[Ranked]) -> StandingsData:
    """The standings of the period that a part told of."""
    return StandingsData(
        board=board.id,
        period=told.span,
        metric=metric_of(board),
        starts_at=boards.instant(told.starts_at),
        ends_at=boards.instant(told.ends_at),
        entries=tuple(entries),
    )


def ranked(entries: Sequence[Entry], board: Board, *, rewarded: bool) -> list[Ranked]:
    """The places of sorted entries; with `rewarded` each with what it is paid."""
    return [
        Ranked(
            rank=rank,
            customer=customer,
            score=score,
            reached_at=calendar.to_datetime(reached),
            alias=alias or None,
            reward_points=(reward_of(board, rank) or None) if rewarded else None,
        )
        for rank, (customer, score, reached, alias) in enumerate(entries, 1)
    ]

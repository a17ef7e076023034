"""The leaderboards stage: the one owner of each board. It merges what the partitions tell and publishes standings.

A period is closed, once, when every partition has passed its close; then the ranks are rewarded by commands of ours.
It knows no score but those of the first places.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final, TypeAlias, assert_never

import msgspec
from msgspec import Struct

from loyalty_stream import __version__
from loyalty_stream.app.board_stage import BoardSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import calendar
from loyalty_stream.domain import standings as domain
from loyalty_stream.domain.rules import Board, Rules
from loyalty_stream.domain.standings import (
    Entry,
    PartMessage,
    PartPassed,
    PartTold,
    Ranked,
    Standings,
)
from loyalty_stream.engine.log import NO_HEADERS, Record
from loyalty_stream.engine.stage import Context, Decoded
from loyalty_stream.engine.table import Codec
from loyalty_stream.wire import own_commands
from loyalty_stream.wire import standings as wire
from loyalty_stream.wire.dead_letter import Place, dead_letter
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.reasons import Reason

NAME: Final = "leaderboards"
_pack: Final = msgspec.msgpack.Encoder().encode
PUBLISH_SECONDS: Final = 1.0
"""A board's standings are published at most so often (DOMAIN.md); final ones at once."""


class Part(Struct, array_like=True, frozen=True, gc=False, tag="part"):
    """What a partition has told of a period."""

    told: PartTold


class Passed(Struct, array_like=True, gc=False, tag="passed"):
    """How far the partitions have come, for one board; instants in ms."""

    times: dict[int, int] = {}
    since: int = 0
    """What closed by then is over for longer than the board is kept: nobody is rewarded for it."""


class Published(Struct, array_like=True, gc=False, tag="published"):
    """How many standings of a period were published, which numbers them, and what the last of them said."""

    number: int = 0
    shown: bytes = b""
    """The digest of its entries, so that nothing is said twice after a restart."""


State: TypeAlias = Part | Passed | Published


class StateCodec:
    """How the owner's states are stored: MessagePack."""

    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(State).decode)


class LeaderboardStage:
    """What the engine drives. `clock` gives seconds: it says how often standings are published, and nothing else."""

    name = NAME
    codec = StateCodec()
    broadcasts: Sequence[str] = ()
    side_tables: Mapping[str, Codec] = {}

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        partitions: int,
        counts: BoardSink,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.boards = {board.id: board for board in rules.boards}
        self.partitions = partitions
        self.parts_topic = settings.topic("board-parts")
        self.topic = settings.topic("leaderboards")
        self.commands_topic = settings.topic("points-commands")
        self.dead_letters_topic = settings.topic("dead-letters")
        self.changelog = settings.changelog_of(NAME)
        self.count_sink = counts
        self.clock = clock

    @property
    def inputs(self) -> Sequence[str]:
        return (self.parts_topic,)

    def processor(self, context: Context) -> "LeaderboardProcessor":
        return LeaderboardProcessor(self, context)


class _Period:
    """A period of a board that is not closed."""

    __slots__ = ("changed", "parts")

    def __init__(self) -> None:
        self.parts: dict[int, PartTold] = {}
        self.changed = True

    @property
    def closes_at(self) -> int:
        """When it closes, in ms; the window of a campaign may have been moved, so the latest counts."""
        return max(told.closes_at for told in self.parts.values())

    @property
    def latest(self) -> PartTold:
        """What was told last, by the partitions' time."""
        return max(self.parts.values(), key=lambda told: (told.time, told.partition))

    def best(self, size: int) -> list[Entry]:
        """The first `size` over all partitions."""
        return sorted((entry for told in self.parts.values() for entry in told.entries), key=_rank)[:size]


class LeaderboardProcessor:
    """One partition of the stage: the boards whose ids fall on it."""

    def __init__(self, stage: LeaderboardStage, context: Context) -> None:
        self.time = 0
        self._stage = stage
        self._context = context
        self._table = context.table
        self._emit = context.output(stage.topic)
        self._dead = context.output(stage.dead_letters_topic)
        self._open: dict[tuple[str, str], _Period] = {}
        """By board and period."""
        self._published_at: dict[str, float] = {}
        self._changed: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._points = 0

    # -- what the engine calls --------------------------------------------------------------------------

    def restored(self) -> None:
        for key, value in list(self._table.committed_items()):
            state = StateCodec.decode(value)
            if isinstance(state, Part):
                told = state.told
                if told.board in self._stage.boards:
                    self._open.setdefault((told.board, told.span), _Period()).parts[told.partition] = told
                else:
                    self._table.delete(key)  # the programme has it no longer

    def decode(self, topic: str, record: Record) -> Decoded:
        del topic  # there is one
        try:
            told = wire.decode_part(record.value)
        except wire.UnreadableError as error:
            return 0, error
        return told.time, told

    def process(self, topic: str, record: Record, event: PartMessage | wire.UnreadableError) -> None:
        if isinstance(event, wire.UnreadableError):
            self.refuse(topic, record, str(event))
            return
        self.time = max(self.time, event.time)
        board = self._stage.boards.get(event.board)
        if board is None:
            return
        match event:
            case PartTold():
                self._take(event)
            case PartPassed():
                self._pass(board, event)
            case _:
                assert_never(event)

    def advance(self, time: int) -> None:
        """The wall clock closes nothing: the partitions tell how far they are."""
        self.time = max(self.time, time)

    def proceed(self) -> bool:
        """Publish the running standings that have changed, unless it is too early."""
        now = self._stage.clock()
        due: dict[str, list[str]] = {}
        for (board_id, span), period in self._open.items():
            if period.changed and now - self._published_at.get(board_id, -PUBLISH_SECONDS) >= PUBLISH_SECONDS:
                due.setdefault(board_id, []).append(span)
        for board_id, spans in due.items():
            published = [self._publish(self._stage.boards[board_id], span) for span in spans]
            if any(published):
                self._published_at[board_id] = now
        return False

    def committed(self) -> None:
        self._stage.count_sink.boards_published(self._changed, self._closed, self._points)
        self._changed, self._closed, self._points = Counter(), Counter(), 0

    def heard(self, topic: str, record: Record) -> None:
        """It hears of nothing."""

    def refuse(self, topic: str, record: Record, error: str) -> None:
        place = Place(topic, self._context.partition, record.offset, record.timestamp)
        letter = dead_letter(
            record.key, record.value, place, Reason.PROCESSING_FAILED, error, __version__, ()
        )
        self._dead((letter.key, letter.value, letter.headers))

    # -- what partitions tell ---------------------------------------------------------------------------

    def _take(self, told: PartTold) -> None:
        if told.closes_at <= self._all_passed(told.board):
            return  # closed: a partition that started anew tells what it knows
        period = self._open.setdefault((told.board, told.span), _Period())
        period.parts[told.partition] = told
        period.changed = True
        self._table.touch(_part_key(told.board, told.span, told.partition), Part(told))

    def _pass(self, board: Board, told: PartPassed) -> None:
        key = _passed_key(board.id)
        passed: Passed = self._table.get(key) or Passed()
        passed.times[told.partition] = max(told.time, passed.times.get(told.partition, 0))
        passed.since = max(passed.since, told.since)
        self._table.touch(key, passed)
        over = self._all_passed(board.id)
        closing = [
            (period.closes_at, span)
            for (board_id, span), period in self._open.items()
            if board_id == board.id and period.closes_at <= over
        ]
        for closes_at, span in sorted(closing):
            self._close(board, span, closes_at, rewarded=closes_at > passed.since)

    def _all_passed(self, board_id: str) -> int:
        """What every partition's time has passed, in ms."""
        passed: Passed | None = self._table.get(_passed_key(board_id))
        if passed is None or len(passed.times) < self._stage.partitions:
            return 0
        return min(passed.times.values())

    # -- what is published ------------------------------------------------------------------------------

    def _publish(self, board: Board, span: str) -> bool:
        """Publish running standings, where they are others than before."""
        period = self._open[board.id, span]
        period.changed = False
        best = period.best(board.size)
        shown = _digest(best)
        key = _published_key(board.id, span)
        published: Published = self._table.get(key) or Published()
        if shown == published.shown:
            return False
        published.number += 1
        published.shown = shown
        self._table.touch(key, published)
        told = period.latest
        entries = domain.ranked(best, board, rewarded=False)
        self._write(board, told, f"{told.span}:{published.number}", told.time, entries)
        self._changed[board.id] += 1
        return True

    def _close(self, board: Board, span: str, closes_at: int, *, rewarded: bool) -> None:
        """Publish the final standings, reward the ranks, and forget the period: all in one transaction."""
        period = self._open.pop((board.id, span))
        entries = domain.ranked(period.best(board.size), board, rewarded=rewarded)
        self._write(board, period.latest, f"{span}:closed", closes_at, entries, final=True)
        for entry in entries:
            if entry.reward_points is not None:
                self._reward(board, span, entry, entry.reward_points, closes_at)
        for partition in period.parts:
            self._table.delete(_part_key(board.id, span, partition))
        if self._table.get(_published_key(board.id, span)) is not None:
            self._table.delete(_published_key(board.id, span))
        self._closed[board.id] += 1

    def _write(
        self,
        board: Board,
        told: PartTold,
        name: str,
        at: int,
        entries: Sequence[Ranked],
        *,
        final: bool = False,
    ) -> None:
        said = Standings(
            id=f"{board.id}:{name}",
            type="leaderboard-closed" if final else "leaderboard-changed",
            subject=board.id,
            time=calendar.to_datetime(at),
            data=domain.data_of(board, told, entries),
        )
        self._emit((domain.key_of(board.id, told.span).encode(), wire.encode(said), NO_HEADERS))

    def _reward(self, board: Board, span: str, entry: Ranked, points: int, closes_at: int) -> None:
        """A command for the customer's own account. Its id is the rank's, so that it is paid once."""
        grant_id = domain.reward_id(board.id, span, entry.rank)
        command = own_commands.grant_points(
            f"{grant_id}:granted",
            entry.customer,
            calendar.to_datetime(closes_at),
            grant_id=grant_id,
            points=points,
            reason=f"rank {entry.rank} of {board.id} {span}",
        )
        key = entry.customer.encode()
        partition = partition_of(key, self._stage.partitions)
        self._context.emit(self._stage.commands_topic, partition, key, command)
        self._points += points


def _rank(entry: Entry) -> tuple[int, int, str]:
    customer, score, reached, _ = entry
    return -score, reached, customer


def _digest(entries: Sequence[Entry]) -> bytes:
    return hashlib.blake2b(_pack(entries), digest_size=16).digest()


# A state's key: what it is, its board, its period and its partition, by line feeds, which ids never hold.


def _part_key(board_id: str, span: str, partition: int) -> bytes:
    return f"part\n{board_id}\n{span}\n{partition}".encode()


def _published_key(board_id: str, span: str) -> bytes:
    return f"published\n{board_id}\n{span}".encode()


def _passed_key(board_id: str) -> bytes:
    return f"passed\n{board_id}".encode()

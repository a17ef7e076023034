"""The boards stage: point events in; out go the first places of its partition to the owner of each board.

It reads points-events beside other stages, and from the ledger how far the partition's time has come.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final, assert_never

import msgspec

from loyalty_stream.app.campaign_topic import LiveRules
from loyalty_stream.app.open_boards import STATE, OpenBoard, OpenBoards, RowCodec, State
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import boards
from loyalty_stream.domain.announcements import Announcement
from loyalty_stream.domain.board_scores import Row
from loyalty_stream.domain.boards import BoardEvent, Chosen, Left, Scored, TakenBack
from loyalty_stream.domain.rules import Board, Rules
from loyalty_stream.domain.standings import Entry, PartMessage, PartPassed, PartTold
from loyalty_stream.engine.log import Record
from loyalty_stream.engine.stage import Context, Decoded
from loyalty_stream.engine.table import Codec
from loyalty_stream.wire import board_events, standings
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.standings import LedgerTime

NAME: Final = "boards"
TELL_SECONDS: Final = 0.5
"""A partition tells of its first places at most so often; the owner publishes once a second."""


class BoardSink:
    """Takes the counts of committed transactions; this one drops them. The metrics are another."""

    def boards_kept(self, counts: Mapping[str, int]) -> None:
        """Events by outcome: `counted`, `late`: after the close of a period that they belong to."""

    def boards_published(self, changed: Mapping[str, int], closed: Mapping[str, int], points: int) -> None:
        """Standings published by board, running and final, and points that ranks were rewarded with."""


class BoardStage:
    """What the engine drives. `clock` gives seconds: it says how often anything is told, and nothing else."""

    name = NAME
    codec = RowCodec()
    side_tables: Mapping[str, Codec] = {}

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        partitions: int,
        counts: BoardSink,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.rules = rules
        self.partitions = partitions
        self.events_topic = settings.topic("points-events")
        self.times_topic = settings.topic("board-times")
        self.parts_topic = settings.topic("board-parts")
        self.campaigns_topic = settings.topic("campaigns")
        self.changelog = settings.changelog_of(NAME)
        self.count_sink = counts
        self.clock = clock

    @property
    def inputs(self) -> Sequence[str]:
        return (self.times_topic, self.events_topic)

    @property
    def broadcasts(self) -> Sequence[str]:
        """The windows of campaigns, where they are periods."""
        return (self.campaigns_topic,) if any(b.period == "campaign" for b in self.rules.boards) else ()

    def processor(self, context: Context) -> "BoardProcessor":
        return BoardProcessor(self, context)


class BoardProcessor:
    """One partition of the stage.

    The partition has passed an instant when the ledger has told that its time has, and either an event of that
    time or later was read, or all that there was when it was told.
    """

    def __init__(self, stage: BoardStage, context: Context) -> None:
        self.time = 0
        self._stage = stage
        self._context = context
        self._table = context.table
        self._live_rules = LiveRules(stage.rules)
        self._behind = True
        """The rules have changed, or nothing was done yet: the table is read once all campaigns are known."""
        self._boards: OpenBoards | None = None
        self._state = State()
        self._stored = State()
        self._next_close = 0
        """The next instant, after what has passed, at which a period of any board closes."""
        self._told_at = 0.0
        self._counted = 0

    # -- what the engine calls --------------------------------------------------------------------------

    def restored(self) -> None:
        self._state = self._table.get(STATE) or State()
        self._stored = msgspec.structs.replace(self._state)
        if self._state.since >= 0:
            # A board that is new to the programme learns it as well; the others hear it again.
            self._tell_passed(self._stage.rules.boards)
            self._await_all(self._state.told)

    def decode(self, topic: str, record: Record) -> Decoded:
        value = record.value or b""
        try:
            if topic == self._stage.times_topic:
                told = standings.decode_time(value)
                return told.time, told
            event = board_events.read(value)
        except (ValueError, RecursionError):  # verify tells of it; here it counts nothing
            return 0, None
        return (0, None) if event is None else (event.at, event)

    def process(self, topic: str, record: Record, event: BoardEvent | LedgerTime | None) -> None:
        del topic
        if event is None:
            return
        kept = self._boards if not self._behind and self._boards is not None else self._learn()
        if event.__class__ is LedgerTime:
            self._hear_time(event.time)
            return
        at, stamp = event.at, record.timestamp  # type: ignore[union-attr]  # asked before
        if stamp is not None and stamp < at:
            at = stamp  # a wrong clock moves no period
        state = self._state
        if at > state.latest:
            state.latest = at
            if at >= self._next_close:
                self._pass(min(at, state.told))
        customer = record.key
        if customer is None:
            return
        self._counted += 1
        match event:
            case Scored():  # first, for nearly all of them are
                kept.score(customer, event)
            case TakenBack():
                kept.take_back(customer, event.parts)
            case Chosen():
                kept.choose(customer, event)
            case Left():
                kept.leave(customer)
            case LedgerTime():
                pass  # heard before
            case _:
                assert_never(event)

    def advance(self, time: int) -> None:
        """The wall clock closes nothing here: the ledger tells its time."""
        self.time = max(self.time, time)

    def proceed(self) -> bool:
        """Tell of places that have changed, and do a slice of what is too much for one go."""
        kept = self._learn()
        more = kept.proceed()
        now = self._stage.clock()
        if now - self._told_at >= TELL_SECONDS:
            told = [self._tell(known) for known in kept.open if known.ranking.changed]
            if any(told):
                self._told_at = now
        if self._state != self._stored:
            self._stored = msgspec.structs.replace(self._state)
            self._table.touch(STATE, self._state)
        return more

    def committed(self) -> None:
        kept = self._learn()
        self._stage.count_sink.boards_kept({"counted": self._counted, "late": kept.late})
        self._counted = kept.late = 0

    def heard(self, topic: str, record: Record) -> None:
        """A campaign is told of, whose window may be a period. What is wrong the ledger sets aside."""
        del topic  # there is one
        said = wire.decode("campaigns", record.key, record.value, record.timestamp)
        if isinstance(said, wire.Decoded):
            fact: Announcement = said.fact  # type: ignore[assignment]  # the topic takes no other
            self._live_rules.hear(fact)
            self._behind = True

    def refuse(self, topic: str, record: Record, error: str) -> None:
        """The event stays in points-events and counts on no board. The task has logged why."""

    def next_close(self) -> int:
        """When (ms) a period closes next in which somebody has a score; for whoever drives it by hand."""
        return self._learn().next_close()

    # -- time -------------------------------------------------------------------------------------------

    def _hear_time(self, time: int) -> None:
        state = self._state
        if state.since < 0:
            state.since = time
            self._tell_passed(self._stage.rules.boards)
        if time > state.told:
            state.told = time
            self._pass(min(state.latest, time))
            if time >= self._next_close:
                self._await_all(time)

    def _await_all(self, time: int) -> None:
        """Once all that there is by now was read, what came before the ledger's time was `time` is in it."""
        self._context.once_caught_up(lambda: self._pass(time))

    def _pass(self, time: int) -> None:
        """The partition has passed `time` (ms): tell of what closes by it, for good."""
        if time < self._next_close:
            return
        before, self._state.passed = self._state.passed, time
        for known in self._learn().close(time):
            self._tell(known)
        rules = self._live_rules.current
        self._tell_passed(
            [
                board
                for board in rules.boards
                if boards.next_close(board, before, rules.zone, rules.book) <= time
            ]
        )
        self._look_ahead()

    def _look_ahead(self) -> None:
        rules = self._live_rules.current
        self._next_close = boards.next_close_of(rules.boards, self._state.passed, rules.zone, rules.book)

    def _learn(self) -> OpenBoards:
        """The boards under the rules as they are now."""
        kept, rules = self._boards, self._live_rules.current
        if kept is None:
            kept = self._boards = OpenBoards(rules, self._table)
            kept.restored(self._state.passed)
            self._look_ahead()
        elif self._behind:
            kept.learn(rules)
            self._look_ahead()
        self._behind = False
        return kept

    # -- what the owner is told -------------------------------------------------------------------------

    def _tell(self, known: OpenBoard) -> bool:
        """Tell the first places, unless they have to be looked for first."""
        if not known.ranking.is_exact:
            return False
        known.ranking.changed = False
        self._send(
            PartTold(
                board=known.board.id,
                span=known.span.name,
                starts_at=known.span.starts_at,
                ends_at=known.span.ends_at,
                closes_at=known.closes_at,
                partition=self._context.partition,
                time=self._state.latest,
                entries=tuple([self._entry(*place) for place in known.ranking.first()]),
            )
        )
        return True

    def _entry(self, negative: int, reached: int, customer: bytes) -> Entry:
        row = self._table.get(customer)
        alias = row.alias if isinstance(row, Row) else ""
        return customer.decode(), -negative, reached, alias

    def _tell_passed(self, which: Sequence[Board]) -> None:
        state = self._state
        for board in which:
            self._send(PartPassed(board.id, self._context.partition, state.passed, max(0, state.since)))

    def _send(self, told: PartMessage) -> None:
        key = told.board.encode()
        partition = partition_of(key, self._stage.partitions)
        self._context.emit(self._stage.parts_topic, partition, key, standings.encode_part(told))

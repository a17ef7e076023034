"""A replay without a broker: events one a line in, point events one a line out (EVENTS.md).

It drives the ledger's own processor, one partition under the event clock, and holds no rule; nor does it know
Kafka, transactions or topics' names.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, TextIO

import msgspec
from msgspec import Struct

from loyalty_stream.app.account_table import Entry
from loyalty_stream.app.allocation import AllocationStage
from loyalty_stream.app.allocation_counts import AllocationSink
from loyalty_stream.app.board_owner import LeaderboardStage
from loyalty_stream.app.board_stage import BoardProcessor, BoardSink, BoardStage
from loyalty_stream.app.by_hand import Line, Network, StageByHand
from loyalty_stream.app.ledger import ALL_AT_ONCE, NO_OFFSET, LedgerProcessor, LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import tiers
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.announcements import Announcement
from loyalty_stream.domain.events import EVENT_TYPE
from loyalty_stream.domain.facts import Moment, OrderRefunded
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.stage import Context, Processor, TimerFailedError
from loyalty_stream.programme import ProgrammeError, compile_rules, load_programme
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.dead_letter import verdict
from loyalty_stream.wire.instants import YEAR_2000_MS, YEAR_3000_MS, instant_ms
from loyalty_stream.wire.reasons import Reason

__all__ = ["BadLine", "Simulation", "run", "simulate"]

OK: Final = 0
BAD_LINES: Final = 1
BAD_PROGRAMME: Final = 2

CLOCK_ADVANCED: Final = "clock-advanced"
STORE_EVERY_LINES: Final = 10_000
"""Accounts touched since are kept decoded (some 3 KB each), the others as bytes only (some hundred)."""
CACHED_ACCOUNTS: Final = 50_000
CHUNK_BYTES: Final = 1 << 18

Write = Callable[[bytes], object]


def run(
    programme: Path,
    source: TextIO | BinaryIO,
    *,
    out: TextIO | BinaryIO,
    err: TextIO,
    types: Iterable[str] = (),
    balances: bool = False,
) -> int:
    """Replay `source` under a programme file and write what comes of it to `out`; returns the exit status.

    0: every line was taken; 1: bad lines were reported to `err`; 2: the programme can't be used, and `err` says
    why. With `balances` the accounts at the end are written instead of the events; `types` picks types of events,
    none: all.
    """
    try:
        rules = compile_rules(load_programme(programme))
    except ProgrammeError as error:
        err.write(f"{error}\n")
        return BAD_PROGRAMME
    picked = frozenset(types)
    never = sorted(picked.difference(EVENT_TYPE.values()))
    err.writelines(f"warning: --type {name}: this version writes no such event\n" for name in never)
    write, flush = _writer(out)
    bad = 0
    for bad_line in simulate(rules, _lines(source, flush), write, types=picked, balances=balances):
        bad += 1
        err.write(f"line {bad_line.number}: {bad_line.reason}: {bad_line.message}\n")
    flush()
    return BAD_LINES if bad else OK


class BadLine(NamedTuple):
    """A line that was not applied, counted from 1, and why."""

    number: int
    reason: Reason
    message: str


def simulate(
    rules: Rules,
    lines: Iterable[bytes],
    write: Write,
    *,
    types: frozenset[str] = frozenset(),
    balances: bool = False,
) -> Iterator[BadLine]:
    """Apply the lines one after the other and write what each makes before the next; yields the bad ones.

    Nothing happens but by iterating. Blank lines are counted and skipped. A bad line changes nothing and does
    not move the clock, but for a refund, which is judged when its time has come.
    """
    simulation = Simulation(rules)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        events, bad = simulation.apply(number, line)
        if not balances:
            for event in events:
                if not types or _type_of(event).type in types:
                    write(event + b"\n")
        if bad is not None:
            yield bad
        yield from simulation.late()
        if number % STORE_EVERY_LINES == 0:
            simulation.store()
    if balances:
        for balance in simulation.balances():
            write(balance + b"\n")


class Simulation:
    """One partition of the ledger and of what it asks, by hand. Its clock is the latest `time` of the lines applied."""

    def __init__(self, rules: Rules) -> None:
        settings = Settings()
        self._stage = _SteppingStage(settings, rules, 1, CountSink())
        self._stage.slice_accounts = (
            ALL_AT_ONCE  # what falls due is done before the line that brings it about
        )
        self._ledger = StageByHand(self._stage, CACHED_ACCOUNTS)
        owner = AllocationStage(settings, rules, 1, AllocationSink())
        self._stages = [self._ledger, StageByHand(owner, CACHED_ACCOUNTS)]
        self._boards: StageByHand | None = None
        if rules.boards:
            self._boards = StageByHand(
                BoardStage(settings, rules, 1, BoardSink(), _stopped_clock), CACHED_ACCOUNTS
            )
            leaders = LeaderboardStage(settings, rules, 1, BoardSink(), _stopped_clock)
            self._stages += [self._boards, StageByHand(leaders, CACHED_ACCOUNTS)]
        self._network = Network(self._stages)
        self._stage.before_moving = self._close_boards
        self._since_stored: list[_Step] = []
        self._announced: list[Line] = []
        """What every processor hears, of before `store`."""
        self._refunds: dict[_Named, int] = {}
        """The lines of refunds that may have to wait for their payments before they can be judged."""
        self._late: list[BadLine] = []

    def apply(self, number: int, line: bytes) -> tuple[list[bytes], BadLine | None]:
        """The events of what falls due before the line and of the line, as JSON; and why it is bad, if it is.

        Raises TimerFailedError when what falls due cannot be done: a defect of the ledger.
        """
        step = self._read(number, line)
        if isinstance(step, BadLine):
            return [], step
        self._since_stored.append(step)
        if isinstance(step.event, wire.Decoded) and isinstance(step.event.fact, OrderRefunded):
            fact = step.event.fact
            self._refunds[_Named(fact.subject, fact.source, fact.id)] = number
        try:
            self._do(step)
        except TimerFailedError:
            raise  # no fault of this line, and the next one would meet it again
        except Exception as error:  # noqa: BLE001 - as the engine does: the line is set aside, the rest goes on
            self._go_back(step, error)
        return self._collect(number)

    def late(self) -> list[BadLine]:
        """The lines before this one that have turned out to be bad since the last time this was asked."""
        late, self._late = self._late, []
        return late

    def store(self) -> None:
        """Put touched accounts back as bytes, so that memory holds few decoded ones."""
        for each in self._stages:
            each.store()
        self._announced += [step.line for step in self._since_stored if _is_announcement(step)]
        self._since_stored.clear()

    def balances(self) -> Iterator[bytes]:
        """One JSON object for every customer who has an account, in the order of their ids."""
        self.store()
        table = self._ledger.table
        for key in sorted(key for key, _ in table.committed_items()):
            entry: Entry = table.get(key)
            yield _encode(_balance(key.decode(), entry.account, self._stage.rules))

    def _read(self, number: int, line: bytes) -> "_Step | BadLine":
        event = wire.decode_line(line)
        if isinstance(event, wire.Decoded):
            return _Step(Line(number, event.fact.subject.encode(), line), event)
        return (_read_clock(number, line) if _is_clock(line) else None) or _Step(
            Line(number, None, line), event
        )

    def _do(self, step: "_Step") -> None:
        ledger = self._ledger.processor
        if isinstance(step.event, int):
            ledger.advance(step.event)
        else:
            if _is_announcement(step):
                self._network.heard(self._stage.campaigns_topic, step.line)
            ledger.process("", step.line, step.event)
        self._network.settle(step.line.offset)

    def _close_boards(self, time: int) -> None:
        """Close the periods that are over by `time` (ms), with all that it sets off, in the order of their closes."""
        if self._boards is None:
            return
        boards: BoardProcessor = self._boards.processor  # type: ignore[assignment]  # its stage makes these
        closed = -1
        while (close := boards.next_close()) <= time:
            assert close > closed  # or it would never end
            self._stage.advance_to(self._ledger.processor, close)
            self._network.settle(0)
            closed = close

    def _collect(self, number: int) -> tuple[list[bytes], BadLine | None]:
        events: list[bytes] = []
        bad = None
        for each in self._stages:
            for topic, _, outputs in each.context.written():
                if topic == self._stage.events_topic:
                    events = [value for _, value, _ in outputs if value is not None]
                elif topic == self._stage.dead_letters_topic:
                    for _, value, headers in outputs:
                        said = verdict(headers)
                        if said.place.offset == NO_OFFSET:
                            number_then = self._refunds.get(_named(value or b""), number)
                            self._late.append(BadLine(number_then, said.reason, said.message))
                        else:
                            bad = BadLine(number, said.reason, said.message)
        self._network.clear()
        return events, bad

    def _go_back(self, failed: "_Step", error: Exception) -> None:
        """Applying a line raised, and may have left accounts half changed: do the lines since `store` again."""
        self._network.clear()
        for each in self._stages:
            each.go_back()
        for line in self._announced:
            self._network.heard(self._stage.campaigns_topic, line)
        self._since_stored.pop()
        for step in self._since_stored:
            self._do(step)
        self._network.clear()
        self._ledger.processor.refuse("", failed.line, f"applying it raised {error!r}")


class _SteppingStage(LedgerStage):
    """The ledger, which stops before it moves its time: what falls due elsewhere on the way comes first."""

    before_moving: Callable[[int], None]

    def processor(self, context: Context) -> LedgerProcessor:
        return _SteppingLedger(self, context)

    @staticmethod
    def advance_to(ledger: Processor, time: int) -> None:
        """Move the ledger's time without stopping."""
        assert isinstance(ledger, LedgerProcessor)
        LedgerProcessor.advance(ledger, time)


class _SteppingLedger(LedgerProcessor):
    """See `_SteppingStage`."""

    def __init__(self, stage: _SteppingStage, context: Context) -> None:
        super().__init__(stage, context)
        self._stepping = stage

    def _move_to(self, at: int, timestamp: int | None) -> None:
        if at > self.time:
            self._stepping.before_moving(at)
        super()._move_to(at, timestamp)

    def advance(self, time: int) -> None:
        if time > self.time:
            self._stepping.before_moving(time)
        super().advance(time)


def _stopped_clock() -> float:
    """Nobody reads running standings here, so it is never time to tell of them; final ones do not wait for it."""
    return 0.0


def _balance(customer: str, account: Account, rules: Rules) -> dict[str, str | int | None]:
    return {
        "customer": customer,
        "available": account.available,
        "pending": account.pending,
        "held": account.held,
        "debt": account.debt,
        "tier": tiers.current(account, rules) or None,
        "granted": account.granted,
        "redeemed": account.redeemed,
        "expired": account.expired,
        "revoked": account.revoked,
        "restored": account.restored,
    }


# -- one line -------------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """A line, and what it says: an event, why it is none, or an instant (ms) to move the clock to."""

    line: Line
    event: wire.Decoded | wire.Refused | int


def _is_announcement(step: _Step) -> bool:
    """Whether the line tells of a campaign, which every worker hears."""
    return isinstance(step.event, wire.Decoded) and isinstance(step.event.fact, Announcement)


class _Named(Struct, frozen=True):
    subject: str
    source: str
    id: str


class _Typed(Struct):
    type: str


class _ClockAdvanced(Struct, tag_field="type", tag=CLOCK_ADVANCED):
    time: Moment


_encode: Final = msgspec.json.Encoder().encode
_named: Final = msgspec.json.Decoder(_Named).decode
_type_of: Final = msgspec.json.Decoder(_Typed).decode
_clock_of: Final = msgspec.json.Decoder(_ClockAdvanced).decode


def _is_clock(line: bytes) -> bool:
    try:
        return _type_of(line).type == CLOCK_ADVANCED
    except (ValueError, RecursionError):
        return False


def _read_clock(number: int, line: bytes) -> _Step | BadLine:
    """What a line of type `clock-advanced` says; it needs a `time` and nothing else."""
    try:
        at = instant_ms(_clock_of(line).time)
    except ValueError:
        message = "`$.time`: expected RFC 3339 with an offset, such as 2026-01-15T10:00:00+08:00"
        return BadLine(number, Reason.INVALID_TIME, message)
    if at < YEAR_2000_MS:
        return BadLine(number, Reason.TIME_BEFORE_2000, "`$.time`: before the year 2000")
    if at >= YEAR_3000_MS:
        return BadLine(number, Reason.TIME_IN_FUTURE, "`$.time`: in the year 3000 or later")
    return _Step(Line(number, None, line), at)


# -- streams --------------------------------------------------------------------------------------------


def _lines(source: TextIO | BinaryIO, before_waiting: Callable[[], object]) -> Iterator[bytes]:
    """The lines of a stream as soon as they are there; what was made of them goes out before more is waited for."""
    binary: Any = getattr(source, "buffer", source)
    if isinstance(binary, io.TextIOBase):  # a text without bytes beneath
        yield from (line.encode() for line in binary)
        return
    read: Callable[[int], bytes] = binary.read1 if isinstance(binary, io.BufferedIOBase) else binary.read
    pieces: list[bytes] = []
    while chunk := read(CHUNK_BYTES):
        head, *lines = chunk.split(b"\n")
        pieces.append(head)
        if lines:
            yield b"".join(pieces)
            yield from lines[:-1]
            pieces = [lines[-1]]
        before_waiting()
    yield b"".join(pieces)


def _writer(out: TextIO | BinaryIO) -> tuple[Write, Callable[[], object]]:
    """How bytes are written to a stream, and how it is flushed."""
    out.flush()
    binary: Any = getattr(out, "buffer", out)
    if isinstance(binary, io.TextIOBase):
        return lambda value: binary.write(value.decode()), binary.flush
    return binary.write, binary.flush

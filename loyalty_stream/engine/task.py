"""One partition of one stage: reads, processes and commits, one micro-batch in one transaction.

Everything that arrives while a transaction is in flight joins the next one (group commit). After any error
between begin and commit the state is dropped and restored from the changelog: there is no repair code.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import monotonic

from loyalty_stream.engine.broadcast import Broadcast, Silence
from loyalty_stream.engine.inbox import Inbox, Item
from loyalty_stream.engine.log import NO_HEADERS, FencedError, LogError, Output, TaskLog
from loyalty_stream.engine.observer import Observer
from loyalty_stream.engine.stage import (
    TOGETHER,
    Context,
    OutputFailedError,
    Processor,
    Stage,
    TimerFailedError,
)
from loyalty_stream.engine.table import Codec, Table
from loyalty_stream.engine.value_store import FileStore, MemoryStore

logger = logging.getLogger(__name__)

TIME_KEY = b"\x00time"
"""The changelog's record of the partition's time. No application key may start with a zero byte."""

IDLE_TIME_MS = 60_000
"""An idle partition stores its time this often, so that what waits for all partitions' time goes on."""

STALE_TOLD_SECONDS = 10.0
"""How long a task waits for what is broadcast before it says so, and how often then. At its start it waits a moment."""


class Clock(StrEnum):
    """What moves a partition's time: its events alone, or the wall clock too once all input is read."""

    EVENTS = "events"
    WALL = "wall"


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How a task works. Times in seconds."""

    batch_records: int = 12_000
    """The most records in one transaction. The more, the fewer times a state that is touched again is stored.

    It only counts while a backlog is worked off, where so many take about a second; else a transaction has what
    arrived during the one before.
    """
    slice_records: int = 500
    """After so many records, some 10 ms of work, the other partitions and the network get their turn."""
    tick: float = 1.0
    """How often an idle task looks what has fallen due."""
    patience: float = 10.0
    """How long a topic whose records are late holds back the others."""
    backoff: tuple[float, float] = (0.1, 5.0)
    """First and longest pause before a task starts over; it doubles."""
    poison_tries: int = 3
    """A record whose processing fails so often is set aside."""
    poison_in_a_row: int = 10
    """After so many set aside with none applied between them it is not the records: the partition waits."""
    cached_states: int = 20_000
    """Decoded states kept at hand, of each partition."""
    tables: Path | None = None
    """A directory for the tables' files; None: the tables are in memory."""
    clock: Clock = Clock.WALL
    wall_ms: Callable[[], int] = lambda: 0


class ProcessingFailedError(Exception):
    """The stage raised on a record: a defect of the stage, told with its place."""

    def __init__(self, topic: str, offset: int, error: Exception, in_a_row: int) -> None:
        super().__init__(f"processing {topic}@{offset} raised {error!r}")
        self.where = (topic, offset)
        self.in_a_row = in_a_row
        """How many records right before it are set aside already."""
        self.trace = "".join(traceback.format_exception(error))


class PartitionTask:
    """Runs until `stop`. Read `table` and `processor` from outside only between transactions."""

    def __init__(
        self,
        stage: Stage,
        partition: int,
        log: TaskLog,
        options: TaskOptions,
        observer: Observer,
        broadcast: Broadcast | None = None,
    ) -> None:
        self.stage = stage
        self.partition = partition
        self.ready = False
        """The table is restored."""
        self.waits_for: Sequence[str] = ()
        """Broadcast topics that may hold records which were not read yet; nothing is processed until they are."""
        self._log = log
        self._options = options
        self._slice = min(options.slice_records, options.batch_records)
        self.table, self.side_tables = self._new_tables()
        self._observer = observer
        self._broadcast = Silence() if broadcast is None else broadcast
        self._heard = 0
        self._stale_since = 0.0
        """When it began to wait for what is broadcast, or said so last; 0: it does not wait."""
        self._stopping = False
        self._stop_event = asyncio.Event()
        self._failures: dict[tuple[str, int], int] = {}
        self._poison: dict[tuple[str, int], str] = {}
        self._refused_in_a_row = 0
        self._ticked = 0.0
        self._stored_time = 0
        self._busy = True
        self._waiting: tuple[Mapping[str, int], list[Callable[[], None]]] | None = None
        """What is to be called once the inputs are processed up to these ends."""
        self._together = TOGETHER
        """How many outputs are encoded in a row."""
        self._context = Context(partition, self.table, self.side_tables)
        self._processor: Processor = stage.processor(self._context)
        self._inbox = Inbox({}, {}, self._processor)

    @property
    def at_work(self) -> bool:
        """Whether it processes what arrives."""
        return self.ready and not self.waits_for

    @property
    def time(self) -> int:
        """The partition's time, in ms."""
        return self._processor.time

    def lag(self) -> dict[str, int]:
        """Records not yet applied, by topic, as far as the ends are known."""
        return self._inbox.lag()

    def stop(self) -> None:
        """Finish the transaction in flight and end `run`."""
        self._stopping = True
        self._stop_event.set()
        self._log.wake()

    async def run(self) -> None:
        """Work until `stop`, starting over after every error. Raises only when cancelled."""
        first, longest = self._options.backoff
        pause = first
        while not self._stopping:
            try:
                await self.open()
                pause = first
                while not self._stopping:
                    await self.step()
            except Exception as error:  # noqa: BLE001 - any error at all means: drop the state and restore
                await self._start_over(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop_event.wait(), pause)
                pause = min(longest, pause * 2)
        self.ready = False
        await self._log.close()
        self._close_tables()

    async def open(self) -> None:
        """Fence earlier owners, restore the tables and learn where to read on."""
        self.ready = False
        started = monotonic()
        committed = await self._log.fence()
        self._close_tables()
        self.table, self.side_tables = self._new_tables()
        self._context = Context(self.partition, self.table, self.side_tables, self._together)
        self._processor = self.stage.processor(self._context)
        records = 0
        async for chunk in self._log.changelog():
            self.table.restore_all(chunk)
            records += len(chunk)
            self._observer.restoring(self.stage.name, self.partition, records)
        if (time := self.table.take_out(TIME_KEY)) is not None:
            self._processor.time = int(time)
        for topic, side in self.side_tables.items():
            async for chunk in self._log.changelog(topic):
                side.restore_all(chunk)
                records += len(chunk)
                self._observer.restoring(self.stage.name, self.partition, records)
            side.take_out(TIME_KEY)  # it may have been the first of a stage that is no more
        self._processor.restored()
        self._busy = True
        self._heard = 0
        ends = await self._log.end_offsets()
        starts = {topic: committed.get(topic, 0) for topic in self.stage.inputs}
        self._inbox = Inbox(starts, ends, self._processor)
        self._stored_time = self._processor.time
        self.waits_for = self.stage.broadcasts  # nothing of them was heard yet
        self._waiting = None
        self.ready = True
        self._observer.restored(self.stage.name, self.partition, records, monotonic() - started)
        logger.info(
            "%s-%d: restored %d accounts from %d changelog records in %.2f s, reads on at %s",
            self.stage.name, self.partition, len(self.table), records, monotonic() - started, self._inbox.offsets(),
        )  # fmt: skip

    async def step(self) -> None:
        """Apply what is at hand or arrives within a tick, in one transaction; then see what has fallen due."""
        at_hand = len(self._inbox) > 0
        await self._read(0.0 if at_hand or self._busy else self._options.tick)
        if not await self._listen():
            return
        items, patient = self._inbox.take(self._slice), True
        if not items and at_hand:
            items, patient = await self._await_others()
        if items:
            await self._transact(items, patient=patient)
        elif self._busy:
            await self._go_on()
        await self._catch_up()
        if not len(self._inbox) and monotonic() - self._ticked >= self._options.tick:
            await self._tick()

    def _new_tables(self) -> tuple[Table, dict[str, Table]]:
        stage = self.stage
        return self._new_table(stage.codec), {
            topic: self._new_table(codec) for topic, codec in stage.side_tables.items()
        }

    def _new_table(self, codec: Codec) -> Table:
        directory = self._options.tables
        store = MemoryStore() if directory is None else FileStore(directory)
        return Table(codec, self._options.cached_states, store)

    def _close_tables(self) -> None:
        for table in (self.table, *self.side_tables.values()):
            table.close()

    async def _read(self, wait: float) -> None:
        for batch in await self._log.read(wait):
            self._inbox.add(batch)

    async def _listen(self) -> bool:
        """Tell the processor what was broadcast; False, and nothing may be processed, while that is not known."""
        topics = self.stage.broadcasts
        if not topics:
            return True
        if not await self._broadcast.fresh(self._options.tick):
            self.waits_for = topics
            if not self._stale_since:
                self._stale_since = monotonic()
            elif monotonic() - self._stale_since > STALE_TOLD_SECONDS:
                self._stale_since = monotonic()
                logger.warning(
                    "%s-%d waits: %s may hold records that were not read yet; it goes on once they are",
                    self.stage.name, self.partition, ", ".join(topics),
                )  # fmt: skip
            return False
        self.waits_for = ()
        self._stale_since = 0.0
        for heard in self._broadcast.since(self._heard):
            self._heard += 1
            if heard.topic in topics:
                self._processor.heard(heard.topic, heard.record)
                self._busy = True
        return True

    async def _await_others(self) -> tuple[list[Item], bool]:
        """Something is at hand, but another topic may hold earlier events that have not arrived: wait for it.

        What can be taken then, and whether the wait was worth it: if not, nothing waits for now.
        """
        since = monotonic()
        while not self._stopping and monotonic() - since < self._options.patience:
            await self._read(self._options.tick)
            if items := self._inbox.take(self._slice):
                return items, True
        return [] if self._stopping else self._inbox.take(self._slice, patient=False), False

    async def _transact(self, items: list[Item], *, patient: bool = True) -> None:
        """Apply these items and what is at hand after them, slice by slice, and commit."""
        started = monotonic()
        left = self._options.batch_records
        in_a_row = self._refused_in_a_row
        events = 0
        await self._log.begin()
        while items:
            left -= len(items)
            in_a_row = self._process(items, in_a_row)
            events += await self._append_written()
            items = self._inbox.take(min(left, self._slice), patient=patient)
            if items:
                await asyncio.sleep(0)
        self._busy = self._processor.proceed()
        await self._commit(self._options.batch_records - left, events, started)
        self._refused_in_a_row = in_a_row

    def _process(self, items: list[Item], in_a_row: int) -> int:
        """Apply the items; `in_a_row`: how many records right before are set aside, and before what comes next.

        Each is let go of once it is applied: its memory, which is in the processor's caches, is the next one's.
        """
        process, poison = self._processor.process, self._poison
        items.reverse()
        while items:
            _, topic, record, event = items.pop()
            if poison and (topic, record.offset) in poison:
                self._processor.refuse(topic, record, poison[topic, record.offset])
                in_a_row += 1
                continue
            try:
                process(topic, record, event)
            except (TimerFailedError, OutputFailedError):
                raise  # no fault of this record, as far as is known
            except Exception as error:
                raise ProcessingFailedError(topic, record.offset, error, in_a_row) from error
            in_a_row = 0
        return in_a_row

    async def _go_on(self) -> None:
        """Nothing has arrived: a slice of the work that no record asked for."""
        started = monotonic()
        self._busy = self._processor.proceed()
        if self._has_changes():
            await self._commit_alone(started)

    async def _catch_up(self) -> None:
        """Call what waits until all that there was when it began to wait is processed."""
        if self._waiting is None and (waiting := self._context.take_waiting()):
            self._waiting = (await self._log.end_offsets(), waiting)
        if self._waiting is not None and self._inbox.taken_to(self._waiting[0]):
            started = monotonic()
            (_, waiting), self._waiting = self._waiting, None
            for then in waiting:
                then()
            self._busy = True
            if self._has_changes():
                await self._commit_alone(started)

    async def _tick(self) -> None:
        """Everything at hand is applied. If that is all there is, the wall clock may move the partition's time."""
        self._ticked = monotonic()
        self._busy = True  # what a processor has put off for a while goes on without a record, too
        wall = self._options.wall_ms() if self._options.clock is Clock.WALL else 0
        if wall <= self._processor.time or not self._inbox.read_to(await self._log.end_offsets()):
            return
        self._processor.advance(wall)
        if self._has_changes() or wall - self._stored_time >= IDLE_TIME_MS:
            await self._commit_alone(monotonic())

    def _has_changes(self) -> bool:
        tables = (self.table, *self.side_tables.values())
        return bool(self._context.written()) or any(table.has_changes for table in tables)

    async def _append_written(self) -> int:
        """Give what was written to the log, which copies it; how many records.

        After every slice: so near to their making they are in the processor's caches, and their memory is free for
        the next ones.
        """
        events = 0
        for topic, partition, written in self._context.written():
            await self._log.append(topic, partition, written)
            events += len(written)
            written.clear()
        return events

    async def _commit_alone(self, started: float) -> None:
        """Commit what no record asked for."""
        await self._log.begin()
        await self._commit(0, 0, started)

    async def _commit(self, records: int, events: int, started: float) -> None:
        """The last outputs, changelog and offsets into the transaction that is open, in this order; and its end.

        The order matters where there are no transactions: a crash then leaves outputs that are repeated, never
        a table or an offset ahead of its outputs. `records`, `events`: how many were applied and written before.
        """
        log = self._log
        events += await self._append_written()
        changes = self.table.changes()
        time = self._processor.time
        changelog: list[Output] = [(key, value, NO_HEADERS) for key, value in changes]
        changelog.append((TIME_KEY, b"%d" % time, NO_HEADERS))
        await log.append(self.stage.changelog, self.partition, changelog)
        sides = {topic: side.changes() for topic, side in self.side_tables.items() if side.has_changes}
        for topic, changed in sides.items():
            await log.append(topic, self.partition, [(key, value, NO_HEADERS) for key, value in changed])
        await log.add_offsets(self._inbox.offsets())
        await log.commit()
        self.table.committed(changes)
        for topic, changed in sides.items():
            self.side_tables[topic].committed(changed)
        self._stored_time = time
        self._processor.committed()
        self._observer.committed(
            self.stage.name, self.partition, records, events, len(changes), monotonic() - started
        )  # fmt: skip
        self._context.clear()

    async def _start_over(self, error: Exception) -> None:
        """Drop what is in memory. A record whose processing keeps failing is set aside after some tries."""
        self.ready = False
        if isinstance(error, ProcessingFailedError):
            failures = self._failures[error.where] = self._failures.get(error.where, 0) + 1
            logger.error(
                "%s-%d: %s (try %d)\n%s", self.stage.name, self.partition, error, failures, error.trace
            )
            if error.in_a_row >= self._options.poison_in_a_row:
                logger.critical(
                    "%s-%d waits: %d records in a row could not be processed, so it is not the records. "
                    "Deploy a version that can; nothing is lost, and it goes on by itself",
                    self.stage.name, self.partition, error.in_a_row,
                )  # fmt: skip
            elif failures >= self._options.poison_tries:
                self._poison[error.where] = str(error)
        elif isinstance(error, OutputFailedError):
            self._together = 1
            logger.error(
                "%s-%d: %s; starting over, and from now on each is encoded at once, so that the record is found",
                self.stage.name, self.partition, error,
            )  # fmt: skip
        elif isinstance(error, FencedError):
            logger.warning("%s-%d: fenced: %s; starting over", self.stage.name, self.partition, error)
        elif isinstance(error, LogError):
            logger.warning("%s-%d: %s; starting over", self.stage.name, self.partition, error)
        else:
            logger.error(
                "%s-%d: unexpected error; starting over", self.stage.name, self.partition, exc_info=error
            )
        self._observer.started_over(self.stage.name, self.partition, type(error).__name__)
        await self._log.close()

"""The log in memory: topics, transactions, fencing, offsets, and a crash at any step that a test asks for.

It behaves as Kafka does where the engine can see it: what is in an open or aborted transaction is invisible
to readers, `fence` aborts an earlier owner's open transaction, and a fenced owner can do nothing any more.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from loyalty_stream.engine.log import NO_HEADERS, Batch, FencedError, Guarantee, Headers, LogError, Output


class StoredRecord(NamedTuple):
    """A committed record of the in-memory log."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = NO_HEADERS


@dataclass(slots=True)
class _Transaction:
    writes: list[tuple[str, int, Sequence[Output]]] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)


class MemoryBroker:
    """What outlives a crash. `on_step` is called around each step's effect and may raise to crash there."""

    def __init__(self, wall_ms: Callable[[], int] = lambda: 0, *, transactions: bool = True) -> None:
        self.logs: dict[tuple[str, int], list[StoredRecord]] = defaultdict(list)
        self.offsets: dict[tuple[str, str, int], int] = {}
        """(stage, topic, partition) -> committed offset."""
        self.epochs: dict[tuple[str, int], int] = defaultdict(int)
        self.wall_ms = wall_ms
        self.transactions = transactions
        self.on_step: Callable[[str], None] = lambda _: None

    def produce(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Headers = NO_HEADERS,
    ) -> int:
        """Append one committed record; returns its offset."""
        log = self.logs[topic, partition]
        log.append(StoredRecord(len(log), self.wall_ms(), key, value, headers))
        return len(log) - 1


class MemoryLog:
    """One task's view of a `MemoryBroker`. `read_records` bounds what one read returns of each topic."""

    def __init__(
        self,
        broker: MemoryBroker,
        stage: str,
        partition: int,
        inputs: Sequence[str],
        changelog: str,
        read_records: int = 1_000,
    ) -> None:
        self._broker = broker
        self._owner = (stage, partition)
        self._stage = stage
        self._partition = partition
        self._inputs = tuple(inputs)
        self._changelog = changelog
        self._read_records = read_records
        self._epoch = -1
        self._positions: dict[str, int] = {}
        self._transaction: _Transaction | None = None

    @property
    def guarantee(self) -> Guarantee:
        return Guarantee.EXACTLY_ONCE if self._broker.transactions else Guarantee.EFFECTIVELY_ONCE

    async def fence(self) -> Mapping[str, int]:
        self._broker.on_step("fence")
        self._broker.epochs[self._owner] += 1
        self._epoch = self._broker.epochs[self._owner]
        self._transaction = None
        offsets = self._broker.offsets
        committed = {
            topic: offsets[self._stage, topic, self._partition]
            for topic in self._inputs
            if (self._stage, topic, self._partition) in offsets
        }
        self._positions = {topic: committed.get(topic, 0) for topic in self._inputs}
        return committed

    async def changelog(self, topic: str = "") -> AsyncIterator[Sequence[tuple[bytes, bytes | None]]]:
        self._broker.on_step("changelog")
        log = self._broker.logs[topic or self._changelog, self._partition]
        for start in range(0, len(log), 500):
            yield [(record.key or b"", record.value) for record in log[start : start + 500]]

    async def read(self, wait: float) -> Sequence[Batch]:  # noqa: ARG002 - nothing arrives while we wait
        self._broker.on_step("read")
        batches = []
        for topic in self._inputs:
            log = self._broker.logs[topic, self._partition]
            start = self._positions[topic]
            records = log[start : start + self._read_records]
            if records:
                self._positions[topic] = start + len(records)
                batches.append(Batch(topic, self._partition, records, self._positions[topic], len(log)))
        return batches

    async def end_offsets(self) -> Mapping[str, int]:
        self._broker.on_step("end_offsets")
        return {topic: len(self._broker.logs[topic, self._partition]) for topic in self._inputs}

    async def begin(self) -> None:
        self._check("begin")
        self._transaction = _Transaction()

    async def append(self, topic: str, partition: int, outputs: Sequence[Output]) -> None:
        self._check("append")
        # Copied: the task empties its lists.
        write = (topic, partition, list(outputs))
        if self._broker.transactions:
            self._open().writes.append(write)
        else:
            self._write(*write)
        self._check("appended")

    async def add_offsets(self, offsets: Mapping[str, int]) -> None:
        self._check("add_offsets")
        self._open().offsets.update(offsets)

    async def commit(self) -> None:
        self._check("commit")
        transaction = self._open()
        for write in transaction.writes:
            self._write(*write)
        for topic, offset in transaction.offsets.items():
            self._broker.offsets[self._stage, topic, self._partition] = offset
        self._transaction = None
        self._check("committed")

    async def close(self) -> None:
        self._transaction = None
        self._epoch = -1

    def wake(self) -> None:
        """Nobody waits here."""

    def _write(self, topic: str, partition: int, outputs: Sequence[Output]) -> None:
        for key, value, headers in outputs:
            self._broker.produce(topic, partition, key, value, headers=headers)

    def _open(self) -> _Transaction:
        if self._transaction is None:
            raise LogError("no transaction is open")
        return self._transaction

    def _check(self, step: str) -> None:
        self._broker.on_step(step)
        if self._epoch != self._broker.epochs[self._owner]:
            raise FencedError(f"{self._owner} has another owner since epoch {self._epoch}")

"""What an application gives to the engine: a stage, which makes one processor per partition.

The engine owns reading, ordering, transactions, tables and restore; a processor owns what a record means.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from loyalty_stream.engine.log import NO_HEADERS, Headers, Output, Record
from loyalty_stream.engine.table import Codec, Table

Decoded: TypeAlias = tuple[int, Any]
"""A record, read: its time in ms, which orders it among the task's topics, and the stage's own event."""


class TimerFailedError(Exception):
    """What fell due could not be done: a defect of the stage, and no record's fault."""


class Processor(Protocol):
    """One partition of a stage. It is called by one task, never concurrently, and does no I/O."""

    time: int
    """The partition's time in ms: the latest event time applied. The engine stores it with each commit."""

    def restored(self) -> None:
        """The table is complete and `time` is set; called once, before anything else."""
        ...

    def decode(self, topic: str, record: Record) -> Decoded:
        """Read a record. Never raises: what can't be read is an event of its own kind."""
        ...

    def process(self, topic: str, record: Record, event: Any) -> None:
        """Apply an event: read and touch the table, write outputs.

        Raises TimerFailedError where it is not the event that failed but something that fell due before it.
        """
        ...

    def advance(self, time: int) -> None:
        """The partition's time is now `time`: do what has fallen due."""
        ...

    def proceed(self) -> bool:
        """Do a slice, some 10 ms, of work that no record asked for and that is too much for one go.

        Returns whether there was any; then it is called again after the commit.
        """
        ...

    def committed(self) -> None:
        """What was processed since the last call is committed."""
        ...

    def heard(self, topic: str, record: Record) -> None:
        """A record of a broadcast topic, in the topic's order; all that there are come before the first `process`.

        Every processor hears every record, and again after each restore. Never raises.
        """
        ...

    def refuse(self, topic: str, record: Record, error: str) -> None:
        """Processing this record has failed again and again: set it aside and go on."""
        ...


def side_tables_in_memory(stage: "Stage") -> dict[str, Table]:
    """The stage's side tables, empty: for whoever drives a processor by hand."""
    return {topic: Table(codec) for topic, codec in stage.side_tables.items()}


class Context:
    """What a processor writes to. The task empties it with every transaction."""

    __slots__ = ("_outputs", "_waiting", "partition", "side_tables", "table")

    def __init__(
        self, partition: int, table: Table, side_tables: Mapping[str, Table] = MappingProxyType({})
    ) -> None:
        self.partition = partition
        self.table = table
        self.side_tables = side_tables
        """By changelog topic, as the stage declares them."""
        self._outputs: dict[tuple[str, int], list[Output]] = {}
        self._waiting: list[Callable[[], None]] = []

    def once_caught_up(self, then: Callable[[], None]) -> None:
        """Call `then` when all that the inputs hold by now has been processed, whatever arrives meanwhile.

        For what another stage tells by a topic of its own: what it wrote to others before is then known, too. It is
        forgotten when the task starts over.
        """
        self._waiting.append(then)

    def take_waiting(self) -> list[Callable[[], None]]:
        """Whoever drives the processor takes over what `once_caught_up` was given."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def output(self, topic: str, partition: int | None = None) -> Callable[[Output], None]:
        """The pen for a topic: call it with (key, value, headers). By default on the task's own partition."""
        where = (topic, self.partition if partition is None else partition)
        return self._outputs.setdefault(where, []).append

    def emit(
        self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers = NO_HEADERS
    ) -> None:
        """Write one record to any partition."""
        self._outputs.setdefault((topic, partition), []).append((key, value, headers))

    def written(self) -> list[tuple[str, int, list[Output]]]:
        """What was written since the last `clear`, by topic and partition."""
        return [
            (topic, partition, records) for (topic, partition), records in self._outputs.items() if records
        ]

    def clear(self) -> None:
        """Forget what was written; the pens stay valid."""
        for records in self._outputs.values():
            records.clear()


class Stage(Protocol):
    """A step of the topology: input topics of equal partition count, its tables, one processor a partition."""

    @property
    def name(self) -> str:
        """Part of the transactional id: it must never change for a deployed stage."""
        ...

    @property
    def inputs(self) -> Sequence[str]: ...

    @property
    def broadcasts(self) -> Sequence[str]:
        """Topics that every processor hears in full (`engine.broadcast`)."""
        ...

    @property
    def changelog(self) -> str: ...

    @property
    def codec(self) -> Codec: ...

    @property
    def side_tables(self) -> Mapping[str, Codec]:
        """More tables, by changelog topic: stored in the same transactions and restored as the first one is."""
        ...

    def processor(self, context: Context) -> Processor: ...

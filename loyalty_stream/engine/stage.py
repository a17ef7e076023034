"""What an application gives to the engine: a stage, which makes one processor per partition.

The engine owns reading, ordering, transactions, tables and restore; a processor owns what a record means.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

from loyalty_stream.engine.log import NO_HEADERS, Headers, Output, Record
from loyalty_stream.engine.table import Codec, Table

Decoded: TypeAlias = tuple[int, Any]
"""A record, read: its time in ms, which orders it among the task's topics, and the stage's own event."""


TOGETHER: Final = 64
"""So many outputs of a pen are encoded in a row."""


class OutputFailedError(Exception):
    """One of several outputs could not be encoded; which record it came of is not known."""


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


class Pen:
    """Writes what is encoded a little later, a few in a row.

    The code of a processor and that of an encoder push each other out of the caches for code, which are small; so
    they take turns once for many outputs. What is written must not change any more.
    """

    __slots__ = ("_encode", "_keys", "_outputs", "_together", "_unwritten")

    def __init__(self, outputs: list[Output], encode: Callable[[Any], bytes], together: int) -> None:
        self._outputs = outputs
        self._encode = encode
        self._together = together
        self._keys: list[bytes] = []
        self._unwritten: list[Any] = []
        """For each of the keys, what is to be encoded."""

    def write(self, key: bytes, what: Any) -> None:
        """Add a record. Raises OutputFailedError where one of those before it cannot be encoded either."""
        self._keys.append(key)
        self._unwritten.append(what)
        if len(self._keys) >= self._together:
            self.finish()

    def finish(self) -> None:
        """Encode what was not encoded yet."""
        keys, encode, outputs = self._keys, self._encode, self._outputs
        try:
            for place, what in enumerate(self._unwritten):
                outputs.append((keys[place], encode(what), NO_HEADERS))
        except Exception as error:
            if self._together == 1:
                raise
            raise OutputFailedError(f"one of {len(keys)} outputs: {error!r}") from error
        self.drop()

    def drop(self) -> None:
        """Forget what was not encoded yet."""
        self._keys.clear()
        self._unwritten.clear()


class Context:
    """What a processor writes to. The task empties it with every transaction.

    `together`: so many outputs of a pen are encoded in a row; with 1 it is seen which record one came of.
    """

    __slots__ = ("_outputs", "_pens", "_together", "_waiting", "partition", "side_tables", "table")

    def __init__(
        self,
        partition: int,
        table: Table,
        side_tables: Mapping[str, Table] = MappingProxyType({}),
        together: int = TOGETHER,
    ) -> None:
        self.partition = partition
        self.table = table
        self.side_tables = side_tables
        """By changelog topic, as the stage declares them."""
        self._outputs: dict[tuple[str, int], list[Output]] = {}
        self._pens: list[Pen] = []
        self._together = together
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
        """What to call with (key, value, headers) to write to a topic, by default to the task's own partition."""
        where = (topic, self.partition if partition is None else partition)
        return self._outputs.setdefault(where, []).append

    def pen(self, topic: str, encode: Callable[[Any], bytes]) -> Pen:
        """A pen for the task's own partition of a topic, to which nothing else is written."""
        pen = Pen(self._outputs.setdefault((topic, self.partition), []), encode, self._together)
        self._pens.append(pen)
        return pen

    def emit(
        self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers = NO_HEADERS
    ) -> None:
        """Write one record to any partition."""
        self._outputs.setdefault((topic, partition), []).append((key, value, headers))

    def written(self) -> list[tuple[str, int, list[Output]]]:
        """What was written since the last `clear`, by topic and partition."""
        for pen in self._pens:
            pen.finish()
        return [
            (topic, partition, records) for (topic, partition), records in self._outputs.items() if records
        ]

    def clear(self) -> None:
        """Forget what was written; the pens stay valid."""
        for pen in self._pens:
            pen.drop()
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

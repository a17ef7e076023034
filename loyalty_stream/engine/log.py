"""The log port: everything that a partition task asks of the outside world, and nothing more.

`kafka_log` implements it on aiokafka, `memory_log` in memory with transactions, fencing and a crash at any
step. The task calls it in one order: fence, changelog, then again and again read, begin, append,
add_offsets, commit. After any error it calls `close` and starts over with `fence`; there is no repair.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol, TypeAlias


class Guarantee(StrEnum):
    """What a worker promises to a consumer of its outputs."""

    EXACTLY_ONCE = "exactly_once"
    """Outputs, tables and offsets move in one transaction; a read_committed consumer sees each output once."""
    EFFECTIVELY_ONCE = "effectively_once"
    """The broker has no transactions: outputs may repeat after a crash, with the same ids, and re-application
    of an input changes nothing; a consumer that keys on the event id sees each output once."""


class Record(Protocol):
    """One input record as it was read; `timestamp` is the broker's, in ms since 1970."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Batch(NamedTuple):
    """Consecutive records of one topic's partition, and where that leaves its reader.

    `position` is the next offset to be read, also past control records and aborted data; `end` is the end of
    the partition as the broker told it with this batch. `records` may be empty.
    """

    topic: str
    partition: int
    records: Sequence[Record]
    position: int
    end: int
    epoch: int = 0
    """The assignment under which it was fetched; one of an older assignment is worthless."""


Headers: TypeAlias = list[tuple[str, bytes]]
NO_HEADERS: Final[Headers] = []
"""Shared by all records without headers; nobody adds to it."""
Output: TypeAlias = tuple[bytes | None, bytes | None, Headers]
"""Key, value, headers."""


class LogError(Exception):
    """Reading or writing failed; the transaction, if any, is not committed. The task starts over."""


class FencedError(LogError):
    """Another owner of this partition has started (or the broker has aborted us). The task starts over."""


class TaskLog(Protocol):
    """One partition's view of the log, for one stage. Every await is bounded in time and raises LogError."""

    @property
    def guarantee(self) -> Guarantee: ...

    async def fence(self) -> Mapping[str, int]:
        """Shut out every earlier owner, end its open transaction and tell the committed offset by topic.

        A topic without a committed offset is absent: it is read from its beginning. Reading starts over there.
        """
        ...

    def changelog(self, topic: str = "") -> AsyncIterator[Sequence[tuple[bytes, bytes | None]]]:
        """The committed records of this partition of a changelog, from its beginning to its end of now.

        Without a topic: of the stage's own, the one that holds its time.
        """
        ...

    async def read(self, wait: float) -> Sequence[Batch]:
        """What has arrived since the last read, in order per topic; empty after `wait` seconds without any."""
        ...

    async def end_offsets(self) -> Mapping[str, int]:
        """The end of every input topic's partition at this instant, as a read_committed reader sees it."""
        ...

    async def begin(self) -> None: ...

    async def append(self, topic: str, partition: int, outputs: Sequence[Output]) -> None:
        """Write to a partition inside the transaction, in order. It copies them: the list is emptied after it."""
        ...

    async def add_offsets(self, offsets: Mapping[str, int]) -> None:
        """Move the input offsets, by topic, inside the transaction.

        Once committed, what lies before them has left the task's hands: more may be fetched.
        """
        ...

    async def commit(self) -> None:
        """Make all of it visible at once. Raises LogError when any append failed: then nothing is."""
        ...

    async def close(self) -> None:
        """Give everything back; never raises."""
        ...

    def wake(self) -> None:
        """Make a waiting `read` return at once."""
        ...

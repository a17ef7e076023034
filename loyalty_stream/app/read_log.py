"""Reading a partition of a topic from its beginning to its end, committed records only.

It must not know what the records mean. The end is what the fetches say: the embedded broker answers wrongly
when it is asked for end offsets.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.settings import Settings

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0
"""The longest that the brokers may keep silent."""
_FETCH_BYTES = 8 * 1024 * 1024

Progress = Callable[[float], None]
"""Called with the share of a partition that is read, from 0.0 to 1.0."""


class ReadingStallsError(MendableError):
    """The broker brings nothing more before the end; the message says where."""


class LogReader:
    """Reads one partition after the other with one consumer. Get one from `log_reader`."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def read(
        self,
        topic: str,
        partition: int,
        *,
        start: int = 0,
        until: int | None = None,
        progress: Progress | None = None,
    ) -> AsyncIterator[Sequence[Any]]:
        """Yield aiokafka's records in chunks, from offset `start` to the end as it was at the first fetch.

        The end is the last stable offset: records of a transaction that is still open are not waited for; or it
        is `until`, where that comes first. Where the records from `start` on are gone, by retention or because
        the topic was made anew, reading begins with the earliest that there is.
        """
        if until is not None and until <= start:
            return
        consumer, tp = self._consumer, TopicPartition(topic, partition)
        consumer.assign([tp])
        if start:
            consumer.seek(tp, start)
        else:
            await _bounded(consumer.seek_to_beginning(tp), f"finding the beginning of {tp}")
        moved = monotonic()
        end: int | None = None
        while True:
            records = (await _bounded(consumer.getmany(tp, timeout_ms=200), f"reading {tp}")).get(tp)
            if end is None and (stable := _stable_end(consumer, tp)) is not None:
                end = stable if until is None else min(stable, until)
            position = await _bounded(consumer.position(tp), f"reading {tp}")
            if records:
                moved = monotonic()
                if end is not None and records[-1].offset >= end:
                    records = [record for record in records if record.offset < end]
                yield records
            if progress and end:
                progress(min(1.0, position / end))
            if end is not None and position >= end:
                return
            if monotonic() - moved > TIMEOUT_SECONDS:
                raise ReadingStallsError(
                    f"reading {topic}-{partition} stalls at offset {position} of {end}: is its leader up?"
                )

    async def ends(self, starts: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """Where each (topic, partition) ends by now, all asked at once; 0: nothing was ever written to it.

        `starts` says from where each is going to be read, so that no more than need be is fetched.
        """
        consumer = self._consumer
        places = {TopicPartition(*place): start for place, start in starts.items()}
        if not places:
            return {}
        consumer.assign(list(places))
        for tp, start in places.items():
            consumer.seek(tp, start)
        found: dict[TopicPartition, int] = {}
        asked = monotonic()
        while missing := [tp for tp in places if tp not in found]:
            await _bounded(consumer.getmany(*missing, timeout_ms=100, max_records=1), "asking for ends")
            found |= {tp: end for tp in missing if (end := _stable_end(consumer, tp)) is not None}
            if monotonic() - asked > TIMEOUT_SECONDS:
                raise ReadingStallsError(f"{missing[0]} does not say where it ends: is its leader up?")
        return {(tp.topic, tp.partition): end for tp, end in found.items()}


def _stable_end(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int | None:
    """The end that the latest fetch has told; None before one has."""
    stable: int | None = consumer.last_stable_offset(tp)
    if stable is not None and stable >= 0:
        return stable
    end: int | None = consumer.highwater(tp)
    return end


@asynccontextmanager
async def log_reader(settings: Settings) -> AsyncIterator[LogReader]:
    """A reader that is connected; it leaves no trace on the cluster, for it joins no group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=_FETCH_BYTES,
        max_poll_records=5_000,
        **settings.connection,
    )
    try:
        await _bounded(consumer.start(), f"connecting to {settings.bootstrap_servers}")
        yield LogReader(consumer)
    finally:
        await consumer.stop()


async def _bounded(awaitable: Awaitable[T], what: str) -> T:
    try:
        return await asyncio.wait_for(awaitable, TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise ReadingStallsError(f"{what}: no answer within {TIMEOUT_SECONDS:g} s") from error

"""Publishing many facts quickly: batches for each topic and partition, placed as every Kafka client would.

It must not know what a fact says: topic kind, key and bytes are enough.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, Self

from aiokafka import AIOKafkaProducer

from loyalty_stream.app.settings import Settings
from loyalty_stream.wire.partitioning import partition_of

TIMEOUT_SECONDS: Final = 60.0
_BATCH_BYTES: Final = 500_000
_UNACKNOWLEDGED_BATCHES: Final = 32  # 16 MB at most in memory
_TELL_EVERY: Final = 1_000


class Publishable(Protocol):
    """A fact as an importer makes it. `topic` is the kind, such as `orders`; the name has the prefix, too."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes: ...


class Publisher:
    """Use within `async with`. Facts of one key keep their order; `flush` returns once all are acknowledged."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        """`partitions` is the number that every input topic has."""
        self._settings = settings
        self._partitions = partitions
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap_servers,
            acks="all",
            max_batch_size=_BATCH_BYTES,
            max_request_size=3 * 1024 * 1024,
            **settings.connection,
        )
        self._batches: dict[tuple[str, int], Any] = {}
        self._sent: list[asyncio.Future[Any]] = []
        self._places: dict[bytes, int] = {}

    async def __aenter__(self) -> Self:
        try:
            await asyncio.wait_for(self._producer.start(), TIMEOUT_SECONDS)
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def add(self, fact: Publishable) -> None:
        """Put a fact into its batch, and send the batch if it is full."""
        partition = self._places.get(fact.key)
        if partition is None:
            partition = self._places[fact.key] = partition_of(fact.key, self._partitions)
        place = (fact.topic, partition)
        timestamp = time.time_ns() // 1_000_000
        batch = self._batches.get(place)
        if batch is None:
            batch = self._batches[place] = self._producer.create_batch()
        if batch.append(timestamp=timestamp, key=fact.key, value=fact.value) is None:
            await self._send(place)
            batch = self._batches[place] = self._producer.create_batch()
            if batch.append(timestamp=timestamp, key=fact.key, value=fact.value) is None:
                raise ValueError(f"a fact of {len(fact.value)} bytes for {fact.topic} fits in no batch")

    async def flush(self) -> None:
        """Send what is left and wait until everything is acknowledged; raises what the broker refused."""
        for place in list(self._batches):
            await self._send(place)
        await self._acknowledged()

    async def _send(self, place: tuple[str, int]) -> None:
        kind, partition = place
        batch = self._batches.pop(place)
        sending = self._producer.send_batch(batch, self._settings.topic(kind), partition=partition)
        self._sent.append(await asyncio.wait_for(sending, TIMEOUT_SECONDS))
        if len(self._sent) >= _UNACKNOWLEDGED_BATCHES:
            await self._acknowledged()

    async def _acknowledged(self) -> None:
        sent, self._sent = self._sent, []
        if sent:
            await asyncio.wait_for(asyncio.gather(*sent), TIMEOUT_SECONDS)


async def publish(
    settings: Settings,
    facts: Iterable[Publishable],
    partitions: int,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Publish all facts and return how many; `progress` is told the count now and then, and at the end."""
    count = 0
    async with Publisher(settings, partitions) as publisher:
        for fact in facts:
            await publisher.add(fact)
            count += 1
            if count % _TELL_EVERY == 0:
                await asyncio.sleep(0)
                if progress:
                    progress(count)
        await publisher.flush()
    if progress:
        progress(count)
    return count

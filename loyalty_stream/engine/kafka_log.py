"""The log port on aiokafka: a producer for each partition, whose transactional id fences earlier owners.

Batches come from the transport through `deliver`; they are kept until the transaction that applied them is
committed, so that a task which starts over reads them again without asking the broker.
"""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from time import monotonic
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from loyalty_stream.engine.batches import fill
from loyalty_stream.engine.group import Group
from loyalty_stream.engine.log import Batch, FencedError, Guarantee, LogError, Output

T = TypeVar("T")

_OFFSET: Final = attrgetter("offset")

RESTORE_PAUSE_SECONDS = 0.002
"""Between two looks for more of a changelog. A look that waits would make records the slow way (`read_as`)."""

MAX_RECORD_BYTES = 3 * 1024 * 1024
"""A dead letter carries a record of up to 2 MiB and its headers (ARCHITECTURE.md, Retention)."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach the brokers, and the bounds of waiting. Times in seconds, sizes in bytes."""

    bootstrap_servers: str
    guarantee: Guarantee
    timeout: float = 30.0
    """The longest that anything asked of the brokers may take."""
    transaction_timeout: float = 60.0
    """After this the broker aborts a transaction whose worker is gone; longer than `timeout`."""
    batch_bytes: int = 900_000
    """Below the 1 MiB that a broker accepts by default."""
    at_hand_records: int = 20_000
    """Fetched and not yet applied, for each topic's partition."""
    connection: Mapping[str, Any] = field(default_factory=dict)
    """More keyword arguments of aiokafka's clients: security_protocol, ssl_context, sasl_…"""


def read_as(fetcher: Any, make: Callable[[TopicPartition, Any], Any]) -> None:
    """Have a consumer's fetcher give what it has by now as `make` makes it.

    Instead of aiokafka's `ConsumerRecord`, whose making costs more than reading the record. What comes while the
    fetcher is asked and waits is still one of those.
    """
    for fetched in fetcher._records.values():  # noqa: SLF001 - Faust's own driver reads the fetcher likewise
        unpacked = getattr(fetched, "_partition_records", None)
        if unpacked is not None:
            unpacked._consumer_record = make  # noqa: SLF001


def _as_it_is(_tp: TopicPartition, record: Any) -> Any:
    return record


def _forget(kept: deque[Batch], applied: int) -> None:
    """Let go of the records before the offset `applied`, wherever in a batch that is: a batch can be long in use."""
    while kept and kept[0].position <= applied:
        kept.popleft()
    if kept and kept[0].records and kept[0].records[0].offset < applied:
        records = kept[0].records
        kept[0] = kept[0]._replace(records=records[bisect_left(records, applied, key=_OFFSET) :])


class KafkaLog:
    """One task's view of Kafka, made anew for every assignment; after an error `fence` is called again."""

    def __init__(
        self,
        settings: KafkaSettings,
        group: Group,
        transactional_id: str,
        partition: int,
        inputs: Sequence[str],
        changelog: str,
        wall_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._group = group
        self._partition = partition
        self._inputs = tuple(inputs)
        self._changelog = changelog
        self._wall_ms = wall_ms
        self._transactional_id = transactional_id
        self._producer: AIOKafkaProducer | None = None
        self._kept: dict[str, deque[Batch]] = {topic: deque() for topic in self._inputs}
        """By topic what is delivered and not committed: to be read again where the task starts over."""
        self._unread: deque[Batch] = deque()
        self._arrived = asyncio.Event()
        self._woken = False
        self._written: dict[TopicPartition, list[Any]] = {}
        """The batches of the transaction, in order."""
        self._offsets: dict[str, int] = {}
        self._delivered: dict[str, int] = {}
        self._applied: dict[str, int] = {}

    @property
    def guarantee(self) -> Guarantee:
        return self._settings.guarantee

    # -- the transport's side ---------------------------------------------------------------------------

    def deliver(self, batch: Batch) -> None:
        """Take over a fetched batch, unless it is committed: another stage that reads the topic may be behind."""
        if batch.position <= self._applied.get(batch.topic, 0) and batch.records:
            return
        self._kept[batch.topic].append(batch)
        self._unread.append(batch)
        self._delivered[batch.topic] = batch.position
        self._arrived.set()

    def has_room(self, topic: str) -> bool:
        """Whether more of the topic may be fetched."""
        at_hand = self._delivered.get(topic, 0) - self._applied.get(topic, self._delivered.get(topic, 0))
        return at_hand < self._settings.at_hand_records

    async def starts(self) -> Mapping[str, int]:
        """The committed offsets by topic; one without is to be read from its beginning."""
        return await self._group.committed(self._inputs, self._partition)

    # -- the task's side --------------------------------------------------------------------------------

    async def fence(self) -> Mapping[str, int]:
        await self._group.confirm_membership()
        await self.close()
        producer = self._new_producer()
        await self._bounded(producer.start(), "starting the producer")
        self._producer = producer
        if self.guarantee is Guarantee.EXACTLY_ONCE:
            # Beginning waits for the producer id, and the broker gives it only once every transaction of an
            # earlier owner is ended; so the offsets asked for below are final. An empty one costs nothing.
            await self._bounded(producer.begin_transaction(), "fencing earlier owners")
            await self._bounded(producer.abort_transaction(), "fencing earlier owners")
        committed = dict(await self._group.committed(self._inputs, self._partition))
        if missing := [topic for topic in self._inputs if topic not in committed]:
            committed.update(await self._group.beginnings(missing, self._partition))
        self._applied = dict(committed)
        for topic in self._inputs:
            self._delivered.setdefault(topic, committed[topic])
        self._unread = deque(batch for kept in self._kept.values() for batch in kept)
        if self._unread:
            self._arrived.set()
        return committed

    async def changelog(self, topic: str = "") -> AsyncIterator[Sequence[tuple[bytes, bytes | None]]]:
        tp = TopicPartition(topic or self._changelog, self._partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=8 * 1024 * 1024,
            max_poll_records=None,
            **self._settings.connection,
        )
        await self._bounded(consumer.start(), "restoring")
        try:
            consumer.assign([tp])
            await self._bounded(consumer.seek_to_beginning(tp), "restoring")
            progress = monotonic()
            while True:
                read_as(consumer._fetcher, _as_it_is)  # noqa: SLF001 - see there
                records = (await self._bounded(consumer.getmany(tp), "restoring")).get(tp)
                if records:
                    progress = monotonic()
                    yield [(record.key, record.value) for record in records]
                else:
                    await asyncio.sleep(RESTORE_PAUSE_SECONDS)
                # The end as the fetches tell it: the fence has ended every transaction, so it is final, and
                # the embedded broker answers wrongly when it is asked for end offsets.
                end = consumer.highwater(tp)
                position = await self._bounded(consumer.position(tp), "restoring")
                if end is not None and position >= end:
                    return
                if monotonic() - progress > self._settings.timeout:
                    raise LogError(f"restoring stalls at {tp}@{position} of {end}: is its leader up?")
        finally:
            await consumer.stop()

    async def read(self, wait: float) -> Sequence[Batch]:
        if not self._unread and wait > 0:
            self._arrived.clear()
            if self._woken:
                return ()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), wait)
        else:
            await asyncio.sleep(0)  # let the other partitions and the transport have their turn
        batches = list(self._unread)
        self._unread.clear()
        return batches

    async def end_offsets(self) -> Mapping[str, int]:
        return await self._group.end_offsets(self._inputs, self._partition)

    async def begin(self) -> None:
        self._written = {}
        self._offsets = {}
        if self.guarantee is Guarantee.EXACTLY_ONCE:
            await self._bounded(self._open().begin_transaction(), "beginning a transaction")

    async def append(self, topic: str, partition: int, outputs: Sequence[Output]) -> None:
        producer = self._open()
        timestamp = self._wall_ms()
        batches = self._written.setdefault(TopicPartition(topic, partition), [])
        done = fill(batches[-1], outputs, 0, timestamp) if batches else 0
        while done < len(outputs):
            batch = producer.create_batch()
            first, done = done, fill(batch, outputs, done, timestamp)
            if done == first:
                size = len(outputs[done][1] or b"")
                raise LogError(f"a record of {size} bytes for {topic} fits in no batch")
            batches.append(batch)

    async def add_offsets(self, offsets: Mapping[str, int]) -> None:
        self._offsets = dict(offsets)

    async def commit(self) -> None:
        if self.guarantee is Guarantee.EXACTLY_ONCE:
            producer = self._open()
            positions = {TopicPartition(t, self._partition): o for t, o in self._offsets.items()}
            # The broker refuses a batch for now while it adds the group or a partition to the transaction, which
            # costs a retry and its pause. So the offsets go first, and all partitions are added at once.
            sending_offsets = producer.send_offsets_to_transaction(positions, self._group.id)
            await self._bounded(sending_offsets, "adding offsets to the transaction")
            # aiokafka commits over a failed batch without a word: the records would be lost and the offsets
            # moved on. So every batch is awaited first.
            await self._write()
            await self._bounded(producer.commit_transaction(), "committing")
        else:
            await self._write()
            await self._group.commit(self._offsets, self._partition)
        self._applied.update(self._offsets)
        for topic, applied in self._offsets.items():
            _forget(self._kept[topic], applied)

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Closing an open transaction is the broker's affair: the next fence, or its time-out, aborts it.
            with suppress(Exception):
                await asyncio.wait_for(producer.stop(), self._settings.timeout)

    def wake(self) -> None:
        self._woken = True
        self._arrived.set()

    # -- helpers ----------------------------------------------------------------------------------------

    def _new_producer(self) -> AIOKafkaProducer:
        exactly_once = self.guarantee is Guarantee.EXACTLY_ONCE
        return AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap_servers,
            acks="all",
            linger_ms=0,
            max_batch_size=self._settings.batch_bytes,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=int(self._settings.timeout * 1000),
            retry_backoff_ms=20,
            **(
                {
                    "transactional_id": self._transactional_id,
                    "transaction_timeout_ms": int(self._settings.transaction_timeout * 1000),
                }
                if exactly_once
                else {}
            ),
            **self._settings.connection,
        )

    def _open(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise LogError("the producer is closed")
        return self._producer

    async def _write(self) -> None:
        """Send what was appended and wait until the brokers have it.

        All partitions at the same time; without transactions one after the other, as they were first appended to.
        """
        written, self._written = self._written, {}
        if self.guarantee is Guarantee.EXACTLY_ONCE:
            sending = [self._write_to(tp, batches) for tp, batches in written.items()]
            await self._bounded(asyncio.gather(*sending), "writing")
        else:
            for tp, batches in written.items():
                await self._bounded(self._write_to(tp, batches), "writing")

    async def _write_to(self, tp: TopicPartition, batches: Sequence[Any]) -> None:
        producer = self._open()
        sent = [await producer.send_batch(batch, tp.topic, partition=tp.partition) for batch in batches]
        await asyncio.gather(*sent)

    async def _bounded(self, awaitable: Awaitable[T], what: str) -> T:
        try:
            return await asyncio.wait_for(awaitable, self._settings.timeout)
        except ProducerFenced as error:
            raise FencedError(f"{what}: {error!r}") from error
        except TimeoutError as error:
            raise LogError(f"{what}: no answer within {self._settings.timeout:g} s") from error
        except (KafkaError, OSError, AssertionError) as error:
            raise LogError(f"{what}: {error!r}") from error

"""The Faust transport that carries batches: one agent event is what one fetch brought of one partition.

Faust keeps the group, the agents and the web server; the records go by undecoded, the tasks commit. It also
answers what a task asks of its consumer group.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from loyalty_stream.engine.fetched import Fetched
from loyalty_stream.engine.kafka_log import KafkaSettings, read_as
from loyalty_stream.engine.log import Batch, FencedError, Guarantee, LogError
from loyalty_stream.engine.offset_lookup import OffsetLookup
from loyalty_stream.engine.tasks import Tasks

T = TypeVar("T")

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""How long a fetch waits for records; then partitions that have room again are asked too."""
FETCH_WAIT_MS = 250
POLL_RECORDS = 8_000


class RawSchema(Schema):  # type: ignore[misc]
    """Hands the batch to the agent as it is."""

    def loads_key(self, *_: Any, **__: Any) -> None:
        """No key: a batch has many."""

    def loads_value(self, _app: Any, message: Any, **_: Any) -> Any:
        return message.value


def _fetched(_tp: TopicPartition, record: Any) -> Fetched:
    return Fetched(record)


class BatchConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that owns the aiokafka consumer."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        conf = self.app.conf
        settings: KafkaSettings = transport.settings
        exactly_once = settings.guarantee is Guarantee.EXACTLY_ONCE
        self._assignor = RangePartitionAssignor
        return AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id if exactly_once else None,
            # Faust's own choice without tables is round-robin, which does not keep topics together.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed" if exactly_once else "read_uncommitted",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 300) * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=30_000,
            **settings.connection,
        )

    async def fetch(self, partitions: set[TopicPartition]) -> list[Batch]:
        """What has been fetched of `partitions`, and the positions of all of them."""
        batches: list[Batch] = await self.call_thread(self._fetch, self._ensure_consumer(), partitions)
        return batches

    async def _fetch(self, consumer: AIOKafkaConsumer, partitions: set[TopicPartition]) -> list[Batch]:
        fetcher = consumer._fetcher  # noqa: SLF001 - Faust's own driver reads the fetcher likewise
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        read_as(fetcher, _fetched)
        with fetcher._subscriptions.fetch_context():  # noqa: SLF001
            records = await fetcher.fetched_records(
                partitions, timeout=POLL_SECONDS, max_records=POLL_RECORDS
            )
        batches = []
        subscription = consumer._subscription.subscription  # noqa: SLF001
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None or not assignment.active:
            return []
        for tp in partitions & assignment.tps:
            state = assignment.state_value(tp)
            if state.has_valid_position:
                end = state.highwater if state.lso is None or state.lso < 0 else state.lso
                position = state.position
                batches.append(
                    Batch(
                        tp.topic,
                        tp.partition,
                        records.get(tp, ()),
                        position,
                        position if end is None else end,
                    )
                )
        return batches

    async def align(self, starts: Mapping[tuple[str, int], int | None]) -> bool:
        """Read on from these offsets, from the beginning where there is none; False: try again."""
        aligned: bool = await self.call_thread(self._align, self._ensure_consumer(), starts)
        return aligned

    async def _align(self, consumer: AIOKafkaConsumer, starts: Mapping[tuple[str, int], int | None]) -> bool:
        for (topic, partition), offset in starts.items():
            tp = TopicPartition(topic, partition)
            try:
                if tp not in consumer.assignment():
                    return False  # revoked meanwhile: there will be a new assignment to align
                if offset is not None:
                    consumer.seek(tp, offset)
                elif not await consumer.seek_to_beginning(tp):
                    return False
            except KafkaError as error:
                logger.warning("aligning %s: %r; trying again", tp, error)
                return False
        return True

    async def heartbeat(self) -> bool:
        """Whether the coordinator knows this member in this generation."""
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001
        return bool(await self.call_thread(coordinator._do_heartbeat))  # noqa: SLF001

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watchdog asks about acks, of which there are none here; lag is a metric of ours."""


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Fetches what the tasks have room for and hands each partition's batch to its agent as one event."""

    _thread: BatchConsumerThread

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """See `BatchConsumerThread.verify_event_path`."""

    async def perform_seek(self) -> None:
        """Nothing: positions are aligned with the committed offsets by the drain, once for each assignment."""

    async def _drain_messages(self, fetcher: Any) -> None:
        """Run as Faust's fetch loop.

        Every assignment has an epoch. A batch fetched across a change of epoch is thrown away and the position
        aligned anew with what is committed; so a task never misses a record, and sees none that it must not.
        """
        tasks: Tasks = self.transport.tasks
        aligned = -1
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow)
                    continue
                epoch = tasks.epoch
                if aligned != epoch:
                    aligned = await self._align(tasks)
                    continue
                wanted = {tp for tp in self._partitions(tasks) if tasks.has_room(tp.topic, tp.partition)}
                if not wanted:
                    await tasks.wait_for_room(POLL_SECONDS)
                    continue
                batches = await self._thread.fetch(wanted)
                if tasks.epoch != epoch:
                    continue
                news = [
                    batch._replace(epoch=epoch) for batch in batches if batch.records or tasks.is_news(batch)
                ]
                if news:
                    await self._hand_over(news)
                await asyncio.sleep(0)
        except ConsumerStoppedError:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _align(self, tasks: Tasks) -> int:
        """The epoch for which positions are the committed offsets now; -1: none, after a pause."""
        epoch = tasks.epoch
        try:
            starts = await tasks.starts()
            if tasks.epoch == epoch and await self._thread.align(starts):
                return epoch
        except LogError as error:
            logger.warning("aligning: %s; trying again", error)
        await asyncio.sleep(POLL_SECONDS)
        return -1

    def _partitions(self, tasks: Tasks) -> set[TopicPartition]:
        return {TopicPartition(topic, partition) for topic, partition in tasks.sources}

    async def _hand_over(self, batches: Sequence[Batch]) -> None:
        """Give each batch to its agent, unless a new assignment suspends the flow: what is left is worthless then."""
        delivering = asyncio.ensure_future(self._deliver(batches))
        suspended = asyncio.ensure_future(self.suspend_flow.wait())
        try:
            await asyncio.wait({delivering, suspended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            suspended.cancel()
            if not delivering.done():
                delivering.cancel()
            elif not delivering.cancelled():
                delivering.result()

    async def _deliver(self, batches: Sequence[Batch]) -> None:
        generation = self.app.consumer_generation_id
        for batch in batches:
            tp = TopicPartition(batch.topic, batch.partition)
            await self.callback(
                ConsumerMessage(
                    batch.topic, batch.partition, batch.position, None, 0, [], None, batch, None, None, None, tp,
                    generation_id=generation,
                )
            )  # fmt: skip


class ConnectedProducer(driver.Producer):  # type: ignore[misc]
    """Faust's own producer, which nothing of ours uses and which must be able to connect all the same."""

    def _settings_auth(self) -> Mapping[str, Any]:
        return {"security_protocol": "PLAINTEXT", **self.transport.settings.connection}


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """Made by the application with its settings and tasks, and given to the Faust app as `app.transport`."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
    Producer: ClassVar[type[ConnectedProducer]] = ConnectedProducer

    def __init__(self, url: Any, app: Any, settings: KafkaSettings, tasks: Tasks) -> None:
        super().__init__(url, app)
        self.settings = settings
        self.tasks = tasks


class FaustGroup:
    """The consumer group of the Faust app, as the tasks ask it."""

    def __init__(self, app: Any, settings: KafkaSettings) -> None:
        self._app = app
        self._timeout = settings.timeout
        self._exactly_once = settings.guarantee is Guarantee.EXACTLY_ONCE
        self._lookup = OffsetLookup(settings)

    @property
    def id(self) -> str:
        return str(self._app.conf.id)

    async def confirm_membership(self) -> None:
        if not await self._ask(self._thread.heartbeat(), "a heartbeat"):
            raise FencedError("the group does not know this member any more: waiting for a new assignment")

    async def committed(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        found = {}
        for topic in topics:
            consumer = self._consumer
            offset = await self._call(consumer.committed, TopicPartition(topic, partition))
            if offset is not None and offset >= 0:
                found[topic] = offset
        return found

    async def beginnings(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        asking = self._lookup.beginnings(_tps(topics, partition))
        return _by_topic(await self._ask(asking, "the beginnings of the inputs"))

    async def end_offsets(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        tps = _tps(topics, partition)
        if self._exactly_once:
            return _by_topic(await self._ask(self._lookup.ends(tps), "the ends of the inputs"))
        # The embedded broker answers this question wrongly; what its fetches say is right. Until they have said it
        # a task must wait: it would take a topic for read to its end and run ahead of it.
        return await self._ask(self._fetched_ends(tps), "the first fetches")

    async def commit(self, offsets: Mapping[str, int], partition: int) -> None:
        positions = {TopicPartition(t, partition): OffsetAndMetadata(o, "") for t, o in offsets.items()}
        await self._call(self._consumer.commit, positions)

    async def stop(self) -> None:
        """Close what is connected beside the Faust app's own consumer."""
        await self._lookup.stop()

    async def _fetched_ends(self, tps: Iterable[TopicPartition]) -> Mapping[str, int]:
        ends: dict[str, int] = {}
        for tp in tps:
            while (end := self._consumer.highwater(tp)) is None:  # noqa: ASYNC110 - aiokafka tells of no change
                await asyncio.sleep(POLL_SECONDS / 10)
            ends[tp.topic] = end
        return ends

    @property
    def _thread(self) -> BatchConsumerThread:
        return self._app.consumer._thread  # type: ignore[no-any-return]  # noqa: SLF001

    @property
    def _consumer(self) -> AIOKafkaConsumer:
        return self._thread._ensure_consumer()  # noqa: SLF001

    async def _call(self, method: Any, *args: Any) -> Any:
        return await self._ask(self._thread.call_thread(method, *args), method.__name__)

    async def _ask(self, awaitable: Awaitable[T], what: str) -> T:
        try:
            return await asyncio.wait_for(awaitable, self._timeout)
        except TimeoutError as error:
            raise LogError(f"{what}: no answer within {self._timeout:g} s") from error
        except (KafkaError, OSError) as error:
            raise LogError(f"{what}: {error!r}") from error


def _tps(topics: Iterable[str], partition: int) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for topic in topics]


def _by_topic(offsets: Mapping[TopicPartition, int]) -> dict[str, int]:
    return {tp.topic: offset for tp, offset in offsets.items()}

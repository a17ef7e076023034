"""A deployment of its own on a broker, for one test: topics, facts going in, everything that came out, workers.

Plain aiokafka clients on a loop in a thread; it must not know the engine. Nothing here judges (`verifier` does).
"""

import asyncio
import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from aiokafka.partitioner import murmur2
from story import Fact
from verifier import Seen
from worker_process import HERE, WITHIN_S, Worker

from loyalty_stream.app import topics
from loyalty_stream.app.local_broker.loopback import free_port
from loyalty_stream.app.settings import INPUTS, STAGES, Settings

PARTITIONS = 4


def partition_of(key: bytes) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % PARTITIONS


class Deployment:
    """Topics with a prefix of their own. Close it: it ends its workers."""

    def __init__(self, bootstrap_servers: str, directory: Path, name: str, *, plain: bool = False) -> None:
        unique = f"{name}-{secrets.token_hex(3)}"
        self.settings = Settings(
            bootstrap_servers=bootstrap_servers, app_id=unique, topic_prefix=f"{unique}.", session_timeout=6.0
        )
        self.directory = directory
        self.workers: list[Worker] = []
        self.sent: Counter[TopicPartition] = Counter()
        self.facts: list[Fact] = []
        """Every fact that was sent, in order."""
        self._plain = plain
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=unique)
        self._thread.start()
        self._feeding: asyncio.Future | None = None
        try:
            self.wait(self._open())
        except BaseException:
            self._end_loop()
            raise

    def wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WITHIN_S * 2)

    async def _open(self) -> None:
        servers = self.settings.bootstrap_servers
        await topics.create(self.settings, PARTITIONS, 1)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=servers,
            linger_ms=5,
            max_request_size=3 << 20,
            enable_idempotence=not self._plain,
        )
        await self._admin.start()
        await self._producer.start()

    def close(self) -> None:
        """End it all; once is enough, and twice does no harm."""
        if self._loop.is_closed():
            return
        for worker in self.workers:
            worker.end()
        try:
            self.wait(self._close())
        finally:
            self._end_loop()

    async def _close(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
        await self._producer.stop()
        await self._admin.close()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- workers ------------------------------------------------------------------------------------------------

    def worker(
        self,
        name: str,
        *,
        static: bool = True,
        faults: Sequence[tuple[str, int, str] | tuple[str, int, str, str]] = (),
        gate: Path | None = None,
        ears: Path | None = None,
        hold_a_fetch: bool = False,
        fetch_wait_ms: int | None = None,
        programme: Path = HERE / "programme.toml",
        clock: str = "events",
        batch_records: int = 2_000,
        stages: Sequence[str] = tuple(STAGES),
    ) -> Worker:
        """Start a worker. A fault is a signal's name, a transaction and a step (`injected_worker.STEPS`) of a stage, else the ledger."""
        port = free_port()
        settings = {
            "bootstrap_servers": self.settings.bootstrap_servers,
            "app_id": self.settings.app_id,
            "topic_prefix": self.settings.topic_prefix,
            "session_timeout": self.settings.session_timeout,
            "instance_id": name if static else "",
            "web_port": port,
            "batch_records": batch_records,
            "programme": str(programme),
            "clock": clock,
            "stages": tuple(stages),
        }
        given = {
            "settings": settings,
            "faults": [
                {"signal": s, "transaction": t, "step": step, "stage": (*stage, "ledger")[0]}
                for s, t, step, *stage in faults
            ],
            "gate": None if gate is None else str(gate),
            "hold_a_fetch": hold_a_fetch,
            "fetch_wait_ms": fetch_wait_ms,
            "ears": None if ears is None else str(ears),
        }
        log = self.directory / f"{name}-{len(self.workers)}.log"
        worker = Worker(given, log, port)
        self.workers.append(worker)
        return worker

    # -- going in -----------------------------------------------------------------------------------------------

    def send(self, facts: Iterable[Fact]) -> None:
        """Send them all, in order, and wait until they are there."""
        self.wait(self._send(list(facts)))

    async def _send(self, facts: list[Fact]) -> None:
        open_batches: dict[TopicPartition, Any] = {}
        sending = []
        for fact in facts:
            tp = TopicPartition(self.settings.topic(fact.topic), partition_of(fact.key))
            batch = open_batches.get(tp)
            if batch is None:
                batch = open_batches[tp] = self._producer.create_batch()
            if batch.append(key=fact.key, value=fact.value, timestamp=None) is None:
                sending.append(await self._producer.send_batch(batch, tp.topic, partition=tp.partition))
                batch = open_batches[tp] = self._producer.create_batch()
                assert batch.append(key=fact.key, value=fact.value, timestamp=None) is not None
            self.sent[tp] += 1
            self.facts.append(fact)
        for tp, batch in open_batches.items():
            sending.append(await self._producer.send_batch(batch, tp.topic, partition=tp.partition))
        await asyncio.gather(*sending)

    def send_raw(
        self, kind: str, partition: int, key: bytes | None, value: bytes | None, headers: Sequence = ()
    ) -> Any:
        """Send one record as it is; returns its metadata (topic, partition, offset, timestamp)."""
        topic = self.settings.topic(kind)
        self.sent[TopicPartition(topic, partition)] += 1
        return self.wait(self._producer.send_and_wait(topic, value, key, partition, headers=list(headers)))

    def feed(self, facts: Iterator[Fact]) -> None:
        """Keep sending in the background, about 1,500 facts/s, until `finish_feeding`."""
        self._fed = asyncio.Event()

        async def feeding() -> None:
            while not self._fed.is_set():
                await self._send(list(islice(facts, 75)))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._fed.wait(), 75 / 1_500)

        async def start() -> None:
            self._feeding = asyncio.ensure_future(feeding())

        self.wait(start())

    def finish_feeding(self) -> None:
        """Send no more; `facts` is all that was sent."""

        async def finish() -> None:
            self._fed.set()
            await self._feeding

        self.wait(finish())

    def shut_out(self, partition: int) -> None:
        """Take a partition's transactional id away from whoever has it, as the broker does at times."""

        async def fence() -> None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.settings.bootstrap_servers,
                transactional_id=f"{self.settings.app_id}-ledger-{partition}",
            )
            await producer.start()
            try:
                await producer.begin_transaction()
                await producer.abort_transaction()
            finally:
                await producer.stop()

        self.wait(fence())

    def limit_record_bytes(self, topic: str, limit: int | None) -> None:
        """Set a topic's max.message.bytes; None: as planned."""
        self.configure(topic, {} if limit is None else {"max.message.bytes": str(limit)})

    def configure(self, topic: str, changes: dict[str, str]) -> None:
        """Set a topic's settings: as planned, but for these."""

        async def alter() -> None:
            planned = next(
                plan.config for plan in topics.plan(self.settings, PARTITIONS) if plan.name == topic
            )
            config = {**planned, **changes}
            resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=config)
            for response in await self._admin.alter_configs([resource]):
                for code, message, *_ in response.resources:
                    if code:
                        raise for_code(code)(message)

        self.wait(alter())

    # -- how far it is ------------------------------------------------------------------------------------------

    def committed(self) -> dict[TopicPartition, int]:
        """The group's committed offsets; empty while the broker does not tell."""

        async def ask() -> dict[TopicPartition, int]:
            # By name: the embedded broker's answer to "all of them" can't be read.
            names = [self.settings.topic(kind) for kind in INPUTS]
            every = [TopicPartition(name, partition) for name in names for partition in range(PARTITIONS)]
            found = await self._admin.list_consumer_group_offsets(self.settings.app_id, partitions=every)
            return {tp: meta.offset for tp, meta in found.items() if meta.offset > 0}

        try:
            return self.wait(ask())
        except (KafkaError, OSError, AttributeError):
            return {}

    def progress(self) -> int:
        """How many records are applied in all."""
        return sum(self.committed().values())

    def done(self) -> bool:
        """Whether every record that was sent is applied."""
        return self.committed() == dict(self.sent)

    def wait_for_progress(self, records: int, by: Worker) -> None:
        """Wait until so many more records are applied."""
        goal = self.progress() + records
        by.wait_until(lambda: self.progress() >= goal, f"{goal} records applied")

    def wait_done(self, by: Worker) -> None:
        by.wait_until(self.done, "every record applied")

    # -- what came out ------------------------------------------------------------------------------------------

    def outputs(self) -> list[Seen]:
        return self.read(self.settings.topic("points-events"))

    def dead_letters(self) -> list[Seen]:
        return self.read(self.settings.topic("dead-letters"))

    def changelog(self) -> list[Seen]:
        return self.read(self.settings.changelog)

    def read(self, topic: str) -> list[Seen]:
        """All committed records of a topic, by a plain consumer."""
        return self.wait(self._read(topic))

    async def _read(self, topic: str) -> list[Seen]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.bootstrap_servers,
            isolation_level="read_uncommitted" if self._plain else "read_committed",
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=8 << 20,
        )
        await consumer.start()
        try:
            tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            seen = []
            unread = set(tps)
            while unread:
                for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                    for record in records:
                        headers = tuple(record.headers)
                        seen.append(Seen(tp.partition, record.offset, record.key, record.value, headers))
                for tp in list(unread):
                    end = consumer.highwater(tp)
                    if end is not None and await consumer.position(tp) >= end:
                        unread.discard(tp)
            return seen
        finally:
            await consumer.stop()

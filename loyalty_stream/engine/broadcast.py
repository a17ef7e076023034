"""Topics that every worker reads in full and keeps at hand, such as what changes the rules while they are at work.

They are part of no offsets and no transaction: every task hears every record, from the topic's beginning, before
it processes anything, and goes on only while the reading is known to have been at the end a short while ago.
So a record that says "from a minute ahead on" is known to every task before that minute is over.
"""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from loyalty_stream.engine.kafka_log import KafkaSettings
from loyalty_stream.engine.log import Guarantee, Record
from loyalty_stream.engine.memory_log import MemoryBroker

T = TypeVar("T")

logger = logging.getLogger(__name__)

FRESH_SECONDS: Final = 30.0
"""A reading that was at the end no longer ago is good enough: half of the minute that records are ahead."""
CONFIRM_SECONDS: Final = 5.0
"""How often it is asked where the end is."""


class Heard(NamedTuple):
    """A record of a broadcast topic."""

    topic: str
    record: Record


class Broadcast(Protocol):
    """The records of the broadcast topics: each partition's in its order, the partitions in any."""

    async def fresh(self, wait: float) -> bool:
        """Whether all that was written up to `FRESH_SECONDS` ago is at hand; waits up to `wait` seconds for it."""
        ...

    def since(self, count: int) -> Sequence[Heard]:
        """What was read after the first `count` records."""
        ...


class Silence:
    """No topic is broadcast."""

    async def fresh(self, wait: float) -> bool:  # noqa: ARG002 - nothing to wait for
        return True

    def since(self, count: int) -> Sequence[Heard]:  # noqa: ARG002 - nothing is ever heard
        return ()


class MemoryBroadcast:
    """The broadcast topics of a `MemoryBroker`; a test can make it stale."""

    def __init__(self, broker: MemoryBroker, topics: Sequence[str]) -> None:
        self.stale = False
        self._broker = broker
        self._topics = tuple(topics)
        self._heard: list[Heard] = []
        self._positions: dict[tuple[str, int], int] = {}

    async def fresh(self, wait: float) -> bool:  # noqa: ARG002 - nothing arrives while we wait
        self._broker.on_step("broadcast")
        return not self.stale

    def since(self, count: int) -> Sequence[Heard]:
        for (topic, partition), log in list(self._broker.logs.items()):
            if topic in self._topics:
                position = self._positions.get((topic, partition), 0)
                self._heard += [Heard(topic, record) for record in log[position:]]
                self._positions[topic, partition] = len(log)
        return self._heard[count:]


class KafkaBroadcast:
    """Reads the topics with a consumer of its own, outside of the group, for all tasks of a worker."""

    def __init__(self, settings: KafkaSettings, topics: Sequence[str], partitions: int) -> None:
        """`partitions` is the number that each of the topics has."""
        self._settings = settings
        self._topics = tuple(topics)
        self._tps = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self._positions: dict[TopicPartition, int] = {}
        self._heard: list[Heard] = []
        self._confirmed = float("-inf")
        """The instant (monotonic seconds) up to which everything that was written then is at hand."""
        self._changed = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None
        self._given_up: set[asyncio.Future[Any]] = set()
        """What was cancelled and has not ended yet; the event loop alone would forget it."""

    def start(self) -> None:
        """Begin to read; once, from within the event loop."""
        if self._reading is None and self._topics:
            self._reading = asyncio.create_task(self._read_on(), name="broadcast")

    async def stop(self) -> None:
        """End reading; what was read stays at hand."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def fresh(self, wait: float) -> bool:
        self.start()
        if not self._topics or self._is_fresh():
            return True
        async with self._changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait_for(self._is_fresh), wait)
        return self._is_fresh()

    def since(self, count: int) -> Sequence[Heard]:
        return self._heard[count:] if count < len(self._heard) else ()

    def _is_fresh(self) -> bool:
        return monotonic() - self._confirmed <= FRESH_SECONDS

    async def _read_on(self) -> None:
        """Read until cancelled; after an error, on from where it had come."""
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.bootstrap_servers,
                isolation_level="read_committed" if self._exactly_once else "read_uncommitted",
                enable_auto_commit=False,
                fetch_max_wait_ms=500,
                **self._settings.connection,
            )
            try:
                await self._bounded(consumer.start())
                await self._follow(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("reading %s: %r; trying again", ", ".join(self._topics), error)
            finally:
                with suppress(Exception):
                    await self._bounded(consumer.stop())
            await asyncio.sleep(1.0)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._tps)
        for tp in self._tps:
            if tp in self._positions:
                consumer.seek(tp, self._positions[tp])
            else:
                await self._bounded(consumer.seek_to_beginning(tp))
        asked = monotonic()
        ends: dict[TopicPartition, int] | None = await self._ends(consumer)
        while True:
            await self._fetch(consumer, 500)
            if ends is not None and all(self._positions.get(tp, 0) >= ends[tp] for tp in self._tps):
                self._confirmed, ends = asked, None
                async with self._changed:
                    self._changed.notify_all()
            if ends is None and monotonic() - self._confirmed >= CONFIRM_SECONDS:
                asked, ends = monotonic(), await self._ends(consumer)

    async def _fetch(self, consumer: AIOKafkaConsumer, milliseconds: int) -> None:
        fetched = await self._bounded(consumer.getmany(timeout_ms=milliseconds))
        for tp, records in fetched.items():
            self._heard += [Heard(tp.topic, record) for record in records]
            self._positions[tp] = records[-1].offset + 1
        for tp in self._tps:
            self._positions[tp] = await self._bounded(consumer.position(tp))  # past control records, too

    async def _ends(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Where each partition ends now, as a reader of committed records sees it."""
        if self._exactly_once:
            return dict(await self._bounded(consumer.end_offsets(self._tps)))
        # The embedded broker answers this question wrongly; what its fetches say is right.
        started = monotonic()
        while True:
            await self._fetch(consumer, 200)
            known = {tp: consumer.highwater(tp) for tp in self._tps}
            ends = {tp: end for tp, end in known.items() if end is not None}
            if len(ends) == len(known):
                return ends
            if monotonic() - started > self._settings.timeout:
                raise TimeoutError("the first fetches tell of no end")

    async def _bounded(self, awaitable: Awaitable[T]) -> T:
        """Not `wait_for`: it waits for what it cancels, and a consumer whose broker is gone may never end."""
        asked = asyncio.ensure_future(awaitable)
        try:
            done, _ = await asyncio.wait({asked}, timeout=self._settings.timeout)
        except asyncio.CancelledError:
            asked.cancel()
            raise
        if not done:
            asked.cancel()
            self._given_up.add(asked)
            asked.add_done_callback(self._given_up.discard)
            raise TimeoutError(f"no answer within {self._settings.timeout:g} s")
        if asked.cancelled():  # by the client itself, as it closes: not us, who are to go on
            raise TimeoutError("given up by the client")
        return asked.result()

    @property
    def _exactly_once(self) -> bool:
        return self._settings.guarantee is Guarantee.EXACTLY_ONCE

"""Where partitions begin and end, asked on a connection of its own.

A broker answers the questions of one connection one after the other, and a fetch that waits for records is one: on the
connection of the group's consumer each question would wait for up to `transport.FETCH_WAIT_MS`, one task's after the
other's.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition

from loyalty_stream.engine.kafka_log import KafkaSettings
from loyalty_stream.engine.log import Guarantee


class OffsetLookup:
    """Asks with a consumer that reads nothing. Waiting is bounded by whoever asks."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The ends at this instant, as a reader of committed records sees them. Raises KafkaError or OSError."""
        client = await self._started()
        ends: Mapping[TopicPartition, int] = await client.end_offsets(partitions)
        return ends

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The first offsets that still exist. Raises likewise."""
        client = await self._started()
        beginnings: Mapping[TopicPartition, int] = await client.beginning_offsets(partitions)
        return beginnings

    async def stop(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await asyncio.wait_for(client.stop(), self._settings.timeout)

    async def _started(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._client is None:
                exactly_once = self._settings.guarantee is Guarantee.EXACTLY_ONCE
                client = AIOKafkaConsumer(
                    bootstrap_servers=self._settings.bootstrap_servers,
                    isolation_level="read_committed" if exactly_once else "read_uncommitted",
                    enable_auto_commit=False,
                    metadata_max_age_ms=30_000,
                    **self._settings.connection,
                )
                await client.start()
                self._client = client
            return self._client

"""Where partitions begin and end, asked on a connection of its own.

A broker answers the questions of one connection one after the other, and a fetch that waits for records is one: on the
connection of the group's consumer each question would wait for up to `transport.FETCH_WAIT_MS`, one task's after the
other's.
"""

from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from loyalty_stream.engine.kafka_log import KafkaSettings
from loyalty_stream.engine.log import Guarantee
from loyalty_stream.engine.own_connection import OwnConnection


class OffsetLookup:
    """Waiting is bounded by whoever asks."""

    def __init__(self, settings: KafkaSettings) -> None:
        exactly_once = settings.guarantee is Guarantee.EXACTLY_ONCE
        self._connection = OwnConnection(
            settings,
            isolation_level="read_committed" if exactly_once else "read_uncommitted",
            metadata_max_age_ms=30_000,
        )

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The ends at this instant, as a reader of committed records sees them. Raises KafkaError or OSError."""
        client = await self._connection.client()
        ends: Mapping[TopicPartition, int] = await client.end_offsets(partitions)
        return ends

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The first offsets that still exist. Raises likewise."""
        client = await self._connection.client()
        beginnings: Mapping[TopicPartition, int] = await client.beginning_offsets(partitions)
        return beginnings

    async def stop(self) -> None:
        """Close the connection."""
        await self._connection.stop()

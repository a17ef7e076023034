"""The offsets of a stage that are not those of the group which assigns the partitions.

Stages that read the same topic cannot keep their offsets in one group. So such a stage commits to a group of its own
that has no members: whoever has the partition, in whichever group, goes on from there.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from loyalty_stream.engine.group import Group
from loyalty_stream.engine.kafka_log import KafkaSettings
from loyalty_stream.engine.log import LogError
from loyalty_stream.engine.own_connection import OwnConnection

T = TypeVar("T")


class OwnOffsets:
    """A `Group` whose offsets lie in the group `id`, and all else is the members' group's affair."""

    def __init__(self, members: Group, group_id: str, settings: KafkaSettings) -> None:
        self._members = members
        self._id = group_id
        self._settings = settings
        self._connection = OwnConnection(settings, group_id=group_id)

    @property
    def id(self) -> str:
        return self._id

    async def confirm_membership(self) -> None:
        await self._members.confirm_membership()

    async def committed(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        client = await self._bounded(self._connection.client(), "connecting")
        found = {}
        for topic in topics:
            asking = client.committed(TopicPartition(topic, partition))
            offset = await self._bounded(asking, f"the offsets of {self._id}")
            if offset is not None and offset >= 0:
                found[topic] = offset
        return found

    async def beginnings(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        return await self._members.beginnings(topics, partition)

    async def end_offsets(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        return await self._members.end_offsets(topics, partition)

    async def commit(self, offsets: Mapping[str, int], partition: int) -> None:
        """Commit outside of transactions. The client has to be given a partition to commit for; it fetches none."""
        client = await self._bounded(self._connection.client(), "connecting")
        positions = {TopicPartition(topic, partition): offset for topic, offset in offsets.items()}
        if new := set(positions) - client.assignment():
            client.assign([*client.assignment(), *new])
            client.pause(*client.assignment())
        committing = client.commit({tp: OffsetAndMetadata(offset, "") for tp, offset in positions.items()})
        await self._bounded(committing, f"committing the offsets of {self._id}")

    async def stop(self) -> None:
        """Close the connection; the offsets stay."""
        await self._connection.stop()

    async def _bounded(self, awaitable: Awaitable[T], what: str) -> T:
        try:
            return await asyncio.wait_for(awaitable, self._settings.timeout)
        except TimeoutError as error:
            raise LogError(f"{what}: no answer within {self._settings.timeout:g} s") from error
        except (KafkaError, OSError) as error:
            raise LogError(f"{what}: {error!r}") from error

"""What a task must know of the consumer group that gave it its partition; the transport answers."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Group(Protocol):
    """The group as this worker's member sees it. Awaits are bounded and raise LogError."""

    @property
    def id(self) -> str:
        """The group that the offsets are committed to."""
        ...

    async def confirm_membership(self) -> None:
        """Ask the coordinator whether this member still belongs to the group; raises FencedError if not.

        A worker that was stopped for a while holds an old assignment. It must not fence the new owner.
        """
        ...

    async def committed(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        """Committed offsets by topic; a topic without one is absent."""
        ...

    async def beginnings(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        """The first offset that still exists, by topic."""
        ...

    async def end_offsets(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        """The ends by topic, as a read_committed reader sees them."""
        ...

    async def commit(self, offsets: Mapping[str, int], partition: int) -> None:
        """Commit offsets outside of transactions."""
        ...

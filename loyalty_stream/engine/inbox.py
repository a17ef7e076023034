"""The order in which a task takes what it has at hand: the earliest event first, each topic in its own order.

A topic whose next records are on the broker but not at hand yet holds the others back, so that a long backlog
of one topic does not run ahead of the others; a topic that is read to its end holds back nobody.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, TypeAlias

from loyalty_stream.engine.log import Batch, Record
from loyalty_stream.engine.stage import Processor

ENDLESS = 1 << 61
"""Later than every instant, and small enough for compiled code to compare it as a machine's integer."""


Item: TypeAlias = tuple[int, str, Record, Any]
"""A record at hand: its place in the order, its topic, the record, the stage's event.

The place is the latest time among it and its predecessors of the same topic, in ms. A plain tuple, because
one is made for every record.
"""


class _Queue:
    """What is at hand of one topic."""

    __slots__ = ("end", "items", "latest", "position", "taken")

    def __init__(self, position: int, end: int) -> None:
        self.items: deque[Item] = deque()
        self.position = position
        self.end = end
        self.latest = -ENDLESS
        self.taken = position
        """The offset up to which records have left the queue: what may be committed after them."""

    @property
    def at_end(self) -> bool:
        return self.position >= self.end


class Inbox:
    """The records at hand of one task, by topic."""

    def __init__(self, positions: Mapping[str, int], ends: Mapping[str, int]) -> None:
        self._queues = {topic: _Queue(position, ends[topic]) for topic, position in positions.items()}

    def add(self, batch: Batch, processor: Processor) -> None:
        """Decode and keep a batch, without the records that are at hand or were taken already."""
        queue = self._queues[batch.topic]
        fresh = batch.records
        if fresh and fresh[0].offset < queue.position:
            fresh = [record for record in fresh if record.offset >= queue.position]
        decode, topic, latest, append = processor.decode, batch.topic, queue.latest, queue.items.append
        for record in fresh:
            time, event = decode(topic, record)
            if time > latest:  # noqa: PLR1730 - max() costs a call on the hot path
                latest = time
            append((latest, topic, record, event))
        queue.latest = latest
        queue.position = max(queue.position, batch.position)
        queue.end = max(queue.end, batch.end)

    def take(self, limit: int, *, patient: bool = True) -> Sequence[Item]:
        """Up to `limit` items, in order.

        While a topic's next records are not at hand, what could come after them waits; with `patient` False
        nothing waits.
        """
        waiting = [queue for queue in self._queues.values() if queue.items]
        if not waiting:
            return ()
        horizon = ENDLESS
        if patient:
            for queue in self._queues.values():
                if not queue.at_end:
                    horizon = min(horizon, queue.items[-1][0] if queue.items else -ENDLESS)
        if len(waiting) == 1:
            items = waiting[0].items
            ready: list[Item] = []
            while items and len(ready) < limit and items[0][0] <= horizon:
                ready.append(items.popleft())
        else:
            # Each queue is sorted, so the sort is a merge; being stable it keeps every topic's own order. What lies
            # behind the first `limit` of a queue can't be among the first of all.
            ready = [item for queue in waiting for item in islice(queue.items, limit) if item[0] <= horizon]
            ready.sort(key=itemgetter(0))
            del ready[limit:]
            for _, topic, _, _ in ready:
                self._queues[topic].items.popleft()
        for _, topic, record, _ in ready:
            self._queues[topic].taken = record.offset + 1
        return ready

    def offsets(self) -> dict[str, int]:
        """By topic, the offset up to which everything has been taken."""
        return {
            topic: queue.taken if queue.items else queue.position for topic, queue in self._queues.items()
        }

    def read_to(self, ends: Mapping[str, int]) -> bool:
        """Whether every topic has been read up to `ends` and nothing is at hand."""
        return all(not queue.items and queue.position >= ends[topic] for topic, queue in self._queues.items())

    def taken_to(self, ends: Mapping[str, int]) -> bool:
        """Whether every topic has been taken up to `ends`, whatever has arrived since."""
        return all(offset >= ends[topic] for topic, offset in self.offsets().items())

    def lag(self) -> dict[str, int]:
        """By topic, how many offsets lie between what was taken and the end that is known."""
        return {
            topic: max(0, queue.end - (queue.taken if queue.items else queue.position))
            for topic, queue in self._queues.items()
        }

    def __len__(self) -> int:
        return sum(len(queue.items) for queue in self._queues.values())

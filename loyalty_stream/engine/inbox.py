"""The order in which a task takes what it has at hand: the earliest event first, each topic in its own order.

A topic whose next records are on the broker but not at hand yet holds the others back, so that a long backlog
of one topic does not run ahead of the others; a topic that is read to its end holds back nobody.

Records are decoded when their turn comes near, not when they arrive: of a long backlog only the bytes are kept, and
what is decoded is still in the processor's caches when it is applied.
"""

from collections import deque
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Final, TypeAlias

from loyalty_stream.engine.log import Batch, Record
from loyalty_stream.engine.stage import Processor

DECODED_AHEAD: Final = 16
"""So many records of a topic are decoded at a time."""

ENDLESS: Final = 1 << 61
"""Later than every instant, and small enough for compiled code to compare it as a machine's integer."""


Item: TypeAlias = tuple[int, str, Record, Any]
"""A record at hand: its place in the order, its topic, the record, the stage's event.

The place is the latest time among it and its predecessors of the same topic, in ms. A plain tuple, because
one is made for every record.
"""


class _Queue:
    """What is at hand of one topic: records as they came, and before them in order those that are decoded."""

    __slots__ = ("end", "items", "latest", "position", "records", "taken", "topic")

    def __init__(self, topic: str, position: int, end: int) -> None:
        self.topic = topic
        self.records: deque[Record] = deque()
        self.items: deque[Item] = deque()
        self.position = position
        self.end = end
        self.latest = -ENDLESS
        """The place of the last that was decoded."""
        self.taken = position
        """The offset up to which records have left the queue: what may be committed after them."""

    @property
    def at_end(self) -> bool:
        return self.position >= self.end

    def __len__(self) -> int:
        return len(self.records) + len(self.items)

    def decode(self, processor: Processor) -> None:
        """Decode the next few records."""
        decode, topic, records, items = processor.decode, self.topic, self.records, self.items
        latest = self.latest
        for _ in range(min(DECODED_AHEAD, len(records))):
            record = records[0]
            time, event = decode(topic, record)
            if time > latest:  # noqa: PLR1730 - max() costs a call on the hot path
                latest = time
            items.append((latest, topic, record, event))
            records.popleft()
        self.latest = latest


class Inbox:
    """The records at hand of one task, by topic; `processor` decodes them."""

    def __init__(self, positions: Mapping[str, int], ends: Mapping[str, int], processor: Processor) -> None:
        self._processor = processor
        self._queues = {topic: _Queue(topic, position, ends[topic]) for topic, position in positions.items()}

    def add(self, batch: Batch) -> None:
        """Keep a batch, without the records that are at hand or were taken already."""
        queue = self._queues[batch.topic]
        fresh = batch.records
        if fresh and fresh[0].offset < queue.position:
            fresh = [record for record in fresh if record.offset >= queue.position]
        queue.records.extend(fresh)
        queue.position = max(queue.position, batch.position)
        queue.end = max(queue.end, batch.end)

    def take(self, limit: int, *, patient: bool = True) -> list[Item]:
        """Up to `limit` items, in order.

        While a topic's next records are not at hand, what could come after them waits; with `patient` False
        nothing waits.
        """
        ready: list[Item] = []
        if patient:
            for queue in self._queues.values():
                if not queue.at_end and not len(queue):
                    return ready
        while len(ready) < limit:
            horizon = self._decoded_to(patient=patient)
            first = len(ready)
            for queue in self._queues.values():
                items = queue.items
                while items and items[0][0] <= horizon:
                    ready.append(items.popleft())
            if len(ready) == first:
                break
            # Each queue is sorted, so the sort is a merge; being stable it keeps every topic's own order, and of
            # equal places the topic that was named first.
            ready[first:] = sorted(ready[first:], key=itemgetter(0))
        for item in reversed(ready[limit:]):
            self._queues[item[1]].items.appendleft(item)
        del ready[limit:]
        for _, topic, record, _ in ready:
            self._queues[topic].taken = record.offset + 1
        return ready

    def _decoded_to(self, *, patient: bool) -> int:
        """Decode until all that can come up to some place is decoded; which place.

        What is decoded next of a topic can share the place of the last, so only what lies before it is complete.
        """
        horizon = ENDLESS
        for queue in self._queues.values():
            items = queue.items
            while queue.records and (not items or items[0][0] == items[-1][0]):
                queue.decode(self._processor)
            if queue.records:
                horizon = min(horizon, queue.latest - 1)
            elif patient and not queue.at_end:
                horizon = min(horizon, queue.latest)
        return horizon

    def offsets(self) -> dict[str, int]:
        """By topic, the offset up to which everything has been taken."""
        return {topic: queue.taken if len(queue) else queue.position for topic, queue in self._queues.items()}

    def read_to(self, ends: Mapping[str, int]) -> bool:
        """Whether every topic has been read up to `ends` and nothing is at hand."""
        return all(not len(queue) and queue.position >= ends[topic] for topic, queue in self._queues.items())

    def taken_to(self, ends: Mapping[str, int]) -> bool:
        """Whether every topic has been taken up to `ends`, whatever has arrived since."""
        return all(offset >= ends[topic] for topic, offset in self.offsets().items())

    def lag(self) -> dict[str, int]:
        """By topic, how many offsets lie between what was taken and the end that is known."""
        return {
            topic: max(0, queue.end - (queue.taken if len(queue) else queue.position))
            for topic, queue in self._queues.items()
        }

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

"""What a task's log keeps of what was fetched, until it is committed."""

import asyncio
import gc
import weakref
from collections.abc import Mapping, Sequence

from loyalty_stream.engine.kafka_log import KafkaLog, KafkaSettings
from loyalty_stream.engine.log import NO_HEADERS, Batch, Guarantee, Headers


class _Fetched:
    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.timestamp = 0
        self.key = b"k"
        self.value = b"v"
        self.headers: Headers = NO_HEADERS


class _Group:
    """Commits and says nothing."""

    id = "group"

    async def confirm_membership(self) -> None: ...

    async def committed(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        del topics, partition
        return {}

    async def beginnings(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        del topics, partition
        return {}

    async def end_offsets(self, topics: Sequence[str], partition: int) -> Mapping[str, int]:
        del topics, partition
        return {}

    async def commit(self, offsets: Mapping[str, int], partition: int) -> None: ...


def _log() -> KafkaLog:
    settings = KafkaSettings("nowhere:1", Guarantee.EFFECTIVELY_ONCE)
    return KafkaLog(settings, _Group(), "", 0, ("orders", "reviews"), "accounts", lambda: 0)


def _batch(topic: str, first: int, end: int) -> tuple[Batch, list[weakref.ref[_Fetched]]]:
    records = [_Fetched(offset) for offset in range(first, end)]
    return Batch(topic, 0, records, end, end), [weakref.ref(record) for record in records]


def _alive(records: Sequence[weakref.ref[_Fetched]]) -> list[int]:
    gc.collect()
    return [place for place, record in enumerate(records) if record() is not None]


async def _commit(log: KafkaLog, **offsets: int) -> None:
    assert await log.read(0.0) is not None
    await log.begin()
    await log.add_offsets(offsets)
    await log.commit()


def test_what_is_committed_is_let_go_whatever_another_topic_still_has_at_hand() -> None:
    async def story() -> None:
        log = _log()
        slow, reviews = _batch("reviews", 0, 10)
        log.deliver(slow)
        first, orders = _batch("orders", 0, 5)
        log.deliver(first)
        second, more = _batch("orders", 5, 9)
        log.deliver(second)
        del slow, first, second
        await _commit(log, orders=7, reviews=4)
        assert _alive(reviews) == [4, 5, 6, 7, 8, 9]
        assert _alive(orders) == []
        assert _alive(more) == [2, 3]
        await _commit(log, orders=9, reviews=4)
        assert _alive(reviews) == [4, 5, 6, 7, 8, 9]
        assert _alive(more) == []

    asyncio.run(story())


def test_a_topic_has_room_again_once_what_it_has_at_hand_is_committed() -> None:
    async def story() -> None:
        log = _log()
        full = KafkaSettings("nowhere:1", Guarantee.EXACTLY_ONCE).at_hand_records
        batch, _ = _batch("orders", 0, full)
        assert log.has_room("orders")
        await _commit(log, orders=0, reviews=0)
        log.deliver(batch)
        assert not log.has_room("orders")
        assert log.has_room("reviews")
        await _commit(log, orders=1, reviews=0)
        assert log.has_room("orders")

    asyncio.run(story())

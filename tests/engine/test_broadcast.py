"""Broadcast topics: heard in full by every processor before it processes anything, and never behind."""

import asyncio

from loyalty_stream.engine.broadcast import MemoryBroadcast
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.task import Clock, PartitionTask, TaskOptions
from tests.engine.tally import INPUTS, NEWS, TOTALS, TallyStage, event

EVENTS = TaskOptions(clock=Clock.EVENTS, tick=0, backoff=(0, 0))


class NewsStage(TallyStage):
    broadcasts = (NEWS,)


def listening(broker: MemoryBroker) -> tuple[PartitionTask, NewsStage, MemoryBroadcast]:
    stage = NewsStage()
    log = MemoryLog(broker, stage.name, 0, INPUTS, stage.changelog)
    broadcast = MemoryBroadcast(broker, [NEWS])
    return PartitionTask(stage, 0, log, EVENTS, Silent(), broadcast), stage, broadcast


def test_every_partition_of_the_topic_is_heard_from_its_beginning_before_the_first_record() -> None:
    broker = MemoryBroker()
    broker.produce("left", 0, b"a", event("1", 10, add=1))
    for partition, said in ((0, b"x"), (1, b"y"), (0, b"z")):
        broker.produce(NEWS, partition, b"n", said)
    task, stage, _ = listening(broker)

    async def scenario() -> list[bytes | None]:
        await task.open()
        at_first_record: list[bytes | None] = []
        processor = stage.processors[-1]
        process = processor.process

        def watched(topic, record, read) -> None:
            at_first_record.extend(processor.news)
            process(topic, record, read)

        processor.process = watched
        await task.step()
        return at_first_record

    heard = asyncio.run(scenario())
    assert sorted(heard) == [b"x", b"y", b"z"]
    assert heard.index(b"x") < heard.index(b"z")  # each partition's in its own order
    assert len(broker.logs[TOTALS, 0]) == 1


def test_what_is_said_later_is_heard_once_before_the_next_records() -> None:
    broker = MemoryBroker()
    broker.produce(NEWS, 0, b"n", b"x")
    task, stage, _ = listening(broker)

    async def scenario() -> None:
        await task.open()
        await task.step()
        broker.produce(NEWS, 0, b"n", b"y")
        broker.produce("left", 0, b"a", event("1", 10))
        await task.step()
        await task.step()

    asyncio.run(scenario())
    assert stage.processors[-1].news == [b"x", b"y"]


def test_nothing_is_processed_while_the_reading_may_be_behind() -> None:
    broker = MemoryBroker()
    broker.produce("left", 0, b"a", event("1", 10))
    task, stage, broadcast = listening(broker)

    async def scenario() -> None:
        broadcast.stale = True
        await task.open()
        for _ in range(3):
            assert (task.ready, task.at_work, list(task.waits_for)) == (True, False, [NEWS])
            await task.step()
        assert broker.logs[TOTALS, 0] == []
        broker.produce(NEWS, 0, b"n", b"x")
        broadcast.stale = False
        await task.step()
        assert (task.at_work, list(task.waits_for)) == (True, [])
        broadcast.stale = True
        await task.step()
        assert not task.at_work

    asyncio.run(scenario())
    assert len(broker.logs[TOTALS, 0]) == 1
    assert stage.processors[-1].news == [b"x"]


def test_a_task_that_starts_over_hears_everything_again() -> None:
    broker = MemoryBroker()
    broker.produce(NEWS, 0, b"n", b"x")
    task, stage, _ = listening(broker)

    async def scenario() -> None:
        await task.open()
        await task.step()
        await task.open()
        await task.step()

    asyncio.run(scenario())
    assert [processor.news for processor in stage.processors[-2:]] == [[b"x"], [b"x"]]


def test_a_stage_without_broadcasts_waits_for_none() -> None:
    broker = MemoryBroker()
    broker.produce("left", 0, b"a", event("1", 10))
    stage = TallyStage()
    log = MemoryLog(broker, stage.name, 0, INPUTS, stage.changelog)
    broadcast = MemoryBroadcast(broker, [NEWS])
    broadcast.stale = True
    task = PartitionTask(stage, 0, log, EVENTS, Silent(), broadcast)

    async def scenario() -> None:
        await task.open()
        await task.step()

    asyncio.run(scenario())
    assert len(broker.logs[TOTALS, 0]) == 1

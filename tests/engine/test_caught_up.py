"""`Context.once_caught_up`: called when all that there was when it was asked for is processed, and not before."""

import asyncio
import json

import pytest
from tally import TallyProcessor, TallyStage, event, values

from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.task import Clock, PartitionTask, TaskOptions

SAID = "said"


class AskingProcessor(TallyProcessor):
    """Says, at the event that asks for it, what was applied when it had caught up."""

    def process(self, topic, record, event) -> None:
        super().process(topic, record, event)
        self.applied = [*getattr(self, "applied", []), event["id"]]
        if event.get("ask"):
            self._context.once_caught_up(
                lambda: self._context.output(SAID)((b"k", json.dumps(self.applied).encode(), []))
            )


class AskingStage(TallyStage):
    def processor(self, context) -> AskingProcessor:
        made = AskingProcessor(context)
        made._context = context
        return made


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_it_is_called_once_all_that_was_there_is_processed(batch: int) -> None:
    broker = MemoryBroker()
    broker.produce("left", 0, b"a", event("1", 10, ask=True))
    for number in range(2, 5):
        broker.produce("right", 0, b"a", event(str(number), 10 + number))
    stage = AskingStage()
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog)
    options = TaskOptions(clock=Clock.EVENTS, tick=0, batch_records=batch)
    task = PartitionTask(stage, 0, log, options, Silent())

    async def run() -> None:
        await task.open()
        for number in range(12):
            if number == 3:  # it has begun to wait, or was called: what comes now is not waited for
                broker.produce("left", 0, b"a", event("5", 20))
            await task.step()

    asyncio.run(run())
    (said,) = [record.value for record in broker.logs[SAID, 0]]
    assert {"1", "2", "3", "4"} <= set(json.loads(said))
    assert values(broker, "totals")[-1]["id"] == "5"


def test_it_is_forgotten_with_the_task_that_asked() -> None:
    broker = MemoryBroker()
    broker.produce("left", 0, b"a", event("1", 10, ask=True))
    stage = AskingStage()
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog)
    task = PartitionTask(stage, 0, log, TaskOptions(clock=Clock.EVENTS, tick=0), Silent())

    async def run() -> None:
        await task.open()
        await task._read(0)
        await task._transact(task._inbox.take(10))  # committed, and gone before it has looked
        await task.open()
        for _ in range(3):
            await task.step()

    asyncio.run(run())
    assert broker.logs[SAID, 0] == []

"""What `/readyz` says while tasks restore, wait for the campaigns topic, and work."""

import asyncio

from loyalty_stream.app.ledger import LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.web import readiness
from loyalty_stream.engine.broadcast import MemoryBroadcast
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.task import Clock, PartitionTask, TaskOptions
from tests.domain.given import PLAIN


def test_a_worker_is_ready_once_its_tasks_are_restored_and_have_heard_the_campaigns() -> None:
    broker = MemoryBroker()
    stage = LedgerStage(Settings(), PLAIN, 2, CountSink())
    broadcast = MemoryBroadcast(broker, stage.broadcasts)
    broadcast.stale = True

    def task_of(partition: int) -> PartitionTask:
        log = MemoryLog(broker, stage.name, partition, stage.inputs, stage.changelog)
        return PartitionTask(stage, partition, log, TaskOptions(clock=Clock.EVENTS), Silent(), broadcast)

    async def scenario() -> None:
        first, second = task_of(0), task_of(1)
        tasks = {("ledger", 0): first, ("ledger", 1): second}
        assert readiness({}, assigned=False) == {"status": "restoring", "partitions": {}, "waiting_for": {}}
        assert readiness({}, assigned=True)["status"] == "ready", "others have all partitions"
        await first.open()
        assert readiness(tasks, assigned=True) == {
            "status": "restoring",
            "partitions": {"ledger-0": False, "ledger-1": False},
            "waiting_for": {"ledger-0": ["campaigns"]},
        }
        await second.open()
        await second.step()
        assert readiness(tasks, assigned=True) == {
            "status": "waiting",
            "partitions": {"ledger-0": False, "ledger-1": False},
            "waiting_for": {"ledger-0": ["campaigns"], "ledger-1": ["campaigns"]},
        }
        broadcast.stale = False
        await first.step()
        assert readiness(tasks, assigned=True)["partitions"] == {"ledger-0": True, "ledger-1": False}
        await second.step()
        assert readiness(tasks, assigned=True) == {
            "status": "ready",
            "partitions": {"ledger-0": True, "ledger-1": True},
            "waiting_for": {},
        }
        broadcast.stale = True
        await first.step()
        assert readiness(tasks, assigned=True)["status"] == "waiting"

    asyncio.run(scenario())

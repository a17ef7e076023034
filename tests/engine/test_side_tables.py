"""Tables besides the first one, and work in slices that is remembered in one."""

import asyncio

from tally import CHORES, TOTALS, event, stored, task_on, values

from loyalty_stream.engine.log import LogError
from loyalty_stream.engine.memory_log import MemoryBroker
from loyalty_stream.engine.task import TIME_KEY, Clock, TaskOptions

EVENTS = TaskOptions(clock=Clock.EVENTS, backoff=(0.0, 0.0))


def broker_with_chores(count: int) -> MemoryBroker:
    broker = MemoryBroker()
    broker.produce("left", 0, b"a", event("1", 10, add=1, chores=count))
    return broker


def chores_left(broker: MemoryBroker) -> dict[bytes | None, bytes | None]:
    return {record.key: record.value for record in broker.logs[CHORES, 0]}


def done(broker: MemoryBroker) -> list[str]:
    return [value["id"] for value in values(broker, TOTALS) if value["id"].startswith("chore")]


def run_until_quiet(broker: MemoryBroker, crash_at: int | None = None) -> int:
    """Run a task until nothing is left to do, crashing at one step of its I/O; how many steps there were."""
    steps = 0
    task = task_on(broker, EVENTS)

    def on_step(step: str) -> None:
        nonlocal steps
        steps += 1
        if steps == crash_at:
            raise LogError("crashed")
        if step == "read" and chores_left(broker).get(b"chores", b"") is None:
            task.stop()

    broker.on_step = on_step
    asyncio.run(asyncio.wait_for(task.run(), 30))
    return steps


def test_a_side_table_is_stored_with_the_first_and_restored_before_anything_is_done() -> None:
    broker = broker_with_chores(3)

    async def stop_after_two_steps() -> None:
        task = task_on(broker, EVENTS)
        await task.open()
        await task.step()  # applies the record and does the first chore, in one transaction
        await task.step()

    asyncio.run(stop_after_two_steps())
    assert done(broker) == ["chore:3", "chore:2"]
    assert chores_left(broker) == {b"chores": b"1"}
    run_until_quiet(broker)
    assert done(broker) == ["chore:3", "chore:2", "chore:1"]
    assert chores_left(broker) == {b"chores": None}


def test_what_is_deleted_is_a_tombstone_and_gone_after_a_restart() -> None:
    broker = broker_with_chores(1)
    run_until_quiet(broker)
    assert broker.logs[CHORES, 0][-1].value is None

    async def again() -> bool:
        task = task_on(broker, EVENTS)
        await task.open()
        await task.step()
        return task.side_tables[CHORES].get(b"chores") is None and len(task.side_tables[CHORES]) == 0

    assert asyncio.run(again())


def test_the_time_of_a_stage_whose_table_it_once_was_is_no_row_of_a_side_table() -> None:
    broker = broker_with_chores(1)
    broker.produce(CHORES, 0, TIME_KEY, b"1000")
    task = task_on(broker, EVENTS)
    asyncio.run(task.open())
    assert len(task.side_tables[CHORES]) == 0
    assert task.time == 0


def test_chores_are_done_once_wherever_the_worker_crashes() -> None:
    steps = run_until_quiet(broker_with_chores(3))
    assert steps > 10
    for crash_at in range(1, steps):
        broker = broker_with_chores(3)
        run_until_quiet(broker, crash_at)
        assert done(broker) == ["chore:3", "chore:2", "chore:1"], f"crashed at step {crash_at} of {steps}"
        assert b"a" in stored(broker)

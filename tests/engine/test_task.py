import asyncio
import json
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from loyalty_stream.engine.log import Batch, FencedError, LogError, Record
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.stage import TOGETHER, Context
from loyalty_stream.engine.task import TIME_KEY, Clock, PartitionTask, ProcessingFailedError, TaskOptions
from tests.engine.tally import (
    CHANGELOG,
    INPUTS,
    REFUSED,
    TOTALS,
    TallyProcessor,
    TallyStage,
    event,
    stored,
    task_on,
    values,
)

EVENTS = TaskOptions(clock=Clock.EVENTS, tick=0, backoff=(0, 0))


def wall(now: int, **more: Any) -> TaskOptions:
    return TaskOptions(clock=Clock.WALL, wall_ms=lambda: now, tick=0, backoff=(0, 0), **more)


class Commits(Silent):
    """The transactions as the observer is told them, and what made the task start over."""

    def __init__(self) -> None:
        self.commits: list[tuple[int, int, int]] = []
        """Input records, outputs, touched keys."""
        self.errors: list[str] = []

    def committed(self, _: str, __: int, records: int, outputs: int, changes: int, ___: float) -> None:
        self.commits.append((records, outputs, changes))

    def started_over(self, _: str, __: int, error: str) -> None:
        self.errors.append(error)


def broker_with(*records: tuple[str, bytes, bytes], transactions: bool = True) -> MemoryBroker:
    """A broker with records of topic, key and value."""
    broker = MemoryBroker(transactions=transactions)
    for topic, key, value in records:
        broker.produce(topic, 0, key, value)
    return broker


def all_read(broker: MemoryBroker) -> bool:
    return all(broker.offsets.get(("tally", topic, 0), 0) == len(broker.logs[topic, 0]) for topic in INPUTS)


async def work(task: PartitionTask, broker: MemoryBroker) -> None:
    await task.open()
    while not all_read(broker):
        await task.step()


def run_to_end(task: PartitionTask, broker: MemoryBroker, failing: Sequence[str] = ()) -> None:
    """`run` until everything is read; the log fails once at each of the steps `failing`, in this order."""
    left = list(failing)

    def on_step(step: str) -> None:
        if left and step == left[0]:
            left.pop(0)
            raise LogError(f"failed at {step}")
        if step == "read" and all_read(broker):
            task.stop()

    broker.on_step = on_step
    asyncio.run(asyncio.wait_for(task.run(), 30))
    assert not left


def ids(broker: MemoryBroker) -> list[str]:
    return [value["id"] for value in values(broker, TOTALS)]


def test_a_transaction_holds_outputs_one_change_for_each_key_the_time_and_the_offsets() -> None:
    broker = broker_with(
        ("left", b"a", event("1", 10, add=1)),
        ("left", b"b", event("2", 30, add=5)),
        ("right", b"a", event("3", 20, add=2)),
    )
    steps: list[str] = []
    seen = Commits()

    async def scenario() -> None:
        task = task_on(broker, EVENTS, observer=seen)
        await task.open()
        assert task.ready
        broker.on_step = steps.append
        await task.step()

    asyncio.run(scenario())
    assert seen.commits == [(3, 3, 2)]
    assert values(broker, TOTALS) == [
        {"id": "1", "total": 1, "at": 10},
        {"id": "3", "total": 3, "at": 20},
        {"id": "2", "total": 5, "at": 30},
    ]
    assert [record.key for record in broker.logs[CHANGELOG, 0]] == [b"a", b"b", TIME_KEY]
    assert stored(broker)[TIME_KEY] == b"30"
    assert broker.offsets == {("tally", "left", 0): 2, ("tally", "right", 0): 1}
    # Outputs, changelog, offsets, in this order: what a broker without transactions relies on.
    assert [step for step in steps if step != "read"] == [
        *("begin", "append", "appended", "append", "appended", "add_offsets", "commit", "committed"),
    ]


def test_what_arrives_while_a_transaction_is_in_flight_joins_the_next_one() -> None:
    broker = broker_with(("left", b"a", event("0", 1)))
    seen = Commits()

    def arrive(step: str) -> None:
        if step == "commit" and not seen.commits:
            for number in range(1, 6):
                broker.produce("left", 0, b"a", event(f"{number}", 1))

    async def scenario() -> None:
        broker.on_step = arrive
        await work(task_on(broker, EVENTS, observer=seen), broker)

    asyncio.run(scenario())
    assert seen.commits == [(1, 1, 1), (5, 5, 1)]


def test_a_transaction_has_no_more_records_than_it_may() -> None:
    broker = broker_with(*[("left", b"a", event(f"{number}", number, add=1)) for number in range(7)])
    seen = Commits()
    options = TaskOptions(clock=Clock.EVENTS, batch_records=3)
    asyncio.run(work(task_on(broker, options, observer=seen), broker))
    assert [records for records, _, _ in seen.commits] == [3, 3, 1]
    assert values(broker, TOTALS)[-1]["total"] == 7


def test_a_new_task_goes_on_where_the_last_one_committed() -> None:
    broker = broker_with(
        ("left", b"a", event("1", 10, add=1)), ("left", b"a", event("2", 20, add=2, ring=50))
    )

    async def scenario() -> None:
        await work(task_on(broker, EVENTS), broker)
        broker.produce("left", 0, b"a", event("3", 60, add=4))
        broker.produce("left", 0, b"a", event("1", 61, add=100))  # a repeat, of before the restart
        await work(task_on(broker, EVENTS), broker)

    asyncio.run(scenario())
    assert [(value["id"], value["total"]) for value in values(broker, TOTALS)] == [
        ("1", 1),
        ("2", 3),
        ("ring:50", 3),
        ("3", 7),
    ]


def test_partition_time_is_restored_and_never_goes_back() -> None:
    broker = broker_with(("left", b"a", event("1", 100)))

    async def scenario() -> None:
        await work(task_on(broker, EVENTS), broker)
        broker.produce("left", 0, b"a", event("2", 40))
        later = task_on(broker, EVENTS)
        await later.open()
        assert later.time == 100
        await later.step()
        assert later.time == 100

    asyncio.run(scenario())
    assert values(broker, TOTALS)[-1] == {"id": "2", "total": 0, "at": 100}
    assert [r.value for r in broker.logs[CHANGELOG, 0] if r.key == TIME_KEY] == [b"100", b"100"]


def test_the_wall_clock_does_what_is_due_once_everything_is_read() -> None:
    broker = broker_with(
        *[("left", b"a", one) for one in (event("1", 10, ring=50), event("2", 20), event("3", 30))]
    )

    async def scenario() -> None:
        task = task_on(broker, wall(1_000), read_records=1)
        await task.open()
        while not all_read(broker):
            await task.step()
        assert task.time == 1_000

    asyncio.run(scenario())
    # At no moment before was the clock ahead of an event that was still to be read.
    assert [(value["id"], value["at"]) for value in values(broker, TOTALS)] == [
        ("1", 10),
        ("2", 20),
        ("3", 30),
        ("ring:50", 50),
    ]
    assert stored(broker)[TIME_KEY] == b"1000"


def test_an_event_that_comes_while_the_ends_are_asked_for_holds_the_wall_clock_back() -> None:
    broker = broker_with(("left", b"a", event("1", 10, ring=50)))

    def arrive(step: str) -> None:
        if step == "end_offsets" and len(broker.logs["left", 0]) == 1:
            broker.produce("left", 0, b"a", event("2", 20))

    async def scenario() -> None:
        task = task_on(broker, wall(1_000))
        await task.open()
        broker.on_step = arrive
        await task.step()
        assert task.time == 10
        await task.step()
        assert task.time == 1_000

    asyncio.run(scenario())
    assert ids(broker) == ["1", "2", "ring:50"]


def test_under_the_events_clock_the_wall_clock_does_nothing() -> None:
    broker = broker_with(("left", b"a", event("1", 10, ring=50)))

    async def scenario() -> None:
        task = task_on(broker, TaskOptions(clock=Clock.EVENTS, tick=0, wall_ms=lambda: 1_000))
        await task.open()
        for _ in range(3):
            await task.step()
        assert task.time == 10

    asyncio.run(scenario())
    assert ids(broker) == ["1"]


def test_a_wall_clock_behind_the_events_moves_nothing() -> None:
    broker = broker_with(("left", b"a", event("1", 100, ring=150)))

    async def scenario() -> None:
        task = task_on(broker, wall(90))
        await work(task, broker)
        await task.step()
        assert task.time == 100

    asyncio.run(scenario())
    assert ids(broker) == ["1"]


def test_an_idle_task_stores_its_time_once_a_minute() -> None:
    broker = broker_with(("left", b"a", event("1", 100)))
    now = [100]
    seen = Commits()

    async def scenario() -> None:
        options = TaskOptions(clock=Clock.WALL, wall_ms=lambda: now[0], tick=0)
        task = task_on(broker, options, observer=seen)
        await work(task, broker)
        for now[0] in (101, 60_000, 60_099, 60_100, 60_101, 120_200):
            await task.step()

    asyncio.run(scenario())
    assert seen.commits == [(1, 1, 1), (0, 0, 0), (0, 0, 0)]
    assert [r.value for r in broker.logs[CHANGELOG, 0] if r.key == TIME_KEY] == [b"100", b"60100", b"120200"]


class _HeldLog(MemoryLog):
    """Keeps back one topic for some reads, as a slow broker would; the end is known all the same."""

    held = 3

    async def read(self, wait: float) -> Sequence[Batch]:
        positions = dict(self._positions)
        batches = await super().read(wait)
        if self.held > 0 and any(batch.topic == "right" for batch in batches):
            self.held -= 1
            self._positions["right"] = positions["right"]
            return [batch for batch in batches if batch.topic != "right"]
        return batches


@pytest.mark.parametrize(("patience", "order"), [(30.0, ["early", "late"]), (0.0, ["late", "early"])])
def test_a_late_topic_is_waited_for_but_not_for_ever(patience: float, order: list[str]) -> None:
    broker = broker_with(("left", b"a", event("late", 20)), ("right", b"a", event("early", 10)))
    options = TaskOptions(clock=Clock.EVENTS, patience=patience)
    asyncio.run(work(task_on(broker, options, make_log=_HeldLog), broker))
    assert ids(broker) == order


def test_a_stop_finishes_the_transaction_in_flight() -> None:
    broker = broker_with(*[("left", b"a", event(f"{number}", number)) for number in range(4)])
    task = task_on(broker, TaskOptions(clock=Clock.EVENTS, batch_records=2))

    def stop(step: str) -> None:
        if step == "append":
            task.stop()

    broker.on_step = stop
    asyncio.run(asyncio.wait_for(task.run(), 30))
    assert ids(broker) == ["0", "1"]
    assert broker.offsets["tally", "left", 0] == 2
    assert not task.ready


def test_a_stop_while_it_pauses_after_an_error_ends_it() -> None:
    broker = broker_with(("left", b"a", event("1", 1)))
    task = task_on(broker, TaskOptions(clock=Clock.EVENTS, backoff=(3_600, 3_600)))

    def fail(step: str) -> None:
        if step == "begin":
            asyncio.get_running_loop().call_soon(task.stop)
            raise LogError("the broker is gone")

    broker.on_step = fail
    asyncio.run(asyncio.wait_for(task.run(), 30))
    assert ids(broker) == []


def test_a_fenced_owner_commits_nothing_and_the_new_one_all() -> None:
    broker = broker_with(("left", b"a", event("1", 1, add=1)))

    async def scenario() -> None:
        old, new = task_on(broker, EVENTS), task_on(broker, EVENTS)
        await old.open()
        await new.open()
        with pytest.raises(FencedError):
            await old.step()
        assert ids(broker) == []
        await new.step()

    asyncio.run(scenario())
    assert [(value["id"], value["total"]) for value in values(broker, TOTALS)] == [("1", 1)]
    assert broker.offsets["tally", "left", 0] == 1


@pytest.mark.parametrize(
    "where",
    ["fence", "changelog", "end_offsets", "read", "begin", "append", "appended", "commit", "committed"],
)
def test_after_an_error_of_the_log_it_starts_over_and_nothing_is_lost_or_doubled(where: str) -> None:
    broker = broker_with(*[("left", b"a", event(f"{number}", number, add=1)) for number in range(3)])
    seen = Commits()
    options = TaskOptions(clock=Clock.EVENTS, batch_records=1, backoff=(0, 0))
    run_to_end(task_on(broker, options, observer=seen), broker, [where, where])
    assert seen.errors == ["LogError", "LogError"]
    assert [value["total"] for value in values(broker, TOTALS)] == [1, 2, 3]


def test_a_poison_record_is_set_aside_and_the_others_of_its_batch_are_applied_exactly_once() -> None:
    broker = broker_with(
        ("left", b"a", event("1", 1, add=1)),
        ("left", b"a", event("bad", 2, add=100, poison=True)),
        ("left", b"a", event("2", 3, add=2)),
        ("right", b"b", event("3", 4, add=3)),
    )
    seen = Commits()
    run_to_end(task_on(broker, EVENTS, observer=seen), broker)
    assert seen.errors == ["ProcessingFailedError"] * 3
    assert [(value["id"], value["total"]) for value in values(broker, TOTALS)] == [
        ("1", 1),
        ("2", 3),
        ("3", 3),
    ]
    (refused,) = broker.logs[REFUSED, 0]
    assert refused.key == b"a"
    assert json.loads(refused.value or b"")["id"] == "bad"
    assert refused.headers == [("error", b"processing left@1 raised PoisonError('bad')")]
    assert json.loads(stored(broker)[b"a"] or b"") == [3, ["1", "2"], []]
    assert broker.offsets == {("tally", "left", 0): 3, ("tally", "right", 0): 1}
    assert seen.commits == [(4, 4, 2)]


@pytest.mark.parametrize("others", [0, 3, 2 * TOGETHER])
def test_a_record_whose_output_cannot_be_encoded_is_found_and_set_aside(others: int) -> None:
    good = [("left", b"a", event(f"{number}", number, add=1)) for number in range(1, others + 1)]
    bad = ("left", b"b", event("bad", 0, unwritable=True))
    broker = broker_with(bad, *good)
    seen = Commits()
    run_to_end(task_on(broker, EVENTS, observer=seen), broker)
    assert seen.errors == ["OutputFailedError", *["ProcessingFailedError"] * 3]
    assert [value["id"] for value in values(broker, REFUSED)] == ["bad"]
    assert [value["total"] for value in values(broker, TOTALS)] == list(range(1, others + 1))


def test_two_poison_records_in_one_batch_are_both_set_aside() -> None:
    broker = broker_with(
        ("left", b"a", event("bad", 1, poison=True)),
        ("left", b"a", event("worse", 2, poison=True)),
        ("left", b"a", event("1", 3, add=1)),
    )
    seen = Commits()
    run_to_end(task_on(broker, EVENTS, observer=seen), broker)
    assert len(seen.errors) == 6
    assert [value["id"] for value in values(broker, REFUSED)] == ["bad", "worse"]
    assert ids(broker) == ["1"]


def test_when_no_record_can_be_processed_the_partition_waits_instead_of_setting_all_aside() -> None:
    broker = broker_with(*[("left", b"a", event(f"bad-{n}", n, poison=True)) for n in range(1, 9)])
    options = replace(EVENTS, poison_in_a_row=3)
    seen = Commits()
    task = task_on(broker, options, observer=seen)

    async def try_often() -> None:
        for _ in range(40):
            try:
                await task.open()
                await task.step()
            except ProcessingFailedError as error:
                await task._start_over(error)

    asyncio.run(try_often())
    assert len(seen.errors) == 40
    assert values(broker, REFUSED) == []
    assert broker.offsets == {}


def test_many_poison_records_with_good_ones_between_are_all_set_aside() -> None:
    records = [("left", b"a", event(f"bad-{n}", 2 * n, poison=True)) for n in range(6)]
    records += [("right", b"b", event(f"good-{n}", 2 * n + 1, add=1)) for n in range(6)]
    broker = broker_with(*records)
    run_to_end(task_on(broker, replace(EVENTS, poison_in_a_row=2)), broker)
    assert len(values(broker, REFUSED)) == 6
    assert len(ids(broker)) == 6


class _Shaky(TallyProcessor):
    """Fails at first, for a reason that goes away."""

    failures = 2

    def process(self, topic: str, record: Record, event: Any) -> None:
        if _Shaky.failures:
            _Shaky.failures -= 1
            raise RuntimeError("not now")
        super().process(topic, record, event)


class _ShakyStage(TallyStage):
    def processor(self, context: Context) -> TallyProcessor:
        return _Shaky(context)


def test_a_record_that_fails_fewer_times_is_applied() -> None:
    broker = broker_with(("left", b"a", event("1", 1, add=1)))
    stage, seen, _Shaky.failures = _ShakyStage(), Commits(), 2
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog)
    run_to_end(PartitionTask(stage, 0, log, EVENTS, seen), broker)
    assert seen.errors == ["ProcessingFailedError"] * 2
    assert ids(broker) == ["1"]
    assert broker.logs[REFUSED, 0] == []


@pytest.mark.parametrize("where", ["append", "appended", "add_offsets", "commit"])
def test_without_transactions_outputs_may_repeat_but_only_as_they_were(where: str) -> None:
    """A crash after the outputs and before the table: the same ids and bytes again, and the same table."""
    records = [
        ("left", b"a", event("1", 1, add=1, ring=4)),
        ("right", b"b", event("2", 2, add=2)),
        ("left", b"a", event("3", 9, add=3)),
    ]
    expected = broker_with(*records, transactions=False)
    asyncio.run(work(task_on(expected, EVENTS), expected))

    broker = broker_with(*records, transactions=False)
    seen = Commits()
    run_to_end(task_on(broker, EVENTS, observer=seen), broker, [where])
    assert seen.errors == ["LogError"]
    told: dict[str, bytes | None] = {}
    for record in broker.logs[TOTALS, 0]:
        event_id = json.loads(record.value or b"")["id"]
        assert told.setdefault(event_id, record.value) == record.value
    assert list(told.values()) == [record.value for record in expected.logs[TOTALS, 0]]
    assert stored(broker) == stored(expected)
    assert broker.offsets == expected.offsets


class Event(dict[str, Any]):
    """Unlike a plain dictionary, one can see whether it is still there."""


class Watched(TallyProcessor):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.applied: list[weakref.ref[Event]] = []
        self.still_there: list[int] = []

    def decode(self, topic: str, record: Record) -> tuple[int, Event]:
        at, event = super().decode(topic, record)
        return at, Event(event)

    def process(self, topic: str, record: Record, event: Event) -> None:
        self.still_there.append(sum(each() is not None for each in self.applied))
        self.applied.append(weakref.ref(event))
        super().process(topic, record, event)


class WatchedStage(TallyStage):
    def processor(self, context: Context) -> TallyProcessor:
        self.processors.append(Watched(context))
        return self.processors[-1]


def test_an_event_is_let_go_of_before_the_next_one_is_applied() -> None:
    broker = broker_with(*[("left", b"a", event(f"{n}", n, add=1)) for n in range(10)])
    stage = WatchedStage()
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog)
    asyncio.run(work(PartitionTask(stage, 0, log, EVENTS, Silent()), broker))
    processor = stage.processors[-1]
    assert isinstance(processor, Watched)
    assert processor.still_there == [0] * 10


def test_outputs_are_given_to_the_log_slice_by_slice_in_one_transaction() -> None:
    broker = broker_with(*[("left", b"a", event(f"{n}", n, add=1)) for n in range(5)])
    steps: list[str] = []

    async def scenario() -> None:
        task = task_on(broker, replace(EVENTS, slice_records=2))
        await task.open()
        broker.on_step = steps.append
        await task.step()

    asyncio.run(scenario())
    assert [step for step in steps if step in {"begin", "append", "add_offsets", "commit"}] == [
        "begin", *["append"] * 3, "append", "add_offsets", "commit",
    ]  # fmt: skip
    assert ids(broker) == ["0", "1", "2", "3", "4"]

"""The notifications stage on the memory log, fed with what the ledger writes."""

import asyncio

import msgspec

from loyalty_stream.app.notification_stage import NotificationSink, NotificationStage
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain.notifications import Notification
from loyalty_stream.engine.log import LogError
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.task import Clock, PartitionTask, TaskOptions
from loyalty_stream.wire import notifications, point_events
from tests.app.test_start_slices import RULES
from tests.domain.given import check_in, erase_customer, order_paid, registered


class Counted(NotificationSink):
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def notified(self, counts) -> None:
        for kind, count in counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count


def point_events_of(*facts) -> list[bytes]:
    out: list[bytes] = []
    assert list(simulate(RULES, [msgspec.json.encode(fact) for fact in facts], out.append)) == []
    return [each.rstrip(b"\n") for each in out if each.strip()]


STORY = point_events_of(
    registered("r-1", "2026-02-01 10:00", subject="c-1"),
    order_paid("o-1", "2026-02-01 10:00", subject="c-1"),
    registered("r-2", "2026-02-01 11:00", subject="c-2"),
    check_in("k-1", "2026-03-01 10:00", subject="c-1"),
    check_in("k-2", "2027-02-01 10:00", subject="c-2"),
    erase_customer("x-1", "2027-02-01 11:00", subject="c-1"),
)


def run(
    values: list[bytes], crash_at: int | None = None
) -> tuple[int, list[Notification], MemoryBroker, Counted]:
    broker = MemoryBroker()
    for value in values:
        broker.produce("points-events", 0, point_events.decode(value).subject.encode(), value)
    sink = Counted()
    stage = NotificationStage(Settings(), RULES, sink)
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog, read_records=3)
    task = PartitionTask(stage, 0, log, TaskOptions(clock=Clock.EVENTS, backoff=(0.0, 0.0)), Silent())
    steps = 0

    def on_step(step: str) -> None:
        nonlocal steps
        steps += 1
        if steps == crash_at:
            raise LogError("crashed")
        if step == "read" and broker.offsets.get((stage.name, "points-events", 0)) == len(values):
            task.stop()

    broker.on_step = on_step
    asyncio.run(asyncio.wait_for(task.run(), 30))
    made = [notifications.decode(each.value or b"") for each in broker.logs["notifications", 0]]
    return steps, made, broker, sink


def test_each_thing_worth_telling_is_one_notification_keyed_by_the_customer():
    _, made, broker, sink = run(STORY)
    told = [(each.subject, each.data.kind) for each in made]
    assert told == [
        ("c-1", "campaign-started"),
        ("c-2", "campaign-started"),
        *[("c-1", "points-expiring")] * 3,
    ]
    assert [record.key for record in broker.logs["notifications", 0]] == [s.encode() for s, _ in told]
    ids = {point_events.decode(value).id for value in STORY}
    assert {each.data.about for each in made} <= ids
    assert len({each.id for each in made}) == len(made)
    assert (made[0].data.channels, made[0].data.template) == (("sms",), "spring")
    assert sink.counts == {"campaign-started": 2, "points-expiring": 3}


def test_what_is_kept_of_an_erased_customer_is_deleted():
    _, _, broker, _ = run(STORY)
    last = {record.key: record.value for record in broker.logs["loyalty-stream-notifications-changelog", 0]}
    assert last[b"c-1"] is None
    assert last[b"c-2"] is not None


def test_wherever_it_crashes_each_is_told_once():
    steps, everything, _, _ = run(STORY)
    for crash_at in range(1, steps):
        assert run(STORY, crash_at)[1] == everything, f"crashed at step {crash_at} of {steps}"


def test_a_point_event_that_is_there_twice_is_told_of_once():
    _, once, _, _ = run(STORY)
    _, twice, _, sink = run([each for value in STORY for each in (value, value)])
    assert twice == once
    assert sink.counts["suppressed"] == len(once)


def test_what_cannot_be_read_is_passed_over():
    stage = NotificationStage(Settings(), RULES, Counted())
    broker = MemoryBroker()
    for value in (b"{", b"", b'{"type": "point-expiring", "time": "2026-01-15T10:00:00Z", "data": {}}', None):
        broker.produce("points-events", 0, b"c-1", value)
    broker.produce("points-events", 0, b"c-1", STORY[-1])
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog)
    task = PartitionTask(stage, 0, log, TaskOptions(clock=Clock.EVENTS), Silent())

    async def scenario() -> None:
        await task.open()
        await task.step()

    asyncio.run(scenario())
    assert broker.offsets[stage.name, "points-events", 0] == 5
    assert broker.logs["notifications", 0] == []

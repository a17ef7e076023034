"""Notifications as the ledger sends them, on the memory log: one for each thing worth telling, wherever it crashes."""

import asyncio
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.inspect import type_info
from msgspec.structs import replace

from loyalty_stream.app.ledger import ALL_AT_ONCE, LedgerStage
from loyalty_stream.app.ledger_counts import Counts, CountSink
from loyalty_stream.app.notifier import TOLD_EVENTS, TOLD_NOTES, ToldCodec
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain import calendar
from loyalty_stream.domain.events import EVENT_TYPE, PointEvent
from loyalty_stream.domain.notifications import notify
from loyalty_stream.domain.told import Notification, Told
from loyalty_stream.engine.log import LogError
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.task import TIME_KEY, Clock, PartitionTask, TaskOptions
from loyalty_stream.wire import notifications, point_events
from loyalty_stream.wire.topics import TOPIC_OF_TYPE, type_name
from tests.app.test_start_slices import RULES, SPRING
from tests.domain.given import check_in, erase_customer, moment, ms, order_paid, registered
from tests.wire.strategies import values_of

CHANGELOG = "loyalty-stream-notifications-changelog"
NOW = ms("2027-06-01 00:00")
STORY = (
    registered("r-1", "2026-02-01 10:00", subject="c-1"),
    order_paid("o-1", "2026-02-01 10:00", subject="c-1"),
    registered("r-2", "2026-02-01 11:00", subject="c-2"),
    check_in("k-1", "2026-03-01 10:00", subject="c-1"),
    check_in("k-2", "2027-02-01 10:00", subject="c-2"),
    erase_customer("x-1", "2027-02-01 11:00", subject="c-1"),
)


class Counted(CountSink):
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, partition: int, counts: Counts) -> None:
        del partition
        self.counts += counts.notified


def broker_with(*facts, transactions: bool = True) -> MemoryBroker:
    broker = MemoryBroker(wall_ms=lambda: NOW, transactions=transactions)
    for fact in facts:
        topic = TOPIC_OF_TYPE[type_name(type(fact))]
        broker.produce(topic, 0, fact.subject.encode(), msgspec.json.encode(fact))
    return broker


def run(broker: MemoryBroker, crash_at: int | None = None, rules=RULES) -> tuple[int, Counter[str]]:
    """Work everything off, crashing at one step; the number of steps, and what was counted."""
    sink = Counted()
    stage = LedgerStage(Settings(), rules, 1, sink)
    stage.slice_accounts = ALL_AT_ONCE  # in the order of the story, whatever a batch holds
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog)
    options = TaskOptions(clock=Clock.EVENTS, backoff=(0.0, 0.0), batch_records=3)
    task = PartitionTask(stage, 0, log, options, Silent())
    steps = quiet = 0

    def on_step(step: str) -> None:
        nonlocal steps, quiet
        steps += 1
        if steps == crash_at:
            raise LogError("crashed")
        quiet = quiet + 1 if step == "read" else 0
        if quiet > 3:
            task.stop()

    broker.on_step = on_step
    asyncio.run(asyncio.wait_for(task.run(), 30))
    return steps, sink.counts


def made(broker: MemoryBroker) -> list[Notification]:
    return [notifications.decode(each.value or b"") for each in broker.logs["notifications", 0]]


def events(broker: MemoryBroker) -> list[PointEvent]:
    return [point_events.decode(each.value or b"") for each in broker.logs["points-events", 0]]


def test_each_thing_worth_telling_is_one_notification_keyed_by_the_customer():
    broker = broker_with(*STORY)
    _, counts = run(broker)
    told = [(each.subject, each.data.kind) for each in made(broker)]
    assert told == [
        ("c-1", "campaign-started"),
        ("c-2", "campaign-started"),
        *[("c-1", "points-expiring")] * 3,
    ]
    assert [record.key for record in broker.logs["notifications", 0]] == [s.encode() for s, _ in told]
    ids = {event.id: event for event in events(broker)}
    for each in made(broker):
        assert each.data.about in ids
        assert each.time == ids[each.data.about].time
    assert len({each.id for each in made(broker)}) == len(told)
    first = made(broker)[0].data
    assert (first.channels, first.template) == (("sms",), "spring")
    assert counts == {"campaign-started": 2, "points-expiring": 3}


def test_what_is_kept_of_an_erased_customer_is_deleted():
    broker = broker_with(*STORY)
    run(broker)
    last = {record.key: record.value for record in broker.logs[CHANGELOG, 0]}
    assert last[b"c-1"] is None
    assert last[b"c-2"] is not None


@pytest.mark.parametrize("transactions", [True, False])
def test_wherever_it_crashes_each_is_told_once(transactions):
    whole = broker_with(*STORY, transactions=transactions)
    steps, _ = run(whole)
    everything = made(whole)
    for crash_at in range(1, steps):
        broker = broker_with(*STORY, transactions=transactions)
        run(broker, crash_at)
        said = made(broker) if transactions else list(dict.fromkeys(made(broker)))
        assert said == everything, f"crashed at step {crash_at} of {steps}"


def test_what_is_over_the_day_s_cap_is_counted_and_not_sent():
    both = replace(RULES, campaigns=(SPRING, replace(SPRING, id="tea-week")))
    for cap, sent, suppressed in ((1, 2, 2), (2, 4, 0)):
        broker = broker_with(*STORY)
        _, counts = run(broker, rules=replace(both, notifications_daily=cap))
        assert counts["campaign-started"] == sent
        assert [each.data.kind for each in made(broker)].count("campaign-started") == sent
        assert counts["suppressed"] == suppressed


def test_what_customers_were_told_by_the_stage_that_notifications_once_were_still_counts():
    broker = broker_with(*STORY)
    started = calendar.local_day(ms("2026-03-01 00:00"), RULES.zone)
    full = ToldCodec().encode(Told(started, b"abcdef"))
    broker.produce(CHANGELOG, 0, TIME_KEY, b"1772000000000")
    broker.produce(CHANGELOG, 0, b"c-1", full)
    _, counts = run(broker, rules=replace(RULES, notifications_daily=1))
    starts = [each.subject for each in made(broker) if each.data.kind == "campaign-started"]
    assert starts == ["c-2"]
    assert counts["campaign-started"] == 1


def test_a_replay_without_a_broker_shows_point_events_only():
    out: list[bytes] = []
    assert list(simulate(RULES, [msgspec.json.encode(fact) for fact in STORY], out.append)) == []
    shown = [point_events.decode(each.rstrip(b"\n")) for each in out]
    assert sum(worth_telling(event) for event in shown) == 5


def worth_telling(event: PointEvent) -> bool:
    return notify(Told(), event, RULES) is not None


@given(st.one_of([values_of(type_info(kind)) for kind in EVENT_TYPE]))
@settings(max_examples=300)
def test_the_few_events_that_the_ledger_shows_to_the_notifier_are_those_that_are_worth_telling(data):
    event = PointEvent("abc.0", EVENT_TYPE[type(data)], "c-1", moment("2026-01-15 10:00"), data)
    if worth_telling(event):
        assert event.type in TOLD_EVENTS or type(data.note) in TOLD_NOTES
    elif event.type in TOLD_EVENTS:
        raise AssertionError(f"{event.type} would be counted as suppressed")

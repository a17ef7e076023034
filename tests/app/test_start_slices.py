"""Campaign starts told by the ledger's processor, on the memory log and by hand."""

import asyncio
import json
from fractions import Fraction

import msgspec
from msgspec.structs import replace

from loyalty_stream.app.ledger import LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain.campaign_terms import Award, Campaign, Notify
from loyalty_stream.engine.log import LogError
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.task import Clock, PartitionTask, TaskOptions
from tests.app.test_ledger import Partition
from tests.domain.given import PLAIN, check_in, ms, order_paid, registered

CUSTOMERS = 25
SPRING = Campaign(
    id="spring-week",
    version=1,
    theme="Spring",
    mode="online",
    starts_at_ms=ms("2026-03-01 00:00"),
    ends_at_ms=ms("2026-03-08 00:00"),
    trigger="purchase",
    award=Award(multiplier=Fraction(2)),
    notify=Notify(("sms",), "spring"),
)
RULES = replace(PLAIN, campaigns=(SPRING,))


def line(fact) -> bytes:
    return msgspec.json.encode(fact)


def told(events) -> list[tuple[str, str]]:
    return [
        (each["subject"], each["time"]) for each in events if each["data"].get("kind") == "campaign-started"
    ]


def replayed(*facts) -> list[dict]:
    out: list[bytes] = []
    bad = list(simulate(RULES, [line(fact) for fact in facts], out.append))
    assert bad == []
    return [json.loads(each) for each in out]


def test_a_replay_tells_everybody_before_the_line_that_brings_the_start_about():
    events = replayed(
        registered("r-2", "2026-02-01 10:00", subject="c-2"),
        registered("r-1", "2026-02-02 10:00", subject="c-1"),
        check_in("k-1", "2026-03-02 10:00", subject="c-3"),
        check_in("k-2", "2026-03-03 10:00", subject="c-1"),
    )
    assert told(events) == [("c-1", "2026-02-28T16:00:00Z"), ("c-2", "2026-02-28T16:00:00Z")]
    kinds = [(each["subject"], each["type"]) for each in events]
    assert kinds[-4:] == [
        ("c-1", "account-noted"),
        ("c-2", "account-noted"),
        ("c-3", "point-granted"),
        ("c-1", "point-granted"),
    ]


def test_a_campaign_that_is_over_before_anything_is_seen_of_it_is_not_told():
    events = replayed(
        registered("r-1", "2026-02-01 10:00", subject="c-1"),
        check_in("k-1", "2026-03-09 10:00", subject="c-2"),
    )
    assert told(events) == [("c-1", "2026-02-28T16:00:00Z")], "the clock passed the start: it was told then"
    assert told(replayed(check_in("k-1", "2026-03-09 10:00", subject="c-2"))) == []


def test_slices_go_on_where_they_were_after_a_restart():
    partition = Partition(RULES)
    partition.stage.slice_accounts = 10
    partition.restart()
    for number in range(CUSTOMERS):
        partition.take(registered(f"r-{number}", "2026-02-01 10:00", subject=f"c-{number:02}"))
    partition.commit()
    partition.take(check_in("k-1", "2026-03-01 10:00", subject="c-00"))
    assert partition.processor.proceed()
    names = [event.subject for event in partition.events() if event.data.cause.id == "spring-week:started"]
    assert names == [f"c-{number:02}" for number in range(10)]
    partition.commit()
    partition.restart()
    while partition.processor.proceed():
        pass
    names = [event.subject for event in partition.events()]
    assert names == [f"c-{number:02}" for number in range(10, CUSTOMERS)]
    partition.commit()
    partition.restart()
    assert not partition.processor.proceed()


def run(crash_at: int | None) -> tuple[int, list[tuple[str, str]]]:
    """A worker on the memory log that crashes at one step; its number of steps, and who was told."""
    settings = Settings()
    stage = LedgerStage(settings, RULES, 1, CountSink())
    stage.slice_accounts = 10
    broker = MemoryBroker(wall_ms=lambda: ms("2026-04-01 00:00"))
    for number in range(CUSTOMERS):
        fact = registered(f"r-{number}", "2026-02-01 10:00", subject=f"c-{number:02}")
        broker.produce("registrations", 0, fact.subject.encode(), line(fact))
    last = order_paid("o-1", "2026-03-01 10:00", subject="c-00")
    broker.produce("orders", 0, b"c-00", line(last))
    options = TaskOptions(clock=Clock.EVENTS, backoff=(0.0, 0.0))
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog)
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
    return steps, told(json.loads(each.value or b"") for each in broker.logs["points-events", 0])


def test_everybody_is_told_once_wherever_the_worker_crashes():
    steps, everybody = run(None)
    assert [name for name, _ in everybody] == [f"c-{number:02}" for number in range(CUSTOMERS)]
    for crash_at in range(1, steps):
        assert run(crash_at)[1] == everybody, f"crashed at step {crash_at} of {steps}"

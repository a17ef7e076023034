"""The ledger is stopped at every single step of its I/O, and what outlives is that of a run without a stop.

The stop is an exception that nothing catches: the task is thrown away with all it holds in memory, and a new
one starts on what the broker has. Outcomes are compared record by record.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from loyalty_stream.app.account_table import EntryCodec, due_of
from loyalty_stream.app.ledger import LedgerProcessor, LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import evolve, expiry
from loyalty_stream.domain.account import NEVER, Account
from loyalty_stream.domain.events import EVENT_TYPE
from loyalty_stream.domain.rules import Availability, Level, Rules, Tiers
from loyalty_stream.engine import timers
from loyalty_stream.engine.log import FencedError, Record
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog, StoredRecord
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.stage import Context
from loyalty_stream.engine.task import TIME_KEY, Clock, PartitionTask, TaskOptions
from loyalty_stream.wire import point_events
from loyalty_stream.wire.dead_letter import verdict
from loyalty_stream.wire.decode import Decoded
from tests.domain import given
from tests.engine.histories import POISON, Sent, at_random, bad_records, behaviour, order_life, spending

SETTINGS = Settings()
STAMP = given.ms("2030-01-01 00:00:00")
"""The broker's clock: later than every event, so that it moves nothing."""
WALL = given.ms("2029-01-01 00:00:00")
"""The wall clock, where it is used: later than all that falls due."""

SEEDS = (11, 12, 13)
HISTORIES: dict[str, list[Sent]] = {
    "spending": spending(),
    "behaviour": behaviour(),
    "order life": order_life(),
    "bad records": bad_records(),
    **{f"random {seed}": at_random(seed) for seed in SEEDS},
}
RULES_OF: dict[str, Rules] = {
    "order life": msgspec.structs.replace(
        given.RULES,
        availability=Availability(mode="on_completion"),
        tiers=Tiers(levels=(Level("silver", 1000, Fraction(6, 5)),), downgrade="immediate"),
    )
}
"""Under other rules than the others."""
every_history = pytest.mark.parametrize("name", HISTORIES)


def rules_of(name: str) -> Rules:
    """The rules that a history is told under."""
    return RULES_OF.get(name, given.RULES)


class CrashError(BaseException):
    """The process is gone: no `except Exception` sees it."""


class _PoisonedProcessor(LedgerProcessor):
    """Raises on some events when they have been applied, so that what they changed has to be dropped."""

    def process(self, topic: str, record: Record, event: Any) -> None:
        super().process(topic, record, event)
        if isinstance(event, Decoded) and event.fact.id.startswith(POISON):
            raise RuntimeError(f"no stomach for {event.fact.id}")


class _Stage(LedgerStage):
    def processor(self, context: Context) -> LedgerProcessor:
        return _PoisonedProcessor(self, context)


def new_task(
    broker: MemoryBroker,
    rules: Rules,
    batch_records: int = 4,
    read_records: int = 3,
    clock: Clock = Clock.EVENTS,
) -> PartitionTask:
    """Few records a transaction, so that a history takes many."""
    stage = _Stage(SETTINGS, rules, 1, CountSink())
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog, read_records)
    options = TaskOptions(
        batch_records=batch_records,
        clock=clock,
        wall_ms=lambda: WALL,
        tick=0 if clock is Clock.WALL else 3_600,
        patience=3_600,
        backoff=(0, 0),
    )
    return PartitionTask(stage, 0, log, options, Silent())


def broker_with(history: Sequence[Sent], *, transactions: bool = True) -> MemoryBroker:
    broker = MemoryBroker(lambda: STAMP, transactions=transactions)
    for kind, key, value in history:
        broker.produce(kind, 0, key, value)
    broker.inputs = {topic: len(log) for (topic, _), log in broker.logs.items()}  # type: ignore[attr-defined]
    return broker


def all_read(broker: MemoryBroker) -> bool:
    ends: dict[str, int] = broker.inputs  # type: ignore[attr-defined]
    return all(broker.offsets.get(("ledger", topic, 0), 0) == end for topic, end in ends.items())


def at_wall_time(broker: MemoryBroker) -> bool:
    """Everything is read, and what the wall clock makes fall due is committed."""
    times = [record.value for record in _log(broker, SETTINGS.changelog) if record.key == TIME_KEY]
    return all_read(broker) and times[-1] == b"%d" % WALL


@dataclass
class Outcome:
    """What outlives a task."""

    events: list[tuple[bytes | None, bytes | None]]
    letters: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]
    accounts: dict[bytes, Account]
    """The changelog's last value of each key, without when it falls due next: an earlier instant does no harm."""
    time: bytes | None
    offsets: dict[tuple[str, str, int], int]
    steps: Counter[str] = field(default_factory=Counter, compare=False)


def outcome(broker: MemoryBroker, steps: Counter[str], rules: Rules) -> Outcome:
    last: dict[bytes, bytes] = {r.key or b"": r.value or b"" for r in _log(broker, SETTINGS.changelog)}
    time = last.pop(TIME_KEY, None)
    for value in last.values():
        _check_timer(value, rules)
    return Outcome(
        [(r.key, r.value) for r in _log(broker, "points-events")],
        [(r.key, r.value, r.headers) for r in _log(broker, "dead-letters")],
        {key: EntryCodec().decode(value).account for key, value in last.items()},
        time,
        dict(broker.offsets),
        steps,
    )


def _log(broker: MemoryBroker, topic: str) -> list[StoredRecord]:
    return broker.logs[topic, 0]


def _check_timer(value: bytes, rules: Rules) -> None:
    """The stored instant is never after the account falls due, or a restored task would be late."""
    due = expiry.next_due(EntryCodec().decode(value).account, rules)
    assert due_of(value) <= (timers.NEVER if due is None else due)


def run(
    name: str,
    stops: Collection[int] = (),
    *,
    transactions: bool = True,
    clock: Clock = Clock.EVENTS,
    **sizes: int,
) -> Outcome:
    """Work a history off; at each of the steps `stops`, counted over all tasks, the task is gone."""
    rules = rules_of(name)
    broker = broker_with(HISTORIES[name], transactions=transactions)
    done = all_read if clock is Clock.EVENTS else at_wall_time
    steps: Counter[str] = Counter()
    stopped = 0
    while True:
        task = new_task(broker, rules, clock=clock, **sizes)

        def on_step(step: str, task: PartitionTask = task) -> None:
            if step == "read" and done(broker):
                task.stop()
                return
            steps[step] += 1
            if steps.total() in stops:
                raise CrashError(step)

        broker.on_step = on_step
        try:
            asyncio.run(task.run())
        except CrashError:
            stopped += 1
            continue
        assert stopped == sum(stop <= steps.total() for stop in stops)
        return outcome(broker, steps, rules)


_unstopped: dict[tuple[str, bool], Outcome] = {}


def unstopped(name: str, *, transactions: bool = True) -> Outcome:
    """The outcome without a stop, made once."""
    if (name, transactions) not in _unstopped:
        _unstopped[name, transactions] = run(name, transactions=transactions)
    return _unstopped[name, transactions]


def assert_effectively_once(stopped: Outcome, expected: Outcome) -> None:
    """Outputs may repeat, with the same ids and bytes; tables and offsets are the same."""
    assert _first_of_each(stopped.events, _event_id) == expected.events
    assert _first_of_each(stopped.letters, _place) == expected.letters
    assert stopped.accounts == expected.accounts
    assert stopped.time == expected.time
    assert stopped.offsets == expected.offsets


def _first_of_each(records: Sequence[Any], name_of: Callable[[Any], Any]) -> list[Any]:
    first: dict[Any, Any] = {}
    for record in records:
        assert first.setdefault(name_of(record), record) == record
    return list(first.values())


def _event_id(record: tuple[bytes | None, bytes]) -> str:
    return point_events.decode(record[1]).id


def _place(letter: tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]) -> object:
    place = verdict(letter[2]).place
    return place.topic, place.offset


# -- the histories are worth it -------------------------------------------------------------------------


def test_the_histories_make_every_type_of_event_and_many_kinds_of_dead_letters() -> None:
    types: set[str] = set()
    reasons: set[str] = set()
    for name in HISTORIES:
        whole = unstopped(name)
        types |= {point_events.decode(value or b"").type for _, value in whole.events}
        reasons |= {str(verdict(headers).reason) for _, _, headers in whole.letters}
    in_two_stages = {"reward-issued", "draw-entered", "draw-won"}  # see test_two_stages
    assert types == set(EVENT_TYPE.values()) - in_two_stages
    assert reasons >= {"not_utf8", "not_json", "empty_record", "missing_key", "key_mismatch", "wrong_topic"}
    assert reasons >= {"not_finite", "wrong_currency", "unknown_field", "too_old"}
    assert reasons >= {"processing_failed"}


@every_history
def test_an_account_is_the_fold_of_its_events_and_no_event_comes_twice(name: str) -> None:
    whole = unstopped(name)
    folded: dict[bytes, Account] = {}
    for key, value in whole.events:
        evolve.fold(folded.setdefault(key or b"", Account()), point_events.decode(value or b""))
    assert folded == whole.accounts
    ids = [point_events.decode(value or b"").id for _, value in whole.events]
    assert len(ids) == len(set(ids))
    assert all(account.available < NEVER for account in folded.values())


@every_history
@pytest.mark.parametrize(("batch_records", "read_records"), [(1, 1), (7, 2), (2_000, 1_000)])
def test_the_size_of_transactions_changes_nothing(name: str, batch_records: int, read_records: int) -> None:
    assert run(name, batch_records=batch_records, read_records=read_records) == unstopped(name)


# -- stops ----------------------------------------------------------------------------------------------


@every_history
def test_a_stop_at_any_step_leaves_each_record_exactly_once(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    expected = unstopped(name)
    total = expected.steps.total()
    for step in range(1, total + 1):
        assert run(name, {step}) == expected, f"stopped at step {step} of {total}"
    record_property("steps", total)
    _report(f"{name}: stopped at each of {total} steps ({_told(expected.steps)}): identical")


@every_history
def test_two_stops_at_random_leave_each_record_exactly_once(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    expected = unstopped(name)
    chance = random.Random(name)  # a text seeds the same everywhere
    for _ in range(40):
        first = chance.randrange(1, expected.steps.total())
        # The second one comes soon, often within the restore or the very transaction that is done again.
        stops = {first, first + chance.choice([1, 2, 3, 5, 8, 13, chance.randrange(1, 40)])}
        assert run(name, stops) == expected, f"stopped at steps {sorted(stops)}"
    record_property("seed", name)
    _report(f"{name}: 40 pairs of stops (seed {name!r}): identical")


@every_history
def test_a_stop_at_any_step_without_transactions_repeats_outputs_only_as_they_were(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    expected = unstopped(name, transactions=False)
    assert expected == unstopped(name)
    total = expected.steps.total()
    repeated = 0
    for step in range(1, total + 1):
        stopped = run(name, {step}, transactions=False)
        assert_effectively_once(stopped, expected)
        repeated += len(stopped.events) - len(expected.events)
    assert repeated > 0  # or the test would show nothing
    record_property("steps", total)
    _report(f"{name}: stopped at each of {total} steps without transactions: {repeated} events came twice")


@every_history
def test_a_stop_at_any_step_under_the_wall_clock_leaves_each_record_exactly_once(name: str) -> None:
    """Read to the end, the wall clock makes the rest fall due, in a transaction without input."""
    expected = run(name, clock=Clock.WALL)
    by_events = unstopped(name)
    assert expected.events[: len(by_events.events)] == by_events.events
    assert len(expected.events) > len(by_events.events)
    total = expected.steps.total()
    for step in range(1, total + 1):
        assert run(name, {step}, clock=Clock.WALL) == expected, f"stopped at step {step} of {total}"
    _report(f"{name}: stopped at each of {total} steps under the wall clock: identical")


# -- zombies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in HISTORIES if name != "bad records"])
@pytest.mark.parametrize("progress", [0, 2, 1_000])
def test_a_zombie_at_any_step_commits_nothing(name: str, progress: int) -> None:
    """A second task opens, and makes some progress, while the first is at this step; then the first goes on."""
    expected = unstopped(name)
    total = expected.steps.total()
    fenced = 0
    for at in range(1, total + 1):
        broker = broker_with(HISTORIES[name])
        old, new = new_task(broker, rules_of(name)), new_task(broker, rules_of(name))
        steps: Counter[str] = Counter()

        def take_over(
            step: str, at: int = at, broker: MemoryBroker = broker, new: PartitionTask = new
        ) -> None:
            steps[step] += 1  # noqa: B023 - called within this turn of the loop only
            if steps.total() == at:  # noqa: B023
                broker.on_step = lambda _: None
                _drive(_work(new, broker, progress))

        broker.on_step = take_over
        try:
            _drive(_work(old, broker))
        except FencedError:
            fenced += 1
        broker.on_step = lambda _: None
        _drive(_work(new, broker, opened=True))
        assert outcome(broker, steps, rules_of(name)) == expected, f"taken over at step {at} of {total}"
    # Not fenced are only those that were taken over before their own fence, or when all was done.
    assert fenced > total // 2
    _report(f"{name}: taken over at each of {total} steps, {fenced} zombies fenced: identical")


async def _work(
    task: PartitionTask, broker: MemoryBroker, limit: int = 1_000, *, opened: bool = False
) -> None:
    if not opened:
        await task.open()
    for _ in range(limit):
        if all_read(broker):
            return
        await task.step()


def _drive(work: Coroutine[Any, Any, None]) -> None:
    """Run what never waits for anything, also from within another task's step."""
    with pytest.raises(StopIteration):
        work.send(None)


def _report(line: str) -> None:
    print(line)  # noqa: T201 - shown by `pytest -rP`


def _told(steps: Counter[str]) -> str:
    return ", ".join(f"{number} {step}" for step, number in steps.most_common())

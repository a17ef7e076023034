"""The stages that count: exact wherever the process stops, told once a second, nothing kept of who is erased."""

import msgspec
import pytest

from loyalty_stream.app.counting_stage import CountingStage, StateCodec, StatisticsSink
from loyalty_stream.app.counts_owner import CountsOwnerStage
from loyalty_stream.app.simulate import Simulation
from loyalty_stream.domain.campaign_terms import Award, Campaign, Draw, Prize
from loyalty_stream.domain.counts import PROGRAMME, Counts, add_up
from loyalty_stream.domain.draw_winners import commitment
from loyalty_stream.domain.facts import Fact
from loyalty_stream.domain.members import LONG_AGO, Member, forget
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import NO_HEADERS
from loyalty_stream.engine.memory_log import StoredRecord
from loyalty_stream.engine.stage import Context
from loyalty_stream.engine.table import Table
from loyalty_stream.wire import counted_events, point_events, statistics
from loyalty_stream.wire.statistics import Partial, encode_partial
from tests.app.brute_counts import brute_counts
from tests.app.counted_events import CountingWorld, numbers
from tests.domain import given
from tests.engine.two_stages import SETTINGS

WEEK = Campaign(
    id="week",
    version=1,
    theme="week",
    mode="online",
    starts_at_ms=given.ms("2026-03-01 00:00"),
    ends_at_ms=given.ms("2026-03-08 00:00"),
    trigger="purchase",
    award=Award(points=100),
    budget_points=250,
)
LOTS = msgspec.structs.replace(
    WEEK,
    id="lots",
    award=Award(draw_entries=2),
    budget_points=0,
    draw=Draw((Prize("car", 1),), commitment("seed")),
)
RULES = msgspec.structs.replace(given.PLAIN, campaigns=(WEEK, LOTS), unit_cost_amount=2)


def events_of(rules: Rules, facts: list[Fact]) -> list[bytes]:
    simulation = Simulation(rules)
    events: list[bytes] = []
    for number, fact in enumerate(facts, 1):
        made, bad = simulation.apply(number, msgspec.json.encode(fact))
        assert bad is None
        events += made
    return events


def history() -> list[Fact]:
    """Four buy; one gives a part back, one all, one is erased; one comes again an hour later."""
    facts: list[Fact] = []
    for number in range(4):
        who = f"c-{number}"
        facts.append(given.registered(f"r-{number}", f"2026-03-02 09:59:0{number}", subject=who))
        facts.append(given.order_paid(f"o-{number}", f"2026-03-02 10:59:5{number}", 30000, subject=who))
    facts.append(given.order_paid("o-4", "2026-03-02 11:10", 5000, subject="c-0"))
    facts.append(given.refund("x-1", "2026-03-02 12:00", "o-1", 10000, subject="c-1"))
    facts.append(given.cancellation("x-2", "2026-03-02 12:30", "o-2", subject="c-2"))
    facts.append(given.erase_customer("gone", "2026-03-02 13:00", subject="c-3"))
    return facts


def record(value: bytes, key: bytes = b"c-1") -> StoredRecord:
    return StoredRecord(0, 0, key, value, NO_HEADERS)


def total(world: CountingWorld, scope: str) -> statistics.Counted:
    return world.published()[f"{scope}@total"][-1]


def test_what_is_told_of_a_campaign_is_what_its_owner_would_add_up_by_hand() -> None:
    world = CountingWorld(RULES, 3, events_of(RULES, history())).run(1)
    told = total(world, "campaign:week")
    assert told.subject == "week"
    data = msgspec.structs.asdict(told.data)
    # The budget of 250 gave 100, 100 and 50; the 50 of the cancelled order went back, so c-2 takes part no longer.
    assert {name: value for name, value in data.items() if value} == {
        "period": "total",
        "currency": "CNY",
        "campaign_id": "week",
        "customers": 2,
        "orders": 5,
        "cancelled_orders": 1,
        "spend_amount": 125000,
        "refunded_amount": 40000,
        "granted": 250,
        "revoked": 50,
        "cost_amount": 400,
        "budget_points": 250,
    }
    programme = total(world, PROGRAMME).data
    assert (programme.customers, programme.registrations, programme.erasures) == (4, 4, 1)
    assert programme.granted_by["campaign"] == 250
    hours = {key for key in world.published() if key.startswith("campaign:week@2026")}
    assert hours == {f"campaign:week@2026-03-02T{hour}:00:00+08:00" for hour in (10, 11, 12)}


def test_stopped_at_every_single_step_nothing_is_counted_twice_and_nothing_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = events_of(RULES, history())
    expected = brute_counts([point_events.decode(event) for event in events], RULES.zone)
    steps = CountingWorld(RULES, 2, events).run(7).steps.total()
    with capsys.disabled():
        print(f" {steps} steps of the stages that count", end="")  # noqa: T201 - how much was tried
    for stop in range(1, steps + 1):
        world = CountingWorld(RULES, 2, events).run(7, {stop})
        assert numbers(world.published()) == expected, stop


def test_each_telling_has_an_id_of_its_own_and_replaces_the_one_before() -> None:
    world = CountingWorld(RULES, 2, events_of(RULES, history())).run(3, {60, 90})
    for key, told in world.published().items():
        ids = [each.id for each in told]
        assert len(set(ids)) == len(ids)
        assert all(each.startswith(f"{key}#") for each in ids)


def test_a_scope_is_told_of_once_a_second_and_at_last_as_it_is() -> None:
    now = [0.0]
    stage = CountsOwnerStage(SETTINGS, RULES, StatisticsSink(), lambda: now[0])
    context = Context(0, Table(stage.codec))
    owner = stage.processor(context)
    owner.restored()

    def told() -> list[int]:
        found = [
            statistics.decode(value).data.orders for _, _, out in context.written() for _, value, _ in out
        ]
        context.clear()
        return found

    for number in range(1, 13):
        now[0] += 0.25
        partial = Partial(0, PROGRAMME, 60, 1_000 * number, Counts(orders=number))
        _, event = owner.decode("campaign-counts", record(encode_partial(partial)))
        owner.process("campaign-counts", record(b""), event)
        while owner.proceed():
            pass
    assert told() == [1, 5, 9]
    now[0] += 1.0
    while owner.proceed():
        pass
    assert told() == [12]
    assert not owner.proceed()


def test_nothing_is_kept_of_a_customer_who_is_erased() -> None:
    stage = CountingStage(SETTINGS, RULES, 1, StatisticsSink())
    table = Table(StateCodec())
    counting = stage.processor(Context(0, table))
    for value in events_of(RULES, history()):
        key = point_events.decode(value).subject.encode()
        _, event = counting.decode("points-events", record(value, key))
        counting.process("points-events", record(value, key), event)
    assert {key for key in table.keys() if key.startswith(b"m\n")} == {b"m\nc-0", b"m\nc-1", b"m\nc-2"}  # noqa: SIM118 - no dictionary
    assert not any(b"c-3" in key for key in table.keys())  # noqa: SIM118


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"not json",
        b'{"type":"point-granted"}',
        b'{"type":"point-granted","time":"yesterday","data":{}}',
        b'{"type":"point-granted","time":"","data":{}}',
    ],
)
def test_what_cannot_be_read_is_reported_and_the_rest_goes_on(value: bytes) -> None:
    seen: list[int] = []

    class Sink(StatisticsSink):
        def uncounted(self, events: int) -> None:
            seen.append(events)

    counting = CountingStage(SETTINGS, RULES, 1, Sink()).processor(Context(0, Table(StateCodec())))
    _, event = counting.decode("points-events", record(value))
    counting.process("points-events", record(value), event)
    counting.committed()
    assert seen == [1]


def test_events_that_count_nothing_are_not_even_read() -> None:
    for kind in ("point-activated", "point-expiring", "command-rejected", "point-held", "tier-changed"):
        assert counted_events.read(f'{{"id":"x","type":"{kind}", no JSON'.encode()) is None
    noted = '{"id":"x","type":"point-held","data":{"note":{"kind":"share", no JSON'
    assert counted_events.read(noted.encode()) is None
    with pytest.raises(msgspec.DecodeError):
        counted_events.read(noted.replace("share", "order").encode())


@pytest.mark.parametrize(
    ("zone", "time", "hour"),
    [
        ("Asia/Shanghai", "2026-03-02T10:59:59.999+08:00", "2026-03-02T10:00:00+08:00"),
        ("Asia/Kathmandu", "2026-03-02T10:30:00Z", "2026-03-02T16:00:00+05:45"),
        ("America/New_York", "2025-11-02T05:30:00Z", "2025-11-02T01:00:00-04:00"),
        ("America/New_York", "2025-11-02T06:30:00Z", "2025-11-02T01:00:00-05:00"),
        ("America/New_York", "2025-11-02T01:30:00.5-05:00", "2025-11-02T01:00:00-05:00"),
    ],
)
def test_an_hour_is_one_of_the_programmes_time_zone(zone: str, time: str, hour: str) -> None:
    from datetime import datetime  # noqa: PLC0415
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from loyalty_stream.domain import calendar  # noqa: PLC0415
    from loyalty_stream.domain.statistics import key_of  # noqa: PLC0415

    at, minute = counted_events.Clock(ZoneInfo(zone)).read(time)
    assert at == calendar.to_ms(datetime.fromisoformat(time)) // 1_000 * 1_000
    assert key_of(PROGRAMME, minute, ZoneInfo(zone)) == f"programme@{hour}"


def test_what_no_refund_can_reach_is_forgotten_but_not_that_the_customer_was_there() -> None:
    member = Member(hours={60, 6_000}, parts={"week": {60: 2, 120: 1}, "lots": {6_000: 1}})
    forget(member, 7_000, 3_000)
    assert member.hours == {LONG_AGO, 6_000}
    assert member.parts == {"week": {LONG_AGO: 3}, "lots": {6_000: 1}}


def test_adding_up_nothing_is_nothing_and_reasons_add_up_by_name() -> None:
    assert add_up([]) == Counts()
    one = Counts(orders=1, granted=5, granted_by={"purchase": 5})
    two = Counts(orders=2, granted=7, granted_by={"purchase": 3, "review": 4})
    assert add_up([one, two]) == Counts(orders=3, granted=12, granted_by={"purchase": 8, "review": 4})

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loyalty_stream.app import simulate as replay
from loyalty_stream.app.ledger import LedgerProcessor, LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain.facts import Incoming
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import Record
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.task import Clock, PartitionTask, TaskOptions
from loyalty_stream.wire.decoded import Decoded
from loyalty_stream.wire.partitioning import partition_of
from tests.domain import given
from tests.engine.histories import Sent, at_random, bad_records, behaviour, sent, spending

PROGRAMME = """
[programme]
id = "mall"
version = 1
currency = "CNY"
retention = "P800D"
timezone = "Asia/Shanghai"
[[earning.purchase]]
id = "base"
points = 1
per_amount = 100
[expiry]
policy = "rolling"
period = "P12M"
round_to = "none"
warn_before = []
[redemption]
points = 100
amount = 100
minimum_points = 100
step = 100
maximum_share = "1.0"
hold_timeout = "PT30M"
"""


@pytest.fixture
def programme(tmp_path: Path) -> Path:
    path = tmp_path / "programme.toml"
    path.write_text(PROGRAMME, encoding="utf-8")
    return path


def line(fact: Incoming) -> bytes:
    return msgspec.json.encode(fact)


def clock(at: str) -> bytes:
    return json.dumps({"type": "clock-advanced", "time": given.moment(at).isoformat()}).encode()


def order_line(number: int, minute: int = 0, subject: str = "c-1") -> bytes:
    """Order `o<number>` of 100 yuan: 100 points."""
    return line(given.order_paid(f"o{number}", f"2026-01-15 10:{minute:02}", 10000, subject=subject))


class Result:
    def __init__(self, status: int, out: bytes, err: str) -> None:
        self.status = status
        self.lines = [json.loads(text) for text in out.splitlines()]
        self.out = out
        self.err = err.splitlines()

    @property
    def brief(self) -> list[tuple[str, str, int]]:
        """Type, customer and points of each event."""
        return [(e["type"], e["subject"], e["data"].get("points", 0)) for e in self.lines]


def run(programme: Path, *lines: bytes, **options: Any) -> Result:
    out, err = io.BytesIO(), io.StringIO()
    source = io.BytesIO(b"".join(one + b"\n" for one in lines))
    status = replay.run(programme, source, out=out, err=err, **options)
    return Result(status, out.getvalue(), err.getvalue())


# -- what comes out -------------------------------------------------------------------------------------


def test_each_line_is_answered_by_its_point_events_in_order(programme: Path) -> None:
    result = run(programme, order_line(1), order_line(2, 1, "c-2"))
    assert result.status == 0
    assert result.err == []
    assert result.brief == [("point-granted", "c-1", 100), ("point-granted", "c-2", 100)]
    first = result.lines[0]
    assert first["data"]["cause"] == {"source": given.SOURCE, "id": "o1"}
    assert first["data"]["balance"] == {"available": 100, "pending": 0, "held": 0, "debt": 0}
    assert first["time"] == "2026-01-15T10:00:00+08:00"


def test_the_same_lines_give_the_same_bytes(programme: Path) -> None:
    lines = [order_line(number, number) for number in range(9)]
    assert run(programme, *lines).out == run(programme, *lines).out


def test_an_event_that_comes_twice_makes_nothing_the_second_time(programme: Path) -> None:
    result = run(programme, order_line(1), order_line(1))
    assert (result.status, len(result.lines)) == (0, 1)


def test_types_picks_types_and_says_so_when_there_is_no_such(programme: Path) -> None:
    lines = [order_line(1), line(given.hold_points("h1", "2026-01-15 10:01", 100))]
    assert run(programme, *lines, types=["point-held"]).brief == [("point-held", "c-1", 100)]
    assert len(run(programme, *lines, types=["point-held", "point-granted"]).lines) == 2
    none = run(programme, *lines, types=["point-hold"])
    assert (none.status, none.lines) == (0, [])
    assert none.err == ["warning: --type point-hold: this version writes no such event"]


def test_balances_writes_one_line_for_each_customer_instead(programme: Path) -> None:
    result = run(
        programme,
        order_line(2, 0, "c-3"),
        order_line(1, 1, "c-20"),
        line(given.hold_points("h1", "2026-01-15 10:02", 100, subject="c-20")),
        line(given.confirm_hold("x1", "2026-01-15 10:03", "h1", subject="c-20")),
        line(given.order_paid("o3", "2026-01-15 10:04", 25000, subject="c-20")),
        line(given.hold_points("h2", "2026-01-15 10:05", 200, subject="c-20")),
        balances=True,
    )
    assert result.status == 0
    nothing = dict.fromkeys(("pending", "held", "debt", "redeemed", "expired", "revoked", "restored"), 0)
    assert result.lines == [
        {
            "customer": "c-20",
            **nothing,
            "available": 50,
            "held": 200,
            "granted": 350,
            "redeemed": 100,
            "tier": None,
        },
        {"customer": "c-3", **nothing, "available": 100, "granted": 100, "tier": None},
    ]
    assert list(result.lines[0]) == [
        *("customer", "available", "pending", "held", "debt", "tier"),
        *("granted", "redeemed", "expired", "revoked", "restored"),
    ]


def test_without_a_line_there_is_nothing_and_nothing_is_wrong(programme: Path) -> None:
    assert (run(programme).status, run(programme).out) == (0, b"")
    assert run(programme, balances=True).out == b""


# -- the clock ------------------------------------------------------------------------------------------


def test_what_falls_due_happens_before_the_line_that_reaches_its_instant(programme: Path) -> None:
    """Anybody's line moves everybody's clock; at the very instant of the time-out the points are back."""
    hold = line(given.hold_points("h1", "2026-01-15 10:01", 100))
    early = run(programme, order_line(1), hold, order_line(2, 30, "c-2"))
    assert [kind for kind, _, _ in early.brief] == ["point-granted", "point-held", "point-granted"]
    at_the_instant = run(programme, order_line(1), hold, order_line(2, 31, "c-2"))
    assert at_the_instant.brief == [
        ("point-granted", "c-1", 100),
        ("point-held", "c-1", 100),
        ("point-released", "c-1", 100),
        ("point-granted", "c-2", 100),
    ]
    assert at_the_instant.lines[2]["time"] == "2026-01-15T02:31:00Z"


def test_points_have_expired_for_the_line_at_the_moment_of_their_date(programme: Path) -> None:
    spend = line(given.hold_points("h1", "2027-01-15 10:00", 100))
    result = run(programme, order_line(1), spend)
    assert [kind for kind, _, _ in result.brief] == ["point-granted", "point-expired", "command-rejected"]
    sooner = line(given.hold_points("h1", "2027-01-15 09:59:59.999", 100))
    assert run(programme, order_line(1), sooner).brief[-1] == ("point-held", "c-1", 100)


def test_clock_advanced_only_moves_the_clock_and_all_falls_due_in_the_order_of_its_time(
    programme: Path,
) -> None:
    result = run(
        programme,
        order_line(1, 2, "c-1"),
        order_line(2, 1, "c-3"),
        order_line(3, 1, "c-2"),
        line(given.hold_points("h1", "2026-01-15 10:03", 100, subject="c-3")),
        clock("2027-01-15 10:01"),
        clock("2027-06-01 00:00"),
        balances=False,
    )
    assert result.status == 0
    assert result.brief[4:] == [
        ("point-released", "c-3", 100),
        ("point-expired", "c-2", 100),
        ("point-expired", "c-3", 100),
        ("point-expired", "c-1", 100),
    ]
    assert [event["time"][:16] for event in result.lines[5:]] == [
        *("2027-01-15T02:01", "2027-01-15T02:01", "2027-01-15T02:02"),
    ]


def test_the_clock_never_goes_back(programme: Path) -> None:
    """A late line is judged by the latest time seen: its hold is over as soon as it is there."""
    late = line(given.hold_points("h1", "2026-01-15 10:01", 100))
    forward, back = clock("2026-01-15 12:00"), clock("2026-01-15 10:02")
    result = run(programme, order_line(1), forward, back, late)
    assert [kind for kind, _, _ in result.brief] == ["point-granted", "point-held", "point-released"]


def test_lines_are_taken_in_the_order_given_not_in_that_of_their_times(programme: Path) -> None:
    result = run(programme, order_line(1, 30), order_line(2, 10))
    assert [event["data"]["order_id"] for event in result.lines] == ["o1", "o2"]


def test_a_whole_cloudevent_of_type_clock_advanced_is_taken_too(programme: Path) -> None:
    envelope = {"specversion": "1.0", "id": "t1", "source": "test", "subject": "clock", "data": {}}
    whole = json.dumps(envelope | {"type": "clock-advanced", "time": "2027-01-15T02:00:00Z"}).encode()
    result = run(programme, order_line(1), whole)
    assert (result.status, result.brief[-1]) == (0, ("point-expired", "c-1", 100))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"type": "clock-advanced"}', "invalid_time"),
        (b'{"type": "clock-advanced", "time": "noon"}', "invalid_time"),
        (b'{"type": "clock-advanced", "time": "2026-01-15T10:00:00"}', "invalid_time"),
        (b'{"type": "clock-advanced", "time": 7}', "invalid_time"),
        (b'{"type": "clock-advanced", "time": "1999-12-31T23:59:59Z"}', "time_before_2000"),
        (b'{"type": "clock-advanced", "time": "3000-01-01T00:00:00Z"}', "time_in_future"),
    ],
)
def test_a_clock_without_a_time_to_move_to_is_a_bad_line(programme: Path, text: bytes, reason: str) -> None:
    result = run(programme, text)
    assert result.status == 1
    assert result.err[0].startswith(f"line 1: {reason}: `$.time`")


# -- bad lines ------------------------------------------------------------------------------------------


def test_a_bad_line_is_told_with_its_number_and_reason_and_the_rest_goes_on(programme: Path) -> None:
    wrong_currency = order_line(3).replace(b"CNY", b"USD")
    too_much = line(given.refund("r1", "2026-01-15 10:30", "o1", 10001))
    result = run(
        programme, b"{", b"", order_line(1), b"  ", wrong_currency, too_much, b"\xff", order_line(2, 1)
    )
    assert result.status == 1
    assert [text.split(": ")[:2] for text in result.err] == [
        ["line 1", "not_json"],
        ["line 5", "wrong_currency"],
        ["line 6", "refused_refund"],
        ["line 7", "not_utf8"],
    ]
    assert all(text.split(": ", 2)[2] for text in result.err)
    assert [event["data"]["order_id"] for event in result.lines] == ["o1", "o2"]


def test_a_refund_that_waited_and_is_too_large_is_told_by_its_own_line(programme: Path) -> None:
    early = line(given.refund("r1", "2026-01-15 11:00", "o1", 10001))
    sound = line(given.refund("r2", "2026-01-15 12:00", "o1", 10000))
    result = run(programme, order_line(2), early, sound, order_line(1))
    assert result.status == 1
    assert [text.split(": ")[:2] for text in result.err] == [["line 2", "refused_refund"]]
    assert [kind for kind, _, _ in result.brief] == [
        "point-granted",
        "account-noted",
        "account-noted",
        "point-granted",
        "account-noted",
        "point-revoked",
    ]


def test_a_bad_line_does_not_move_the_clock(programme: Path) -> None:
    late = order_line(9).replace(b"2026-", b"2027-").replace(b"CNY", b"USD")
    result = run(programme, order_line(1), late, order_line(2, 1))
    assert [kind for kind, _, _ in result.brief] == ["point-granted", "point-granted"]


def test_a_line_older_than_the_retention_is_bad(programme: Path) -> None:
    result = run(programme, clock("2030-01-01 00:00"), order_line(1))
    assert result.err[0].startswith("line 2: too_old: ")


def test_a_time_far_ahead_is_fine_because_no_broker_says_what_time_it_is(programme: Path) -> None:
    assert run(programme, order_line(1).replace(b"2026-", b"2926-")).status == 0


@pytest.mark.parametrize("store_every", [1, 2, 3, 5, 10_000])
def test_a_line_on_which_the_ledger_fails_is_set_aside_and_the_others_are_applied_once(
    programme: Path, monkeypatch: pytest.MonkeyPatch, store_every: int
) -> None:
    applied: list[str] = []

    def failing(ledger: LedgerProcessor, topic: str, record: Record, event: Any) -> None:
        LedgerProcessor.process(ledger, topic, record, event)
        if isinstance(event, Decoded):
            applied.append(event.fact.id)
            if event.fact.id == "o13":
                raise RuntimeError("a defect")

    ledger = replay._SteppingLedger  # interpreted even where the ledger is compiled
    monkeypatch.setattr(ledger, "process", failing, raising=False)
    monkeypatch.setattr(replay, "STORE_EVERY_LINES", store_every)
    hold = line(given.hold_points("h1", "2026-01-15 10:02", 100))
    late = line(given.hold_points("h2", "2026-01-15 10:01", 100))  # over at once, by the latest time seen
    before, after = [order_line(1), b"{"], [hold, order_line(2, 40)]
    result = run(programme, *before, order_line(13, 1), *after, order_line(13, 41), late, order_line(3, 20))
    assert result.err[1:] == [
        "line 3: processing_failed: applying it raised RuntimeError('a defect')",
        "line 6: processing_failed: applying it raised RuntimeError('a defect')",
    ]
    # Only what came after the accounts were last put back has to be done again.
    again = {1: 0, 2: 1, 3: 3, 5: 1, 10_000: 4}[store_every]
    assert len(applied) == 7 + again
    monkeypatch.undo()
    assert result.out == run(programme, *before, *after, late, order_line(3, 20)).out
    assert result.brief[-3:-1] == [("point-held", "c-1", 100), ("point-released", "c-1", 100)]


# -- as in production -----------------------------------------------------------------------------------


def simulated(history: list[Sent], rules: Rules = given.RULES) -> tuple[list[bytes], list[str]]:
    events: list[bytes] = []
    bad = replay.simulate(rules, (sent.value or b" " for sent in history), events.append)
    reasons = [one.reason.value for one in bad]
    return events, reasons


@pytest.mark.parametrize("history", [spending(), behaviour()[:-2], at_random(5), at_random(6)])
def test_the_engine_makes_the_very_same_events_of_the_same_records(history: list[Sent]) -> None:
    """Through the partition task, from one topic's order: the same decisions, byte for byte."""
    broker = MemoryBroker(lambda: given.ms("2035-01-01 00:00"))
    stage = LedgerStage(Settings(), given.RULES, 1, CountSink())
    log = MemoryLog(broker, stage.name, 0, stage.inputs, stage.changelog)
    task = PartitionTask(stage, 0, log, TaskOptions(clock=Clock.EVENTS), Silent())

    async def one_by_one() -> None:
        await task.open()
        for record in history:
            broker.produce(record.kind, 0, record.key, record.value)
            await task.step()

    asyncio.run(one_by_one())
    events, reasons = simulated(history)
    assert events == [(record.value or b"") + b"\n" for record in broker.logs["points-events", 0]]
    assert len(reasons) == len(broker.logs["dead-letters", 0])
    assert len(events) > 20


def test_putting_accounts_back_as_bytes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = [spending(), behaviour(), bad_records(), *[at_random(seed) for seed in range(8)]]
    expected = [simulated(history) for history in histories]
    monkeypatch.setattr(replay, "STORE_EVERY_LINES", 2)
    monkeypatch.setattr(replay, "CACHED_ACCOUNTS", 1)
    assert [simulated(history) for history in histories] == expected


# -- streams and the programme --------------------------------------------------------------------------


def test_a_text_stream_with_bytes_beneath_is_read_and_written_beneath(programme: Path) -> None:
    source = io.TextIOWrapper(io.BytesIO(order_line(1) + b"\r\n" + order_line(2, 1)), encoding="ascii")
    beneath = io.BytesIO()
    out = io.TextIOWrapper(beneath, encoding="ascii")
    out.write("before\n")
    assert replay.run(programme, source, out=out, err=io.StringIO()) == 0
    assert [text[:6] for text in beneath.getvalue().splitlines()] == [b"before", b'{"id":', b'{"id":']


def test_a_text_stream_without_bytes_works_as_well(programme: Path) -> None:
    source, out = io.StringIO(order_line(1).decode() + "\n" + order_line(2, 1).decode()), io.StringIO()
    assert replay.run(programme, source, out=out, err=io.StringIO()) == 0
    assert len(out.getvalue().splitlines()) == 2


class _Slow(io.RawIOBase):
    """Gives its pieces one a read, and notes what has come out when it is asked for the next."""

    def __init__(self, pieces: list[bytes], out: io.BytesIO) -> None:
        self.pieces = pieces
        self.out = out
        self.seen: list[int] = []

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.seen.append(len(self.out.getvalue().splitlines()))
        piece = self.pieces.pop(0) if self.pieces else b""
        buffer[: len(piece)] = piece
        return len(piece)


def test_what_a_line_makes_comes_out_before_the_next_is_waited_for(programme: Path) -> None:
    beneath = io.BytesIO()
    one, two = order_line(1) + b"\n", order_line(2, 1) + b"\n"
    source = _Slow([one, two[:40], two[40:], order_line(3, 2)], beneath)
    out = io.BufferedWriter(_Sink(beneath))
    status = replay.run(programme, io.BufferedReader(source), out=out, err=io.StringIO())
    assert status == 0
    assert source.seen == [0, 1, 1, 2, 2]
    assert len(beneath.getvalue().splitlines()) == 3


class _Sink(io.RawIOBase):
    def __init__(self, beneath: io.BytesIO) -> None:
        self.beneath = beneath

    def writable(self) -> bool:
        return True

    def write(self, value: Any) -> int:
        return self.beneath.write(bytes(value))


def test_a_line_longer_than_a_chunk_is_one_line(programme: Path) -> None:
    long = order_line(1)[:-1] + b" " * (replay.CHUNK_BYTES * 2) + b"}"
    result = run(programme, long, order_line(2, 1))
    assert (result.status, len(result.lines)) == (0, 2)
    too_long = order_line(1)[:-1] + b" " * (1 << 20) + b"}"
    assert run(programme, too_long).err[0].startswith("line 1: record_too_large: ")


def test_a_programme_with_mistakes_is_told_and_nothing_is_read(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(PROGRAMME.replace("per_amount = 100", "per_amount = 0"), encoding="utf-8")
    source, out, err = io.BytesIO(order_line(1)), io.BytesIO(), io.StringIO()
    assert replay.run(wrong, source, out=out, err=err) == 2
    assert "earning.purchase" in err.getvalue()
    assert (source.tell(), out.getvalue()) == (0, b"")
    assert replay.run(tmp_path / "none.toml", source, out=out, err=err) == 2


def test_balances_are_those_of_the_events_of_a_history(programme: Path) -> None:
    lines = [record.value or b"" for record in [*spending(), sent(given.registered("z", "2027-01-12 00:00"))]]
    last: dict[str, dict[str, int]] = {}
    for event in run(programme, *lines).lines:
        last[event["subject"]] = event["data"]["balance"]
    told = {
        entry["customer"]: {name: entry[name] for name in ("available", "pending", "held", "debt")}
        for entry in run(programme, *lines, balances=True).lines
    }
    assert told == last


# -- what a line sets off in other accounts -------------------------------------------------------------


def test_a_referrers_reward_is_there_before_the_next_line(programme: Path) -> None:
    programme.write_text(PROGRAMME + "[earning.referral]\nreferrer_points = 200\n", encoding="utf-8")
    result = run(
        programme,
        line(given.registered("r-1", "2026-01-15 09:00", referred_by="c-2")),
        line(given.order_paid("o-1", "2026-01-15 10:00")),
        line(given.hold_points("h-1", "2026-01-15 10:00", 200, subject="c-2")),
        line(given.order_paid("o-2", "2026-01-15 11:00")),
    )
    assert (result.status, result.err) == (0, [])
    assert result.brief == [
        ("account-noted", "c-1", 0),
        ("point-granted", "c-1", 100),
        ("account-noted", "c-1", 0),
        ("point-granted", "c-2", 200),
        ("point-held", "c-2", 200),
        ("point-released", "c-2", 200),
        ("point-granted", "c-1", 100),
    ]
    assert result.lines[3]["data"]["cause"] == {"source": "loyalty-stream", "id": "referral:c-1:granted"}


def test_the_tier_is_in_the_balances(programme: Path) -> None:
    levels = '[tiers]\nlevels = [ {name = "silver", from = 100, multiplier = "1.5"} ]\n'
    programme.write_text(PROGRAMME + levels, encoding="utf-8")
    result = run(
        programme,
        order_line(1),
        order_line(2),
        line(given.order_paid("o-3", "2026-01-15 10:00", 9900, subject="c-2")),
        balances=True,
    )
    assert [(each["customer"], each["tier"], each["available"]) for each in result.lines] == [
        ("c-1", "silver", 250),
        ("c-2", None, 99),
    ]


def test_through_the_engine_the_reward_crosses_partitions_and_the_same_events_come_out(
    programme: Path,
) -> None:
    rules = msgspec.structs.replace(given.PLAIN, referrer_points=200)
    customer, referrer, partitions = "c-2", "c-1", 2
    places = [partition_of(name.encode(), partitions) for name in (customer, referrer)]
    assert places == [0, 1]
    broker = MemoryBroker(lambda: given.ms("2035-01-01 00:00"))
    stage = LedgerStage(Settings(), rules, partitions, CountSink())
    logs = [
        MemoryLog(broker, stage.name, place, stage.inputs, stage.changelog) for place in range(partitions)
    ]
    tasks = [
        PartitionTask(stage, place, log, TaskOptions(clock=Clock.EVENTS), Silent())
        for place, log in enumerate(logs)
    ]
    facts: list[tuple[str, Incoming]] = [
        (
            "registrations",
            given.registered("r-1", "2026-01-15 09:00", referred_by=referrer, subject=customer),
        ),
        ("orders", given.order_paid("o-1", "2026-01-15 10:00", subject=customer)),
    ]

    async def all_of_it() -> None:
        for task in tasks:
            await task.open()
        for kind, fact in facts:
            broker.produce(kind, 0, customer.encode(), line(fact))
            await tasks[0].step()
        await tasks[1].step()

    asyncio.run(all_of_it())
    (rewarded,) = [record.value for record in broker.logs["points-events", 1]]
    assert json.loads(rewarded or b"")["data"]["balance"]["available"] == 200
    written = [record.value for place in (0, 1) for record in broker.logs["points-events", place]]
    expected: list[bytes] = []
    assert not list(replay.simulate(rules, [line(fact) for _, fact in facts], expected.append))
    assert [(value or b"") + b"\n" for value in written] == expected

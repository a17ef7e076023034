"""A second, plain and slow account of what must have come out: it shares no code with the engine and no rule.

It knows the rules of tests/kafka/programme.toml, the contract of the events, and nothing of the engine: from
the facts alone it works out every output and the balance after it, and raises AssertionError at the first
difference. Only stored accounts are read with the codec that wrote them. Facts of one customer on several topics may be applied in any order that keeps each topic's; the
outputs' causes tell which it was.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

from story import SHANGHAI, Fact

from loyalty_stream.domain import orders
from loyalty_stream.wire import account_codec

HOLD_TIMEOUT = timedelta(minutes=30)
OURS = "loyalty-stream"


class Seen(NamedTuple):
    """A record as a read_committed consumer saw it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Held:
    points: int
    due: datetime
    state: str


@dataclass
class Customer:
    """What the facts so far have made of one account."""

    available: int = 0
    held: int = 0
    granted: int = 0
    redeemed: int = 0
    registered: bool = False
    first_order: str = ""
    orders: dict[str, str] = field(default_factory=dict)
    """Order id -> what the ids of its order-paid's outputs begin with."""
    days: set[str] = field(default_factory=set)
    holds: dict[str, Held] = field(default_factory=dict)

    @property
    def balance(self) -> dict[str, int]:
        return {"available": self.available, "pending": 0, "held": self.held, "debt": 0}


@dataclass(frozen=True)
class Report:
    """What was found right."""

    outputs: int
    customers: dict[str, Customer]
    by_type: Counter
    timed_out: int
    times: dict[int, datetime]
    """By partition, the latest time of a fact applied there."""


def verify_outputs(
    facts: Iterable[Fact], outputs: Sequence[Seen], *, hold_timeout: timedelta = HOLD_TIMEOUT
) -> Report:
    """Every output that the facts ask for is there once, in order, with its balance; and no other is."""
    expected: dict[tuple[str, str], tuple[int, Fact]] = {}
    for number, fact in enumerate(facts):
        expected.setdefault((fact.event["subject"], fact.event["id"]), (number, fact))
    ids = Counter(json.loads(seen.value)["id"] for seen in outputs)
    repeated = [event_id for event_id, count in ids.items() if count > 1]
    assert not repeated, (
        f"{len(repeated)} of {len(outputs)} outputs are there more than once, such as {repeated[:3]}"
    )
    checks = defaultdict(lambda: _Partition(expected, hold_timeout))
    for seen in sorted(outputs, key=lambda seen: (seen.partition, seen.offset)):
        checks[seen.partition].check(seen)
    customers: dict[str, Customer] = {}
    for check in checks.values():
        check.finish()
        assert not customers.keys() & check.customers.keys(), "a customer is on two partitions"
        customers |= check.customers
    done = set().union(*(check.done for check in checks.values()))
    lost = expected.keys() - done
    assert not lost, f"{len(lost)} of {len(expected)} facts have no output, such as {sorted(lost)[:3]}"
    return Report(
        len(outputs),
        customers,
        sum((check.by_type for check in checks.values()), Counter()),
        sum(check.timed_out for check in checks.values()),
        {partition: check.now for partition, check in checks.items()},
    )


def verify_tables(
    customers: Mapping[str, Customer], changelog: Sequence[Seen], times: Mapping[int, datetime] | None = None
) -> None:
    """The stored accounts are what the outputs explain, account by account; and each partition's time is right."""
    stored: dict[tuple[int, bytes], bytes] = {}
    for seen in sorted(changelog, key=lambda seen: (seen.partition, seen.offset)):
        stored[seen.partition, seen.key] = seen.value
    accounts = {key.decode(): value for (_, key), value in stored.items() if not key.startswith(b"\x00")}
    assert accounts.keys() == customers.keys()
    for name, value in accounts.items():
        account = account_codec.decode(value[4:])
        customer = customers[name]
        stored_sums = (
            account.available, account.pending, account.held, account.debt, account.granted, account.redeemed,
            account.expired, account.revoked, account.restored,
        )  # fmt: skip
        sums = (customer.available, 0, customer.held, 0, customer.granted, customer.redeemed, 0, 0, 0)
        assert stored_sums == sums, f"{name}: stored {stored_sums}, explained {customer}"
        assert bool(account.registered_at) == customer.registered, name
        assert account.first_order == customer.first_order, name
        assert sum(lot.points for lot in account.lots) == customer.available, name
        assert sum(lot.held for lot in account.lots) == customer.held, name
        holds = {hold_id: (hold.points, hold.state) for hold_id, hold in account.holds.items()}
        assert holds == {hold_id: (hold.points, hold.state) for hold_id, hold in customer.holds.items()}, name
        kept = sorted(order.stem for order in orders.each(account))
        assert kept == sorted(customer.orders.values()), name
    for partition, time in (times or {}).items():
        assert int(stored[partition, b"\x00time"]) == round(time.timestamp() * 1000), f"time of {partition}"


def once_by_id(outputs: Sequence[Seen]) -> list[Seen]:
    """What a consumer makes of outputs that may repeat: the first of each id counts, and all of an id are equal."""
    first: dict[str, Seen] = {}
    for seen in sorted(outputs, key=lambda seen: (seen.partition, seen.offset)):
        known = first.setdefault(json.loads(seen.value)["id"], seen)
        assert known.value == seen.value, f"two different events have one id: {known.value!r}, {seen.value!r}"
    return list(first.values())


class _Partition:
    """The outputs of one partition, in order. Its time is the latest fact's; that lets holds time out."""

    def __init__(self, expected: dict[tuple[str, str], tuple[int, Fact]], hold_timeout: timedelta) -> None:
        self.customers: dict[str, Customer] = defaultdict(Customer)
        self.done: set[tuple[str, str]] = set()
        self.by_type: Counter = Counter()
        self.timed_out = 0
        self._expected = expected
        self._timeout = hold_timeout
        self._now = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
        self._last: dict[tuple[str, str], int] = {}
        self._current: tuple[str, str] | None = None
        self._rest: list[dict] = []
        self._ahead: list[datetime] = []
        self._due: list[tuple[datetime, str, str]] = []

    def check(self, seen: Seen) -> None:
        event = json.loads(seen.value)
        name, data = event["subject"], event["data"]
        assert (event["specversion"], event["source"]) == ("1.0", OURS)
        assert seen.key == name.encode()
        self.by_type[event["type"]] += 1
        customer = self.customers[name]
        if data["cause"]["source"] == OURS:
            self._check_time_out(customer, event)
        else:
            cause = (name, data["cause"]["id"])
            if cause != self._current:
                self._begin(cause, event)
            assert self._rest, f"{event}: one output too many of {cause}"
            wanted = self._rest.pop(0)
            told = {key: data.get(key) for key in wanted if key != "type"}
            assert {"type": event["type"], **told} == wanted, f"{event}, wanted {wanted}"
        # The balance is wanted after each single event, also in the midst of a fact's events.
        self._apply(customer, event)
        assert data["balance"] == customer.balance, f"{event}, wanted the balance {customer.balance}"

    def finish(self) -> None:
        assert not self._rest, f"outputs of {self._current} are missing: {self._rest}"
        assert not [due for due in self._ahead if due > self._now], "holds timed out ahead of time"
        assert not self._overdue(self._now), f"holds that have not timed out by {self._now}"

    @property
    def now(self) -> datetime:
        return self._now

    # -- facts ----------------------------------------------------------------------------------------------

    def _begin(self, cause: tuple[str, str], event: dict) -> None:
        assert not self._rest, f"outputs of {self._current} are missing: {self._rest}; then comes {event}"
        assert cause in self._expected, f"{event} has a cause that nobody sent"
        assert cause not in self.done, f"{event}: {cause} was applied before"
        number, fact = self._expected[cause]
        assert event["time"]
        assert _instant(event["time"]) == _instant(fact.event["time"])
        topic = (cause[0], fact.topic)
        assert self._last.get(topic, -1) < number, f"{event}: out of its topic's order"
        self._last[topic] = number
        self._now = max(self._now, _instant(fact.event["time"]))
        assert not [due for due in self._ahead if due > self._now], f"before {event}: timed out ahead of time"
        self._ahead.clear()
        overdue = self._overdue(self._now)
        assert not overdue, f"{overdue} should have timed out before {event}"
        self.done.add(cause)
        self._current = cause
        self._rest = self._outputs_of(self.customers[cause[0]], fact)

    def _outputs_of(self, customer: Customer, fact: Fact) -> list[dict]:  # noqa: PLR0911 - one a type
        data = fact.event["data"]
        match fact.event["type"]:
            case "customer-registered":
                if customer.registered:
                    return [_noted("key")]
                return [{"type": "point-granted", "points": 100, "rule": "registration", "expires_at": None}]
            case "order-paid":
                return self._outputs_of_order(customer, data)
            case "checked-in":
                if fact.event["time"][:10] in customer.days:  # the story writes the programme's own offset
                    return [_noted("key")]
                return [{"type": "point-granted", "points": 2, "rule": "check_in"}]
            case "hold-points":
                return self._outputs_of_hold(customer, data)
            case "confirm-hold" | "release-hold" as command:
                return self._outputs_of_end(customer, data["hold_id"], command)
        raise NotImplementedError(fact.event["type"])

    @staticmethod
    def _outputs_of_order(customer: Customer, data: dict) -> list[dict]:
        if data["order_id"] in customer.orders:
            return [_noted("key")]
        net = max(0, sum(line["amount"] for line in data["lines"]) - data.get("discount_amount", 0))
        grant = {"type": "point-granted", "order_id": data["order_id"]}
        wanted = []
        if net >= 100:
            wanted.append({**grant, "points": net // 100, "rule": "base", "base_amount": net})
        if net > 0 and not customer.first_order:
            wanted.append({**grant, "points": 50, "rule": "first_purchase"})
        return wanted or [_noted("order")]

    @staticmethod
    def _outputs_of_hold(customer: Customer, data: dict) -> list[dict]:
        known = customer.holds.get(data["hold_id"])
        if known is not None and known.state != "rejected":
            return [_noted("key")]
        points = data["points"]
        code = None
        if points > customer.available:
            code = "insufficient_points"
        elif points < 100:
            code = "below_minimum"
        elif points % 100:
            code = "not_a_step"
        elif points > data.get("order_amount", points):  # a point is worth a fen
            code = "over_share"
        if code is not None:
            return [_rejected("hold-points", data["hold_id"], code)]
        return [{"type": "point-held", "hold_id": data["hold_id"], "points": points}]

    @staticmethod
    def _outputs_of_end(customer: Customer, hold_id: str, command: str) -> list[dict]:
        hold = customer.holds.get(hold_id)
        if hold is None or hold.state == "rejected":
            return [_rejected(command, hold_id, "unknown_hold")]
        if hold.state != "open":
            return [_rejected(command, hold_id, "hold_closed")]
        if command == "confirm-hold":
            return [
                {"type": "point-redeemed", "hold_id": hold_id, "points": hold.points, "amount": hold.points}
            ]
        return [{"type": "point-released", "hold_id": hold_id, "points": hold.points, "reason": "released"}]

    # -- time -----------------------------------------------------------------------------------------------

    def _check_time_out(self, customer: Customer, event: dict) -> None:
        data = event["data"]
        assert (event["type"], data["reason"]) == ("point-released", "timed_out"), event
        assert not self._rest, f"outputs of {self._current} are missing: {self._rest}; then comes {event}"
        hold = customer.holds[data["hold_id"]]
        assert hold.state == "open", f"{event}: the hold is {hold.state}"
        assert hold.points == data["points"], event
        assert _instant(event["time"]) == hold.due, event
        self._current = None
        self._ahead.append(hold.due)
        self.timed_out += 1

    def _overdue(self, now: datetime) -> list[tuple[datetime, str, str]]:
        overdue = []
        while self._due and self._due[0][0] <= now:
            entry = heappop(self._due)
            if self.customers[entry[1]].holds[entry[2]].state == "open":
                overdue.append(entry)
        return overdue

    # -- what an output does to the account --------------------------------------------------------------------

    def _apply(self, customer: Customer, event: dict) -> None:
        data = event["data"]
        points = data.get("points", 0)
        note = data.get("note") or {}
        match note.get("kind"):
            case "order":
                stem = event["id"].rpartition(".")[0]
                customer.orders[note["order_id"]] = stem
                if note.get("first"):
                    customer.first_order = stem
            case "registration":
                customer.registered = True
            case "check-in":
                customer.days.add(_instant(event["time"]).astimezone(SHANGHAI).date().isoformat())
        match event["type"]:
            case "point-granted":
                customer.available += points
                customer.granted += points
            case "point-held":
                assert sum(part["points"] for part in data["grants"]) == points, event
                due = _instant(event["time"]) + self._timeout
                assert _instant(data["due_at"]) == due, event
                customer.available -= points
                customer.held += points
                customer.holds[data["hold_id"]] = Held(points, due, "open")
                heappush(self._due, (due, event["subject"], data["hold_id"]))
            case "point-redeemed":
                assert sum(part["points"] for part in data["grants"]) == points, event
                customer.held -= points
                customer.redeemed += points
                customer.holds[data["hold_id"]].state = "confirmed"
            case "point-released":
                customer.held -= points
                customer.available += points
                customer.holds[data["hold_id"]].state = "released"
            case "command-rejected" if data["command"] == "hold-points":
                customer.holds[data["command_id"]] = Held(0, _instant(event["time"]), "rejected")


def _noted(kind: str) -> dict:
    return {"type": "account-noted", "kind": kind}


def _rejected(command: str, hold_id: str, code: str) -> dict:
    return {"type": "command-rejected", "command": command, "command_id": hold_id, "code": code}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)

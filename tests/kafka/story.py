"""A seeded story of customers as facts on the wire: what a platform's services would have sent.

It must not know the engine, nor what the facts earn (`verifier` does).
"""

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from heapq import heappop, heappush
from itertools import islice

SHANGHAI = timezone(timedelta(hours=8))
STARTS_AT = datetime(2024, 3, 1, 8, tzinfo=SHANGHAI)
LASTS = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Fact:
    """One record of an input topic; `topic` is its kind, without a deployment's prefix."""

    topic: str
    event: dict
    value: bytes

    @property
    def key(self) -> bytes:
        return self.event["subject"].encode()


def cloud_event(
    topic: str, kind: str, subject: str, event_id: str, time: datetime, data: dict, source: str = "platform"
) -> Fact:
    """A fact with its bytes."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "subject": subject,
        "time": time.isoformat(timespec="milliseconds"),
        "data": data,
    }
    return Fact(topic, event, json.dumps(event, separators=(",", ":")).encode())


def story(seed: int, facts: int, *, customers: int = 0) -> list[Fact]:
    """So many facts, over ten days, in the order of sending: registrations, orders, check-ins, holds and what becomes of them.

    Some are late by up to an hour, some are sent twice, some repeat an order or a hold under a new event id.
    """
    return list(islice(_Story(seed, LASTS / facts, customers or max(8, facts // 25)).tell(), facts))


def endless_story(seed: int) -> Iterator[Fact]:
    """The same without an end, of 1,600 customers: ten days are 40,000 facts."""
    return _Story(seed, LASTS / 40_000, 1_600).tell()


class _Story:
    def __init__(self, seed: int, step: timedelta, customers: int) -> None:
        self.random = random.Random(seed)
        self.step = step
        self.customers = [f"c{seed}-{number}" for number in range(customers)]
        self.count = 0
        self.due: list[tuple[datetime, int, str, str, str]] = []

    def tell(self) -> Iterator[Fact]:
        chance, now = self.random, STARTS_AT
        sent: deque[Fact] = deque(maxlen=500)
        while True:
            now += self.step * chance.uniform(0.0, 2.0)
            self.count += 1
            if self.due and self.due[0][0] <= now:
                _, _, customer, kind, hold = heappop(self.due)
                fact = self._fact("points-commands", kind, customer, now, {"hold_id": hold})
            elif sent and chance.random() < 0.03:
                fact = chance.choice(sent)  # the very same event once more
            elif sent and chance.random() < 0.03:
                known = chance.choice(sent)  # the same business under a new event id
                fact = self._fact(
                    known.topic, known.event["type"], known.event["subject"], now, known.event["data"]
                )
            else:
                fact = self._new(now)
            sent.append(fact)
            yield fact

    def _new(self, now: datetime) -> Fact:
        chance = self.random
        customer = chance.choice(self.customers)
        if chance.random() < 0.1:
            now -= timedelta(minutes=chance.uniform(0.0, 60.0))
        match chance.choices(("order", "check-in", "hold", "registration"), (55, 20, 18, 7))[0]:
            case "order":
                return self._order(customer, now)
            case "check-in":
                return self._fact("check-ins", "checked-in", customer, now, {})
            case "registration":
                return self._fact("registrations", "customer-registered", customer, now, {})
        hold = f"h{self.count}"
        data: dict = {"hold_id": hold, "points": chance.choice((50, 100, 100, 150, 200, 300))}
        if chance.random() < 0.5:
            data["order_amount"] = chance.randrange(50, 500)
        if chance.random() < 0.8:
            due = now + timedelta(minutes=chance.uniform(1.0, 45.0))
            kind = chance.choice(("confirm-hold", "confirm-hold", "release-hold"))
            heappush(self.due, (due, self.count, customer, kind, hold))
        return self._fact("points-commands", "hold-points", customer, now, data)

    def _order(self, customer: str, now: datetime) -> Fact:
        chance = self.random
        lines = [
            {
                "line_id": str(number),
                "sku": f"sku-{chance.randrange(100)}",
                "quantity": 1,
                "amount": chance.choice((30, 990, 4_950, 12_345)),
            }
            for number in range(chance.choice((1, 1, 2, 3)))
        ]
        data = {"order_id": f"o{self.count}", "currency": "CNY", "lines": lines}
        if chance.random() < 0.3:
            data["discount_amount"] = chance.randrange(2_000)
        return self._fact("orders", "order-paid", customer, now, data)

    def _fact(self, topic: str, kind: str, customer: str, now: datetime, data: dict) -> Fact:
        return cloud_event(topic, kind, customer, f"e{self.count}", now, data)

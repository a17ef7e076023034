"""The benchmarks' input: a seeded mix of facts and commands as a mall's services would send them.

The same seed gives the same bytes. It knows the contract of the events, and no broker.
"""

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import orjson

from loyalty_stream.domain.rules import Rules
from loyalty_stream.programme.compile import compile_rules
from loyalty_stream.programme.load import load_programme

PROGRAMME: Final = Path(__file__).with_name("programme.toml")
CUSTOMERS: Final = 20_000
SEED: Final = 20260115
BEGINS: Final = datetime(2025, 3, 1, tzinfo=timezone(timedelta(hours=8)))
SPAN_SECONDS: Final = 42 * 86_400
"""Six weeks, whatever the number of events: time moves, and nothing expires."""

_GOODS: Final = tuple((f"sku-{n:04d}", f"category-{n % 40:02d}", 900 + n * n % 38_000) for n in range(2_000))
_UNUSED_BEFORE_HOLD: Final = 400
"""A customer asks for 100 points once some 400 were earned, so that nearly every hold is granted."""


class Input(NamedTuple):
    """One record of an input topic; `topic` is the kind."""

    topic: str
    key: bytes
    value: bytes


def rules(programme: Path = PROGRAMME) -> Rules:
    """A programme of the benchmarks, compiled."""
    return compile_rules(load_programme(programme))


def customer(number: int) -> str:
    """A customer's id."""
    return f"customer-{number:07d}"


def event(kind: str, event_id: str, subject: str, time: datetime, data: dict[str, object]) -> bytes:
    """A CloudEvent as a service would send it."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "mall/services",
            "type": kind,
            "subject": subject,
            "time": time.isoformat(timespec="seconds"),
            "data": data,
        }
    )


def order(random: Random, order_id: str, hold_id: str | None = None) -> dict[str, object]:
    """An order of one to three lines, mostly one or two."""
    lines: list[dict[str, object]] = []
    for line in range(1, random.choices((1, 2, 3), (55, 35, 10))[0] + 1):
        sku, category, price = random.choice(_GOODS)
        quantity = 1 if random.random() < 0.8 else 2
        lines.append(
            {
                "line_id": str(line),
                "sku": sku,
                "category": category,
                "quantity": quantity,
                "amount": price * quantity,
            }
        )
    data: dict[str, object] = {"order_id": order_id, "currency": "CNY", "lines": lines}
    if random.random() < 0.2:
        data["discount_amount"] = 500
    if hold_id is not None:
        data["hold_id"] = hold_id
    return data


def inputs(events: int, *, customers: int = CUSTOMERS, seed: int = SEED) -> Iterator[Input]:
    """So many events over all customers, in order of time. The event's id is its number.

    60 % order-paid, 15 % check-ins, 8 % reviews, 7 % shares, 5 % games, 5 % hold-points and, a little later,
    their confirm-hold.
    """
    random = Random(seed)
    unused = [0] * customers
    held: deque[tuple[int, str]] = deque()
    kinds = random.choices(
        ("order", "check-in", "review", "share", "game", "hold"), (60, 15, 8, 7, 5, 5), k=events
    )
    for number, kind in enumerate(kinds):
        who = random.randrange(customers)
        time = BEGINS + timedelta(seconds=number * SPAN_SECONDS // events)
        match kind:
            case "hold" if held:
                who, hold_id = held.popleft()
                topic, name, data = "points-commands", "confirm-hold", dict[str, object](hold_id=hold_id)
            case "hold" if (saver := _saver(random, unused)) is not None:
                who = saver
                unused[who] -= 100
                held.append((who, f"hold-{number}"))
                topic, name = "points-commands", "hold-points"
                data = {"hold_id": f"hold-{number}", "points": 100}
            case "check-in":
                topic, name, data = "check-ins", "checked-in", {}
            case "review":
                topic, name = "reviews", "review-published"
                data = {
                    "review_id": f"review-{number}",
                    "sku": random.choice(_GOODS)[0],
                    "rating": random.randint(1, 5),
                    "has_photo": random.random() < 0.3,
                }
            case "share":
                topic, name = "shares", "share-completed"
                data = {"share_id": f"share-{number}", "channel": "moments"}
            case "game":
                topic, name = "activities", "game-played"
                data = {"game_id": "spin", "play_id": f"play-{number}", "score": random.randrange(200)}
            case _:
                topic, name, data = "orders", "order-paid", order(random, f"order-{number}")
                unused[who] += 100  # on average more
        subject = customer(who)
        yield Input(topic, subject.encode(), event(name, str(number), subject, time, data))


def _saver(random: Random, unused: list[int]) -> int | None:
    """A customer who has enough to spend, if a few tries find one."""
    for _ in range(20):
        who = random.randrange(len(unused))
        if unused[who] >= _UNUSED_BEFORE_HOLD:
            return who
    return None

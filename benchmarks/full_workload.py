"""The benchmarks' input for the whole programme: refunds, holds that orders spend, and customers by Zipf's law.

The same seed gives the same bytes, as with `workload`, whose events these are. Its programme is
`full_programme.toml`.
"""

from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final, cast

from benchmarks.workload import BEGINS, CUSTOMERS, SEED, SPAN_SECONDS, Input, customer, event, order

FULL_PROGRAMME: Final = Path(__file__).with_name("full_programme.toml")
_REFUNDED_LATER_BY: Final = 500
"""Orders that come between an order and its refund."""
_UNUSED_BEFORE_HOLD: Final = 200


def full_inputs(events: int, *, customers: int = CUSTOMERS, seed: int = SEED) -> Iterator[Input]:
    """So many events in order of time; customers by Zipf's law with the exponent 1/2.

    With 1 the first would send a tenth of all: thousands of orders in six weeks.

    55 % order-paid (those that spend a hold among them), 5 % refunds of one line, 10 % hold-points, the rest
    check-ins, reviews, shares and games.
    """
    random = Random(seed)
    by_rank = list(accumulate(rank**-0.5 for rank in range(1, customers + 1)))
    whom = random.choices(range(customers), cum_weights=by_rank, k=events)
    unused = [0] * customers
    held: deque[tuple[int, str]] = deque()
    paid: deque[tuple[int, dict[str, object]]] = deque()
    kinds = random.choices(
        ("order", "refund", "hold", "check-in", "review", "share", "game"), (55, 5, 10, 12, 8, 6, 4), k=events
    )
    for number, kind in enumerate(kinds):
        who = whom[number]
        time = BEGINS + timedelta(seconds=number * SPAN_SECONDS // events)
        topic, name, data = "orders", "order-paid", dict[str, object]()
        match kind:
            case "refund" if len(paid) > _REFUNDED_LATER_BY:
                who, refunded = paid.popleft()
                line = random.choice(cast("list[dict[str, object]]", refunded["lines"]))
                part = cast("int", line["amount"]) // 2
                name = "order-refunded"
                data = {"order_id": refunded["order_id"], "refund_id": f"refund-{number}", "amount": part}
                data["lines"] = [{"line_id": line["line_id"], "amount": part}]
            case "hold" if (saver := _saver(random, unused)) is not None:
                who = saver
                unused[who] -= 100
                held.append((who, f"hold-{number}"))
                topic, name, data = (
                    "points-commands",
                    "hold-points",
                    {"hold_id": f"hold-{number}", "points": 100},
                )
            case "check-in":
                topic, name = "check-ins", "checked-in"
            case "review":
                topic, name = "reviews", "review-published"
                data = {"review_id": f"review-{number}", "sku": "sku-0001", "rating": random.randint(1, 5)}
            case "share":
                topic, name, data = (
                    "shares",
                    "share-completed",
                    {"share_id": f"share-{number}", "channel": "moments"},
                )
            case "game":
                topic, name = "activities", "game-played"
                data = {"game_id": "spin", "play_id": f"play-{number}", "score": random.randrange(200)}
            case _:
                hold_id = None
                if held:
                    who, hold_id = held.popleft()
                data = order(random, f"order-{number}", hold_id)
                unused[who] += 100
                paid.append((who, data))
        subject = customer(who)
        yield Input(topic, subject.encode(), event(name, str(number), subject, time, data))


def _saver(random: Random, unused: list[int]) -> int | None:
    """A customer who has enough to spend, if a few tries find one."""
    for _ in range(50):
        who = random.randrange(len(unused))
        if unused[who] >= _UNUSED_BEFORE_HOLD:
            return who
    return None

"""A board on a real Kafka: two workers, of which one is killed in the very transactions that close a month.

Whoever dies: the month is closed once, with the standings of a plain sort, and every rank is paid once.
"""

import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from deployment import PARTITIONS, Deployment
from injected_worker import STEPS
from story import SHANGHAI, Fact, cloud_event
from worker_process import wait_until

from loyalty_stream.app.board_view import BoardView, as_text, look_up
from loyalty_stream.domain.standings import Ranked

pytestmark = pytest.mark.kafka

Place = tuple[int, datetime, str]
MARCH = datetime(2024, 3, 1, tzinfo=SHANGHAI)
CUSTOMERS = 300
PROGRAMME = """
[programme]
id = "mall"
version = 1
currency = "CNY"
timezone = "Asia/Shanghai"
[[earning.purchase]]
id = "base"
[expiry]
policy = "never"
[[leaderboards]]
id = "monthly"
size = 20
rewards = [ {ranks = [1, 1], points = 1000}, {ranks = [2, 20], points = 100} ]
"""


def orders(chance: random.Random) -> list[Fact]:
    """Some orders each, with equal amounts among them."""
    facts = []
    for number in range(CUSTOMERS * 4):
        lines = [{"line_id": "1", "sku": "tea-01", "quantity": 1, "amount": 1_000 * chance.randrange(1, 30)}]
        order = {"currency": "CNY", "lines": lines, "order_id": f"o-{number}"}
        who = f"c-{chance.randrange(CUSTOMERS)}"
        at = MARCH + timedelta(minutes=number)
        facts.append(cloud_event("orders", "order-paid", who, f"o-{number}", at, order))
    return facts


def refunds(paid: list[Fact], chance: random.Random) -> list[Fact]:
    facts = []
    for number, fact in enumerate(chance.sample(paid, 60)):
        order = json.loads(fact.value)
        amount = order["data"]["lines"][0]["amount"]
        refund = {"order_id": order["data"]["order_id"], "refund_id": f"r-{number}", "amount": amount // 2}
        at = MARCH + timedelta(days=20, minutes=number)
        facts.append(cloud_event("orders", "order-refunded", order["subject"], f"r-{number}", at, refund))
    return facts


def april() -> list[Fact]:
    """Everybody is there after the close, so that every partition has passed it."""
    at = datetime(2024, 4, 1, 2, tzinfo=SHANGHAI)
    return [
        cloud_event("check-ins", "checked-in", f"c-{number}", f"late-{number}", at, {})
        for number in range(CUSTOMERS)
    ]


def ranks(seen: list[dict[str, Any]]) -> list[Place]:
    """Everybody by a plain sort of what was granted less what was taken back."""
    scores, reached = Counter[str](), defaultdict[str, list[str]](list)
    for event in seen:
        if event["type"] == "point-granted" and event["data"]["rule"] == "base":
            scores[event["subject"]] += event["data"]["points"]
            reached[event["subject"]].append(event["time"])
        for part in event["data"].get("revokes", ()):
            scores[event["subject"]] -= part["points"]
    return sorted((-score, datetime.fromisoformat(max(reached[who])), who) for who, score in scores.items())


def _place(entry: Ranked) -> Place:
    return -entry.score, entry.reached_at, entry.customer


@pytest.mark.parametrize("stage", ["boards", "leaderboards"])
def test_a_month_is_closed_and_paid_once_whoever_dies(deployment: Deployment, seed: int, stage: str) -> None:
    chance = random.Random(seed)
    programme = deployment.directory / "boards.toml"
    programme.write_text(PROGRAMME, encoding="utf-8")
    step = chance.choice(STEPS)
    worker = deployment.worker("first", programme=programme, batch_records=200)
    everything = {f"ledger-{partition}" for partition in range(PARTITIONS)}
    wait_until(lambda: worker.ready_partitions() == everything, "the worker at work")
    paid = orders(chance)
    deployment.send(paid)
    deployment.send(refunds(paid, chance))
    deployment.wait_done(worker)
    published = deployment.settings.topic("leaderboards")
    right = ranks([json.loads(record.value or b"") for record in deployment.outputs()])

    def look(around: str | None = None) -> BoardView | None:
        """The board as the command shows it; None while nothing is published."""
        if not deployment.read(published):
            return None
        return deployment.wait(look_up(deployment.settings, "monthly", around=around))

    def around_the_middle() -> BoardView | None:
        """Once the boards have read all that the ledger wrote."""
        found = look(right[150][2])
        places = [] if found is None or found.around is None else found.around.places
        return found if [_place(each) for each in places] == right[145:156] else None

    def leading() -> bool:
        found = look()
        return found is not None and [_place(each) for each in found.standings.data.entries] == right[:20]

    view = worker.wait_until(around_the_middle, "the ranks around a customer")
    assert not view.is_final
    assert view.around.of == len(right)
    assert f"customer {right[150][2]}: rank 151 of {len(right)}" in as_text(view, 5)
    worker.wait_until(leading, "the running standings")
    worker.terminate()

    # It comes back, and dies in one of its next transactions, which are those of the close.
    dying = deployment.worker(
        "first",
        programme=programme,
        batch_records=200,
        faults=[("SIGKILL", chance.randrange(1, 4), step, stage)],
    )
    deployment.send(april())
    dying.wait_killed()
    last = deployment.worker("first", programme=programme, batch_records=200)

    def rewarded() -> list[dict[str, Any]]:
        seen = [json.loads(record.value or b"") for record in deployment.outputs()]
        found = [event for event in seen if event["data"]["cause"]["id"].startswith("board:")]
        return seen if len(found) == 20 else []

    seen = last.wait_until(rewarded, "every rank paid")
    last.terminate()
    assert deployment.dead_letters() == []
    assert len(seen) == len({event["id"] for event in seen})

    finals = [
        said
        for record in deployment.read(published)
        if (said := json.loads(record.value or b""))["type"] == "leaderboard-closed"
    ]
    assert [said["data"]["period"] for said in finals] == ["2024-03"]
    best = ranks(seen)[:20]
    entries = finals[0]["data"]["entries"]
    assert [
        (-each["score"], datetime.fromisoformat(each["reached_at"]), each["customer"]) for each in entries
    ] == best
    got = {
        (event["data"]["cause"]["id"], event["subject"], event["data"]["points"])
        for event in seen
        if event["data"]["cause"]["id"].startswith("board:")
    }
    assert got == {
        (f"board:monthly:2024-03:{rank}:granted", who, 1_000 if rank == 1 else 100)
        for rank, (_, _, who) in enumerate(best, 1)
    }

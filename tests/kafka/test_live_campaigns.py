"""The brief's week of 购物满减 on a real Kafka: campaigns published while two workers run, one of which is killed.

What comes out is compared, event by event, with the simulation of the same facts in one process. Every worker
must know every version at the same instant of the events' time, whenever it was started.
"""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from story import SHANGHAI, Fact, cloud_event
from worker_process import wait_until

from loyalty_stream.app.simulate import Simulation
from loyalty_stream.programme import compile_rules, load_programme

pytestmark = pytest.mark.kafka

STARTS_AT = datetime(2024, 3, 1, tzinfo=SHANGHAI)
CUSTOMERS = 200
PROGRAMME = """
[programme]
id = "mall"
currency = "CNY"
timezone = "Asia/Shanghai"
[[earning.purchase]]
id = "base"
[expiry]
policy = "never"
[[rewards]]
id = "tea-cup"
kind = "goods"
cost = 300
stock = 0
per_customer_limit = 1
"""
WEEK = {
    "id": "tea-week",
    "theme": "Tea week 满减",
    "starts_at": (STARTS_AT + timedelta(days=1)).isoformat(),
    "ends_at": (STARTS_AT + timedelta(days=8)).isoformat(),
    "include_skus": ["tea-01", "tea-02"],
    "minimum_amount": 20000,
    "accumulate": True,
    "per_customer_limit": 0,
    "budget_points": 0,
}


def test_campaigns_are_published_changed_and_withdrawn_live(deployment: Deployment, seed: int) -> None:
    programme = deployment.directory / "week.toml"
    programme.write_text(PROGRAMME, encoding="utf-8")
    chance = random.Random(seed)
    announced, facts = announcements(), shopping(chance)
    deployment.send(announced)
    deployment.send(facts)

    faults = [("SIGKILL", chance.randrange(2, 6), "sent")]
    deployment.worker("first", programme=programme, faults=faults, batch_records=100).wait_killed()
    second = deployment.worker("second", programme=programme, batch_records=100)
    deployment.wait_done(second)
    second.terminate()

    expected = simulated(programme, [*announced, *facts])
    assert deployment.dead_letters() == []
    seen = [json.loads(record.value or b"") for record in deployment.outputs()]
    assert len(seen) == len({event["id"] for event in seen})
    found = {event["id"]: event for event in seen}
    assert found.keys() == expected.keys()
    for event_id, event in expected.items():
        assert found[event_id] == event
    granted = [event["data"] for event in seen if event["type"] == "point-granted"]
    versions = {grant["rule_version"] for grant in granted if "campaign_id" in grant}
    assert versions == {1, 2}  # both were at work
    types = {event["type"] for event in seen}
    assert {"reward-issued", "point-redeemed", "point-revoked", "command-rejected"} <= types


def test_a_budget_is_given_out_to_the_last_point_and_never_passed(deployment: Deployment, seed: int) -> None:
    programme = deployment.directory / "week.toml"
    programme.write_text(PROGRAMME, encoding="utf-8")
    chance = random.Random(seed)
    budget = 10_050  # the last award is cut: no multiple of 300
    limited = {**WEEK, "award": {"points": 300}, "budget_points": budget}
    limited["effective_at"] = (STARTS_AT + timedelta(days=1)).isoformat()
    announced = cloud_event("campaigns", "campaign-published", "tea-week", "announced", STARTS_AT, limited)
    facts = shopping(chance)
    third_of_them = len(facts) // 3
    deployment.send([announced])
    deployment.send(facts[:third_of_them])

    faults = [("SIGKILL", chance.randrange(2, 8), "sent")]
    first = deployment.worker("first", programme=programme, faults=faults, batch_records=100)
    second = deployment.worker("second", programme=programme, batch_records=100)
    # Most comes when both are at work: else the second could be done with it before the first has begun. Unless the
    # fault has struck by then.
    wait_until(
        lambda: not first.alive or (first.ready_partitions() and second.ready_partitions()),
        "both workers at work",
    )
    deployment.send(facts[third_of_them:])
    first.wait_killed()
    third = deployment.worker("third", programme=programme, batch_records=100)
    deployment.wait_done(third)
    third.wait_until(lambda: all_answered(deployment), "every request answered")
    second.terminate()
    third.terminate()

    events = [json.loads(record.value or b"") for record in deployment.outputs()]
    assert len(events) == len({event["id"] for event in events})
    asked = [
        note for note in notes(events) if note["kind"] == "ask" and note["resource"] == "budget:tea-week"
    ]
    granted = [event["data"] for event in events if event["data"].get("rule") == "campaign:tea-week"]
    assert sum(ask["quantity"] for ask in asked) > budget
    assert sum(grant["points"] for grant in granted) == budget
    # Of those that came when little was left, exactly one was cut; the others got all or nothing.
    assert [grant["reason"] for grant in granted].count("campaign, cut by its budget") == 1


def notes(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["data"]["note"] for event in events if "note" in event["data"]]


def all_answered(deployment: Deployment) -> bool:
    kinds = [note["kind"] for note in notes([json.loads(r.value or b"") for r in deployment.outputs()])]
    return kinds.count("ask") == kinds.count("answer")


def simulated(programme: Path, facts: list[Fact]) -> dict[str, dict[str, Any]]:
    """What one process makes of the facts in the order of their time."""
    simulation = Simulation(compile_rules(load_programme(programme)))
    made = {}
    for number, fact in enumerate(sorted(facts, key=lambda fact: fact.event["time"])):
        events, bad = simulation.apply(number, fact.value)
        assert bad is None
        made.update({(read := json.loads(event))["id"]: read for event in events})
    return made


def announcements() -> list[Fact]:
    """300 points for each 200 yuan, then 500 from the fourth day on, withdrawn on the sixth."""

    def at(days: float) -> datetime:
        return STARTS_AT + timedelta(days=days)

    def told(kind: str, number: int, days: float, **data: Any) -> Fact:
        data["effective_at"] = at(days).isoformat()
        return cloud_event("campaigns", kind, "tea-week", f"announced-{number}", at(days - 0.5), data)

    return [
        told("campaign-published", 1, 1, **WEEK, version=1, award={"points": 300}),
        told("campaign-published", 2, 4, **WEEK, version=2, award={"points": 500}),
        told("campaign-withdrawn", 3, 6, id="tea-week"),
    ]


def shopping(chance: random.Random) -> list[Fact]:
    """Ten days of orders, some cancelled, some with points at checkout, and gifts bought with points.

    Everybody's last order comes after all of that: with it the time of each partition passes what is due by then, as
    the one partition of a simulation has passed it.
    """
    facts: list[Fact] = []
    for number in range(CUSTOMERS):
        customer = f"c-{number}"
        time = STARTS_AT + timedelta(minutes=number)
        for step in range(8):
            time += timedelta(hours=chance.randrange(6, 40), seconds=chance.randrange(3600))
            name = f"{customer}-{step}"

            def tell(topic: str, kind: str, seconds: int, data: dict[str, Any], name: str = name) -> None:
                at = time + timedelta(seconds=seconds)  # noqa: B023 - called at once
                facts.append(cloud_event(topic, kind, customer, f"{name}-{kind}", at, data))  # noqa: B023

            hold = {}
            if step and chance.random() < 0.3:
                tell("points-commands", "hold-points", 0, {"hold_id": name, "points": 100})
                hold = {"hold_id": name}
            skus = ("tea-01", "tea-02", "milk")
            lines = [
                {"line_id": str(place), "sku": sku, "quantity": 1, "amount": chance.randrange(1000, 20000)}
                for place, sku in enumerate(chance.sample(skus, 2))
            ]
            order = {"order_id": name, "currency": "CNY", "lines": lines}
            if not hold or chance.random() < 0.9:
                tell("orders", "order-paid", 60, {**order, **hold})
            if chance.random() < 0.2:
                tell("orders", "order-cancelled", 3600, {"order_id": name})
            if chance.random() < 0.3:
                redemption = {"redemption_id": name, "reward_id": "tea-cup"}
                tell("points-commands", "redeem-reward", 7200, redemption)
        line = {"line_id": "0", "sku": "milk", "quantity": 1, "amount": 1000}
        order = {"order_id": f"{customer}-last", "currency": "CNY", "lines": [line]}
        at = STARTS_AT + timedelta(days=15, minutes=number)
        facts.append(cloud_event("orders", "order-paid", customer, f"{customer}-last", at, order))
    return sorted(facts, key=lambda fact: fact.event["time"])

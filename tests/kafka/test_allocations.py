"""Stock and budgets on a real Kafka: two workers, of which one dies in the midst of transactions.

Whoever asks, from whichever partition: never more is given than there is, all of it is given, and each request is
answered once. The draw of the same campaign is held when the time of every partition has passed its end.
"""

import json
import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deployment import PARTITIONS, Deployment, partition_of
from injected_worker import STEPS
from story import SHANGHAI, Fact, cloud_event
from typer.testing import CliRunner
from worker_process import wait_until

from loyalty_stream.cli.entry import app
from loyalty_stream.domain.draw_winners import commitment, proof

pytestmark = pytest.mark.kafka

STARTS_AT = datetime(2024, 3, 1, tzinfo=SHANGHAI)
ENDS_AT = STARTS_AT + timedelta(days=8)
CUSTOMERS = 400
STOCK, BUDGET, SEED = 150, 10_030, "seed of the test"
PROGRAMME = f"""
[programme]
id = "mall"
version = 1
currency = "CNY"
timezone = "Asia/Shanghai"
[[earning.purchase]]
id = "base"
[expiry]
policy = "never"
[[rewards]]
id = "tea-cup"
kind = "goods"
cost = 100
stock = {STOCK}
[[campaigns]]
id = "week"
version = 1
theme = "week"
mode = "online"
starts_at = {STARTS_AT.isoformat()!r}
ends_at = {ENDS_AT.isoformat()!r}
trigger = "purchase"
award = {{points = 100}}
budget_points = {BUDGET}
[[campaigns]]
id = "lots"
version = 1
theme = "lots"
mode = "online"
starts_at = {STARTS_AT.isoformat()!r}
ends_at = {ENDS_AT.isoformat()!r}
trigger = "purchase"
award = {{draw_entries = 1}}
draw = {{prizes = [{{id = "a-car", winners = 2}}, {{id = "a-bike", winners = 3}}], seed_commitment = "{commitment(SEED)}"}}
"""


def orders() -> list[Fact]:
    """An order each, which earns enough for two cups."""
    lines = [{"line_id": "1", "sku": "tea-01", "quantity": 1, "amount": 30000}]
    order = {"currency": "CNY", "lines": lines}
    return [
        cloud_event(
            "orders", "order-paid", f"c-{number}", f"o-{number}", at, order | {"order_id": f"o-{number}"}
        )
        for number, at in enumerate(_minutes())
    ]


def redemptions() -> list[Fact]:
    """A redemption each, some of two cups."""
    wanted = {"reward_id": "tea-cup"}
    return [
        cloud_event(
            "points-commands",
            "redeem-reward",
            f"c-{number}",
            f"r-{number}",
            at + timedelta(days=1),
            wanted | {"redemption_id": f"r-{number}", "quantity": 1 + (number % 5 == 0)},
        )
        for number, at in enumerate(_minutes())
    ]


def later() -> list[Fact]:
    """Everybody is there after the end, so that every partition's time has passed it."""
    after = ENDS_AT + timedelta(hours=1)
    return [
        cloud_event("check-ins", "checked-in", f"c-{number}", f"late-{number}", after, {})
        for number in range(CUSTOMERS)
    ]


def _minutes() -> list[datetime]:
    return [STARTS_AT + timedelta(minutes=number) for number in range(CUSTOMERS)]


def revealed() -> Fact:
    at = ENDS_AT + timedelta(hours=2)
    data = {"campaign_id": "lots", "seed": SEED}
    return cloud_event("campaigns", "draw-seed-revealed", "lots", "seed", at, data)


def test_what_is_limited_is_given_out_exactly_whoever_dies(deployment: Deployment, seed: int) -> None:
    chance = random.Random(seed)
    programme = deployment.directory / "limited.toml"
    programme.write_text(PROGRAMME, encoding="utf-8")
    faults = [("SIGKILL", chance.randrange(4, 20), chance.choice(STEPS))]
    first = deployment.worker("first", programme=programme, faults=faults, batch_records=20)
    second = deployment.worker("second", programme=programme, batch_records=20)
    everything = {f"ledger-{partition}" for partition in range(PARTITIONS)}
    wait_until(
        lambda: first.ready_partitions() | second.ready_partitions() == everything, "both workers at work"
    )
    deployment.send(orders())
    deployment.wait_done(second)  # by both, or by the one that is left
    deployment.send(redemptions())
    first.wait_killed()
    deployment.worker("first", programme=programme, batch_records=20)
    deployment.wait_done(second)
    deployment.send([*later(), revealed()])

    def settled() -> list[dict[str, Any]]:
        seen = [json.loads(record.value or b"") for record in deployment.outputs()]
        count = Counter(event["type"] for event in seen)
        outcomes = count["command-rejected"] + count["reward-issued"]
        asked = sum(_kind(event) == "ask" for event in seen)
        answered = sum(_kind(event) == "answer" for event in seen)
        done = outcomes == CUSTOMERS and asked == answered == 2 * CUSTOMERS and count["draw-won"] == 5
        return seen if done else []

    second.wait_until(settled, "every request answered and the draw held")
    second.terminate()
    seen = settled()
    assert deployment.dead_letters() == []
    assert len(seen) == len({event["id"] for event in seen})
    issued = [event["data"]["quantity"] for event in seen if event["type"] == "reward-issued"]
    assert sum(issued) in {STOCK, STOCK - 1}  # the last piece may find only those who want two, or none
    granted = [event["data"] for event in seen if event["type"] == "point-granted"]
    assert sum(grant["points"] for grant in granted if grant.get("campaign_id") == "week") == BUDGET
    assert (
        sum("cut" in grant["reason"] for grant in granted) == 1
    )  # 10,030 is a hundred whole ones and a part
    held = Counter[str]()
    for event in seen:
        held[event["subject"]] = event["data"]["balance"]["held"]
    assert set(held.values()) == {0}

    entries = [event["data"]["entry_id"] for event in seen if event["type"] == "draw-entered"]
    assert len(entries) == CUSTOMERS
    best = sorted(entries, key=lambda entry_id: proof(SEED, entry_id))[:5]
    won = {event["data"]["entry_id"]: event["data"] for event in seen if event["type"] == "draw-won"}
    assert [won[entry_id]["prize"] for entry_id in best] == ["a-car"] * 2 + ["a-bike"] * 3
    assert all(won[entry_id]["proof"] == proof(SEED, entry_id) for entry_id in best)
    check_notifications(deployment, seen)
    check_draw_as_anybody_can(deployment, programme, best)


def check_notifications(deployment: Deployment, seen: list[dict[str, Any]]) -> None:
    """Each is there once, whoever died, and is of an event that is there, on the partition of its customer."""
    records = deployment.read(deployment.settings.topic("notifications"))
    sent = [json.loads(record.value or b"") for record in records]
    assert len(sent) == len({each["id"] for each in sent})
    kinds = {"reward-issued", "draw-won"}
    assert {(each["data"]["about"], each["subject"], each["data"]["kind"]) for each in sent} == {
        (event["id"], event["subject"], event["type"]) for event in seen if event["type"] in kinds
    }
    assert {record.partition for record in records} == {partition_of(record.key or b"") for record in records}


def check_draw_as_anybody_can(deployment: Deployment, programme: Path, best: list[str]) -> None:
    """`verify-draw` reads the topics and finds the same winners; with another seed it says that it does not hold."""
    settings = deployment.settings
    command = ["verify-draw", "lots", "--programme", str(programme)]
    command += ["--bootstrap-servers", settings.bootstrap_servers, "--app-id", settings.app_id]
    command += ["--topic-prefix", settings.topic_prefix]
    right = CliRunner().invoke(app, command)
    assert right.exit_code == 0, right.output
    assert f"entries: {CUSTOMERS}" in right.output
    told = [line.split()[1] for line in right.output.splitlines() if line.endswith("(told)")]
    assert told == best
    wrong = CliRunner().invoke(app, [*command, "--seed", "another"])
    assert wrong.exit_code == 1, wrong.output
    assert "is NOT the commitment" in wrong.output
    assert "WRONGLY TOLD" in wrong.output


def _kind(event: dict[str, Any]) -> str | None:
    note = event["data"].get("note")
    return None if note is None else note["kind"]

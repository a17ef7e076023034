"""Campaigns and the programme are counted exactly on a real Kafka, by workers of their own of which one is killed.

What is published agrees with brute force over all point events; and a worker that runs every stage goes on from there.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from deployment import PARTITIONS, Deployment
from injected_worker import STEPS
from story import SHANGHAI, Fact, cloud_event
from worker_process import Worker

from loyalty_stream.domain.statistics import Counted
from loyalty_stream.wire import point_events, statistics
from tests.app.brute_counts import Numbers, brute_counts
from tests.app.counted_events import numbers

pytestmark = pytest.mark.kafka

STARTS_AT = datetime(2024, 3, 1, tzinfo=SHANGHAI)
CUSTOMERS = 200
BUDGET = 12_030
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
[finance]
unit_cost_amount = 2
[[campaigns]]
id = "week"
version = 1
theme = "week"
mode = "online"
starts_at = {STARTS_AT.isoformat()!r}
ends_at = {(STARTS_AT + timedelta(days=8)).isoformat()!r}
trigger = "purchase"
award = {{points = 100}}
budget_points = {BUDGET}
"""
CAMPAIGN = "campaign:week@total"


def orders(first: int, hours: float) -> list[Fact]:
    """An order each."""
    lines = [{"line_id": "1", "sku": "tea-01", "quantity": 1, "amount": 30000}]
    made = []
    for number in range(first, first + CUSTOMERS):
        at = STARTS_AT + timedelta(hours=hours, minutes=number - first)
        data = {"currency": "CNY", "lines": lines, "order_id": f"o-{number}"}
        made.append(cloud_event("orders", "order-paid", f"c-{number % CUSTOMERS}", f"o-{number}", at, data))
    return made


def cancelled(every: int) -> list[Fact]:
    at = STARTS_AT + timedelta(hours=30)
    return [
        cloud_event(
            "orders", "order-cancelled", f"c-{number}", f"x-{number}", at, {"order_id": f"o-{number}"}
        )
        for number in range(0, CUSTOMERS, every)
    ]


def published(deployment: Deployment) -> dict[str, list[Counted]]:
    found: dict[str, list[Counted]] = {}
    for record in deployment.read(deployment.settings.topic("campaign-stats")):
        found.setdefault((record.key or b"").decode(), []).append(statistics.decode(record.value))
    return found


def expected(deployment: Deployment) -> Numbers:
    return brute_counts(
        [point_events.decode(record.value or b"") for record in deployment.outputs()], SHANGHAI
    )


def wait_agreed(deployment: Deployment, workers: Sequence[Worker], granted: int) -> dict[str, list[Counted]]:
    """Wait until so much was granted by the campaign and all that is published is right."""

    def agreed() -> Any:
        assert all(worker.alive for worker in workers)
        told = published(deployment)
        if CAMPAIGN not in told or told[CAMPAIGN][-1].data.granted < granted:
            return None
        return told if numbers(told) == expected(deployment) else None

    return workers[0].wait_until(agreed, "campaign-stats as brute force finds it")


def test_campaigns_are_counted_exactly_whoever_dies(deployment: Deployment, seed: int) -> None:
    chance = random.Random(seed)
    programme = deployment.directory / "counted.toml"
    programme.write_text(PROGRAMME, encoding="utf-8")
    ledger = deployment.worker(
        "ledger", programme=programme, batch_records=20, stages=("ledger", "allocation")
    )
    struck = chance.choice(["counting", "owner"])  # the last words of the stages' names
    faults = [("SIGKILL", chance.randrange(3, 12), chance.choice(STEPS), struck)]
    counter = deployment.worker(
        "counter", programme=programme, batch_records=20, stages=("statistics",), faults=faults
    )
    deployment.send(orders(0, 1.0))
    deployment.wait_done(ledger)
    counter.wait_killed()
    again = deployment.worker("counter", programme=programme, batch_records=20, stages=("statistics",))
    deployment.send(cancelled(5))
    told = wait_agreed(deployment, (ledger, again), BUDGET)
    total = told[CAMPAIGN][-1].data
    assert (total.granted, total.budget_left) == (BUDGET, 0)
    assert total.cost_amount == (total.granted - total.revoked) * 2
    assert again.metric("loyalty_campaign", scope="campaign:week", measure="customers") == total.customers
    assert again.metric("loyalty_events_uncounted_total") == 0
    again.terminate()
    ledger.terminate()

    # Everything in one worker, which is in another group: each stage goes on from its own offsets.
    everything = deployment.worker("everything", programme=programme)
    deployment.send(orders(CUSTOMERS, 60.0))
    deployment.wait_done(everything)

    def counted() -> bool:
        told = published(deployment)
        return told["programme@total"][-1].data.orders == 2 * CUSTOMERS

    everything.wait_until(counted, "the orders of the second day counted")
    wait_agreed(deployment, (everything,), BUDGET)
    assert (
        sum(
            everything.metric("loyalty_lag_records", stage="counting", partition=str(p))
            for p in range(PARTITIONS)
        )
        == 0
    )
    everything.terminate()

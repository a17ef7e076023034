"""The brief's case from end to end: one week of 购物满减 on designated products, through simulate.

Spend on the designated tea reaches an amount and earns points; the points buy the designated gift, and a part of
an order at checkout; a refund that takes the spend below takes the award back.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from loyalty_stream.app.simulate import Simulation
from loyalty_stream.domain.facts import Fact
from loyalty_stream.programme import compile_rules, load_programme
from tests.domain import given
from tests.domain.given_rewards import redeem

PROGRAMME = """
[programme]
id = "mall"
currency = "CNY"
timezone = "Asia/Shanghai"
[[earning.purchase]]
id = "base"
[[campaigns]]
id = "tea-week"
theme = "Tea week 满减"
starts_at = "2026-03-01T00:00:00+08:00"
ends_at = "2026-03-08T00:00:00+08:00"
include_skus = ["tea-01", "tea-02"]
minimum_amount = 20000
accumulate = true
per_customer_limit = 2
award = {points = 300}
budget_points = 0
[[rewards]]
id = "tea-cup"
kind = "goods"
cost = 500
stock = 0
per_customer_limit = 1
"""


class Till:
    """A simulation that tells what each fact made."""

    def __init__(self, directory: Path) -> None:
        path = directory / "programme.toml"
        path.write_text(PROGRAMME, encoding="utf-8")
        self.simulation = Simulation(compile_rules(load_programme(path)))
        self.lines = 0

    def take(self, fact: Fact) -> list[tuple[str, Any]]:
        """The events but for notes, each with its points or its code."""
        self.lines += 1
        events, bad = self.simulation.apply(self.lines, msgspec.json.encode(fact))
        assert bad is None
        read = [json.loads(event) for event in events]
        return [
            (each["type"], each["data"].get("points", each["data"].get("code")))
            for each in read
            if each["type"] != "account-noted"
        ]

    def balance(self) -> dict[str, Any]:
        (line,) = self.simulation.balances()
        return {name: value for name, value in json.loads(line).items() if value}


def test_spend_is_awarded_and_the_points_buy_the_gift_and_a_part_of_an_order(tmp_path: Path) -> None:
    till = Till(tmp_path)
    # Before the week, and goods that are not designated: the rules' points only.
    assert till.take(given.order_paid("o-1", "2026-02-28 23:59", 30000)) == [("point-granted", 300)]
    assert till.take(given.order_paid("o-2", "2026-03-01 10:00", [("milk", 9000)])) == [("point-granted", 90)]
    # 120.00 and 80.00 of designated tea: the second order completes 200.00.
    mixed = [("tea-01", 12000), ("milk", 1000)]
    assert till.take(given.order_paid("o-3", "2026-03-02 10:00", mixed)) == [("point-granted", 130)]
    assert till.take(given.order_paid("o-4", "2026-03-07 23:59:59", [("tea-02", 8000)])) == [
        ("point-granted", 80),
        ("point-granted", 300),
    ]
    # After the week nothing more.
    assert till.take(given.order_paid("o-5", "2026-03-08 00:00", 40000)) == [("point-granted", 400)]
    assert till.balance() == {"customer": "c-1", "available": 1300, "granted": 1300}

    # Points for the designated gift, once per customer.
    bought = till.take(redeem("g-1", "2026-03-09 10:00", "tea-cup"))
    assert [kind for kind, _ in bought] == ["point-held", "point-redeemed", "reward-issued"]
    assert till.take(redeem("g-2", "2026-03-09 10:01", "tea-cup")) == [("command-rejected", "limit_reached")]

    # Points as cash at the checkout: 800 points are 8.00 of an order of 50.00.
    till.take(given.hold_points("h-1", "2026-03-10 10:00", 800, order_amount=5000))
    paid = till.take(given.order_paid("o-6", "2026-03-10 10:01", [("milk", 5000)], hold_id="h-1"))
    assert paid == [("point-redeemed", 800), ("point-granted", 42)]
    assert till.balance() == {
        "customer": "c-1",
        "available": 42,
        "granted": 1342,
        "redeemed": 1300,
    }

    # The tea comes back: its points, and the award that its spend no longer reaches, are owed.
    back = till.take(given.cancellation("x-1", "2026-03-11 10:00", "o-4"))
    assert back == [("point-revoked", 42), ("point-revoked", 0)]
    assert till.balance() == {
        "customer": "c-1",
        "debt": 338,
        "granted": 1342,
        "redeemed": 1300,
        "revoked": 42,
    }

"""A mall's history with everything in it that a report tells of, made by a seed and played through the ledger.

Planted: who is invited to `tea-week` buys `UPLIFT_ORDERS` more orders in that week, at random among all customers;
nobody changes for `quiet-week`, whose audience is as random.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from loyalty_stream.app.simulate import Simulation
from loyalty_stream.domain.announcements import DrawSeedRevealed, DrawSeedRevealedData
from loyalty_stream.domain.draw_winners import commitment
from loyalty_stream.domain.facts import (
    CheckedIn,
    CheckedInData,
    CustomerRegistered,
    CustomerRegisteredData,
    EraseCustomer,
    EraseCustomerData,
    Fact,
    HoldPoints,
    HoldPointsData,
    OrderCancelled,
    OrderLine,
    OrderPaid,
    OrderPaidData,
    OrderRef,
    OrderRefunded,
    OrderRefundedData,
    RedeemReward,
    RedeemRewardData,
    RefundLine,
    ReviewPublished,
    ReviewPublishedData,
    ReviewRef,
    ReviewRemoved,
    SurveySubmitted,
    SurveySubmittedData,
)
from loyalty_stream.programme import Programme, compile_rules, parse_programme

SEED = "tea and snow"
TEXT = f"""
[programme]
id = "mall"
timezone = "Asia/Shanghai"
[[earning.purchase]]
id = "base"
thresholds = [ {{minimum_amount = 50000, bonus = 50}} ]
[earning.registration]
[earning.first_purchase]
[earning.review]
[earning.check_in]
[[surveys]]
id = "nps-2026"
points = 30
[expiry]
period = "P4M"
warn_before = []
[tiers]
levels = [ {{name = "silver", from = 1500, multiplier = "1.2"}}, {{name = "gold", from = 4000, multiplier = "1.5"}} ]
[[rewards]]
id = "tea-cup"
cost = 500
stock = 0
per_customer_limit = 0
[[campaigns]]
id = "tea-week"
theme = "Spring tea 满减 week"
starts_at = "2026-04-06T00:00:00+08:00"
ends_at = "2026-04-13T00:00:00+08:00"
audience = {{segments = ["tea"]}}
minimum_amount = 10000
award = {{points = 200}}
per_customer_limit = 2
budget_points = 40000
[[campaigns]]
id = "quiet-week"
theme = "Quiet week"
starts_at = "2026-05-18T00:00:00+08:00"
ends_at = "2026-05-25T00:00:00+08:00"
audience = {{segments = ["quiet"]}}
accumulate = false
minimum_amount = 0
award = {{points = 20}}
per_customer_limit = 0
budget_points = 0
[[campaigns]]
id = "lucky-june"
theme = "Lucky June"
starts_at = "2026-06-01T00:00:00+08:00"
ends_at = "2026-06-15T00:00:00+08:00"
accumulate = false
minimum_amount = 20000
award = {{draw_entries = 1}}
per_customer_limit = 3
draw = {{prizes = [ {{id = "tea-set", winners = 3}} ], seed_commitment = "{commitment(SEED)}"}}
[finance]
targets = {{}}
"""

START = datetime(2025, 12, 31, 16, tzinfo=UTC)
"""The first of January 2026 in Shanghai."""
TEA_DAYS, QUIET_DAYS = range(95, 102), range(137, 144)
UPLIFT_ORDERS = 1
MERCHANTS = {"tea-01": "leaf-house", "cup-01": "kiln", "nut-01": "snack-bar", "rice-01": None}
SOURCE = "/mall"


@dataclass
class History:
    """What went in and what came out, as JSON lines in their order."""

    facts: list[bytes] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    balances: list[dict[str, Any]] = field(default_factory=list)


def programme() -> Programme:
    return parse_programme(TEXT)


def play(customers: int, days: int, seed: int) -> History:
    """The history of so many customers over so many days from the first of January 2026."""
    mall = _Mall(customers, seed)
    for day in range(days):
        mall.live(day)
    mall.history.balances = [json.loads(line) for line in mall.simulation.balances()]
    return mall.history


class _Mall:
    def __init__(self, customers: int, seed: int) -> None:
        self.random = Random(seed)
        self.simulation = Simulation(compile_rules(programme()))
        self.history = History()
        self.available: dict[str, int] = {}
        self.names = [f"c-{number}" for number in range(customers)]
        self.joins = {name: int(self.random.triangular(0, 60, 0)) for name in self.names}
        self.rate = {name: self.random.lognormvariate(-2.2, 0.6) for name in self.names}
        self.tea = set(self.random.sample(self.names, customers // 2))
        self.quiet = set(self.random.sample(self.names, customers // 2))
        self.orders: list[tuple[str, OrderPaid]] = []
        self.count = 0

    def live(self, day: int) -> None:
        facts = sorted(self._of_day(day), key=lambda each: each[0])
        for at, name, kind, data in facts:
            self._take(kind, name, at, data)
            if kind is HoldPoints and data.order_id and self.held:
                self._order(name, at + timedelta(seconds=30), hold_id=data.hold_id, order_id=data.order_id)
        if day == 165:
            revealed = DrawSeedRevealedData(campaign_id="lucky-june", seed=SEED)
            self._take(DrawSeedRevealed, "lucky-june", START + timedelta(days=day, hours=15), revealed)

    def _of_day(self, day: int) -> Iterator[tuple[datetime, str, type, Any]]:
        chance = self.random
        for name in self.names:
            if day < self.joins[name]:
                continue
            noon = START + timedelta(days=day, seconds=chance.randrange(9 * 3600, 22 * 3600))
            if day == self.joins[name]:
                segments = tuple(s for s, of in (("tea", self.tea), ("quiet", self.quiet)) if name in of)
                early = START + timedelta(days=day, hours=1)
                yield early, name, CustomerRegistered, CustomerRegisteredData(segments=segments)
            orders = chance.random() < self.rate[name]
            if name in self.tea and day == TEA_DAYS.start + hash_of(name) % len(TEA_DAYS):
                orders += UPLIFT_ORDERS
            for _ in range(orders):
                yield self._checkout(name, noon)
            yield from self._besides(name, day, noon)

    def _checkout(self, name: str, at: datetime) -> tuple[datetime, str, type, Any]:
        self.count += 1
        order_id = f"o-{self.count}"
        if self.available.get(name, 0) >= 300 and self.random.random() < 0.3:
            data = HoldPointsData(
                hold_id=f"h-{self.count}", points=200, order_id=order_id, order_amount=10**6
            )
            return at, name, HoldPoints, data
        return at, name, OrderPaid, self._basket(order_id)

    def _besides(self, name: str, day: int, at: datetime) -> Iterator[tuple[datetime, str, type, Any]]:
        chance, later = self.random, at + timedelta(hours=1)
        self.count += 1
        if chance.random() < 0.03:
            yield later, name, CheckedIn, CheckedInData()
        if chance.random() < 0.02:
            rating = min(5, max(1, round(chance.gauss(4, 1))))
            data = ReviewPublishedData(
                review_id=f"r-{self.count}", sku=chance.choice(list(MERCHANTS)), rating=rating
            )
            yield later, name, ReviewPublished, data
            if chance.random() < 0.1:
                yield (
                    later + timedelta(minutes=5),
                    name,
                    ReviewRemoved,
                    ReviewRef(review_id=f"r-{self.count}"),
                )
        if chance.random() < 0.01:
            satisfied = min(5, max(1, round(chance.gauss(3 + day / 120, 1))))
            answer = SurveySubmittedData(
                survey_id="nps-2026", response_id=f"s-{self.count}", satisfaction=satisfied
            )
            yield later, name, SurveySubmitted, answer
        if chance.random() < 0.01 and self.available.get(name, 0) >= 500:
            yield (
                later,
                name,
                RedeemReward,
                RedeemRewardData(redemption_id=f"m-{self.count}", reward_id="tea-cup"),
            )
        if self.orders and chance.random() < 0.004:
            buyer, order = self.orders.pop(chance.randrange(len(self.orders)))
            yield from self._goes_back(buyer, order, later)
        if day == 150 and name == "c-3":
            yield later, name, EraseCustomer, EraseCustomerData(request_id="e-1")

    def _goes_back(
        self, buyer: str, order: OrderPaid, at: datetime
    ) -> Iterator[tuple[datetime, str, type, Any]]:
        line, order_id = order.data.lines[0], order.data.order_id
        if self.random.random() < 0.4:
            yield at, buyer, OrderCancelled, OrderRef(order_id=order_id)
        elif order.data.discount_amount == 0 and order.data.hold_id is None:
            part = RefundLine(line_id=line.line_id, amount=line.amount // 2)
            data = OrderRefundedData(
                order_id=order_id, refund_id=f"b-{self.count}", amount=part.amount, lines=(part,)
            )
            yield at, buyer, OrderRefunded, data

    def _basket(self, order_id: str, hold_id: str | None = None) -> OrderPaidData:
        chance = self.random
        skus = chance.sample(list(MERCHANTS), chance.randrange(1, 4))
        lines = tuple(
            OrderLine(
                line_id=f"l{number}",
                sku=sku,
                category=sku[:3],
                quantity=1,
                amount=int(chance.lognormvariate(8.9, 0.5)),
                merchant_id=MERCHANTS[sku],
            )
            for number, sku in enumerate(skus, 1)
        )
        goods = sum(line.amount for line in lines)
        discount = goods // 10 if chance.random() < 0.2 else 0
        return OrderPaidData(
            order_id=order_id, currency="CNY", lines=lines, discount_amount=discount, hold_id=hold_id
        )

    def _order(self, name: str, at: datetime, *, hold_id: str, order_id: str) -> None:
        self._take(OrderPaid, name, at, self._basket(order_id, hold_id))

    def _take(self, kind: type, name: str, at: datetime, data: Any) -> None:
        number = len(self.history.facts) + 1
        fact: Fact = kind(
            specversion="1.0", id=f"f-{number}", source=SOURCE, subject=name, time=at, data=data
        )
        line = msgspec.json.encode(fact)
        events, bad = self.simulation.apply(number, line)
        assert bad is None, bad
        self.history.facts.append(line)
        self.history.events += events
        self.held = False
        for event in map(json.loads, events):
            self.available[event["subject"]] = event["data"]["balance"]["available"]
            self.held |= event["type"] == "point-held"
        if kind is OrderPaid:
            self.orders.append((name, fact))


def hash_of(name: str) -> int:
    return sum(name.encode())

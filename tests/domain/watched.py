"""An account under watch: the laws, checked after every event and every fact."""

import os

from any_history import SUBJECT
from given import check
from hypothesis import HealthCheck, settings

from loyalty_stream.domain import calendar, decide, evolve, expiry, orders
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import PointEvent, PointHeld, PointRedeemed
from loyalty_stream.domain.facts import Incoming
from loyalty_stream.domain.rules import Rules
from loyalty_stream.domain.tiers import current

LAWS = settings(
    max_examples=int(os.environ.get("LAWS_EXAMPLES", "150")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Watched:
    """An account, the fold of its events, and what must be true of every event and after every fact."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.account = Account()
        self.folded = Account()
        self.ids: set[str] = set()

    def settle(self, now: int) -> list[PointEvent]:
        due = expiry.next_due(self.account, self.rules)
        events = expiry.settle(self.account, SUBJECT, self.rules, now)
        assert bool(events) == (due is not None and due <= now)
        for event in events:
            assert due <= calendar.to_ms(event.time) or event.data.cause.source != "loyalty-stream"
        self.watch(events, now)
        return events

    def apply(self, fact: Incoming, now: int) -> list[PointEvent]:
        events = decide.apply(self.account, fact, self.rules, now)
        self.watch(events, now)
        return events

    def watch(self, events: list[PointEvent], now: int) -> None:
        for event in events:
            assert event.id not in self.ids
            self.ids.add(event.id)
            in_spending_order(self.folded, event)
            evolve.fold(self.folded, event)
            check(self.folded, event)
        assert self.folded == self.account
        assert not (self.account.debt and self.account.available + self.account.pending)
        assert all(lot.expires_at > now for lot in self.account.lots if lot.points + lot.pending)
        assert all(lot.available_at > now for lot in self.account.lots if lot.pending)
        due = expiry.next_due(self.account, self.rules)
        assert due is None or due > now
        tiers_stand(self.account, self.rules, now)


def tiers_stand(account: Account, rules: Rules, now: int) -> None:
    """The bound is one, nobody is below the tier that they have reached, nor above where downgrades are immediate."""
    tiers = rules.tiers
    points, spend = 0, 0
    for order in orders.each(account):
        if tiers.window is None or calendar.add(order.paid_at, tiers.window, rules.zone) > now:
            earned = [each for each in order.earned if each.kind in {"purchase", "threshold"}]
            points += sum(each.points - each.revoked for each in earned)
            spend += order.left_amount
    if not tiers.levels:
        return
    counts, bound = (points, account.tier_points) if tiers.basis == "earned" else (spend, account.tier_spend)
    assert bound >= counts
    if tiers.window is None and rules.retention_ms > 400 * calendar.DAY_MS:
        assert bound == counts
    names = ["", *[level.name for level in tiers.levels]]
    reached = max([0, *[place for place, level in enumerate(tiers.levels, 1) if counts >= level.minimum]])
    place = names.index(current(account, rules))
    assert place >= reached
    if tiers.downgrade == "immediate" and tiers.window is not None:
        assert place == reached


def in_spending_order(before: Account, event: PointEvent) -> None:
    """What is newly taken from the free points is what expires first, then what was earned first."""
    data = event.data
    match data:
        case PointHeld():
            wanted = data.points
        case PointRedeemed() if before.holds[data.hold_id].state != "open":
            wanted = data.points
        case _:
            return
    # Points that are past their date now are never free when something is taken: they have expired before.
    expected = []
    for lot in sorted(before.lots, key=lambda lot: (lot.expires_at, lot.earned_at, lot.grant_id)):
        part = min(wanted, lot.points)
        if part:
            expected.append((lot.grant_id, part))
            wanted -= part
    assert wanted == 0
    assert [(part.grant_id, part.points) for part in data.grants] == expected

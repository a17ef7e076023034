"""Points for a paid order: the purchase rules, their thresholds and the first purchase (DOMAIN.md, Earning).

It must not know how a hold turns into a redemption (`holds`) nor what becomes of granted points.
"""

from collections.abc import Sequence
from itertools import compress

import msgspec

from loyalty_stream.domain import calendar, grants, holds
from loyalty_stream.domain.events import AccountNoted, KeyNote, OrderNote, WaitingNote
from loyalty_stream.domain.facts import OrderLine, OrderPaid, OrderPaidData
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.rounding import apportion, rounded
from loyalty_stream.domain.rules import PurchaseRule, Rules


def accepts(data: OrderPaidData, rules: Rules) -> bool:
    """Whether the order is in the programme's currency; any other must not be decided (`wrong_currency`)."""
    return data.currency == rules.currency


def decide_order_paid(journal: Journal, fact: OrderPaid, rules: Rules) -> None:
    """Apply the order, unless it is known already or waits for its hold, at most the hold time-out."""
    data = fact.data
    account = journal.account
    if data.order_id in account.orders or data.order_id in account.waiting:
        journal.record(AccountNoted(kind="key", note=KeyNote()))
    elif data.hold_id is not None and holds.must_wait(account, data):
        note = WaitingNote(
            order_id=data.order_id,
            hold_id=data.hold_id,
            due_at=calendar.to_datetime(journal.at + rules.redemption.hold_timeout_ms),
            order_paid=msgspec.json.encode(fact).decode(),
        )
        journal.record(AccountNoted(kind="waiting", note=note))
    else:
        apply_order(journal, data, rules)


def apply_order(journal: Journal, data: OrderPaidData, rules: Rules) -> None:
    """Spend the order's hold, then grant what its goods earn; the first grant carries the order's note.

    The first order with net goods is marked as the first purchase whatever that is worth, so that a bonus
    which is set up later is not paid to customers of old.
    """
    lines = data.lines
    order_id = data.order_id
    goods = lines[0].amount if len(lines) == 1 else sum([line.amount for line in lines])
    off = data.discount_amount
    if data.hold_id is not None:
        off += holds.spend_on_order(journal, rules, data, max(goods - off, 0))
    net = goods - off if off < goods else 0
    first = net > 0 and not journal.account.first_order
    note: OrderNote | None = OrderNote(order_id, net, first)
    for rule in rules.purchase:
        base = net if rule.basis == "net" else goods
        if rule.scoped:
            base = scoped_base(rule, lines, off)
        if base < rule.minimum_amount:
            continue
        exact = (base * rule.numerator, rule.denominator)
        points = rounded(base * rule.numerator, rule.denominator, rule.rounding)
        if points > 0:
            grants.grant(
                journal,
                rules,
                points=points,
                rule=rule.id,
                reason="purchase",
                note=note,
                order_id=order_id,
                base_amount=base,
                exact=exact,
                rounding=rule.rounding,
            )
            note = None
        bonus = threshold_bonus(rule, base) if rule.thresholds else 0
        if bonus > 0:
            grants.grant(
                journal,
                rules,
                points=bonus,
                rule=rule.id,
                reason="threshold",
                note=note,
                order_id=order_id,
                base_amount=base,
            )
            note = None
    if first and rules.first_purchase_points > 0:
        grants.grant(
            journal,
            rules,
            points=rules.first_purchase_points,
            rule="first_purchase",
            reason="first purchase",
            note=note,
            order_id=order_id,
        )
        note = None
    if note is not None:
        journal.record(AccountNoted(kind="order", note=note))


def scoped_base(rule: PurchaseRule, lines: Sequence[OrderLine], off: int) -> int:
    """What the rule counts of the lines, in minor units.

    `off`, the discount and the cash value of points, is spread over all lines, those out of scope too.
    """
    counted = [in_scope(rule, line) for line in lines]
    amounts = [line.amount for line in lines]
    if off > 0 and rule.basis == "net" and any(counted):
        taken = apportion(off, amounts)
        amounts = [amount - part for amount, part in zip(amounts, taken, strict=True)]
    return sum(compress(amounts, counted))


def in_scope(rule: PurchaseRule, line: OrderLine) -> bool:
    """Whether the line passes every list of the rule; an empty include list lets all pass."""
    category = line.category
    return (
        (not rule.include_categories or category in rule.include_categories)
        and (not rule.include_skus or line.sku in rule.include_skus)
        and category not in rule.exclude_categories
        and line.sku not in rule.exclude_skus
    )


def threshold_bonus(rule: PurchaseRule, base: int) -> int:
    """The points for the thresholds that `base` reaches: of the highest, or of all together."""
    bonus = 0
    for threshold in rule.thresholds:
        if base < threshold.minimum_amount:
            break
        bonus = threshold.bonus if rule.threshold_mode == "highest" else bonus + threshold.bonus
    return bonus

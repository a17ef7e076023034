"""Points for a paid order: the purchase rules, their thresholds and the first purchase (DOMAIN.md, Earning).

It must not know how a hold turns into a redemption (`holds`) nor what becomes of granted points.
"""

from collections.abc import Sequence

from loyalty_stream.domain import (
    campaign_awards,
    campaign_matching,
    grants,
    holds,
    orders,
    referral,
    tiers,
    waiting,
)
from loyalty_stream.domain.campaign_terms import ONE, Ratio
from loyalty_stream.domain.facts import OrderLine, OrderPaid, OrderPaidData
from loyalty_stream.domain.fold_points import FIRST_PURCHASE
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import KeyNote, OrderNote
from loyalty_stream.domain.rounding import apportion, rounded
from loyalty_stream.domain.rules import PurchaseRule, Rules
from loyalty_stream.domain.scope import in_scope, net_of


def accepts(data: OrderPaidData, rules: Rules) -> bool:
    """Whether the order is in the programme's currency; any other must not be decided (`wrong_currency`)."""
    return data.currency == rules.currency


def decide_order_paid(journal: Journal, fact: OrderPaid, rules: Rules) -> None:
    """Apply the order, unless it is known already or waits for its hold, at most the hold time-out."""
    data = fact.data
    account = journal.account
    if orders.find(account, data.order_id) is not None or waiting.is_paid_for(account, data.order_id):
        journal.remember("key", KeyNote())
    elif data.hold_id is not None and holds.must_wait(account, data):
        waiting.wait_for_hold(journal, fact, data.hold_id, rules)
    else:
        apply_order(journal, data, rules)


def apply_order(journal: Journal, data: OrderPaidData, rules: Rules) -> None:
    """Spend the order's hold, then grant what its goods earn; its first event carries the order's note.

    The first order with net goods is marked as the first purchase whatever that is worth, so that a bonus
    which is set up later is not paid to customers of old.
    """
    lines = data.lines
    amounts = [line.amount for line in lines]
    goods = net_of(amounts, None)
    off = data.discount_amount
    spent = 0
    if data.hold_id is not None:
        spent = holds.worth_on_order(journal.account, rules, data.hold_id, max(goods - off, 0))
        off += spent
    nets = net_amounts(amounts, off)
    first = off < goods and not journal.account.first_order
    named = tuple([(lines[place].line_id, net) for place, net in enumerate(nets)])
    timeline = rules.book.purchase
    choice = None
    if (
        timeline.begins <= journal.at < timeline.ends
    ):  # else no campaign is live, and no more than this is asked
        choice = campaign_matching.for_order(journal.account, rules, lines, nets, journal.at)
    journal.remember("order", OrderNote(data.order_id, named, first, choice.counts if choice else ()))
    if data.hold_id is not None:
        holds.spend_on_order(journal, rules, data, spent)
    if choice is None or not choice.exclusive:
        multiplier = tiers.multiplier(journal.account, rules)  # the tier before the order applies to it
        for rule in rules.purchase:
            _earn(journal, data, rules, rule, nets, multiplier)
    if first:
        referral.tell(journal, rules, journal.account.referred_by)
        grants.grant(
            journal,
            rules,
            points=rules.first_purchase_points,
            rule="first_purchase",
            reason=FIRST_PURCHASE,
            order_id=data.order_id,
        )
    if choice is not None:
        campaign_awards.award_order(journal, rules, choice, data.order_id)
    tiers.rise(journal, rules)


def _earn(
    journal: Journal,
    data: OrderPaidData,
    rules: Rules,
    rule: PurchaseRule,
    nets: list[int],
    multiplier: Ratio,
) -> None:
    """What one rule gives for the order: its points, then its threshold bonus."""
    scope = scope_of(rule, data.lines) if rule.scoped else None
    base = base_amount(rule, data.lines, nets, scope)
    if base < rule.minimum_amount:
        return
    exact = (base * rule.numerator, rule.denominator)
    if multiplier != ONE:
        exact = (exact[0] * multiplier[0], exact[1] * multiplier[1])
    grants.grant(
        journal,
        rules,
        points=rounded(exact[0], exact[1], rule.rounding),
        rule=rule.id,
        reason="purchase",
        order_id=data.order_id,
        base_amount=base,
        exact=exact,
        rounding=rule.rounding,
        scope=scope,
    )
    steps = threshold_steps(rule, base) if rule.thresholds else ()
    if steps:
        grants.grant(
            journal,
            rules,
            points=steps[-1][1],
            rule=rule.id,
            reason="threshold",
            order_id=data.order_id,
            base_amount=base,
            steps=steps,
            scope=scope,
        )


def scope_of(rule: PurchaseRule, lines: Sequence[OrderLine]) -> tuple[int, ...] | None:
    """The positions of the lines that the rule counts; None: all of them."""
    scope = tuple([place for place, line in enumerate(lines) if in_scope(rule, line)])
    return None if len(scope) == len(lines) else scope


def base_amount(
    rule: PurchaseRule, lines: Sequence[OrderLine], nets: Sequence[int], scope: tuple[int, ...] | None
) -> int:
    """What the rule counts of the lines in `scope`, in minor units; `nets`: what is left of each line to pay."""
    amounts = nets if rule.basis == "net" else [line.amount for line in lines]
    if scope is not None and not scope:
        return 0
    return net_of(amounts, scope)


def net_amounts(amounts: list[int], off: int) -> list[int]:
    """The lines' amounts less `off`, the discount and the cash value of points, spread over all of them."""
    if off <= 0:
        return amounts
    return [amount - part for amount, part in zip(amounts, apportion(off, amounts), strict=True)]


def threshold_steps(rule: PurchaseRule, base: int) -> tuple[tuple[int, int], ...]:
    """The thresholds that `base` reaches, each with the bonus from there on: of the highest, or of all together."""
    steps: list[tuple[int, int]] = []
    bonus = 0
    for threshold in rule.thresholds:
        if base < threshold.minimum_amount:
            break
        bonus = threshold.bonus if rule.threshold_mode == "highest" else bonus + threshold.bonus
        steps.append((threshold.minimum_amount, bonus))
    return tuple(steps)

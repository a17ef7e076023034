"""Refunds and cancellations: what was spent on the order comes back, what it earned is taken back (DOMAIN.md).

It must not know from which lots points are taken (`revoking`) nor with which dates they return (`restoring`).
"""

from collections.abc import Sequence

from loyalty_stream.domain import (
    calendar,
    campaign_refunds,
    grants,
    holds,
    identity,
    orders,
    restoring,
    revoking,
    tiers,
    waiting,
)
from loyalty_stream.domain.account import Account, Earned, Line, Order
from loyalty_stream.domain.events import Revoked
from loyalty_stream.domain.facts import OrderCancelled, OrderRefunded, OrderRefundedData, RefundLine
from loyalty_stream.domain.fold_points import FIRST_PURCHASE
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import DroppedNote, RefundNote
from loyalty_stream.domain.rounding import apportion, rounded
from loyalty_stream.domain.rules import Rounding, Rules


def decide_order_refunded(journal: Journal, fact: OrderRefunded, rules: Rules) -> None:
    """Apply the refund, or wait for the payment."""
    if orders.find(journal.account, fact.data.order_id) is None:
        waiting.wait_for_payment(journal, fact, rules)
    else:
        apply_refund(journal, fact, rules)


def decide_order_cancelled(journal: Journal, fact: OrderCancelled, rules: Rules) -> None:
    """Refund what is left of the order; before its payment, give back what is held for it, and wait."""
    order_id = fact.data.order_id
    if orders.find(journal.account, order_id) is None:
        holds.release_for_order(journal, order_id)
        waiting.wait_for_payment(journal, fact, rules)
    else:
        apply_cancellation(journal, order_id, rules)


def excess(account: Account, data: OrderRefundedData) -> str | None:
    """Why the refund must not be applied: it is beyond what is left of the order, or contradicts itself; or None.

    A refund that is known already, and one whose order is not, are not beyond anything.
    """
    if data.lines and (together := sum(line.amount for line in data.lines)) != data.amount:
        return f"`$.data.lines`: together {together}, where `amount` says {data.amount}"
    order = orders.find(account, data.order_id)
    if order is None or _is_known(account, data):
        return None
    if not data.lines:
        if data.amount > order.left_amount:
            return f"`$.data.amount`: {data.amount} refunded, {order.left_amount} of order {data.order_id} is left"
        return None
    for line_id, amount in _by_line(data.lines).items():
        named = [line for line in order.lines if line.line_id == line_id]
        left = sum(line.net - line.refunded for line in named)
        if not named or amount > left:
            return f"`$.data.lines`: {amount} refunded of line {line_id}, {left} of it is left"
    return None


def apply_refund(journal: Journal, fact: OrderRefunded, rules: Rules) -> None:
    """Apply a refund of a known order, once; one beyond what is left is dropped, with its text to set it aside."""
    data = fact.data
    account = journal.account
    order = orders.find(account, data.order_id)
    if order is None or _is_known(account, data):
        waiting.change_nothing(journal, data.order_id)
    elif (why := excess(account, data)) is not None:
        note = DroppedNote(data.order_id, journal.stem, why, waiting.as_text(fact))
        journal.remember("dropped", note)
    else:
        refund = RefundNote(data.order_id, _parts(order.lines, data), refund_id=data.refund_id)
        _apply(journal, order, refund, rules)


def apply_cancellation(journal: Journal, order_id: str, rules: Rules) -> None:
    """Refund everything that is left of a known order, once."""
    order = orders.find(journal.account, order_id)
    if order is None or order.cancelled:
        waiting.change_nothing(journal, order_id)
        return
    lefts = [line.net - line.refunded for line in order.lines]
    _apply(journal, order, RefundNote(order_id, _placed(lefts), cancelled=True), rules)


def settle(journal: Journal, rules: Rules, order_id: str) -> None:
    """Points of an order came after it was refunded: what the refunds took of them goes back at once."""
    order = orders.find(journal.account, order_id)
    if order is None:
        return
    refunded = [line.refunded for line in order.lines]
    total = sum(refunded)
    if not total and not order.cancelled:
        return
    gone = order.cancelled or total == order.net_amount
    revoking.revoke(
        journal,
        rules,
        reason="cancellation" if order.cancelled else "refund",
        revokes=_revokes(order, refunded, gone=gone),
        own={earned.grant_id for earned in order.earned},
        order_id=order_id,
    )


def _apply(journal: Journal, order: Order, note: RefundNote, rules: Rules) -> None:
    """Restore, then revoke, then look at tier and first purchase. Amounts are worked out before anything changes."""
    account = journal.account
    refunded = [line.refunded for line in order.lines]
    for place, amount in note.lines:
        refunded[place] += amount
    total = sum(refunded)
    gone = note.cancelled or (total > 0 and total == order.net_amount)
    own = {earned.grant_id for earned in order.earned}
    revokes = _revokes(order, refunded, gone=gone)
    spent, points = order.spent, restoring.to_restore(order, total, all_of_it=gone)
    passes, paid_at = order.first and gone, order.paid_at

    journal.remember("refund", note)
    restoring.restore(journal, rules, spent, points, order_id=note.order_id)
    revoking.revoke(
        journal,
        rules,
        reason="cancellation" if note.cancelled else "refund",
        revokes=revokes,
        own=own,
        order_id=note.order_id,
    )
    journal.close()  # what the refund lowers, and to which order the bonus passes, the account knows by its note
    campaign_refunds.take_back(journal, rules, note.order_id)
    journal.close()
    if passes and account.first_order:
        grants.grant(
            journal,
            rules,
            points=rules.first_purchase_points,
            rule="first_purchase",
            reason=FIRST_PURCHASE,
            order=account.first_order,
        )
    tiers.lowered(journal, rules, paid_at)


# -- how much of each line ------------------------------------------------------------------------------


def _parts(lines: Sequence[Line], data: OrderRefundedData) -> tuple[tuple[int, int], ...]:
    """What is refunded of each line, by its position: as named, or in proportion to what is left of them."""
    lefts = [line.net - line.refunded for line in lines]
    if not data.lines:
        return _placed(apportion(data.amount, lefts))
    named = _by_line(data.lines)
    amounts: list[int] = []
    for line, left in zip(lines, lefts, strict=True):
        part = min(
            named.get(line.line_id, 0), left
        )  # lines that share an id are refunded one after the other
        if part:
            named[line.line_id] -= part
        amounts.append(part)
    return _placed(amounts)


def _placed(amounts: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple([(place, amount) for place, amount in enumerate(amounts) if amount])


def _by_line(lines: Sequence[RefundLine]) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for line in lines:
        amounts[line.line_id] = amounts.get(line.line_id, 0) + line.amount
    return amounts


def _is_known(account: Account, data: OrderRefundedData) -> bool:
    return identity.remembers(account.keys, identity.business_key("refund", data.order_id, data.refund_id))


# -- how much of each grant -----------------------------------------------------------------------------


def _revokes(order: Order, refunded: Sequence[int], *, gone: bool) -> list[Revoked]:
    """By how much each grant of the order is taken back, once so much of its lines is refunded."""
    revokes: list[Revoked] = []
    for earned in order.earned:
        points = earned.points - earned.revoked - _stays(earned, order.lines, refunded, gone=gone)
        if points > 0:
            kind, _, campaign_id = earned.kind.partition(":")
            revokes.append(
                Revoked(
                    earned.grant_id,
                    points,
                    calendar.to_datetime(earned.earned_at or order.paid_at),
                    campaign_id if kind == "campaign" else None,
                )
            )
    return revokes


def _stays(earned: Earned, lines: Sequence[Line], refunded: Sequence[int], *, gone: bool) -> int:
    """What stays of a grant: the exact fraction or the step of what remains of its base; all while its order stands.

    Of a base before discounts as much remains as of the net of its lines, since refunds are net. What a campaign
    gave for spend over its window is not the order's alone: `campaigns` takes it back.
    """
    if earned.exact is None and not earned.steps:
        whose = earned.kind.partition(":")[0]
        return 0 if gone and whose != "campaign" else earned.points - earned.revoked
    if gone:
        return 0
    scope = earned.scope or range(len(lines))
    net = sum(lines[place].net for place in scope)
    if net == 0:
        return earned.points - earned.revoked
    left = net - sum(refunded[place] for place in scope)
    if left == net:  # what a multiplier adds is a difference of two roundings, not its exact fraction rounded
        return earned.points - earned.revoked
    if earned.exact is not None:
        numerator, denominator = earned.exact
        rounding: Rounding = earned.rounding  # type: ignore[assignment]  # kept as the grant's text
        return rounded(numerator * left, denominator * net, rounding)
    base = earned.gross or net
    reached = [points for minimum, points in earned.steps if base * left >= minimum * net]
    return reached[-1] if reached else 0

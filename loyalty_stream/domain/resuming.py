"""What waited in an account is taken up again, with its own cause and its own time, or dropped at last.

It must not know when that is; `decide` and `expiry` say so.
"""

from typing import Final, TypeAlias, assert_never

import msgspec

from loyalty_stream.domain import calendar, completion, identity, orders, purchase, refunds, waiting
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import Cause, PointEvent
from loyalty_stream.domain.facts import OrderCancelled, OrderCompleted, OrderPaid, OrderRefunded
from loyalty_stream.domain.journal import open_due, open_journal
from loyalty_stream.domain.notes import DroppedNote
from loyalty_stream.domain.rules import Rules

_Early: TypeAlias = OrderPaid | OrderRefunded | OrderCancelled | OrderCompleted

_EARLY: Final[msgspec.json.Decoder[_Early]] = msgspec.json.Decoder(_Early)


def hold_seen(account: Account, hold_id: str, rules: Rules, now: int) -> list[PointEvent]:
    """Apply the orders that wait for this hold, in the order in which they came."""
    events: list[PointEvent] = []
    for stem in waiting.for_hold(account, hold_id):
        events += _take_up(account, stem, rules, now)
    return events


def payment_seen(account: Account, order_id: str, rules: Rules, now: int) -> list[PointEvent]:
    """Apply what waits for this order's payment, if that was applied, in the order in which it came."""
    events: list[PointEvent] = []
    if account.waiting and orders.find(account, order_id) is not None:
        for stem in waiting.for_payment(account, order_id):
            events += _take_up(account, stem, rules, now)
    return events


def time_is_up(
    account: Account, subject: str, stem: str, rules: Rules, due: int, *, seen: int
) -> list[PointEvent]:
    """Apply an order without the hold that it waited for; drop anything else, as no payment can come any more.

    `seen` is the latest time that the account has seen, `due` (ms) or later.
    """
    early = account.waiting[stem]
    if early.hold_id:
        return _take_up(account, stem, rules, seen)
    journal = open_due(account, subject, f"{stem}:unmatched", due)
    journal.remember("dropped", DroppedNote(early.order_id, stem))
    return journal.close()


def _take_up(account: Account, stem: str, rules: Rules, now: int) -> list[PointEvent]:
    """Apply what waited as the fact that it was.

    With its waiting note the account has remembered the cause; the numbers of its events go on from there.
    """
    early = account.waiting[stem]
    fact = _EARLY.decode(early.event)
    digest = identity.digest(fact.subject, fact.source, fact.id)
    cause = Cause(fact.source, fact.id)
    at = calendar.to_ms(fact.time)
    journal = open_journal(account, fact.subject, cause, fact.time, at, now, digest, earlier=early.earlier)
    match fact:
        case OrderPaid():
            purchase.apply_order(journal, fact.data, rules)
            return journal.close() + payment_seen(account, fact.data.order_id, rules, now)
        case OrderRefunded():
            refunds.apply_refund(journal, fact, rules)
        case OrderCancelled():
            refunds.apply_cancellation(journal, fact.data.order_id, rules)
        case OrderCompleted():
            completion.apply_completion(journal, fact.data.order_id)
        case _:
            assert_never(fact)
    return journal.close()

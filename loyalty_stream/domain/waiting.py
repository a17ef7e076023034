"""Events of an order that came too early: remembered, and found again by what they wait for.

An order-paid waits for its hold; a refund, cancellation or completion for its payment. What happens when that
has come, or has not come in time, is `resuming`'s.
"""

import msgspec

from loyalty_stream.domain import calendar
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.facts import OrderCancelled, OrderCompleted, OrderPaid, OrderRefunded
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import DroppedNote, KeyNote, WaitingNote
from loyalty_stream.domain.rules import Rules


def wait_for_hold(journal: Journal, fact: OrderPaid, hold_id: str, rules: Rules) -> None:
    """Remember an order until its hold is seen, at most the hold time-out."""
    note = WaitingNote(
        order_id=fact.data.order_id,
        hold_id=hold_id,
        due_at=calendar.to_datetime(journal.at + rules.redemption.hold_timeout_ms),
        event=as_text(fact),
    )
    journal.remember("waiting", note)


def wait_for_payment(
    journal: Journal, fact: OrderRefunded | OrderCancelled | OrderCompleted, rules: Rules
) -> None:
    """Remember what comes after a payment until that is seen, at most the retention: later it would be too old."""
    note = WaitingNote(
        order_id=fact.data.order_id,
        due_at=calendar.to_datetime(journal.at + rules.retention_ms),
        event=as_text(fact),
        earlier=len(journal.events) + 1,
    )
    journal.remember("waiting", note)


def for_hold(account: Account, hold_id: str) -> list[str]:
    """The stems of the orders that wait for this hold, in the order in which they came."""
    return [stem for stem, each in account.waiting.items() if each.hold_id == hold_id]


def for_payment(account: Account, order_id: str) -> list[str]:
    """The stems of what waits for this order's payment, in the order in which it came."""
    return [stem for stem, each in account.waiting.items() if each.order_id == order_id and not each.hold_id]


def is_paid_for(account: Account, order_id: str) -> bool:
    """Whether the order was paid and waits for its hold."""
    if not account.waiting:
        return False
    return any(each.order_id == order_id and each.hold_id for each in account.waiting.values())


def change_nothing(journal: Journal, order_id: str) -> None:
    """Remember of a repeat only that it was seen; one that waited does so no longer."""
    if journal.stem in journal.account.waiting:
        journal.remember("dropped", DroppedNote(order_id, journal.stem))
    else:
        journal.remember("key", KeyNote())


def as_text(fact: OrderPaid | OrderRefunded | OrderCancelled | OrderCompleted) -> str:
    """The event as JSON text, by which it is kept."""
    return msgspec.json.encode(fact).decode()

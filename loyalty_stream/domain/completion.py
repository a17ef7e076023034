"""An order is completed: what it earned becomes available where that was waited for ([availability]).

It must not know what makes points pending; `grants` decides that, `expiry` activates what a delay holds back.
"""

from loyalty_stream.domain import orders, waiting
from loyalty_stream.domain.account import NEVER
from loyalty_stream.domain.events import PointActivated
from loyalty_stream.domain.facts import OrderCompleted
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import CompletionNote
from loyalty_stream.domain.rules import Rules


def decide_order_completed(journal: Journal, fact: OrderCompleted, rules: Rules) -> None:
    """Complete the order, or wait for its payment."""
    if orders.find(journal.account, fact.data.order_id) is None:
        waiting.wait_for_payment(journal, fact, rules)
    else:
        apply_completion(journal, fact.data.order_id)


def apply_completion(journal: Journal, order_id: str) -> None:
    """Activate the order's points that are pending until now; once, and of a refunded order none are left.

    Points under a delay keep their time, whatever the programme says by now.
    """
    account = journal.account
    order = orders.find(account, order_id)
    if order is None or order.completed:
        waiting.change_nothing(journal, order_id)
        return
    own = {earned.grant_id for earned in order.earned}
    journal.remember("completion", CompletionNote(order_id))
    ready = [lot for lot in account.lots if lot.pending and lot.available_at == NEVER and lot.grant_id in own]
    for lot in ready:
        journal.record(PointActivated(grant_id=lot.grant_id, points=lot.pending))

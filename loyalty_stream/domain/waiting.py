"""Orders that came before their hold: applied when the hold is seen, or when it has not come in time.

It must not know when that is; `decide` and `expiry` say so.
"""

import msgspec

from loyalty_stream.domain import calendar, identity, purchase
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import Cause, PointEvent
from loyalty_stream.domain.facts import OrderPaid
from loyalty_stream.domain.journal import open_journal
from loyalty_stream.domain.rules import Rules

_ORDER_PAID = msgspec.json.Decoder(OrderPaid)


def apply_for_hold(account: Account, hold_id: str, rules: Rules, now: int) -> list[PointEvent]:
    """Apply the orders that wait for this hold, in the order in which they came."""
    events: list[PointEvent] = []
    for stem in [stem for stem, order in account.waiting.items() if order.hold_id == hold_id]:
        events += apply_waiting(account, stem, rules, now)
    return events


def apply_waiting(account: Account, stem: str, rules: Rules, now: int) -> list[PointEvent]:
    """Apply a waiting order as the fact that it was: with its own cause and its own time.

    Its waiting note was the cause's event 0, by which the account remembers the cause; these go on from 1.
    """
    fact = _ORDER_PAID.decode(account.waiting[stem].event)
    digest = identity.digest(fact.subject, fact.source, fact.id)
    cause = Cause(fact.source, fact.id)
    at = calendar.to_ms(fact.time)
    journal = open_journal(account, fact.subject, cause, fact.time, at, now, digest, earlier=1)
    purchase.apply_order(journal, fact.data, rules)
    return journal.close()

"""Nothing falls due late: the ledger's timers and bounds make the very events that looking every time would make."""

from any_history import START_MS, STEPS, SUBJECT, history
from any_rules import DAY_MS, any_rules
from hypothesis import given
from watched import LAWS

from loyalty_stream.domain import calendar, decide, expiry, refunds
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.facts import OrderRefunded
from tests.app.test_ledger import Partition


@LAWS
@given(any_rules(), STEPS)
def test_the_ledger_makes_the_events_that_looking_every_time_makes(rules, steps):
    partition = Partition(rules)
    account, events = Account(), []
    facts = history(steps, rules)
    for now, fact in facts:
        events += expiry.settle(account, SUBJECT, rules, now)
        set_aside = (
            isinstance(fact, OrderRefunded)
            and not decide.is_known(account, fact)
            and refunds.excess(account, fact.data) is not None
        )
        if not set_aside:
            events += decide.apply(account, fact, rules, now)
        partition.processor.advance(now)
        partition.take(fact, timestamp=max(now, calendar.to_ms(fact.time)))
        entry = partition.table.get(SUBJECT.encode())
        if entry is not None:
            due = expiry.next_due(entry.account, rules)
            assert entry.scheduled is None or due is None or entry.scheduled <= due
    last = (facts[-1][0] if facts else START_MS) + 1000 * DAY_MS
    events += expiry.settle(account, SUBJECT, rules, last)
    partition.processor.advance(last)
    assert partition.events() == events
    entry = partition.table.get(SUBJECT.encode())
    assert (entry.account if entry else Account()) == account

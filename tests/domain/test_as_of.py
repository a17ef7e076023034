"""An account at an instant: what the ledger showed then, and what had fallen due though nobody had noted it yet."""

from any_history import START_MS, STEPS, SUBJECT, history
from any_rules import DAY_MS, any_rules
from given import Customer, ms, order_paid
from hypothesis import assume, given
from hypothesis import strategies as st
from watched import LAWS

from loyalty_stream.domain import calendar, decide, expiry
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.as_of import SUMS, account_at
from loyalty_stream.domain.facts import HoldPoints, OrderPaid


def lived(rules, steps):
    """What was recorded, each event with the clock at which it was, and the facts with their clocks."""
    account, recorded = Account(), []
    facts = history(steps, rules)
    for now, fact in facts:
        events = expiry.settle(account, SUBJECT, rules, now)
        events += decide.apply(account, fact, rules, now)
        recorded += [(now, event) for event in events]
    return facts, recorded


def sums(account):
    return {name: getattr(account, name) for name in SUMS}


@LAWS
@given(any_rules(), STEPS, st.integers(0, 100 * DAY_MS))
def test_it_is_what_the_ledger_showed_when_its_clock_was_there(rules, steps, after):
    """Late facts included: what came in after the instant was not known then."""
    at = START_MS + after
    facts, recorded = lived(rules, steps)
    shown = Account()
    for now, fact in facts:
        if now <= at:
            expiry.settle(shown, SUBJECT, rules, now)
            decide.apply(shown, fact, rules, now)
    # A payment that waits for its hold is a matter of rules when its time is up, not of what stands in the account.
    assume(all(early.due_at > at for early in shown.waiting.values()))
    expiry.settle(shown, SUBJECT, rules, at)
    found = account_at([event for known_at, event in recorded if known_at <= at], at)
    assert sums(found) == sums(shown)
    assert [(lot.grant_id, lot.points, lot.held, lot.pending, lot.expires_at) for lot in found.lots] == [
        (lot.grant_id, lot.points, lot.held, lot.pending, lot.expires_at) for lot in shown.lots
    ]


@LAWS
@given(any_rules(), STEPS, st.integers(0, 100 * DAY_MS))
def test_with_all_that_is_known_now_it_is_the_same_where_nothing_came_late(rules, steps, after):
    at = START_MS + after
    on_time = [(what, ahead, 0, number) for what, ahead, _, number in steps]
    facts, recorded = lived(rules, on_time)
    held = {fact.data.hold_id for _, fact in facts if isinstance(fact, HoldPoints)}
    assume(not any(isinstance(fact, OrderPaid) and fact.data.hold_id in held for _, fact in facts))
    shown = Account()
    for now, fact in facts:
        if now <= at:
            expiry.settle(shown, SUBJECT, rules, now)
            decide.apply(shown, fact, rules, now)
    assume(not shown.waiting)
    expiry.settle(shown, SUBJECT, rules, at)
    assert sums(account_at([event for _, event in recorded], at)) == sums(shown)


@LAWS
@given(any_rules(), STEPS, st.integers(-DAY_MS, 100 * DAY_MS))
def test_points_are_conserved_at_every_instant(rules, steps, after):
    """Whatever came late: differences add up in any order."""
    _, recorded = lived(rules, steps)
    found = account_at([event for _, event in recorded], START_MS + after)
    standing = found.available + found.pending + found.held
    assert found.granted == standing + found.redeemed + found.expired + found.revoked - found.restored
    assert found.available == sum(lot.points for lot in found.lots)
    assert found.held == sum(lot.held for lot in found.lots)
    assert found.pending == sum(lot.pending for lot in found.lots)


def test_points_whose_date_has_passed_are_gone_though_nobody_has_noted_it():
    customer = Customer()
    events = customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    date = calendar.to_ms(events[0].data.expires_at)
    before = account_at(events, date - 1)
    assert (before.available, before.expired, before.due.expired) == (150, 0, 0)
    there = account_at(events, date)
    assert (there.available, there.expired, there.due.expired, there.lots) == (0, 150, 150, [])


def test_before_its_first_event_an_account_is_empty():
    events = Customer().when(order_paid("o-1", "2026-01-15 10:00", 10000))
    empty = account_at(events, ms("2026-01-15 09:59"))
    assert (empty.available, empty.events, empty.last_event_at) == (0, 0, 0)
    assert account_at(events, ms("2026-01-15 10:00")).available == 150


def test_a_late_order_counts_from_its_own_time_on():
    """As of the event's time it was there all along; as the ledger knew it then, it was not."""
    customer = Customer()
    first = customer.when(order_paid("o-1", "2026-01-15 10:00", 10000))
    late = customer.when(order_paid("o-2", "2026-01-14 10:00", 5000))
    at = ms("2026-01-14 12:00")
    assert account_at(first + late, at).available == 50
    assert account_at(first, at).available == 0

"""The laws of an account under any rules and any history: late, repeated and contradicting facts included.

`LAWS_EXAMPLES=5000 pytest tests/domain/test_laws.py` looks longer; a failure prints how to run it again.
"""

from copy import deepcopy

from any_history import START_MS, STEPS, SUBJECT, fact_of, history
from any_rules import DAY_MS, MINUTE_MS, any_rules
from given import Customer
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace
from watched import LAWS, Watched

from loyalty_stream.domain import calendar, decide, expiry, lot_records, orders, retention
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.facts import (
    CheckedIn,
    CheckedInData,
    OrderLine,
    OrderPaid,
    OrderPaidData,
    ReviewPublished,
    ReviewPublishedData,
    ShareCompleted,
    ShareCompletedData,
)
from loyalty_stream.domain.rules import CheckInRule, Tiers


@LAWS
@given(any_rules(), STEPS)
def test_every_account_is_the_balanced_fold_of_its_events(rules, steps):
    watched = Watched(rules)
    for now, fact in history(steps, rules):
        watched.settle(now)
        watched.apply(fact, now)
    watched.settle(START_MS + 2000 * DAY_MS)
    if rules.expiry.policy == "rolling":
        assert watched.account.available == 0
    assert watched.account.held == 0
    assert not watched.account.waiting


@LAWS
@given(any_rules(), STEPS, st.integers(0, 39))
def test_a_repeated_fact_changes_nothing(rules, steps, which):
    facts = history(steps, rules)
    assume(facts)
    account = Account()
    for now, fact in facts:
        decide.apply(account, fact, rules, now)
    now = facts[-1][0]
    repeated = facts[which % len(facts)][1]
    assume(not decide.too_old(calendar.to_ms(repeated.time), now, rules))
    before = deepcopy(account)
    assert decide.apply(account, repeated, rules, now) == []
    assert account == before


@LAWS
@given(any_rules(), STEPS, st.lists(st.integers(0, 60 * 24 * 60), max_size=5).map(sorted))
def test_the_clock_may_move_in_any_steps(rules, steps, stops):
    """What falls due is the same whether the clock jumps or creeps, or the engine asks for one instant at a time."""
    jumped = Account()
    end = START_MS
    for now, fact in history(steps, rules):
        end = now
        decide.apply(jumped, fact, rules, now)
    crept, stepped = deepcopy(jumped), deepcopy(jumped)
    last = end + 60 * DAY_MS
    in_one = expiry.settle(jumped, SUBJECT, rules, last)
    in_many = []
    for minutes in stops:
        in_many += expiry.settle(crept, SUBJECT, rules, end + minutes * MINUTE_MS)
    in_many += expiry.settle(crept, SUBJECT, rules, last)
    by_instant = []
    while (due := expiry.next_due(stepped, rules)) is not None and due <= last:
        by_instant += expiry.settle_next(stepped, SUBJECT, rules, due)
    assert in_one == in_many == by_instant
    assert jumped == crept == stepped


@LAWS
@given(any_rules(), STEPS)
def test_settling_before_a_fact_or_with_it_is_the_same(rules, steps):
    """`apply` settles by itself, so an engine that is late with what falls due changes no event."""
    eager, lazy = Account(), Account()
    eager_events, lazy_events = [], []
    for now, fact in history(steps, rules):
        eager_events += expiry.settle(eager, SUBJECT, rules, now)
        eager_events += decide.apply(eager, fact, rules, now)
        lazy_events += decide.apply(lazy, fact, rules, now)
    if history(steps, rules):  # a repeated fact settles nothing by itself
        lazy_events += expiry.settle(lazy, SUBJECT, rules, now)
    assert eager == lazy
    assert eager_events == lazy_events


PLAIN_FACTS = st.lists(
    st.tuples(
        st.sampled_from([OrderPaid, CheckedIn, ReviewPublished, ShareCompleted]), st.integers(0, 20 * 24 * 60)
    ),
    min_size=1,
    max_size=12,
)


@LAWS
@given(any_rules(), PLAIN_FACTS, st.randoms(use_true_random=False))
def test_what_facts_earn_does_not_depend_on_their_order(rules, plain, random):
    """Without limits, holds, tiers and bonuses for being first or in a row, which are about order by their nature.

    So is expiry by inactivity: points that come late share the date of the others.
    """
    assume(rules.expiry.policy != "inactivity")
    rules = replace(
        rules,
        first_purchase_points=0,
        tiers=Tiers(),
        daily_points_limit=0,
        review=replace(rules.review, daily_limit=0),
        share=replace(rules.share, daily_limit=0),
        check_in=CheckInRule(2),
    )
    facts, days = [], set()
    for number, (kind, minutes) in enumerate(plain):
        at = START_MS + minutes * MINUTE_MS
        day = calendar.local_day(at, rules.zone)
        if kind is CheckedIn and day in days:
            continue
        if kind is CheckedIn:
            days.add(day)
        name = f"n{number}"
        data = {
            OrderPaid: OrderPaidData(
                order_id=name,
                currency="CNY",
                lines=(OrderLine(line_id="l", sku="tea", quantity=1, amount=900 + number),),
            ),
            CheckedIn: CheckedInData(),
            ReviewPublished: ReviewPublishedData(review_id=name, sku="tea", rating=4),
            ShareCompleted: ShareCompletedData(share_id=name, channel="wechat"),
        }[kind]
        facts.append(fact_of(kind, data, at, number))
    shuffled = list(facts)
    random.shuffle(shuffled)
    end = START_MS + 20 * DAY_MS
    results = []
    for arrival in (sorted(facts, key=lambda fact: fact.time), shuffled):
        account, now = Account(), START_MS
        for fact in arrival:
            now = max(now, calendar.to_ms(fact.time))
            decide.apply(account, fact, rules, now)
        expiry.settle(account, SUBJECT, rules, end)
        account.first_order = ""
        remembered = list(orders.each(account))
        account.orders, account.unpacked = {}, {}
        for order in sorted(remembered, key=lambda order: order.stem):
            order.first = False
            orders.save(account, order)
        account.warned = {}  # a fact that comes when its notice has begun is warned of late, or not at all
        lot_records.forget_records(account)  # which point to places among the causes
        account.keys = {bucket: bytes(sorted(keys)) for bucket, keys in account.keys.items()}
        account.causes = {bucket: bytes(sorted(causes)) for bucket, causes in account.causes.items()}
        results.append(account)
    assert results[0] == results[1]


@LAWS
@given(any_rules(), STEPS)
def test_what_is_forgotten_is_older_than_the_retention(rules, steps):
    """And no free or held point, no debt and no open hold is ever forgotten."""
    account = Account()
    for now, fact in history(steps, rules):
        expiry.settle(account, SUBJECT, rules, now)
        before = deepcopy(account)
        if retention.forget(account, SUBJECT, rules, now):
            stems = {order.stem for order in orders.each(account)}
            for order in orders.each(before):
                assert order.stem in stems or decide.too_old(order.paid_at, now, rules)
            for hold_id in before.holds.keys() - account.holds.keys():
                assert before.holds[hold_id].state != "open"
                assert decide.too_old(before.holds[hold_id].due_at, now, rules)
            assert len(account.causes) < len(before.causes)
            assert (account.lots, account.debt) == (before.lots, before.debt)
        decide.apply(account, fact, rules, now)


def test_the_driver_of_the_other_tests_checks_the_laws():
    """A balance that its lots do not explain is seen."""
    customer = Customer()
    customer.account.available = 1
    try:
        customer.clock("2026-01-01")
        customer._keep([])
    except AssertionError:
        return
    raise AssertionError("a wrong balance went unnoticed")

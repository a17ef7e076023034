"""Every point explained: the parts of each grant add up to it, and all grants to the account."""

from any_history import STEPS, SUBJECT, history
from any_rules import any_rules
from given import Customer, cancellation, erase_customer, hold_points, order_paid, refund
from hypothesis import given
from msgspec.structs import replace
from watched import LAWS

from loyalty_stream.domain import decide, expiry
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.provenance import explain


@LAWS
@given(any_rules(), STEPS)
def test_the_parts_always_add_up(rules, steps):
    account, events = Account(), []
    for now, fact in history(steps, rules):
        events += expiry.settle(account, SUBJECT, rules, now)
        events += decide.apply(account, fact, rules, now)
    told = explain(SUBJECT, events)
    assert told.contradictions == []
    for story in told.grants:
        assert story.points == story.gone() + story.available + story.held + story.pending
    assert sum(story.points for story in told.grants) == account.granted
    cash = [fate.amount for story in told.grants for fate in story.fates if fate.amount is not None]
    amounts = [event.data.amount for event in events if event.type == "point-redeemed"]
    assert sum(cash) == sum(amount for amount in amounts if amount is not None)


def lines(told):
    return [
        (story.reason, story.points, [(fate.kind, fate.points, fate.reason) for fate in story.fates])
        for story in told.grants
    ]


def test_the_example_of_a_debt():
    """DOMAIN.md, Refunds: earned 150, spent 100, the order refunded; then 130 earned."""
    customer = Customer()
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", 10000),  # 100, and 50 for the first purchase
        hold_points("h-1", "2026-01-15 11:00", 100, order_amount=20000),
        order_paid("o-2", "2026-01-15 11:01", [("milk", 100)], hold_id="h-1"),
        cancellation("x-1", "2026-01-16 10:00", "o-1"),
    )
    customer.when(order_paid("o-3", "2026-01-17 10:00", 13000))
    told = explain("c-1", customer.events)
    assert told.contradictions == []
    story = told.grants[0]
    assert (story.rule, story.rule_version, story.order_id, story.base_amount) == ("base", 1, "o-1", 10000)
    redeemed = [fate for each in told.grants for fate in each.fates if fate.kind == "redeemed"]
    assert {fate.order_id for fate in redeemed} == {"o-2"}
    assert sum(fate.points for fate in redeemed) == 100
    assert sum(fate.amount for fate in redeemed) == 100
    repaid = [fate for each in told.grants for fate in each.fates if fate.reason == "debt_repaid"]
    assert sum(fate.points for fate in repaid) == told.owed > 0
    assert [(back.points, back.reason, back.order_id) for back in story.taken_back] == [
        (100, "cancellation", "o-1")
    ]


def test_a_refund_brings_spent_points_back_to_the_grant_that_they_came_from():
    customer = Customer()
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", 30000),
        hold_points("h-1", "2026-01-15 11:00", 100, order_amount=20000),
        order_paid("o-2", "2026-01-15 11:01", 20000, hold_id="h-1"),
        refund("r-1", "2026-01-16 10:00", "o-2", 19900),
    )
    told = explain("c-1", customer.events)
    assert told.contradictions == []
    kinds = [(fate.kind, fate.points, fate.order_id) for fate in told.grants[0].fates]
    assert kinds[0] == ("redeemed", 100, "o-2")
    assert ("restored", 100, "o-2") in kinds


def test_an_erased_account_is_explained_to_its_end():
    customer = Customer()
    customer.when(order_paid("o-1", "2026-01-15 10:00", 30000), erase_customer("e-1", "2026-01-16 10:00"))
    told = explain("c-1", customer.events)
    assert told.contradictions == []
    assert {fate.reason for story in told.grants for fate in story.fates} == {"erased"}


def test_what_does_not_add_up_is_said():
    customer = Customer()
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", 30000),
        hold_points("h-1", "2026-01-15 11:00", 100, order_amount=20000),
        order_paid("o-2", "2026-01-15 11:01", 20000, hold_id="h-1"),
    )
    wrong = [
        replace(event, data=replace(event.data, points=90)) if event.type == "point-redeemed" else event
        for event in customer.events
    ]
    told = explain("c-1", wrong)
    assert any("is of 90 points, its grants of 100 together" in each for each in told.contradictions)
    assert any(each.startswith("redeemed: the account has 90") for each in told.contradictions)

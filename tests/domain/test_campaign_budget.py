"""Campaigns with a budget: what is asked of its owner, and what becomes of the answer (DOMAIN.md, Budget)."""

from fractions import Fraction

import msgspec
import pytest

from loyalty_stream.domain.events import PointGranted, PointRevoked
from loyalty_stream.domain.notes import AnswerNote, ForCampaign
from loyalty_stream.domain.orders import find
from loyalty_stream.domain.rules import Availability, Award, PurchaseRule
from tests.domain.given import (
    PLAIN,
    PURCHASE,
    Customer,
    brief,
    cancellation,
    completion,
    order_paid,
    refund,
    share,
)
from tests.domain.given_campaigns import campaign, with_campaigns
from tests.domain.given_rewards import answer, asked

IN = "2026-03-02 10:00"
LATER = "2026-03-20 10:00"


def granted(events):
    return [
        (e.data.rule, e.data.points, e.data.reason, e.data.rule_version)
        for e in events
        if isinstance(e.data, PointGranted)
    ]


def test_the_owner_is_asked_for_all_that_the_award_gives_and_told_the_budget():
    customer = Customer(with_campaigns(campaign("c", version=7, budget_points=1000, minimum_amount=10000)))
    made = customer.when(order_paid("o-1", IN))
    note = asked(made)
    assert (note.resource, note.quantity, note.limit, note.partial) == ("budget:c", 300, 1000, True)
    assert isinstance(note.purpose, ForCampaign)
    assert granted(made) == [("base", 100, "purchase", 1)]
    assert customer.account.campaigns["c"].awards == 1  # it counts from now on


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (300, [("campaign:c", 300, "campaign", 7)]),
        (299, [("campaign:c", 299, "campaign, cut by its budget", 7)]),
        (1, [("campaign:c", 1, "campaign, cut by its budget", 7)]),
        (0, []),
    ],
)
def test_what_is_given_is_granted_and_a_cut_says_so(given, expected):
    customer = Customer(with_campaigns(campaign("c", version=7, budget_points=1000)))
    made = customer.when(order_paid("o-1", IN))
    answered = customer.when(answer(made, given))
    assert granted(answered) == expected
    assert isinstance(answered[0].data.note, AnswerNote)
    assert customer.account.asked == {}
    assert customer.when(answer(made, given)) == []  # told twice, granted once


def test_a_late_answer_grants_by_the_time_and_version_of_the_cause():
    first = campaign("c", version=1, budget_points=1000)
    customer = Customer(with_campaigns(first))
    made = customer.when(order_paid("o-1", IN))
    customer.rules = with_campaigns(first, campaign("c", version=2, effective=LATER, budget_points=5))
    customer.clock(LATER)
    (grant,) = [e.data for e in customer.when(answer(made, 300)) if isinstance(e.data, PointGranted)]
    assert (grant.rule_version, grant.order_id, grant.expires_at.isoformat()) == (
        1,
        "o-1",
        "2027-03-02T16:00:00+00:00",
    )


def test_a_limit_of_one_is_not_passed_while_the_answer_is_still_to_come():
    customer = Customer(with_campaigns(campaign("c", budget_points=1000, per_customer_limit=1)))
    made = customer.when(order_paid("o-1", IN))
    assert granted(customer.when(order_paid("o-2", IN))) == [("base", 100, "purchase", 1)]
    assert customer.account.campaigns["c"].awards == 1
    assert granted(customer.when(answer(made, 300))) == [("campaign:c", 300, "campaign", 1)]


def test_an_event_that_is_no_order_asks_likewise():
    customer = Customer(with_campaigns(campaign("c", trigger="share", budget_points=1000)))
    made = customer.when(share("s-1", IN))
    assert granted(customer.when(answer(made, 200))) == [
        ("campaign:c", 200, "campaign, cut by its budget", 1)
    ]


def test_a_multiplier_over_several_rules_asks_once_and_the_first_grants_come_first():
    milk = PurchaseRule("milk", Fraction(1), 200, rounding="ceil")
    rules = msgspec.structs.replace(PLAIN, purchase=(PURCHASE, milk))
    double = campaign("d", award=Award(multiplier=Fraction(2)), budget_points=1000)
    customer = Customer(with_campaigns(double, rules=rules))
    made = customer.when(order_paid("o-1", IN, 10000))
    assert asked(made).quantity == 150
    assert granted(customer.when(answer(made, 120))) == [
        ("campaign:d", 100, "campaign", 1),
        ("campaign:d", 20, "campaign, cut by its budget", 1),
    ]
    # 50 of 100 stay of both, but never more than was given.
    customer.when(refund("r-1", LATER, "o-1", 5000))
    left = [e.points - e.revoked for e in find(customer.account, "o-1").earned if e.kind == "campaign:d"]
    assert left == [50, 20]
    customer.when(cancellation("x-1", LATER, "o-1"))
    assert customer.account.campaigns["d"].awards == 0


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("given", [300, 200])
def test_an_order_refunded_meanwhile_is_granted_and_revoked_at_once(accumulate, given):
    one = campaign("c", budget_points=1000, minimum_amount=10000, accumulate=accumulate)
    customer = Customer(with_campaigns(one))
    made = customer.when(order_paid("o-1", IN))
    customer.when(cancellation("x-1", "2026-03-02 10:01", "o-1"))
    answered = customer.when(answer(made, given))
    assert brief(answered) == [("point-granted", given), ("point-revoked", given)]
    assert customer.account.campaigns["c"].awards == 0
    assert customer.account.available == 0


def test_several_grants_of_a_cancelled_order_are_one_award_less():
    milk = PurchaseRule("milk", Fraction(1), 200)
    rules = msgspec.structs.replace(PLAIN, purchase=(PURCHASE, milk))
    double = campaign("d", award=Award(multiplier=Fraction(2)), budget_points=1000)
    customer = Customer(with_campaigns(double, rules=rules))
    made = customer.when(order_paid("o-1", IN, 10000))
    customer.when(cancellation("x-1", "2026-03-02 10:01", "o-1"))
    answered = customer.when(answer(made, 150))
    assert [e.data.points for e in answered if isinstance(e.data, PointRevoked)] == [150]
    assert customer.account.campaigns["d"].awards == 0


def test_a_cut_award_over_the_window_keeps_what_the_awards_that_are_left_are_worth():
    one = campaign("c", budget_points=1000, minimum_amount=10000, accumulate=True)
    customer = Customer(with_campaigns(one))
    made = customer.when(order_paid("o-1", IN, 30000))
    customer.when(answer(made, 700))  # of 900
    revoked = [
        e.data.points for e in customer.when(refund("r-1", LATER, "o-1", 1)) if e.type == "point-revoked"
    ]
    assert revoked == [1, 100]  # of the rules; 600 for two awards stay


def test_points_of_an_order_that_waits_for_its_completion_wait_too():
    rules = msgspec.structs.replace(PLAIN, availability=Availability("on_completion"))
    customer = Customer(with_campaigns(campaign("c", budget_points=1000), rules=rules))
    made = customer.when(order_paid("o-1", IN))
    customer.when(answer(made, 300))
    assert (customer.account.available, customer.account.pending) == (0, 400)
    customer.when(completion("k-1", LATER, "o-1"))
    assert (customer.account.available, customer.account.pending) == (400, 0)

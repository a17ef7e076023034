"""What campaigns gave for a review goes with it (DOMAIN.md, Review and Campaigns)."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from loyalty_stream.domain import identity
from loyalty_stream.domain.events import PointGranted, PointRevoked, Revoked, RewardIssued
from loyalty_stream.domain.notes import AskNote, AwardWithdrawnNote, ReturnNote
from loyalty_stream.domain.rules import Award, Draw, Prize, Refunds, Rules
from tests.domain.given import (
    PLAIN,
    REDEMPTION,
    Customer,
    brief,
    confirm_hold,
    hold_points,
    ms,
    review,
    review_removed,
)
from tests.domain.given_campaigns import campaign, with_campaigns
from tests.domain.given_rewards import CUP, MALL, answer
from tests.domain.watched import LAWS

IN, SOON, OVER = "2026-03-02 10:00", "2026-03-02 11:00", "2026-03-20 10:00"
THIRTY = Award(points=30)
SHOP = msgspec.structs.replace(MALL, review=None)
POOR = msgspec.structs.replace(SHOP, redemption=msgspec.structs.replace(REDEMPTION, minimum_points=1, step=1))


def for_reviews(rules: Rules = SHOP, **more) -> Rules:
    return with_campaigns(campaign("c", trigger="review", **more), rules=rules)


def notes(events, kind):
    return [event.data.note for event in events if isinstance(event.data.note, kind)]


def revoked(events):
    return [event.data for event in events if isinstance(event.data, PointRevoked)]


def test_the_points_of_a_campaign_go_back_and_its_award_with_them():
    customer = Customer(for_reviews(award=THIRTY, per_customer_limit=1))
    granted = customer.when(review("v-1", IN))[-1]
    made = customer.when(review_removed("x-1", SOON, "v-1"))
    assert notes(made, AwardWithdrawnNote) == [AwardWithdrawnNote("c", None, 1, review_id="v-1")]
    (back,) = revoked(made)
    assert (back.points, back.reason, back.campaign_id, back.order_id) == (30, "review_removed", "c", None)
    assert back.revokes == (Revoked(granted.id, 30, granted.time, "c"),)
    assert customer.balance == (0, 0, 0)
    assert customer.account.campaigns["c"].awards == 0
    assert customer.account.review_awards == {}
    assert brief(customer.when(review("v-2", SOON)))[-1] == ("point-granted", 30)


def test_the_reviews_own_points_and_those_of_several_campaigns_go_each():
    customer = Customer(
        with_campaigns(
            campaign("a", trigger="review", award=THIRTY),
            campaign("b", trigger="review", award=Award(points=7)),
            rules=MALL,
        )
    )
    customer.when(review("v-1", IN), review("v-2", IN, sku="tea-02"))
    made = customer.when(review_removed("x-1", SOON, "v-1"))
    assert [(each.points, each.campaign_id) for each in revoked(made)] == [(10, None), (30, "a"), (7, "b")]
    assert customer.balance == (47, 0, 0)


def test_what_was_spent_of_it_is_owed():
    customer = Customer(for_reviews(POOR, award=THIRTY))
    customer.when(review("v-1", IN), hold_points("h-1", IN, 25), confirm_hold("f-1", IN, "h-1"))
    (back,) = revoked(customer.when(review_removed("x-1", SOON, "v-1")))
    assert (back.points, back.shortfall, back.owed) == (5, 25, 25)


def test_a_review_that_was_removed_before_it_came_gets_nothing_of_a_campaign():
    customer = Customer(for_reviews(award=THIRTY, per_customer_limit=1))
    customer.when(review_removed("x-1", IN, "v-1"))
    assert brief(customer.when(review("v-1", SOON))) == [("account-noted", 0)]
    assert "c" not in customer.account.campaigns


def test_after_the_campaign_is_over_its_points_go_back_all_the_same():
    customer = Customer(for_reviews(award=THIRTY))
    customer.when(review("v-1", IN), review_removed("x-1", OVER, "v-1"))
    assert customer.balance == (0, 0, 0)


# -- a budget that has not answered, or gave less -------------------------------------------------------


def test_what_a_budget_cut_goes_back_as_far_as_it_was_given():
    customer = Customer(for_reviews(award=THIRTY, budget_points=100))
    customer.when(answer(customer.when(review("v-1", IN)), 12))
    assert customer.balance == (12, 0, 0)
    (back,) = revoked(customer.when(review_removed("x-1", SOON, "v-1")))
    assert (back.points, back.shortfall) == (12, 0)
    assert customer.account.campaigns["c"].awards == 0


@pytest.mark.parametrize("given", [30, 12, 0])
def test_what_the_budget_gives_after_the_removal_goes_back_at_once_and_not_to_the_budget(given):
    customer = Customer(for_reviews(award=THIRTY, budget_points=100, per_customer_limit=1))
    asked = customer.when(review("v-1", IN))
    made = customer.when(review_removed("x-1", SOON, "v-1"))
    assert customer.account.campaigns["c"].awards == 0
    made += customer.when(answer(asked, given))
    assert customer.balance == (0, 0, 0)
    assert [each.points for each in revoked(made)] == ([given] if given else [])
    assert notes(made, ReturnNote) == []
    assert customer.account.campaigns["c"].awards == 0


# -- entries and gifts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "gone"), [(SOON, True), (OVER, False)])
def test_entries_are_withdrawn_while_the_draw_is_open(at, gone):
    customer = Customer(for_reviews(award=Award(draw_entries=2), draw=Draw((Prize("a-car", 1),))))
    entered = [e.data.entry_id for e in customer.when(review("v-1", IN)) if e.type == "draw-entered"]
    assert len(entered) == 2
    withdrawn = notes(customer.when(review_removed("x-1", at, "v-1")), AwardWithdrawnNote)
    assert [each.entry_ids for each in withdrawn] == ([tuple(entered)] if gone else [])
    assert customer.account.campaigns["c"].awards == (0 if gone else 1)


def test_a_gift_that_was_given_stays_and_counts():
    customer = Customer(for_reviews(award=Award(gift="tea-cup")))
    customer.when(answer(customer.when(review("v-1", IN)), 1))
    made = customer.when(review_removed("x-1", SOON, "v-1"))
    assert (notes(made, AwardWithdrawnNote), notes(made, ReturnNote)) == ([], [])
    assert customer.account.campaigns["c"].awards == 1


def test_a_gift_that_is_waited_for_is_given_back_and_never_issued():
    customer = Customer(for_reviews(award=Award(gift="tea-cup"), per_customer_limit=1))
    asked = customer.when(review("v-1", IN))
    made = customer.when(review_removed("x-1", SOON, "v-1"))
    (note_,) = notes(asked, AskNote)
    assert notes(made, ReturnNote) == [ReturnNote(note_.request_id, "stock:tea-cup")]
    assert customer.when(answer(asked, 1)) == []
    assert customer.account.campaigns["c"].awards == 0
    assert [e for e in customer.events if isinstance(e.data, RewardIssued)] == []


def test_what_is_kept_of_old_reviews_is_forgotten_with_them():
    customer = Customer(
        for_reviews(msgspec.structs.replace(SHOP, retention_ms=60 * 86_400_000), award=THIRTY)
    )
    customer.when(review("v-1", IN))
    key = identity.business_key("review", "v-1")
    assert [each.at for each in customer.account.review_awards[key]] == [ms(IN)]
    customer.when(review("v-2", "2027-03-02 10:00"))
    assert key not in customer.account.review_awards
    assert customer.account.campaigns.keys() == set()


# -- whatever happens -----------------------------------------------------------------------------------

AWARDS = [THIRTY, Award(points=7), Award(draw_entries=2), Award(gift="tea-cup"), Award(gift="off-10")]


@st.composite
def any_review_campaigns(draw) -> Rules:
    campaigns = []
    for name in draw(st.sampled_from(["a", "ab", "abc"])):
        award = draw(st.sampled_from(AWARDS))
        campaigns.append(
            campaign(
                name,
                trigger="review",
                award=award,
                per_customer_limit=draw(st.sampled_from([0, 1, 2])),
                budget_points=draw(st.sampled_from([0, 40])) if award.points else 0,
                stacking=draw(st.sampled_from(["stack", "stack", "best", "exclusive"])),
                draw=Draw((Prize("a-car", 1),)) if award.draw_entries else None,
            )
        )
    refunds = Refunds(draw(st.sampled_from(["debt", "clamp"])), "forfeit", PLAIN.expiry.period)
    return with_campaigns(*campaigns, rules=msgspec.structs.replace(SHOP, refunds=refunds))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("review"), st.integers(0, 4)),
        st.tuples(st.just("review"), st.integers(0, 4)),
        st.tuples(st.just("remove"), st.integers(0, 4)),
        st.tuples(st.just("answer"), st.integers(0, 40)),
    ),
    max_size=16,
)


class Reviewer:
    """A customer who writes reviews that are removed, and the owners' answers that are still to come."""

    def __init__(self, rules: Rules) -> None:
        self.customer = Customer(rules)
        self.waiting: list = []
        self.facts = 0

    def take(self, step) -> None:
        self.facts += 1
        at, name = f"2026-03-02 10:{self.facts:02}", f"f-{self.facts}"
        match step:
            case ("review", number):
                self.keep(self.customer.when(review(name, at, review_id=f"v-{number}")))
            case ("remove", number):
                self.keep(self.customer.when(review_removed(name, at, f"v-{number}")))
            case ("answer", given):
                self.answer(given)

    def answer(self, given: int) -> None:
        if self.waiting:
            asked = self.waiting.pop(0)
            self.customer.when(answer([asked], min(given, asked.data.note.quantity)))

    def keep(self, made) -> None:
        self.waiting += [event for event in made if isinstance(event.data.note, AskNote)]

    def left(self) -> Counter:
        """Of each campaign, the points that were granted and not taken back."""
        left: Counter[str] = Counter()
        for event in self.customer.events:
            match event.data:
                case PointGranted(campaign_id=str(campaign_id), points=points):
                    left[campaign_id] += points
                case PointRevoked(revokes=revokes):
                    for each in revokes:
                        left[each.campaign_id or ""] -= each.points
        return left

    def gifts(self, campaign_id: str) -> int:
        issued = [e.data for e in self.customer.events if isinstance(e.data, RewardIssued)]
        return sum(each.quantity for each in issued if each.campaign_id == campaign_id)


@LAWS
@given(any_review_campaigns(), STEPS, st.permutations(range(5)), st.booleans())
def test_once_all_reviews_are_removed_only_gifts_that_were_given_are_left(rules, steps, order, late):
    reviewer = Reviewer(rules)
    for step in steps:
        note(str(step))
        reviewer.take(step)
        for one in rules.campaigns:
            known = reviewer.customer.account.campaigns.get(one.id)
            assert known is None or 0 <= known.awards <= (one.per_customer_limit or 99)
    given_before = {one.id: reviewer.gifts(one.id) for one in rules.campaigns}
    if not late:
        while reviewer.waiting:
            reviewer.answer(40)
            given_before = {one.id: reviewer.gifts(one.id) for one in rules.campaigns}
    for number in order:
        reviewer.take(("remove", number))
    while reviewer.waiting:
        reviewer.answer(40)
    account = reviewer.customer.account
    assert account.review_awards == {}
    assert account.asked == {}
    for one in rules.campaigns:
        known = account.campaigns.get(one.id)
        assert reviewer.left()[one.id] == 0
        assert reviewer.gifts(one.id) == given_before[one.id]
        if known is not None and one.award.gift != CUP.id:
            assert known.awards == reviewer.gifts(one.id)


@LAWS
@given(any_review_campaigns(), STEPS)
def test_a_review_counts_the_same_whichever_of_it_and_its_removal_comes_first(rules, steps):
    """What was removed is as if it had never been: of points and awards nothing is left, in either order."""
    removed = {number for kind, number in steps if kind == "remove"}
    first = Reviewer(rules)
    for number in sorted(removed):
        first.take(("remove", number))
    for kind, number in steps:
        if kind == "review" and number in removed:
            first.take((kind, number))
    assert not any(isinstance(event.data, PointGranted | RewardIssued) for event in first.customer.events)
    assert first.customer.account.campaigns == {}

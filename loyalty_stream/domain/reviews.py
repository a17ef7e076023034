"""Points for reviews: once per review id, once per order and SKU, so many a day ([earning.review]).

A removal takes them back, and what campaigns gave for it, whichever of the two arrives first.
"""

from typing import Final

from loyalty_stream.domain import calendar, campaign_awards, campaign_refunds, identity, limits, revoking
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import Revoked
from loyalty_stream.domain.facts import ReviewPublished, ReviewPublishedData, ReviewRemoved
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import KeyNote, ReviewNote, ReviewRemovedNote
from loyalty_stream.domain.rules import Rules

COUNTER: Final = "review"


def decide_review_published(journal: Journal, fact: ReviewPublished, rules: Rules) -> None:
    """Reward the review, more with a photo; past the day's limit it is remembered as unearned.

    One that was removed before it arrived counts as it would have, and gets nothing.
    """
    data = fact.data
    account = journal.account
    if _known(journal, data):
        journal.remember("key", KeyNote())
        return
    day = calendar.local_day(journal.at, rules.zone)
    points = _points(data, rules)
    rule = rules.review
    if rule is not None and limits.reached(account, day, COUNTER, rule.daily_limit):
        points = 0
    note = ReviewNote(
        review_id=data.review_id,
        sku=data.sku,
        day=day,
        order_id=data.order_id,
        earned=limits.allowed_points(account, rules, day, points) > 0,
    )
    journal.remember("review", note)
    if is_removed(account, data.review_id):
        return
    limits.grant_within(
        journal,
        rules,
        points=points,
        rule="review",
        reason="review with photo" if data.has_photo else "review",
        day=day,
    )
    campaign_awards.award_event(journal, rules, "review", sku=data.sku, review_id=data.review_id)


def decide_review_removed(journal: Journal, fact: ReviewRemoved, rules: Rules) -> None:
    """Take back what the review was granted, once; of a review not seen yet, remember that it is removed."""
    review_id = fact.data.review_id
    account = journal.account
    if is_removed(account, review_id):
        journal.remember("key", KeyNote())
        return
    key = identity.business_key("review", review_id)
    granted = account.reviews.get(key)
    awards = account.review_awards.get(key)
    journal.remember("review-removed", ReviewRemovedNote(review_id))
    if granted is not None:
        revoking.revoke(
            journal,
            rules,
            reason="review_removed",
            revokes=[
                Revoked(granted.grant_id, granted.points, calendar.to_datetime(granted.earned_at)),
            ],
            own={granted.grant_id},
        )
    if awards is not None:
        campaign_refunds.take_back_of_review(journal, rules, review_id, awards)


def is_removed(account: Account, review_id: str) -> bool:
    """Whether the review was removed, before or after it arrived."""
    return identity.remembers(account.keys, identity.business_key("review-removed", review_id))


def _points(data: ReviewPublishedData, rules: Rules) -> int:
    rule = rules.review
    if rule is None:
        return 0
    return rule.points + (rule.photo_bonus if data.has_photo else 0)


def _known(journal: Journal, data: ReviewPublishedData) -> bool:
    keys = journal.account.keys
    if identity.remembers(keys, identity.business_key("review", data.review_id)):
        return True
    if data.order_id is None:
        return False
    return identity.remembers(keys, identity.business_key("reviewed", data.order_id, data.sku))

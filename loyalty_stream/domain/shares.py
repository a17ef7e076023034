"""Points for sharing: once per share id, so many a day ([earning.share])."""

from typing import Final

from loyalty_stream.domain import calendar, campaign_awards, identity, limits
from loyalty_stream.domain.facts import ShareCompleted
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import KeyNote, ShareNote
from loyalty_stream.domain.rules import Rules

COUNTER: Final = "share"


def decide_share_completed(journal: Journal, fact: ShareCompleted, rules: Rules) -> None:
    """Reward the share; past the day's limit it is remembered as unearned."""
    account = journal.account
    share_id = fact.data.share_id
    if identity.remembers(account.keys, identity.business_key("share", share_id)):
        journal.remember("key", KeyNote())
        return
    day = calendar.local_day(journal.at, rules.zone)
    rule = rules.share
    points = 0
    if rule is not None and not limits.reached(account, day, COUNTER, rule.daily_limit):
        points = rule.points
    note = ShareNote(
        share_id=share_id, day=day, earned=limits.allowed_points(account, rules, day, points) > 0
    )
    journal.remember("share", note)
    limits.grant_within(journal, rules, points=points, rule="share", reason="share", day=day)
    campaign_awards.award_event(journal, rules, "share", sku=fact.data.sku)

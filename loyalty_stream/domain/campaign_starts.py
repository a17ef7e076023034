"""Telling a campaign's audience that it has started: once per customer, when it falls due (DOMAIN.md, Campaigns).

It must not know how many accounts there are, nor who brings the message.
"""

from collections.abc import Iterator

from loyalty_stream.domain import calendar, campaign_matching, identity
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.campaign_book import CampaignBook
from loyalty_stream.domain.campaign_terms import Campaign
from loyalty_stream.domain.events import SOURCE, Cause, PointEvent
from loyalty_stream.domain.journal import open_journal
from loyalty_stream.domain.notes import CampaignStartedNote
from loyalty_stream.domain.rules import Rules

CAMPAIGN_STARTED = "campaign-started"


def starts(book: CampaignBook) -> Iterator[tuple[int, str]]:
    """When (ms) each campaign that wants to be told of begins for the first time, and its id."""
    for campaign_id in book.versions:
        for first, _, campaign in book.spans(campaign_id):
            if campaign.notify is not None:
                yield first, campaign_id
                break


def running(book: CampaignBook, campaign_id: str, now: int) -> Campaign | None:
    """The version to tell of at `now` (ms); None where there is nothing to tell: it is over, or withdrawn."""
    for first, last, campaign in book.spans(campaign_id):
        if first <= now < last:
            return campaign if campaign.notify is not None else None
    return None


def announce(account: Account, subject: str, campaign: Campaign, rules: Rules, due: int) -> list[PointEvent]:
    """Note that the customer is told that `campaign` has started at `due` (ms), if they are of its audience.

    A customer who has been told, whatever the campaign's version was, is not told again.
    """
    notify = campaign.notify
    if notify is None or account.erased_at:
        return []
    if not campaign_matching.in_audience(campaign.audience, account, rules):
        return []
    if identity.remembers(account.keys, told_key(campaign.id)):
        return []
    cause_id = f"{campaign.id}:started"
    digest = identity.digest(subject, SOURCE, cause_id)
    journal = open_journal(
        account, subject, Cause(SOURCE, cause_id), calendar.to_datetime(due), due, due, digest
    )
    journal.remember(
        CAMPAIGN_STARTED,
        CampaignStartedNote(
            campaign.id,
            campaign.version,
            calendar.to_datetime(campaign.ends_at_ms),
            notify.channels,
            notify.template,
        ),
    )
    return journal.close()


def told_key(campaign_id: str) -> bytes:
    """What the account remembers of having been told."""
    return identity.business_key(CAMPAIGN_STARTED, campaign_id)

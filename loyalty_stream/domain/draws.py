"""Entering a campaign's draw, by command or by an award, and what winning gives (DOMAIN.md, Draws).

It must not know how entries are collected and winners drawn; `draw_winners` and the draw's owner do.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from loyalty_stream.domain import calendar, campaign_matching, grants, identity, lots, restoring, rewards
from loyalty_stream.domain.account import NEVER, Spent
from loyalty_stream.domain.campaign_book import CampaignBook
from loyalty_stream.domain.campaign_terms import Campaign, Prize
from loyalty_stream.domain.events import CommandRejected, DrawEntered, DrawWon, PointRedeemed, Restored
from loyalty_stream.domain.facts import EnterDraw, EntryRefused, EntryWon
from loyalty_stream.domain.fold_notes import REFUSED
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import AwardNote, AwardWithdrawnNote, KeyNote
from loyalty_stream.domain.rules import Rules

Code: TypeAlias = Literal[
    "insufficient_points", "limit_reached", "not_eligible", "draw_closed", "unknown_campaign"
]


class Terms(Struct, frozen=True):
    """How a campaign's draw is held: what was told before the campaign started, until its latest end."""

    prizes: tuple[Prize, ...]
    seed_commitment: str
    ends_at_ms: int


def terms(book: CampaignBook, campaign_id: str) -> Terms | None:
    """The terms of the campaign's draw; None: it has none.

    Prizes and commitment are those of the last version that was at work before the campaign's start (or else of
    the first one): nobody can change them once entries come in. A withdrawn campaign's entries still take part.
    """
    versions = [
        version
        for version in book.versions.get(campaign_id, ())
        if isinstance(version, Campaign) and version.draw is not None
    ]
    if not versions:
        return None
    before = [version for version in versions if version.effective_at_ms <= version.starts_at_ms]
    draw = (before[-1] if before else versions[0]).draw
    assert draw is not None  # chosen so
    return Terms(draw.prizes, draw.seed_commitment, versions[-1].ends_at_ms)


def begun(rules: Rules, now: int) -> tuple[str, ...]:
    """The campaigns with a draw that somebody may have entered by `now` (ms), but for those long over."""
    book = rules.book
    found = []
    for campaign_id in book.versions:
        drawn = terms(book, campaign_id)
        if drawn is not None and drawn.ends_at_ms >= now - rules.retention_ms:
            spans = [first for first, _, _ in book.spans(campaign_id)]
            if spans and spans[0] <= now:
                found.append(campaign_id)
    return tuple(sorted(found))


def ends(book: CampaignBook) -> list[tuple[int, str]]:
    """When the draws of all campaigns close, in ms, in order."""
    known = [(terms(book, campaign_id), campaign_id) for campaign_id in book.versions]
    return sorted((each.ends_at_ms, campaign_id) for each, campaign_id in known if each is not None)


def is_open(book: CampaignBook, campaign_id: str, now: int) -> bool:
    """Whether entries still come in and go, at the time `now` (ms) of their partition."""
    of_draw = terms(book, campaign_id)
    return of_draw is not None and now < of_draw.ends_at_ms


def entry_id(stem: str, campaign_id: str, number: int) -> str:
    """The entry, counted from 1, that a campaign awards for a cause whose events' ids begin with `stem`."""
    return f"{stem}.{campaign_id}.{number}"


def decide_enter_draw(journal: Journal, fact: EnterDraw, rules: Rules) -> None:
    """Spend what an entry costs and enter; or say why not. An entry that is known already changes nothing."""
    data = fact.data
    account = journal.account
    if identity.remembers(account.keys, identity.business_key("entry", data.campaign_id, data.entry_id)):
        journal.remember("key", KeyNote())
        return
    campaign = rules.book.version_at(data.campaign_id, journal.at)
    refused = _refusal(journal, rules, data.campaign_id, campaign)
    if refused is not None:
        code, message = refused
        journal.record(
            CommandRejected(command="enter-draw", command_id=data.entry_id, code=code, message=message)
        )
        return
    assert campaign is not None  # or it would be refused
    assert campaign.draw is not None
    journal.remember("award", AwardNote(campaign_id=campaign.id, version=campaign.version))
    paid = _pay(journal, rules, data.entry_id, campaign.draw.entry_cost)
    journal.record(DrawEntered(entry_id=data.entry_id, campaign_id=campaign.id, paid=paid))


def enter_awarded(journal: Journal, rules: Rules, campaign_id: str, entries: int) -> None:
    """Enter a draw as a campaign's award. Once the draw is closed here, an entry cannot take part any more."""
    if is_open(rules.book, campaign_id, journal.now):
        for number in range(1, entries + 1):
            journal.record(
                DrawEntered(entry_id=entry_id(journal.stem, campaign_id, number), campaign_id=campaign_id)
            )


def decide_entry_won(journal: Journal, fact: EntryWon, rules: Rules) -> None:
    """The entry has won: tell it, and give the prize where it is a reward of the programme. Once."""
    data = fact.data
    keys = journal.account.keys
    if identity.remembers(keys, identity.business_key("draw-won", data.campaign_id, data.entry_id)):
        return
    if not identity.remembers(keys, identity.business_key("entry", data.campaign_id, data.entry_id)):
        return  # the account was erased and begun anew: it has no such entry
    journal.record(
        DrawWon(entry_id=data.entry_id, campaign_id=data.campaign_id, prize=data.prize, proof=data.proof)
    )
    rewards.give(journal, rules, data.prize, 1, data.campaign_id)


def decide_entry_refused(journal: Journal, fact: EntryRefused, rules: Rules) -> None:
    """The draw was held before the entry came: nobody pays for what takes no part. Once.

    Its points come back as those of a cancelled redemption do, and it no longer counts against the limit.
    """
    data = fact.data
    keys = journal.account.keys
    if identity.remembers(keys, identity.business_key(REFUSED, data.campaign_id, data.entry_id)):
        return
    if not identity.remembers(keys, identity.business_key("entry", data.campaign_id, data.entry_id)):
        return  # the account was erased and begun anew: it has no such entry
    spent = [
        Spent(
            part.grant_id,
            part.points,
            calendar.to_ms(part.earned_at),
            NEVER if part.expires_at is None else calendar.to_ms(part.expires_at),
        )
        for part in data.paid
    ]
    note = AwardWithdrawnNote(data.campaign_id, None, 1 if spent else 0, 1, (data.entry_id,))
    journal.remember("award-withdrawn", note)
    restoring.restore(journal, rules, spent, sum([part.points for part in data.paid]), entry_id=data.entry_id)


def _pay(journal: Journal, rules: Rules, entry_id: str, cost: int) -> tuple[Restored, ...]:
    """Spend what an entry costs; what was taken, with the dates that it had."""
    if not cost:
        return ()
    account = journal.account
    taken = lots.in_spending_order(account, cost, journal.now)
    paid = []
    for part in taken:
        lot = account.lots[lots.find(account.lots, part.grant_id)]
        expires_at = None if lot.expires_at == NEVER else calendar.to_datetime(lot.expires_at)
        paid.append(Restored(part.grant_id, part.points, calendar.to_datetime(lot.earned_at), expires_at))
    journal.record(
        PointRedeemed(
            points=cost,
            grants=taken,
            entry_id=entry_id,
            all_expire_at=grants.moved_by_activity(journal, rules),
        )
    )
    return tuple(paid)


def _refusal(
    journal: Journal, rules: Rules, campaign_id: str, campaign: Campaign | None
) -> tuple[Code, str] | None:
    """The first check that fails, in the order of DOMAIN.md's list, and what it saw."""
    account = journal.account
    of_draw = terms(rules.book, campaign_id)
    if campaign is None or campaign.draw is None or of_draw is None:
        return "unknown_campaign", f"no campaign {campaign_id} has a draw at this time"
    cost = campaign.draw.entry_cost
    if cost > account.available:
        return "insufficient_points", f"an entry costs {cost} points, {account.available} are available"
    if campaign_matching.left_of_limit(account, campaign) == 0:
        return "limit_reached", f"at most {campaign.per_customer_limit} for each customer"
    if not campaign_matching.in_audience(campaign.audience, account, rules):
        return "not_eligible", f"campaign {campaign_id} is for others"
    if not campaign.starts_at_ms <= journal.at < campaign.ends_at_ms or journal.now >= of_draw.ends_at_ms:
        return "draw_closed", f"the draw of campaign {campaign_id} is not open at this time"
    return None

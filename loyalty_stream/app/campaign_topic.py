"""The campaigns topic as a stage hears it: which campaigns it tells of, and the rules with them.

It knows no record and no partition. Every worker reads the topic in full, so what is wrong is found by all; the
ledger's task of the record's partition sets it aside.
"""

from typing import TypeAlias, assert_never

import msgspec

from loyalty_stream.app.draw_owner import refuse_seed
from loyalty_stream.domain import calendar
from loyalty_stream.domain.announcements import (
    Announcement,
    CampaignPublished,
    CampaignWithdrawn,
    DrawSeedRevealed,
)
from loyalty_stream.domain.rules import Campaign, Rules, Withdrawal
from loyalty_stream.programme import ProgrammeError, published_campaign
from loyalty_stream.programme.published import NOTICE_MS
from loyalty_stream.wire.reasons import Reason

Wrong: TypeAlias = tuple[Reason, str]
"""Why an announcement is not taken: code, and the key path with what would be right."""


class LiveRules:
    """The programme's rules with the campaigns that were announced so far."""

    def __init__(self, rules: Rules) -> None:
        self._programme = rules
        self._told: list[Campaign | Withdrawal] = []
        self._current = rules
        self._behind = False
        self._drawn: set[str] = set()
        """Campaigns whose draw's seed is known: who chose an entry now would choose one that wins."""
        self._taken: set[tuple[str, str, str]] = set()
        """Subject, source and id of what was taken over: a second event with them changes nothing."""

    def hear(self, fact: Announcement) -> bool:
        """Take over what is announced, and whether it is; what is wrong changes nothing.

        Announcements of one campaign are heard in their order, the same for all. After the right seed no version
        of the campaign counts: nobody may move the end of a draw whose winners can be worked out.
        """
        said = read(fact, self._programme)
        if isinstance(said, DrawSeedRevealed):
            if refuse_seed(said, self.current) is not None:
                return False
            self._drawn.add(said.data.campaign_id)
            return True
        name = fact.subject, fact.source, fact.id
        if name in self._taken:
            return True
        if isinstance(said, tuple) or (isinstance(said, Campaign) and said.id in self._drawn):
            return False
        self._taken.add(name)
        self._told.append(said)
        self._behind = True
        return True

    def refuse(self, fact: Announcement, campaign: Campaign) -> Wrong | None:
        """Why the campaign that `fact` publishes, which is right in itself, was not taken; None if it was."""
        if campaign.id not in self._drawn or (fact.subject, fact.source, fact.id) in self._taken:
            return None
        return (
            Reason.INVALID_CAMPAIGN,
            "`$.data.id`: the seed of its draw was revealed, so the draw is over; publish another campaign",
        )

    @property
    def current(self) -> Rules:
        """The rules now. They are made anew only once for many announcements."""
        if self._behind:
            told = (*self._programme.campaigns, *self._told)
            self._current = msgspec.structs.replace(self._programme, campaigns=told)
            self._behind = False
        return self._current


def read(fact: Announcement, rules: Rules) -> Campaign | Withdrawal | DrawSeedRevealed | Wrong:
    """What is announced, checked against the programme's `rules`; or why it can't be taken."""
    match fact:
        case CampaignPublished():
            return _published(fact, rules)
        case CampaignWithdrawn():
            return _withdrawn(fact)
        case DrawSeedRevealed():
            return _unlike(fact.subject, fact.data.campaign_id, "campaign_id") or fact
        case _:
            assert_never(fact)


def _published(fact: CampaignPublished, rules: Rules) -> Campaign | Wrong:
    data = msgspec.json.decode(fact.data)
    if not isinstance(data, dict):
        return Reason.WRONG_TYPE, "`$.data`: expected an object, a campaign as in the programme file"
    try:
        campaign = published_campaign(data, calendar.to_ms(fact.time), rules)
    except ProgrammeError as error:
        told = "; ".join(f"`$.data.{mistake.path}`: {mistake.message}" for mistake in error.mistakes)
        return Reason.INVALID_CAMPAIGN, told[:1024]
    return _unlike(fact.subject, campaign.id, "id") or campaign


def _withdrawn(fact: CampaignWithdrawn) -> Withdrawal | Wrong:
    effective_at = calendar.to_ms(fact.data.effective_at)
    if effective_at < calendar.to_ms(fact.time) + NOTICE_MS:
        return (
            Reason.INVALID_CAMPAIGN,
            "`$.data.effective_at`: must be at least a minute after the event's own time",
        )
    return _unlike(fact.subject, fact.data.id, "id") or Withdrawal(fact.data.id, effective_at)


def _unlike(subject: str, campaign_id: str, name: str) -> Wrong | None:
    if subject == campaign_id:
        return None
    return Reason.INVALID_CAMPAIGN, f"`$.data.{name}`: must be `$.subject`, the key of the record"

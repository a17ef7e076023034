"""Campaigns that come through the `campaigns` topic: the table of the programme file, with `effective_at`.

It must not know how an event is read or where a mistake in it goes.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from loyalty_stream.domain import calendar, rules
from loyalty_stream.domain.rules import Rules
from loyalty_stream.programme.campaigns import PublishedCampaign
from loyalty_stream.programme.compile import compile_campaign
from loyalty_stream.programme.mistakes import KeyPath, ProgrammeError, Source, mistakes_of, must_name
from loyalty_stream.programme.periods import DAY_MS

NOTICE_MS: Final = 60_000
"""`effective_at` is at least a minute ahead (EVENTS.md), so that each worker has read it by then."""


def published_campaign(data: object, at_ms: int, programme: Rules) -> rules.Campaign:
    """The campaign that the `data` of a `campaign-published` event of the time `at_ms` (ms) says.

    Facts are read tolerantly, so a key that the file does not know is ignored. Raises ProgrammeError with all
    mistakes, each by its key path in `data`.
    """
    source = Source("campaign-published")
    try:
        campaign = PublishedCampaign.model_validate(data, extra="ignore")
    except ValidationError as error:
        raise ProgrammeError(mistakes_of(error, PublishedCampaign, source), source.file) from None
    wrong = list(_misfits(campaign, at_ms, programme))
    if wrong:
        raise ProgrammeError((source.mistake(path, message) for path, message in wrong), source.file)
    return compile_campaign(campaign)


def _misfits(campaign: PublishedCampaign, at_ms: int, programme: Rules) -> Iterator[tuple[KeyPath, str]]:
    """What does not fit the event's time or the programme file."""
    if calendar.to_ms(campaign.effective_at) < at_ms + NOTICE_MS:
        now = campaign.effective_at.isoformat()
        yield ("effective_at",), f'must be at least a minute after the event\'s own time, is "{now}"'
    length = campaign.ends_at - campaign.starts_at
    if campaign.accumulate and campaign.trigger == "purchase":
        kept_days = programme.retention_ms // DAY_MS
        if length // timedelta(milliseconds=1) > programme.retention_ms:
            now = f"{length.days} days after starts_at, with accumulate = true"
            yield ("ends_at",), f"must be no longer than the retention of {kept_days} days, is {now}"
    known = [level.name for level in programme.tiers.levels]
    for index, name in enumerate(campaign.audience.tiers):
        if name not in known:
            yield ("audience", "tiers", index), must_name("a tier", known, name)
    gift = campaign.award.gift
    if gift is not None and gift not in programme.rewards:
        yield ("award", "gift"), must_name("a reward", list(programme.rewards), gift)

"""What is told to all customers at once: campaigns and the seeds of their draws, on the `campaigns` topic (EVENTS.md).

They are facts about a campaign, which is their subject, and are read as tolerantly as other facts.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Raw

from loyalty_stream.domain.facts import Fact, Id, Moment, _Data


class CampaignPublished(Fact, frozen=True, gc=False, kw_only=True, tag="campaign-published"):
    """A campaign, or a new version of it; `data` is its table of the programme file and `effective_at`."""

    data: Raw
    """JSON as it came: `programme.published` knows what it must say."""


class CampaignWithdrawnData(_Data, frozen=True, gc=False, kw_only=True):
    """Which campaign, and from when on it matches nothing any more."""

    id: Id
    effective_at: Moment


class CampaignWithdrawn(Fact, frozen=True, gc=False, kw_only=True, tag="campaign-withdrawn"):
    """A campaign was withdrawn."""

    data: CampaignWithdrawnData


class DrawSeedRevealedData(_Data, frozen=True, gc=False, kw_only=True):
    """The seed whose SHA-256 the campaign's draw had published."""

    campaign_id: Id
    seed: Annotated[str, Meta(min_length=1, max_length=1024)]


class DrawSeedRevealed(Fact, frozen=True, gc=False, kw_only=True, tag="draw-seed-revealed"):
    """The seed of a campaign's draw is known: its winners can be drawn, and checked by anyone."""

    data: DrawSeedRevealedData


Announcement: TypeAlias = CampaignPublished | CampaignWithdrawn | DrawSeedRevealed

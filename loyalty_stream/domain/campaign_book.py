"""Which campaigns are live at an instant, by trigger: looked up by two comparisons where none is.

A version is at work for events from its `effective_at_ms` on, until the campaign's next version or its
withdrawal. It knows no account.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from mypy_extensions import mypyc_attr

from loyalty_stream.domain.campaign_terms import Campaign, Trigger, Withdrawal
from loyalty_stream.domain.plain_value import PlainValue

ALWAYS: Final = 1 << 60
"""Later than every instant."""


@mypyc_attr(acyclic=True)
class Timeline(PlainValue):
    """The campaigns of one trigger: `live[n]` from `starts[n]` until the next start, by priority then id."""

    names: ClassVar[tuple[str, ...]] = ("starts", "live")

    def __init__(self, starts: tuple[int, ...] = (), live: tuple[tuple[Campaign, ...], ...] = ()) -> None:
        self.starts = starts
        self.live = live
        self.begins = starts[0] if starts else ALWAYS
        """Nothing is live before."""
        self.ends = starts[-1] if starts else 0
        """Nothing is live from here on."""

    def at(self, instant: int) -> tuple[Campaign, ...]:
        """What is live at `instant` (ms), by priority then id."""
        if not self.begins <= instant < self.ends:
            return ()
        return self.live[bisect_right(self.starts, instant) - 1]


@mypyc_attr(acyclic=True)
class CampaignBook(PlainValue):
    """Every version of every campaign that is known. It never changes: what is told anew makes another one."""

    names: ClassVar[tuple[str, ...]] = ("versions", "by_trigger")

    def __init__(
        self,
        versions: dict[str, tuple[Campaign | Withdrawal, ...]],
        by_trigger: dict[Trigger, Timeline],
    ) -> None:
        self.versions = versions
        """By campaign id, by rising `effective_at_ms`; of two with the same instant, the one told later is second."""
        self.by_trigger = by_trigger
        self.purchase = by_trigger.get("purchase", Timeline())
        """That of orders, which are most of all events."""

    def live(self, trigger: Trigger, instant: int) -> tuple[Campaign, ...]:
        """What is live at `instant` (ms) for `trigger`, by priority then id."""
        timeline = self.by_trigger.get(trigger)
        return () if timeline is None else timeline.at(instant)

    def version_at(self, campaign_id: str, instant: int) -> Campaign | None:
        """The version at work at `instant` (ms), in its window or not; None: unknown or withdrawn."""
        found: Campaign | Withdrawal | None = None
        for version in self.versions.get(campaign_id, ()):
            if version.effective_at_ms > instant:
                break
            found = version
        return found if isinstance(found, Campaign) else None

    def spans(self, campaign_id: str) -> Iterator[tuple[int, int, Campaign]]:
        """From when until when (ms, half open) each version of the campaign is live, in order."""
        return _at_work(self.versions.get(campaign_id, ()))

    def ended(self, campaign_id: str, instant: int) -> bool:
        """Whether no version that is known can match at `instant` (ms) or later."""
        return all(
            version.ends_at_ms <= instant
            for version in self.versions.get(campaign_id, ())
            if isinstance(version, Campaign)
        )


NO_CAMPAIGNS: Final = CampaignBook({}, {})


def book_of(told: Sequence[Campaign | Withdrawal]) -> CampaignBook:
    """The book of all versions, in the order in which they were told."""
    versions: dict[str, list[Campaign | Withdrawal]] = {}
    for version in told:
        versions.setdefault(version.id, []).append(version)
    for known in versions.values():
        known.sort(key=_effective_at)  # stable: of two with the same instant, the later told one wins
    spans: dict[Trigger, list[tuple[int, int, Campaign]]] = {}
    for known in versions.values():
        for first, last, campaign in _at_work(known):
            spans.setdefault(campaign.trigger, []).append((first, last, campaign))
    return CampaignBook(
        {campaign_id: tuple(known) for campaign_id, known in versions.items()},
        {trigger: _timeline(each) for trigger, each in spans.items()},
    )


def _effective_at(version: Campaign | Withdrawal) -> int:
    return version.effective_at_ms


def _at_work(known: Sequence[Campaign | Withdrawal]) -> Iterator[tuple[int, int, Campaign]]:
    """From when until when each version of one campaign matches: its window, as long as it is the version."""
    for place, version in enumerate(known):
        if isinstance(version, Campaign):
            until = known[place + 1].effective_at_ms if place + 1 < len(known) else ALWAYS
            first, last = max(version.starts_at_ms, version.effective_at_ms), min(version.ends_at_ms, until)
            if first < last:
                yield first, last, version


def _timeline(spans: Sequence[tuple[int, int, Campaign]]) -> Timeline:
    opening: dict[int, list[Campaign]] = {}
    closing: dict[int, set[str]] = {}
    for first, last, campaign in spans:
        opening.setdefault(first, []).append(campaign)
        closing.setdefault(last, set()).add(campaign.id)
    starts: list[int] = []
    live: list[tuple[Campaign, ...]] = []
    now: dict[str, Campaign] = {}
    for instant in sorted({*opening, *closing}):
        for campaign_id in closing.get(instant, ()):
            del now[campaign_id]
        now.update({campaign.id: campaign for campaign in opening.get(instant, ())})
        starts.append(instant)
        live.append(tuple(sorted(now.values(), key=_order)))
    return Timeline(tuple(starts), tuple(live))


def _order(campaign: Campaign) -> tuple[int, str]:
    return campaign.priority, campaign.id

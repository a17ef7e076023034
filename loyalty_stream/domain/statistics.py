"""What is told of a campaign and of the programme: counts of an hour or in all, with what follows from them.

It must not know how they were counted (`counting`) and added up, nor when they are published.
"""

from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

from loyalty_stream.domain import calendar
from loyalty_stream.domain.counts import IN_ALL, Counts, Hour, campaign_of
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.rules import Campaign, Rules

CAMPAIGN_COUNTED: Final = "campaign-counted"
PROGRAMME_COUNTED: Final = "programme-counted"
_TOTAL: Final = "total"
_MINUTE_MS: Final = 60_000


class _CountedData(Struct, frozen=True, kw_only=True):
    """Points, minor units of money, or how many. Of an hour: what happened in it, by the events' own time."""

    period: Literal["hour", "total"]
    starts_at: datetime | None
    """The hour's beginning, in the programme's time zone; null: everything so far."""
    currency: str
    """Of the amounts."""
    customers: int
    """Of a campaign: who took part by a grant, an entry or a gift that was not wholly taken back. Of the programme:
    who ordered, earned or spent. Each is counted once, in the hour as in all."""
    orders: int
    """Paid. Of a campaign: those that count towards it, or that it gave something for."""
    cancelled_orders: int
    spend_amount: int
    """Of the orders paid: goods, net of discounts and points."""
    refunded_amount: int
    granted: int
    revoked: int
    redeemed: int
    restored: int
    expired: int
    cost_amount: int
    """Points granted less those revoked, at `[finance] unit_cost_amount`."""
    entries: int
    withdrawn_entries: int
    gifts: int
    """Given for nothing: gifts of campaigns and prizes of draws."""
    cancelled_gifts: int
    winners: int


class CampaignCountedData(_CountedData, frozen=True, kw_only=True):
    """How a campaign goes: who took part, what they bought, what it gave them and what it cost."""

    campaign_id: str
    budget_points: int | None
    """Null: no budget. Like `budget_left` only told of everything so far."""
    budget_left: int | None


class ProgrammeCountedData(_CountedData, frozen=True, kw_only=True):
    """How the programme goes: who was active, what they bought, what became of points and why."""

    registrations: int
    erasures: int
    granted_by: dict[str, int]
    """Points granted by reason."""
    revoked_by: dict[str, int]
    """Points revoked by reason."""


class _Counted(Struct, frozen=True, kw_only=True, tag_field="type"):
    """A record of `campaign-stats` as a CloudEvent; a later one of the same key replaces it."""

    id: str
    subject: str
    time: datetime
    """The latest event that is counted."""
    specversion: str = "1.0"
    source: str = SOURCE


class CampaignCounted(_Counted, frozen=True, kw_only=True, tag=CAMPAIGN_COUNTED):
    """Of a campaign; the subject is its id."""

    data: CampaignCountedData


class ProgrammeCounted(_Counted, frozen=True, kw_only=True, tag=PROGRAMME_COUNTED):
    """Of the programme; the subject is its id."""

    data: ProgrammeCountedData


Counted: TypeAlias = CampaignCounted | ProgrammeCounted
COUNTED: Final[dict[str, type[Counted]]] = {
    CAMPAIGN_COUNTED: CampaignCounted,
    PROGRAMME_COUNTED: ProgrammeCounted,
}
"""By CloudEvents type."""


def key_of(scope: str, hour: Hour, zone: tzinfo) -> str:
    """The record's key: the scope, and its hour's beginning or `total`."""
    when = _TOTAL if hour == IN_ALL else _beginning(hour, zone).isoformat()
    return f"{scope}@{when}"


def counted(scope: str, hour: Hour, counts: Counts, at: int, revision: int, rules: Rules) -> Counted:
    """The record; `at` is the time (ms) of the latest event in `counts`, `revision` how often it was told before."""
    campaign_id = campaign_of(scope)
    event_id = f"{key_of(scope, hour, rules.zone)}#{revision}"
    time = calendar.to_datetime(at)
    values = asdict(counts)
    of_programme = {name: values.pop(name) for name in _OF_PROGRAMME}
    values["currency"] = rules.currency
    values["cost_amount"] = (counts.granted - counts.revoked) * rules.unit_cost_amount
    values["period"] = "total" if hour == IN_ALL else "hour"
    values["starts_at"] = None if hour == IN_ALL else _beginning(hour, rules.zone)
    if campaign_id is None:
        all_data = ProgrammeCountedData(**values, **of_programme)
        return ProgrammeCounted(id=event_id, subject=rules.programme_id, time=time, data=all_data)
    budget = _budget(campaign_id, rules) if hour == IN_ALL else 0
    data = CampaignCountedData(
        **values,
        campaign_id=campaign_id,
        budget_points=budget or None,
        budget_left=max(0, budget - counts.granted) if budget else None,
    )
    return CampaignCounted(id=event_id, subject=campaign_id, time=time, data=data)


_OF_PROGRAMME: Final = ("registrations", "erasures", "granted_by", "revoked_by")


def _budget(campaign_id: str, rules: Rules) -> int:
    """That of the latest version, also of a campaign that was withdrawn; 0: none."""
    for version in reversed(rules.book.versions.get(campaign_id, ())):
        if isinstance(version, Campaign):
            return version.budget_points
    return 0


def _beginning(hour: Hour, zone: tzinfo) -> datetime:
    """In the zone's offset of then, as a fixed one: in the hour that a clock repeats, only that tells which it is."""
    moment = calendar.to_datetime(hour * _MINUTE_MS)
    ahead = moment.astimezone(zone).utcoffset()
    return moment.astimezone(timezone(ahead or timedelta()))

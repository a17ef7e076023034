"""What must be remembered of a customer so that each is counted once, and what is taken back is found.

It must not know which event counts what (`counting`), nor where it is kept.
"""

from typing import Final

from msgspec import Struct

from loyalty_stream.domain.counts import PROGRAMME, Hour, PairOf, campaign_scope

LONG_AGO: Final = 1
"""Stands for every hour from before the retention."""


class Grant(Struct, gc=False, array_like=True):
    """A campaign's grant: its points that were not taken back, and those that are left in its lot."""

    campaign_id: str
    hour: Hour
    stands: int
    left: int


class Thing(Struct, frozen=True, gc=False, array_like=True):
    """An entry to a campaign's draw, or something that it gave for nothing."""

    campaign_id: str
    hour: Hour
    quantity: int = 1


class CountedOrder(Struct, gc=False, array_like=True):
    """An order that counts for campaigns."""

    hour: Hour
    campaigns: list[str]


class LastOrder(Struct, frozen=True, gc=False, array_like=True):
    """The latest order paid: campaigns that give something for it are told right after it."""

    order_id: str
    hour: Hour
    amount: int


class Member(Struct, array_like=True, tag="member"):
    """One customer. What no refund can reach any more is forgotten by `forget`."""

    hours: set[Hour] = set()
    """In which they ordered, earned or spent."""
    parts: dict[str, dict[Hour, int]] = {}
    """By campaign and hour: how many things of it they have that were not wholly taken back."""
    grants: dict[str, Grant] = {}
    entries: dict[str, Thing] = {}
    """By campaign and entry id."""
    gifts: dict[str, Thing] = {}
    """By redemption id."""
    orders: dict[str, CountedOrder] = {}
    last_order: LastOrder | None = None
    forgotten: Hour = 0
    """Before it nothing more needs to be forgotten."""


def is_active(member: Member, hour: Hour, pair: PairOf) -> bool:
    """The customer has ordered, earned or spent in this hour; returns whether that is news."""
    if hour in member.hours:
        return False
    of_hour, in_all = pair(PROGRAMME, hour)
    of_hour.customers += 1
    if not member.hours:
        in_all.customers += 1
    member.hours.add(hour)
    return True


def take_part(member: Member, campaign_id: str, hour: Hour, pair: PairOf) -> None:
    """The customer has one thing more of the campaign, since this hour."""
    of_hour, in_all = pair(campaign_scope(campaign_id), hour)
    hours = member.parts.get(campaign_id)
    if hours is None:
        hours = member.parts[campaign_id] = {}
    if not hours:
        in_all.customers += 1
    if hour not in hours:
        of_hour.customers += 1
    hours[hour] = hours.get(hour, 0) + 1


def leave(member: Member, campaign_id: str, hour: Hour, pair: PairOf) -> None:
    """Something that the customer had of the campaign since this hour is wholly taken back."""
    hours = member.parts.get(campaign_id, {})
    things = hours.get(hour, 0)
    if things > 1:
        hours[hour] = things - 1
    elif things == 1:
        of_hour, in_all = pair(campaign_scope(campaign_id), hour)
        del hours[hour]
        of_hour.customers -= 1
        if not hours:
            in_all.customers -= 1


def forget(member: Member, now: Hour, retention: int) -> None:
    """Forget what refunds cannot reach any more, `retention` minutes back from `now`; seldom, for it looks at all."""
    before = now - retention
    if before < member.forgotten:
        return
    member.forgotten = before + retention // 16
    if any(hour < before for hour in member.hours):
        member.hours = {hour for hour in member.hours if hour >= before} | {LONG_AGO}
    for campaign_id, hours in member.parts.items():
        kept = {hour: things for hour, things in hours.items() if hour >= before}
        if old := sum(things for hour, things in hours.items() if hour < before):
            kept[LONG_AGO] = old
        member.parts[campaign_id] = kept
    member.grants = {
        grant_id: grant for grant_id, grant in member.grants.items() if grant.hour >= before or grant.left
    }
    member.entries = {key: thing for key, thing in member.entries.items() if thing.hour >= before}
    member.gifts = {key: thing for key, thing in member.gifts.items() if thing.hour >= before}
    member.orders = {order_id: order for order_id, order in member.orders.items() if order.hour >= before}

"""Counting by brute force: all point events are looked at, and what stands in the end is what was not taken back.

It shares nothing with `domain.counting`; only the meaning of the fields is the same.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, tzinfo

from loyalty_stream.domain.events import (
    DrawEntered,
    DrawWon,
    PointEvent,
    PointExpired,
    PointGranted,
    PointRedeemed,
    PointRestored,
    PointRevoked,
    RewardIssued,
)
from loyalty_stream.domain.notes import (
    AwardNote,
    AwardWithdrawnNote,
    ErasedNote,
    OrderNote,
    RedemptionCancelledNote,
    RefundNote,
    RegistrationNote,
)

Numbers = dict[tuple[str, str], Counter[str]]
"""(scope, the hour's beginning or `total`) -> measure -> number; of dictionaries `granted_by:reason`."""


def brute_counts(events: Sequence[PointEvent], zone: tzinfo) -> Numbers:
    """What is to be told of every scope and hour; what is nowhere in it is 0."""
    numbers: Numbers = defaultdict(Counter)

    def add(scope: str, time: datetime, measure: str, number: int = 1) -> None:
        for when in (hour_of(time, zone), "total"):
            numbers[scope, when][measure] += number

    active: set[tuple[str, str]] = set()
    grant_campaign: dict[tuple[str, str], str] = {}
    things: dict[tuple[str, str, str], tuple[str, str]] = {}
    """(customer, kind, id) -> (campaign, hour) of what stands."""
    stands: dict[tuple[str, str], int] = {}
    gifts: dict[tuple[str, str], tuple[str, int]] = {}
    nets: dict[tuple[str, str], int] = {}
    order_time: dict[tuple[str, str], datetime] = {}
    order_campaigns: dict[tuple[str, str], set[str]] = defaultdict(set)

    def joins(who: str, order_id: str, campaign_id: str) -> None:
        if campaign_id not in order_campaigns[who, order_id]:
            order_campaigns[who, order_id].add(campaign_id)
            add(f"campaign:{campaign_id}", order_time[who, order_id], "orders")
            add(f"campaign:{campaign_id}", order_time[who, order_id], "spend_amount", nets[who, order_id])

    def withdraw(who: str, campaign_id: str, entry_id: str, time: datetime) -> None:
        if things.pop((who, "entry", f"{campaign_id} {entry_id}"), None) is not None:
            add("programme", time, "withdrawn_entries")
            add(f"campaign:{campaign_id}", time, "withdrawn_entries")

    for event in events:
        who, time, data = event.subject, event.time, event.data
        hour = hour_of(time, zone)
        match data.note:
            case OrderNote() as note:
                net = sum(amount for _, amount in note.lines)
                nets[who, note.order_id], order_time[who, note.order_id] = net, time
                add("programme", time, "orders")
                add("programme", time, "spend_amount", net)
                active.add((who, hour))
                for campaign_id, _ in note.counts:
                    joins(who, note.order_id, campaign_id)
            case RefundNote() as note:
                for scope in (
                    "programme",
                    *(f"campaign:{each}" for each in order_campaigns[who, note.order_id]),
                ):
                    add(scope, time, "refunded_amount", sum(amount for _, amount in note.lines))
                    add(scope, time, "cancelled_orders", int(note.cancelled))
            case RegistrationNote():
                add("programme", time, "registrations")
            case AwardNote() as note:
                if note.order_id is not None:
                    joins(who, note.order_id, note.campaign_id)
            case AwardWithdrawnNote() as note:
                for entry_id in note.entry_ids:
                    withdraw(who, note.campaign_id, entry_id, time)
            case RedemptionCancelledNote() as note:
                gift = gifts.pop((who, note.redemption_id), None)
                if gift is not None:
                    things.pop((who, "gift", note.redemption_id))
                    add("programme", time, "cancelled_gifts", gift[1])
                    add(f"campaign:{gift[0]}", time, "cancelled_gifts", gift[1])
            case ErasedNote() as note:
                add("programme", time, "erasures")
                for _, kind, name in [thing for thing in things if thing[0] == who]:
                    campaign_id, _, entry_id = name.partition(" ")
                    if kind == "entry" and campaign_id in note.draws:
                        withdraw(who, campaign_id, entry_id, time)
            case _:
                pass
        match data:
            case PointGranted():
                add("programme", time, "granted", data.points)
                reason = data.rule if data.command_id else data.reason.split(",")[0]
                add("programme", time, f"granted_by:{reason}", data.points)
                if data.command_id is None:
                    active.add((who, hour))
                if data.campaign_id is not None:
                    add(f"campaign:{data.campaign_id}", time, "granted", data.points)
                    grant_campaign[who, data.grant_id] = data.campaign_id
                    stands[who, data.grant_id] = data.points
                    things[who, "grant", data.grant_id] = (data.campaign_id, hour)
            case PointRedeemed() | PointRestored():
                measure = "redeemed" if isinstance(data, PointRedeemed) else "restored"
                add("programme", time, measure, data.points)
                if isinstance(data, PointRedeemed):
                    active.add((who, hour))
                for taken in data.grants:
                    if (who, taken.grant_id) in grant_campaign:
                        add(f"campaign:{grant_campaign[who, taken.grant_id]}", time, measure, taken.points)
            case PointExpired():
                add("programme", time, "expired", data.points)
                if (who, data.grant_id) in grant_campaign:
                    add(f"campaign:{grant_campaign[who, data.grant_id]}", time, "expired", data.points)
            case PointRevoked():
                add("programme", time, "revoked", data.points)
                add(
                    "programme",
                    time,
                    f"revoked_by:{'adjustment' if data.command_id else data.reason}",
                    data.points,
                )
                for back in data.revokes:
                    if back.campaign_id is not None:
                        add(f"campaign:{back.campaign_id}", time, "revoked", back.points)
                        stands[who, back.grant_id] -= back.points
                        if not stands[who, back.grant_id]:
                            del things[who, "grant", back.grant_id]
            case DrawEntered():
                add("programme", time, "entries")
                add(f"campaign:{data.campaign_id}", time, "entries")
                things[who, "entry", f"{data.campaign_id} {data.entry_id}"] = (data.campaign_id, hour)
            case DrawWon():
                add("programme", time, "winners")
                add(f"campaign:{data.campaign_id}", time, "winners")
            case RewardIssued() if data.campaign_id is not None:
                add("programme", time, "gifts", data.quantity)
                add(f"campaign:{data.campaign_id}", time, "gifts", data.quantity)
                gifts[who, data.redemption_id] = (data.campaign_id, data.quantity)
                things[who, "gift", data.redemption_id] = (data.campaign_id, hour)
            case _:
                pass
    for _, hour in active:
        numbers["programme", hour]["customers"] += 1
    numbers["programme", "total"]["customers"] = len({who for who, _ in active})
    took_part = {(who, campaign_id, hour) for (who, _, _), (campaign_id, hour) in things.items()}
    for _, campaign_id, hour in took_part:
        numbers[f"campaign:{campaign_id}", hour]["customers"] += 1
    for _, campaign_id in {(who, campaign_id) for who, campaign_id, _ in took_part}:
        numbers[f"campaign:{campaign_id}", "total"]["customers"] += 1
    return {where: +counter for where, counter in numbers.items() if +counter}


def hour_of(time: datetime, zone: tzinfo) -> str:
    """The beginning of the hour in the zone, in the offset of then."""
    local = time.astimezone(zone)
    beginning = local.replace(minute=0, second=0, microsecond=0)
    return beginning.isoformat()

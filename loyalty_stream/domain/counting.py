"""Which point event counts where: the rules of campaign statistics and programme totals.

Of an event it reads no more than it counts. It must not know where counts and members are kept, nor how a customer is
counted once (`members`).
"""

from collections.abc import Callable
from typing import Final

from loyalty_stream.domain import members
from loyalty_stream.domain.counts import PROGRAMME, Hour, PairOf, campaign_scope
from loyalty_stream.domain.happened import Happened, HappenedData, Noted, Took
from loyalty_stream.domain.members import CountedOrder, Grant, LastOrder, Member, Thing


def ends_account(event: Happened) -> bool:
    """Whether nothing may be remembered of the customer after it."""
    note = event.data.note
    return note is not None and note.kind == "erased"


def count(event: Happened, hour: Hour, member: Member, pair: PairOf) -> bool:
    """Count the event; returns whether it changed the member."""
    changed = False
    note = event.data.note
    if note is not None and (note_counter := _BY_NOTE.get(note.kind)) is not None:
        changed = note_counter(note, hour, member, pair)
    counter = _BY_TYPE.get(event.type)
    if counter is not None:
        changed = counter(event.data, hour, member, pair) or changed
    return changed


# -- points ---------------------------------------------------------------------------------------------


def _granted(data: HappenedData, hour: Hour, member: Member, pair: PairOf) -> bool:
    # The words of a command are the operator's own; its rule says as much and has few values.
    reason = data.rule if data.command_id is not None else data.reason.partition(",")[0]
    for counts in pair(PROGRAMME, hour):
        counts.granted += data.points
        counts.granted_by[reason] = counts.granted_by.get(reason, 0) + data.points
    changed = data.command_id is None and members.is_active(member, hour, pair)
    if data.campaign_id is not None:
        for counts in pair(campaign_scope(data.campaign_id), hour):
            counts.granted += data.points
        member.grants[data.grant_id] = Grant(data.campaign_id, hour, data.points, data.points)
        members.take_part(member, data.campaign_id, hour, pair)
        changed = True
    return changed


def _redeemed(data: HappenedData, hour: Hour, member: Member, pair: PairOf) -> bool:
    for counts in pair(PROGRAMME, hour):
        counts.redeemed += data.points
    changed = members.is_active(member, hour, pair)
    for took, grant in _of_campaigns(data, member):
        grant.left -= took.points
        changed = True
        for counts in pair(campaign_scope(grant.campaign_id), hour):
            counts.redeemed += took.points
    return changed


def _restored(data: HappenedData, hour: Hour, member: Member, pair: PairOf) -> bool:
    for counts in pair(PROGRAMME, hour):
        counts.restored += data.points
    changed = False
    for took, grant in _of_campaigns(data, member):
        grant.left += took.points
        changed = True
        for counts in pair(campaign_scope(grant.campaign_id), hour):
            counts.restored += took.points
    return changed


def _expired(data: HappenedData, hour: Hour, member: Member, pair: PairOf) -> bool:
    for counts in pair(PROGRAMME, hour):
        counts.expired += data.points
    grant = member.grants.get(data.grant_id)
    if grant is None:
        return False
    grant.left -= data.points
    for counts in pair(campaign_scope(grant.campaign_id), hour):
        counts.expired += data.points
    return True


def _revoked(data: HappenedData, hour: Hour, member: Member, pair: PairOf) -> bool:
    reason = "adjustment" if data.command_id is not None else data.reason
    for counts in pair(PROGRAMME, hour):
        counts.revoked += data.points
        counts.revoked_by[reason] = counts.revoked_by.get(reason, 0) + data.points
    changed = False
    for took, grant in _of_campaigns(data, member):
        grant.left -= took.points
        changed = True
    for back in data.revokes:
        if back.campaign_id is not None:
            for counts in pair(campaign_scope(back.campaign_id), hour):
                counts.revoked += back.points
            known = member.grants.get(back.grant_id)
            if known is not None:
                known.stands -= back.points
                changed = True
                if known.stands == 0:
                    members.leave(member, known.campaign_id, known.hour, pair)
    return changed


def _of_campaigns(data: HappenedData, member: Member) -> list[tuple[Took, Grant]]:
    """The points of the event that are of campaigns' grants."""
    if not member.grants:
        return []
    known = member.grants
    return [(took, known[took.grant_id]) for took in data.grants if took.grant_id in known]


# -- draws and gifts ------------------------------------------------------------------------------------


def _entered(data: HappenedData, hour: Hour, member: Member, pair: PairOf) -> bool:
    campaign_id = data.campaign_id or ""
    for counts in (*pair(campaign_scope(campaign_id), hour), *pair(PROGRAMME, hour)):
        counts.entries += 1
    member.entries[_entry(campaign_id, data.entry_id)] = Thing(campaign_id, hour)
    members.take_part(member, campaign_id, hour, pair)
    return True


def _withdraw(member: Member, key: str, hour: Hour, pair: PairOf) -> None:
    entry = member.entries.pop(key, None)
    if entry is not None:  # or the draw was closed before it could take part
        for counts in (*pair(campaign_scope(entry.campaign_id), hour), *pair(PROGRAMME, hour)):
            counts.withdrawn_entries += 1
        members.leave(member, entry.campaign_id, entry.hour, pair)


def _issued(data: HappenedData, hour: Hour, member: Member, pair: PairOf) -> bool:
    if data.campaign_id is None:
        return False  # bought with points
    for counts in (*pair(campaign_scope(data.campaign_id), hour), *pair(PROGRAMME, hour)):
        counts.gifts += data.quantity
    member.gifts[data.redemption_id] = Thing(data.campaign_id, hour, data.quantity)
    members.take_part(member, data.campaign_id, hour, pair)
    return True


def _gift_cancelled(note: Noted, hour: Hour, member: Member, pair: PairOf) -> bool:
    gift = member.gifts.pop(note.redemption_id, None)
    if gift is None:
        return False
    for counts in (*pair(campaign_scope(gift.campaign_id), hour), *pair(PROGRAMME, hour)):
        counts.cancelled_gifts += gift.quantity
    members.leave(member, gift.campaign_id, gift.hour, pair)
    return True


def _won(data: HappenedData, hour: Hour, member: Member, pair: PairOf) -> bool:
    del member
    for counts in (*pair(campaign_scope(data.campaign_id or ""), hour), *pair(PROGRAMME, hour)):
        counts.winners += 1
    return False


def _entry(campaign_id: str, entry_id: str) -> str:
    return f"{campaign_id}\n{entry_id}"  # ids hold no line feeds


_BY_TYPE: Final[dict[str, Callable[[HappenedData, Hour, Member, PairOf], bool]]] = {
    "point-granted": _granted,
    "point-redeemed": _redeemed,
    "point-restored": _restored,
    "point-expired": _expired,
    "point-revoked": _revoked,
    "draw-entered": _entered,
    "draw-won": _won,
    "reward-issued": _issued,
}


# -- what notes tell ------------------------------------------------------------------------------------


def _ordered(note: Noted, hour: Hour, member: Member, pair: PairOf) -> bool:
    amount = sum([net for _, net in note.lines])
    for counts in pair(PROGRAMME, hour):
        counts.orders += 1
        counts.spend_amount += amount
    members.is_active(member, hour, pair)
    last = member.last_order = LastOrder(note.order_id or "", hour, amount)
    for campaign_id, _ in note.counts:
        _counts_for(campaign_id, last, member, pair)
    return True


def _counts_for(campaign_id: str, order: LastOrder, member: Member, pair: PairOf) -> bool:
    """The order counts for the campaign, once."""
    known = member.orders.get(order.order_id)
    if known is None:
        known = member.orders[order.order_id] = CountedOrder(order.hour, [])
    if campaign_id in known.campaigns:
        return False
    known.campaigns.append(campaign_id)
    for counts in pair(campaign_scope(campaign_id), order.hour):
        counts.orders += 1
        counts.spend_amount += order.amount
    return True


def _refunded(note: Noted, hour: Hour, member: Member, pair: PairOf) -> bool:
    amount = sum([refunded for _, refunded in note.lines])
    order = member.orders.get(note.order_id or "")
    scopes = [PROGRAMME, *map(campaign_scope, order.campaigns if order is not None else ())]
    for scope in scopes:
        for counts in pair(scope, hour):
            counts.refunded_amount += amount
            counts.cancelled_orders += note.cancelled
    return False


def _awarded(note: Noted, hour: Hour, member: Member, pair: PairOf) -> bool:
    """The order that it is given for was told right before, if there is one."""
    del hour
    last = member.last_order
    if last is None or note.order_id != last.order_id:
        return False
    return _counts_for(note.campaign_id, last, member, pair)


def _award_withdrawn(note: Noted, hour: Hour, member: Member, pair: PairOf) -> bool:
    for entry_id in note.entry_ids:
        _withdraw(member, _entry(note.campaign_id, entry_id), hour, pair)
    return bool(note.entry_ids)


def _registered(note: Noted, hour: Hour, member: Member, pair: PairOf) -> bool:
    del note, member
    for counts in pair(PROGRAMME, hour):
        counts.registrations += 1
    return False


def _erased(note: Noted, hour: Hour, member: Member, pair: PairOf) -> bool:
    """What they had stays counted, but for entries to draws whose winners may not be drawn yet."""
    for counts in pair(PROGRAMME, hour):
        counts.erasures += 1
    for key in [key for key, entry in member.entries.items() if entry.campaign_id in note.draws]:
        _withdraw(member, key, hour, pair)
    return True


_BY_NOTE: Final[dict[str, Callable[[Noted, Hour, Member, PairOf], bool]]] = {
    "order": _ordered,
    "refund": _refunded,
    "award": _awarded,
    "award-withdrawn": _award_withdrawn,
    "registration": _registered,
    "redemption-cancelled": _gift_cancelled,
    "erased": _erased,
}


COUNTED_TYPES: Final = frozenset(_BY_TYPE)
"""Types of events that count by themselves; of others it is the note that counts, if any."""
COUNTED_NOTES: Final = frozenset(_BY_NOTE)
"""Kinds of notes that count."""

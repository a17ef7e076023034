"""Folding what moves points: lots, holds, sums, and what orders keep of their grants and spendings."""

from datetime import datetime
from typing import Final, assert_never

from loyalty_stream.domain import calendar, fold_campaigns, fold_rewards, identity, lots, orders
from loyalty_stream.domain.account import NEVER, Account, Earned, Hold, Lot, Order, Review, Spent
from loyalty_stream.domain.events import (
    PointActivated,
    PointExpired,
    PointExpiring,
    PointGranted,
    PointHeld,
    PointRedeemed,
    PointReleased,
    PointRestored,
    PointRevoked,
)
from loyalty_stream.domain.fold_notes import count, remember
from loyalty_stream.domain.notes import ReviewNote
from loyalty_stream.domain.scope import net_in

FIRST_PURCHASE: Final = "first purchase"
"""The reason of the first-purchase bonus."""
ADJUSTMENT: Final = "adjust-points"
GRANT: Final = "grant-points"
"""The rules of grants by command, and what their ids are remembered under."""
TIER_KINDS: Final[tuple[str, ...]] = ("purchase", "threshold")
"""The kinds of `account.Earned` whose points count towards tiers (DOMAIN.md, Tiers)."""


def granted(account: Account, data: PointGranted, at: int) -> None:
    """A new lot, free or pending; an order keeps it, to take it back."""
    # Each field is looked up once: this is most of what the ledger does.
    points, grant_id, note = data.points, data.grant_id, data.note
    date, available, order_id = data.expires_at, data.available_at, data.order_id
    expires_at = NEVER if date is None else calendar.date_to_ms(date)
    account.granted += points
    # Mostly the event's own time, which never comes again: no cache.
    available_at = NEVER if available is None else calendar.to_ms(available)
    if available_at > at:
        lots.add(account, grant_id, 0, at, expires_at, pending=points, available_at=available_at)
        account.pending += points
    else:
        lots.add(account, grant_id, points, at, expires_at)
        account.available += points
    if type(note) is ReviewNote and isinstance(note, ReviewNote) and data.campaign_id is None:
        key = identity.business_key("review", note.review_id)
        account.reviews[key] = Review(grant_id, points, at)
    elif note is not None and order_id is None and data.campaign_id is not None:
        fold_campaigns.granted(account, note, grant_id, points)
    _was_active(account, data.all_expire_at, at)
    day, command_id = data.day, data.command_id
    if day is not None:
        count(account, day, "points", points)
    if command_id is not None:
        remember(account, identity.business_key(data.rule, command_id), at)
    if order_id is not None:
        _keep(account, orders.find(account, order_id), data, at)
    elif (stem := data.order) is not None:
        _keep(account, orders.by_stem(account, stem), data, at)


def _keep(account: Account, order: Order | None, data: PointGranted, at: int) -> None:
    if order is None:  # forgotten meanwhile: nothing can take it back any more
        return
    points, campaign_id, scope, steps = data.points, data.campaign_id, data.scope, data.steps
    if campaign_id is not None:
        kind = f"campaign:{campaign_id}"
    elif data.reason == FIRST_PURCHASE:
        kind = "first_purchase"
        order.first = True
        account.first_order = order.stem
    else:
        kind = "purchase" if steps is None else "threshold"
        account.tier_points += points
    gross, base_amount = 0, data.base_amount
    if base_amount is not None and base_amount != net_in(order, scope):
        gross = base_amount
    earned = Earned(
        data.grant_id,
        kind,
        points,
        exact=data.exact,
        rounding=data.rounding or "",
        steps=steps or (),
        scope=scope or (),
        gross=gross,
        earned_at=0 if at == order.paid_at else at,
    )
    order.earned = [*order.earned, earned]
    orders.save(account, order)


def _was_active(account: Account, all_expire_at: datetime | None, at: int) -> None:
    """The customer has earned or spent: under expiry by inactivity no points expire before that date any more."""
    if all_expire_at is not None:
        until = account.idle_until = calendar.date_to_ms(all_expire_at)
        for lot in account.lots:
            lot.expires_at = max(lot.expires_at, until)
        lots.sort(account)
    if account.idle_until and at > account.active_at:
        account.active_at = at


def held(account: Account, data: PointHeld) -> None:
    """Points are reserved in their lots."""
    for part in data.grants:
        lots.move(account, part.grant_id, free=-part.points, held=part.points)
    taken = [(part.grant_id, part.points) for part in data.grants]
    due_at = NEVER if data.due_at is None else calendar.to_ms(data.due_at)
    account.holds[data.hold_id] = Hold(data.points, due_at, "open", taken, order_id=data.order_id or "")
    account.available -= data.points
    account.held += data.points


def released(account: Account, data: PointReleased) -> None:
    """Reserved points are free again."""
    hold = account.holds[data.hold_id]
    for part in data.grants:
        lots.move(account, part.grant_id, free=part.points, held=-part.points)
    account.held -= data.points
    account.available += data.points
    match data.reason:
        case "over_order":
            hold.taken = _without(hold.taken, {part.grant_id: part.points for part in data.grants})
        case "released" | "timed_out" | "erased":
            hold.taken = []
            hold.state = "released"
        case "out_of_stock" | "cancelled":
            del account.holds[data.hold_id]
        case _:
            assert_never(data.reason)


def redeemed(account: Account, data: PointRedeemed, at: int) -> None:
    """Points leave; their order, the hold until an order names it, or the redemption keeps where they came from."""
    hold = None if data.hold_id is None else account.holds[data.hold_id]
    if data.redemption_id is not None:
        hold = account.holds.pop(fold_rewards.hold_of(data.redemption_id), None)
    account.redeemed += data.points
    was_held = hold is not None and hold.state == "open"
    spent: list[Spent] = []
    for part in data.grants:
        if was_held:
            earned_at, expires_at = lots.move(account, part.grant_id, held=-part.points)
        else:
            earned_at, expires_at = lots.move(account, part.grant_id, free=-part.points)
        spent.append(Spent(part.grant_id, part.points, earned_at, expires_at))
    if was_held:
        account.held -= data.points
    else:
        account.available -= data.points
    _was_active(account, data.all_expire_at, at)
    if hold is not None:
        hold.taken = []
        hold.state = "confirmed" if data.order_id is None else "spent"
        if data.order_id is None:
            hold.spent = spent
    if data.redemption_id is not None:
        fold_rewards.spent(account, data.redemption_id, spent, at)
    if data.order_id is not None:
        order = orders.find(account, data.order_id)
        if order is not None:
            order.spent = order.spent + spent
            orders.save(account, order)


def revoked(account: Account, data: PointRevoked, at: int) -> None:
    """Points are taken from lots, pending or free; grants that are taken back are pinned by it."""
    if data.command_id is not None:
        remember(account, identity.business_key(ADJUSTMENT, data.command_id), at)
    for part in data.grants:
        if lots.take(account, part.grant_id, part.points):
            account.pending -= part.points
        else:
            account.available -= part.points
    account.revoked += data.points
    account.debt += data.owed
    if data.reason == "debt_repaid" and data.command_id is None:
        account.debt -= data.points
    if data.revokes and data.order_id is not None:
        order = orders.find(account, data.order_id)
        if order is not None:
            for each in data.revokes:
                earned = orders.earned_of(order, each.grant_id)
                if earned is not None:
                    earned.revoked += each.points
                    if each.campaign_id is not None:
                        fold_campaigns.revoked(account, order, earned, each.campaign_id)
                    if earned.kind in TIER_KINDS:
                        account.tier_points -= each.points
            orders.save(account, order)


def activated(account: Account, data: PointActivated) -> None:
    """Pending points of a lot are free from now on."""
    lot = account.lots[lots.find(account.lots, data.grant_id)]
    lot.points, lot.pending, lot.available_at = data.points, 0, 0
    lots.changed(account)
    account.pending -= data.points
    account.available += data.points


def restored(account: Account, data: PointRestored) -> None:
    """Spent points form their lots again, with the dates that the event tells."""
    order = None if data.order_id is None else orders.find(account, data.order_id)
    for part in data.grants:
        expires_at = NEVER if part.expires_at is None else calendar.to_ms(part.expires_at)
        _restore_lot(account, part.grant_id, part.points, calendar.to_ms(part.earned_at), expires_at)
        if order is not None:
            _count_restored(order.spent, part.grant_id, part.points)
    account.available += data.points
    account.restored += data.points
    if order is not None:
        orders.save(account, order)


def _restore_lot(account: Account, grant_id: str, points: int, earned_at: int, expires_at: int) -> None:
    for place, lot in enumerate(account.lots):
        if lot.grant_id == grant_id:
            del account.lots[place]  # its date may have moved
            lots.changed(account)
            lot.points += points
            lot.expires_at = expires_at
            break
    else:
        lot = Lot(grant_id, points, earned_at, expires_at)
    lots.insert(account, lot)


def _count_restored(spent: list[Spent], grant_id: str, points: int) -> None:
    """Of several parts of one grant, the earlier one is restored first."""
    for each in spent:
        if each.grant_id == grant_id:
            part = min(points, each.points - each.restored)
            each.restored += part
            points -= part


def expired(account: Account, data: PointExpired) -> None:
    """What was free or pending of a lot is gone."""
    if lots.take(account, data.grant_id, data.points):
        account.pending -= data.points
    else:
        account.available -= data.points
    account.expired += data.points


def expiring(account: Account, data: PointExpiring, at: int) -> None:
    """The warning is out; those of dates that have passed are forgotten."""
    warned = account.warned
    for passed in [date for date in warned if date <= at]:
        del warned[passed]
    warned.setdefault(calendar.to_ms(data.expires_at), []).append(data.notice)


def _without(taken: list[tuple[str, int]], less: dict[str, int]) -> list[tuple[str, int]]:
    rest = [(grant_id, points - less.get(grant_id, 0)) for grant_id, points in taken]
    return [(grant_id, points) for grant_id, points in rest if points]

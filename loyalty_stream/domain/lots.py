"""The lots of an account: kept in spending order, taken from in spending order.

Knows of no event: `evolve` moves the points, deciders ask what would be taken. Whatever changes a lot does it here
or says so with `changed`, because an account keeps how its lots are stored (`lot_records`): as that alone, until
one is asked for, because most events only add a lot at the end.
"""

from bisect import bisect_right
from collections.abc import Collection

from msgspec.structs import force_setattr

from loyalty_stream.domain import lot_records
from loyalty_stream.domain.account import NEVER, Account, Lot
from loyalty_stream.domain.events import Taken
from loyalty_stream.domain.lot_records import Dates


def add(
    account: Account, grant_id: str, points: int, earned_at: int, expires_at: int,
    *, pending: int = 0, available_at: int = 0,
) -> None:  # fmt: skip
    """Put a new lot at its place in spending order, which is mostly the end; mostly none is unpacked for it."""
    if account.unpacked_lots is None and lot_records.add(
        account, grant_id, points, earned_at, expires_at, pending, available_at
    ):
        return
    insert(account, Lot(grant_id, points, earned_at, expires_at, 0, pending, available_at))


def insert(account: Account, lot: Lot) -> None:
    """Put the lot at its place in spending order: expires first, earned first, by grant id."""
    lots = account.lots
    if lots:
        last = lots[-1]  # most lots come in the order of their dates: these two comparisons tell
        if last.expires_at > lot.expires_at or (
            last.expires_at == lot.expires_at and last.earned_at >= lot.earned_at
        ):
            lots.insert(bisect_right(lots, _spending_order(lot), key=_spending_order), lot)
            changed(account)
            return
    lots.append(lot)


def changed(account: Account) -> None:
    """Lots have changed other than by one more at the end: how they are stored is to be put together anew."""
    account.lots_packed = 0


def first_expires_at(account: Account) -> int:
    """When the first lot expires (ms), `NEVER` where there is none; none is unpacked for it."""
    unpacked = account.unpacked_lots
    if unpacked is None:
        return account.first_expires_at if account.packed_lots else NEVER
    return unpacked[0].expires_at if unpacked else NEVER


def first_due(account: Account) -> int:
    """When the first lot with points that are not held expires (ms), `NEVER` where there is none; likewise."""
    unpacked = account.unpacked_lots
    if unpacked is None:
        return lot_records.first_due(account)
    for lot in unpacked:
        if lot.points or lot.pending:
            return lot.expires_at
    return NEVER


def dates(account: Account) -> list[Dates]:
    """What of each lot tells when something falls due, in spending order; none is unpacked for it."""
    unpacked = account.unpacked_lots
    if unpacked is None:
        return lot_records.dates(account)
    return [(lot.expires_at, lot.points, lot.earned_at, lot.pending, lot.available_at) for lot in unpacked]


def sort(account: Account) -> None:
    """Put the lots back in spending order after their dates have changed."""
    account.lots.sort(key=_spending_order)
    changed(account)


def find(lots: list[Lot], grant_id: str) -> int:
    """Where the grant's lot is; LookupError where it is gone, so that the account and its events disagree."""
    for place, lot in enumerate(lots):
        if lot.grant_id == grant_id:
            return place
    raise LookupError(
        f"no lot of grant {grant_id} is left: this event does not belong to this account's history"
    )


def move(account: Account, grant_id: str, *, free: int = 0, held: int = 0, pending: int = 0) -> None:
    """Change what is free, held and pending of a lot; one with nothing left is gone."""
    lots = account.lots
    place = find(lots, grant_id)
    lot = lots[place]
    # Each by itself: to set a field of a lot forgets how it is packed, by a call into Python.
    if free:
        force_setattr(lot, "points", lot.points + free)
    if held:
        force_setattr(lot, "held", lot.held + held)
    if pending:
        force_setattr(lot, "pending", lot.pending + pending)
    force_setattr(lot, "packed", b"")
    if lot.points < 0 or lot.held < 0 or lot.pending < 0:
        raise ValueError(
            f"lot {grant_id} would have {lot.points} points free, {lot.held} held and {lot.pending} pending: "
            "this event does not belong to this account's history"
        )
    if lot.points == 0 and lot.held == 0 and lot.pending == 0:
        del lots[place]
    changed(account)


def in_spending_order(lots: list[Lot], points: int, now: int) -> tuple[Taken, ...]:
    """Up to `points` free points that have not expired at `now`, as a spending would take them."""
    taken: list[Taken] = []
    for lot in lots:
        if points == 0:
            break
        if lot.points and lot.expires_at > now:
            part = min(points, lot.points)
            taken.append(Taken(lot.grant_id, part))
            points -= part
    return tuple(taken)


def to_take_back(
    lots: list[Lot], points: int, now: int, own: Collection[str] = (), at: int = 0
) -> tuple[Taken, ...]:
    """Up to `points` that have not expired at `now`, free or pending, as a revocation takes them (DOMAIN.md, Refunds).

    The lots of the grants in `own` come first, pending before free, then all in spending order. Of `own`, even what
    has expired by `now` is taken if it had not at `at`, the cause's time: it was granted late, and so it is all the
    same whether it is taken back before it expires or after.
    """
    found = [
        lot
        for lot in lots
        if (lot.points or lot.pending) and lot.expires_at > (at if lot.grant_id in own else now)
    ]
    if own:
        found.sort(key=lambda lot: 2 if lot.grant_id not in own else 0 if lot.pending else 1)
    taken: list[Taken] = []
    for lot in found:
        if points == 0:
            break
        part = min(points, lot.points or lot.pending)
        taken.append(Taken(lot.grant_id, part))
        points -= part
    return tuple(taken)


def total(grants: tuple[Taken, ...]) -> int:
    """The points of all the parts together."""
    return sum(part.points for part in grants)


def _spending_order(lot: Lot) -> tuple[int, int, str]:
    return lot.expires_at, lot.earned_at, lot.grant_id

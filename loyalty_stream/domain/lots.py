"""The lots of an account: kept in spending order, taken from in spending order.

Knows of no event: `evolve` moves the points, deciders ask what would be taken. Whatever changes a lot does it here
or says so with `changed`, because an account keeps how its lots are stored (`lot_records`): as that alone, until
all of them are asked for, because most events need one or two (`packed_lots`).
"""

from bisect import bisect_right
from collections.abc import Collection, Sequence

from msgspec.structs import force_setattr

from loyalty_stream.domain import packed_lots
from loyalty_stream.domain.account import NEVER, Account, Lot
from loyalty_stream.domain.events import Taken
from loyalty_stream.domain.lot_reader import Reader
from loyalty_stream.domain.packed_lots import Dates, Part


def add(
    account: Account, grant_id: str, points: int, earned_at: int, expires_at: int,
    *, pending: int = 0, available_at: int = 0,
) -> None:  # fmt: skip
    """Put a new lot at its place in spending order, which is mostly the end; mostly none is unpacked for it."""
    if account.unpacked_lots is None and packed_lots.add(
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
        return packed_lots.first_due(account)
    for lot in unpacked:
        if lot.points or lot.pending:
            return lot.expires_at
    return NEVER


def dates(account: Account) -> list[Dates]:
    """What of each lot tells when something falls due, in spending order; none is unpacked for it."""
    unpacked = account.unpacked_lots
    if unpacked is None:
        return packed_lots.dates(account)
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
    raise _is_gone(grant_id)


def move(
    account: Account, grant_id: str, *, free: int = 0, held: int = 0, pending: int = 0
) -> tuple[int, int]:
    """Change what is free, held and pending of a lot; one with nothing left is gone.

    Returns when it was earned and when it expires, in ms.
    """
    if account.unpacked_lots is None:
        reader = _read(account, grant_id)
        dates = reader.earned_at, reader.expires_at
        _move_packed(account, reader, grant_id, free, held, pending)
        return dates
    lot = _move_unpacked(account, find(account.unpacked_lots, grant_id), free, held, pending)
    return lot.earned_at, lot.expires_at


def take(account: Account, grant_id: str, points: int) -> bool:
    """Take points out of a lot; returns whether they were pending, else they were free."""
    if account.unpacked_lots is None:
        reader = _read(account, grant_id)
        pends = reader.pending > 0
        _move_packed(account, reader, grant_id, 0 if pends else -points, 0, -points if pends else 0)
        return pends
    place = find(account.unpacked_lots, grant_id)
    pends = account.unpacked_lots[place].pending > 0
    _move_unpacked(account, place, 0 if pends else -points, 0, -points if pends else 0)
    return pends


def in_spending_order(account: Account, points: int, now: int) -> tuple[Taken, ...]:
    """Up to `points` free points that have not expired at `now`, as a spending would take them."""
    unpacked = account.unpacked_lots
    if unpacked is None:
        return _parts(packed_lots.spendable(account, points, now), points)
    return _parts(
        [(lot.grant_id, lot.points) for lot in unpacked if lot.points and lot.expires_at > now], points
    )


def to_take_back(
    account: Account, points: int, now: int, own: Collection[str] = (), at: int = 0
) -> tuple[Taken, ...]:
    """Up to `points` that have not expired at `now`, free or pending, as a revocation takes them (DOMAIN.md, Refunds).

    The lots of the grants in `own` come first, pending before free, then all in spending order. Of `own`, even what
    has expired by `now` is taken if it had not at `at`, the cause's time: it was granted late, and so it is all the
    same whether it is taken back before it expires or after.
    """
    unpacked = account.unpacked_lots
    if unpacked is None:
        return _parts(packed_lots.revocable(account, points, now, own, at), points)
    found = [
        lot
        for lot in unpacked
        if (lot.points or lot.pending) and lot.expires_at > (at if lot.grant_id in own else now)
    ]
    if own:
        found.sort(key=lambda lot: 2 if lot.grant_id not in own else 0 if lot.pending else 1)
    return _parts([(lot.grant_id, lot.points or lot.pending) for lot in found], points)


def total(grants: tuple[Taken, ...]) -> int:
    """The points of all the parts together."""
    return sum(part.points for part in grants)


def _parts(found: Sequence[Part], points: int) -> tuple[Taken, ...]:
    """Of what was found in this order, up to so many points."""
    taken: list[Taken] = []
    for grant_id, amount in found:
        if points == 0:
            break
        part = min(points, amount)
        taken.append(Taken(grant_id, part))
        points -= part
    return tuple(taken)


def _read(account: Account, grant_id: str) -> Reader:
    reader = packed_lots.find(account, grant_id)
    if reader is None:
        raise _is_gone(grant_id)
    return reader


def _move_packed(account: Account, reader: Reader, grant_id: str, free: int, held: int, pending: int) -> None:
    free, held, pending = reader.points + free, reader.held + held, reader.pending + pending
    _check(grant_id, free, held, pending)
    packed_lots.replace(account, reader, grant_id, free, held, pending)


def _move_unpacked(account: Account, place: int, free: int, held: int, pending: int) -> Lot:
    lots = account.lots
    lot = lots[place]
    # Each by itself: to set a field of a lot forgets how it is packed, by a call into Python.
    force_setattr(lot, "points", lot.points + free)
    force_setattr(lot, "held", lot.held + held)
    force_setattr(lot, "pending", lot.pending + pending)
    force_setattr(lot, "packed", b"")
    _check(lot.grant_id, lot.points, lot.held, lot.pending)
    if lot.points == 0 and lot.held == 0 and lot.pending == 0:
        del lots[place]
    changed(account)
    return lot


def _check(grant_id: str, points: int, held: int, pending: int) -> None:
    if points < 0 or held < 0 or pending < 0:
        raise ValueError(
            f"lot {grant_id} would have {points} points free, {held} held and {pending} pending: "
            "this event does not belong to this account's history"
        )


def _is_gone(grant_id: str) -> LookupError:
    return LookupError(
        f"no lot of grant {grant_id} is left: this event does not belong to this account's history"
    )


def _spending_order(lot: Lot) -> tuple[int, int, str]:
    return lot.expires_at, lot.earned_at, lot.grant_id

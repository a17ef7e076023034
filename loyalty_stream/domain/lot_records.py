"""Points of a grant as a few bytes: what a stored account keeps of its lots and of what was spent of them.

A record points to the grant's cause among the remembered ones, which have the rest of its id and its second;
a grant whose cause is not there is written out: `lot_reader` tells the layout. It must not know what lots are for.
"""

from typing import Final

from msgspec.structs import force_setattr
from mypy_extensions import i64

from loyalty_stream.domain import identity
from loyalty_stream.domain.account import KEY_BUCKET_MS, NEVER, Account, Lot, Spent
from loyalty_stream.domain.calendar import QUARTER_MS
from loyalty_stream.domain.lot_reader import (
    AVAILABLE_NEVER,
    DAY,
    EXPIRY_MIDNIGHT,
    EXPIRY_QUARTERS,
    FROM_QUARTERS,
    GROUP,
    MORE,
    MORE_WIDTHS,
    MS,
    NEVER_QUARTER,
    NO_QUARTER,
    ODD,
    POINTS_WIDTHS,
    WRITTEN_OUT,
    Reader,
)

_NUMBERED: Final = 3
"""The number of the grant's event that the flags do not hold, nor any higher."""
_ZERO: Final = ord("0")
_BYTE: Final = tuple([bytes((value,)) for value in range(256)])
_GROUP: Final = bytes((GROUP,))
_STEM: Final = identity.STEM
MOST_BUCKET: Final = 255
"""A group's head has a byte for its bucket."""
_MOST_BYTE: Final = 255
_MOST_PLACE: Final = 254
"""255 says in the records of orders that there is none."""


def pack_lots(account: Account) -> bytes:
    """Records of the account's lots, end to end, which are all that it keeps of them then.

    Of lots that were unpacked, mostly only those of new ones at the end are made.
    """
    lots = account.unpacked_lots
    if lots is None:
        return account.packed_lots
    done = account.lots_packed
    if done != len(lots):
        parts: list[bytes] = [account.packed_lots] if done else []
        group = lots[done - 1].earned_at // KEY_BUCKET_MS if done else -1
        for lot in lots[done:] if done else lots:
            bucket = lot.earned_at // KEY_BUCKET_MS
            if bucket != group:
                parts.append(head_of(bucket))
                group = bucket
            packed = lot.packed
            if not packed:
                packed = record_of(
                    account, lot.grant_id, lot.points, lot.earned_at, lot.expires_at,
                    lot.held, lot.pending, lot.available_at,
                )  # fmt: skip
                force_setattr(lot, "packed", packed)
            parts.append(packed)
        account.packed_lots = b"".join(parts)
    elif not done:
        account.packed_lots = b""
    if lots:
        last = lots[-1]
        account.first_expires_at = lots[0].expires_at
        account.last_expires_at, account.last_earned_at = last.expires_at, last.earned_at
        account.last_grant_id = last.grant_id
    account.unpacked_lots, account.lots_packed = None, 0
    return account.packed_lots


def pack_spent(account: Account, spent: list[Spent]) -> bytes:
    """Records of spent points, likewise."""
    parts: list[bytes] = []
    group = -1
    for each in spent:
        bucket = each.earned_at // KEY_BUCKET_MS
        if bucket != group:
            parts.append(head_of(bucket))
            group = bucket
        packed = each.packed
        if not packed:
            packed = record_of(
                account, each.grant_id, each.points, each.earned_at, each.expires_at, each.restored, 0, 0
            )
            force_setattr(each, "packed", packed)
        parts.append(packed)
    return b"".join(parts)


def unpack_lots(account: Account) -> list[Lot]:
    """Unpack the account's lots; it keeps them so until it is stored."""
    lots: list[Lot] = []
    reader = Reader(account, account.packed_lots)
    while reader.next():
        lots.append(
            Lot(
                reader.grant_id(), reader.points, reader.earned_at, reader.expires_at, reader.held,
                reader.pending, reader.available_at, reader.record(),
            )
        )  # fmt: skip
    account.unpacked_lots, account.lots_packed = lots, len(lots)
    return lots


def unpack_spent(account: Account, records: bytes) -> list[Spent]:
    """The spent points of such records, likewise."""
    spent: list[Spent] = []
    reader = Reader(account, records)
    while reader.next():
        spent.append(
            Spent(
                reader.grant_id(), reader.points, reader.earned_at, reader.expires_at, reader.held,
                reader.record(),
            )
        )  # fmt: skip
    return spent


def record_of_grant(account: Account, grant_id: str, points: int, earned_at: int) -> bytes:
    """A record, with the head of its group, of points of which only the grant is told and no date."""
    return head_of(earned_at // KEY_BUCKET_MS) + record_of(
        account, grant_id, points, earned_at, NEVER, 0, 0, 0
    )


def forget_records(account: Account) -> None:
    """Have every lot and all that was spent packed anew: causes that the records point to will be gone.

    Orders are to be unpacked before.
    """
    for lot in account.lots:
        lot.packed = b""
    account.lots_packed = 0
    account.filed, account.first_placed, account.registered_placed = {}, ("", 0), (0, 0)
    for hold in account.holds.values():
        hold.packed = b""
    for review in account.reviews.values():
        review.packed = b""
    spent = [hold.spent for hold in account.holds.values()]
    spent += [redeemed.spent for redeemed in account.redemptions.values()]
    spent += [order.spent for order in account.unpacked.values()]
    for parts in spent:
        for part in parts:
            part.packed = b""


def place_of_cause(account: Account, stem: str, at: int) -> int:
    """Which of its bucket's causes has this stem and happened at this second (ms `at`); -1: none that fits a byte."""
    bucket = at // KEY_BUCKET_MS
    filed = account.filed.get(stem)  # mostly it is a new one
    if filed is not None and filed[0] == at and len(stem) == _STEM:
        place = filed[1]
        return place if place <= _MOST_PLACE and 0 <= bucket <= MOST_BUCKET else -1
    place = place_of_stem(account, bucket, stem)
    if place < 0:
        return -1
    start = place * identity.ENTRY_BYTES + identity.KEY_BYTES
    seconds = int.from_bytes(account.causes[bucket][start : start + 3], "big")
    return place if seconds == at % KEY_BUCKET_MS // 1000 else -1


def place_of_stem(account: Account, bucket: int, stem: str) -> int:
    """Which of the bucket's causes has this stem; -1: none that fits a byte, as the bucket has to."""
    causes = account.causes.get(bucket)
    if causes is None or not 0 <= bucket <= MOST_BUCKET:
        return -1
    key = identity.key_of_stem(account.prefix, stem)
    return place_of_key(causes, key) if key else -1


def place_of_key(causes: bytes, key: bytes) -> int:
    """Which of a bucket's causes has this key; -1: none that fits a byte."""
    at = causes.rfind(key)  # mostly the last one
    while at >= 0:
        if at % identity.ENTRY_BYTES == 0:
            place = at // identity.ENTRY_BYTES
            return place if place <= _MOST_PLACE else -1
        at = causes.rfind(key, 0, at + identity.KEY_BYTES - 1)
    return -1


def stem_of(account: Account, bucket: int, place: int) -> str:
    """The stem of the cause at that place of the bucket."""
    start = place * identity.ENTRY_BYTES
    return account.prefix + identity.text_of(account.causes[bucket][start : start + identity.KEY_BYTES])


def time_of(account: Account, bucket: int, place: int) -> int:
    """When the cause at that place of the bucket happened, in ms, to the second."""
    start = place * identity.ENTRY_BYTES + identity.KEY_BYTES
    causes = account.causes[bucket]
    seconds: i64 = causes[start] << 16 | causes[start + 1] << 8 | causes[start + 2]
    bucket_begins: i64 = bucket
    return bucket_begins * KEY_BUCKET_MS + seconds * 1000


def place_of_time(account: Account, at: int) -> int:
    """Which of its bucket's causes happened at this second (ms `at`); -1: none whose place and bucket fit a byte."""
    bucket = at // KEY_BUCKET_MS
    causes = account.causes.get(bucket, b"")
    if 0 <= bucket <= MOST_BUCKET:
        second = (at % KEY_BUCKET_MS // 1000).to_bytes(3, "big")
        for place in range(min(len(causes) // identity.ENTRY_BYTES, _MOST_BYTE)):
            start = place * identity.ENTRY_BYTES + identity.KEY_BYTES
            if causes[start : start + 3] == second:
                return place
    return -1


def head_of(bucket: int) -> bytes:
    """What stands before records whose causes are in this bucket."""
    return _GROUP + _BYTE[bucket] if 0 <= bucket <= MOST_BUCKET else b""  # then its records are written out


def record_of(
    account: Account, grant_id: str, points: int, earned_at: int, expires_at: int,
    held: int, pending: int, available_at: int,
) -> bytes:  # fmt: skip
    """The record of such points, for the group of the bucket that `earned_at` is in."""
    number = number_of(grant_id)
    place = place_of_cause(account, grant_id[:_STEM], earned_at) if number >= 0 else -1
    return record_at(
        account, place, number, grant_id, points, earned_at, expires_at, held, pending, available_at
    )


def record_at(
    account: Account, place: int, number: int, grant_id: str, points: int, earned_at: int, expires_at: int,
    held: int, pending: int, available_at: int,
) -> bytes:  # fmt: skip
    """The same where it is known which event of which cause of the bucket granted them; with `place` -1: none."""
    ms = earned_at % 1000
    earned = earned_at // QUARTER_MS
    if not account.midnight:
        account.midnight = _midnight(earned, expires_at)
    flags, date = _expiry(account.midnight, earned, expires_at)
    if place >= 0:
        flags |= min(number, _NUMBERED) << 2
        if number < _NUMBERED and not (ms or held or pending or available_at) and 0 <= points < 1 << 16:
            if points < 1 << 8:
                return (flags << 16 | place << 8 | points).to_bytes(3, "big") + date
            return ((flags | 1) << 24 | place << 16 | points).to_bytes(4, "big") + date
        odd = 0
        body = _BYTE[place] if number < _NUMBERED else _BYTE[place] + _BYTE[number]
        if ms:
            odd = MS
            body = body + ms.to_bytes(2, "big")
    else:
        odd = WRITTEN_OUT
        named = grant_id.encode()
        body = len(named).to_bytes(2, "big") + named + earned_at.to_bytes(8, "big", signed=True)
    if 0 <= points < 1 << 8:
        width, amount = 0, _BYTE[points]
    elif 0 <= points < 1 << 16:
        width, amount = 1, points.to_bytes(2, "big")
    else:
        width = 2 if 0 <= points < 1 << 24 else 3
        amount = points.to_bytes(POINTS_WIDTHS[width], "big", signed=width == 3)
    body = body + amount + date
    if held or pending or available_at:
        odd |= MORE
        body = body + _more(held, pending, available_at)
    return _BYTE[flags | width | ODD] + _BYTE[odd] + body if odd else _BYTE[flags | width] + body


def number_of(grant_id: str) -> int:
    """The number of the grant's event, where it is up to 255 and follows a stem of `identity.STEM`; else -1."""
    size = len(grant_id) - _STEM
    if not 2 <= size <= 4 or grant_id[_STEM] != ".":
        return -1
    first = ord(grant_id[_STEM + 1]) - _ZERO
    if size == 2:  # mostly
        return first if 0 <= first <= 9 else -1
    text = grant_id[_STEM + 1 :]
    if first == 0 or not (text.isdecimal() and text.isascii()):
        return -1
    number = int(text)
    return number if number <= _MOST_BYTE else -1


def _midnight(earned: int, expires_at: int) -> int:
    """When days begin, read off the first expiry some twelve months after its grant; 0: this one does not tell."""
    quarter = expires_at // QUARTER_MS
    if expires_at % QUARTER_MS or not 0 <= quarter - earned - FROM_QUARTERS <= _MOST_BYTE:
        return 0
    return quarter % DAY + 1


def _expiry(midnight: int, earned: int, expires_at: int) -> tuple[int, bytes]:
    """The flags for the date and the bytes of it; `earned` in quarters."""
    if expires_at == NEVER:
        return EXPIRY_QUARTERS << 4, NEVER_QUARTER.to_bytes(3, "big")
    quarter = expires_at // QUARTER_MS
    if expires_at % QUARTER_MS or not 0 <= quarter < NO_QUARTER:
        date = NO_QUARTER.to_bytes(3, "big") + expires_at.to_bytes(8, "big", signed=True)
        return EXPIRY_QUARTERS << 4, date
    after = quarter - earned - FROM_QUARTERS
    if not 0 <= after <= _MOST_BYTE:
        return EXPIRY_QUARTERS << 4, quarter.to_bytes(3, "big")
    midnight -= 1
    if quarter % DAY == midnight:
        days = (quarter - midnight) // DAY - (earned - midnight) // DAY
        if days in (366, 367):
            return (EXPIRY_MIDNIGHT + days - 366) << 4, b""
    return 0, _BYTE[after]


def _more(held: int, pending: int, available_at: int) -> bytes:
    """A byte of three widths' codes, and the amounts; `NEVER`, the commonest `available_at`, has a code for itself."""
    codes, parts = 0, b""
    if available_at == NEVER:
        codes, available_at = AVAILABLE_NEVER, 0
    for shift, amount in ((0, held), (2, pending), (4, available_at)):
        if amount == 0:
            continue
        if 0 <= amount < 1 << 16:  # mostly
            code, told = 1, amount.to_bytes(2, "big")
        else:
            code = 2 if 0 <= amount < 1 << 32 else 3
            told = amount.to_bytes(MORE_WIDTHS[code], "big", signed=code == 3)
        codes |= code << shift
        parts = parts + told
    return _BYTE[codes] + parts

"""Points of a grant as a few bytes: what a stored account keeps of its lots and of what was spent of them.

A record points to the grant's cause among the remembered ones, which have the rest of its id and its second;
a grant whose cause is not there is written out. It must not know what lots are for. Layout, in order:

group   0x80 and a bucket, before the records whose causes are in that bucket
flags   width of the points (bits 0-1), number of the grant's event if below 3 (2-3), expiry (4-5), odd (6)
odd     milliseconds follow (1), more amounts follow (2), the grant is written out (4)
cause   its place in its bucket; written out: length in two bytes, grant id, ms in eight
number  of the grant's event, where the flags do not hold it
ms      after the cause's second, two bytes
points  1, 2, 3 or 8 bytes
expiry  0: quarters of an hour from just before twelve months after, a byte; 1: quarters since 1970, three bytes,
        or all ones for never, or one less before ms in eight; 2, 3: the midnight that ends the 365th or the
        366th day after, in the zone of the account's expiries
more    widths, then held (of what was spent: restored), pending, available_at
"""

from binascii import a2b_base64
from functools import lru_cache
from typing import Final

from msgspec.structs import force_setattr

from loyalty_stream.domain import identity
from loyalty_stream.domain.account import KEY_BUCKET_MS, NEVER, Account, Lot, Review, Spent
from loyalty_stream.domain.calendar import QUARTER_MS

_ODD: Final = 64
_GROUP: Final = 128
_MS: Final = 1
_MORE: Final = 2
_WRITTEN_OUT: Final = 4
_POINTS_WIDTHS: Final = (1, 2, 3, 8)
_MORE_WIDTHS: Final = (0, 2, 4, 8)
_AVAILABLE_NEVER: Final = 64
_NUMBERS: Final = {".0": 0, ".1": 1 << 2, ".2": 2 << 2}
"""What follows the stem in most ids, and its bits in the flags."""
_NUMBERED: Final = 3 << 2
_EXPIRIES: Final[dict[tuple[int, int, int], tuple[int, bytes]]] = {}
"""What `_expiry` said lately: many grants of a quarter of an hour share it."""
_MOST_EXPIRIES: Final = 1 << 12
_DAY: Final = 96
"""Quarters of an hour."""
_FROM_QUARTERS: Final = 365 * _DAY - 48
"""Twelve months rounded to the day end 1 to 96 quarters after 365 days, a day later where there is a 29 February;
a byte holds both, and half a day before and a third after for other zones of the clock."""
_EXPIRY_QUARTERS: Final = 1
_EXPIRY_MIDNIGHT: Final = 2
_NEVER_QUARTER: Final = (1 << 24) - 1
_NO_QUARTER: Final = _NEVER_QUARTER - 1
_STEM: Final = 12
_STANDARD: Final = str.maketrans("-_", "+/")
_MOST_BYTE: Final = 255
_MOST_PLACE: Final = 254
"""255 says in the records of orders that there is none."""

Dates = tuple[int, int, int, int, int]
"""Of a lot: expires_at, points, earned_at, pending, available_at."""


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
                parts.append(_head_of(bucket))
                group = bucket
            packed = lot.packed
            if not packed:
                packed = _record(
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
    account.unpacked_lots, account.lots_packed = None, 0
    return account.packed_lots


def append(
    account: Account,
    grant_id: str,
    points: int,
    earned_at: int,
    expires_at: int,
    pending: int,
    available_at: int,
) -> bool:
    """Pack a lot after all others of an account that has only packed ones; False where that is not its place."""
    records, bucket = account.packed_lots, earned_at // KEY_BUCKET_MS
    if not records:
        account.first_expires_at = expires_at
        records = _head_of(bucket)
    else:
        last_expires_at, last_earned_at = account.last_expires_at, account.last_earned_at
        if last_expires_at > expires_at or (last_expires_at == expires_at and last_earned_at >= earned_at):
            return False
        if bucket != last_earned_at // KEY_BUCKET_MS:
            records += _head_of(bucket)
    account.packed_lots = records + _record(
        account, grant_id, points, earned_at, expires_at, 0, pending, available_at
    )
    account.last_expires_at, account.last_earned_at = expires_at, earned_at
    return True


def take_packed(account: Account, records: bytes) -> None:
    """Have the account keep such records as its lots; LookupError or ValueError where they are none."""
    account.packed_lots = records
    reader = _Reader(account, records)
    if not reader.next():
        return
    account.first_expires_at = reader.expires_at
    while reader.next():
        pass
    account.last_expires_at, account.last_earned_at = reader.expires_at, reader.earned_at


def dates(account: Account) -> list[Dates]:
    """Of each of the packed lots what tells when something falls due."""
    found: list[Dates] = []
    reader = _Reader(account, account.packed_lots)
    while reader.next():
        found.append(
            (reader.expires_at, reader.points, reader.earned_at, reader.pending, reader.available_at)
        )
    return found


def pack_spent(account: Account, spent: list[Spent]) -> bytes:
    """Records of spent points, likewise."""
    parts: list[bytes] = []
    group = -1
    for each in spent:
        bucket = each.earned_at // KEY_BUCKET_MS
        if bucket != group:
            parts.append(_head_of(bucket))
            group = bucket
        packed = each.packed
        if not packed:
            packed = _record(
                account, each.grant_id, each.points, each.earned_at, each.expires_at, each.restored, 0, 0
            )
            force_setattr(each, "packed", packed)
        parts.append(packed)
    return b"".join(parts)


def unpack_lots(account: Account) -> list[Lot]:
    """Unpack the account's lots; it keeps them so until it is stored."""
    lots: list[Lot] = []
    reader = _Reader(account, account.packed_lots)
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
    reader = _Reader(account, records)
    while reader.next():
        spent.append(
            Spent(
                reader.grant_id(), reader.points, reader.earned_at, reader.expires_at, reader.held,
                reader.record(),
            )
        )  # fmt: skip
    return spent


def pack_reviews(account: Account, reviews: dict[bytes, Review]) -> list[bytes]:
    """Of each review the place of its key among its bucket's (255: the key follows), and records as of lots."""
    places: list[bytes] = []
    records: list[bytes] = []
    group = -1
    for key, review in reviews.items():
        bucket = review.earned_at // KEY_BUCKET_MS
        if bucket != group:
            records.append(_head_of(bucket))
            group = bucket
        packed = review.packed
        if not packed:
            packed = _place_of_key(account, bucket, key) + _review_record(account, review)
            force_setattr(review, "packed", packed)
        size = 1 if packed[0] != _MOST_BYTE else 1 + identity.KEY_BYTES
        places.append(packed[:size])
        records.append(packed[size:])
    return [b"".join(places), b"".join(records)]


def _place_of_key(account: Account, bucket: int, key: bytes) -> bytes:
    at = account.keys.get(bucket, b"").find(key)
    place = at // identity.KEY_BYTES
    found = at >= 0 and at % identity.KEY_BYTES == 0 and place <= _MOST_PLACE
    return bytes((place,)) if found else bytes((_MOST_BYTE,)) + key


def _review_record(account: Account, review: Review) -> bytes:
    date = (
        review.earned_at // QUARTER_MS + _FROM_QUARTERS
    ) * QUARTER_MS  # none expires: it has the shortest code
    return _record(account, review.grant_id, review.points, review.earned_at, date, 0, 0, 0)


def unpack_reviews(account: Account, places: bytes, records: bytes) -> dict[bytes, Review]:
    """The reviews, by their keys."""
    found: dict[bytes, Review] = {}
    at = 0
    reader = _Reader(account, records)
    while reader.next():
        place = places[at]
        at += 1
        if place == _MOST_BYTE:
            key = places[at : at + identity.KEY_BYTES]
            at += identity.KEY_BYTES
        else:
            start = place * identity.KEY_BYTES
            key = account.keys[reader.earned_at // KEY_BUCKET_MS][start : start + identity.KEY_BYTES]
        found[key] = Review(reader.grant_id(), reader.points, reader.earned_at)
    return found


def forget_records(account: Account) -> None:
    """Have every lot and what holds have spent packed anew: causes that the records point to will be gone."""
    for lot in account.lots:
        lot.packed = b""
    account.lots_packed = 0
    account.filed, account.first_placed = {}, ("", 0)
    for hold in account.holds.values():
        hold.packed = b""
    for review in account.reviews.values():
        review.packed = b""
    spent = [hold.spent for hold in account.holds.values()]
    spent += [redeemed.spent for redeemed in account.redemptions.values()]
    for parts in spent:
        for part in parts:
            part.packed = b""


def place_of_cause(account: Account, stem: str, at: int) -> int:
    """Which of its bucket's causes has this stem and happened at this second (ms `at`); -1: none that fits a byte."""
    bucket = at // KEY_BUCKET_MS
    filed = account.filed.get(stem)  # mostly it is a new one
    if filed is not None and filed[0] == at and len(stem) == _STEM:
        place = filed[1]
        return place if place <= _MOST_PLACE and 0 <= bucket <= _MOST_BYTE else -1
    place = place_of_stem(account, bucket, stem)
    if place < 0:
        return -1
    start = place * identity.ENTRY_BYTES + identity.KEY_BYTES
    seconds = int.from_bytes(account.causes[bucket][start : start + 3], "big")
    return place if seconds == at % KEY_BUCKET_MS // 1000 else -1


def place_of_stem(account: Account, bucket: int, stem: str) -> int:
    """Which of the bucket's causes has this stem; -1: none that fits a byte, as the bucket has to."""
    causes = account.causes.get(bucket)
    return -1 if causes is None or not 0 <= bucket <= _MOST_BYTE else _place_in(causes, account.prefix, stem)


@lru_cache(maxsize=1 << 10)
def _place_in(causes: bytes, prefix: str, stem: str) -> int:
    """Kept, because an order, its grants and their lots ask for the same cause, one after the other."""
    if not prefix or len(stem) != _STEM or not stem.startswith(prefix):
        return -1
    try:
        key = a2b_base64(stem[identity.PREFIX :].translate(_STANDARD))
    except ValueError:
        return -1
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


def _head_of(bucket: int) -> bytes:
    return bytes((_GROUP, bucket)) if 0 <= bucket <= _MOST_BYTE else b""  # then its records are written out


def _record(
    account: Account, grant_id: str, points: int, earned_at: int, expires_at: int,
    held: int, pending: int, available_at: int,
) -> bytes:  # fmt: skip
    flags = _NUMBERS.get(grant_id[_STEM:], _NUMBERED)
    odd = number = 0
    place = -1
    if flags != _NUMBERED or (number := _number_of(grant_id)) > 0:
        place = place_of_cause(account, grant_id[:_STEM], earned_at)
    ms = earned_at % 1000
    if not account.midnight:
        account.midnight = _midnight(earned_at // QUARTER_MS, expires_at)
    earned = earned_at // QUARTER_MS
    told = _EXPIRIES.get((account.midnight, earned, expires_at))
    if told is None:
        if len(_EXPIRIES) >= _MOST_EXPIRIES:
            _EXPIRIES.clear()
        told = _EXPIRIES[account.midnight, earned, expires_at] = _expiry(account.midnight, earned, expires_at)
    code, date = told
    flags |= code
    if place >= 0 and not (ms or number or held or pending or available_at) and 0 <= points < 1 << 16:
        if points < 1 << 8:
            return bytes((flags, place, points)) + date
        return bytes((flags | 1, place, points >> 8, points & 255)) + date
    if place < 0:
        flags &= ~_NUMBERED
        odd = _WRITTEN_OUT
        named = grant_id.encode()
        body = len(named).to_bytes(2, "big") + named + earned_at.to_bytes(8, "big", signed=True)
    else:
        body = bytes((place, number)) if number else bytes((place,))
        if ms:
            odd = _MS
            body += ms.to_bytes(2, "big")
    width = 0 if 0 <= points < 1 << 8 else 1 if 0 <= points < 1 << 16 else 2 if 0 <= points < 1 << 24 else 3
    body += points.to_bytes(_POINTS_WIDTHS[width], "big", signed=width == 3) + date
    if held or pending or available_at:
        odd |= _MORE
        body += _more(held, pending, available_at)
    return bytes((flags | width | _ODD, odd)) + body if odd else bytes((flags | width,)) + body


def _number_of(grant_id: str) -> int:
    """The number of the grant's event, where it is from 3 to 255 and follows the stem as it should; else 0."""
    text = grant_id[_STEM + 1 :]
    if grant_id[_STEM : _STEM + 1] != "." or len(text) > 3 or not (text.isdecimal() and text.isascii()):
        return 0
    number = int(text)
    return number if number <= _MOST_BYTE and text == str(number) else 0


def _midnight(earned: int, expires_at: int) -> int:
    """When days begin, read off the first expiry some twelve months after its grant; 0: this one does not tell."""
    quarter = expires_at // QUARTER_MS
    if expires_at % QUARTER_MS or not 0 <= quarter - earned - _FROM_QUARTERS <= _MOST_BYTE:
        return 0
    return quarter % _DAY + 1


def _expiry(midnight: int, earned: int, expires_at: int) -> tuple[int, bytes]:
    """The flags for the date and the bytes of it; `earned` in quarters."""
    if expires_at == NEVER:
        return _EXPIRY_QUARTERS << 4, _NEVER_QUARTER.to_bytes(3, "big")
    quarter = expires_at // QUARTER_MS
    if expires_at % QUARTER_MS or not 0 <= quarter < _NO_QUARTER:
        date = _NO_QUARTER.to_bytes(3, "big") + expires_at.to_bytes(8, "big", signed=True)
        return _EXPIRY_QUARTERS << 4, date
    after = quarter - earned - _FROM_QUARTERS
    if not 0 <= after <= _MOST_BYTE:
        return _EXPIRY_QUARTERS << 4, quarter.to_bytes(3, "big")
    midnight -= 1
    if quarter % _DAY == midnight:
        days = (quarter - midnight) // _DAY - (earned - midnight) // _DAY
        if days in (366, 367):
            return (_EXPIRY_MIDNIGHT + days - 366) << 4, b""
    return 0, after.to_bytes(1, "big")


def _more(held: int, pending: int, available_at: int) -> bytes:
    """A byte of three widths' codes, and the amounts; `NEVER`, the commonest `available_at`, has a code for itself."""
    codes, parts = 0, b""
    if available_at == NEVER:
        codes, available_at = _AVAILABLE_NEVER, 0
    for shift, amount in ((0, held), (2, pending), (4, available_at)):
        if amount == 0:
            continue
        code = 1 if 0 <= amount < 1 << 16 else 2 if 0 <= amount < 1 << 32 else 3
        codes |= code << shift
        parts += amount.to_bytes(_MORE_WIDTHS[code], "big", signed=code == 3)
    return codes.to_bytes(1, "big") + parts


class _Reader:
    """Reads records, one after the other: its attributes are those of the last that `next` has read.

    Strings and bytes are made only where they are asked for, because mostly the dates are.
    """

    __slots__ = (
        "_account", "_at", "_begins", "_bucket_begins", "_causes", "_midnight", "_named", "_number", "_place",
        "_records", "_stems", "available_at", "earned_at", "expires_at", "held", "pending", "points",
    )  # fmt: skip

    def __init__(self, account: Account, records: bytes) -> None:
        self._account = account
        self._records = records
        self._midnight = account.midnight - 1
        self._at = self._begins = self._bucket_begins = self._place = self._number = 0
        self._causes = b""
        self._stems = ""
        self._named: str | None = None
        """The id of a grant that is written out."""
        self.points = self.earned_at = self.expires_at = 0
        self.held = self.pending = self.available_at = 0

    def next(self) -> bool:
        """Read the next record; False where there is none, LookupError where it is none."""
        records, at = self._records, self._at
        end = len(records)
        while at < end and records[at] & _GROUP:
            bucket = records[at + 1]
            self._bucket_begins = bucket * KEY_BUCKET_MS
            self._causes = self._account.causes.get(bucket, b"")
            self._stems = ""
            at += 2
        if at >= end:
            return False
        self._begins = at
        flags = records[at]
        at += 1
        odd = 0
        if flags & _ODD:
            odd = records[at]
            at += 1
        at = self._read_cause(flags, odd, at)
        width = flags & 3
        if width == 0:
            self.points = records[at]
            at += 1
        elif width == 1:
            self.points = records[at] << 8 | records[at + 1]
            at += 2
        else:
            width = _POINTS_WIDTHS[width]
            self.points = int.from_bytes(records[at : at + width], "big", signed=width == 8)
            at += width
        at = self._read_expiry(flags >> 4 & 3, at)
        if odd & _MORE:
            at = self._read_more(at)
        else:
            self.held = self.pending = self.available_at = 0
        if at > end:
            raise LookupError("the records of lots end within one")
        self._at = at
        return True

    def grant_id(self) -> str:
        """The id of the record's grant."""
        if self._named is not None:
            return self._named
        if not self._stems:
            self._stems = identity.text_of(self._causes)  # twelve characters an entry, eight for the key
        start = self._place * 12
        return f"{self._account.prefix}{self._stems[start : start + 8]}.{self._number}"

    def record(self) -> bytes:
        """The record itself."""
        return self._records[self._begins : self._at]

    def _read_cause(self, flags: int, odd: int, at: int) -> int:
        records = self._records
        if odd & _WRITTEN_OUT:
            length = records[at] << 8 | records[at + 1]
            at += 2 + length
            self._named = records[at - length : at].decode()
            self.earned_at = int.from_bytes(records[at : at + 8], "big", signed=True)
            return at + 8
        self._named = None
        place = self._place = records[at]
        at += 1
        number = flags >> 2 & 3
        if number == 3:
            number = records[at]
            at += 1
        self._number = number
        causes, start = self._causes, place * identity.ENTRY_BYTES + identity.KEY_BYTES
        seconds = causes[start] << 16 | causes[start + 1] << 8 | causes[start + 2]
        earned_at = self._bucket_begins + seconds * 1000
        if odd & _MS:
            earned_at += records[at] << 8 | records[at + 1]
            at += 2
        self.earned_at = earned_at
        return at

    def _read_expiry(self, code: int, at: int) -> int:
        records, earned = self._records, self.earned_at // QUARTER_MS
        if code >= _EXPIRY_MIDNIGHT:
            midnight = self._midnight
            day = (earned - midnight) // _DAY + 366 + code - _EXPIRY_MIDNIGHT
            self.expires_at = (day * _DAY + midnight) * QUARTER_MS
            return at
        if code != _EXPIRY_QUARTERS:
            self.expires_at = (earned + _FROM_QUARTERS + records[at]) * QUARTER_MS
            return at + 1
        quarter = records[at] << 16 | records[at + 1] << 8 | records[at + 2]
        at += 3
        if quarter == _NO_QUARTER:
            self.expires_at = int.from_bytes(records[at : at + 8], "big", signed=True)
            return at + 8
        self.expires_at = NEVER if quarter == _NEVER_QUARTER else quarter * QUARTER_MS
        return at

    def _read_more(self, at: int) -> int:
        records = self._records
        codes = records[at]
        at += 1
        amounts: list[int] = []
        for shift in (0, 2, 4):
            width = _MORE_WIDTHS[codes >> shift & 3]
            amounts.append(int.from_bytes(records[at : at + width], "big", signed=width == 8))
            at += width
        self.held, self.pending, self.available_at = amounts
        if codes & _AVAILABLE_NEVER:
            self.available_at = NEVER
        return at

"""Reading the records of lots: their layout, and a reader that makes only what it is asked for.

Layout, in order:

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

from typing import Final

from mypy_extensions import i64

from loyalty_stream.domain import identity
from loyalty_stream.domain.account import KEY_BUCKET_MS, NEVER, Account
from loyalty_stream.domain.calendar import QUARTER_MS

ODD: Final = 64
GROUP: Final = 128
MS: Final = 1
MORE: Final = 2
WRITTEN_OUT: Final = 4
POINTS_WIDTHS: Final[tuple[int, ...]] = (1, 2, 3, 8)
MORE_WIDTHS: Final[tuple[int, ...]] = (0, 2, 4, 8)
AVAILABLE_NEVER: Final = 64
DAY: Final = 96
"""Quarters of an hour."""
FROM_QUARTERS: Final = 365 * DAY - 48
"""Twelve months rounded to the day end 1 to 96 quarters after 365 days, a day later where there is a 29 February;
a byte holds both, and half a day before and a third after for other zones of the clock."""
EXPIRY_QUARTERS: Final = 1
EXPIRY_MIDNIGHT: Final = 2
NEVER_QUARTER: Final = (1 << 24) - 1
NO_QUARTER: Final = NEVER_QUARTER - 1


class Reader:
    """Reads records, one after the other: its attributes are those of the last that `next` has read.

    Strings and bytes are made only where they are asked for, because mostly the dates are.
    """

    __slots__ = (
        "_account", "_asked", "_bucket_begins", "_midnight", "_records", "_stems", "available_at", "begins", "bucket",
        "causes", "earned_at", "ends", "expires_at", "held", "named", "number", "opens", "pending", "place", "points",
    )  # fmt: skip

    def __init__(self, account: Account, records: bytes) -> None:
        self._account = account
        self._records = records
        self._midnight = account.midnight - 1
        self.begins = self.ends = self._bucket_begins = 0
        self.bucket = -1
        """Of the group that the record is in; -1: in none."""
        self.opens = False
        """Whether the record is the first of its group."""
        self.causes = b""
        """Those of the bucket."""
        self._stems = ""
        self._asked = False
        """Whether one of the group's grants was asked for; with the next, all stems of the bucket are made."""
        self.named: str | None = None
        """The id of a grant that is written out; of all others the next two tell it."""
        self.place = 0
        """Of its cause among those of the bucket."""
        self.number = 0
        """Of the cause's event that granted it."""
        self.points = self.earned_at = self.expires_at = 0
        self.held = self.pending = self.available_at = 0

    def next(self) -> bool:
        """Read the next record; False where there is none, LookupError where it is none."""
        records, at = self._records, self.ends
        end = len(records)
        self.opens = False
        while at < end and records[at] & GROUP:
            bucket = self.bucket = records[at + 1]
            begins: i64 = bucket
            self._bucket_begins = begins * KEY_BUCKET_MS
            self.causes = self._account.causes.get(bucket, b"")
            self.opens = True
            self._stems = ""
            self._asked = False
            at += 2
        if at >= end:
            return False
        self.begins = at
        flags = records[at]
        at += 1
        odd = 0
        if flags & ODD:
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
            width = POINTS_WIDTHS[width]
            self.points = int.from_bytes(records[at : at + width], "big", signed=width == 8)
            at += width
        at = self._read_expiry(flags >> 4 & 3, at)
        if odd & MORE:
            at = self._read_more(at)
        else:
            self.held = self.pending = self.available_at = 0
        if at > end:
            raise LookupError("the records of lots end within one")
        self.ends = at
        return True

    def grant_id(self) -> str:
        """The id of the record's grant."""
        if self.named is not None:
            return self.named
        prefix = self._account.prefix
        if self._stems:
            start = self.place * 12
            return f"{prefix}{self._stems[start : start + 8]}.{self.number}"
        causes = self.causes
        if self._asked:
            self._stems = identity.text_of(causes)  # twelve characters an entry, eight for the key
        self._asked = True  # mostly it is for one or for all of them
        start = self.place * identity.ENTRY_BYTES
        return f"{prefix}{identity.text_of(causes[start : start + identity.KEY_BYTES])}.{self.number}"

    def record(self) -> bytes:
        """The record itself."""
        return self._records[self.begins : self.ends]

    def is_after(self, expires_at: int, earned_at: int, grant_id: str) -> bool:
        """Whether the record's lot comes after that one in spending order."""
        if self.expires_at != expires_at:
            return self.expires_at > expires_at
        if self.earned_at != earned_at:
            return self.earned_at > earned_at
        return self.grant_id() > grant_id

    def _read_cause(self, flags: int, odd: int, at: int) -> int:
        records = self._records
        if odd & WRITTEN_OUT:
            length = records[at] << 8 | records[at + 1]
            at += 2 + length
            self.named = records[at - length : at].decode()
            self.earned_at = int.from_bytes(records[at : at + 8], "big", signed=True)
            return at + 8
        self.named = None
        place = self.place = records[at]
        at += 1
        number = flags >> 2 & 3
        if number == 3:
            number = records[at]
            at += 1
        self.number = number
        causes, start = self.causes, place * identity.ENTRY_BYTES + identity.KEY_BYTES
        seconds: i64 = causes[start] << 16 | causes[start + 1] << 8 | causes[start + 2]
        bucket_begins: i64 = self._bucket_begins
        earned_at = bucket_begins + seconds * 1000
        if odd & MS:
            ms: i64 = records[at] << 8 | records[at + 1]
            earned_at += ms
            at += 2
        self.earned_at = earned_at
        return at

    def _read_expiry(self, code: int, at: int) -> int:
        records, earned = self._records, self.earned_at // QUARTER_MS
        if code >= EXPIRY_MIDNIGHT:
            midnight = self._midnight
            day = (earned - midnight) // DAY + 366 + code - EXPIRY_MIDNIGHT
            self.expires_at = (day * DAY + midnight) * QUARTER_MS
            return at
        if code != EXPIRY_QUARTERS:
            self.expires_at = (earned + FROM_QUARTERS + records[at]) * QUARTER_MS
            return at + 1
        quarter = records[at] << 16 | records[at + 1] << 8 | records[at + 2]
        at += 3
        if quarter == NO_QUARTER:
            self.expires_at = int.from_bytes(records[at : at + 8], "big", signed=True)
            return at + 8
        self.expires_at = NEVER if quarter == NEVER_QUARTER else quarter * QUARTER_MS
        return at

    def _read_more(self, at: int) -> int:
        codes = self._records[at]
        at += 1
        self.held = self._amount(codes & 3, at)
        at += MORE_WIDTHS[codes & 3]
        self.pending = self._amount(codes >> 2 & 3, at)
        at += MORE_WIDTHS[codes >> 2 & 3]
        self.available_at = self._amount(codes >> 4 & 3, at)
        at += MORE_WIDTHS[codes >> 4 & 3]
        if codes & AVAILABLE_NEVER:
            self.available_at = NEVER
        return at

    def _amount(self, code: int, at: int) -> int:
        records = self._records
        if code == 0:
            return 0
        if code == 1:  # mostly
            return records[at] << 8 | records[at + 1]
        width = MORE_WIDTHS[code]
        return int.from_bytes(records[at : at + width], "big", signed=width == 8)

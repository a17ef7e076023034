"""The lots of an account that has them as records only: added, looked for and changed without unpacking the others.

`lots` calls it where nothing has asked for the lots themselves, which is mostly. It must not know why points move.
"""

from collections.abc import Collection
from typing import Final, TypeAlias

from loyalty_stream.domain import identity, lot_records
from loyalty_stream.domain.account import KEY_BUCKET_MS, NEVER, Account
from loyalty_stream.domain.lot_reader import GROUP, Reader

Dates: TypeAlias = tuple[int, int, int, int, int]
"""Of a lot: expires_at, points, earned_at, pending, available_at."""
Part: TypeAlias = tuple[str, int]
"""Points of a lot, after the id of its grant."""
_HEAD: Final = 2
"""Bytes of the head of a group."""


def add(
    account: Account,
    grant_id: str,
    points: int,
    earned_at: int,
    expires_at: int,
    pending: int,
    available_at: int,
) -> bool:
    """Pack a lot at its place among those of an account that has only packed ones.

    False where that is neither the end nor beside one of the same bucket.
    """
    records, bucket = account.packed_lots, earned_at // KEY_BUCKET_MS
    place = _place_for(account, grant_id, earned_at, expires_at)
    if place < 0:
        return False
    if not records or expires_at < account.first_expires_at:
        account.first_expires_at = expires_at
    head = b""
    if place == len(records):
        if not records or bucket != account.last_earned_at // KEY_BUCKET_MS:
            head = lot_records.head_of(bucket)
        account.last_expires_at, account.last_earned_at = expires_at, earned_at
        account.last_grant_id = grant_id
    record = lot_records.record_of(account, grant_id, points, earned_at, expires_at, 0, pending, available_at)
    account.packed_lots = records[:place] + head + record + records[place:]
    return True


def _place_for(account: Account, grant_id: str, earned_at: int, expires_at: int) -> int:
    """Where in the packed lots such a one belongs; -1 where that is between others of other buckets only."""
    records, bucket = account.packed_lots, earned_at // KEY_BUCKET_MS
    if not records or _is_last(account, grant_id, earned_at, expires_at):  # mostly
        return len(records)
    if not 0 <= bucket <= lot_records.MOST_BUCKET:
        return -1
    reader = Reader(account, records)
    end, before = 0, -1
    while reader.next():
        if reader.is_after(expires_at, earned_at, grant_id):
            if reader.bucket == bucket:
                return reader.begins
            return end if before == bucket else -1
        end, before = reader.ends, reader.bucket
    return len(records)


def _is_last(account: Account, grant_id: str, earned_at: int, expires_at: int) -> bool:
    """Whether it is known without a look at the records that it comes after all of them."""
    last_expires_at, last_earned_at = account.last_expires_at, account.last_earned_at
    if last_expires_at != expires_at or last_earned_at < earned_at:
        return last_expires_at <= expires_at
    last = account.last_grant_id  # of points of one event it tells, where it is known
    return bool(last) and last_earned_at == earned_at and last < grant_id


def keep(account: Account, records: bytes) -> None:
    """Have the account keep such records as its lots; LookupError or ValueError where they are none."""
    account.packed_lots = records
    reader = Reader(account, records)
    if not reader.next():
        return
    account.first_expires_at = reader.expires_at
    while reader.next():
        pass
    account.last_expires_at, account.last_earned_at = reader.expires_at, reader.earned_at
    account.last_grant_id = ""  # most accounts will not need it


def first_due(account: Account) -> int:
    """When the first of the packed lots with points that are not held expires (ms), `NEVER` where there is none."""
    reader = Reader(account, account.packed_lots)
    while reader.next():
        if reader.points or reader.pending:
            return reader.expires_at
    return NEVER


def dates(account: Account) -> list[Dates]:
    """Of each of the packed lots what tells when something falls due."""
    found: list[Dates] = []
    reader = Reader(account, account.packed_lots)
    while reader.next():
        found.append(
            (reader.expires_at, reader.points, reader.earned_at, reader.pending, reader.available_at)
        )
    return found


# -- finding and changing -------------------------------------------------------------------------------


class _Grants:
    """Tells which records are of these grants; where the causes of those are is looked up once for a group."""

    __slots__ = ("_bucket", "_found", "_ids", "_keys")

    def __init__(self, account: Account, ids: Collection[str]) -> None:
        self._ids = ids
        self._keys: list[tuple[bytes, int]] = []
        """The key of the cause and the number of its event, of those that a record can tell so."""
        for grant_id in ids:
            number = lot_records.number_of(grant_id)
            key = identity.key_of_stem(account.prefix, grant_id[: identity.STEM]) if number >= 0 else b""
            if key:
                self._keys.append((key, number))
        self._bucket = -1
        self._found: set[int] = set()
        """Place and number of those whose causes are in the bucket."""

    def have(self, reader: Reader) -> bool:
        """Whether the record that the reader has read is of one of them."""
        if reader.named is not None:
            return reader.named in self._ids
        if reader.bucket != self._bucket:
            self._bucket = reader.bucket
            self._found.clear()
            for key, number in self._keys:
                place = lot_records.place_of_key(reader.causes, key)
                if place >= 0:
                    self._found.add(place << 8 | number)
        return (reader.place << 8 | reader.number) in self._found


def find(account: Account, grant_id: str) -> Reader | None:
    """A reader that has read the record of this grant's lot; None where there is none."""
    grants = _Grants(account, (grant_id,))
    reader = Reader(account, account.packed_lots)
    while reader.next():
        if grants.have(reader):
            if reader.named is None:  # what is spent of it is packed soon, too
                account.filed[grant_id[: identity.STEM]] = (reader.earned_at, reader.place)
            return reader
    return None


def replace(account: Account, reader: Reader, grant_id: str, points: int, held: int, pending: int) -> None:
    """Give the lot of this grant, whose record the reader has read, other amounts; with nothing left it is gone."""
    records, begins, ends = account.packed_lots, reader.begins, reader.ends
    if points or held or pending:
        record = lot_records.record_at(
            account, reader.place if reader.named is None else -1, reader.number, grant_id, points,
            reader.earned_at, reader.expires_at, held, pending, reader.available_at,
        )  # fmt: skip
        account.packed_lots = records[:begins] + record + records[ends:]
        return
    is_last = ends == len(records)
    if reader.opens and (is_last or records[ends] & GROUP):
        begins -= _HEAD
    account.packed_lots = records[:begins] + records[ends:]
    if is_last:
        keep(account, account.packed_lots)
    elif reader.expires_at == account.first_expires_at:  # perhaps it was the first
        rest = Reader(account, account.packed_lots)
        if rest.next():
            account.first_expires_at = rest.expires_at


def spendable(account: Account, points: int, now: int) -> list[Part]:
    """What is free and has not expired at `now`, in spending order, of so many lots that it adds up to `points`."""
    found: list[Part] = []
    reader = Reader(account, account.packed_lots)
    while points > 0 and reader.next():
        if reader.points and reader.expires_at > now:
            found.append((reader.grant_id(), reader.points))
            points -= reader.points
    return found


def revocable(account: Account, points: int, now: int, own: Collection[str], at: int) -> list[Part]:
    """What a revocation takes, in its order (`lots.to_take_back`), likewise."""
    first: list[Part] = []
    then: list[Part] = []
    if own:
        grants = _Grants(account, own)
        reader = Reader(account, account.packed_lots)
        while reader.next():
            amount = reader.points or reader.pending
            if amount and reader.expires_at > at and grants.have(reader):
                (then if reader.pending == 0 else first).append((reader.grant_id(), amount))
                points -= amount
    first += then
    reader = Reader(account, account.packed_lots)
    while points > 0 and reader.next():
        amount = reader.points or reader.pending
        if amount and reader.expires_at > now and (grant_id := reader.grant_id()) not in own:
            first.append((grant_id, amount))
            points -= amount
    return first

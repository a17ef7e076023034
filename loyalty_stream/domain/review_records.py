"""The reviews of an account as a few bytes: each points to its key and to the cause of its grant.

It must not know what reviews are for. Records stand end to end:

group   0xFE and a bucket, before the records whose keys and causes are in that bucket
review  the place of its key in the bucket (up to 0xFC), that of its cause, and points, a byte each: granted by the
        first event of a cause at a whole second, as are most
wide    0xFD, the two places, points in two bytes, and milliseconds after the second in two
other   0xFF, the key, a length in three bytes, and the record of a lot (`lot_reader`) with its group
"""

from typing import Final

from msgspec.structs import force_setattr

from loyalty_stream.domain import identity, lot_records
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account, Review
from loyalty_stream.domain.lot_reader import Reader

_WIDE: Final = 0xFD
_GROUP: Final = 0xFE
_OTHER: Final = 0xFF
_BYTES: Final = 3
_WIDE_BYTES: Final = 7
_HEAD: Final = 1 + identity.KEY_BYTES + 3
_STEM: Final = 12
_FIRST: Final = ".0"


def pack(account: Account, reviews: dict[bytes, Review]) -> bytes:
    """Records of the reviews, by their keys."""
    parts: list[bytes] = []
    group = -1
    for key, review in reviews.items():
        packed = review.packed
        bucket = review.earned_at // KEY_BUCKET_MS
        if not packed:
            packed = _record(account, bucket, key, review)
            force_setattr(review, "packed", packed)
        if packed[0] != _OTHER and bucket != group:
            parts.append((_GROUP << 8 | bucket).to_bytes(2, "big"))
            group = bucket
        parts.append(packed)
    return b"".join(parts)


def unpack(account: Account, records: bytes) -> dict[bytes, Review]:
    """The reviews, by their keys; LookupError or ValueError for bytes that are none."""
    found: dict[bytes, Review] = {}
    at = bucket = 0
    while at < len(records):
        begins, head = at, records[at]
        if head == _GROUP:
            bucket = records[at + 1]
            at += 2
        elif head == _OTHER:
            at += _HEAD
            length = int.from_bytes(records[at - 3 : at], "big")
            reader = Reader(account, records[at : at + length])
            at += length
            if at > len(records) or not reader.next():
                raise LookupError("the records of reviews end within one")
            key = records[begins + 1 : begins + 1 + identity.KEY_BYTES]
            found[key] = Review(reader.grant_id(), reader.points, reader.earned_at, packed=records[begins:at])
        else:
            wide = head == _WIDE
            at += _WIDE_BYTES if wide else _BYTES
            if at > len(records):
                raise LookupError("the records of reviews end within one")
            place, cause = (records[begins + 1], records[begins + 2]) if wide else (head, records[begins + 1])
            key = account.keys[bucket][place * identity.KEY_BYTES : (place + 1) * identity.KEY_BYTES]
            if len(key) < identity.KEY_BYTES:
                raise LookupError("a review points to no key")
            found[key] = Review(
                lot_records.stem_of(account, bucket, cause) + _FIRST,
                records[begins + 3] << 8 | records[begins + 4] if wide else records[begins + 2],
                lot_records.time_of(account, bucket, cause)
                + (records[begins + 5] << 8 | records[begins + 6] if wide else 0),
                packed=records[begins:at],
            )
    return found


def _record(account: Account, bucket: int, key: bytes, review: Review) -> bytes:
    """Without its group, where it has one."""
    earned_at, points, grant_id = review.earned_at, review.points, review.grant_id
    if 0 <= points < 1 << 16 and grant_id[_STEM:] == _FIRST:
        at = account.keys.get(bucket, b"").find(key)
        place = at // identity.KEY_BYTES
        if at >= 0 and at % identity.KEY_BYTES == 0 and place < _WIDE:
            cause = lot_records.place_of_cause(account, grant_id[:_STEM], earned_at)
            if cause >= 0:
                ms = earned_at % 1000
                if points < 256 and ms == 0:
                    return (place << 16 | cause << 8 | points).to_bytes(3, "big")
                wide = (_WIDE << 16 | place << 8 | cause) << 32 | points << 16 | ms
                return wide.to_bytes(_WIDE_BYTES, "big")
    record = lot_records.record_of_grant(account, grant_id, points, earned_at)
    return b"".join((bytes((_OTHER,)), key, len(record).to_bytes(3, "big"), record))

"""What an account remembers of what happened, its causes, business keys and packed orders, as one piece of bytes.

It must not know what a key or an order is. Bucket by bucket: its number (of the first) or how many later it is than
the one before, how many causes and keys follow, and how many bytes of orders; then those. Numbers are seven bits a
byte, the lowest first, 128 on all but the last; of the bucket's the sign is its lowest bit.
"""

from typing import Final

from loyalty_stream.domain.account import Account
from loyalty_stream.domain.identity import ENTRY_BYTES, KEY_BYTES

_MOST_BYTES: Final = 10
_BYTE: Final = tuple([bytes((value,)) for value in range(256)])


def pack(account: Account) -> bytes:
    """All of it."""
    causes, keys, packed = account.causes, account.keys, account.orders
    parts: list[bytes] = []
    others = before = 0
    for bucket in _in_order([bucket for bucket in causes]):  # noqa: C416 - compiled, half of list()
        causes_of, keys_of, packed_of = causes[bucket], keys.get(bucket), packed.get(bucket)
        step = bucket - before
        before = bucket
        if keys_of is None:
            keys_of = b""
        else:
            others += 1
        if packed_of is None:
            packed_of = b""
        else:
            others += 1
        step = step << 1 if step >= 0 else ~(step << 1)
        many, keys_many, size = len(causes_of) // ENTRY_BYTES, len(keys_of) // KEY_BYTES, len(packed_of)
        if step < 128 and many < 128 and keys_many < 128 and size < 1 << 14:  # mostly
            if size < 128:
                parts.append((step << 24 | many << 16 | keys_many << 8 | size).to_bytes(4, "big"))
            else:
                size_of = (size & 127 | 128) << 8 | size >> 7
                parts.append((step << 32 | many << 24 | keys_many << 16 | size_of).to_bytes(5, "big"))
        else:
            parts.append(_number(step) + _number(many) + _number(keys_many) + _number(size))
        parts.append(causes_of)
        if keys_many:
            parts.append(keys_of)
        if size:
            parts.append(packed_of)
    if others != len(keys) + len(
        packed
    ):  # some are of a bucket without causes: of accounts of the first format
        return pack(Account(causes=dict.fromkeys([*keys, *packed], b"") | causes, keys=keys, orders=packed))
    return b"".join(parts)


def _in_order(buckets: list[int]) -> list[int]:
    """Mostly they are."""
    if len(buckets) > 1:
        before = buckets[0]
        for bucket in buckets:
            if bucket < before:
                return sorted(buckets)
            before = bucket
    return buckets


def unpack(account: Account, packed: bytes) -> None:
    """Have the account remember it; LookupError or ValueError for bytes that are none."""
    at = bucket = 0
    while at < len(packed):
        step, at = _number_at(packed, at)
        bucket += ~(step >> 1) if step & 1 else step >> 1
        causes, at = _number_at(packed, at)
        keys, at = _number_at(packed, at)
        orders, at = _number_at(packed, at)
        keys_at = at + causes * ENTRY_BYTES
        orders_at = keys_at + keys * KEY_BYTES
        ends = orders_at + orders
        if ends > len(packed):
            raise LookupError("what an account remembers ends within a bucket")
        if causes:
            account.causes[bucket] = packed[at:keys_at]
        if keys:
            account.keys[bucket] = packed[keys_at:orders_at]
        if orders:
            account.orders[bucket] = packed[orders_at:ends]
        at = ends


def _number(number: int) -> bytes:
    if number < 128:
        return _BYTE[number]
    found = b""
    while number > 127:
        found += _BYTE[number & 127 | 128]
        number >>= 7
    return found + _BYTE[number]


def _number_at(packed: bytes, at: int) -> tuple[int, int]:
    number = packed[at]
    if number < 128:
        return number, at + 1
    number &= 127
    for place in range(1, _MOST_BYTES):
        byte = packed[at + place]  # an IndexError, which is a LookupError, where they end
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at + place + 1
    raise ValueError("what an account remembers holds a number of more than 64 bits")

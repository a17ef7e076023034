"""Kafka's own placement of a key: murmur2, as the Java client computes it. It knows no keys' meaning."""

from typing import Final

from mypy_extensions import i64

_MASK: Final[i64] = 0xFFFFFFFF
_SEED: Final[i64] = 0x9747B28C
_MULTIPLIER: Final[i64] = 0x5BD1E995
"""It has 31 bits, so that what 32 bits times it give fits the machine's integers, with which this is compiled."""


def partition_of(key: bytes, partitions: int) -> int:
    """Which of `partitions` the default partitioner of every Kafka client gives `key` to.

    It costs about as much as decoding an order: check it when an account is first met, not for each event.
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """The 32 bits of Kafka's murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`), unsigned."""
    length: i64 = len(data)
    mixed: i64 = _SEED ^ length
    whole: i64 = length & ~3
    at: i64 = 0
    while at < whole:
        word: i64 = data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24
        scrambled: i64 = (word * _MULTIPLIER) & _MASK
        mixed = (mixed * _MULTIPLIER & _MASK) ^ ((scrambled ^ (scrambled >> 24)) * _MULTIPLIER & _MASK)
        at += 4
    if at < length:
        rest: i64 = 0
        while at < length:
            rest |= i64(data[at]) << ((at - whole) * 8)
            at += 1
        mixed = ((mixed ^ rest) * _MULTIPLIER) & _MASK
    mixed = ((mixed ^ (mixed >> 13)) * _MULTIPLIER) & _MASK
    return mixed ^ (mixed >> 15)

"""Kafka's own placement of a key: murmur2, as the Java client computes it. It knows no keys' meaning."""

from struct import unpack_from
from typing import Final

_MASK: Final = 0xFFFFFFFF
_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995


def partition_of(key: bytes, partitions: int) -> int:
    """Which of `partitions` the default partitioner of every Kafka client gives `key` to.

    It costs about as much as decoding an order: check it when an account is first met, not for each event.
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """The 32 bits of Kafka's murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`), unsigned."""
    length = len(data)
    words = length >> 2
    mixed = _SEED ^ length
    for word in unpack_from(f"<{words}I", data):
        scrambled = (word * _MULTIPLIER) & _MASK
        mixed = (mixed * _MULTIPLIER & _MASK) ^ ((scrambled ^ (scrambled >> 24)) * _MULTIPLIER & _MASK)
    if length & 3:
        mixed = ((mixed ^ int.from_bytes(data[words << 2 :], "little")) * _MULTIPLIER) & _MASK
    mixed = ((mixed ^ (mixed >> 13)) * _MULTIPLIER) & _MASK
    return mixed ^ (mixed >> 15)

"""What is counted, on its way: a partition's counts to the owner that adds them up, and what the owner publishes.

Of the first the topic is our own, and each record replaces the partition's earlier ones of its scope and hour.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from loyalty_stream.domain.counts import Counts, Hour
from loyalty_stream.domain.statistics import Counted


class UnreadableError(ValueError):
    """Bytes on a topic of ours that we have not written: with what is wrong."""


class Partial(Struct, frozen=True, gc=False):
    """All that one partition has counted of a scope and an hour so far; `at` is the time (ms) of its latest event."""

    partition: int
    scope: str
    hour: Hour
    at: int
    counts: Counts


encode_partial: Final[Callable[[Partial], bytes]] = msgspec.json.Encoder().encode
_partial: Final = msgspec.json.Decoder(Partial)
encode: Final[Callable[[Counted], bytes]] = msgspec.json.Encoder().encode
"""A record of `campaign-stats` as the JSON of its CloudEvent."""
_counted: Final = msgspec.json.Decoder(Counted)


def decode_partial(value: bytes | None) -> Partial:
    """Read a partition's counts; UnreadableError says what is wrong."""
    try:
        return _partial.decode(value or b"")
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"no counts of ours: {error}") from error


def decode(value: bytes | None) -> Counted:
    """Read a record of `campaign-stats`; UnreadableError says what is wrong."""
    try:
        read: Counted = _counted.decode(value or b"")
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"no record of campaign-stats: {error}") from error
    return read

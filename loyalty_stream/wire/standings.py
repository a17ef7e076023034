"""Standings as CloudEvents in JSON, and what the parts of a board tell its owner: topics of our own.

What the fields mean is `domain.standings`.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from loyalty_stream.domain.standings import PartMessage, Standings

_encoder: Final = msgspec.json.Encoder()
encode: Final[Callable[[Standings], bytes]] = _encoder.encode
"""Standings as the JSON of their CloudEvent."""
decode: Final[Callable[[bytes], Standings]] = msgspec.json.Decoder(Standings).decode
"""Read them back; msgspec.DecodeError says what is wrong."""
encode_part: Final[Callable[[PartMessage], bytes]] = _encoder.encode
_part: Final = msgspec.json.Decoder(PartMessage)


class LedgerTime(Struct, frozen=True, gc=False):
    """The time (ms) of one partition of the ledger, told when it has passed the close of a period."""

    time: int


encode_time: Final[Callable[[LedgerTime], bytes]] = _encoder.encode
_time: Final = msgspec.json.Decoder(LedgerTime)


class UnreadableError(ValueError):
    """Bytes on a topic of ours that we have not written: with what is wrong."""


def decode_part(value: bytes | None) -> PartMessage:
    """Read what a part tells; UnreadableError says what is wrong with it."""
    try:
        told: PartMessage = _part.decode(value or b"")
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"no part of a board: {error}") from error
    return told


def decode_time(value: bytes | None) -> LedgerTime:
    """Read a partition's time; UnreadableError says what is wrong with it."""
    try:
        return _time.decode(value or b"")
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"no time of the ledger: {error}") from error

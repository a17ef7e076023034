"""Point events as CloudEvents in JSON, and back. What the fields mean is `domain.events`.

Writing is once per event on the hot path: one call into msgspec. Reading (verify, folds, downstream) goes by
the `type` and ignores unknown fields, so that an older reader survives a newer writer. It knows no account.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct

from loyalty_stream.domain.events import EVENT_TYPE, SOURCE, PointEvent, PointEventData
from loyalty_stream.domain.facts import Moment

encode: Final[Callable[[PointEvent], bytes]] = msgspec.json.Encoder().encode
"""A point event that a journal recorded, as the JSON of its CloudEvent."""


class UnreadablePointEventError(ValueError):
    """Bytes that are not a point event of ours, with what is wrong; the ledger must not be folded past it."""


class _Envelope(Struct, frozen=True, gc=False):
    specversion: Literal["1.0"]
    id: str
    source: Literal["loyalty-stream"]
    type: str
    subject: str
    time: Moment
    data: msgspec.Raw


_decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_DECODE_DATA: Final[dict[str, Callable[[msgspec.Raw], PointEventData]]] = {
    name: msgspec.json.Decoder(data).decode for data, name in EVENT_TYPE.items()
}


def decode(value: bytes) -> PointEvent:
    """Read one point event; UnreadablePointEventError says what is wrong with it."""
    try:
        envelope = _decode_envelope(value)
        read = _DECODE_DATA.get(envelope.type)
        if read is None:
            raise UnreadablePointEventError(
                f"`$.type`: {envelope.type[:64]!a} is no point event of this version; upgrade the reader"
            )
        data = read(envelope.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePointEventError(f"not a point event: {error}") from error
    if data.cause is UNSET or data.balance is UNSET:
        raise UnreadablePointEventError(
            "`$.data`: `cause` or `balance` is missing; every point event has both"
        )
    return PointEvent(
        id=envelope.id,
        type=envelope.type,
        subject=envelope.subject,
        time=envelope.time,
        data=data,
        specversion=envelope.specversion,
        source=SOURCE,
    )

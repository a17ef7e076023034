"""Turns as the facts and point events that they are. It knows no rule and no order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_type_hints

import msgspec

from loyalty_stream.analysis.what_if.turns import Turn
from loyalty_stream.domain.events import EVENT_TYPE, PointEvent, PointEventData
from loyalty_stream.domain.facts import Incoming
from loyalty_stream.wire.topics import FACT_OF_TYPE

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_READ: Final[dict[str, tuple[Any, Callable[[str], Any]]]] = {
    name: (kind, msgspec.json.Decoder(get_type_hints(kind)["data"]).decode)
    for name, kind in FACT_OF_TYPE.items()
}
_READ_EVENT: Final[dict[str, Callable[[str], PointEventData]]] = {
    name: msgspec.json.Decoder(data).decode for data, name in EVENT_TYPE.items()
}


def fact_of(turn: Turn) -> Incoming:
    """The fact of a turn; it was checked when it was exported."""
    kind, read = _READ[turn.type]
    fact: Incoming = kind(
        specversion="1.0",
        id=turn.id,
        source=turn.source,
        subject=turn.customer,
        time=_EPOCH + timedelta(microseconds=turn.at_us),
        data=read(turn.data),
    )
    return fact


def event_of(turn: Turn) -> PointEvent:
    """The point event of a turn of the past."""
    return PointEvent(
        id=turn.id,
        type=turn.type,
        subject=turn.customer,
        time=_EPOCH + timedelta(microseconds=turn.at_us),
        data=_READ_EVENT[turn.type](turn.data),
    )

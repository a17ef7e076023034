"""A record that could not be taken, as a record of `dead-letters`: its bytes and key are not touched.

The headers say where it was and why it is here; docs/events.md is their contract. It knows no producer.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from msgspec import Struct

from loyalty_stream.wire.reasons import Reason

Header: TypeAlias = tuple[str, bytes]

PREFIX: Final = "dead-letter-"
MAX_MESSAGE_CHARACTERS: Final = 1024
"""So that headers stay small whatever is wrong: a record of 2 MiB and its headers fit into 3 MiB."""


_REASON_OF_CODE: Final = {reason.value: reason for reason in Reason}


class Place(Struct, frozen=True, gc=False):
    """Where a record was read; `timestamp_ms` is the broker's, None where it had none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None


class DeadLetter(Struct, frozen=True, gc=False):
    """What to append to `dead-letters`, on the partition that the record came from."""

    key: bytes | None
    value: bytes | None
    headers: list[Header]


class Verdict(Struct, frozen=True, gc=False):
    """What the headers of a dead letter say; `version` is that of the loyalty_stream that refused it."""

    place: Place
    reason: Reason
    message: str
    version: str


def dead_letter(
    key: bytes | None,
    value: bytes | None,
    place: Place,
    reason: Reason,
    message: str,
    version: str,
    headers: Iterable[tuple[str, bytes | None]] = (),
) -> DeadLetter:
    """Build the dead letter of a record. `headers` are the record's own: they go along, ours come after them.

    A dead letter that was sent again and died again tells its last death only: older headers of ours go.
    """
    kept = [(name, b"" if text is None else text) for name, text in headers if not name.startswith(PREFIX)]
    ours = {
        "topic": place.topic,
        "partition": str(place.partition),
        "offset": str(place.offset),
        "timestamp": "" if place.timestamp_ms is None else str(place.timestamp_ms),
        "reason": reason.value,
        "message": message[:MAX_MESSAGE_CHARACTERS],
        "version": version,
    }
    return DeadLetter(key, value, kept + [(PREFIX + name, text.encode()) for name, text in ours.items()])


def verdict(headers: Iterable[tuple[str, bytes | None]]) -> Verdict:
    """Read the headers of a dead letter back; ValueError names one that is missing, KeyError an unknown code."""
    texts = {name: (value or b"").decode() for name, value in headers if name.startswith(PREFIX)}

    def text(name: str) -> str:
        if PREFIX + name not in texts:
            raise ValueError(f"header `{PREFIX}{name}` is missing: not a dead letter of loyalty-stream")
        return texts[PREFIX + name]

    timestamp = text("timestamp")
    place = Place(
        topic=text("topic"),
        partition=int(text("partition")),
        offset=int(text("offset")),
        timestamp_ms=int(timestamp) if timestamp else None,
    )
    return Verdict(place, _REASON_OF_CODE[text("reason")], text("message"), text("version"))

"""Point events as they are counted: by the type's bytes it is decided whether one is read at all.

An event that counts nothing costs two searches of its first bytes; one that counts is read as far as it is counted,
and its time is taken from its text. It knows no account and no counts.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

import msgspec

from loyalty_stream.domain.counting import COUNTED_NOTES, COUNTED_TYPES
from loyalty_stream.domain.counts import Hour
from loyalty_stream.domain.happened import Happened
from loyalty_stream.wire.instants import instant_ms

_TYPE: Final = b'"type":"'
_NOTE: Final = b'"note":{"kind":"'
_HEAD_BYTES: Final = 300
"""Id and type come first and are no longer than this."""
_TYPES: Final = frozenset(name.encode() for name in COUNTED_TYPES)
_NOTES: Final = frozenset(kind.encode() for kind in COUNTED_NOTES)
_KNOWN_HOURS: Final = 10_000
"""More than a year's, about 1 MB; then all are forgotten."""
_HOUR: Final = 13
"""The length of `2026-01-15T10`."""
_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000

_decode: Final[Callable[[bytes], Happened]] = msgspec.json.Decoder(Happened).decode


def read(value: bytes) -> Happened | None:
    """The event, None where it counts nothing; msgspec.DecodeError where it cannot be read."""
    at = value.find(_TYPE, 0, _HEAD_BYTES)
    if at >= 0:
        at += len(_TYPE)
        if value[at : value.find(b'"', at)] not in _TYPES and not _has_note(value, at):
            return None
    return _decode(value)


def _has_note(value: bytes, start: int) -> bool:
    at = value.find(_NOTE, start)
    if at < 0:
        return False
    at += len(_NOTE)
    return value[at : value.find(b'"', at)] in _NOTES


class Clock:
    """Reads an event's `time` as the instant and the hour of the programme's zone in which it lies.

    What an hour of the text stands for is worked out once; the minutes are added to it.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._hours: dict[str, tuple[int, Sequence[Hour]]] = {}

    def read(self, time: str) -> tuple[int, Hour]:
        """Milliseconds since 1970, to the second, and the hour. ValueError where it is no time."""
        ends = time[-1:]
        key = time[:_HOUR] + "Z" if ends in "Zz" else time[:_HOUR] + time[-6:]
        begins_ms, quarters = self._hours.get(key) or self._learn(key)
        minute = int(time[14:16])
        return begins_ms + minute * _MINUTE_MS + int(time[17:19]) * 1_000, quarters[minute // 15]

    def _learn(self, key: str) -> tuple[int, Sequence[Hour]]:
        """When the text's hour begins, and the zone's hour in each quarter of it: offsets are whole quarters."""
        if len(self._hours) >= _KNOWN_HOURS:
            self._hours.clear()
        begins = datetime.fromisoformat(f"{key[:_HOUR]}:00:00{key[_HOUR:]}")
        quarters = [self._hour_of(begins + timedelta(minutes=minutes)) for minutes in (0, 15, 30, 45)]
        learnt = self._hours[key] = (instant_ms(begins), quarters)
        return learnt

    def _hour_of(self, moment: datetime) -> Hour:
        ahead = moment.astimezone(self._zone).utcoffset()
        assert ahead is not None  # of an aware time
        ahead_minutes = int(ahead.total_seconds()) // 60
        local = instant_ms(moment) // _MINUTE_MS + ahead_minutes
        return local - local % 60 - ahead_minutes

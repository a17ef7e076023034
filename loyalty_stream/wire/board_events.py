"""What of a point event counts for leaderboards, read with as little work as that takes: most events count nothing.

`read` looks at the bytes of the type before it parses, and parses only what boards ask for. It knows no board.
"""

from typing import Final

import msgspec
from msgspec import Struct

from loyalty_stream.domain.boards import BoardEvent, Chosen, Left, Part, Scored, TakenBack
from loyalty_stream.domain.facts import Moment
from loyalty_stream.wire.instants import instant_ms

_TYPE: Final = b'"type":"'
_GRANTED: Final = b"point-granted"
_REVOKED: Final = b"point-revoked"
_NOTED: Final = b"account-noted"
_WIDTH: Final = 13
"""Characters of each of the three."""
_NOTES: Final = (b'"kind":"check-in"', b'"kind":"erased"', b'"kind":"standing"')
"""The notes that boards read. Quotes within texts are escaped, so no text of a fact looks like one."""


class _Note(Struct, gc=False):
    kind: str
    day: int = -1
    alias: str | None = None
    opted_out: bool | None = None


class _Granted(Struct, gc=False):
    points: int
    campaign_id: str = ""
    command_id: str = ""
    note: _Note | None = None


class _GrantedEvent(Struct, gc=False):
    time: Moment
    data: _Granted


class _Revoked(Struct, gc=False):
    points: int
    earned_at: Moment
    campaign_id: str = ""


class _Revoking(Struct, gc=False):
    revokes: tuple[_Revoked, ...] = ()


class _RevokedEvent(Struct, gc=False):
    time: Moment
    data: _Revoking


class _Noting(Struct, gc=False):
    note: _Note | None = None


class _NotedEvent(Struct, gc=False):
    time: Moment
    data: _Noting


_granted: Final = msgspec.json.Decoder(_GrantedEvent).decode
_revoked: Final = msgspec.json.Decoder(_RevokedEvent).decode
_noted: Final = msgspec.json.Decoder(_NotedEvent).decode


def read(value: bytes) -> BoardEvent | None:
    """What counts of a point event as we write it; None where nothing does.

    Raises msgspec.DecodeError for one of the types that count that is none of ours.
    """
    at = value.find(_TYPE)
    kind = value[at + 8 : at + 8 + _WIDTH]
    if kind == _GRANTED:
        return _read_granted(value)
    if kind == _REVOKED:
        return _read_revoked(value) if b'"revokes"' in value else None
    if kind == _NOTED and any(note in value for note in _NOTES):
        return _read_noted(value)
    return None


def _read_granted(value: bytes) -> Scored | None:
    """What a rule or a campaign granted. What a command asked for is no score."""
    event = _granted(value)
    data, note = event.data, event.data.note
    day = note.day if note is not None and note.kind == "check-in" else -1
    if data.command_id:
        return None
    return Scored(instant_ms(event.time), data.points, data.campaign_id, day)


def _read_revoked(value: bytes) -> TakenBack:
    event = _revoked(value)
    parts = [Part(each.points, instant_ms(each.earned_at), each.campaign_id) for each in event.data.revokes]
    return TakenBack(instant_ms(event.time), tuple(parts))


def _read_noted(value: bytes) -> BoardEvent | None:
    event = _noted(value)
    note, at = event.data.note, instant_ms(event.time)
    if note is None:
        return None
    match note.kind:
        case "check-in":
            return Scored(at, 0, "", note.day)
        case "erased":
            return Left(at)
        case "standing":
            return Chosen(at, note.alias, note.opted_out)
        case _:
            return None

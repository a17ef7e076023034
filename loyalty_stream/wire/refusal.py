"""The second look at a record that could not be taken: which reason code, at which key path, what is right.

It runs only for bad records and may be slow. It reads the same types as the decoder, field by field, so that
every refusal has a precise code; it knows no account and no programme. Messages never quote what came, save
for types and field names: a dead letter's headers must not spread what its bytes may hold.
"""

import json
from datetime import datetime
from typing import Final

import msgspec

from loyalty_stream.domain.calendar import DAY_MS
from loyalty_stream.wire.fields import JsonValue, Refused, check, check_id
from loyalty_stream.wire.instants import YEAR_2000_MS, YEAR_3000_MS, instant_ms
from loyalty_stream.wire.reasons import Reason
from loyalty_stream.wire.topics import FACT_OF_TYPE, TOPIC_OF_TYPE, shape

__all__ = ["MAX_RECORD_BYTES", "Refused", "refusal"]

MAX_RECORD_BYTES: Final = 1 << 20
"""1 MiB (EVENTS.md)."""

_ATTRIBUTES: Final = ("specversion", "id", "source", "type", "subject", "time")
_MAX_DIGITS: Final = 40
"""Longer integers are beyond every range anyway, and reading them is quadratic."""
_BEYOND_EVERY_RANGE: Final = 10**40


class _NotFiniteError(ValueError):
    """`NaN` or `Infinity`, which Python's reader takes and JSON does not know."""


def refusal(
    topic_kind: str | None,
    key: bytes | None,
    value: bytes | None,
    timestamp_ms: int | None,
    error: Exception | None = None,
) -> Refused:
    """Why the record can't be taken; `topic_kind` None: no record around the event, so no topic and no key.

    `error` is what the decoder said, for what only the decoder can see.
    """
    if not value:
        return Refused(Reason.EMPTY_RECORD, "the record has no value; send a CloudEvent as JSON")
    if len(value) > MAX_RECORD_BYTES:
        return Refused(
            Reason.RECORD_TOO_LARGE, f"{len(value)} bytes; a record may have {MAX_RECORD_BYTES} at most"
        )
    event = _parse(value)
    if isinstance(event, Refused):
        return event
    if not isinstance(event, dict):
        return Refused(
            Reason.NOT_A_CLOUDEVENT, "`$`: expected an object, a CloudEvent in structured JSON mode"
        )
    return (
        _check_envelope(event)
        or _check_type(topic_kind, str(event["type"]))
        or check_id(event["id"], "$.id")
        or check_id(event["subject"], "$.subject")
        or (None if topic_kind is None else _check_key(key, str(event["subject"])))
        or _check_time(event["time"], timestamp_ms)
        or _check_data(event)
        or Refused(Reason.MALFORMED, f"{error or 'refused by the decoder without a word'}"[:512])
    )


def _parse(value: bytes) -> "JsonValue | Refused":  # noqa: PLR0911 - one for each way to be no JSON
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        return Refused(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8; encode the event as UTF-8")
    try:
        event: JsonValue = json.loads(text, parse_constant=_refuse_constant, parse_int=_read_integer)
        msgspec.json.decode(value, type=msgspec.Raw)  # stricter than Python's reader: lone surrogates, BOM
        msgspec.json.decode(value)
    except _NotFiniteError as error:
        return Refused(
            Reason.NOT_FINITE, f"{error} is not a JSON number; leave the field out or send a number"
        )
    except msgspec.ValidationError:
        return event  # JSON, but with a number that no field takes
    except json.JSONDecodeError as error:
        return Refused(Reason.NOT_JSON, f"{error.msg} at character {error.pos}; send one JSON object")
    except RecursionError:
        return Refused(Reason.NOT_JSON, "nested too deeply to read; send an object as the schema shows it")
    except ValueError as error:
        return Refused(Reason.NOT_JSON, f"{error}; send one JSON object")
    return event


def _refuse_constant(name: str) -> float:
    raise _NotFiniteError(name)


def _read_integer(digits: str) -> int:
    if len(digits) <= _MAX_DIGITS:
        return int(digits)
    return -_BEYOND_EVERY_RANGE if digits.startswith("-") else _BEYOND_EVERY_RANGE


def _check_envelope(event: dict[str, JsonValue]) -> Refused | None:
    for name in _ATTRIBUTES:
        attribute = event.get(name)
        if name not in event:
            return Refused(Reason.NOT_A_CLOUDEVENT, f"`$.{name}`: the attribute is missing")
        if name == "time" and not isinstance(attribute, str):
            return Refused(Reason.INVALID_TIME, "`$.time`: expected text such as 2026-01-15T10:00:00+08:00")
        if not isinstance(attribute, str):
            return Refused(Reason.NOT_A_CLOUDEVENT, f"`$.{name}`: expected text")
    if event["specversion"] != "1.0":
        return Refused(Reason.NOT_A_CLOUDEVENT, '`$.specversion`: expected "1.0"')
    if not 1 <= len(str(event["source"])) <= 1024:
        return Refused(Reason.NOT_A_CLOUDEVENT, "`$.source`: expected 1 to 1024 characters")
    return None


def _check_type(topic_kind: str | None, name: str) -> Refused | None:
    belongs = TOPIC_OF_TYPE.get(name)
    if belongs is None:
        return Refused(Reason.UNKNOWN_TYPE, f"`$.type`: {name[:64]!a} is not a type that is read here")
    if topic_kind not in (None, belongs):
        return Refused(Reason.WRONG_TOPIC, f"`$.type`: {name} belongs on {belongs}, not on {topic_kind}")
    return None


def _check_key(key: bytes | None, subject: str) -> Refused | None:
    if key is None:
        return Refused(Reason.MISSING_KEY, "the record has no key; it must be the UTF-8 bytes of `subject`")
    if key != subject.encode():
        return Refused(
            Reason.KEY_MISMATCH, "the key is not the UTF-8 bytes of `$.subject`; they must be equal"
        )
    return None


def _check_time(text: JsonValue, timestamp_ms: int | None) -> Refused | None:
    try:
        time = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return Refused(Reason.INVALID_TIME, "`$.time`: expected RFC 3339, such as 2026-01-15T10:00:00+08:00")
    if time.tzinfo is None:
        return Refused(
            Reason.INVALID_TIME, "`$.time`: the offset is missing; end it with Z or such as +08:00"
        )
    at_ms = instant_ms(time)
    if at_ms < YEAR_2000_MS:
        return Refused(Reason.TIME_BEFORE_2000, "`$.time`: before the year 2000; send when it happened")
    if at_ms >= YEAR_3000_MS:
        return Refused(Reason.TIME_IN_FUTURE, "`$.time`: in the year 3000 or later; send when it happened")
    if timestamp_ms is not None and at_ms - timestamp_ms > DAY_MS:
        return Refused(
            Reason.TIME_IN_FUTURE,
            f"`$.time`: {(at_ms - timestamp_ms) // 1000} s ahead of the broker's timestamp; a day is allowed",
        )
    return None


def _check_data(event: dict[str, JsonValue]) -> Refused | None:
    fact = shape(FACT_OF_TYPE[str(event["type"])])
    if "data" not in event:
        return Refused(Reason.MISSING_FIELD, "`$.data`: the field is missing; send an object")
    data = next(field.type for field in fact.fields if field.name == "data")
    return check(data, event["data"], "$.data")

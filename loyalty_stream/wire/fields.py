"""One JSON value against one declared type: the reason code and the key path of the first thing wrong in it.

It interprets msgspec's description of the types, so it follows `domain.facts` by itself; it knows no type of
event. A kind of type that no fact uses is an error here and not a silent pass.
"""

import re
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct, ValidationError, convert
from msgspec.inspect import (
    BoolType,
    DateTimeType,
    Field,
    IntType,
    LiteralType,
    Metadata,
    NoneType,
    RawType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
)

from loyalty_stream.domain.facts import ID_PATTERN, MAX_AMOUNT
from loyalty_stream.wire.reasons import Reason

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

_matches_id: Final = re.compile(ID_PATTERN).fullmatch


class Refused(Struct, frozen=True, gc=False):
    """Why a record can't be taken: the code, and the key path with what would be right."""

    code: Reason
    message: str


def check(declared: Type, value: JsonValue, path: str) -> Refused | None:  # noqa: PLR0911 - one for each kind of type
    """The first thing wrong in `value`, None where nothing is."""
    match declared:
        case Metadata(type=inner, extra=extra):
            return _check_noted(inner, extra or {}, value, path)
        case UnionType(types=types):
            # Every union of the facts is "this or null".
            (inner,) = (member for member in types if not isinstance(member, NoneType))
            return None if value is None else check(inner, value, path)
        case StructType():
            return _check_object(declared, value, path)
        case VarTupleType():
            return _check_list(declared, value, path)
        case StrType():
            return _check_text(declared, value, path)
        case IntType():
            return _check_integer(declared, value, path)
        case DateTimeType():
            return _check_moment(value, path)
        case RawType():  # what it must say is known elsewhere
            return None if isinstance(value, dict) else _wrong_type(path, "an object", value)
        case BoolType():
            return None if isinstance(value, bool) else _wrong_type(path, "true or false", value)
        case LiteralType(values=values):
            if value in values:
                return None
            return Refused(Reason.OUT_OF_RANGE, f"`{path}`: expected one of {', '.join(map(str, values))}")
        case _:
            raise NotImplementedError(
                f"no reason codes for {declared} at {path}; teach wire.fields this type"
            )


def check_id(value: JsonValue, path: str) -> Refused | None:
    """An id: 1-128 characters of `[A-Za-z0-9._:@/-]`."""
    if not isinstance(value, str):
        return _wrong_type(path, "text", value)
    if _matches_id(value):
        return None
    return Refused(Reason.INVALID_ID, f"`{path}`: expected 1 to 128 characters of [A-Za-z0-9._:@/-]")


def _check_moment(value: JsonValue, path: str) -> Refused | None:
    if not isinstance(value, str):
        return _wrong_type(path, "text such as 2026-01-15T10:00:00+08:00", value)
    try:
        if convert(value, datetime).tzinfo is not None:
            return None
    except ValidationError:
        pass
    return Refused(
        Reason.INVALID_TIME, f"`{path}`: expected RFC 3339 with an offset, such as 2026-01-15T10:00:00+08:00"
    )


def _check_noted(inner: Type, extra: dict[str, object], value: JsonValue, path: str) -> Refused | None:
    if extra.get("pattern") == ID_PATTERN:
        return check_id(value, path)
    wrong = check(inner, value, path)
    if wrong is None and "not" in extra and value == extra["not"]:
        return Refused(Reason.OUT_OF_RANGE, f"`{path}`: {extra['not']} is not allowed")
    return wrong


def _check_object(declared: StructType, value: JsonValue, path: str) -> Refused | None:
    if not isinstance(value, dict):
        return _wrong_type(path, "an object", value)
    for field in declared.fields:
        wrong = _check_field(field, value, f"{path}.{field.name}")
        if wrong is not None:
            return wrong
    if declared.forbid_unknown_fields:
        known = {field.name for field in declared.fields}
        for name in value:
            if name not in known:
                return Refused(
                    Reason.UNKNOWN_FIELD,
                    f"`{path}`: no field {name[:64]!a}; only {', '.join(sorted(known))}",
                )
    return None


def _check_field(field: Field, value: dict[str, JsonValue], path: str) -> Refused | None:
    if field.name in value:
        return check(field.type, value[field.name], path)
    return Refused(Reason.MISSING_FIELD, f"`{path}`: the field is missing") if field.required else None


def _check_list(declared: VarTupleType, value: JsonValue, path: str) -> Refused | None:
    if not isinstance(value, list):
        return _wrong_type(path, "a list", value)
    wrong = _check_length(declared.min_length, declared.max_length, len(value), "entries", path)
    if wrong is not None:
        return wrong
    for index, item in enumerate(value):
        wrong = check(declared.item_type, item, f"{path}[{index}]")
        if wrong is not None:
            return wrong
    return None


def _check_text(declared: StrType, value: JsonValue, path: str) -> Refused | None:
    if not isinstance(value, str):
        return _wrong_type(path, "text", value)
    return _check_length(declared.min_length, declared.max_length, len(value), "characters", path)


def _check_length(least: int | None, most: int | None, length: int, unit: str, path: str) -> Refused | None:
    if (least or 0) <= length and (most is None or length <= most):
        return None
    limits = f"{least or 0} to {most}" if most is not None else f"at least {least}"
    return Refused(Reason.OUT_OF_RANGE, f"`{path}`: {length} {unit}; expected {limits}")


def _check_integer(  # noqa: PLR0911 - one for each code
    declared: IntType, value: JsonValue, path: str
) -> Refused | None:
    least, most = declared.ge, declared.le
    expected = f"`{path}`: expected an integer from {least} to {most}"
    match value:
        case bool():
            return Refused(Reason.BOOLEAN_NOT_INTEGER, f"{expected}, got a boolean")
        case float():
            return Refused(
                Reason.FLOAT_NOT_INTEGER, f"{expected}, got a number with a fraction or an exponent"
            )
        case str():
            return Refused(Reason.TEXT_NOT_INTEGER, f"{expected}, got text; leave the quotes out")
        case int():
            pass
        case _:
            return _wrong_type(path, f"an integer from {least} to {most}", value)
    if least is not None and value < least:
        return Refused(Reason.NEGATIVE if value < 0 <= least else Reason.OUT_OF_RANGE, expected)
    if most is not None and value > most:
        is_money = most == MAX_AMOUNT and path.endswith("amount")
        return Refused(Reason.AMOUNT_TOO_LARGE if is_money else Reason.OUT_OF_RANGE, expected)
    return None


def _wrong_type(path: str, expected: str, value: JsonValue) -> Refused:
    got = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return Refused(Reason.WRONG_TYPE, f"`{path}`: expected {expected}, got {got.get(type(value), 'null')}")

"""The kinds of value that a programme file holds: exact rates, instants, ids, amounts, points.

Each kind says what is right, in messages and in the JSON Schema; none knows which key it stands at.
"""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Context, Decimal
from fractions import Fraction
from typing import Annotated, Final, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from loyalty_stream.domain.facts import ID_PATTERN, MAX_AMOUNT, MAX_COUNT, MAX_POINTS
from loyalty_stream.programme.mistakes import TomlFloat, shown, wrong

MAX_RATE: Final = 10**6
"""Of points per amount, and of both sides of its fraction."""
MAX_MULTIPLIER: Final = 100
"""Of a tier or a campaign."""
MAX_TOTAL: Final = 10**15
"""Of sums over all customers, in minor units; a thousand times what one amount may be."""

_DECIMAL = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_DECIMAL_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_INSTANT_RIGHT = 'must be an RFC 3339 time with its offset, such as "2026-03-01T00:00:00+08:00"'


class Section(BaseModel):
    """A table of the file: types are not coerced, unknown keys are mistakes, values don't change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_default=True)


Item = TypeVar("Item")
ListOf: TypeAlias = Annotated[tuple[Item, ...], Field(strict=False)]
"""A TOML array. Only the container is lax, for strict pydantic would ask for a Python tuple."""


# -- exact rates ----------------------------------------------------------------------------------------


def exact(value: object) -> Fraction:
    """A decimal in quotes as the fraction that it is; never through a float."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Fraction(value)
    if isinstance(value, TomlFloat | int) and not isinstance(value, bool):
        number = shown(value)
        raise wrong(f'must be an exact decimal in quotes, "{number}" instead of {number}')
    raise wrong(f'must be an exact decimal in quotes, such as "1.2", is {shown(value)}')


def exact_points(value: object) -> Fraction:
    """Points per amount: a whole number, or a decimal in quotes; both sides of the fraction up to 10^6.

    The exact fraction of a grant is amount x numerator: at 10^12 x 10^6 it still fits into 64 bits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        rate = Fraction(value)
    else:
        try:
            rate = exact(value)
        except ValueError as error:
            raise wrong(f"{error}; a whole number needs no quotes") from None
    if rate < 0 or rate > MAX_RATE:
        raise wrong(f"must be from 0 to {MAX_RATE}, is {shown(value)}")
    if rate.numerator > MAX_RATE or rate.denominator > MAX_RATE:
        raise wrong(f"has too many digits, as a fraction {rate}; both sides can be up to {MAX_RATE}")
    return rate


def decimal_text(value: Fraction) -> str:
    """The fraction as the decimal that it came from, without trailing zeros."""
    quotient = Context(prec=28).divide(Decimal(value.numerator), Decimal(value.denominator))
    return f"{quotient.normalize():f}"


def bounded(
    at_least: Fraction | None = None, above: Fraction | None = None, at_most: Fraction | None = None
) -> Callable[[object], Fraction]:
    """A validator of exact decimals within limits."""

    def check(value: object) -> Fraction:
        made = exact(value)
        now = f'is "{decimal_text(made)}"'
        if at_least is not None and made < at_least:
            raise wrong(f'must be at least "{decimal_text(at_least)}", {now}')
        if above is not None and made <= above:
            raise wrong(f'must be more than "{decimal_text(above)}", {now}')
        if at_most is not None and made > at_most:
            right = 'from "0" to' if at_least is above is None else "at most"
            raise wrong(f'must be {right} "{decimal_text(at_most)}", {now}')
        return made

    return check


_RATE_SCHEMA = {"type": "string", "pattern": _DECIMAL_PATTERN}
_AS_DECIMAL = PlainSerializer(decimal_text)


def _rate_schema(right: str) -> WithJsonSchema:
    return WithJsonSchema({**_RATE_SCHEMA, "x-right": right})


Uplift: TypeAlias = Annotated[
    Fraction, PlainValidator(exact), _AS_DECIMAL, _rate_schema("exact decimal in quotes")
]
Share: TypeAlias = Annotated[
    Fraction,
    PlainValidator(bounded(at_most=Fraction(1))),
    _AS_DECIMAL,
    _rate_schema('exact decimal in quotes, from "0" to "1"'),
]
TierMultiplier: TypeAlias = Annotated[
    Fraction,
    PlainValidator(bounded(at_least=Fraction(1), at_most=Fraction(MAX_MULTIPLIER))),
    _AS_DECIMAL,
    _rate_schema(f'exact decimal in quotes, "1" to "{MAX_MULTIPLIER}"'),
]
AwardMultiplier: TypeAlias = Annotated[
    Fraction,
    PlainValidator(bounded(above=Fraction(1), at_most=Fraction(MAX_MULTIPLIER))),
    _AS_DECIMAL,
    _rate_schema(f'exact decimal in quotes, more than "1", at most "{MAX_MULTIPLIER}"'),
]
ExactPoints: TypeAlias = Annotated[
    Fraction,
    PlainValidator(exact_points),
    PlainSerializer(lambda value: value.numerator if value.denominator == 1 else decimal_text(value)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_RATE}, _RATE_SCHEMA]}),
]


# -- instants -------------------------------------------------------------------------------------------


def instant(value: object) -> datetime:
    """An RFC 3339 time with offset, in quotes or as TOML writes it bare; in the years that events can have."""
    made = _instant(value)
    if not 2000 <= made.year < 3000:
        raise wrong(f"must be in the years 2000 to 2999, is {shown(value)}")
    return made


def _instant(value: object) -> datetime:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError as error:
            raise wrong(f"{_INSTANT_RIGHT}, is {shown(value)}: {error}") from None
    raise wrong(f"{_INSTANT_RIGHT}, is {shown(value)}")


def optional_instant(value: object) -> datetime | None:
    """An instant, or None for the empty text."""
    if value is None or value == "":
        return None
    try:
        return instant(value)
    except ValueError as error:
        raise wrong(f'{error}; "" where there is none') from None


_INSTANT_SCHEMA = {"type": "string", "format": "date-time"}
Instant: TypeAlias = Annotated[
    datetime, PlainValidator(instant), PlainSerializer(datetime.isoformat), WithJsonSchema(_INSTANT_SCHEMA)
]
OptionalInstant: TypeAlias = Annotated[
    datetime | None,
    PlainValidator(optional_instant),
    PlainSerializer(lambda value: "" if value is None else value.isoformat()),
    WithJsonSchema({"anyOf": [_INSTANT_SCHEMA, {"enum": [""]}]}),
]


# -- text and numbers -----------------------------------------------------------------------------------


def _id(value: str) -> str:
    if not re.fullmatch(ID_PATTERN, value):
        raise wrong(f"must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -, is {shown(value)}")
    return value


def _name(value: str) -> str:
    if not 1 <= len(value) <= 1024 or value != value.strip():
        raise wrong(f"must be 1 to 1024 characters, with no space around them, is {shown(value)}")
    return value


Id: TypeAlias = Annotated[
    str, AfterValidator(_id), WithJsonSchema({"type": "string", "pattern": f"^{ID_PATTERN}$"})
]
Name: TypeAlias = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1024})
]
Amount: TypeAlias = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
AmountAboveZero: TypeAlias = Annotated[int, Field(ge=1, le=MAX_AMOUNT)]
Total: TypeAlias = Annotated[int, Field(ge=0, le=MAX_TOTAL)]
Points: TypeAlias = Annotated[int, Field(ge=0, le=MAX_POINTS)]
PointsAboveZero: TypeAlias = Annotated[int, Field(ge=1, le=MAX_POINTS)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=MAX_COUNT)]
CountAboveZero: TypeAlias = Annotated[int, Field(ge=1, le=MAX_COUNT)]

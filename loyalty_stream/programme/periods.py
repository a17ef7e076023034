"""ISO 8601 periods as the programme file writes them, such as "P12M", "P7D" or "PT30M".

Calendar arithmetic with them is the domain's; here they are only read and compared.
"""

import re
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from loyalty_stream.domain.rules import Period
from loyalty_stream.programme.mistakes import shown, wrong

SECOND_MS: Final = 1_000
DAY_MS: Final = 24 * 60 * 60 * SECOND_MS
MEAN_MONTH_MS: Final = 2_629_746 * SECOND_MS
"""A month of the Gregorian calendar in the mean: 146,097 days / 4,800 months."""
MAX_PERIOD_MS: Final = 100 * 12 * MEAN_MONTH_MS
"""A hundred years: beyond any programme, and calendar arithmetic with it stays inside the calendar."""

_PERIOD = re.compile(
    r"P(?:(?P<weeks>\d{1,9})W|"
    r"(?:(?P<years>\d{1,9})Y)?(?:(?P<months>\d{1,9})M)?(?:(?P<days>\d{1,9})D)?"
    r"(?P<time>T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})S)?)?)",
    re.ASCII,
)
_PERIOD_PATTERN = r"^P(?=.)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?)$"
_FIXED_PATTERN = r"^P(?=.)(\d+W|(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?)$"
_PERIOD_RIGHT = 'must be an ISO 8601 period in quotes, such as "P12M", "P7D" or "PT30M"'


def period(value: object) -> Period:
    """An ISO 8601 duration of years, months, days, hours, minutes, seconds, or of weeks alone; above 0."""
    if isinstance(value, Period):
        return value
    found = _PERIOD.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[0] == "P" or found["time"] == "T":
        raise wrong(f"{_PERIOD_RIGHT}, is {shown(value)}")
    count = {name: int(digits or 0) for name, digits in found.groupdict().items() if name != "time"}
    made = Period(
        text=found[0],
        months=12 * count["years"] + count["months"],
        days=7 * count["weeks"] + count["days"],
        milliseconds=SECOND_MS * (60 * (60 * count["hours"] + count["minutes"]) + count["seconds"]),
    )
    length_ms = mean_ms(made)
    if length_ms == 0:
        raise wrong(f'must be longer than nothing, such as "P7D", is {shown(value)}')
    if length_ms > MAX_PERIOD_MS:
        raise wrong(f"must be at most a hundred years, is {shown(value)}")
    return made


def mean_ms(length: Period) -> int:
    """Milliseconds of a period, its months taken at their mean length: to compare, not to reckon with."""
    return length.months * MEAN_MONTH_MS + length.days * DAY_MS + length.milliseconds


def fixed_period(value: object) -> Period:
    """A period without months or years, so of one length: its days have 24 hours."""
    made = period(value)
    if made.months:
        raise wrong(
            'must be in weeks, days or less, such as "P800D" or "PT30M", '
            f"for months and years vary in length, is {shown(made.text)}"
        )
    return made


def window(value: object) -> Period | Literal["lifetime"]:
    """A period or "lifetime"."""
    if value == "lifetime":
        return "lifetime"
    try:
        return period(value)
    except ValueError as error:
        raise wrong(f'{error}; "lifetime" is right as well') from None


def _period_text(value: Period | Literal["lifetime"]) -> str:
    return value if isinstance(value, str) else value.text


_PERIOD_SCHEMA = {"type": "string", "format": "duration", "pattern": _PERIOD_PATTERN}
Length: TypeAlias = Annotated[
    Period, PlainValidator(period), PlainSerializer(_period_text), WithJsonSchema(_PERIOD_SCHEMA)
]
FixedLength: TypeAlias = Annotated[
    Period,
    PlainValidator(fixed_period),
    PlainSerializer(_period_text),
    WithJsonSchema({**_PERIOD_SCHEMA, "pattern": _FIXED_PATTERN, "x-right": "period in weeks, days or less"}),
]
Window: TypeAlias = Annotated[
    Period | Literal["lifetime"],
    PlainValidator(window),
    PlainSerializer(_period_text),
    WithJsonSchema({"anyOf": [_PERIOD_SCHEMA, {"enum": ["lifetime"]}]}),
]

"""Instants and local days as integers: milliseconds since 1970 (UTC), days since 1970-01-01.

It knows time zones and periods by the calendar, and nothing of points.
What the hot path asks for is cached by day or quarter of an hour.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, Literal, TypeAlias, assert_never

from loyalty_stream.domain.rules import Period

RoundTo: TypeAlias = Literal["none", "day", "month_end", "year_end"]

DAY_MS: Final = 24 * 3600 * 1000
QUARTER_MS: Final = 15 * 60 * 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_AT: Final[dict[tzinfo | None, datetime]] = {}
_ZONE: Final[list[tzinfo | None]] = [UTC]
_EPOCH_THERE: Final = [_EPOCH]
"""Of the offset that was met last."""
_DATES: Final[dict[datetime, int]] = {}
_MOST_DATES: Final = 1 << 14
_LATEST: Final[list[datetime]] = [_EPOCH]
_LATEST_MS: Final[list[int]] = [0]
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()


class _Day:
    """A local date whose clock is never changed: every instant from `begins` to before `ends` (ms) is of it."""

    __slots__ = ("begins", "day", "ends", "zone")

    def __init__(self, zone: tzinfo, day: int, begins: int, ends: int) -> None:
        self.zone = zone
        self.day = day
        self.begins = begins
        self.ends = ends


_DAYS: Final[list[_Day]] = [_Day(UTC, 0, 0, 0), _Day(UTC, 0, 0, 0)]
"""The days that were asked for last: that of the events that come now, and that on which something of theirs ends."""


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime, rounded down; exact, in integers.

    Subtracting datetimes of the very same tzinfo costs a tenth of the general case, and msgspec makes one object per
    offset, until the next collection of garbage; so the epoch is kept in those that were met last.
    """
    if moment is _LATEST[0]:
        return _LATEST_MS[0]
    zone = moment.tzinfo
    if zone is _ZONE[0]:
        epoch = _EPOCH_THERE[0]
    else:
        epoch = _epoch_in(zone)
        _ZONE[0], _EPOCH_THERE[0] = zone, epoch
    since = moment - epoch
    return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def _epoch_in(zone: tzinfo | None) -> datetime:
    if type(zone) is not timezone:  # others have offsets that change, and arithmetic by the wall clock
        return _EPOCH
    epoch = _EPOCH_AT.get(zone)
    if epoch is None or epoch.tzinfo is not zone:  # it is another object of the same offset
        epoch = _EPOCH_AT[zone] = _EPOCH.astimezone(zone)
    return epoch


def know(moment: datetime, ms: int) -> None:
    """`to_ms(moment)` is `ms`, and will be asked for: it is the time of the event that comes now."""
    _LATEST[0], _LATEST_MS[0] = moment, ms


def date_to_ms(date: datetime) -> int:
    """`to_ms` for datetimes that come again and again, such as the dates of lots."""
    ms = _DATES.get(date)
    if ms is None:
        if len(_DATES) >= _MOST_DATES:
            _DATES.clear()
        ms = _DATES[date] = to_ms(date)
    return ms


@lru_cache(maxsize=1 << 14)
def to_datetime(ms: int) -> datetime:
    """The instant as a datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def local_day(ms: int, zone: tzinfo) -> int:
    """The local date of the instant, as days since 1970-01-01."""
    known = _DAYS[0]
    if known.zone is zone and known.begins <= ms < known.ends:
        return known.day
    other = _DAYS[1]
    if other.zone is zone and other.begins <= ms < other.ends:
        return other.day
    day = None
    if known.zone is zone:  # mostly days have 24 hours between here and there, too
        day = known.day + (ms - known.begins) // DAY_MS
        whole = _whole_day(day, zone)
        if whole is None or not whole.begins <= ms < whole.ends:
            day = None
    if day is None:
        day = _day_of_quarter(ms // QUARTER_MS, zone)
        if day is None:
            return _local(ms, zone).toordinal() - _EPOCH_ORDINAL
        whole = _whole_day(day, zone)
    if whole is not None:
        _DAYS[0], _DAYS[1] = whole, known
    return day


@lru_cache(maxsize=1 << 14)
def _whole_day(day: int, zone: tzinfo) -> _Day | None:
    """The local date, or None where the clock is changed on it; kept, as a replay by customer leaps between days."""
    begins, ends = first_instant(day, zone), first_instant(day + 1, zone)
    if ends - begins != DAY_MS or _aware(begins, zone).utcoffset() != _aware(ends - 1, zone).utcoffset():
        return None
    return _Day(zone, day, begins, ends)


@lru_cache(maxsize=1 << 14)
def first_instant(day: int, zone: tzinfo) -> int:
    """The first instant of the local date, in ms; of a date that a zone skipped, the first one after it."""
    midnight = _midnight(day)
    early, late = _from_local(midnight, zone, fold=1), _from_local(midnight, zone, fold=0)
    if early >= late:  # an ordinary midnight, or one that comes twice: the first
        return late
    # Midnight falls into a gap, which lies between its readings by the clock after and before the change.
    while early < late:
        middle = (early + late) // 2
        if _local(middle, zone) >= midnight:
            late = middle
        else:
            early = middle + 1
    return late


def add(ms: int, period: Period, zone: tzinfo) -> int:
    """The instant moved by a period on the local clock; a day that the month lacks becomes its last one."""
    return _move(ms, period.months, period.days, period.milliseconds, zone)


def subtract(ms: int, period: Period, zone: tzinfo) -> int:
    """The instant moved back by a calendar period, likewise."""
    return _move(ms, -period.months, -period.days, -period.milliseconds, zone)


def round_up(ms: int, round_to: RoundTo, zone: tzinfo) -> int:
    """The next beginning of a local day, month or year; what is on the boundary stays (DOMAIN.md, Lots)."""
    if round_to == "none":
        return ms
    day = local_day(ms, zone)
    match round_to:
        case "day":
            first, following = day, day + 1
        case "month_end":
            today = date.fromordinal(day + _EPOCH_ORDINAL)
            first = _day_number(today.replace(day=1))
            following = first + monthrange(today.year, today.month)[1]
        case "year_end":
            first, following = _year_around(day)
        case _:
            assert_never(round_to)
    if first_instant(first, zone) == ms:
        return ms
    boundary = first_instant(following, zone)
    # Where the clock is set back over midnight the date begins twice, and we may be between its beginnings.
    return boundary if boundary >= ms else _from_local(_midnight(following), zone, fold=1)


@lru_cache(maxsize=1 << 12)
def _year_around(day: int) -> tuple[int, int]:
    """The first day of its year and of the next one."""
    year = date.fromordinal(day + _EPOCH_ORDINAL).year
    return _day_number(date(year, 1, 1)), _day_number(date(year + 1, 1, 1))


def first_of_year(ms: int, years: int, zone: tzinfo) -> int:
    """The first instant of the local year that comes `years` after the one that the instant is in."""
    year = date.fromordinal(local_day(ms, zone) + _EPOCH_ORDINAL).year + years
    return first_instant(_day_number(date(year, 1, 1)), zone)


@lru_cache(maxsize=1 << 16)
def _day_of_quarter(quarter: int, zone: tzinfo) -> int | None:
    """The local date of a quarter of an hour (UTC), or None where it or the offset changes within it."""
    first, last = _aware(quarter * QUARTER_MS, zone), _aware((quarter + 1) * QUARTER_MS - 1, zone)
    if first.date() != last.date() or first.utcoffset() != last.utcoffset():
        return None
    return first.toordinal() - _EPOCH_ORDINAL


def _move(ms: int, months: int, days: int, milliseconds: int, zone: tzinfo) -> int:
    if months == 0 and days == 0:
        return ms + milliseconds
    day = local_day(ms, zone)
    there = _moved_day(day, months, days)
    begun, other = _whole_day(day, zone), _whole_day(there, zone)
    if begun is not None and other is not None:  # by the clock as by the count of milliseconds
        return ms - begun.begins + other.begins + milliseconds
    moved = _local(ms, zone) + timedelta(days=there - day)
    return _from_local(moved, zone, fold=0) + milliseconds


@lru_cache(maxsize=1 << 14)
def _moved_day(day: int, months: int, days: int) -> int:
    """The local date by so many months, then days; a day that the month lacks becomes its last one."""
    date_of = date.fromordinal(day + _EPOCH_ORDINAL)
    if months:
        year, month = divmod(date_of.year * 12 + date_of.month - 1 + months, 12)
        date_of = date(year, month + 1, min(date_of.day, monthrange(year, month + 1)[1]))
    return _day_number(date_of) + days


def _aware(ms: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)


def _local(ms: int, zone: tzinfo) -> datetime:
    """What the local clock shows, naive."""
    return _aware(ms, zone).replace(tzinfo=None, fold=0)


def _from_local(local: datetime, zone: tzinfo, *, fold: Literal[0, 1]) -> int:
    """The instant at which the local clock shows this: in an overlap the `fold`th time.

    In a gap, fold 0 reads it by the offset before the change, so it falls after the gap; fold 1 before it.
    """
    return to_ms(local.replace(tzinfo=zone, fold=fold).astimezone(UTC))


def _midnight(day: int) -> datetime:
    return datetime.fromordinal(day + _EPOCH_ORDINAL)


def _day_number(day: date) -> int:
    return day.toordinal() - _EPOCH_ORDINAL

"""The oracle's own calendar: instants in milliseconds, days and periods by the local clock, as DOMAIN.md says."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ms_of(moment):
    return (moment - EPOCH) // timedelta(milliseconds=1)


@cache
def local(ms, zone):
    """What the local clock shows, without its zone."""
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(zone).replace(tzinfo=None)


@cache
def from_local(naive, zone):
    return ms_of(naive.replace(tzinfo=zone))


def day_of(ms, zone):
    return local(ms, zone).date()


def midnight(day, zone):
    return from_local(datetime.combine(day, time()), zone)


@cache
def moved(ms, period, zone, sign=1):
    """The instant a period later (or earlier): months, then days by the local clock, then exact milliseconds."""
    if period.months or period.days:
        shown = local(ms, zone)
        months = shown.year * 12 + shown.month - 1 + sign * period.months
        year, month = months // 12, months % 12 + 1
        shown = shown.replace(year=year, month=month, day=min(shown.day, monthrange(year, month)[1]))
        ms = from_local(shown + timedelta(days=sign * period.days), zone)
    return ms + sign * period.milliseconds


def rounded_up(ms, round_to, zone):
    """The next beginning of a day, month or year; what is on the boundary stays."""
    if round_to == "none":
        return ms
    day = day_of(ms, zone)
    first = {"day": day, "month_end": day.replace(day=1), "year_end": date(day.year, 1, 1)}[round_to]
    if midnight(first, zone) == ms:
        return ms
    if round_to == "day":
        following = day + timedelta(days=1)
    elif round_to == "month_end":
        following = (first + timedelta(days=31)).replace(day=1)
    else:
        following = date(day.year + 1, 1, 1)
    return midnight(following, zone)


def year_begins(year, zone):
    return midnight(date(year, 1, 1), zone)

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest
from given import SHANGHAI, ms
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import calendar
from loyalty_stream.domain.rules import Period

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Y2000_MS = 946_684_800_000
Y2037_MS = 2_114_380_800_000
INSTANTS = st.integers(Y2000_MS, Y2037_MS)
ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)


def local(at: int, zone) -> datetime:
    return (EPOCH + timedelta(milliseconds=at)).astimezone(zone)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00+00:00", 0),
        ("2026-01-15T10:00:00+08:00", 1_768_442_400_000),
        ("2026-01-15T10:00:00.123999+08:00", 1_768_442_400_123),
        ("1969-12-31T23:59:59.999999+00:00", -1),
    ],
)
def test_an_instant_is_rounded_down_to_the_millisecond(text, milliseconds):
    assert calendar.to_ms(datetime.fromisoformat(text)) == milliseconds


@given(INSTANTS)
def test_milliseconds_and_datetimes_are_the_same_instants(at):
    assert calendar.to_ms(calendar.to_datetime(at)) == at
    assert calendar.to_datetime(at).utcoffset() == timedelta(0)


@given(INSTANTS, ZONES)
def test_the_local_day_is_what_the_local_clock_shows(at, zone):
    assert calendar.local_day(at, zone) == local(at, zone).toordinal() - EPOCH.toordinal()


@pytest.mark.parametrize("minutes", [7, -211])
def test_the_local_day_where_the_offset_is_no_quarter_of_an_hour(minutes):
    zone = timezone(timedelta(minutes=minutes))
    for at in range(ms("2026-01-15"), ms("2026-01-16"), 60_000):
        assert calendar.local_day(at, zone) == local(at, zone).toordinal() - EPOCH.toordinal()


def test_the_local_day_where_the_clock_is_set_back_at_one_minute_past_midnight():
    zone = ZoneInfo("America/St_Johns")  # 2006-10-29 00:01 -02:30 became 2006-10-28 23:01 -03:30
    change = ms("2006-10-29T02:31:00+00:00")
    days = [calendar.local_day(change + offset, zone) for offset in (-60_001, -60_000, -1, 0, 1, 59 * 60_000)]
    saturday = datetime(2006, 10, 28, tzinfo=UTC).toordinal() - EPOCH.toordinal()
    assert [day - saturday for day in days] == [0, 1, 1, 0, 0, 1]


FIRST_INSTANTS = [
    ("Asia/Shanghai", "2026-01-15", "2026-01-14T16:00:00+00:00"),
    ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00+00:00"),  # no midnight: 00:00 became 01:00
    ("America/Havana", "2025-11-02", "2025-11-02T04:00:00+00:00"),  # 01:00 became 00:00: midnight came twice
    ("America/St_Johns", "2006-10-29", "2006-10-29T02:30:00+00:00"),  # the date began twice
    ("America/St_Johns", "2006-04-02", "2006-04-02T03:30:00+00:00"),  # 00:01 became 01:01
    ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00"),  # the zone had no such date: the next one
    ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00+00:00"),  # 23:30 became 00:30
]


@pytest.mark.parametrize(("zone", "date", "instant"), FIRST_INSTANTS)
def test_the_first_instant_of_a_local_date(zone, date, instant):
    day = datetime.fromisoformat(date).toordinal() - EPOCH.toordinal()
    assert calendar.first_instant(day, ZoneInfo(zone)) == ms(instant)


@given(st.integers(10957, 24471), ZONES)
def test_no_instant_before_the_first_has_the_date(day, zone):
    first = calendar.first_instant(day, zone)
    assert calendar.local_day(first, zone) >= day
    assert calendar.local_day(first - 1, zone) < day


@pytest.mark.parametrize(
    ("earned", "period", "until"),
    [
        ("2026-01-31 10:00", Period("P1M", months=1), "2026-02-28 10:00"),
        ("2028-01-31 10:00", Period("P1M", months=1), "2028-02-29 10:00"),
        ("2028-02-29 10:00", Period("P12M", months=12), "2029-02-28 10:00"),
        ("2026-01-15 10:00", Period("P12M", months=12), "2027-01-15 10:00"),
        ("2026-11-30 10:00", Period("P3M", months=3), "2027-02-28 10:00"),
        ("2026-01-31 10:00", Period("P1M1D", months=1, days=1), "2026-03-01 10:00"),
        ("2026-01-15 10:00", Period("P7D", days=7), "2026-01-22 10:00"),
        ("2026-01-15 10:00", Period("PT90M", milliseconds=5_400_000), "2026-01-15 11:30"),
    ],
)
def test_a_period_is_counted_by_the_calendar(earned, period, until):
    assert calendar.add(ms(earned), period, SHANGHAI) == ms(until)


def test_subtracting_clamps_too():
    assert calendar.subtract(ms("2026-03-31 10:00"), Period("P1M", months=1), SHANGHAI) == ms(
        "2026-02-28 10:00"
    )


def test_a_day_is_a_day_of_the_local_clock():
    zone = ZoneInfo("America/New_York")
    day = Period("P1D", days=1)
    assert calendar.add(ms("2026-03-07T12:00-05:00"), day, zone) == ms("2026-03-08T12:00-04:00")
    assert calendar.add(ms("2026-03-07T02:30-05:00"), day, zone) == ms("2026-03-08T03:30-04:00")  # in the gap
    assert calendar.add(ms("2026-10-31T01:30-04:00"), day, zone) == ms(
        "2026-11-01T01:30-04:00"
    )  # the first 01:30


@pytest.mark.parametrize(
    ("at", "round_to", "rounded"),
    [
        ("2027-01-15 10:00", "none", "2027-01-15 10:00"),
        ("2027-01-15 10:00", "day", "2027-01-16 00:00"),
        ("2027-01-15 00:00", "day", "2027-01-15 00:00"),
        ("2027-01-15 00:00:00.001", "day", "2027-01-16 00:00"),
        ("2027-01-15 10:00", "month_end", "2027-02-01 00:00"),
        ("2027-02-01 00:00", "month_end", "2027-02-01 00:00"),
        ("2027-12-01 00:00:01", "month_end", "2028-01-01 00:00"),
        ("2027-01-15 10:00", "year_end", "2028-01-01 00:00"),
        ("2027-01-01 00:00", "year_end", "2027-01-01 00:00"),
        ("2027-01-01 00:00:01", "year_end", "2028-01-01 00:00"),
    ],
)
def test_what_is_on_the_boundary_stays(at, round_to, rounded):
    assert calendar.round_up(ms(at), round_to, SHANGHAI) == ms(rounded)


def test_rounding_up_between_the_two_beginnings_of_a_date_goes_to_the_second():
    zone = ZoneInfo("America/St_Johns")  # 00:01 on the 29th became 23:01 on the 28th
    before, between = ms("2006-10-28T23:30:00-02:30"), ms("2006-10-28T23:30:00-03:30")
    assert calendar.round_up(before, "day", zone) == ms("2006-10-29T00:00:00-02:30")
    assert calendar.round_up(between, "day", zone) == ms("2006-10-29T00:00:00-03:30")


@given(INSTANTS, ZONES, st.sampled_from(["day", "month_end", "year_end"]))
def test_rounding_up_goes_to_the_next_boundary_and_stays_there(at, zone, round_to):
    rounded = calendar.round_up(at, round_to, zone)
    assert at <= rounded
    assert calendar.round_up(rounded, round_to, zone) == rounded
    days = {"day": 1, "month_end": 31, "year_end": 366}[round_to]
    assert rounded - at <= (days + 1) * calendar.DAY_MS  # one more for a date that a zone skipped
    assert calendar.local_day(rounded, zone) != calendar.local_day(rounded - 1, zone)


@given(INSTANTS, ZONES, st.integers(0, 36), st.integers(0, 400))
def test_no_period_is_longer_than_it_says(at, zone, months, days):
    period = Period("", months=months, days=days)
    assert at <= calendar.add(at, period, zone) + 2 * 3_600_000
    assert calendar.add(at, period, zone) - at <= period.at_most_ms
    assert at - calendar.subtract(at, period, zone) <= period.at_most_ms

"""Laws of the values: a decimal is the fraction it says, a period the lengths it says, whatever they are."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from loyalty_stream.domain.rules import Period
from loyalty_stream.programme.periods import mean_ms, period
from loyalty_stream.programme.values import MAX_RATE, decimal_text, exact, exact_points


@given(whole=st.integers(0, 10**9 - 1), places=st.integers(1, 9), data=st.data())
def test_a_decimal_is_exact_and_written_back(whole: int, places: int, data: st.DataObject) -> None:
    digits = data.draw(st.integers(0, 10**places - 1))
    text = f"{whole}.{digits:0{places}}"
    value = exact(text)
    assert value == Fraction(whole * 10**places + digits, 10**places)
    assert exact(decimal_text(value)) == value
    if max(value.numerator, value.denominator) <= MAX_RATE:
        assert exact_points(text) == value
    else:
        with pytest.raises(PydanticCustomError, match=r"must be from 0 to 1000000|too many digits"):
            exact_points(text)


@given(st.integers(0, MAX_RATE))
def test_whole_points_need_no_quotes(points: int) -> None:
    assert exact_points(points) == points


@given(
    years=st.integers(0, 20),
    months=st.integers(0, 100),
    days=st.integers(0, 9999),
    hours=st.integers(0, 999),
    minutes=st.integers(0, 999),
    seconds=st.integers(1, 999),
)
def test_a_period_is_months_days_and_milliseconds(
    years: int, months: int, days: int, hours: int, minutes: int, seconds: int
) -> None:
    text = f"P{years}Y{months}M{days}DT{hours}H{minutes}M{seconds}S"
    made = period(text)
    assert made == Period(
        text,
        months=12 * years + months,
        days=days,
        milliseconds=(hours * 3600 + minutes * 60 + seconds) * 1000,
    )
    assert 0 < mean_ms(made) <= made.at_most_ms


def test_weeks_are_seven_days() -> None:
    assert period("P2W") == Period("P2W", days=14)

"""Daily counters and runs of days, packed and unpacked."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain.day_records import Days, pack, unpack

TODAY = 20_468


def read_back(daily, streaks):
    days = unpack(pack(Days(daily, streaks)))
    return days.daily, days.streaks


DAYS = st.integers(TODAY, TODAY + 400) | st.integers(-(2**40), 2**40)
NUMBERS = st.integers(0, 20) | st.sampled_from([13, 14, 255, 65_535, 65_536]) | st.integers(-(2**62), 2**62)
NAMES = st.sampled_from(
    ["review", "share", "points", "game:spin", "game:quiz", "game:", "other", ""]
) | st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
DAILY = st.dictionaries(DAYS, st.dictionaries(NAMES, NUMBERS, max_size=4), max_size=6)
STREAKS = st.dictionaries(DAYS, NUMBERS, max_size=6).map(lambda runs: sorted(runs.items()))


@given(DAILY, STREAKS)
def test_any_days_are_read_back_the_same(daily, streaks):
    assert read_back(daily, streaks) == (daily, streaks)


@given(st.binary(max_size=40))
def test_bytes_are_days_or_are_refused(packed):
    with suppress(LookupError, ValueError):
        days = unpack(packed)
        daily, streaks = days.daily, days.streaks
        if len(dict(streaks)) == len(streaks):  # two runs cannot begin on one day
            assert read_back(daily, streaks) == (daily, sorted(streaks))


@pytest.mark.parametrize(
    ("daily", "streaks", "size"),
    [
        ({}, [], 0),
        ({}, [(TODAY, 1)], 3),
        ({}, [(TODAY, 3), (TODAY + 20, 1)], 5),
        ({TODAY: {"review": 1}, TODAY + 125: {"share": 13}}, [], 6),
        ({TODAY: {"review": 1}, TODAY + 126: {"points": 14}}, [], 10),
        ({TODAY: {"game:spin": 1}, TODAY + 1: {"game:spin": 2}}, [(TODAY, 2)], 12),
    ],
)
def test_days_take_a_few_bytes(daily, streaks, size):
    packed = pack(Days(daily, streaks))
    assert len(packed) == size
    assert read_back(daily, streaks) == (daily, streaks)


def test_runs_out_of_order_are_put_in_order():
    assert read_back({}, [(TODAY, 1), (TODAY - 5, 2)])[1] == [
        (TODAY - 5, 2),
        (TODAY, 1),
    ]


@pytest.mark.parametrize(
    "packed", [b"\x81", b"\x7e\x00", b"\x01\xb1\x05ab", b"\x01\x8e\x00", b"\x01\xb1\xff\x00"]
)
def test_days_that_end_early_are_refused(packed):
    with pytest.raises((LookupError, ValueError)):
        unpack(packed)

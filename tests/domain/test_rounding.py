from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain.rounding import apportion, rounded

AMOUNT = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("numerator", "denominator", "floor_", "half_up", "ceil_"),
    [
        (19050, 100, 190, 191, 191),
        (19049, 100, 190, 190, 191),
        (19000, 100, 190, 190, 190),
        (19001, 100, 190, 190, 191),
        (0, 7, 0, 0, 0),
        (1, 2, 0, 1, 1),
        (1, 3, 0, 0, 1),
        (2, 3, 0, 1, 1),
    ],
)
def test_rounds_by_name(numerator, denominator, floor_, half_up, ceil_):
    assert rounded(numerator, denominator, "floor") == floor_
    assert rounded(numerator, denominator, "half_up") == half_up
    assert rounded(numerator, denominator, "ceil") == ceil_


@given(AMOUNT, st.integers(1, 10**6))
def test_rounding_is_that_of_the_exact_fraction(numerator, denominator):
    exact = Fraction(numerator, denominator)
    assert rounded(numerator, denominator, "floor") == floor(exact)
    assert rounded(numerator, denominator, "half_up") == floor(exact + Fraction(1, 2))
    assert rounded(numerator, denominator, "ceil") == ceil(exact)


@given(AMOUNT, st.integers(1, 10**6), st.integers(1, 1000), st.sampled_from(["floor", "half_up", "ceil"]))
def test_a_fraction_need_not_be_reduced(numerator, denominator, factor, rounding):
    assert rounded(numerator, denominator, rounding) == rounded(
        numerator * factor, denominator * factor, rounding
    )


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (1000, [12000, 8050], [599, 401]),  # 598.50 and 401.50: a tie, the earlier line takes it
        (1, [1, 1, 1], [1, 0, 0]),
        (2, [1, 1, 1], [1, 1, 0]),
        (10, [1, 2, 3, 4], [1, 2, 3, 4]),
        (5, [3, 3, 3], [2, 2, 1]),
        (100, [1, 0, 299], [0, 0, 100]),  # 1/3, 0, 99 2/3
        (0, [5, 5], [0, 0]),
        (11, [5, 5], [5, 5]),  # more than there is takes everything
        (0, [0, 0], [0, 0]),
        (7, [0], [0]),
        (0, [], []),
    ],
)
def test_apportions_by_largest_remainder(total, weights, parts):
    assert apportion(total, weights) == parts


@given(st.data(), st.lists(AMOUNT, max_size=12))
def test_parts_add_up_and_stay_within_one_of_the_exact_share(data, weights):
    whole = sum(weights)
    total = data.draw(st.integers(0, whole))
    parts = apportion(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert 0 <= part <= weight
        assert whole == 0 or abs(part - Fraction(total * weight, whole)) < 1


@given(st.data(), st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_larger_remainders_come_first_then_earlier_lines(data, weights):
    whole = sum(weights)
    total = data.draw(st.integers(0, max(whole - 1, 0)))
    parts = apportion(total, weights)
    floors = [total * weight // whole if whole else 0 for weight in weights]
    ranking = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % max(whole, 1)), at))
    raised = [at for at in ranking if parts[at] > floors[at]]
    assert raised == ranking[: len(raised)]

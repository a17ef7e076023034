"""Matching and its interval on data of which the truth is known."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from loyalty_stream.analysis.reports.uplift import compare, t_quantile


def compared(takes_part, earlier, during):
    """The comparison of customers with such spend; in the other windows nobody buys."""
    none = np.zeros(len(takes_part), dtype=np.int64)
    table = pa.table(
        {"takes_part": takes_part, "earlier_spend": earlier}
        | {
            f"spend_{window}": during if window == "during" else none
            for window in ("before", "during", "after")
        }
        | {f"orders_{window}": none for window in ("before", "during", "after")}
    )
    with duckdb.connect() as connection:
        connection.register("compared", table)
        return compare(connection)


def customers(seed, uplift, count=1000):
    """Who spent more earlier takes part more often, and spends more later anyway."""
    random = np.random.default_rng(seed)
    earlier = random.lognormal(9, 0.8, count).astype(np.int64)
    takes_part = random.random(count) < np.clip(earlier / 30_000, 0.05, 0.9)
    during = earlier * 0.3 + random.gamma(2, 2_000, count) + uplift * takes_part
    return takes_part, earlier, during.astype(np.int64)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(4, 2.7764), (5, 2.5706), (10, 2.2281), (30, 2.0423), (100, 1.9840), (10**6, 1.9600)],
)
def test_quantiles_are_those_of_the_tables(freedom, quantile):
    assert t_quantile(0.975, freedom) == pytest.approx(quantile, rel=1e-3)


def test_one_stratum_is_welchs_interval():
    takes_part = np.array([True] * 4 + [False] * 5)
    during = np.array([10, 12, 14, 16, 5, 7, 9, 11, 8], dtype=np.int64)
    found = compared(takes_part, np.full(9, 100, dtype=np.int64), during)
    # Means 13 and 8, variances 20/3 and 5: standard error sqrt(5/3 + 1) = 1.63299, 6.050 degrees of freedom.
    assert found.spend_uplift.mean == pytest.approx(5)
    assert found.spend_uplift.high - 5 == pytest.approx(1.63299 * 2.4432, rel=2e-3)
    assert 5 - found.spend_uplift.low == pytest.approx(found.spend_uplift.high - 5)
    assert found.spend_uplift.is_clear


def test_who_is_like_nobody_is_left_out():
    takes_part = np.array([True, True, True, True, True, True, False, False, False])
    earlier = np.array([0, 0, 0, 0, 0, 900, 0, 0, 5000], dtype=np.int64)
    found = compared(takes_part, earlier, np.arange(9, dtype=np.int64))
    assert (found.customers, found.others) == (6, 3)
    assert found.matched == 6  # one stratum up to 900; the other who spent 5,000 is like none of them
    assert found.spend[1] == (2.5, 6.5)


def test_nobody_to_compare_with():
    found = compared(
        np.array([True, False]), np.array([1, 2], dtype=np.int64), np.array([1, 2], dtype=np.int64)
    )
    assert found.spend_uplift is None
    assert (
        compared(np.array([], dtype=bool), np.array([], dtype=np.int64), np.array([], dtype=np.int64)).matched
        == 0
    )


@pytest.mark.parametrize("uplift", [0, 1_500])
def test_95_of_100_intervals_hold_the_truth(uplift):
    held = naive = 0
    for seed in range(40):
        takes_part, earlier, during = customers(seed, uplift)
        found = compared(takes_part, earlier, during).spend_uplift
        held += found.low <= uplift <= found.high
        naive += (
            abs(during[takes_part].mean() - during[~takes_part].mean() - uplift) < found.high - found.mean
        )
    assert held >= 34  # of 40; fewer come 3 times in 1,000 where the level is 95 %
    assert naive == 0  # without matching none would


def test_the_others_are_weighted_to_be_alike():
    found = compared(*customers(5, 0))
    own, others = found.earlier_spend
    assert others == pytest.approx(own, rel=0.02)

"""How much more some customers did than others who had done as much before: matching by strata, and its uncertainty.

It must not know what a campaign is: it compares two groups of a table.
"""

from math import sqrt
from statistics import NormalDist
from typing import Final

from duckdb import DuckDBPyConnection
from msgspec import Struct

from loyalty_stream.analysis.reports.ledger_tables import row, rows

CONFIDENCE: Final = 0.95
STRATA: Final = 50
"""The most strata, so that the two sides of each are close in what they spent before;"""
PER_STRATUM: Final = 5
"""and so many of the group in each, so that its variance says something."""


class Uplift(Struct, frozen=True):
    """A mean difference with its 95 % confidence interval; amounts in minor units."""

    mean: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether 0 is outside of the interval."""
        return self.low > 0 or self.high < 0


class Comparison(Struct, frozen=True):
    """A group against the others, matched on what they spent earlier.

    The others' means are weighted so that they are as the group by earlier spend. Means are per customer, in
    minor units and orders.
    """

    customers: int
    matched: int
    """Of them, those for whose earlier spend there are two others or more; the means are theirs."""
    others: int
    earlier_spend: tuple[float, float]
    """The group's and the others' mean over the days that they are matched on: the closer, the better the match."""
    spend: tuple[tuple[float, float], ...]
    """Before, during, after: the group's mean and the others'."""
    orders: tuple[tuple[float, float], ...]
    spend_uplift: Uplift | None
    """During, per customer. Uplifts are None where nobody has two others like them."""
    order_uplift: Uplift | None
    after_uplift: Uplift | None
    """Of spend, in the window after."""


_STRATA: Final = """
CREATE OR REPLACE TEMP TABLE stratum AS
WITH cuts AS (
    SELECT list_distinct(quantile_disc(earlier_spend, $cuts::DOUBLE[])) AS cuts FROM compared WHERE takes_part
)
SELECT len(list_filter(cuts, lambda cut: cut < earlier_spend)) AS stratum, takes_part, count(*) AS customers,
    avg(earlier_spend) AS earlier,
    [avg(spend_before), avg(spend_during), avg(spend_after)] AS spend,
    [avg(orders_before), avg(orders_during), avg(orders_after)] AS orders,
    -- n times the sum of squares less the square of the sum: whole numbers, so that every run gives the same
    [count(*) * sum(spend_during::HUGEINT * spend_during) - sum(spend_during)::HUGEINT * sum(spend_during),
        count(*) * sum(orders_during::HUGEINT * orders_during) - sum(orders_during)::HUGEINT * sum(orders_during),
        count(*) * sum(spend_after::HUGEINT * spend_after) - sum(spend_after)::HUGEINT * sum(spend_after)] AS spread
FROM compared, cuts GROUP BY ALL
"""

_MATCHED: Final = """
SELECT p.customers, o.customers, p.earlier, o.earlier, p.spend, o.spend, p.orders, o.orders,
    p.spread, o.spread
FROM stratum p JOIN stratum o USING (stratum)
WHERE p.takes_part AND NOT o.takes_part AND p.customers >= 2 AND o.customers >= 2 ORDER BY stratum
"""


def compare(connection: DuckDBPyConnection) -> Comparison:
    """Compare the groups of the table `compared`.

    It has a row for each customer: `takes_part`, `earlier_spend`, which is matched on, and `spend_` and `orders_`
    `before`, `during` and `after`. The others are put into strata that quantiles of the group's earlier spend bound,
    up to its highest; the difference of means in each counts by the group's customers there.
    """
    customers, others = row(
        connection, "SELECT count(*) FILTER (takes_part), count(*) FILTER (NOT takes_part) FROM compared"
    )
    strata = max(1, min(STRATA, customers // PER_STRATUM))
    connection.execute(_STRATA, {"cuts": [number / strata for number in range(1, strata + 1)]})
    found = rows(connection, _MATCHED)
    matched = sum(each[0] for each in found)
    weights: list[float] = [each[0] / matched for each in found]

    def mean(column: int, place: int | None = None) -> float:
        means = [float(each[column] if place is None else each[column][place]) for each in found]
        return sum((weight * each for weight, each in zip(weights, means, strict=True)), 0.0)

    def uplift(columns: tuple[int, int], place: int, variance: int) -> Uplift | None:
        if not found:
            return None
        parts = [
            (weight**2 * float(spread[variance]) / (count * (count - 1)) / count, count)
            for weight, each in zip(weights, found, strict=True)
            for spread, count in ((each[8], each[0]), (each[9], each[1]))
        ]
        return _interval(mean(columns[0], place) - mean(columns[1], place), parts)

    return Comparison(
        customers=customers,
        matched=matched,
        others=others,
        earlier_spend=(mean(2), mean(3)),
        spend=tuple((mean(4, place), mean(5, place)) for place in range(3)),
        orders=tuple((mean(6, place), mean(7, place)) for place in range(3)),
        spend_uplift=uplift((4, 5), 1, 0),
        order_uplift=uplift((6, 7), 1, 1),
        after_uplift=uplift((4, 5), 2, 2),
    )


def less(one: Uplift, other: Uplift) -> Uplift:
    """The difference of two that are independent: the half widths of their intervals add up as errors do."""
    mean = one.mean - other.mean
    margin = sqrt((one.high - one.mean) ** 2 + (other.high - other.mean) ** 2)
    return Uplift(mean, mean - margin, mean + margin)


def _interval(mean: float, parts: list[tuple[float, int]]) -> Uplift:
    """Welch's interval of a weighted sum of means: `parts` are the variances of its terms and their sample sizes."""
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return Uplift(mean, mean, mean)
    freedom = variance**2 / sum(part**2 / (count - 1) for part, count in parts)
    margin = t_quantile(0.5 + CONFIDENCE / 2, freedom) * sqrt(variance)
    return Uplift(mean, mean - margin, mean + margin)


def t_quantile(probability: float, freedom: float) -> float:
    """Student's t by the normal's quantile and four terms in 1 / freedom (Abramowitz and Stegun 26.7.5).

    Right to 0.1 % from 4 degrees of freedom on, which is the fewest that two groups of two and a half have.
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum((term / freedom**power for power, term in enumerate(terms, 1)), 0.0)

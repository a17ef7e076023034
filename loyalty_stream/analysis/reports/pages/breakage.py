"""The sections on breakage: the curves of the cohorts, their forecast, and how far it can be trusted."""

from collections.abc import Iterator, Sequence
from typing import Final

from loyalty_stream.analysis.reports.breakage import Breakage
from loyalty_stream.analysis.reports.charts import RED, SLATE, Chart, Series, bars, lines, shades
from loyalty_stream.analysis.reports.pages.page import Table, month_labels
from loyalty_stream.analysis.reports.words import Words

_MOST_CURVES: Final = 12
"""The cohorts shown in the chart, the latest: more lines cannot be told apart."""


def curves(found: Breakage, w: Words) -> Iterator[str | Chart | Table]:
    if found.as_of is None:
        yield w("finance.no_month")
        return
    yield w("finance.breakage_about", as_of=w.day(found.as_of))
    shown = found.cohorts[-_MOST_CURVES:]
    ages = max(len(each.expired_share) + len(each.forecast_share) for each in shown)
    series = []
    for each, color in zip(shown, shades(len(shown)), strict=True):
        ran = list(each.expired_share)
        series.append(Series(w.month(each.month), _padded(ran, 0, ages), color))
        if each.forecast_share:
            ahead = [ran[-1], *each.forecast_share]
            series.append(Series(w.month(each.month), _padded(ahead, len(ran) - 1, ages), color, dashed=True))
    yield lines(
        w("finance.breakage_chart"),
        [str(age) for age in range(ages)],
        series,
        lambda share: w.percent(share, 0),
        bottom=0,
        top=1.04,
    )
    yield Table(
        [
            w("finance.cohort"),
            w("page.granted"),
            w("finance.so_far"),
            w("page.outstanding"),
            w("finance.to_come_redeemed"),
            w("finance.to_come_expired"),
            w("finance.in_the_end"),
        ],
        [
            (
                w.month(each.month),
                w.count(each.granted),
                w.percent(each.expired_share[-1]),
                w.count(each.outstanding),
                w.count(each.expected_redeemed),
                w.count(each.expected_expired),
                w.percent(each.breakage),
            )
            for each in found.cohorts
        ],
    )


def backtest(found: Breakage, w: Words) -> Iterator[str | Chart | Table]:
    tested = found.backtest
    if tested is None:
        yield w("finance.no_backtest")
        return
    yield w("finance.backtest_about", months=w.count(len(tested.months)))
    yield w("finance.error", expired=w.signed(tested.expired_error), redeemed=w.signed(tested.redeemed_error))
    yield bars(
        w("finance.backtest_chart"),
        month_labels([each.month for each in tested.months], w),
        [
            Series(w("finance.forecast"), [each.expired_forecast for each in tested.months], SLATE),
            Series(w("finance.really"), [each.expired for each in tested.months], RED),
        ],
        w.compact,
    )
    yield Table(
        [
            w("page.month"),
            *(
                w(f"finance.{head}")
                for head in ("expired_forecast", "expired_really", "redeemed_forecast", "redeemed_really")
            ),
        ],
        [
            (
                w.month(each.month),
                w.count(each.expired_forecast),
                w.count(each.expired),
                w.count(each.redeemed_forecast),
                w.count(each.redeemed),
            )
            for each in tested.months
        ],
    )


def _padded(values: Sequence[float], before: int, length: int) -> list[float | None]:
    return [None] * before + list(values) + [None] * (length - before - len(values))

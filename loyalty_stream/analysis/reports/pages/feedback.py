"""The page of what customers say."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from loyalty_stream.analysis.reports.charts import AMBER, BLUE, Chart, Series, bars, lines
from loyalty_stream.analysis.reports.feedback import FeedbackReport, Score
from loyalty_stream.analysis.reports.pages.page import Card, Page, Section, Table, month_labels, span_line
from loyalty_stream.analysis.reports.words import Words

_STARS: Final = ("#dc2626", "#f59e0b", "#cbd5e1", "#60a5fa", "#2563eb")
"""Of 1 to 5."""
_LEAST, _MOST = 1.0, 5.1
"""An axis of answers, whole: a cut one would make differences of what is none."""


def feedback_page(report: FeedbackReport, w: Words) -> Page:
    satisfaction = list(_satisfaction(report, w))
    return Page(
        kicker=w("feedback.kicker"),
        title=w("feedback.title"),
        about=[span_line(report.data, w)],
        short=list(_short(report, w)) or [w("feedback.nothing")],
        cards=list(_cards(report, w)),
        sections=[
            Section(w("feedback.satisfaction"), satisfaction),
            Section(w("feedback.ratings"), list(_ratings(report, w))),
        ],
        how=[w(f"feedback.how_{what}") for what in ("caution", "tier", "products")],
    )


def _short(report: FeedbackReport, w: Words) -> Iterator[str]:
    if report.satisfaction:
        yield w(
            "feedback.short_satisfaction",
            mean=w.decimal(report.satisfaction.mean),
            answers=w.count(report.satisfaction.answers),
            satisfied=w.percent(report.satisfaction.satisfied, 0),
        )
    if len(report.months) > 1:
        first, last = report.months[0], report.months[-1]
        yield w(
            "feedback.short_trend",
            then=w.decimal(first.mean),
            now=w.decimal(last.mean),
            first=w.month(_month(first)),
            last=w.month(_month(last)),
        )
    if report.ratings:
        yield w(
            "feedback.short_ratings",
            answers=w.count(report.ratings.answers),
            mean=w.decimal(report.ratings.mean),
        )


def _cards(report: FeedbackReport, w: Words) -> Iterator[Card]:
    for key, score in (("satisfaction", report.satisfaction), ("ratings", report.ratings)):
        if score:
            bounds = w("page.interval", low=w.decimal(score.low), high=w.decimal(score.high))
            yield Card(w(f"feedback.{key}"), w.decimal(score.mean), bounds)
            share = w.percent(score.satisfied, 0)
            yield Card(w("feedback.satisfied"), share, f"{w.count(score.answers)} · {w(f'feedback.{key}')}")


def _satisfaction(report: FeedbackReport, w: Words) -> Iterator[str | Chart | Table]:
    if not report.months:
        yield w("feedback.no_answers")
        return
    yield w("feedback.satisfaction_about")
    yield from _over_time("feedback.satisfaction_chart", report.months, BLUE, w)
    yield bars(
        w("feedback.distribution_chart"),
        _labels(report.months, w),
        [
            Series(
                w("feedback.stars", count=place + 1), [each.counts[place] for each in report.months], color
            )
            for place, color in enumerate(_STARS)
        ],
        w.compact,
        stacked=True,
    )
    tiers = [(w.named("tier", each.of), each) for each in report.tiers]
    yield _scores("by_tier", w("programme.tier"), tiers, w)
    yield _scores("by_survey", w("feedback.by_survey"), [(each.of, each) for each in report.surveys], w)
    if report.campaigns:
        yield w("feedback.by_campaign_about")
        yield Table(
            [
                w("feedback.campaign"),
                "",
                w("feedback.answers"),
                w("feedback.mean"),
                w("feedback.interval"),
                w("feedback.satisfied"),
            ],
            [
                (each.theme if group == "participants" else "", w(f"feedback.{group}"), *_figures(score, w))
                for each in report.campaigns
                for group, score in (("participants", each.participants), ("others", each.others))
                if score
            ],
            words=2,
            title=w("feedback.by_campaign"),
        )


def _ratings(report: FeedbackReport, w: Words) -> Iterator[str | Chart | Table]:
    if not report.rating_months:
        yield w("feedback.no_ratings")
        return
    yield w("feedback.ratings_about", removed=w.count(report.removed))
    yield from _over_time("feedback.ratings_chart", report.rating_months, AMBER, w)
    for key, products in (("best", report.best), ("worst", report.worst)):
        if products:
            yield _scores(key, w("feedback.product"), [(each.of, each) for each in products], w)


def _over_time(key: str, months: Sequence[Score], color: str, w: Words) -> Iterator[Chart]:
    yield lines(
        w(key),
        _labels(months, w),
        [
            Series(
                w("feedback.mean"),
                [each.mean for each in months],
                color,
                band=[(each.low, each.high) for each in months],
            )
        ],
        lambda value: w.decimal(value, 1),
        bottom=_LEAST,
        top=_MOST,
    )


def _scores(key: str, head: str, named: Sequence[tuple[str, Score]], w: Words) -> Table:
    return Table(
        [
            head,
            w("feedback.answers"),
            w("feedback.mean"),
            w("feedback.interval"),
            w("feedback.satisfied"),
        ],
        [(name, *_figures(score, w)) for name, score in named],
        title=w(f"feedback.{key}"),
    )


def _figures(score: Score, w: Words) -> tuple[str, str, str, str]:
    return (
        w.count(score.answers),
        w.decimal(score.mean),
        w("page.interval_short", low=w.decimal(score.low), high=w.decimal(score.high)),
        w.percent(score.satisfied, 0),
    )


def _month(score: Score) -> date:
    return date.fromisoformat(f"{score.of}-01")


def _labels(months: Sequence[Score], w: Words) -> list[str]:
    return month_labels([_month(each) for each in months], w)

"""The page of the programme as a whole."""

from collections.abc import Iterator, Sequence

from loyalty_stream.analysis.reports.charts import (
    AMBER,
    BLUE,
    RED,
    SLATE,
    TEAL,
    Chart,
    Series,
    across,
    bars,
    lines,
)
from loyalty_stream.analysis.reports.pages.page import Card, Page, Section, Table, month_labels, span_line
from loyalty_stream.analysis.reports.programme import Measure, ProgrammeReport, Targets, Way
from loyalty_stream.analysis.reports.words import DASH, Words

_MEASURES = ("retention", "purchase_frequency", "activity")


def programme_page(report: ProgrammeReport, w: Words) -> Page:
    return Page(
        kicker=f"{w('programme.kicker')} · {report.id}",
        title=w("programme.title"),
        about=[span_line(report.data, w)],
        short=list(_short(report, w)),
        cards=_cards(report, w),
        sections=[
            Section(w("programme.targets"), list(_targets(report.targets, w))),
            Section(w("programme.coming_back"), list(_coming_back(report, w))),
            Section(w("programme.points_by_month"), list(_points(report, w))),
            Section(w("programme.ways"), list(_ways(report, w))),
            Section(w("programme.tiers"), [w("programme.tiers_about"), _tiers(report, w)]),
        ],
        how=[w(f"programme.how_{what}") for what in ("active", "targets", "orders")],
    )


def _short(report: ProgrammeReport, w: Words) -> Iterator[str]:
    totals = report.totals
    yield w(
        "programme.short_customers",
        customers=w.count(totals.customers),
        orders=w.count(totals.orders),
        sales=w.money(totals.sales_amount),
        repeat=w.count(totals.repeat_buyers),
        buyers=w.count(totals.buyers),
    )
    yield w(
        "programme.short_points",
        granted=w.count(totals.granted),
        redeemed=w.count(totals.redeemed),
        expired=w.count(totals.expired),
        outstanding=w.count(totals.outstanding),
    )
    for name in _MEASURES if report.targets else ():
        measure: Measure = getattr(report.targets, name)
        if measure.uplift is not None and measure.target is not None:
            met = measure.uplift >= measure.target
            yield w(
                "programme.short_target_met" if met else "programme.short_target_open",
                what=w(f"programme.{name}"),
                uplift=w.signed(measure.uplift),
                target=w.signed(measure.target),
            )


def _cards(report: ProgrammeReport, w: Words) -> list[Card]:
    totals = report.totals
    each = totals.sales_amount / totals.orders if totals.orders else 0
    return [
        Card(
            w("programme.card_active"),
            w.count(totals.buyers),
            w(
                "programme.card_active_note",
                customers=w.count(totals.customers),
                registered=w.count(totals.registered),
            ),
        ),
        Card(
            w("programme.card_repeat"),
            w.percent(totals.repeat_buyers / totals.buyers if totals.buyers else None),
            w("programme.card_repeat_note", orders=w.count(totals.repeat_orders)),
        ),
        Card(
            w("page.sales"), w.money(totals.sales_amount), w("programme.card_sales_note", each=w.money(each))
        ),
        Card(w("programme.card_rate"), w.percent(totals.redemption_rate), w("programme.card_rate_note")),
    ]


def _targets(targets: Targets | None, w: Words) -> Iterator[str | Table]:
    if targets is None:
        yield w("programme.too_short")
        return
    key = "programme.targets_about_year" if targets.same_season else "programme.targets_about_start"
    spans = {
        name: w("page.interval_short", low=w.day(span.first), high=w.day(span.last))
        for name, span in (("then", targets.then), ("now", targets.now))
    }
    yield w(key, days=w.count(targets.now.days), **spans)
    if targets.retention.target is None:
        yield w("programme.no_targets")
    yield Table(
        [w(f"programme.{head}") for head in ("measure", "then", "now", "uplift", "hoped", "reached")],
        [
            (
                w(f"programme.{name}"),
                _value(name, measure.then, w),
                _value(name, measure.now, w),
                w.signed(measure.uplift),
                w.signed(measure.target),
                w.percent(measure.reached, 0),
            )
            for name in _MEASURES
            for measure in [getattr(targets, name)]
        ],
    )


def _value(name: str, value: float | None, w: Words) -> str:
    if name != "purchase_frequency":
        return w.percent(value)
    return DASH if value is None else w.decimal(value)


def _coming_back(report: ProgrammeReport, w: Words) -> Iterator[str | Chart | Table]:
    months = report.months
    labels = month_labels([each.month for each in months], w)
    yield bars(
        w("programme.coming_chart"),
        labels,
        [
            Series(w("programme.returning"), [each.returning for each in months], BLUE),
            Series(w("programme.new_buyers"), [each.active - each.returning for each in months], AMBER),
        ],
        w.compact,
        stacked=True,
    )
    if any(each.retention is not None for each in months):
        yield lines(
            w("programme.retention_chart"),
            labels,
            [Series(w("programme.retention"), [each.retention for each in months], BLUE)],
            lambda share: w.percent(share, 0),
            bottom=0,
            top=1.04,
        )
    heads = ("active", "returning", "retention", "new_customers")
    yield Table(
        [
            w("page.month"),
            *(w(f"programme.{head}") for head in heads),
            w("page.orders"),
            w("programme.repeat_orders"),
            w("programme.per_active"),
            w.in_currency(w("page.sales")),
        ],
        [
            (
                w.month(each.month),
                w.count(each.active),
                w.count(each.returning),
                w.percent(each.retention),
                w.count(each.new_customers),
                w.count(each.orders),
                w.count(each.repeat_orders),
                w.decimal(each.orders / each.active) if each.active else DASH,
                w.plain_money(each.sales_amount),
            )
            for each in months
        ],
    )
    yield w("page.not_whole")


def _points(report: ProgrammeReport, w: Words) -> Iterator[Chart | Table]:
    months = report.months
    kinds = (("granted", BLUE), ("redeemed", TEAL), ("expired", RED), ("revoked", SLATE))
    yield bars(
        w("programme.points_chart"),
        month_labels([each.month for each in months], w),
        [Series(w(f"page.{kind}"), [getattr(each, kind) for each in months], color) for kind, color in kinds],
        w.compact,
    )
    yield Table(
        [w("page.month"), *(w(f"page.{kind}") for kind, _ in kinds)],
        [(w.month(each.month), *(w.count(getattr(each, kind)) for kind, _ in kinds)) for each in months],
        total=(
            w("page.total"),
            *(w.count(sum(getattr(each, kind) for each in months)) for kind, _ in kinds),
        ),
    )


def _ways(report: ProgrammeReport, w: Words) -> Iterator[Chart | Table]:
    for key, ways in (
        ("earned_chart", report.earned),
        ("spent_chart", report.spent),
        ("revoked_chart", report.revoked),
    ):
        if ways:
            labels = [w.named("way", each.way) for each in ways]
            yield across(w(f"programme.{key}"), labels, [each.points for each in ways], w.count)
            yield _way_table(ways, w)


def _way_table(ways: Sequence[Way], w: Words) -> Table:
    return Table(
        [w("programme.way"), w("page.points"), w("programme.events"), w("page.customers")],
        [
            (w.named("way", each.way), w.count(each.points), w.count(each.events), w.count(each.customers))
            for each in ways
        ],
    )


def _tiers(report: ProgrammeReport, w: Words) -> Table:
    return Table(
        [
            w("programme.tier"),
            w("page.customers"),
            w.in_currency(w("page.sales")),
            *(w(f"page.{head}") for head in ("granted", "redeemed", "expired")),
        ],
        [
            (
                w.named("tier", each.tier),
                w.count(each.customers),
                w.plain_money(each.sales_amount),
                w.count(each.granted),
                w.count(each.redeemed),
                w.count(each.expired),
            )
            for each in report.tiers
        ],
    )

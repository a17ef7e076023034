"""The page of the programme's finance."""

from collections.abc import Iterator
from itertools import accumulate

from loyalty_stream.analysis.reports.charts import (
    AMBER,
    BLUE,
    RED,
    SLATE,
    TEAL,
    Chart,
    Series,
    bars,
    lines,
)
from loyalty_stream.analysis.reports.finance import FinanceReport, Plan
from loyalty_stream.analysis.reports.pages.breakage import backtest, curves
from loyalty_stream.analysis.reports.pages.page import Card, Page, Section, Table, month_labels, span_line
from loyalty_stream.analysis.reports.words import Words


def finance_page(report: FinanceReport, w: Words) -> Page:
    return Page(
        kicker=w("finance.kicker"),
        title=w("finance.title"),
        about=[span_line(report.data, w)],
        short=list(_short(report, w)),
        cards=_cards(report, w),
        sections=[
            Section(w("finance.benefit"), list(_benefit(report, w))),
            Section(w("finance.owed"), list(_owed(report, w))),
            Section(w("finance.breakage"), list(curves(report.breakage, w))),
            Section(w("finance.backtest"), list(backtest(report.breakage, w))),
            Section(w("finance.plan"), [w("finance.plan_about"), _plan(report.plan, w)]),
        ],
        how=[w(f"finance.how_{what}") for what in ("cost", "margin", "chain", "young")],
    )


def _short(report: FinanceReport, w: Words) -> Iterator[str]:
    plan, owed, benefit = report.plan, report.liability, report.benefit
    yield w(
        "finance.short_benefit", extra=w.money(benefit.extra_sales_amount), net=w.money(benefit.net_amount)
    )
    yield w(
        "finance.short_liability",
        points=w.count(owed.outstanding),
        liability=w.money(owed.liability_amount),
        breakage=w.percent(owed.expected_breakage),
    )
    if plan.investment_amount or plan.extra_sales_amount:
        yield w(
            "finance.short_plan",
            investment=w.money(plan.investment_amount),
            extra=w.money(plan.extra_sales_amount),
            net=w.money(plan.net_amount),
        )
    if plan.potential_amount:
        yield w(
            "finance.short_potential",
            customers=w.count(plan.customers),
            baseline=w.money(plan.baseline_annual_spend_amount),
            expected=w.money(plan.expected_annual_spend_amount),
            potential=w.money(plan.potential_amount),
        )


def _cards(report: FinanceReport, w: Words) -> list[Card]:
    owed, benefit = report.liability, report.benefit
    return [
        Card(w("finance.owed"), w.count(owed.outstanding)),
        Card(
            w("finance.liability"),
            w.money(owed.liability_amount),
            w("finance.liability_note", unit=w.money(report.unit_cost_amount)),
        ),
        Card(w("finance.expected_breakage"), w.percent(owed.expected_breakage)),
        Card(w("finance.expected_liability"), w.money(owed.expected_liability_amount)),
        Card(w("finance.face"), w.money(owed.face_amount)),
        Card(w("page.sales"), w.money(benefit.sales_amount)),
        Card(w("finance.points_cost"), w.money(benefit.points_cost_amount)),
        Card(w("finance.net_so_far"), w.money(benefit.net_amount)),
    ]


def _plan(plan: Plan, w: Words) -> Table:
    years = plan.payback_years
    return Table(
        [w("finance.plan"), ""],
        [
            (w("finance.investment"), w.money(plan.investment_amount)),
            (w("finance.extra_sales"), w.money(plan.extra_sales_amount)),
            (w("finance.net"), w.money(plan.net_amount)),
            (
                w("finance.margin_of", margin=w.percent(plan.gross_margin)),
                w.money(plan.extra_margin_amount),
            ),
            (w("finance.net_margin"), w.money(plan.net_margin_amount)),
            (
                w("finance.payback"),
                w("finance.never") if years is None else w("finance.years", years=w.decimal(years)),
            ),
            (w("finance.customers"), w.count(plan.customers)),
            (w("finance.baseline_spend"), w.money(plan.baseline_annual_spend_amount)),
            (w("finance.expected_spend"), w.money(plan.expected_annual_spend_amount)),
            (w("finance.potential"), w.money(plan.potential_amount)),
        ],
    )


def _benefit(report: FinanceReport, w: Words) -> Iterator[str | Chart | Table]:
    months, benefit = report.months, report.benefit
    labels = month_labels([each.month for each in months], w)
    yield w("finance.benefit_about")
    yield lines(
        w("finance.sales_chart"),
        labels,
        [
            Series(w("finance.with"), [each.sales_amount for each in months], BLUE),
            Series(w("finance.without"), [each.baseline_sales_amount for each in months], SLATE, dashed=True),
        ],
        w.compact_money,
        bottom=0,
    )
    yield lines(
        w("finance.cumulative_chart"),
        labels,
        [
            Series(w("finance.cumulative"), list(accumulate(each.net_amount for each in months)), TEAL),
            Series(w("finance.investment"), [benefit.investment_amount] * len(months), AMBER, dashed=True),
        ],
        w.compact_money,
    )
    yield Table(
        [
            w("page.month"),
            w.in_currency(w("finance.with")),
            w.in_currency(w("finance.without")),
            w.in_currency(w("finance.margin")),
            w.in_currency(w("finance.points_cost")),
            w.in_currency(w("finance.month_net")),
        ],
        [
            (
                w.month(each.month),
                w.plain_money(each.sales_amount),
                w.plain_money(each.baseline_sales_amount),
                w.plain_money(each.margin_amount),
                w.plain_money(each.points_cost_amount),
                w.plain_money(each.net_amount),
            )
            for each in months
        ],
        total=(
            w("page.total"),
            w.plain_money(benefit.sales_amount),
            w.plain_money(benefit.baseline_sales_amount),
            w.plain_money(sum(each.margin_amount for each in months)),
            w.plain_money(benefit.points_cost_amount),
            w.plain_money(sum(each.net_amount for each in months)),
        ),
    )
    yield Table(
        [w("finance.benefit"), ""],
        [
            (w("finance.difference"), w.money(benefit.extra_sales_amount)),
            (
                w("finance.margin_of", margin=w.percent(report.plan.gross_margin)),
                w.money(benefit.extra_margin_amount),
            ),
            (w("finance.points_cost"), w.money(-benefit.points_cost_amount)),
            (w("finance.investment"), w.money(-benefit.investment_amount)),
        ],
        total=(w("finance.net_so_far"), w.money(benefit.net_amount)),
    )


def _owed(report: FinanceReport, w: Words) -> Iterator[str | Chart | Table]:
    owed = report.liability
    yield w("finance.owed_about")
    if owed.debt:
        yield w("finance.debt", points=w.count(owed.debt))
    kinds = (("redeemed", TEAL), ("expired", RED), ("revoked", AMBER), ("outstanding", BLUE))
    yield bars(
        w("finance.owed_chart"),
        month_labels([each.month for each in owed.months], w),
        [
            Series(w(f"page.{kind}"), [getattr(each, kind) for each in owed.months], color)
            for kind, color in kinds
        ],
        w.compact,
        stacked=True,
    )
    heads = ("granted", "redeemed", "expired", "revoked", "outstanding")
    yield Table(
        [w("finance.cohort"), *(w(f"page.{head}") for head in heads), w.in_currency(w("finance.liability"))],
        [
            (
                w.month(each.month),
                *(w.count(getattr(each, head)) for head in heads),
                w.plain_money(each.liability_amount),
            )
            for each in owed.months
        ],
        total=(
            w("page.total"),
            *(w.count(sum(getattr(each, head) for each in owed.months)) for head in heads),
            w.plain_money(sum(each.liability_amount for each in owed.months)),
        ),
    )

"""The page of a merchant."""

from collections.abc import Iterator

from loyalty_stream.analysis.reports.charts import AMBER, BLUE, TEAL, Chart, Series, bars
from loyalty_stream.analysis.reports.merchant import MerchantReport
from loyalty_stream.analysis.reports.pages.page import Card, Page, Section, Table, month_labels, span_line
from loyalty_stream.analysis.reports.words import Words


def merchant_page(report: MerchantReport, w: Words) -> Page:
    return Page(
        kicker=w("merchant.kicker"),
        title=w("merchant.title", merchant=report.id),
        about=[span_line(report.data, w)],
        short=_short(report, w),
        cards=_cards(report, w),
        sections=[
            Section(w("merchant.by_month"), list(_months(report, w))),
            Section(w("merchant.campaigns"), list(_campaigns(report, w))),
            Section(w("merchant.products"), [_products(report, w)]),
        ],
        how=[w("merchant.how_lines"), w("merchant.how_members")],
    )


def _short(report: MerchantReport, w: Words) -> list[str]:
    return [
        w(
            "merchant.short_sales",
            customers=w.count(report.customers),
            sales=w.money(report.sales_amount),
            orders=w.count(report.orders),
            share=w.percent(report.share_of_sales),
        ),
        w(
            "merchant.short_repeat",
            repeat=w.count(report.repeat_customers),
            brought=w.count(report.brought),
        ),
        w(
            "merchant.short_points",
            paid=w.money(report.paid_with_points_amount),
            granted=w.count(report.points_granted),
        ),
    ]


def _cards(report: MerchantReport, w: Words) -> list[Card]:
    share = f"{w.percent(report.share_of_customers)} {w('merchant.card_share')}"
    repeat = report.repeat_customers / report.customers if report.customers else None
    each = report.sales_amount / report.orders if report.orders else 0
    return [
        Card(w("page.customers"), w.count(report.customers), share),
        Card(w("merchant.card_repeat"), w.percent(repeat)),
        Card(w("page.sales"), w.money(report.sales_amount), w("merchant.each_order", each=w.money(each))),
        Card(
            w("merchant.card_paid"),
            w.money(report.paid_with_points_amount),
            w("merchant.card_paid_note", points=w.count(report.points_spent)),
        ),
        Card(w("merchant.card_granted"), w.count(report.points_granted)),
    ]


def _months(report: MerchantReport, w: Words) -> Iterator[str | Chart | Table]:
    months = report.months
    labels = month_labels([each.month for each in months], w)
    sales = Series(w("page.sales"), [each.sales_amount for each in months], TEAL)
    yield bars(w("merchant.sales_chart"), labels, [sales], w.compact_money)
    yield bars(
        w("merchant.customers_chart"),
        labels,
        [
            Series(w("merchant.again"), [each.customers - each.new_customers for each in months], BLUE),
            Series(w("merchant.new"), [each.new_customers for each in months], AMBER),
        ],
        w.compact,
        stacked=True,
    )
    yield Table(
        [
            w("page.month"),
            w("page.customers"),
            w("merchant.new"),
            w("page.orders"),
            w.in_currency(w("page.sales")),
        ],
        [
            (
                w.month(each.month),
                w.count(each.customers),
                w.count(each.new_customers),
                w.count(each.orders),
                w.plain_money(each.sales_amount),
            )
            for each in months
        ],
    )
    yield w("page.not_whole")


def _campaigns(report: MerchantReport, w: Words) -> Iterator[str | Table]:
    if not report.campaigns:
        yield w("merchant.no_campaigns")
        return
    yield w("merchant.campaigns_about")
    yield Table(
        [
            w("merchant.campaign"),
            w("page.customers"),
            w("page.orders"),
            w.in_currency(w("page.sales")),
            w("page.points"),
        ],
        [
            (
                each.theme,
                w.count(each.customers),
                w.count(each.orders),
                w.plain_money(each.sales_amount),
                w.count(each.points_granted),
            )
            for each in report.campaigns
        ],
    )


def _products(report: MerchantReport, w: Words) -> Table:
    return Table(
        [w("merchant.product"), w("page.orders"), w.in_currency(w("page.sales"))],
        [(each.sku, w.count(each.orders), w.plain_money(each.sales_amount)) for each in report.products],
    )

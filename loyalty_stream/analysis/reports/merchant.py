"""What the programme brings one merchant: its customers, sales, points and campaigns, by the lines that name it."""

from datetime import date
from typing import Final

from duckdb import DuckDBPyConnection
from msgspec import Struct

from loyalty_stream.analysis.reports.ledger_tables import NothingToReportError, Span, prepare_lines, row, rows
from loyalty_stream.programme import Programme

TOP: Final = 10
"""Products shown."""


class MerchantMonth(Struct, frozen=True):
    """A month of the calendar at the merchant; the first and the last may not be whole."""

    month: date
    customers: int
    new_customers: int
    """Who bought there first in this month."""
    orders: int
    sales_amount: int


class MerchantCampaign(Struct, frozen=True):
    """A campaign at the merchant: orders with its goods that the campaign granted points for."""

    campaign: str
    theme: str
    customers: int
    orders: int
    sales_amount: int
    points_granted: int


class Product(Struct, frozen=True):
    """One of the merchant's products."""

    sku: str
    orders: int
    sales_amount: int


class MerchantReport(Struct, frozen=True):
    """A merchant in numbers; amounts in minor units of `currency`, less what was refunded.

    An order's points belong to its merchants in proportion to what they sold in it.
    """

    id: str
    currency: str
    data: Span
    customers: int
    repeat_customers: int
    """Who bought there more than once."""
    brought: int
    """Customers whose first order of all was, in part, here."""
    share_of_customers: float
    """Of all customers who bought anything."""
    orders: int
    sales_amount: int
    share_of_sales: float
    points_granted: int
    points_spent: int
    """At checkouts with its goods."""
    paid_with_points_amount: int
    months: tuple[MerchantMonth, ...]
    campaigns: tuple[MerchantCampaign, ...]
    products: tuple[Product, ...]


_GATHER: Final = """
CREATE OR REPLACE TEMP TABLE own AS
WITH mine AS (
    SELECT customer, order_id, sum(sales_amount) AS sales_amount FROM line
    WHERE merchant_id = $merchant AND stands GROUP BY ALL
)
SELECT m.customer, m.order_id, s."month", s.nth AS nth_of_all,
    row_number() OVER (PARTITION BY m.customer ORDER BY s."local", m.order_id) AS nth,
    m.sales_amount, CASE WHEN s.sales_amount > 0 THEN m.sales_amount / s.sales_amount ELSE 0 END AS share,
    s.points_spent, s.points_amount
FROM mine m JOIN sale s USING (customer, order_id)
"""
_TOTALS: Final = """
SELECT count(DISTINCT customer), count(DISTINCT customer) FILTER (nth > 1), count(*) FILTER (nth_of_all = 1), count(*),
    round(coalesce(sum(sales_amount), 0))::BIGINT, round(coalesce(sum(points_spent * share), 0))::BIGINT,
    round(coalesce(sum(points_amount * share), 0))::BIGINT,
    (SELECT count(DISTINCT customer) FROM sale WHERE stands), (SELECT coalesce(sum(sales_amount), 0)::BIGINT FROM sale)
FROM own
"""
_GRANTED: Final = """
SELECT round(coalesce(sum(f.points * o.share), 0))::BIGINT FROM flow f JOIN own o USING (customer, order_id)
WHERE f."type" = 'point-granted'
"""
_MONTHS: Final = """
WITH calendar AS (
    SELECT unnest(generate_series(date_trunc('month', $first::DATE), $last::DATE, INTERVAL 1 MONTH))::DATE AS "month"
), sold AS (
    SELECT "month", count(DISTINCT customer) AS customers, count(*) FILTER (nth = 1) AS joined, count(*) AS orders,
        round(sum(sales_amount))::BIGINT AS amount
    FROM own GROUP BY ALL
)
SELECT "month", coalesce(customers, 0), coalesce(joined, 0), coalesce(orders, 0), coalesce(amount, 0)
FROM calendar LEFT JOIN sold USING ("month") ORDER BY "month"
"""
_CAMPAIGNS: Final = """
WITH granted AS (
    SELECT customer, order_id, campaign_id, sum(points) AS points FROM flow
    WHERE "type" = 'point-granted' AND campaign_id IS NOT NULL AND order_id IS NOT NULL GROUP BY ALL
)
SELECT campaign_id, count(DISTINCT customer), count(*), round(sum(sales_amount))::BIGINT,
    round(sum(points * share))::BIGINT
FROM granted JOIN own USING (customer, order_id) GROUP BY 1 ORDER BY 4 DESC, 1
"""
_PRODUCTS: Final = """
SELECT sku, count(DISTINCT (customer, order_id)), round(sum(sales_amount))::BIGINT FROM line
WHERE merchant_id = $merchant AND stands GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT $top
"""


def merchant_report(
    connection: DuckDBPyConnection, data: Span, programme: Programme, merchant: str
) -> MerchantReport:
    """The report of a merchant. Raises NothingToReportError where no order has a line of it."""
    prepare_lines(connection)
    (sold,) = row(connection, "SELECT count(*) FROM line WHERE merchant_id = $merchant", merchant=merchant)
    if not sold:
        known = [
            each
            for (each,) in rows(
                connection,
                "SELECT DISTINCT merchant_id FROM line WHERE merchant_id IS NOT NULL ORDER BY 1 LIMIT 20",
            )
        ]
        raise NothingToReportError(
            f"merchant {merchant}: no line of an order names it; there are {', '.join(known) or 'none at all'}"
        )
    connection.execute(_GATHER, {"merchant": merchant})
    customers, repeat, brought, orders, sales, spent, paid, all_customers, all_sales = row(
        connection, _TOTALS
    )
    themes: dict[str, str] = {campaign.id: str(campaign.theme) for campaign in programme.campaigns}
    return MerchantReport(
        id=merchant,
        currency=programme.programme.currency,
        data=data,
        customers=customers,
        repeat_customers=repeat,
        brought=brought,
        share_of_customers=customers / all_customers if all_customers else 0.0,
        orders=orders,
        sales_amount=sales,
        share_of_sales=sales / all_sales if all_sales else 0.0,
        points_granted=row(connection, _GRANTED)[0],
        points_spent=spent,
        paid_with_points_amount=paid,
        months=tuple(
            MerchantMonth(*each) for each in rows(connection, _MONTHS, first=data.first, last=data.last)
        ),
        campaigns=tuple(
            MerchantCampaign(campaign, themes.get(campaign) or campaign, *figures)
            for campaign, *figures in rows(connection, _CAMPAIGNS)
        ),
        products=tuple(Product(*each) for each in rows(connection, _PRODUCTS, merchant=merchant, top=TOP)),
    )

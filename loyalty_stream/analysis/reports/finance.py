"""What the programme costs and brings: what was planned, what is owed in points, what was sold with and without it."""

from datetime import date
from typing import Final

from duckdb import DuckDBPyConnection
from msgspec import Struct

from loyalty_stream.analysis.reports.breakage import Breakage, breakage
from loyalty_stream.analysis.reports.ledger_tables import Span, row, rows
from loyalty_stream.programme import Programme
from loyalty_stream.programme.model import Finance

DAYS_OF_A_YEAR: Final = 365


class Plan(Struct, frozen=True):
    """What [finance] of the programme file promises, for a year, in minor units."""

    investment_amount: int
    extra_sales_amount: int
    net_amount: int
    """Extra sales less the investment."""
    gross_margin: float
    extra_margin_amount: int
    net_margin_amount: int
    """Extra margin less the investment: the stricter figure, for sales are not profit."""
    payback_years: float | None
    """Years until the extra margin has paid the investment; None: never."""
    customers: int
    baseline_annual_spend_amount: int
    expected_annual_spend_amount: int
    potential_amount: int
    """What all customers together would spend more in a year."""


class GrantMonth(Struct, frozen=True):
    """Points outstanding of one month of grant, now, and what they would cost if all were redeemed."""

    month: date
    granted: int
    redeemed: int
    expired: int
    revoked: int
    outstanding: int
    liability_amount: int


class Liability(Struct, frozen=True):
    """What is owed in points, at the end of the data. Amounts in minor units."""

    outstanding: int
    """Available, pending and held, less what customers owe us."""
    debt: int
    liability_amount: int
    """At the unit cost of a point."""
    face_amount: int
    """What customers can pay with them at a checkout."""
    expected_breakage: float | None
    """Share of the points outstanding that is expected to expire; null: no month is complete yet to tell it by."""
    expected_liability_amount: int
    """The liability less that share, or all of it where that is not known."""
    months: tuple[GrantMonth, ...]


class MoneyMonth(Struct, frozen=True):
    """A month's sales and margin with the programme, and what they would have been without; in minor units."""

    month: date
    sales_amount: int
    margin_amount: int
    baseline_sales_amount: int
    """The baseline spend of the programme file for each customer and day that the ledger knew them."""
    baseline_margin_amount: int
    points_cost_amount: int
    """Points redeemed, less restored, at their unit cost."""
    net_amount: int
    """Margin with, less margin without, less the points' cost."""


class Benefit(Struct, frozen=True):
    """Investment against benefit so far; in minor units."""

    sales_amount: int
    baseline_sales_amount: int
    extra_sales_amount: int
    extra_margin_amount: int
    points_cost_amount: int
    investment_amount: int
    net_amount: int
    """Extra margin less the points' cost and the investment."""


class FinanceReport(Struct, frozen=True):
    """The programme in money. Amounts are in minor units of `currency`; the month in hand is not over."""

    currency: str
    data: Span
    unit_cost_amount: int
    plan: Plan
    liability: Liability
    breakage: Breakage
    months: tuple[MoneyMonth, ...]
    benefit: Benefit


_GRANT_MONTHS: Final = """
SELECT "month", sum(granted)::BIGINT, sum(redeemed)::BIGINT, sum(expired)::BIGINT, sum(revoked)::BIGINT,
    sum(outstanding)::BIGINT
FROM lot GROUP BY "month" ORDER BY "month"
"""
_DEBT: Final = """
SELECT coalesce(sum(debt), 0)::BIGINT FROM (
    SELECT debt FROM points_events QUALIFY row_number() OVER (PARTITION BY customer ORDER BY "offset" DESC) = 1
)
"""
_MONEY_MONTHS: Final = """
WITH calendar AS (
    SELECT unnest(generate_series(date_trunc('month', $first::DATE), $last::DATE, INTERVAL 1 MONTH))::DATE AS "month"
), joined AS (
    SELECT first_seen::DATE AS "day", count(*) AS customers FROM member GROUP BY ALL
), known AS (
    SELECT c."month",
        sum(j.customers * (least(last_day(c."month"), $last::DATE) - greatest(j."day", c."month") + 1)) AS days
    FROM calendar c JOIN joined j ON j."day" <= least(last_day(c."month"), $last::DATE) GROUP BY ALL
), sold AS (
    SELECT "month", sum(sales_amount) AS amount FROM sale GROUP BY ALL
), spent AS (
    SELECT date_trunc('month', "local")::DATE AS "month",
        sum(CASE what WHEN 'redeemed' THEN points WHEN 'restored' THEN -points ELSE 0 END) AS points
    FROM movement GROUP BY ALL
)
SELECT "month", coalesce(amount, 0)::BIGINT, coalesce(days, 0)::BIGINT, coalesce(points, 0)::BIGINT
FROM calendar LEFT JOIN known USING ("month") LEFT JOIN sold USING ("month") LEFT JOIN spent USING ("month")
ORDER BY "month"
"""


def finance_report(connection: DuckDBPyConnection, data: Span, programme: Programme) -> FinanceReport:
    """The report. Figures that the data cannot know are [finance] of the programme file."""
    finance = programme.finance
    expected = breakage(connection, data, dates_move=programme.expiry.policy == "inactivity")
    months = _money_months(connection, data, finance)
    return FinanceReport(
        currency=programme.programme.currency,
        data=data,
        unit_cost_amount=finance.unit_cost_amount,
        plan=plan(finance),
        liability=_liability(connection, programme, expected),
        breakage=expected,
        months=months,
        benefit=_benefit(months, finance),
    )


def plan(finance: Finance) -> Plan:
    """What the figures of the programme file come to."""
    extra, investment = finance.extra_sales_amount, finance.investment_amount
    margin = int(extra * finance.gross_margin)
    more_each = finance.expected_annual_spend_amount - finance.baseline_annual_spend_amount
    return Plan(
        investment_amount=investment,
        extra_sales_amount=extra,
        net_amount=extra - investment,
        gross_margin=float(finance.gross_margin),
        extra_margin_amount=margin,
        net_margin_amount=margin - investment,
        payback_years=investment / margin if margin else None,
        customers=finance.customers,
        baseline_annual_spend_amount=finance.baseline_annual_spend_amount,
        expected_annual_spend_amount=finance.expected_annual_spend_amount,
        potential_amount=finance.customers * more_each,
    )


def _liability(connection: DuckDBPyConnection, programme: Programme, expected: Breakage) -> Liability:
    cost, redemption = programme.finance.unit_cost_amount, programme.redemption
    months = tuple(
        GrantMonth(month, granted, redeemed, expired, revoked, left, left * cost)
        for month, granted, redeemed, expired, revoked, left in rows(connection, _GRANT_MONTHS)
    )
    outstanding = sum(month.outstanding for month in months)
    (debt,) = row(connection, _DEBT)
    left = sum(cohort.outstanding for cohort in expected.cohorts)
    share = sum(cohort.expected_expired for cohort in expected.cohorts) / left if left else None
    owed = outstanding - debt
    return Liability(
        outstanding=owed,
        debt=debt,
        liability_amount=owed * cost,
        face_amount=owed * redemption.amount // redemption.points,
        expected_breakage=share,
        expected_liability_amount=round(owed * cost * (1 - (share or 0.0))),
        months=months,
    )


def _money_months(connection: DuckDBPyConnection, data: Span, finance: Finance) -> tuple[MoneyMonth, ...]:
    months = []
    for month, sales, days, points in rows(connection, _MONEY_MONTHS, first=data.first, last=data.last):
        baseline = round(finance.baseline_annual_spend_amount * days / DAYS_OF_A_YEAR)
        margin, without = (round(amount * finance.gross_margin) for amount in (sales, baseline))
        cost = points * finance.unit_cost_amount
        months.append(
            MoneyMonth(month, sales, margin, baseline, without, cost, net_amount=margin - without - cost)
        )
    return tuple(months)


def _benefit(months: tuple[MoneyMonth, ...], finance: Finance) -> Benefit:
    sales = sum(month.sales_amount for month in months)
    baseline = sum(month.baseline_sales_amount for month in months)
    extra_margin = sum(month.margin_amount - month.baseline_margin_amount for month in months)
    cost = sum(month.points_cost_amount for month in months)
    return Benefit(
        sales_amount=sales,
        baseline_sales_amount=baseline,
        extra_sales_amount=sales - baseline,
        extra_margin_amount=extra_margin,
        points_cost_amount=cost,
        investment_amount=finance.investment_amount,
        net_amount=extra_margin - cost - finance.investment_amount,
    )

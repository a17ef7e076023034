"""The page of a campaign."""

from collections.abc import Iterator
from typing import Final

from loyalty_stream.analysis.reports.campaign import CampaignReport, Day
from loyalty_stream.analysis.reports.charts import (
    AMBER,
    BLUE,
    SLATE,
    Chart,
    Interval,
    Series,
    bars,
    intervals,
)
from loyalty_stream.analysis.reports.pages.page import Card, Page, Section, Table, span_line
from loyalty_stream.analysis.reports.uplift import Comparison, Uplift
from loyalty_stream.analysis.reports.words import DASH, Words

_WINDOWS: Final = ("before", "during", "after")
_AMOUNTS: Final = frozenset({"earlier", "uplift", "uplift_after"})
"""Columns of amounts of the comparison."""


def campaign_page(report: CampaignReport, w: Words, unit_cost_amount: int) -> Page:
    """The page; `unit_cost_amount` is what a point costs, in minor units."""
    when = w("campaign.when", starts=w.instant(report.starts_at), ends=w.until(report.ends_at))
    sections = [
        Section(w("campaign.windows"), [w("campaign.windows_about"), _windows(report, w)]),
        Section(w("campaign.by_day"), _by_day(report, w)),
    ]
    if report.customers:
        sections.insert(0, Section(w("campaign.against"), list(_against(report, w))))
    if report.winners or report.entries or report.gifts:
        sections.append(Section(w("campaign.winners"), list(_winners(report, w))))
    return Page(
        kicker=w("campaign.kicker"),
        title=w("campaign.title", theme=report.theme),
        about=[f"{when} · {report.id}", span_line(report.data, w)],
        short=list(_short(report, w)),
        cards=list(_cards(report, w, unit_cost_amount)),
        sections=sections,
        how=[w(f"campaign.how_{what}") for what in ("participants", "match", "sales", "cost", "budget")],
    )


def _short(report: CampaignReport, w: Words) -> Iterator[str]:
    if report.state != "over":
        yield w(f"campaign.state_{report.state}")
    if not report.customers:
        yield w("campaign.nobody")
        return
    during = report.windows[1]
    yield w(
        "campaign.took_part",
        customers=w.count(report.customers),
        orders=w.count(during.orders),
        sales=w.money(during.sales_amount),
    )
    effect = report.effect
    if effect is None:
        yield w("campaign.cannot_tell")
    else:
        extra, cost = effect.extra_sales_amount, w.money(report.cost_amount)
        bounds = {"low": w.money(extra.low), "high": w.money(extra.high), "cost": cost}
        if not effect.is_clear:
            yield w("campaign.unclear", **bounds)
        elif extra.mean < 0:
            yield w("campaign.less_sales", sales=w.money(-extra.mean), **bounds)
        else:
            yield w("campaign.brought", sales=w.money(extra.mean), **bounds)
            net, margin = effect.net_amount, w.money(effect.extra_margin_amount)
            key = "campaign.net_plus" if net >= 0 else "campaign.net_minus"
            yield w(key, margin=margin, net=w.money(abs(net)))
    if report.budget_points and not report.budget_left_points:
        yield w("campaign.budget_gone", budget=w.count(report.budget_points))


def _cards(report: CampaignReport, w: Words, unit_cost_amount: int) -> Iterator[Card]:
    during, effect = report.windows[1], report.effect
    yield Card(
        w("campaign.card_customers"),
        w.count(report.customers),
        w("campaign.card_new", count=w.count(report.new_customers)),
    )
    yield Card(w("campaign.card_orders"), w.count(during.orders), w.money(during.sales_amount))
    if effect:
        extra = effect.extra_sales_amount
        yield Card(w("campaign.card_extra"), w.money(extra.mean), _bounds(extra, w))
    yield Card(
        w("campaign.card_cost"),
        w.money(report.cost_amount),
        w(
            "campaign.card_cost_note",
            points=w.count(report.points_granted - report.points_revoked),
            unit=w.money(unit_cost_amount),
        ),
    )
    if effect:
        each, sales = effect.cost_per_extra_order_amount, effect.cost_per_extra_sales
        note = w("campaign.card_per_order_note", orders=w.count(effect.extra_orders.mean))
        yield Card(
            w("campaign.card_per_order"),
            DASH if each is None else w.money(each),
            w("campaign.card_per_order_none") if each is None else note,
        )
        yield Card(
            w("campaign.card_return", currency=w.currency), DASH if sales is None else w.decimal(sales, 3)
        )
    yield Card(
        w("campaign.card_points"),
        w.count(report.points_granted),
        w(
            "campaign.card_points_note",
            redeemed=w.count(report.points_redeemed),
            expired=w.count(report.points_expired),
            revoked=w.count(report.points_revoked),
        ),
    )
    yield Card(
        w("campaign.card_budget"),
        w.count(report.budget_left_points) if report.budget_points else DASH,
        w("campaign.card_budget_note", budget=w.count(report.budget_points))
        if report.budget_points
        else w("campaign.card_no_budget"),
    )


# -- against customers alike ----------------------------------------------------------------------------


def _against(report: CampaignReport, w: Words) -> Iterator[str | Chart | Table]:
    effect = report.effect
    yield w("campaign.against_about", days=w.count(report.matched_days))
    if effect is not None:
        yield _why(report, effect.per_customer_amount, w)
    shown = report.invited or report.participants
    name = w("campaign.group_invited" if report.invited else "campaign.group_participants")
    if shown.matched:
        yield bars(
            w("campaign.spend_each"),
            [w(f"campaign.{window}") for window in _WINDOWS],
            [
                Series(name, [own for own, _ in shown.spend], BLUE),
                Series(w("campaign.others"), [other for _, other in shown.spend], SLATE),
            ],
            w.compact_money,
        )
    groups = list(_groups(report, w))
    measured = [
        Interval(group, each.spend_uplift.mean, each.spend_uplift.low, each.spend_uplift.high, color)
        for group, each, color in groups
        if each.spend_uplift
    ]
    if measured:
        yield intervals(w("campaign.uplift_each"), measured, w.compact_money)
    yield Table(
        [
            w.in_currency(w(f"campaign.{head}")) if head in _AMOUNTS else w(f"campaign.{head}")
            for head in ("comparison", "matched", "earlier", "uplift", "orders_uplift", "uplift_after")
        ],
        [
            (
                group,
                f"{w.count(each.matched)} / {w.count(each.customers)}",
                " / ".join(w.plain_money(mean) for mean in each.earlier_spend),
                _interval(each.spend_uplift, w),
                DASH if each.order_uplift is None else w.decimal(each.order_uplift.mean),
                _interval(each.after_uplift, w),
            )
            for group, each, _ in groups
        ],
    )


def _groups(report: CampaignReport, w: Words) -> Iterator[tuple[str, Comparison, str]]:
    if report.invited:
        yield w("campaign.group_invited"), report.invited, BLUE
    yield w("campaign.group_participants"), report.participants, SLATE if report.invited else BLUE
    if report.selection:
        yield w("campaign.group_selection"), report.selection, AMBER


def _why(report: CampaignReport, rest: Uplift, w: Words) -> str:
    own = report.participants.spend_uplift
    if report.invited:
        return w("campaign.invited_why", uplift=w.money(rest.mean))
    if report.selection and report.selection.spend_uplift and own:
        selection = w.money(report.selection.spend_uplift.mean)
        return w(
            "campaign.selection_why",
            selection=selection,
            uplift=w.money(own.mean),
            rest=w.money(rest.mean),
        )
    return w("campaign.plain_why", uplift=w.money(rest.mean))


def _bounds(uplift: Uplift, w: Words) -> str:
    return w("page.interval", low=w.money(uplift.low), high=w.money(uplift.high))


def _interval(uplift: Uplift | None, w: Words) -> str:
    if uplift is None:
        return DASH
    bounds = w("page.interval_short", low=w.plain_money(uplift.low), high=w.plain_money(uplift.high))
    return f"{w.plain_money(uplift.mean)} ({bounds})"


# -- what happened --------------------------------------------------------------------------------------


def _windows(report: CampaignReport, w: Words) -> Table:
    return Table(
        [
            w("campaign.window"),
            "",
            w("campaign.buyers"),
            w("page.orders"),
            w.in_currency(w("page.sales")),
            w.in_currency(w("campaign.goods_sales")),
        ],
        [
            (
                w(f"campaign.{name}"),
                w("campaign.when", starts=w.instant(each.first), ends=w.until(each.end)),
                w.count(each.buyers),
                w.count(each.orders),
                w.plain_money(each.sales_amount),
                w.plain_money(each.goods_sales_amount),
            )
            for name, each in zip(_WINDOWS, report.windows, strict=True)
        ],
        words=2,
    )


def _by_day(report: CampaignReport, w: Words) -> list[str | Chart | Table]:
    days = report.days
    labels = [f"{each.day.month}-{each.day.day}" for each in days]
    colors = [BLUE if _is_during(each, report) else SLATE for each in days]
    sales = Series(w("page.sales"), [each.sales_amount for each in days])
    parts: list[str | Chart | Table] = [
        bars(w("campaign.daily_sales"), labels, [sales], w.compact_money, colors=colors)
    ]
    if report.points_granted:
        points = Series(w("page.points"), [each.points_granted for each in days])
        parts.append(bars(w("campaign.daily_points"), labels, [points], w.compact, colors=colors))
    return parts


def _is_during(each: Day, report: CampaignReport) -> bool:
    return report.starts_at.date() <= each.day and each.day < report.ends_at.date()


def _winners(report: CampaignReport, w: Words) -> Iterator[str | Chart | Table]:
    if report.gifts:
        yield w("campaign.gifts", count=w.count(report.gifts))
    if report.entries or report.winners:
        yield w("campaign.entries", count=w.count(report.entries))
        yield Table(
            [w("campaign.prize"), w("campaign.winner")],
            [(each.prize, each.customer) for each in report.winners] or [(w("page.none"), "")],
            words=2,
        )

"""What the demo shows in the end, in the words of marketing and finance. It must not know how it was added up."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from heapq import nlargest
from typing import Any, Final

from rich.console import Console
from rich.table import Column, Table

from loyalty_stream.app.board_view import BoardView
from loyalty_stream.app.complete_journey import STORE_ZONE, ImportReport
from loyalty_stream.app.demo_summary import Summary
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.verify import VerifyReport
from loyalty_stream.programme import Programme

_TOP: Final = 5
_LISTED: Final[Any] = {
    "title_justify": "left", "title_style": "bold", "header_style": "", "box": None, "pad_edge": False,
}  # fmt: skip
"""How a table of several columns looks."""
_RATE_FROM_MS: Final = 1_000
"""A rate over less time says little."""


@dataclass(frozen=True, slots=True)
class Run:
    """How the demo ran. `speed` as asked for; `seconds` from its start to the end of the proof."""

    facts: int
    guarantee: str
    speed: float
    seconds: float


def summarize(
    console: Console,
    summary: Summary,
    board: BoardView,
    imported: ImportReport,
    report: VerifyReport,
    run: Run,
) -> bool:
    """Print what the year came to and what is proved; returns whether all of it holds."""
    _year(console, summary, imported)
    _points(console, summary, report)
    _tiers(console, summary)
    _campaigns(console, summary)
    _board(console, summary, board)
    _top(console, summary)
    return _proof(console, summary, imported, report, run)


def _year(console: Console, summary: Summary, imported: ImportReport) -> None:
    programme = summary.programme
    orders = sum(customer.orders for customer in summary.customers)
    net = sum(customer.net_amount for customer in summary.customers)
    table = _table(
        f"The programme {programme.programme.id!r}, {_day(imported.first_time_us)} to {_day(imported.last_time_us)}"
    )
    table.add_row("customers", f"{len(summary.customers):,}", "households of the data")
    table.add_row("orders", f"{orders:,}", f"{_per(orders, len(summary.customers))} for each customer")
    table.add_row(
        "sales",
        _money(net, programme),
        f"net of coupons; {_money(net // orders if orders else 0, programme)} an order",
    )
    for minimum, reached in sorted(summary.reached.items()):
        table.add_row(
            f"orders from {_money(minimum, programme)}",
            f"{reached:,}",
            f"{_percent(reached, orders)} of orders, by goods that earn",
        )
    console.print(table)
    console.print()


def _points(console: Console, summary: Summary, report: VerifyReport) -> None:
    programme, granted = summary.programme, report.granted
    expiry = programme.expiry
    worth = report.outstanding * programme.redemption.amount // programme.redemption.points
    table = _table("Points")
    table.add_row("granted", f"{granted:,}", "")
    for reason, points in summary.granted_for.most_common():
        table.add_row(f"  {reason}", f"{points:,}", _percent(points, granted))
    redeemed = "" if report.redeemed else "the data has no redemptions"
    table.add_row("redeemed", f"{report.redeemed:,}", redeemed or _percent(report.redeemed, granted))
    table.add_row(
        "expired",
        f"{report.expired:,}",
        f"{_percent(report.expired, granted)}, unused for {expiry.period.text}; "
        f"{summary.warned.total():,} warnings before",
    )
    table.add_row(
        "outstanding", f"{report.outstanding:,}", f"customers can spend {_money(worth, programme)} with them"
    )
    liability = report.outstanding * programme.finance.unit_cost_amount
    table.add_row(
        "liability",
        _money(liability, programme),
        f"at {_money(programme.finance.unit_cost_amount, programme)} a point",
    )
    console.print(table)
    console.print()


def _tiers(console: Console, summary: Summary) -> None:
    tiers = summary.programme.tiers
    if tiers is None:
        return
    held = Counter(customer.tier for customer in summary.customers)
    table = _table("Tiers in the end")
    for level in reversed(tiers.levels):
        table.add_row(
            level.name,
            f"{held[level.name]:,}",
            f"{_percent(held[level.name], len(summary.customers))} of customers, from {level.minimum:,} tier points",
        )
    table.add_row("below", f"{held['']:,}", f"{summary.rises:,} changes of a tier on the way")
    console.print(table)
    console.print()


def _board(console: Console, summary: Summary, board: BoardView) -> None:
    data = board.standings.data
    state = "final" if board.is_final else "so far"
    table = Table(
        Column("rank", justify="right"),
        Column("customer", justify="right"),
        Column("points earned", justify="right"),
        Column("reward", justify="right"),
        **_LISTED,
    )
    for place in data.entries[:_TOP]:
        reward = "" if place.reward_points is None else f"{place.reward_points:,}"
        table.add_row(f"{place.rank}", place.customer, f"{place.score:,}", reward)
    console.print(f"[bold]Leaderboard {data.board!r} of {data.period}, {state}[/bold]")
    console.print(table)
    console.print(
        f"{summary.rewarded.total():,} points went to {len(summary.rewarded):,} customers for their places "
        "in the year's months"
    )
    console.print()


def _campaigns(console: Console, summary: Summary) -> None:
    table = Table(
        *(Column(name, no_wrap=True) for name in ("campaign", "first day", "last day")),
        *(Column(name, justify="right", no_wrap=True) for name in ("rewarded", "points", "budget left")),
        title="Campaigns, and how many customers they rewarded",
        **_LISTED,
    )
    for campaign in sorted(summary.programme.campaigns, key=lambda each: each.starts_at):
        count = summary.campaigns[campaign.id]
        if count.granted:
            table.add_row(
                campaign.theme,
                f"{campaign.starts_at:%d %b %Y}",
                f"{campaign.ends_at - timedelta(seconds=1):%d %b %Y}",
                f"{len(count.customers):,}",
                f"{count.granted:,}",
                f"{campaign.budget_points - count.granted:,}" if campaign.budget_points else "unlimited",
            )
    if table.row_count:
        console.print(table)
        console.print()


def _top(console: Console, summary: Summary) -> None:
    table = Table(
        *(
            Column(name, justify="right")
            for name in ("customer", "orders", "sales", "granted", "expired", "to spend")
        ),
        title="Who earned most",
        **_LISTED,
    )
    for each in nlargest(_TOP, summary.customers, key=lambda customer: (customer.granted, customer.name)):
        sales = _money(each.net_amount, summary.programme)
        table.add_row(
            each.name,
            f"{each.orders:,}",
            sales,
            f"{each.granted:,}",
            f"{each.expired:,}",
            f"{each.available:,}",
        )
    console.print(table)
    console.print()


def _proof(
    console: Console, summary: Summary, imported: ImportReport, report: VerifyReport, run: Run
) -> bool:
    orders = sum(customer.orders for customer in summary.customers)
    counted = orders == imported.orders and len(summary.customers) == imported.registrations
    table = _table("Proof")
    table.add_row("every order counted", _yes(counted), f"{orders:,} of {imported.orders:,} in the accounts")
    table.add_row(
        "every point explained",
        _yes(not report.differences),
        f"{report.accounts:,} accounts folded again, {report.differences:,} differ",
    )
    table.add_row(
        "conservation",
        _yes(not report.unbalanced),
        f"held after each of {report.events:,} events",
    )
    table.add_row("guarantee in force", run.guarantee.replace("_", " "), "")
    took = report.last_written_ms - report.first_written_ms
    if not run.speed and took >= _RATE_FROM_MS:
        facts, events = run.facts * 1000 // took, report.events * 1000 // took
        table.add_row("the worker's pace", f"{facts:,}", f"facts a second, {events:,} point events")
    table.add_row("all of it took", f"{run.seconds:.0f} s", "")
    console.print(table)
    console.print()
    for what in report.first:
        console.print(f"  {what}", soft_wrap=True)
    console.print(
        "Conservation: granted = available + pending + held + redeemed + expired + revoked - restored.",
        soft_wrap=True,
    )
    return counted and not report.differences


def further(console: Console, settings: Settings, *, keep: bool) -> None:
    """Say how to look further."""
    if not keep:
        console.print(
            "To look around: `loyalty-stream demo --keep` leaves broker and worker running.", soft_wrap=True
        )
        return
    where = [f"--bootstrap-servers {settings.bootstrap_servers}"]
    if settings.topic_prefix:
        where += [f"--topic-prefix {settings.topic_prefix}", f"--app-id {settings.app_id}"]
    flags = " ".join(where)
    console.print("Broker and worker run until Ctrl-C. In another terminal:")
    for command in (
        f"loyalty-stream account 1023 {flags}",
        f"loyalty-stream verify {flags}",
        f"curl http://{settings.web_host}:{settings.web_port}/metrics",
    ):
        console.print(f"  {command}", soft_wrap=True)


def _table(title: str) -> Table:
    return Table(
        Column(),
        Column(justify="right"),
        Column(),
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        pad_edge=False,
    )


def _yes(holds: bool) -> str:  # noqa: FBT001 - a word for a fact
    return "yes" if holds else "NO"


def _money(minor: int, programme: Programme) -> str:
    return f"{programme.programme.currency} {minor // 100:,}.{minor % 100:02}"


def _percent(part: int, whole: int) -> str:
    return f"{float(Fraction(part * 100, whole)):.1f} %" if whole else "-"


def _per(part: int, whole: int) -> str:
    return f"{part / whole:,.1f}" if whole else "-"


def _day(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us // 1_000_000, STORE_ZONE):%d %B %Y}"

"""The command that shows how campaigns and the programme go, from `campaign-stats`."""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from loyalty_stream.cli.logs import silence_libraries
from loyalty_stream.cli.options import (
    DEFAULTS,
    AppId,
    BootstrapServers,
    Connection,
    TopicPrefix,
    settings_of,
)

if TYPE_CHECKING:
    from loyalty_stream.app.statistics_view import Statistics
    from loyalty_stream.domain.statistics import CampaignCounted, Counted

WATCH_SECONDS: Final = 2.0
_CLEAR: Final = "\x1b[H\x1b[2J"
_NUMBERS: Final = (
    ("customers", "customers"),
    ("orders", "orders"),
    ("sales", "spend_amount"),
    ("granted", "granted"),
    ("revoked", "revoked"),
    ("redeemed", "redeemed"),
    ("entries", "entries"),
    ("gifts", "gifts"),
)
"""Columns of the hours: heading and field."""


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    app.command("stats")(stats)


def stats(
    campaign: Annotated[
        str | None, typer.Argument(help="A campaign's id; without it, the programme and all campaigns.")
    ] = None,
    hours: Annotated[int, typer.Option(min=0, help="How many of the latest hours to show.")] = 24,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print the records, one a line.")] = False,  # noqa: FBT002
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""Show how a campaign goes, or the whole programme: who took part, sales, points, cost, budget left.

    Counted exactly, by the events' own time; what was taken back is taken off. A worker with the stage
    `statistics` must run.

    \b
    loyalty-stream stats spring-week --watch

    Exit status: 0 shown, 2 topics or broker are missing, or nothing was counted yet.
    """
    silence_libraries()
    from loyalty_stream.app.statistics_view import Statistics  # noqa: PLC0415

    shown = Statistics(settings_of(bootstrap_servers, app_id, topic_prefix, connection))
    while True:
        asyncio.run(shown.refresh())
        text = _as_json(shown, campaign, hours) if as_json else _tables(shown, campaign, hours)
        typer.echo(_CLEAR + text if watch and not as_json and sys.stdout.isatty() else text)
        if not watch:
            return
        time.sleep(WATCH_SECONDS)


def _as_json(shown: "Statistics", campaign: str | None, hours: int) -> str:
    from loyalty_stream.wire import statistics  # noqa: PLC0415

    totals = [_the(shown, campaign)] if campaign is not None else [_whole(shown), *shown.campaigns()]
    records = [*totals, *_latest(shown.hours(campaign), hours)]
    return "\n".join(statistics.encode(record).decode() for record in records)


def _tables(shown: "Statistics", campaign: str | None, hours: int) -> str:
    parts = [_of_campaign(_the(shown, campaign))] if campaign is not None else [_of_programme(shown)]
    if campaign is None and (campaigns := shown.campaigns()):
        parts.append(_of_campaigns(campaigns))
    if latest := _latest(shown.hours(campaign), hours):
        parts.append(_of_hours(latest))
    return "\n\n".join(parts)


def _latest(hours: Sequence["Counted"], number: int) -> Sequence["Counted"]:
    return hours[-number:] if number else ()


def _whole(shown: "Statistics") -> Any:
    from loyalty_stream.app.statistics_view import NothingCountedError  # noqa: PLC0415

    found = shown.programme()
    if found is None:
        raise NothingCountedError("nothing was counted yet. Does a worker with the stage `statistics` run?")
    return found


def _the(shown: "Statistics", campaign: str) -> "CampaignCounted":
    from loyalty_stream.app.statistics_view import NothingCountedError  # noqa: PLC0415

    _whole(shown)
    found = shown.campaign(campaign)
    if found is None:
        known = ", ".join(each.subject for each in shown.campaigns()) or "none"
        raise NothingCountedError(
            f"nobody has taken part in campaign {campaign} yet. Counted so far: {known}"
        )
    return found


# -- tables ---------------------------------------------------------------------------------------------


def _of_programme(shown: "Statistics") -> str:
    whole = _whole(shown)
    data = whole.data
    rows = [
        ("active customers", f"{data.customers:,}", "who ordered, earned or spent"),
        ("registrations", f"{data.registrations:,}", f"{data.erasures:,} accounts erased"),
        ("orders", f"{data.orders:,}", f"{data.cancelled_orders:,} cancelled"),
        ("sales", _money(data.spend_amount, data.currency), _refunded(data)),
        ("points granted", f"{data.granted:,}", f"they cost {_money(data.cost_amount, data.currency)}"),
        *_reasons(data.granted_by),
        ("redeemed", f"{data.redeemed:,}", f"{data.restored:,} given back"),
        ("expired", f"{data.expired:,}", ""),
        ("revoked", f"{data.revoked:,}", ""),
        *_reasons(data.revoked_by),
        ("entries to draws", f"{data.entries:,}", f"{data.winners:,} winners"),
        ("gifts and prizes", f"{data.gifts:,}", ""),
    ]
    return f"The programme '{whole.subject}', counted up to {_time(whole)}\n" + _lines(rows)


def _of_campaign(total: "CampaignCounted") -> str:
    data = total.data
    left = "no budget" if data.budget_points is None else f"{data.budget_left:,} of {data.budget_points:,}"
    per_customer = data.granted // data.customers if data.customers else 0
    rows = [
        ("customers", f"{data.customers:,}", "took part, and have something of it still"),
        ("orders", f"{data.orders:,}", f"{data.cancelled_orders:,} cancelled"),
        ("sales", _money(data.spend_amount, data.currency), _refunded(data)),
        ("points granted", f"{data.granted:,}", f"{per_customer:,} a customer"),
        ("revoked", f"{data.revoked:,}", ""),
        ("redeemed", f"{data.redeemed:,}", f"{data.restored:,} given back"),
        ("expired", f"{data.expired:,}", ""),
        ("cost", _money(data.cost_amount, data.currency), "of points granted and not revoked"),
        ("budget left", left, ""),
        ("entries to the draw", f"{data.entries:,}", f"{data.withdrawn_entries:,} withdrawn"),
        ("gifts and prizes", f"{data.gifts:,}", f"{data.cancelled_gifts:,} cancelled"),
        ("winners", f"{data.winners:,}", ""),
    ]
    return f"Campaign '{total.subject}', counted up to {_time(total)}\n" + _lines(rows)


def _of_campaigns(campaigns: Sequence["CampaignCounted"]) -> str:
    headings = [
        "campaign",
        "customers",
        "orders",
        "sales",
        "granted",
        "revoked",
        "redeemed",
        "cost",
        "budget left",
    ]
    rows = [
        [
            each.subject,
            f"{each.data.customers:,}",
            f"{each.data.orders:,}",
            _money(each.data.spend_amount),
            f"{each.data.granted:,}",
            f"{each.data.revoked:,}",
            f"{each.data.redeemed:,}",
            _money(each.data.cost_amount),
            "-" if each.data.budget_left is None else f"{each.data.budget_left:,}",
        ]
        for each in campaigns
    ]
    return _table(headings, rows)


def _of_hours(hours: Sequence["Counted"]) -> str:
    headings = ["hour", *[heading for heading, _ in _NUMBERS]]
    rows = []
    for each in hours:
        starts_at = each.data.starts_at
        cells = ["" if starts_at is None else f"{starts_at:%Y-%m-%d %H:%M}"]
        for _, field in _NUMBERS:
            value: int = getattr(each.data, field)
            cells.append(_money(value) if field.endswith("_amount") else f"{value:,}")
        rows.append(cells)
    return _table(headings, rows)


def _reasons(by: dict[str, int]) -> list[tuple[str, str, str]]:
    largest_first = sorted(by.items(), key=lambda each: (-each[1], each[0]))
    return [
        (f"  {reason.replace('_', ' ')}", f"{points:,}", "") for reason, points in largest_first if points
    ]


def _refunded(data: Any) -> str:
    return f"{_money(data.refunded_amount)} of it refunded"


def _lines(rows: Sequence[tuple[str, str, str]]) -> str:
    first = max(len(name) for name, _, _ in rows)
    second = max(len(number) for _, number, _ in rows)
    return "\n".join(f"{name:{first}}  {number:>{second}}  {said}".rstrip() for name, number, said in rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in (headings, *rows)) for column in range(len(headings))]
    lines = []
    for line in (headings, *rows):
        cells = [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
        lines.append("  ".join([f"{line[0]:{widths[0]}}", *cells]))
    return "\n".join(lines)


def _time(counted: "Counted") -> str:
    return f"{counted.time:%Y-%m-%d %H:%M:%S} UTC"


def _money(minor: int, currency: str = "") -> str:
    sign, minor = ("-", -minor) if minor < 0 else ("", minor)
    return f"{currency} {sign}{minor // 100:,}.{minor % 100:02}".strip()

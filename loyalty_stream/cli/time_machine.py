"""The commands that look at other times: balance, explain, and what-if."""

import asyncio
import os
import sys
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from loyalty_stream.app.settings import Settings
from loyalty_stream.cli.analysis import Parquet, extra_needed, source
from loyalty_stream.cli.data import progress_bar
from loyalty_stream.cli.logs import silence_libraries
from loyalty_stream.cli.options import (
    DEFAULTS,
    AppId,
    BootstrapServers,
    Connection,
    OptionError,
    ProgrammeFile,
    TopicPrefix,
    settings_of,
)

if TYPE_CHECKING:
    from loyalty_stream.analysis.customer_history import Known

Customer = Annotated[str, typer.Argument(help="The customer's id: the key of all their events.")]
TimeZone = Annotated[
    str,
    typer.Option("--timezone", help="Times without an offset are read, and times are shown, in this zone."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    app.command("balance")(balance)
    app.command("explain")(explain)
    app.command("what-if")(what_if)


def balance(
    customer: Customer,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="As of this instant; without: now.")
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(
            "--known-at",
            metavar="TIME",
            help="As the ledger knew it then, by the broker's time of the point events; without: all it knows.",
        ),
    ] = None,
    parquet: Parquet = None,
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
    timezone: TimeZone = "UTC",
    lots: Annotated[int, typer.Option(min=0, help="How many lots to show; 0: all.")] = 20,
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    r"""Show a customer's balance as of any instant, past or to come, and as the ledger knew it at any other.

    As of an instant count all events that happened until then, also those that came late; points whose date had
    passed are not available, whether or not their expiry is recorded. TIME is a date or RFC 3339.

    \b
    loyalty-stream balance 1023 --at 2026-03-01
    loyalty-stream balance 1023 --at 2026-03-01T00:00:00+08:00 --known-at 2026-03-02 --parquet exports/

    Exit status: 0 shown, 1 the customer has no account, 2 topics, broker or export are missing.
    """
    zone = _zone(timezone)
    now = _now_ms()
    instant = now if at is None else _instant(at, "--at", zone)
    known = now if known_at is None else _instant(known_at, "--known-at", zone)
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    history = _history(customer, parquet, settings)
    with extra_needed():
        from loyalty_stream.analysis import time_machine_text as text  # noqa: PLC0415
        from loyalty_stream.analysis.customer_history import as_known_at  # noqa: PLC0415
    from loyalty_stream.domain.as_of import account_at  # noqa: PLC0415

    events = as_known_at(history, known) if known_at is not None else [each.event for each in history]
    asked = text.BalanceAsked(customer, instant, known)
    found = account_at(events, instant)
    shown = text.balance_json(asked, found) if as_json else text.balance_text(asked, found, zone, lots)
    typer.echo(shown, nl=as_json)


def explain(
    customer: Customer,
    parquet: Parquet = None,
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
    timezone: TimeZone = "UTC",
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    r"""Explain every point of a customer: where it came from, under which rule and version, and where it went.

    One line for each grant and under it what became of it: spent, expired, taken back, come back, or still there.
    The parts are added up again, to each grant and to the account.

    \b
    loyalty-stream explain 1023
    loyalty-stream explain 1023 --parquet exports/ --timezone Asia/Shanghai

    Exit status: 0 explained, 1 the customer has no account or it does not add up, 2 topics, broker or export are
    missing.
    """
    zone = _zone(timezone)
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    history = _history(customer, parquet, settings)
    with extra_needed():
        from loyalty_stream.analysis import time_machine_text as text  # noqa: PLC0415
    from loyalty_stream.domain import provenance  # noqa: PLC0415

    told = provenance.explain(customer, [each.event for each in history])
    typer.echo(text.explanation_json(told) if as_json else text.explanation_text(told, zone), nl=as_json)
    if told.contradictions:
        raise typer.Exit(1)


def what_if(
    programme: ProgrammeFile,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="From then on the programme's rules hold, before history is as it was; without: from the start.",
        ),
    ] = None,
    parquet: Parquet = None,
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
    processes: Annotated[int, typer.Option(min=0, help="How many to work with; 0: one for each core.")] = 0,
    examples: Annotated[int, typer.Option(min=0, help="Customers to name who gain or lose most.")] = 5,
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    r"""Replay the whole history under another programme and show what would have been different.

    Every fact that the ledger ever applied is decided again, on all cores: points granted, redeemed, expired and
    taken back by reason, their value, the liability, campaigns, tiers, and which customers would have more or less.
    What customers did is taken as it was, and so are points for places on leaderboards. TIME is a date or RFC 3339;
    without an offset it is in the programme's time zone.

    \b
    loyalty-stream what-if --programme new.toml
    loyalty-stream what-if --programme new.toml --from 2026-07-01 --parquet exports/

    Exit status: 0 shown, 2 programme, topics, broker or export cannot be used.
    """
    silence_libraries()
    from loyalty_stream.programme import compile_rules, load_programme  # noqa: PLC0415

    with extra_needed():
        from loyalty_stream.analysis.what_if import difference, difference_text  # noqa: PLC0415
    from loyalty_stream.domain import calendar  # noqa: PLC0415

    rules = compile_rules(load_programme(programme))
    begins = None if since is None else calendar.to_datetime(_instant(since, "--from", rules.zone))
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    with source(parquet, settings) as views, progress_bar("replaying", 1.0) as (bar, task):
        found = difference.what_if(
            views,
            rules,
            since=begins,
            processes=processes or os.cpu_count() or 1,
            examples=examples,
            progress=lambda share: bar.update(task, completed=share),
        )
    shown = difference_text.as_json(found) if as_json else difference_text.as_text(found, rules.currency)
    typer.echo(shown, nl=as_json)


def _history(customer: str, parquet: Path | None, settings: Settings) -> "list[Known]":
    """The customer's point events; exit status 1 where there are none."""
    silence_libraries()
    with extra_needed():
        from loyalty_stream.analysis import customer_history  # noqa: PLC0415

    if parquet is None:
        found = asyncio.run(customer_history.of_kafka(settings, customer))
        where = settings.bootstrap_servers
    else:
        with source(parquet, settings) as connection:
            found = customer_history.of_export(connection, customer)
        where = str(parquet)
    if not found:
        sys.stderr.write(f"loyalty-stream: customer {customer} has no account on {where}\n")
        raise typer.Exit(1)
    return found


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise OptionError(f"--timezone {name}: no such time zone; an example is Asia/Shanghai") from error


def _instant(text: str, option: str, zone: tzinfo) -> int:
    """A date (its first instant), or a time with or without an offset, in ms since 1970."""
    from loyalty_stream.domain import calendar  # noqa: PLC0415

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise OptionError(
            f"{option} {text}: expected a date or a time such as 2026-01-15T10:00:00+08:00"
        ) from error
    return calendar.to_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def _now_ms() -> int:
    from loyalty_stream.domain import calendar  # noqa: PLC0415

    return calendar.to_ms(datetime.now(UTC))

"""The commands of whoever runs a deployment, besides the worker: topics, verify, account, open-letters."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer

from loyalty_stream.app.settings import Settings
from loyalty_stream.cli.logs import silence_libraries
from loyalty_stream.cli.options import (
    DEFAULTS,
    AppId,
    BootstrapServers,
    Connection,
    GuaranteeWanted,
    TopicPrefix,
    settings_of,
)

topics_app = typer.Typer(
    help="The topics of a deployment.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    app.add_typer(topics_app, name="topics")
    app.command("verify")(verify)
    app.command("account")(account)
    app.command("open-letters")(open_letters)


@topics_app.command("create")
def topics_create(
    partitions: Annotated[
        int, typer.Option(min=1, help="For every topic: the most workers. Cannot be changed later.")
    ] = 8,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each; 3 in production.")] = 1,
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""Create the topics that are missing; change nothing that exists.

    Tells of each topic whether it was created, is as planned, or differs, and in what.

    \b
    loyalty-stream topics create --partitions 8 --replication 3 --bootstrap-servers kafka:9092

    Exit status: 0 all are as planned, 1 one differs, 2 the broker cannot be reached or refuses.
    """
    silence_libraries()
    from loyalty_stream.app import topics  # noqa: PLC0415

    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    reports = asyncio.run(topics.create(settings, partitions, replication))
    width = max(len(report.name) for report in reports)
    for report in reports:
        said = "created" if report.created else "; ".join(report.differences) or "as planned"
        typer.echo(f"{report.name:{width}}  {'DIFFERS: ' if report.differences else ''}{said}")
    if any(report.differences for report in reports):
        raise typer.Exit(1)


def verify(
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
    guarantee: Annotated[
        GuaranteeWanted,
        typer.Option(
            envvar="LOYALTY_GUARANTEE",
            help="effectively_once: an event that is published again with the same id is no difference.",
        ),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as one JSON object.")] = False,  # noqa: FBT002
) -> None:
    r"""Prove the ledger: fold all point events again and compare with the changelog, account by account.

    Checked as well: after every event granted = available + pending + held + redeemed + expired + revoked -
    restored; the balance that each event tells is the fold's; no event is there twice. Reads all of
    points-events; changes nothing.

    \b
    loyalty-stream verify --bootstrap-servers kafka:9092

    Exit status: 0 all agrees, 1 there are differences (the first are named), 2 topics or broker are missing.
    """
    silence_libraries()
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection, guarantee=guarantee)
    report = _verified(settings)
    from loyalty_stream.app import verify as proof  # noqa: PLC0415

    counts = proof.rows(report)
    if as_json:
        typer.echo(json.dumps({**dict(counts), "by_type": report.by_type, "first": report.first}, indent=2))
    else:
        for name, count in counts:
            typer.echo(f"{name:16}{count:>16,}")
        for name, count in sorted(report.by_type.items()):
            typer.echo(f"  {name:14}{count:>16,}")
    if report.differences:
        shown = f", the first {len(report.first)}" if len(report.first) < report.differences else ""
        sys.stderr.write(f"{report.differences} differences{shown}:\n")
        for what in report.first:
            sys.stderr.write(f"  {what}\n")
        raise typer.Exit(1)
    if not as_json:
        typer.echo("every account is what its events say")


def _verified(settings: Settings) -> Any:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    from loyalty_stream.app import verify as proof  # noqa: PLC0415

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("folding the point events", total=1.0)
        return asyncio.run(proof.verify(settings, progress=lambda share: bar.update(task, completed=share)))


def account(
    customer: Annotated[str, typer.Argument(help="The customer's id: the key of all their events.")],
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
    history: Annotated[int, typer.Option(min=0, help="How many of the latest events to show; 0: all.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with all events.")] = False,  # noqa: FBT002
) -> None:
    r"""Show a customer's account: balance, lots, holds, orders and history, each balance with its event.

    Reads one partition of points-events and of the changelog, so it may take a while on a large one.

    \b
    loyalty-stream account 1023 --bootstrap-servers kafka:9092

    Exit status: 0 shown, 1 the customer has no account, 2 topics or broker are missing.
    """
    silence_libraries()
    from loyalty_stream.app import account_view  # noqa: PLC0415

    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    view = asyncio.run(account_view.look_up(settings, customer))
    if view is None:
        sys.stderr.write(f"loyalty-stream: customer {customer} has no account on {bootstrap_servers}\n")
        raise typer.Exit(1)
    typer.echo(account_view.as_json(view) if as_json else account_view.as_text(view, history), nl=as_json)


def open_letters(
    customer: Annotated[str, typer.Argument(help="The customer's id, as the platform knows it.")],
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""Open the dead letters that were sealed for a customer ([privacy] subject = "pseudonym").

    One JSON object a line: where the record was, why it was refused, its key, value and headers as they came
    (bytes that are no UTF-8 have the replacement character). Needs the right to read the identities topic; of a
    customer who was erased nothing can be opened.

    \b
    loyalty-stream open-letters 1023 --bootstrap-servers kafka:9092

    Exit status: 0 shown, 1 no such customer is known, 2 topics or broker are missing.
    """
    silence_libraries()
    from loyalty_stream.app import sealed_letters  # noqa: PLC0415

    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    letters = asyncio.run(sealed_letters.open_letters(settings, customer))
    if letters is None:
        sys.stderr.write(f"loyalty-stream: customer {customer} is not known on {bootstrap_servers}\n")
        raise typer.Exit(1)
    for letter in letters:
        place, original = letter.verdict.place, letter.original
        shown = {
            "topic": place.topic,
            "partition": place.partition,
            "offset": place.offset,
            "reason": letter.verdict.reason.value,
            "message": letter.verdict.message,
            "key": _text(original.key),
            "value": _text(original.value),
            "headers": {name: _text(value) for name, value in original.headers},
        }
        typer.echo(json.dumps(shown, ensure_ascii=False))


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="replace")

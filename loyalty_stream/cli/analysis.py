"""The commands for analysts: export, and what reads an export or Kafka alike."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loyalty_stream.app.settings import Settings
from loyalty_stream.cli.data import progress_bar
from loyalty_stream.cli.logs import silence_libraries
from loyalty_stream.cli.options import (
    DEFAULTS,
    AppId,
    BootstrapServers,
    Connection,
    OptionError,
    TopicPrefix,
    settings_of,
)

if TYPE_CHECKING:
    import duckdb

Parquet = Annotated[
    Path | None,
    typer.Option(
        "--parquet",
        metavar="DIR",
        help="Read this export (`loyalty-stream export`) and not Kafka: quicker, and as of its time.",
    ),
]


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    app.command("export")(export)


@contextmanager
def extra_needed() -> Iterator[None]:
    """Around imports of `loyalty_stream.analysis`: one sentence where the extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise OptionError(f"{error.name} is not installed; pip install 'loyalty-stream[analysis]'") from error


@contextmanager
def source(parquet: Path | None, settings: Settings) -> Iterator["duckdb.DuckDBPyConnection"]:
    """The views of `analysis.source`, from the export `parquet` or, without one, from Kafka with a progress bar."""
    with extra_needed():
        from loyalty_stream.analysis.source import connect, temporary_export  # noqa: PLC0415 - needs the extra

    if parquet is not None:
        with connect(parquet) as connection:
            yield connection
        return
    with temporary_export() as made:
        with progress_bar("reading Kafka", 1.0) as (bar, task):
            made.update(settings, lambda share: bar.update(task, completed=share))
        with connect(made.directory) as connection:
            yield connection


def export(
    parquet: Annotated[Path, typer.Option("--parquet", metavar="DIR", help="The directory to write to.")],
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""Write point events, facts and accounts as Parquet files that DuckDB, Polars and pandas open.

    What is in the directory already stays; what came since is added; accounts are replaced. It may be stopped at
    any moment: the next run goes on, and writes no event twice. docs/export.md has the columns.

    \b
    loyalty-stream export --parquet exports/ --bootstrap-servers kafka:9092

    Exit status: 0 the directory is up to date, 2 topics, broker or directory cannot be used.
    """
    silence_libraries()
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    with extra_needed():
        from loyalty_stream.analysis.export import export as run  # noqa: PLC0415 - needs the extra

    with progress_bar("exporting", 1.0) as (bar, task):
        report: Any = asyncio.run(run(settings, parquet, lambda share: bar.update(task, completed=share)))
    for name, rows in report.new.items():
        typer.echo(f"{name:16}{rows:>14,} new")
    typer.echo(f"{'accounts':16}{report.accounts:>14,}")
    if report.left_out:
        sys.stderr.write(f"{report.left_out:,} records of input topics are no facts and were left out\n")

"""The command that runs a worker."""

import logging
import signal
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from loyalty_stream.cli.logs import log_plainly, logging_config
from loyalty_stream.cli.options import (
    DEFAULTS,
    AppId,
    BootstrapServers,
    Connection,
    CouponSecretFile,
    GuaranteeWanted,
    ProgrammeFile,
    TopicPrefix,
    settings_of,
    stages_of,
    with_coupon_secret,
)
from loyalty_stream.engine.task import Clock

logger: Final = logging.getLogger(__name__)

LogLevel = Literal["debug", "info", "warning", "error"]


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    app.command("worker")(worker)


def worker(
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
    programme: ProgrammeFile = DEFAULTS.programme,
    clock: Annotated[
        Clock,
        typer.Option(
            envvar="LOYALTY_CLOCK",
            help="What moves time on: events alone, as to replay a past year, or the wall clock too.",
        ),
    ] = DEFAULTS.clock,
    stages: Annotated[
        str,
        typer.Option(
            envvar="LOYALTY_STAGES",
            help="What this worker runs, by commas: ledger, allocation, leaderboards, statistics. All "
            "workers with the ledger must name the same; the others can be processes of their own.",
        ),
    ] = ",".join(DEFAULTS.stages),
    guarantee: Annotated[
        GuaranteeWanted,
        typer.Option(
            envvar="LOYALTY_GUARANTEE",
            help="auto asks the broker; exactly_once refuses to start without transactions.",
        ),
    ] = "auto",
    instance_id: Annotated[
        str,
        typer.Option(
            envvar="LOYALTY_INSTANCE_ID",
            help="Static membership: stable and unique for each worker, such as a StatefulSet's pod name.",
        ),
    ] = DEFAULTS.instance_id,
    web_host: Annotated[
        str, typer.Option(envvar="LOYALTY_WEB_HOST", help="Where /metrics, /healthz and /readyz listen.")
    ] = DEFAULTS.web_host,
    web_port: Annotated[
        int, typer.Option(envvar="LOYALTY_WEB_PORT", min=1, max=65535, help="Their port.")
    ] = DEFAULTS.web_port,
    cached_accounts: Annotated[
        int,
        typer.Option(
            envvar="LOYALTY_CACHED_ACCOUNTS",
            min=1,
            help="Accounts kept decoded, over all partitions: about 10 KB each.",
        ),
    ] = DEFAULTS.cached_accounts,
    tables: Annotated[
        Path | None,
        typer.Option(
            envvar="LOYALTY_TABLES",
            help="A directory on a local disk for the accounts, instead of memory: for millions of them.",
        ),
    ] = DEFAULTS.tables,
    batch_records: Annotated[
        int,
        typer.Option(
            envvar="LOYALTY_BATCH_RECORDS",
            min=1,
            help="The most records in one transaction, as there are of a backlog.",
        ),
    ] = DEFAULTS.batch_records,
    session_timeout: Annotated[
        float,
        typer.Option(
            envvar="LOYALTY_SESSION_TIMEOUT",
            min=6.0,
            help="Seconds after which the group gives a silent worker's partitions to others.",
        ),
    ] = DEFAULTS.session_timeout,
    coupon_secret_file: CouponSecretFile = None,
    log_level: Annotated[
        LogLevel, typer.Option("--log-level", "-l", envvar="LOYALTY_LOG_LEVEL", help="What to log.")
    ] = "info",
) -> None:
    r"""Run a worker until SIGTERM or Ctrl-C.

    It takes its share of the partitions, applies facts and commands by the programme, and publishes point
    events. Start as many as there is work, at most one for each partition; all with the same programme. The
    log says which guarantee is in force.

    \b
    loyalty-stream worker --programme programme.toml --bootstrap-servers kafka:9092

    Exit status: 0 after a signal, 1 when it broke down, 2 when it could not start.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # until Faust takes them over
        signal.signal(number, lambda _number, _frame: sys.exit(0))
    log_plainly(log_level)
    from loyalty_stream.programme import compile_rules, load_programme  # noqa: PLC0415

    rules = with_coupon_secret(compile_rules(load_programme(programme)), coupon_secret_file)
    settings = settings_of(
        bootstrap_servers,
        app_id,
        topic_prefix,
        connection,
        programme=programme,
        clock=clock,
        stages=stages_of(stages),
        guarantee=guarantee,
        instance_id=instance_id,
        web_host=web_host,
        web_port=web_port,
        cached_accounts=cached_accounts,
        tables=tables,
        batch_records=batch_records,
        session_timeout=session_timeout,
    )
    from loyalty_stream.app.worker import run  # noqa: PLC0415 - Faust takes a second to import

    raise typer.Exit(run(settings, rules, logging_config=logging_config(log_level)))

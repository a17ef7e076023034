"""The commands that write reports: on a campaign, the programme, its finance, feedback, a merchant."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from loyalty_stream.cli.analysis import Parquet, extra_needed, source
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
    from loyalty_stream.analysis.reports import Kind
    from loyalty_stream.app.settings import Settings

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write there; - is standard output. Without: HTML to report-<what>.html here, JSON to standard output.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="The same numbers as JSON, instead of HTML.")]
Language = Annotated[Literal["en", "zh"], typer.Option(help="The language of the HTML: English or Chinese.")]
CampaignId = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's id.")]
MerchantId = Annotated[
    str, typer.Argument(metavar="MERCHANT", help="The merchant's id, as order lines name it.")
]

report_app = typer.Typer(
    help="Write a report as one HTML file, or its numbers as JSON.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    app.add_typer(report_app, name="report")


@report_app.command("campaign")
def campaign(
    campaign_id: CampaignId,
    programme: ProgrammeFile = DEFAULTS.programme,
    parquet: Parquet = None,
    out: Out = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
    language: Language = "en",
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""What a campaign brought: before, during and after it, against customers alike, and what it cost.

    The campaign is one of the programme file or one published live.

    \b
    loyalty-stream report campaign spring-week --parquet exports/
    loyalty-stream report campaign spring-week --language zh --out spring-week.html

    Exit status: 0 written, 2 there is no such campaign, or export, programme, topics or broker cannot be used.
    """
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    _write("campaign", campaign_id, programme, parquet, settings, out, language, as_json=as_json)


@report_app.command("programme")
def programme_(
    programme: ProgrammeFile = DEFAULTS.programme,
    parquet: Parquet = None,
    out: Out = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
    language: Language = "en",
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""How the programme does: retention, purchases and activity against the targets; points earned, spent, expired.

    \b
    loyalty-stream report programme --parquet exports/

    Exit status: 0 written, 2 export, programme, topics or broker cannot be used.
    """
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    _write("programme", "", programme, parquet, settings, out, language, as_json=as_json)


@report_app.command("finance")
def finance(
    programme: ProgrammeFile = DEFAULTS.programme,
    parquet: Parquet = None,
    out: Out = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
    language: Language = "en",
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""What is owed in points, what of it will expire, and investment against benefit.

    The plan's figures are [finance] of the programme file.

    \b
    loyalty-stream report finance --parquet exports/ --language zh

    Exit status: 0 written, 2 export, programme, topics or broker cannot be used.
    """
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    _write("finance", "", programme, parquet, settings, out, language, as_json=as_json)


@report_app.command("feedback")
def feedback(
    programme: ProgrammeFile = DEFAULTS.programme,
    parquet: Parquet = None,
    out: Out = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
    language: Language = "en",
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""What customers say: satisfaction over time, by tier and by campaign, and ratings.

    \b
    loyalty-stream report feedback --parquet exports/

    Exit status: 0 written, 2 export, programme, topics or broker cannot be used.
    """
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    _write("feedback", "", programme, parquet, settings, out, language, as_json=as_json)


@report_app.command("merchant")
def merchant(
    merchant_id: MerchantId,
    programme: ProgrammeFile = DEFAULTS.programme,
    parquet: Parquet = None,
    out: Out = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
    language: Language = "en",
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""What the programme brings a merchant: its customers, sales, points and campaigns.

    \b
    loyalty-stream report merchant leaf-house --parquet exports/

    Exit status: 0 written, 2 no order names the merchant, or export, programme, topics or broker cannot be used.
    """
    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    _write("merchant", merchant_id, programme, parquet, settings, out, language, as_json=as_json)


def _write(
    kind: "Kind",
    name: str,
    programme: Path,
    parquet: Path | None,
    settings: "Settings",
    out: Path | None,
    language: Literal["en", "zh"],
    *,
    as_json: bool,
) -> None:
    silence_libraries()
    with extra_needed():
        from loyalty_stream.analysis import reports  # noqa: PLC0415 - needs the extra
    from loyalty_stream.programme import load_programme  # noqa: PLC0415 - as in other commands

    loaded = load_programme(programme)
    with source(parquet, settings) as connection:
        report = reports.make_report(connection, loaded, kind, name)
    made = reports.as_json(report) if as_json else reports.as_html(report, loaded, language).encode()
    standard = out is None and as_json
    file = out or Path(f"report-{kind}{'-' + name.replace('/', '_') if name else ''}.html")
    if standard or str(file) == "-":
        sys.stdout.buffer.write(made)
        sys.stdout.buffer.flush()
        return
    try:
        file.write_bytes(made)
    except OSError as error:
        raise OptionError(f"--out {file}: {error.strerror}") from error
    typer.echo(f"{file} written")

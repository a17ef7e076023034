"""The command that checks a draw, for whoever runs it or took part in it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from loyalty_stream.cli.logs import silence_libraries
from loyalty_stream.cli.options import (
    DEFAULTS,
    AppId,
    BootstrapServers,
    Connection,
    ProgrammeFile,
    TopicPrefix,
    settings_of,
)


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    app.command("verify-draw")(verify_draw)


def verify_draw(
    campaign: Annotated[str, typer.Argument(help="The campaign whose draw it is.")],
    seed: Annotated[
        str | None, typer.Option(help="The seed; without it, the one that was revealed on `campaigns`.")
    ] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Events one a line, of points-events and campaigns, instead of the topics. Can be repeated.",
        ),
    ] = None,
    programme: ProgrammeFile = DEFAULTS.programme,
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
) -> None:
    r"""Check a draw from published data alone: the seed against its commitment, and who won by it.

    Winners are the entries with the smallest HMAC-SHA256(seed, entry id). Entries and winners are read from
    points-events, campaigns from the programme file and the campaigns topic.

    \b
    loyalty-stream verify-draw spring-week --seed "what was revealed"

    Exit status: 0 it holds, 1 it does not, 2 it cannot be checked.
    """
    silence_libraries()
    from loyalty_stream.app.verify_draw import verify_files, verify_topics  # noqa: PLC0415
    from loyalty_stream.programme import compile_rules, load_programme  # noqa: PLC0415

    rules = compile_rules(load_programme(programme))
    if events:
        report = verify_files(campaign, seed, rules, events)
    else:
        settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
        report = asyncio.run(verify_topics(campaign, seed, rules, settings))
    typer.echo(
        f"seed: its SHA-256 is {'' if report.seed_is_right else 'NOT '}the commitment {report.commitment}"
    )
    typer.echo(f"entries: {report.entries:,}")
    for winner in report.expected:
        told = "told" if winner in report.published else "NOT TOLD"
        typer.echo(f"{winner.prize}: {winner.entry_id} of {winner.customer}, {winner.proof} ({told})")
    for winner in report.unexpected:
        typer.echo(f"WRONGLY TOLD: {winner.entry_id} of {winner.customer} won {winner.prize}, {winner.proof}")
    typer.echo("the draw holds" if report.holds else "the draw does not hold")
    raise typer.Exit(0 if report.holds else 1)

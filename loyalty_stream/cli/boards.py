"""The command that shows a leaderboard."""

import asyncio
from typing import Annotated

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


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    app.command("leaderboard")(leaderboard)


def leaderboard(
    board: Annotated[str, typer.Argument(help="The board's id in the programme file.")],
    period: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="2026-03-05, 2026-W10, 2026-03, all-time or campaign; without it the latest one.",
        ),
    ] = None,
    around: Annotated[
        str | None,
        typer.Option(
            metavar="CUSTOMER",
            help="Show the places around this customer's, too. Of a running period anybody's: it reads all scores.",
        ),
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="How many of the first places to show; 0: all.")] = 20,
    bootstrap_servers: BootstrapServers = DEFAULTS.bootstrap_servers,
    app_id: AppId = DEFAULTS.app_id,
    topic_prefix: TopicPrefix = DEFAULTS.topic_prefix,
    connection: Connection = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with all places.")] = False,  # noqa: FBT002
) -> None:
    r"""Show the standings of a leaderboard, as they were published last.

    \b
    loyalty-stream leaderboard monthly --around 1023

    Exit status: 0 shown, 2 nothing is published of the board or period, or topics or broker are missing.
    """
    silence_libraries()
    from loyalty_stream.app import board_view  # noqa: PLC0415

    settings = settings_of(bootstrap_servers, app_id, topic_prefix, connection)
    view = asyncio.run(board_view.look_up(settings, board, period, around))
    typer.echo(board_view.as_json(view) if as_json else board_view.as_text(view, first), nl=as_json)

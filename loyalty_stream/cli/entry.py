"""The entry point: every command, and what becomes of the errors that a user can mend."""

import inspect
import sys
from typing import Annotated, Final

import typer

from loyalty_stream import __version__
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.cli import analysis, boards, data, draws, operate, reports, stats, time_machine, worker

_EPILOG: Final = (
    "Exit status: 0 done; 1 what was checked does not hold, or what ran broke down; "
    "2 it could not be started as asked: options, programme, topics, broker. "
    "Options can be given as environment variables LOYALTY_..., as each command's --help shows."
)

app = typer.Typer(
    name="loyalty-stream",
    help="A points programme on Kafka: the worker, its topics, and tools to look at what it did.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
worker.declare(app)
operate.declare(app)
draws.declare(app)
boards.declare(app)
data.declare(app)
stats.declare(app)
analysis.declare(app)
time_machine.declare(app)
reports.declare(app)


def _keep_examples_on_lines(commands: typer.Typer) -> None:
    r"""Let click see the \b of docstrings, which say that examples are not to be filled into one line."""
    for command in commands.registered_commands:
        command.help = (inspect.getdoc(command.callback) or "").replace("\\b\n", "\b\n")
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _keep_examples_on_lines(group.typer_instance)


_keep_examples_on_lines(app)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - typer's call
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """A points programme on Kafka: the worker, its topics, and tools to look at what it did."""


def main() -> None:
    """Run the command line. What a user can mend becomes one message on standard error and exit status 2."""
    try:
        app()
    except Exception as error:
        message = in_words(error)
        if message is None:
            raise
        sys.stderr.write(f"loyalty-stream: {message}\n")
        sys.exit(2)


def in_words(error: Exception) -> str | None:
    """What to tell of an error that the surroundings caused; None for a defect of ours."""
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - `--help` need not wait for these

    from loyalty_stream.app.local_broker import BrokerUnavailableError, LocalBrokerError  # noqa: PLC0415
    from loyalty_stream.programme import ProgrammeError  # noqa: PLC0415

    match error:
        case MendableError() | BrokerUnavailableError() | LocalBrokerError():
            return str(error)
        case ProgrammeError():
            return f"the programme has {_counted(len(error.mistakes), 'mistake')}:\n{error}"
        case KafkaError() | TimeoutError() | ConnectionError():
            said = str(error).removeprefix(f"{type(error).__name__}: ").rstrip(".") or repr(error)
            return f"Kafka: {said}. Does a broker listen at --bootstrap-servers?"
        case _:
            return None


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

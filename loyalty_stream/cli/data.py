"""The commands that bring data in or play it through: import, simulate, demo."""

import typer


def declare(app: typer.Typer) -> None:
    """Declare the commands."""

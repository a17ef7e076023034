"""How the benchmarks print: a table, and ratios with their goals. A missed goal is printed, never an error."""

import sys
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table


class Ratio(NamedTuple):
    """One thing the benchmarks are for: what was measured, and what it should be."""

    what: str
    measured: str
    goal: str


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    out = Table(title=title, title_justify="left", box=box.SIMPLE)
    for place, column in enumerate(columns):
        out.add_column(column, justify="left" if place == 0 else "right")
    for row in rows:
        out.add_row(*row)
    # As wide as it needs to be: a log file has no width, and a wrapped table is hard to compare.
    Console(width=120).print(out)


def progress(text: str) -> None:
    """Tell what is measured now, on standard error."""
    print(text, file=sys.stderr, flush=True)


def ratios(found: Sequence[Ratio]) -> None:
    """Print ratios and goals."""
    table("Ratios", ("what", "measured", "goal"), found)


def count(number: float) -> str:
    """A number with separators and without a fraction."""
    return f"{number:,.0f}"


def percent(share: float) -> str:
    """A share as a percentage with one digit."""
    return f"{share:.1%}"


def pairs(values: Sequence[float], form: str) -> str:
    """The median, and all values in the order in which they were measured."""
    return f"{median(values):{form}} (" + ", ".join(f"{value:{form}}" for value in values) + ")"

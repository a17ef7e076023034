"""What a page consists of, and how it becomes HTML. It must not know what any report is about."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loyalty_stream.analysis.reports.charts import Chart
from loyalty_stream.analysis.reports.ledger_tables import Span
from loyalty_stream.analysis.reports.words import TEXTS_FILE, Words


class Card(NamedTuple):
    """A figure to be seen at a glance."""

    label: str
    value: str
    note: str = ""


class Table(NamedTuple):
    """A table; the first `words` columns are words, the others figures."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    total: Sequence[str] = ()
    title: str = ""


class Section(NamedTuple):
    """A heading, and below it paragraphs, charts and tables in their order."""

    title: str
    parts: Sequence[str | Chart | Table]


class Page(NamedTuple):
    """A report to read. `short` says the most important things in sentences, `how` what the figures mean."""

    kicker: str
    title: str
    about: Sequence[str]
    short: Sequence[str]
    cards: Sequence[Card]
    sections: Sequence[Section]
    how: Sequence[str]


def render(page: Page, w: Words, zone: str) -> str:
    """The page as one HTML file: no script, and nothing is fetched. `zone` names the time zone of its days."""
    return _environment().get_template("page.html").render(page=page, w=w, zone=zone) + "\n"


def span_line(data: Span, w: Words) -> str:
    """What days the report covers."""
    return w("page.made_of", first=w.day(data.first), last=w.day(data.last), days=w.count(data.days))


def month_labels(months: Sequence[date], w: Words) -> list[str]:
    """Labels of an axis of months, the year with the first and with each January."""
    return [w.month_tick(month, first=place == 0) for place, month in enumerate(months)]


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEXTS_FILE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )

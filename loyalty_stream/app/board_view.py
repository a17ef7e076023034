"""A leaderboard as its topics tell it: the published standings, and the ranks around any customer.

It must not know the programme's rules.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.open_boards import STATE, RowCodec
from loyalty_stream.app.read_log import LogReader, log_reader
from loyalty_stream.app.sealed_letters import identity_of
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.topics import partition_counts
from loyalty_stream.domain import calendar
from loyalty_stream.domain.board_scores import Row
from loyalty_stream.domain.standings import CLOSED, Ranked, Standings, key_of
from loyalty_stream.engine.task import TIME_KEY
from loyalty_stream.wire import standings
from loyalty_stream.wire.partitioning import partition_of

NEIGHBOURS: Final = 5
"""How many places are shown on either side of a customer."""
_WIDTH_WITHOUT_TERMINAL: Final = 110


@dataclass(frozen=True, slots=True)
class BoardView:
    """Standings as they were published last, and what was asked around a customer; None: nothing was asked."""

    standings: Standings
    around: "Around | None" = None

    @property
    def is_final(self) -> bool:
        """Whether the period is closed."""
        return self.standings.type == CLOSED


@dataclass(frozen=True, slots=True)
class Around:
    """The places next to a customer's, with it; empty where the customer is on no place."""

    customer: str
    """As the board names them: by token, under pseudonyms."""
    of: int
    """How many customers have a place; 0: not known, the period is closed and only the first are kept."""
    places: tuple[Ranked, ...]


async def look_up(
    settings: Settings, board: str, period: str | None = None, around: str | None = None
) -> BoardView:
    """The standings of a period, by default the latest one. Raises MendableError where there are none."""
    counts = await partition_counts(settings)
    needed = [settings.topic("leaderboards"), settings.changelog_of("boards")]
    if missing := [name for name in needed if name not in counts]:
        raise MendableError(
            f"topics are missing on {settings.bootstrap_servers}: {', '.join(missing)}. "
            "Check --topic-prefix and --app-id"
        )
    async with log_reader(settings) as reader:
        said = await _published(reader, settings, counts, board, period)
        if around is None:
            return BoardView(said)
        identity = await identity_of(reader, settings, counts, around)
        customer = around if identity is None else identity.token
        if said.type == CLOSED:
            return BoardView(said, _among(said.data.entries, customer, 0))
        everybody = await _everybody(reader, settings, counts, board, said.data.period)
        return BoardView(said, _among(everybody, customer, len(everybody)))


async def _published(
    reader: LogReader, settings: Settings, counts: Mapping[str, int], board: str, period: str | None
) -> Standings:
    topic = settings.topic("leaderboards")
    found: dict[str, Standings] = {}
    async for records in reader.read(topic, partition_of(board.encode(), counts[topic])):
        for record in records:
            said = standings.decode(record.value)
            if said.subject == board:
                found[said.data.period] = said
    if not found:
        raise MendableError(
            f"nothing is published of board {board}: is its id right, and has anybody scored? "
            "A worker keeps the boards of its programme file"
        )
    if period is None:
        return max(found.values(), key=lambda said: (said.data.starts_at or said.time, said.data.period))
    if period not in found:
        known = ", ".join(sorted(found)[-5:])
        raise MendableError(
            f"nothing is published of {key_of(board, period)}; the latest periods are {known}"
        )
    return found[period]


async def _everybody(
    reader: LogReader, settings: Settings, counts: Mapping[str, int], board: str, period: str
) -> list[Ranked]:
    """Everybody's place by the scores that the partitions have stored."""
    topic, name = settings.changelog_of("boards"), f"{board}\n{period}"
    places: list[tuple[int, int, str, str]] = []
    for partition in range(counts[topic]):
        rows: dict[bytes, bytes | None] = {}
        async for records in reader.read(topic, partition):
            rows |= {record.key: record.value for record in records}
        for key, value in rows.items():
            if value is None or key in (STATE, TIME_KEY):
                continue
            row = RowCodec.decode(value)
            score = row.scores.get(name) if isinstance(row, Row) and not row.opted_out else None
            if isinstance(row, Row) and score is not None and score.points > 0:
                places.append((-score.points, score.reached, key.decode(), row.alias))
    places.sort()
    return [
        Ranked(rank, customer, -negative, calendar.to_datetime(reached), alias or None)
        for rank, (negative, reached, customer, alias) in enumerate(places, 1)
    ]


def _among(places: "tuple[Ranked, ...] | list[Ranked]", customer: str, of: int) -> Around:
    at = next((number for number, place in enumerate(places) if place.customer == customer), None)
    if at is None:
        return Around(customer, of, ())
    return Around(customer, of, tuple(places[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1]))


def as_json(view: BoardView) -> str:
    """The standings' data as one JSON object, with `final`, `time` and, where it was asked for, `around`."""
    said = view.standings
    body = {"final": view.is_final, "time": said.time, **msgspec.structs.asdict(said.data)}
    if view.around is not None:
        of = view.around.of or None
        body["around"] = {"customer": view.around.customer, "of": of, "entries": view.around.places}
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def as_text(view: BoardView, first: int) -> str:
    """Tables for a person: the first places (0: all that are published), and those around the customer."""
    console = Console(file=io.StringIO(), width=_width())
    said, data = view.standings, view.standings.data
    bounds = f", {_minute(data.starts_at)} to {_minute(data.ends_at)} UTC" if data.starts_at else ""
    state = "final" if view.is_final else f"as of {_minute(said.time)} UTC"
    console.print(f"{data.board}, period {data.period} ({data.metric}{bounds}): {state}", highlight=False)
    console.print(_table(data.entries[: first or None], None))
    around = view.around
    if around is not None and around.places:
        of = f" of {around.of:,}" if around.of else ""
        rank = next(place.rank for place in around.places if place.customer == around.customer)
        console.print(f"customer {around.customer}: rank {rank:,}{of}", highlight=False)
        console.print(_table(around.places, around.customer))
    elif around is not None:
        why = (
            f"is not among the {len(data.entries)} places that are kept of a closed period"
            if view.is_final
            else "has no place"
        )
        console.print(f"customer {around.customer} {why}", highlight=False)
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def _table(places: "tuple[Ranked, ...]", marked: str | None) -> Table:
    rewarded = any(place.reward_points is not None for place in places)
    table = Table("rank", "customer", "score", "reached (UTC)", *(["reward"] if rewarded else []))
    for column in (0, 2, *([4] if rewarded else [])):
        table.columns[column].justify = "right"
    for place in places:
        named = place.customer if place.alias is None else f"{place.alias} ({place.customer})"
        cells = [f"{place.rank:,}", named, f"{place.score:,}", _minute(place.reached_at)]
        if rewarded:
            cells.append("" if place.reward_points is None else f"{place.reward_points:,}")
        table.add_row(*cells, style="bold" if place.customer == marked else None)
    return table


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _width() -> int:
    console = Console()
    return console.width if console.is_terminal else _WIDTH_WITHOUT_TERMINAL

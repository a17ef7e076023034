"""The history as turns: every fact in the order in which the ledger applied it, customer by customer, in shard files.

The order stands in the ledger itself: a fact took its turn where the first point event that it made is. What made
none (a repeat, or what was refused) comes right after what its topic brought before. It must not know any rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from loyalty_stream.analysis.what_if.turn_queries import (
    ANSWER,
    CLOCKED,
    CUT_IN_TWO,
    CUTS,
    EVENT,
    FACT,
    FOUND,
    MADE,
    PAST,
    PLACED,
    REWARD,
    TURNS,
    WIN,
)
from loyalty_stream.domain import calendar
from loyalty_stream.domain.announcements import Announcement
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.facts import EntryWon, EntryWonData, GrantPoints, GrantPointsData
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.topics import ACCEPTED, TOPIC_OF_TYPE, type_name

if TYPE_CHECKING:
    import duckdb

_ANNOUNCEMENTS: Final = tuple(type_name(kind) for kind in ACCEPTED["campaigns"])


__all__ = ["ANSWER", "CUT_IN_TWO", "EVENT", "FACT", "REWARD", "WIN", "History", "Turn", "lay_out", "read"]


class Turn(NamedTuple):
    """One thing that happens to a customer. Instants in ms, but `at_us`."""

    customer: str
    partition: int
    kind: int
    clock: int
    """The partition's time before it."""
    place: int
    """The offset of the first point event that it made; -1: it made none."""
    type: str
    id: str
    source: str
    at_us: int
    """Its own time, in microseconds."""
    stamped: int
    """The broker's timestamp."""
    data: str


class Asked(NamedTuple):
    """A request to an owner as the ledger made it, and what was given; None: no answer is known."""

    resource: str
    quantity: int
    limit: int
    given: int | None


@dataclass(frozen=True, slots=True)
class History:
    """What there is to replay."""

    shards: list[Path]
    """Parquet files of turns; a customer's are all in one, one after the other."""
    facts: int
    ends: dict[int, int]
    """The time (ms) that each partition had reached."""
    asked: dict[str, Asked]
    """By the id of the request."""
    rewards: list[GrantPoints]
    """What referrers were given."""
    wins: list[EntryWon]
    """Who won in draws."""
    announcements: list[wire.Decoded]
    """Campaigns that were published, withdrawn, and seeds revealed, in their order."""
    rewards_follow: bool
    """Whether referrers' rewards are worked out anew. Where the export does not say who referred whom, they stay."""


def lay_out(
    connection: "duckdb.DuckDBPyConnection", directory: Path, shards: int, since: datetime | None
) -> History:
    """Write the turns of all customers into so many shard files in the directory.

    With `since`, each customer's point events before the first one of that time or later are turns as they are, to be
    folded; what comes then is decided.
    """
    follow = bool(_one(connection, "SELECT count(*) FROM facts WHERE referred_by IS NOT NULL"))
    connection.execute("CREATE TEMP TABLE topics (type VARCHAR, topic VARCHAR)")
    connection.executemany("INSERT INTO topics VALUES (?, ?)", list(TOPIC_OF_TYPE.items()))
    connection.execute("CREATE TEMP TABLE change AS SELECT $since::TIMESTAMPTZ AS since", {"since": since})
    for step in (MADE, CUTS):
        connection.execute(step)
    connection.execute(FOUND, {"follow": follow, "announcements": list(_ANNOUNCEMENTS)})
    for step in (PLACED, CLOCKED, TURNS, *([PAST] if since else ())):
        connection.execute(step)
    paths = []
    for number in range(shards):
        path = directory / f"turns-{number:03}.parquet"
        connection.execute(
            f"COPY (SELECT * EXCLUDE (turn) FROM turns WHERE hash(customer) % {shards} = {number} "
            'ORDER BY customer, kind <> 0, turn, place < 0, at_us, "offset") '
            f"TO '{path}' (FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE 20000)"
        )
        paths.append(path)
    ends = connection.execute(
        "SELECT partition, max(greatest(clock, least(at_us // 1000, stamped))) FROM clocked GROUP BY partition"
    ).fetchall()
    facts = _one(connection, "SELECT count(*) FROM placed")
    return History(
        paths,
        facts,
        dict(ends),
        _asked(connection),
        _rewards(connection),
        _wins(connection),
        _announcements(connection),
        follow,
    )


def _asked(connection: "duckdb.DuckDBPyConnection") -> dict[str, Asked]:
    rows = connection.execute(
        """
        WITH notes AS (
            SELECT note_kind, json_extract(data, '$.note') AS note
            FROM points_events WHERE note_kind IN ('ask', 'answer')
        ), answers AS (
            SELECT json_extract_string(note, '$.request_id') AS id, (note->>'given')::BIGINT AS given
            FROM notes WHERE note_kind = 'answer'
        )
        SELECT n.note->>'request_id', n.note->>'resource', (n.note->>'quantity')::BIGINT,
            (n.note->>'limit')::BIGINT, given
        FROM notes n LEFT JOIN answers ON answers.id = n.note->>'request_id' WHERE note_kind = 'ask'
        """
    ).fetchall()
    return {request_id: Asked(*rest) for request_id, *rest in rows}


def _rewards(connection: "duckdb.DuckDBPyConnection") -> list[GrantPoints]:
    rows = connection.execute(
        "SELECT id, source, customer, at_us, data FROM turns WHERE kind = $kind", {"kind": REWARD}
    ).fetchall()
    return [
        GrantPoints(
            specversion="1.0",
            id=command_id,
            source=source,
            subject=customer,
            time=calendar.to_datetime(at_us // 1000),
            data=_read_reward(data),
        )
        for command_id, source, customer, at_us, data in rows
    ]


_read_reward: Final = msgspec.json.Decoder(GrantPointsData).decode


def _wins(connection: "duckdb.DuckDBPyConnection") -> list[EntryWon]:
    rows = connection.execute(
        "SELECT cause_id, customer, epoch_ms(time), data FROM points_events WHERE type = 'draw-won'"
    ).fetchall()
    return [
        EntryWon(
            specversion="1.0",
            id=message_id,
            source=SOURCE,
            subject=customer,
            time=calendar.to_datetime(at),
            data=_read_win(data),
        )
        for message_id, customer, at, data in rows
    ]


_read_win: Final = msgspec.json.Decoder(EntryWonData).decode


def _announcements(connection: "duckdb.DuckDBPyConnection") -> list[wire.Decoded]:
    rows = connection.execute(
        "SELECT type, id, source, campaign_id, epoch_us(time), data FROM facts "
        'WHERE list_contains($types, type) ORDER BY time, "partition", "offset"',
        {"types": list(_ANNOUNCEMENTS)},
    ).fetchall()
    found = []
    for kind, event_id, source, subject, at_us, data in rows:
        event = {
            "specversion": "1.0",
            "type": kind,
            "id": event_id,
            "source": source,
            "subject": subject,
            "time": calendar.to_datetime(at_us // 1000),
            "data": msgspec.Raw(data.encode()),
        }
        decoded = wire.decode_line(msgspec.json.encode(event))
        if isinstance(decoded, wire.Decoded) and isinstance(decoded.fact, Announcement):
            found.append(decoded)
    return found


def _one(connection: "duckdb.DuckDBPyConnection", query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None  # every query here counts
    return row[0]


def read(shard: Path, only: frozenset[str] | None = None) -> Iterator[list[Turn]]:
    """The turns of each customer of a shard, in order; with `only`, of these customers."""
    import pyarrow.compute as pc  # noqa: PLC0415 - workers load it when they need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    theirs: list[Turn] = []
    with pq.ParquetFile(shard) as file:
        for found in file.iter_batches(batch_size=20_000, columns=list(Turn._fields)):
            batch = found
            if only is not None:
                batch = batch.filter(pc.is_in(batch["customer"], value_set=_array(only)))
            columns = [batch.column(name).to_pylist() for name in Turn._fields]
            for turn in map(Turn._make, zip(*columns, strict=True)):
                if theirs and theirs[0].customer != turn.customer:
                    yield theirs
                    theirs = []
                theirs.append(turn)
    if theirs:
        yield theirs


def _array(customers: frozenset[str]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    return pa.array(sorted(customers), pa.string())

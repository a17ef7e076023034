"""The history as turns: every fact in the order in which the ledger applied it, customer by customer, in shard files.

The order stands in the ledger itself: a fact took its turn where the first point event that it made is. What made
none (a repeat, or what was refused) comes right after what its topic brought before. It must not know any rule.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from loyalty_stream.analysis.what_if.turn_queries import (
    ANSWER,
    CLOCKED,
    CUTS,
    EVENT,
    FACT,
    FOUND,
    MADE,
    PAST,
    PLACED,
    REWARD,
    SETTLED,
    SHARD,
    STATED,
    TABLES,
    TURNS,
    WIN,
)
from loyalty_stream.domain import calendar
from loyalty_stream.domain.announcements import Announcement
from loyalty_stream.domain.events import EVENT_TYPE, SOURCE, PointEvent, PointEventData
from loyalty_stream.domain.facts import EntryWon, EntryWonData, GrantPoints, GrantPointsData, Incoming
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.topics import ACCEPTED, type_name

if TYPE_CHECKING:
    import duckdb

_ANNOUNCEMENTS: Final = tuple(type_name(kind) for kind in ACCEPTED["campaigns"])


__all__ = [
    "ANSWER",
    "EVENT",
    "FACT",
    "REWARD",
    "WIN",
    "History",
    "Turn",
    "event_of",
    "lay_out",
    "read",
    "text_array",
]


class Turn(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One thing that happens to a customer. Instants in ms, but `at_us`. What a kind does not need is left out."""

    customer: str
    partition: int
    kind: int
    clock: int
    """The partition's time before it."""
    place: int
    """The offset of the first point event that it made; -1: it made none."""
    at_us: int
    """Its own time, in microseconds."""
    stamped: int
    """The broker's timestamp."""
    fact: Incoming | None = None
    """It was checked when it was exported."""
    id: str = ""
    """Of a point event, of the request that was answered, of the message that told a win, of a reward's command."""
    type: str = ""
    """Of a point event."""
    cut_in_two: bool = False
    """The cause of the point event made events from the change of the rules on as well."""
    data: msgspec.Raw = msgspec.Raw(b"")
    """Of a point event."""


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
    connection.execute("CREATE TEMP TABLE topics (type VARCHAR, topic UTINYINT)")
    topics = {
        name: number for number, kinds in enumerate(ACCEPTED.values()) for name in map(type_name, kinds)
    }
    connection.executemany(
        "INSERT INTO topics VALUES (?, ?)",
        [(name, number) for name, number in topics.items() if name not in _ANNOUNCEMENTS],
    )
    connection.execute("CREATE TEMP TABLE change AS SELECT $since::TIMESTAMPTZ AS since", {"since": since})
    connection.execute(STATED, {"follow": follow})
    for step in (MADE, CUTS, FOUND, PLACED, CLOCKED, TURNS, *([SETTLED, PAST] if since else ())):
        connection.execute(step)
    paths = []
    for number in range(shards):
        path = directory / f"turns-{number:03}.parquet"
        connection.execute(SHARD.format(shards=shards, number=number, path=path))
        paths.append(path)
    ends = connection.execute(
        "SELECT partition, max(greatest(clock, least(at_us // 1000, stamped))) FROM clocked GROUP BY partition"
    ).fetchall()
    history = History(
        paths,
        _one(connection, "SELECT count(*) FROM placed"),
        dict(ends),
        _asked(connection),
        _rewards(connection),
        _wins(connection),
        _announcements(connection),
        follow,
    )
    for table in ("topics", "change", *TABLES):
        connection.execute(f"DROP TABLE {table}")  # the shards have it all; memory is for the replay now
    return history


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


def read(shard: Path, only: frozenset[str] | None = None) -> Iterator[tuple[str, list[Turn]]]:
    """The turns of each customer of a shard, in order; with `only`, of these customers."""
    turns = chain.from_iterable(_batches(shard, only))
    for customer, theirs in groupby(turns, _customer_of):
        yield customer, list(theirs)


def _batches(shard: Path, only: frozenset[str] | None) -> Iterator[list[Turn]]:
    import pyarrow.compute as pc  # noqa: PLC0415 - workers load it when they need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    theirs = None if only is None else text_array(sorted(only))
    with pq.ParquetFile(shard) as file:
        for found in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=["customer", "line"]):
            batch = found if theirs is None else found.filter(pc.is_in(found["customer"], value_set=theirs))
            if len(batch):
                yield _decode_lines(_end_to_end(batch["line"]))


_ROWS_AT_ONCE: Final = 10_000
_customer_of: Final = attrgetter("customer")
_decode_lines: Final = msgspec.json.Decoder(Turn).decode_lines


def _end_to_end(texts: Any) -> memoryview:
    """What all strings of an Arrow array hold, without making one of each."""
    _, offsets, data = texts.buffers()
    bounds = memoryview(offsets).cast("i")
    return memoryview(data)[bounds[texts.offset] : bounds[texts.offset + len(texts)]]


def text_array(texts: Sequence[str]) -> Any:
    """An Arrow array of strings; `pyarrow.array` would load pandas first, which takes longer than a small shard."""
    import pyarrow as pa  # noqa: PLC0415

    encoded = [text.encode() for text in texts]
    bounds = array("i", accumulate(map(len, encoded), initial=0))
    return pa.Array.from_buffers(
        pa.string(), len(texts), [None, pa.py_buffer(bounds), pa.py_buffer(b"".join(encoded))]
    )


def event_of(turn: Turn) -> PointEvent:
    """The point event of a turn of the past."""
    return PointEvent(
        id=turn.id,
        type=turn.type,
        subject=turn.customer,
        time=_EPOCH + timedelta(microseconds=turn.at_us),
        data=_READ_EVENT[turn.type](turn.data),
    )


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_READ_EVENT: Final[dict[str, Callable[[msgspec.Raw], PointEventData]]] = {
    name: msgspec.json.Decoder(data).decode for data, name in EVENT_TYPE.items()
}

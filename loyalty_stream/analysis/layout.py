"""Which topic's records become which part of the export; and an export made of lines, without a broker."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from loyalty_stream.analysis.accounts import accounts_of
from loyalty_stream.analysis.columns import FACTS, POINT_EVENTS, Fact, fact_rows, point_event_rows
from loyalty_stream.analysis.directory import Dataset, ExportDirectory, opened
from loyalty_stream.app.settings import INPUTS
from loyalty_stream.domain.facts import Moment
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.instants import instant_ms
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.topics import ACCEPTED, TOPIC_OF_TYPE

EVENTS: Final = "points-events"
POINT_EVENT_FILES: Final = Dataset(EVENTS, POINT_EVENTS)
FACT_FILES: Final = {kind: Dataset(f"facts/topic={kind}", FACTS) for kind in INPUTS if kind in ACCEPTED}
"""Kind of an input topic -> where its facts go."""
_ROWS_AT_ONCE: Final = 5_000


def update_accounts(directory: ExportDirectory) -> None:
    """Add the accounts up anew where point events have come since they were."""
    manifest = directory.manifest
    if manifest.accounts_at_commit != manifest.commits:
        directory.replace_accounts(accounts_of(directory.files_of(EVENTS)))


# -- without a broker -----------------------------------------------------------------------------------


class Recorded(NamedTuple):
    """A line, and when the ledger knew of it, in ms since 1970."""

    line: bytes
    at_ms: int


class _Record(NamedTuple):
    key: bytes
    value: bytes
    timestamp: int
    partition: int
    offset: int


class _Heading(Struct):
    type: str
    subject: str
    time: Moment


_heading: Final = msgspec.json.Decoder(_Heading).decode


def export_lines(
    path: Path,
    point_events: Iterable[bytes | Recorded],
    facts: Iterable[bytes | Recorded] = (),
    partitions: int = 1,
) -> None:
    """Export point events, such as `simulate` writes, and facts, one CloudEvent each, into a new directory.

    A line without a time of its recording was recorded when it happened. Facts that do not decode are left out.
    """
    records: dict[tuple[str, int], list[_Record]] = defaultdict(list)
    for each in point_events:
        _add(records, EVENTS, each, partitions)
    for each in facts:
        _add(records, "", each, partitions)
    with opened(path, "lines") as directory:
        directory.manifest.subject = "plain"
        for (kind, partition), of_partition in sorted(records.items()):
            start = directory.next_offset(kind, partition)
            for first in range(start, len(of_partition), _ROWS_AT_ONCE):
                chunk = of_partition[first : first + _ROWS_AT_ONCE]
                end = first + len(chunk)
                if kind == EVENTS:
                    directory.append(kind, partition, end, POINT_EVENT_FILES, point_event_rows(chunk))
                else:
                    rows = fact_rows(_decoded(kind, chunk), name_referrers=True)
                    directory.append(kind, partition, end, FACT_FILES[kind], rows)
        directory.commit()
        update_accounts(directory)


def _add(
    records: dict[tuple[str, int], list[_Record]], kind: str, given: bytes | Recorded, partitions: int
) -> None:
    line = given.line if isinstance(given, Recorded) else given
    heading = _heading(line)
    at_ms = given.at_ms if isinstance(given, Recorded) else instant_ms(heading.time)
    key = heading.subject.encode()
    partition = partition_of(key, partitions)
    of_partition = records[kind or TOPIC_OF_TYPE[heading.type], partition]
    of_partition.append(_Record(key, line.strip(), at_ms, partition, len(of_partition)))


def _decoded(kind: str, records: Iterable[_Record]) -> list[Fact]:
    found = ((record, wire.decode(kind, record.key, record.value, None)) for record in records)
    return [
        Fact(record, decoded, None if kind == "campaigns" else record.key.decode())
        for record, decoded in found
        if isinstance(decoded, wire.Decoded)
    ]

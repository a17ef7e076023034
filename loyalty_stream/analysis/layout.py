"""Which topic's records become which part of the export; and an export made of lines, without a broker."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
    with lines_export(path, partitions) as export:
        for each in point_events:
            export.point_event(each)
        for each in facts:
            export.fact(each)


@contextmanager
def lines_export(path: Path, partitions: int = 1) -> Iterator["LinesExport"]:
    """An export into a new directory to which lines are given one by one, in whatever order the kinds come.

    What is in memory is bounded; it is whole when the context is left.
    """
    with opened(path, "lines") as directory:
        directory.manifest.subject = "plain"
        export = LinesExport(directory, partitions)
        yield export
        export.write_rest()
        directory.commit()
        update_accounts(directory)


class LinesExport:
    """The pen of `lines_export`."""

    def __init__(self, directory: ExportDirectory, partitions: int) -> None:
        self._directory = directory
        self._partitions = partitions
        self._waiting: dict[tuple[str, int], list[_Record]] = defaultdict(list)
        self._next: Counter[tuple[str, int]] = Counter()

    def point_event(self, given: bytes | Recorded) -> None:
        """Take a line as `simulate` writes it."""
        self._take(given, is_fact=False)

    def fact(self, given: bytes | Recorded) -> None:
        """Take a line as `simulate` reads it."""
        self._take(given, is_fact=True)

    def write_rest(self) -> None:
        """Bring to the directory what waits for its chunk to be full."""
        for place in sorted(self._waiting):
            self._write(place)

    def _take(self, given: bytes | Recorded, *, is_fact: bool) -> None:
        line = given.line if isinstance(given, Recorded) else given
        heading = _heading(line)
        at_ms = given.at_ms if isinstance(given, Recorded) else instant_ms(heading.time)
        key = heading.subject.encode()
        partition = partition_of(key, self._partitions)
        place = (TOPIC_OF_TYPE[heading.type] if is_fact else EVENTS, partition)
        waiting = self._waiting[place]
        waiting.append(_Record(key, line.strip(), at_ms, partition, self._next[place]))
        self._next[place] += 1
        if len(waiting) == _ROWS_AT_ONCE:
            self._write(place)

    def _write(self, place: tuple[str, int]) -> None:
        kind, partition = place
        records = self._waiting.pop(place)
        end = records[-1].offset + 1
        if kind == EVENTS:
            self._directory.append(kind, partition, end, POINT_EVENT_FILES, point_event_rows(records))
        else:
            rows = fact_rows(_decoded(kind, records), name_referrers=True)
            self._directory.append(kind, partition, end, FACT_FILES[kind], rows)


def _decoded(kind: str, records: Iterable[_Record]) -> list[Fact]:
    found = ((record, wire.decode(kind, record.key, record.value, None)) for record in records)
    return [
        Fact(record, decoded, None if kind == "campaigns" else record.key.decode())
        for record, decoded in found
        if isinstance(decoded, wire.Decoded)
    ]

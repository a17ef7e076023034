"""The export from Kafka: reads each topic from where the directory ends to where the topic ends, committed only.

It must not know columns or files. docs/privacy.md says why, under pseudonyms, facts are exported as far as the
ledger has read them and no further.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from aiokafka.admin import AIOKafkaAdminClient

from loyalty_stream.analysis.columns import Fact, fact_rows, point_event_rows
from loyalty_stream.analysis.directory import Dataset, ExportDirectory, ExportDirectoryError, Subject, opened
from loyalty_stream.analysis.layout import EVENTS, FACT_FILES, POINT_EVENT_FILES, update_accounts
from loyalty_stream.app.identities import IdentityCodec
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.read_log import LogReader, log_reader
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.topics import partition_counts
from loyalty_stream.wire import decode as wire

_IDENTITIES: Final = "identities"
_CAMPAIGNS: Final = "campaigns"

Place = tuple[str, int]
"""Kind of a topic, and a partition of it."""
Names = dict[bytes, str]
"""A customer's id as the platform knows it -> the token that stands for them."""


@dataclass(slots=True)
class ExportReport:
    """What one run has added: rows by dataset. `left_out`: records of input topics that do not decode."""

    new: dict[str, int]
    left_out: int = 0
    accounts: int = 0


async def export(
    settings: Settings, path: Path, progress: Callable[[float], None] | None = None
) -> ExportReport:
    """Bring the directory up to the present: what is there stays, what came since is added, accounts are replaced.

    `progress` is told the share done. Raises MendableError where topics are missing or the directory is another
    deployment's; what was committed before stays, and the next run goes on from it.
    """
    counts = await partition_counts(settings)
    if (name := settings.topic(EVENTS)) not in counts:
        raise MendableError(
            f"topic {name} is missing on {settings.bootstrap_servers}; check --topic-prefix, or create the topics "
            "with `loyalty-stream topics create`"
        )
    with opened(path, f"{settings.topic_prefix}{settings.app_id}") as directory:
        async with log_reader(settings) as reader:
            run = _Run(settings, directory, reader, counts, progress or (lambda _: None))
            await run.all()
        directory.commit()
        update_accounts(directory)
        run.report.accounts = sum(each.rows for each in directory.manifest.accounts)
        return run.report


class _Run:
    """One run of the export. Partition by partition, so that the names of one are in memory at a time."""

    def __init__(
        self,
        settings: Settings,
        directory: ExportDirectory,
        reader: LogReader,
        counts: dict[str, int],
        progress: Callable[[float], None],
    ) -> None:
        self.report = ExportReport(dict.fromkeys([EVENTS, *FACT_FILES], 0))
        self._settings = settings
        self._directory = directory
        self._reader = reader
        self._counts = counts
        self._progress = progress
        self._places = [
            (kind, partition)
            for kind in (*FACT_FILES, EVENTS)
            for partition in range(counts.get(settings.topic(kind), 0))
        ]
        self._done = 0

    async def all(self) -> None:
        """Append whatever is new, up to where the topics end now."""
        # In this order: whoever has point events has had an identity before, if identities are kept at all.
        ends = await self._ends(self._places)
        identities = range(self._counts.get(self._settings.topic(_IDENTITIES), 0))
        pseudonyms = any((await self._ends([(_IDENTITIES, each) for each in identities])).values())
        begun = pseudonyms or any(end for (kind, _), end in ends.items() if kind == EVENTS)
        self._remember_subject("pseudonym" if pseudonyms else "plain" if begun else "")
        if not begun:
            return  # how customers are to be named nobody knows yet
        if pseudonyms:
            read = await self._read_by_ledger()
            ends |= {
                place: min(ends[place], read.get(place, 0)) for place in self._places if place[0] != EVENTS
            }
        for partition in sorted({partition for _, partition in self._places}):
            names = await self._names(partition) if pseudonyms else None
            for kind in (kind for kind, each in self._places if each == partition):
                await self._partition(kind, partition, ends[kind, partition], names)
                self._done += 1

    async def _ends(self, places: list[Place]) -> dict[Place, int]:
        """Where each partition ends. Raises ExportDirectoryError for one that ends before what was exported of it."""
        starts = {
            (self._settings.topic(kind), partition): self._directory.next_offset(kind, partition)
            for kind, partition in places
        }
        found = await self._reader.ends(starts)
        for (topic, partition), start in starts.items():
            if found[topic, partition] < start:
                raise ExportDirectoryError(
                    f"{self._directory.path}: {topic}, partition {partition} was exported up to offset {start} and "
                    f"ends with {found[topic, partition]}: it was made anew; name an empty directory"
                )
        return {place: found[self._settings.topic(place[0]), place[1]] for place in places}

    def _remember_subject(self, now: Subject) -> None:
        manifest = self._directory.manifest
        if manifest.subject and now != manifest.subject:
            raise ExportDirectoryError(
                f"{self._directory.path}: names customers the way of {manifest.subject}, the deployment that of "
                f"{now or 'none yet'}; topics were made anew: name an empty directory"
            )
        manifest.subject = now

    async def _read_by_ledger(self) -> dict[Place, int]:
        """Up to where the worker has read each partition of the input topics."""
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._settings.bootstrap_servers, **self._settings.connection
        )
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self._settings.app_id)
        finally:
            await admin.close()
        read = {(place.topic, place.partition): each.offset for place, each in found.items()}
        return {place: read.get((self._settings.topic(place[0]), place[1]), 0) for place in self._places}

    async def _names(self, partition: int) -> Names:
        names: Names = {}
        async for records in self._reader.read(self._settings.topic(_IDENTITIES), partition):
            for record in records:
                if record.value is None:
                    names.pop(record.key, None)
                else:
                    names[record.key] = IdentityCodec.decode(record.value).token
        return names

    # -- one partition of a topic -------------------------------------------------------------------------------

    async def _partition(self, kind: str, partition: int, end: int, names: Names | None) -> None:
        topic, start = self._settings.topic(kind), self._directory.next_offset(kind, partition)
        async for records in self._reader.read(topic, partition, start=start, until=end, progress=self._tell):
            if records:
                dataset, rows = self._rows(kind, records, names)
                self._directory.append(kind, partition, records[-1].offset + 1, dataset, rows)
                self.report.new[kind] += rows.num_rows
        if end > start:
            self._directory.reached(
                kind, partition, end
            )  # behind the marks of transactions, which are no records

    def _rows(self, kind: str, records: Sequence[Any], names: Names | None) -> tuple[Dataset, pa.Table]:
        if kind == EVENTS:
            return POINT_EVENT_FILES, point_event_rows(records)
        facts = [fact for record in records if (fact := _fact(kind, record, names)) is not None]
        self.report.left_out += len(records) - len(facts)
        return FACT_FILES[kind], fact_rows(facts, name_referrers=names is None)

    def _tell(self, share: float) -> None:
        self._progress((self._done + share) / len(self._places))


def _fact(kind: str, record: Any, names: Names | None) -> Fact | None:
    decoded = wire.decode(kind, record.key, record.value, record.timestamp)
    if not isinstance(decoded, wire.Decoded):
        return None
    if kind == _CAMPAIGNS:
        return Fact(record, decoded, None)
    return Fact(record, decoded, record.key.decode() if names is None else names.get(record.key))

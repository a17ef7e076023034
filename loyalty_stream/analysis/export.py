"""The export from Kafka: reads each topic from where the directory ends to where the topic ends, committed only.

It must not know columns or files. docs/privacy.md says why, under pseudonyms, facts are exported as far as the
ledger has read them and no further.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from loyalty_stream.analysis.columns import Fact, fact_rows, point_event_rows
from loyalty_stream.analysis.directory import ExportDirectory, ExportDirectoryError, Subject, opened
from loyalty_stream.analysis.layout import EVENTS, FACT_FILES, POINT_EVENT_FILES, update_accounts
from loyalty_stream.app.identities import IdentityCodec
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.read_log import LogReader, log_reader
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.topics import partition_counts
from loyalty_stream.wire import decode as wire

_IDENTITIES: Final = "identities"
_CAMPAIGNS: Final = "campaigns"

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
        self._kinds = [kind for kind in FACT_FILES if settings.topic(kind) in counts]
        self._steps = sum(counts[settings.topic(kind)] for kind in (EVENTS, *self._kinds))
        self._done = 0

    async def all(self) -> None:
        """Append whatever is new."""
        # In this order: whoever has point events by now has had an identity before, if identities are kept at all.
        begun = await self._has_begun(EVENTS)
        pseudonyms = await self._has_begun(_IDENTITIES)
        self._remember_subject(begun=begun, pseudonyms=pseudonyms)
        read_by_ledger = await self._read_by_ledger() if pseudonyms else {}
        for partition in range(
            max(self._counts[self._settings.topic(kind)] for kind in (EVENTS, *self._kinds))
        ):
            names = await self._names(partition) if pseudonyms else None
            for kind in self._kinds:
                if partition < self._counts[self._settings.topic(kind)] and (begun or pseudonyms):
                    until = read_by_ledger.get((kind, partition), 0) if pseudonyms else None
                    await self._facts(kind, partition, names, until)
            if partition < self._counts[self._settings.topic(EVENTS)]:
                await self._point_events(partition)

    def _remember_subject(self, *, begun: bool, pseudonyms: bool) -> None:
        manifest = self._directory.manifest
        now: Subject = "pseudonym" if pseudonyms else "plain" if begun else ""
        if manifest.subject and now != manifest.subject:
            raise ExportDirectoryError(
                f"{self._directory.path}: names customers the way of {manifest.subject}, the deployment that of "
                f"{now or 'none yet'}; topics were made anew: name an empty directory"
            )
        manifest.subject = now

    async def _has_begun(self, kind: str) -> bool:
        """Whether anything was ever written to the topic, gone since or not."""
        topic = self._settings.topic(kind)
        for partition in range(self._counts.get(topic, 0)):
            if await self._reader.end(topic, partition) > 0:
                return True
        return False

    async def _read_by_ledger(self) -> dict[tuple[str, int], int]:
        """Up to where the worker has read each partition of the input topics."""
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._settings.bootstrap_servers, **self._settings.connection
        )
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self._settings.app_id)
        finally:
            await admin.close()
        return {
            (kind, partition): found[place].offset
            for kind in self._kinds
            for partition in range(self._counts[self._settings.topic(kind)])
            if (place := TopicPartition(self._settings.topic(kind), partition)) in found
        }

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

    async def _point_events(self, partition: int) -> None:
        async for records in self._new_records(EVENTS, partition, None):
            rows = point_event_rows(records)
            self._directory.append(EVENTS, partition, records[-1].offset + 1, POINT_EVENT_FILES, rows)
            self.report.new[EVENTS] += rows.num_rows
        self._done += 1

    async def _facts(self, kind: str, partition: int, names: Names | None, until: int | None) -> None:
        async for records in self._new_records(kind, partition, until):
            facts = [fact for record in records if (fact := _fact(kind, record, names)) is not None]
            rows = fact_rows(facts, name_referrers=names is None)
            self._directory.append(kind, partition, records[-1].offset + 1, FACT_FILES[kind], rows)
            self.report.new[kind] += rows.num_rows
            self.report.left_out += len(records) - len(facts)
        self._done += 1

    async def _new_records(self, kind: str, partition: int, until: int | None) -> Any:
        topic, start = self._settings.topic(kind), self._directory.next_offset(kind, partition)
        chunks = self._reader.read(topic, partition, start=start, until=until, progress=self._tell)
        async for records in chunks:
            if not records:
                continue
            if records[0].offset < start:
                raise ExportDirectoryError(
                    f"{self._directory.path}: {topic}, partition {partition} was exported up to offset {start} and "
                    f"now has offset {records[0].offset} next: it was made anew; name an empty directory"
                )
            yield records

    def _tell(self, share: float) -> None:
        self._progress((self._done + share) / self._steps)


def _fact(kind: str, record: Any, names: Names | None) -> Fact | None:
    decoded = wire.decode(kind, record.key, record.value, record.timestamp)
    if not isinstance(decoded, wire.Decoded):
        return None
    if kind == _CAMPAIGNS:
        return Fact(record, decoded, None)
    return Fact(record, decoded, record.key.decode() if names is None else names.get(record.key))

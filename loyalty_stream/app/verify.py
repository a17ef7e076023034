"""Proves the ledger: folds all point events again and compares with the changelog, account by account.

It must not know the programme's rules: only what each event does to an account, and the law of conservation.
Memory: the accounts of one partition at a time, and about 70 bytes for each of its events (their ids).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final

from msgspec import UNSET

from loyalty_stream.app import topics
from loyalty_stream.app.account_table import EntryCodec
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.read_log import LogReader, log_reader
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain.account import ACCOUNT_FIELDS, Account, imbalance
from loyalty_stream.domain.events import Balance, PointEvent
from loyalty_stream.domain.evolve import fold
from loyalty_stream.engine.log import Guarantee
from loyalty_stream.engine.task import TIME_KEY
from loyalty_stream.wire import point_events

NAMED_DIFFERENCES: Final = 20
"""So many are described; the rest are only counted."""


class TopicsMissingError(MendableError):
    """The topics to compare are not there, or do not fit together; the message says what to do."""


@dataclass(slots=True)
class VerifyReport:
    """What was compared, in events, accounts and points; `first` describes the first differences."""

    events: int = 0
    repeats: int = 0
    """Events whose id had come before: a difference, unless the guarantee in force is effectively once."""
    accounts: int = 0
    granted: int = 0
    redeemed: int = 0
    expired: int = 0
    revoked: int = 0
    restored: int = 0
    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    unbalanced: int = 0
    """Events after which an account broke the law of conservation; each is a difference, too."""
    differences: int = 0
    first: list[str] = field(default_factory=list)
    first_written_ms: int = 0
    last_written_ms: int = 0
    """The timestamps of the first and the last record of the point events, in ms; 0 where there is none."""

    @property
    def outstanding(self) -> int:
        """Points that customers have and may still spend."""
        return self.available + self.pending + self.held

    def differ(self, what: str) -> None:
        """Count a difference, and describe it if it is among the first."""
        self.differences += 1
        if len(self.first) < NAMED_DIFFERENCES:
            self.first.append(what)

    def add(self, account: Account) -> None:
        """Count an account that is read to its end."""
        self.accounts += 1
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(account, name))


_SUMS: Final = (
    "granted", "redeemed", "expired", "revoked", "restored", "available", "pending", "held", "debt",
)  # fmt: skip

Watch = Callable[[PointEvent], None]
WatchAccount = Callable[[str, Account], None]


async def verify(
    settings: Settings,
    *,
    progress: Callable[[float], None] | None = None,
    watch: Watch | None = None,
    watch_account: WatchAccount | None = None,
) -> VerifyReport:
    """Read points-events and the changelog to their ends and compare.

    `watch` sees every event once, `watch_account` every account at its end; `progress` is told the share done.
    Raises TopicsMissingError. While workers write, an account may be found at any of its states since the
    reading began.
    """
    partitions = await _partitions(settings)
    report = VerifyReport()
    async with log_reader(settings) as reader:
        for partition in range(partitions):

            def tell(share: float, done: int = partition) -> None:
                if progress:
                    progress((done + share) / partitions)

            check = _PartitionCheck(settings, reader, partition, report, watch)
            await check.run(tell)
            for customer, account in check.accounts.items():
                report.add(account)
                if watch_account:
                    watch_account(customer, account)
    return report


class _PartitionCheck:
    """One partition: its fold, its changelog, and the comparison."""

    def __init__(
        self, settings: Settings, reader: LogReader, partition: int, report: VerifyReport, watch: Watch | None
    ) -> None:
        self.accounts: dict[str, Account] = {}
        self._settings = settings
        self._reader = reader
        self._partition = partition
        self._report = report
        self._watch = watch
        self._seen: set[int] = set()
        self._next_offset = 0
        self._events_topic = settings.topic("points-events")
        self._may_repeat = settings.guarantee == Guarantee.EFFECTIVELY_ONCE

    async def run(self, progress: Callable[[float], None]) -> None:
        await self._fold_events(None, lambda share: progress(share * 0.8))
        stored = await self._changelog(lambda share: progress(0.8 + share * 0.2))
        decode = EntryCodec().decode
        wrong: dict[str, Account] = {}
        for customer in stored.keys() | self.accounts.keys():
            value = stored.pop(customer, None)
            if value is None and self._is_erased(customer):
                continue  # under a pseudonym, an account's end is its deletion
            table = Account() if value is None else decode(value).account
            if table != self.accounts.get(customer, Account()):
                wrong[customer] = table
        if wrong:
            # A worker may have written on between the two readings: then the fold comes to the table's state.
            await self._fold_events(wrong, lambda _: None)
        for customer in sorted(wrong):
            self._report.differ(
                f"customer {customer}: {difference(self.accounts.get(customer), wrong[customer])}"
            )

    def _is_erased(self, customer: str) -> bool:
        account = self.accounts.get(customer)
        return account is not None and account.erased_at != 0

    async def _fold_events(self, wrong: dict[str, Account] | None, progress: Callable[[float], None]) -> None:
        """Read on. An account that comes to the state that `wrong` has for it is taken out of `wrong`."""
        topic, partition = self._events_topic, self._partition
        report = self._report
        chunks = self._reader.read(topic, partition, start=self._next_offset, progress=progress)
        async for records in chunks:
            for record in records:
                event = self._fold(record)
                if wrong and event and wrong.get(event.subject) == self.accounts[event.subject]:
                    del wrong[event.subject]
                self._next_offset = record.offset + 1
            if records:
                if not report.first_written_ms or records[0].timestamp < report.first_written_ms:
                    report.first_written_ms = records[0].timestamp
                report.last_written_ms = max(report.last_written_ms, records[-1].timestamp)

    def _fold(self, record: Any) -> PointEvent | None:
        report = self._report
        where = f"{record.topic}-{record.partition}@{record.offset}"
        try:
            event = point_events.decode(record.value)
        except point_events.UnreadablePointEventError as error:
            report.differ(f"{where}: {error}")
            return None
        if (key := hash(event.id)) in self._seen:
            report.repeats += 1
            if not self._may_repeat:
                report.differ(
                    f"{where}: customer {event.subject}: event {event.id} has been published before"
                )
            return None
        self._seen.add(key)
        if record.key != event.subject.encode():
            report.differ(f"{where}: event {event.id} of customer {event.subject} has the key {record.key!r}")
        report.events += 1
        report.by_type[event.type] += 1
        account = self.accounts.get(event.subject)
        if account is None:
            account = self.accounts[event.subject] = Account()
        try:
            fold(account, event)
        except (LookupError, ValueError, TypeError, AssertionError) as error:
            report.differ(f"{where}: customer {event.subject}: event {event.id} does not fold: {error!r}")
            return event
        self._check(account, event, where)
        if self._watch:
            self._watch(event)
        return event

    def _check(self, account: Account, event: PointEvent, where: str) -> None:
        if missing := imbalance(account):
            self._report.unbalanced += 1
            self._report.differ(
                f"{where}: customer {event.subject}: {missing} points are unexplained after event {event.id}"
            )
        balance = event.data.balance
        fold_is = Balance(account.available, account.pending, account.held, account.debt)
        if balance is UNSET or balance != fold_is:
            self._report.differ(
                f"{where}: customer {event.subject}: event {event.id} says {balance}, the fold is {fold_is}"
            )

    async def _changelog(self, progress: Callable[[float], None]) -> dict[str, bytes]:
        stored: dict[str, bytes] = {}
        chunks = self._reader.read(self._settings.changelog, self._partition, progress=progress)
        async for records in chunks:
            for record in records:
                if record.key == TIME_KEY:
                    continue
                if record.value is None:
                    stored.pop(record.key.decode(), None)
                else:
                    stored[record.key.decode()] = record.value
        return stored


def difference(folded: Account | None, table: Account) -> str:
    """In words: which fields of the fold of the events and of the changelog's account are not equal."""
    if folded is None:
        return "the changelog has an account, and there is no event of it"
    if table == Account():
        return "there are events, and the changelog has no account"
    parts = []
    for name in ACCOUNT_FIELDS:
        of_events, of_table = getattr(folded, name), getattr(table, name)
        if of_events != of_table:
            parts.append(
                f"{name} is {_short(of_events)} by its events and {_short(of_table)} in the changelog"
            )
    return "; ".join(parts)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def rows(report: VerifyReport) -> list[tuple[str, int]]:
    """The report's figures by name, in the order in which a person would read them."""
    shown = [(each.name, getattr(report, each.name)) for each in fields(report)]
    counts = [(name, value) for name, value in shown if isinstance(value, int) and "written" not in name]
    at = next(place for place, (name, _) in enumerate(counts) if name == "debt")
    counts.insert(at + 1, ("outstanding", report.outstanding))
    return counts


async def _partitions(settings: Settings) -> int:
    wanted = (settings.topic("points-events"), settings.changelog)
    counts = await topics.partition_counts(settings)
    if missing := [name for name in wanted if name not in counts]:
        raise TopicsMissingError(
            f"topics are missing on {settings.bootstrap_servers}: {', '.join(missing)}. "
            "Check --topic-prefix and --app-id, or create them with `loyalty-stream topics create`"
        )
    if counts[wanted[0]] != counts[wanted[1]]:
        raise TopicsMissingError(
            f"{wanted[0]} has {counts[wanted[0]]} partitions and {wanted[1]} has {counts[wanted[1]]}; "
            "they are of different deployments"
        )
    return counts[wanted[0]]

"""The counting stage: each partition counts its own customers' point events by campaign, programme and hour.

Since all of a customer is on one partition, the partitions' counts add up with nobody counted twice; the owner of a
scope adds them up (`counts_owner`). It knows no rule of what counts where.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import counting, members
from loyalty_stream.domain.counts import IN_ALL, Counts, Hour, Pair
from loyalty_stream.domain.happened import Happened
from loyalty_stream.domain.members import Member
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import Record
from loyalty_stream.engine.stage import Context, Decoded
from loyalty_stream.engine.table import Codec
from loyalty_stream.wire import counted_events
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.statistics import Partial, encode_partial

NAME: Final = "counting"
MEMBER: Final = b"m\n"
CELL: Final = b"c\n"
_MINUTE_MS: Final = 60_000

State: TypeAlias = Counts | Member


class StateCodec:
    """How counts and members are stored."""

    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(State).decode)


class StatisticsSink:
    """Takes what is told of committed transactions; this one drops it. The metrics are another."""

    def uncounted(self, events: int) -> None:
        """So many point events could not be read, and are in no count."""

    def counted(self, partition: int, scope: str, measures: Mapping[str, int]) -> None:
        """The owner on this partition has published what was counted of a campaign or the programme in all."""


class CountingStage:
    """What the engine drives. `partitions` is the number that every topic has."""

    name = NAME
    codec = StateCodec()
    broadcasts: Sequence[str] = ()
    side_tables: Mapping[str, Codec] = {}

    def __init__(self, settings: Settings, rules: Rules, partitions: int, sink: StatisticsSink) -> None:
        self.rules = rules
        self.partitions = partitions
        self.events_topic = settings.topic("points-events")
        self.partials_topic = settings.topic("campaign-counts")
        self.changelog = settings.changelog_of(NAME)
        self.sink = sink

    @property
    def inputs(self) -> Sequence[str]:
        return (self.events_topic,)

    def processor(self, context: Context) -> "CountingProcessor":
        return CountingProcessor(self, context)


class CountingProcessor:
    """One partition of the stage."""

    def __init__(self, stage: CountingStage, context: Context) -> None:
        self.time = 0
        self._stage = stage
        self._context = context
        self._table = context.table
        self._clock = counted_events.Clock(stage.rules.zone)
        self._retention = stage.rules.retention_ms // _MINUTE_MS
        self._pairs: dict[tuple[str, Hour], Pair] = {}
        """What was counted in since the last commit."""
        self._uncounted = 0

    def restored(self) -> None:
        """The table is all there is."""

    def decode(self, topic: str, record: Record) -> Decoded:
        """The event with its hour; None where it counts nothing, the error where it cannot be read."""
        del topic  # there is one
        try:
            event = counted_events.read(record.value or b"")
            if event is None:
                return 0, None
            at, hour = self._clock.read(event.time)
        except (ValueError, IndexError, RecursionError) as error:
            return 0, error
        return at, (at, hour, event)

    def process(
        self, topic: str, record: Record, event: tuple[int, Hour, Happened] | Exception | None
    ) -> None:
        del topic
        if event is None:
            return
        if isinstance(event, Exception) or record.key is None:
            self._uncounted += 1  # `verify` tells of it
            return
        at, hour, happened = event
        self.time = max(self.time, at)
        key = MEMBER + record.key
        known: Member | None = self._table.get(key)
        member = Member() if known is None else known
        changed = counting.count(happened, hour, member, self._pair)
        if counting.ends_account(happened):
            if known is not None:
                self._table.delete(key)
        elif changed:
            members.forget(member, self.time // _MINUTE_MS, self._retention)
            self._table.touch(key, member)

    def advance(self, time: int) -> None:
        """Nothing falls due here."""
        self.time = max(self.time, time)

    def proceed(self) -> bool:
        """Send what was counted, once for each transaction and whatever it was counted in."""
        partitions, topic = self._stage.partitions, self._stage.partials_topic
        told: dict[tuple[str, Hour], Counts] = {}
        for (scope, hour), (of_hour, in_all) in self._pairs.items():
            told[scope, hour], told[scope, IN_ALL] = of_hour, in_all
        for (scope, hour), counts in told.items():
            key = scope.encode()
            partial = Partial(self._context.partition, scope, hour, self.time, counts)
            self._context.emit(topic, partition_of(key, partitions), key, encode_partial(partial))
        self._pairs.clear()
        return False

    def committed(self) -> None:
        if self._uncounted:
            self._stage.sink.uncounted(self._uncounted)
            self._uncounted = 0

    def heard(self, topic: str, record: Record) -> None:
        """It hears of nothing."""

    def refuse(self, topic: str, record: Record, error: str) -> None:
        """The event is in no count; the task has logged why."""
        del topic, record, error
        self._uncounted += 1

    def _pair(self, scope: str, hour: Hour) -> Pair:
        pair = self._pairs.get((scope, hour))
        if pair is None:
            pair = self._pairs[scope, hour] = (self._opened(scope, hour), self._opened(scope, IN_ALL))
        return pair

    def _opened(self, scope: str, hour: Hour) -> Counts:
        """The counts of a scope and an hour, to be stored with this transaction."""
        key = cell_key(scope, hour)
        counts: Counts = self._table.get(key) or Counts()
        self._table.touch(key, counts)
        return counts


def cell_key(scope: str, hour: Hour) -> bytes:
    """The table's key of a scope and an hour, here and at the owner."""
    return CELL + f"{scope}\n{'all' if hour == IN_ALL else hour}".encode()

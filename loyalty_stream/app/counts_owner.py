"""The owner of what is counted of a campaign or the programme: adds up the partitions' counts and publishes them.

Each partition tells all that it has counted so far, so what is told twice changes nothing. It publishes at most once a
second of each scope; what waits for that is marked in the table, so that a crash loses none of it.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

import msgspec
from msgspec import Struct

from loyalty_stream.app.campaign_topic import LiveRules
from loyalty_stream.app.counting_stage import StatisticsSink, cell_key
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import statistics
from loyalty_stream.domain.announcements import DrawSeedRevealed
from loyalty_stream.domain.counts import IN_ALL, Counts, Hour, add_up, campaign_scope
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import NO_HEADERS, Record
from loyalty_stream.engine.stage import Context, Decoded
from loyalty_stream.engine.table import Codec
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.statistics import Partial, UnreadableError, decode_partial, encode

NAME: Final = "counts-owner"
PUBLISH_SECONDS: Final = 1.0
SLICE_CELLS: Final = 500
"""Added up and published in one go, some 10 ms."""


class Merged(Struct, gc=False, array_like=True):
    """What every partition has counted of a scope and an hour."""

    scope: str
    hour: Hour
    parts: dict[int, Counts] = {}
    at: int = 0
    revision: int = 0
    """How often it was published."""
    waits: bool = False
    """It has changed since."""


class MergedCodec:
    """How they are stored."""

    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(Merged).decode)


class CountsOwnerStage:
    """What the engine drives, after the counting stage. `seconds` is a clock that runs evenly."""

    name = NAME
    codec = MergedCodec()
    side_tables: Mapping[str, Codec] = {}

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        sink: StatisticsSink,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self.rules = rules
        self.partials_topic = settings.topic("campaign-counts")
        self.campaigns_topic = settings.topic("campaigns")
        self.topic = settings.topic("campaign-stats")
        self.changelog = settings.changelog_of(NAME)
        self.sink = sink
        self.seconds = seconds

    @property
    def inputs(self) -> Sequence[str]:
        return (self.partials_topic,)

    @property
    def broadcasts(self) -> Sequence[str]:
        return (self.campaigns_topic,)

    def processor(self, context: Context) -> "CountsOwner":
        return CountsOwner(self, context)


class CountsOwner:
    """One partition of the stage: the scopes whose keys fall on it."""

    def __init__(self, stage: CountsOwnerStage, context: Context) -> None:
        self.time = 0
        self._stage = stage
        self._table = context.table
        self._emit = context.output(stage.topic)
        self._partition = context.partition
        self._live_rules = LiveRules(stage.rules)
        self._waiting: dict[str, dict[Hour, None]] = {}
        self._published_at: dict[str, float] = {}
        self._told: dict[str, Mapping[str, int]] = {}
        """What was published since the last commit, of all hours together."""
        self._uncounted = 0

    def restored(self) -> None:
        for _, value in self._table.committed_items():
            merged = MergedCodec.decode(value)
            # The totals are told again: the metrics of this worker know them then, and budgets as they are now.
            if merged.waits or merged.hour == IN_ALL:
                self._waiting.setdefault(merged.scope, {})[merged.hour] = None

    def decode(self, topic: str, record: Record) -> Decoded:
        del topic  # there is one
        try:
            partial = decode_partial(record.value)
        except UnreadableError as error:
            return 0, error
        return partial.at, partial

    def process(self, topic: str, record: Record, event: Partial | UnreadableError) -> None:
        del topic, record
        if isinstance(event, UnreadableError):
            self._uncounted += 1
            return
        self.time = max(self.time, event.at)
        key = cell_key(event.scope, event.hour)
        merged: Merged | None = self._table.get(key)
        if merged is None:
            merged = Merged(event.scope, event.hour)
        merged.parts[event.partition] = event.counts
        merged.at = max(merged.at, event.at)
        merged.waits = True
        self._table.touch(key, merged)
        self._waiting.setdefault(event.scope, {})[event.hour] = None

    def advance(self, time: int) -> None:
        """Nothing falls due by the time of events."""
        self.time = max(self.time, time)

    def proceed(self) -> bool:
        """Publish a slice of what has waited for a second; what waits on is looked at with the next tick."""
        now = self._stage.seconds()
        for scope, hours in self._waiting.items():
            if now - self._published_at.get(scope, float("-inf")) >= PUBLISH_SECONDS:
                for hour in list(hours)[:SLICE_CELLS]:
                    self._publish(scope, hour)
                    del hours[hour]
                if not hours:
                    self._published_at[scope] = now
                    del self._waiting[scope]
                return True
        return False

    def committed(self) -> None:
        for scope, measures in self._told.items():
            self._stage.sink.counted(self._partition, scope, measures)
        self._told.clear()
        if self._uncounted:
            self._stage.sink.uncounted(self._uncounted)
            self._uncounted = 0

    def heard(self, topic: str, record: Record) -> None:
        """A campaign is told of: its budget may be another from now on."""
        del topic
        said = wire.decode("campaigns", record.key, record.value, record.timestamp)
        if isinstance(said, wire.Decoded) and not isinstance(said.fact, DrawSeedRevealed):
            self._live_rules.hear(said.fact)  # type: ignore[arg-type]  # the topic takes no other
            scope = campaign_scope(said.fact.subject)
            if self._table.get(cell_key(scope, IN_ALL)) is not None:
                self._waiting.setdefault(scope, {})[IN_ALL] = None

    def refuse(self, topic: str, record: Record, error: str) -> None:
        """The next counts of the same partition say it again; the task has logged why."""
        del topic, record, error
        self._uncounted += 1

    def _publish(self, scope: str, hour: Hour) -> None:
        key = cell_key(scope, hour)
        merged: Merged = self._table.get(key)
        rules = self._live_rules.current
        counts = add_up(list(merged.parts.values()))
        told = statistics.counted(scope, hour, counts, merged.at, merged.revision, rules)
        self._emit((statistics.key_of(scope, hour, rules.zone).encode(), encode(told), NO_HEADERS))
        merged.waits = False
        merged.revision += 1
        self._table.touch(key, merged)
        if hour == IN_ALL:
            numbers = msgspec.structs.asdict(told.data)
            self._told[scope] = {name: each for name, each in numbers.items() if isinstance(each, int)}

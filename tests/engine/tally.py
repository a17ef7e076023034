"""A stage that knows nothing of loyalty: it adds numbers up by key, and rings a key when its time has come.

A record's value is JSON: `{"id", "time", "add"}`, or `"ring"` for the instant at which the key is to be rung.
A repeated id changes nothing. `"poison": true` raises after the state has been changed, `"unwritable": true` where its output is encoded.
`"chores": n` leaves n slices of work to do when there is time; how many are left is in a table of its own.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loyalty_stream.engine.log import Record
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.stage import Context, Decoded
from loyalty_stream.engine.table import Codec
from loyalty_stream.engine.task import PartitionTask, TaskOptions
from loyalty_stream.engine.timers import NEVER, Timers

INPUTS = ("left", "right")
TOTALS = "totals"
REFUSED = "refused"
CHANGELOG = "tally-changelog"
CHORES = "tally-chores"
NEWS = "news"


class PoisonError(Exception):
    """What the stage raises on a poison record."""


@dataclass
class Tally:
    total: int = 0
    seen: list[str] = field(default_factory=list)
    rings: list[int] = field(default_factory=list)


class TallyCodec:
    def encode(self, state: Tally) -> bytes:
        return json.dumps([state.total, state.seen, state.rings]).encode()

    def decode(self, value: bytes) -> Tally:
        return Tally(*json.loads(value))


class ChoresCodec:
    def encode(self, state: int) -> bytes:
        return b"%d" % state

    def decode(self, value: bytes) -> int:
        return int(value)


class TallyProcessor:
    def __init__(self, context: Context) -> None:
        self.time = 0
        self.commits = 0
        self.news: list[bytes | None] = []
        """What was broadcast, in the order heard."""
        self._table = context.table
        self._chores = context.side_tables[CHORES]
        self._total = context.pen(TOTALS, _encode)
        self._refused = context.output(REFUSED)
        self._timers = Timers()

    def restored(self) -> None:
        for key, value in self._table.committed_items():
            for due in TallyCodec().decode(value).rings[:1]:
                self._timers.schedule(key, due)

    def decode(self, topic: str, record: Record) -> Decoded:
        del topic  # both mean the same
        event = json.loads(record.value or b"{}")
        return event["time"], event

    def process(self, topic: str, record: Record, event: Any) -> None:
        del topic
        key = record.key or b""
        if event["time"] > self.time:
            self.advance(event["time"])
        tally: Tally = self._table.get(key) or Tally()
        if event["id"] in tally.seen:
            return
        tally.seen.append(event["id"])
        tally.total += event.get("add", 0)
        self._table.touch(key, tally)
        self._say(key, event["id"], tally, unwritable=event.get("unwritable", False))
        if "chores" in event:
            self._chores.touch(b"chores", event["chores"])
        if event.get("poison"):
            raise PoisonError(event["id"])
        if "ring" in event:
            tally.rings = sorted([*tally.rings, event["ring"]])
            self._timers.schedule(key, tally.rings[0])

    def advance(self, time: int) -> None:
        while (entry := self._timers.pop(time, self._due)) is not None:
            due, key = entry
            self.time = max(self.time, due)
            tally: Tally = self._table.get(key)
            tally.rings.pop(0)
            self._table.touch(key, tally)
            self._say(key, f"ring:{due}", tally)
            self._timers.schedule(key, tally.rings[0] if tally.rings else NEVER)
        self.time = max(self.time, time)

    def proceed(self) -> bool:
        left: int | None = self._chores.get(b"chores")
        if left is None:
            return False
        self._say(b"chores", f"chore:{left}", Tally(left))
        if left > 1:
            self._chores.touch(b"chores", left - 1)
        else:
            self._chores.delete(b"chores")
        return True

    def committed(self) -> None:
        self.commits += 1

    def heard(self, topic: str, record: Record) -> None:
        assert topic == NEWS
        self.news.append(record.value)

    def refuse(self, topic: str, record: Record, error: str) -> None:
        del topic
        self._refused((record.key, record.value, [("error", error.encode())]))

    def _due(self, key: bytes) -> int | None:
        tally: Tally | None = self._table.get(key)
        return tally.rings[0] if tally is not None and tally.rings else None

    def _say(self, key: bytes, event_id: str, tally: Tally, *, unwritable: bool = False) -> None:
        said = {"id": event_id, "total": tally.total, "at": self.time}
        self._total.write(key, {**said, "unwritable": PoisonError} if unwritable else said)


def _encode(said: dict[str, object]) -> bytes:
    return json.dumps(said).encode()


class TallyStage:
    name = "tally"
    inputs: Sequence[str] = INPUTS
    changelog = CHANGELOG
    broadcasts: Sequence[str] = ()
    side_tables: Mapping[str, Codec] = {CHORES: ChoresCodec()}
    codec = TallyCodec()

    def __init__(self) -> None:
        self.processors: list[TallyProcessor] = []

    def processor(self, context: Context) -> TallyProcessor:
        self.processors.append(TallyProcessor(context))
        return self.processors[-1]


def event(event_id: str, time: int, **more: Any) -> bytes:
    return json.dumps({"id": event_id, "time": time, **more}).encode()


def task_on(
    broker: MemoryBroker,
    options: TaskOptions | None = None,
    *,
    read_records: int = 1_000,
    observer: Silent | None = None,
    make_log: Callable[..., MemoryLog] = MemoryLog,
) -> PartitionTask:
    stage = TallyStage()
    log = make_log(broker, stage.name, 0, stage.inputs, stage.changelog, read_records)
    return PartitionTask(stage, 0, log, options or TaskOptions(), observer or Silent())


def values(broker: MemoryBroker, topic: str) -> list[Any]:
    return [json.loads(record.value or b"null") for record in broker.logs[topic, 0]]


def stored(broker: MemoryBroker) -> dict[bytes, bytes | None]:
    """The changelog's last value of each key."""
    return {record.key or b"": record.value for record in broker.logs[CHANGELOG, 0]}

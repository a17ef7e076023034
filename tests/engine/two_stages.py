"""The ledger and the owner of what is limited, several partitions of each, on the log in memory, in any interleaving.

A seed says whose turn it is; a step at which the process is gone can be chosen. Everything restarts then.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from loyalty_stream.app.account_table import EntryCodec
from loyalty_stream.app.allocation import AllocationStage
from loyalty_stream.app.allocation_counts import AllocationSink
from loyalty_stream.app.ledger import LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import evolve
from loyalty_stream.domain.account import Account, imbalance
from loyalty_stream.domain.events import PointEvent
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.broadcast import MemoryBroadcast
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.stage import Stage
from loyalty_stream.engine.task import TIME_KEY, Clock, PartitionTask, TaskOptions
from loyalty_stream.wire import point_events
from loyalty_stream.wire.partitioning import partition_of
from tests.domain import given
from tests.engine.histories import Sent

SETTINGS = Settings()
STAMP = given.ms("2030-01-01 00:00:00")
OPTIONS = TaskOptions(batch_records=4, clock=Clock.EVENTS, tick=0, patience=3_600, backoff=(0, 0))


class CrashError(BaseException):
    """The process is gone: no `except Exception` sees it."""


class World:
    """A broker with what was sent, and the tasks of a process that lives until it crashes."""

    def __init__(self, rules: Rules, partitions: int, history: Sequence[Sent]) -> None:
        self.partitions = partitions
        self.broker = MemoryBroker(lambda: STAMP)
        self.steps: Counter[str] = Counter()
        self._stages: list[Stage] = []
        self.change(rules)
        self.send(history)

    def send(self, history: Sequence[Sent]) -> None:
        """What comes next."""
        for kind, key, value in history:
            self.broker.produce(kind, partition_of(key or b"", self.partitions), key, value)

    def change(self, rules: Rules) -> None:
        """The workers are started anew with another programme file."""
        self._stages = [
            LedgerStage(SETTINGS, rules, self.partitions, CountSink()),
            AllocationStage(SETTINGS, rules, self.partitions, AllocationSink()),
        ]

    def run(self, seed: int, stops: Collection[int] = ()) -> "World":
        """Work until nothing is left to do; at each of the steps `stops` all tasks are gone."""
        chance = random.Random(seed)

        def on_step(step: str) -> None:
            self.steps[step] += 1
            if self.steps.total() in stops:
                raise CrashError(step)

        self.broker.on_step = on_step
        while True:
            try:
                asyncio.run(self._live(chance))
            except CrashError:
                continue
            return self

    async def _live(self, chance: random.Random) -> None:
        broadcast = MemoryBroadcast(self.broker, ("campaigns",))
        tasks = []
        for stage in self._stages:
            for partition in range(self.partitions):
                log = MemoryLog(self.broker, stage.name, partition, stage.inputs, stage.changelog, 3)
                tasks.append(PartitionTask(stage, partition, log, OPTIONS, Silent(), broadcast))
        for task in tasks:
            await task.open()
        idle: set[int] = set()
        while len(idle) < len(tasks):
            turn = chance.choice([number for number in range(len(tasks)) if number not in idle])
            before = self._written()
            await tasks[turn].step()
            if self._written() != before or not self._has_read_all(tasks[turn]):
                idle.clear()
            else:
                idle.add(turn)

    def _written(self) -> int:
        return sum(len(log) for log in self.broker.logs.values())

    def _has_read_all(self, task: PartitionTask) -> bool:
        name, partition = task.stage.name, task.partition
        return all(
            self.broker.offsets.get((name, topic, partition), 0) == len(self.broker.logs[topic, partition])
            for topic in task.stage.inputs
        )

    # -- what outlives ------------------------------------------------------------------------------------

    def events(self) -> list[PointEvent]:
        """All point events, of the partitions one after the other."""
        return [
            point_events.decode(record.value or b"")
            for partition in range(self.partitions)
            for record in self.broker.logs["points-events", partition]
        ]

    def answers(self) -> list[dict[str, Any]]:
        return [
            msgspec.json.decode(record.value or b"")
            for partition in range(self.partitions)
            for record in self.broker.logs["allocation-answers", partition]
        ]

    def dead_letters(self) -> int:
        return sum(len(self.broker.logs["dead-letters", partition]) for partition in range(self.partitions))

    def accounts(self) -> dict[str, Account]:
        """The tables, which are what the events fold to."""
        stored: dict[bytes, bytes] = {}
        for partition in range(self.partitions):
            log = self.broker.logs[SETTINGS.changelog, partition]
            stored |= {r.key or b"": r.value or b"" for r in log if r.key != TIME_KEY}
        folded: dict[str, Account] = {}
        for event in self.events():
            evolve.fold(folded.setdefault(event.subject, Account()), event)
        accounts = {key.decode(): EntryCodec().decode(value).account for key, value in stored.items()}
        assert folded == accounts
        assert all(imbalance(account) == 0 for account in accounts.values())
        return accounts

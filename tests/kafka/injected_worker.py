"""The worker as a program, with faults at chosen steps of chosen transactions: run as a subprocess by the tests.

argv[1] is JSON: `settings`, and optionally `faults` (transaction, step, signal), `gate` (a file without which
no restore begins; what is delivered before is logged), `ears` (a file without which it sends no heartbeats),
`hold_a_fetch` (one comes back after a rebalance) and `fetch_wait_ms` (so long a fetch waits for records).
"""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from aiokafka.consumer.group_coordinator import GroupCoordinator

from loyalty_stream.app.settings import Settings
from loyalty_stream.app.worker import run
from loyalty_stream.engine import transport
from loyalty_stream.engine.kafka_log import KafkaLog
from loyalty_stream.engine.task import Clock
from loyalty_stream.engine.tasks import Tasks
from loyalty_stream.engine.transport import BatchConsumerThread
from loyalty_stream.programme.compile import compile_rules
from loyalty_stream.programme.load import load_programme

STEPS = ("begun", "appended", "offsets added", "writing", "sent", "committing", "committed")
"""Where a fault may strike, in the order of a transaction. Up to `offsets added` the broker knows of nothing;
`writing`: it has the offsets and some of the records; `committing`: the commit is on its way. Without transactions
it is written partition by partition: `sent` is after the first, and there are no offsets before."""

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "stdout": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
}


def say(text: str) -> None:
    """For the test, in the log, now."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Faults:
    """Strikes at the first time that its step is reached in or after its transaction, counted over its stage's tasks."""

    def __init__(self, faults: list[dict]) -> None:
        assert all(fault["step"] in STEPS for fault in faults)
        self.faults = faults
        self.transactions = Counter[str]()

    def reach(self, step: str, log: KafkaLog) -> None:
        if self.faults and self.due(step, log):
            fault = self.faults.pop(0)
            stage = fault["stage"]
            say(f"FAULT {fault['signal']} at {step} of transaction {self.transactions[stage]} of {stage}")
            os.kill(os.getpid(), signal.Signals[fault["signal"]])

    def due(self, step: str, log: KafkaLog) -> bool:
        fault = self.faults[0] if self.faults else None
        if fault is None or fault["stage"] != _stage_of(log):
            return False
        return fault["step"] == step and self.transactions[fault["stage"]] >= fault["transaction"]


def _stage_of(log: KafkaLog) -> str:
    return log._transactional_id.rsplit("-", 2)[1]


def inject(faults: Faults) -> None:
    """Wrap the log's steps. Their names are the engine's own: one that is renamed fails here, loudly."""
    begin, append, add_offsets = KafkaLog.begin, KafkaLog.append, KafkaLog.add_offsets
    bounded, commit = KafkaLog._bounded, KafkaLog.commit

    async def begin_and_reach(self):
        await begin(self)
        faults.transactions[_stage_of(self)] += 1
        faults.reach("begun", self)

    async def append_and_reach(self, *args):
        await append(self, *args)
        faults.reach("appended", self)

    async def add_offsets_and_reach(self, offsets):
        await add_offsets(self, offsets)
        faults.reach("offsets added", self)

    async def bounded_and_reach(self, awaitable, what):
        if what == "writing" and faults.due("writing", self):
            awaitable = asyncio.ensure_future(awaitable)
            await asyncio.sleep(0.02)  # the partitions are added, and the first batches may be written
            faults.reach("writing", self)
        if what == "committing" and faults.due("committing", self):
            awaitable = asyncio.ensure_future(awaitable)
            for _ in range(3):  # turns of the loop: the request may have left, its answer is not here
                await asyncio.sleep(0)
            faults.reach("committing", self)
        found = await bounded(self, awaitable, what)
        if what == "writing":
            faults.reach("sent", self)
        return found

    async def commit_and_reach(self):
        await commit(self)
        faults.reach("committed", self)

    KafkaLog.begin = begin_and_reach
    KafkaLog.append = append_and_reach
    KafkaLog.add_offsets = add_offsets_and_reach
    KafkaLog._bounded = bounded_and_reach
    KafkaLog.commit = commit_and_reach


def hold_restores(gate: Path) -> None:
    """No restore begins before the file is there; records that are delivered meanwhile are announced."""
    changelog, deliver = KafkaLog.changelog, Tasks.deliver

    async def changelog_after_gate(self, topic=""):
        while not gate.exists():  # noqa: ASYNC110, ASYNC240 - another process makes the file
            await asyncio.sleep(0.05)
        async for chunk in changelog(self, topic):
            yield chunk

    def deliver_and_announce(self, batch):
        if batch.records and not gate.exists():
            say(f"DELIVERED {len(batch.records)} of {batch.topic}-{batch.partition} before ready")
        deliver(self, batch)

    KafkaLog.changelog = changelog_after_gate
    Tasks.deliver = deliver_and_announce


def hold_a_fetch() -> None:
    """The first fetch that is not of a partition's beginning comes back after the next rebalance only."""
    fetch = BatchConsumerThread.fetch
    held = []

    async def fetch_and_hold(self, partitions):
        batches = await fetch(self, partitions)
        tasks = self.consumer.transport.tasks
        if not held and any(batch.records and batch.records[0].offset > 0 for batch in batches):
            held.append(tasks.epoch)
            say("HOLDING a fetch")
            while tasks.epoch < held[0] + 2:  # noqa: ASYNC110 - until revoked and assigned
                await asyncio.sleep(0.02)
        return batches

    BatchConsumerThread.fetch = fetch_and_hold


def be_deaf(ears: Path) -> None:
    """No heartbeat before the file is there: what becomes of the group is not heard of unless one asks."""
    heartbeats = GroupCoordinator._heartbeat_routine

    async def heartbeats_with_ears(self):
        while not ears.exists():  # noqa: ASYNC110, ASYNC240 - another process makes the file
            await asyncio.sleep(0.05)
        await heartbeats(self)

    GroupCoordinator._heartbeat_routine = heartbeats_with_ears


def main() -> None:
    given = json.loads(sys.argv[1])
    settings = Settings(
        **{**given["settings"], "clock": Clock(given["settings"]["clock"])},
    )
    inject(Faults(given.get("faults", [])))
    if given.get("gate"):
        hold_restores(Path(given["gate"]))
    if given.get("ears"):
        be_deaf(Path(given["ears"]))
    if given.get("hold_a_fetch"):
        hold_a_fetch()
    if given.get("fetch_wait_ms"):
        transport.FETCH_WAIT_MS = given["fetch_wait_ms"]
    sys.exit(run(settings, compile_rules(load_programme(Path(settings.programme))), logging_config=LOGGING))


if __name__ == "__main__":
    main()

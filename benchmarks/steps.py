"""Where the microseconds of an event go: the code of the ledger's steps, run in this process over batches.

It is one partition's share of the workload. Each step is timed as a loop over a batch, as large as the worker's in a
backlog, and never call by call.
What the worker needs besides (fetching, Faust, the transaction's round trips) is the rest of its processor time.
"""

import argparse
import asyncio
from collections import defaultdict
from statistics import median
from time import process_time
from typing import Any, Final, cast

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from benchmarks import report
from benchmarks.cluster import BATCH_BYTES, PARTITIONS, cluster, place
from benchmarks.drain import drain
from benchmarks.workload import Input, inputs, rules
from loyalty_stream.app.ledger import LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import decide, identity, orders
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import SOURCE, Cause, PointEvent
from loyalty_stream.domain.evolve import evolve
from loyalty_stream.domain.facts import Incoming
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine import process_memory
from loyalty_stream.engine.log import NO_HEADERS, Output, Record
from loyalty_stream.engine.stage import Context, side_tables_in_memory
from loyalty_stream.engine.table import Table
from loyalty_stream.engine.task import TaskOptions
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire import point_events
from loyalty_stream.wire.partitioning import partition_of

BATCH_RECORDS: Final = TaskOptions().batch_records
STEPS: Final = ("read", "decode", "decide", "evolve", "encode", "stage", "append")
MEANS: Final = {
    "read": "unpack the fetched record batches",
    "decode": "JSON to a checked fact",
    "decide": "rules of the programme, events made",
    "evolve": "the events folded into the account",
    "encode": "point events to JSON, touched accounts to bytes",
    "stage": "account looked up, order packed, laws checked, timers, counts",
    "append": "outputs and changelog into record batches",
}

Taken = list[tuple[str, Record]]


def measure(records: list[Input], programme: Rules) -> defaultdict[str, float]:
    """Seconds of processor time by step, for one partition that gets these records."""
    stage = LedgerStage(Settings(), programme, 1, CountSink())
    table = Table(stage.codec)
    context = Context(0, table, side_tables_in_memory(stage))
    processor = stage.processor(context)
    processor.restored()
    decided: dict[str, Account] = {}
    folded: dict[str, Account] = {}
    seconds = defaultdict[str, float](float)
    for start in range(0, len(records), BATCH_RECORDS):
        fetched = _as_fetched(records[start : start + BATCH_RECORDS])

        begun = process_time()
        taken: Taken = [(topic, record) for topic, batch in fetched for record in batch]
        seconds["read"] += process_time() - begun

        begun = process_time()
        events = [processor.decode(topic, record)[1] for topic, record in taken]
        seconds["decode"] += process_time() - begun

        begun = process_time()
        for (topic, record), event in zip(taken, events, strict=True):
            processor.process(topic, record, event)
        processing = process_time() - begun

        begun = process_time()
        changes = table.changes()
        encoding = process_time() - begun

        seconds["append"] += _append(context, changes)
        table.committed(changes)
        processor.committed()
        context.clear()

        deciding, made = _decide(decided, events, programme)
        evolving = _evolve(folded, made)
        begun = process_time()
        for point_event in made:
            point_events.encode(point_event)
        event_encoding = process_time() - begun
        seconds["decide"] += deciding - evolving
        seconds["evolve"] += evolving
        seconds["encode"] += encoding + event_encoding
        seconds["stage"] += processing - deciding - event_encoding
    return seconds


def _as_fetched(records: list[Input]) -> list[tuple[str, PartitionRecords]]:
    """What a fetch brings: for each topic record batches, not yet unpacked, and taken out as the worker does."""
    builders: dict[str, BatchBuilder] = {}
    for each in records:
        builder = builders.get(each.topic)
        if builder is None:
            builder = builders[each.topic] = BatchBuilder(64 * BATCH_BYTES, 0)
        # Event times lie in the past of any clock; a fixed broker's timestamp keeps runs alike.
        builder.append(timestamp=1_900_000_000_000, key=each.key, value=each.value)
    fetched = []
    for topic, builder in builders.items():
        unpacked = PartitionRecords(
            TopicPartition(topic, 0), MemoryRecords(bytes(builder._build())), [], 0, None, None,  # noqa: SLF001
            check_crcs=True, isolation_level=READ_COMMITTED,
        )  # fmt: skip
        unpacked._consumer_record = lambda _, record: record  # noqa: SLF001 - as engine.transport does
        fetched.append((topic, unpacked))
    return fetched


def _decide(
    accounts: dict[str, Account], events: list[Any], programme: Rules
) -> tuple[float, list[PointEvent]]:
    """Decide and evolve, and nothing around it."""
    todo = []
    for event in events:
        assert isinstance(event, wire.Decoded)  # the workload has nothing else
        fact = cast("Incoming", event.fact)
        account = accounts.get(fact.subject)
        if account is None:
            account = accounts[fact.subject] = Account()
        todo.append((account, fact, event.at_ms))
    made: list[PointEvent] = []
    begun = process_time()
    for account, fact, at in todo:
        made += decide.apply(account, fact, programme, at, at=at)
    seconds = process_time() - begun
    for account, _, _ in todo:
        orders.pack(account)  # as the stage does after each event
    return seconds, made


def _evolve(accounts: dict[str, Account], events: list[PointEvent]) -> float:
    """The same events folded into accounts of their own."""
    todo = []
    for event in events:
        account = accounts.get(event.subject)
        if account is None:
            account = accounts[event.subject] = Account()
        cause = event.data.cause
        assert isinstance(cause, Cause)
        key = b""
        if cause.source != SOURCE:
            key = identity.key_of(identity.digest(event.subject, cause.source, cause.id))
        at = round(event.time.timestamp() * 1000)
        stem, _, number = event.id.rpartition(".")
        todo.append((account, event.data, key, stem, at, number == "0"))
    begun = process_time()
    for account, data, key, stem, at, first in todo:
        evolve(account, data, key, stem, at, first=first)
    seconds = process_time() - begun
    for account, *_ in todo:
        orders.pack(account)
    return seconds


def _append(context: Context, changes: list[tuple[bytes, bytes]]) -> float:
    begun = process_time()
    changelog: list[Output] = [(key, value, NO_HEADERS) for key, value in changes]
    for records in [*(written for _, _, written in context.written()), changelog]:
        batch = BatchBuilder(BATCH_BYTES, 0, is_transactional=1)
        for key, value, headers in records:
            if batch.append(timestamp=1_900_000_000_000, key=key, value=value, headers=headers) is None:
                batch._build()  # noqa: SLF001 - sums up the batch and its checksum, as sending does
                batch = BatchBuilder(BATCH_BYTES, 0, is_transactional=1)
                batch.append(timestamp=1_900_000_000_000, key=key, value=value, headers=headers)
        batch._build()  # noqa: SLF001
    return process_time() - begun


def by_step(events: int, passes: int) -> dict[str, float]:
    """Microseconds by step for an event, the median of some passes, in a process that is prepared as a worker's is."""
    process_memory.settle()
    records = [each for each in inputs(events) if partition_of(each.key, PARTITIONS) == 0]
    programme = rules()
    found = [measure(records, programme) for _ in range(passes)]
    return {step: median(each[step] for each in found) / len(records) * 1e6 for step in STEPS}


def show(steps: dict[str, float], worker_us: float) -> None:
    """Print the table; `worker_us` is what an event costs the whole worker."""
    known = sum(steps.values())
    rows = [(f"{step}: {MEANS[step]}", f"{us:.2f}", f"{us / worker_us:.0%}") for step, us in steps.items()]
    rest = worker_us - known
    rows.append(
        ("commit and the rest: fetching, Faust, transactions", f"{rest:.2f}", f"{rest / worker_us:.0%}")
    )
    rows.append(("the worker, measured from outside", f"{worker_us:.2f}", "100%"))
    report.table("µs of CPU per event by step", ("step", "µs", "share"), rows)


async def worker_us(events: int) -> float:
    """What an event costs a worker on a Kafka of its own, in microseconds."""
    async with cluster() as kafka:
        return (await drain(kafka, place(inputs(events)), await kafka.deployment())).cpu_us


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--passes", type=int, default=3)
    asked = parser.parse_args()
    whole = asyncio.run(worker_us(asked.events))
    show(by_step(asked.events, asked.passes), whole)


if __name__ == "__main__":
    main()

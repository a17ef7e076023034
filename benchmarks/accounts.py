"""A million accounts in one worker: its memory, and how fast it restores, against reading the changelog alone.

The changelog is written directly, with accounts of a typical history; then a worker is started on it.
"""

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer

from benchmarks import machine, report
from benchmarks.account_histories import WEEKS, real_histories, stored_accounts, two_years
from benchmarks.cluster import BATCH_BYTES, Cluster, Program, cluster, metric, now_ms, place, worker
from benchmarks.workload import BEGINS, SEED, inputs, rules
from loyalty_stream.app.account_table import EntryCodec
from loyalty_stream.app.settings import Settings
from loyalty_stream.engine.task import TIME_KEY
from loyalty_stream.wire.partitioning import partition_of

PARTITIONS: Final = 8
MORE_EVENTS: Final = 20_000
_IN_FLIGHT: Final = 16
GIB: Final = 1024**3


class Restored(NamedTuple):
    """One start of a worker. Seconds of the clock on the wall, bytes resident."""

    raw_seconds: float
    restore_seconds: float
    ready_bytes: int
    highest_bytes: int


class Accounts(NamedTuple):
    """What was found."""

    kept: str
    accounts: int
    mean_bytes: float
    restores: list[Restored]
    after_events_bytes: int


async def write_changelog(
    cluster: Cluster, settings: Settings, accounts: Iterable[tuple[bytes, bytes]]
) -> int:
    """Write accounts as committed ones, and each partition's time; returns the bytes of the accounts."""
    producer = AIOKafkaProducer(
        bootstrap_servers=cluster.bootstrap_servers,
        max_batch_size=BATCH_BYTES,
        max_request_size=4 * BATCH_BYTES,
    )
    await producer.start()
    batches = [producer.create_batch() for _ in range(PARTITIONS)]
    sent = []
    size = 0
    time = b"%d" % (BEGINS.timestamp() * 1000)
    timestamp = now_ms()

    async def send(partition: int) -> None:
        sent.append(await producer.send_batch(batches[partition], settings.changelog, partition=partition))
        batches[partition] = producer.create_batch()
        if len(sent) > _IN_FLIGHT:
            await asyncio.gather(*sent)
            sent.clear()

    for key, value in accounts:
        size += len(value)
        partition = partition_of(key, PARTITIONS)
        if batches[partition].append(timestamp=timestamp, key=key, value=value) is None:
            await send(partition)
            batches[partition].append(timestamp=timestamp, key=key, value=value)
    for partition in range(PARTITIONS):
        await send(partition)
        batches[partition].append(timestamp=timestamp, key=TIME_KEY, value=time)
        await send(partition)
    await asyncio.gather(*sent)
    await producer.stop()
    return size


async def measure(cluster: Cluster, count: int, rounds: int, kept: str) -> Accounts:
    """Reading alone and a worker's restore in turn; at the end some more events for the last worker.

    `kept` says where the worker keeps accounts: in `memory` or in `files`.
    """
    with TemporaryDirectory(prefix="loyalty-bench-") as directory:
        settings = await cluster.deployment(PARTITIONS)
        if kept == "files":
            settings = replace(settings, tables=Path(directory))
        return await _measure(cluster, settings, count, rounds, kept)


async def _measure(cluster: Cluster, settings: Settings, count: int, rounds: int, kept: str) -> Accounts:
    report.progress(f"writing {count:,} accounts")
    histories = await asyncio.to_thread(real_histories, rules(), SEED)
    size = await write_changelog(cluster, settings, stored_accounts(count, histories, SEED))
    more = place(inputs(MORE_EVENTS, customers=count), PARTITIONS)
    found: list[Restored] = []
    after = 0
    for each in range(rounds):
        report.progress(f"accounts, round {each + 1} of {rounds}")
        async with await Program.start(
            "raw_read_process",
            bootstrap_servers=cluster.bootstrap_servers,
            topic=settings.changelog,
            partitions=PARTITIONS,
        ) as program:
            raw = await program.said()
        if raw["records"] != count + PARTITIONS:
            raise RuntimeError(f"the changelog has {raw['records']} records, not {count + PARTITIONS}")
        async with worker(settings) as program:
            ready, highest = machine.resident_bytes(program.pid)
            # The partitions restore side by side in one process, so the slowest one's time is that of all.
            seconds = max(await asyncio.to_thread(metric, settings, "loyalty_restore_seconds"))
            held = sum(await asyncio.to_thread(metric, settings, "loyalty_accounts"))
            if held != count:
                raise RuntimeError(f"the worker holds {held:,.0f} accounts, not {count:,}")
            found.append(Restored(raw["seconds"], seconds, ready, highest))
            if each == rounds - 1:
                records = await cluster.produce_inputs(more, settings)
                await cluster.await_committed(settings, records)
                after, _ = machine.resident_bytes(program.pid)
    await cluster.forget(settings)
    return Accounts(kept, count, size / count, found, after)


def show(found: Accounts) -> list[report.Ratio]:
    """Print rates and memory; returns ratios and memory with their goals."""
    count = found.accounts
    raw = [count / each.raw_seconds for each in found.restores]
    restored = [count / each.restore_seconds for each in found.restores]
    shares = [mine / alone for mine, alone in zip(restored, raw, strict=True)]
    ready = max(each.ready_bytes for each in found.restores)
    highest = max(each.highest_bytes for each in found.restores)
    report.table(
        f"{count:,} accounts of {found.mean_bytes:,.0f} bytes in {found.kept}, {PARTITIONS} partitions",
        ("", "measured"),
        [
            ("changelog records per second, read alone", report.count(median(raw))),
            ("accounts restored per second", report.count(median(restored))),
            ("resident when ready, MiB", report.count(ready / machine.MIB)),
            ("resident at its highest while restoring, MiB", report.count(highest / machine.MIB)),
            (
                f"resident after {MORE_EVENTS:,} more events, MiB",
                report.count(found.after_events_bytes / machine.MIB),
            ),
        ],
    )
    return [
        report.Ratio(
            f"restore / reading the changelog alone, kept in {found.kept}",
            report.pairs(shares, ".1%"),
            "at least 50 %",
        ),
        report.Ratio("bytes of a typical account", report.count(found.mean_bytes), "at most 600"),
        report.Ratio(
            f"bytes of an account of {WEEKS} weekly orders",
            report.count(len(EntryCodec().encode(two_years(rules(), SEED)))),
            "at most 4,096",
        ),
        report.Ratio(
            f"resident memory, {count:,} accounts in {found.kept}, ready / after more events",
            f"{ready / GIB:.2f} / {found.after_events_bytes / GIB:.2f} GiB",
            "at most 1 GiB with 1,000,000",
        ),
    ]


async def run(count: int, rounds: int, where: Sequence[str] = ("memory", "files")) -> list[report.Ratio]:
    """The whole benchmark on a Kafka of its own."""
    async with cluster() as kafka:
        return [ratio for kept in where for ratio in show(await measure(kafka, count, rounds, kept))]


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kept", choices=("memory", "files"), help="instead of both in turn")
    asked = parser.parse_args()
    where = (asked.kept,) if asked.kept else ("memory", "files")
    report.ratios(asyncio.run(run(asked.accounts, asked.rounds, where)))


if __name__ == "__main__":
    main()

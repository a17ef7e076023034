"""From produce to committed output, at a quarter and at half of the rate at which the worker drains a backlog.

Producer, worker and consumer are processes of their own, and they and Kafka share the machine: its load is
part of the figures, so it is printed with them.
"""

import argparse
import asyncio
from statistics import quantiles
from typing import NamedTuple

from benchmarks import machine, report
from benchmarks.cluster import PARTITIONS, Cluster, Program, cluster, place, worker
from benchmarks.drain import drain
from benchmarks.latency_producer import EVERY_SECONDS
from benchmarks.workload import inputs

WARM_UP_SHARE = 0.25
"""Of the run: the first transactions of a worker wait for coordinators and caches."""


class Latency(NamedTuple):
    """Percentiles in milliseconds at a rate in events per second."""

    rate: float
    events: int
    p50: float
    p95: float
    p99: float
    machine_busy: float
    """Share of the machine's processor time that was in use."""
    latest_group_ms: float


async def measure(cluster: Cluster, rate: float, seconds: float) -> Latency:
    """Run a fresh deployment at this rate."""
    report.progress(f"latency at {rate:,.0f} events per second")
    settings = await cluster.deployment()
    per_group = max(1, round(rate * EVERY_SECONDS))
    groups = round(seconds / EVERY_SECONDS)
    events = per_group * groups
    async with (
        worker(settings),
        await Program.start(
            "latency_consumer",
            bootstrap_servers=cluster.bootstrap_servers,
            topic=settings.topic("points-events"),
            partitions=PARTITIONS,
            events=events,
            idle_seconds=20.0,
        ) as consumer,
        await Program.start(
            "latency_producer",
            bootstrap_servers=cluster.bootstrap_servers,
            prefix=settings.topic_prefix,
            partitions=PARTITIONS,
            per_group=per_group,
            groups=groups,
        ) as producer,
    ):
        await consumer.said()
        leaves = (await producer.said())["leaves"]
        busy, total = machine.busy_and_total()
        late = await producer.said()
        busy_then, total_then = machine.busy_and_total()
        seen = (await consumer.said())["seen"]
    await cluster.forget(settings)
    warm = min(leaves) + seconds * WARM_UP_SHARE
    found = [
        (at - leaves[number]) * 1000
        for number, at in enumerate(seen)
        if at is not None and leaves[number] >= warm
    ]
    percentiles = quantiles(found, n=100)
    return Latency(
        per_group / EVERY_SECONDS, len(found), percentiles[49], percentiles[94], percentiles[98],
        (busy_then - busy) / (total_then - total), late["latest_group_seconds"] * 1000,
    )  # fmt: skip


def show(top_rate: float, found: list[Latency]) -> list[report.Ratio]:
    """Print the percentiles; returns the one with a goal."""
    report.table(
        f"Produce to committed output, ms; the worker drains {top_rate:,.0f} events per second",
        ("events per second", "events", "p50", "p95", "p99", "machine busy", "latest group sent"),
        [
            (report.count(f.rate), report.count(f.events), f"{f.p50:.1f}", f"{f.p95:.1f}", f"{f.p99:.1f}",
             f"{f.machine_busy:.0%}", f"{f.latest_group_ms:.1f}")
            for f in found
        ],
    )  # fmt: skip
    return [report.Ratio("p99 at half of the top rate", f"{found[-1].p99:.0f} ms", "aim 60 ms")]


async def measure_shares(cluster: Cluster, top_rate: float, seconds: float) -> list[report.Ratio]:
    """At a quarter and at half."""
    return show(top_rate, [await measure(cluster, top_rate * share, seconds) for share in (0.25, 0.5)])


async def run(events: int, seconds: float, top_rate: float | None) -> list[report.Ratio]:
    """The whole benchmark on a Kafka of its own; without a top rate it is measured first."""
    async with cluster() as kafka:
        if top_rate is None:
            top_rate = (await drain(kafka, place(inputs(events)), await kafka.deployment())).per_second
        return await measure_shares(kafka, top_rate, seconds)


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="of the backlog that gives the top rate")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each rate")
    parser.add_argument("--top-rate", type=float, help="events per second, instead of measuring it")
    asked = parser.parse_args()
    report.ratios(asyncio.run(run(asked.events, asked.seconds, asked.top_rate)))


if __name__ == "__main__":
    main()

"""Events per CPU-second of the worker with transactions, as a share of a no-logic pass-through.

Both work off the same backlog, taking turns: what else the machine does meets both.
"""

import argparse
import asyncio
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import report
from benchmarks.cluster import PARTITIONS, Cluster, Placed, Program, cluster, place
from benchmarks.drain import Drain, drain
from benchmarks.full_workload import FULL_PROGRAMME, full_inputs
from benchmarks.workload import PROGRAMME, inputs
from loyalty_stream.app.settings import INPUTS, Settings


class Throughput(NamedTuple):
    """The rounds, in order."""

    pass_through: list[Drain]
    worker: list[Drain]

    @property
    def shares(self) -> list[float]:
        """The worker's events per CPU-second over the pass-through's, round by round."""
        pairs = zip(self.worker, self.pass_through, strict=True)
        return [worker.per_cpu_second / plain.per_cpu_second for worker, plain in pairs]


async def pass_through(cluster: Cluster, settings: Settings, records: int) -> Drain:
    """Pass the inputs of a deployment through."""
    output = f"{settings.topic_prefix}pass-through"
    await cluster.create(output, PARTITIONS)
    topics = [settings.topic(kind) for kind in INPUTS]
    async with await Program.start(
        "pass_through_process",
        bootstrap_servers=cluster.bootstrap_servers,
        topics=topics,
        output=output,
        partitions=PARTITIONS,
        records=records,
    ) as program:
        said = await program.said()
    return Drain(said["records"], said["cpu"], said["wall"])


async def measure(cluster: Cluster, placed: Placed, rounds: int, programme: Path = PROGRAMME) -> Throughput:
    """The worker between two runs of the pass-through, which count together, over the same topics in each round."""
    found = Throughput([], [])
    for each in range(1, rounds + 1):
        report.progress(f"throughput, round {each} of {rounds}")
        settings = await cluster.deployment(programme=programme)
        worker, around = await _round(cluster, placed, settings)
        found.worker.append(worker)
        found.pass_through.append(around)
        await cluster.forget(settings, f"{settings.topic_prefix}pass-through")
    return found


async def _round(cluster: Cluster, placed: Placed, settings: Settings) -> tuple[Drain, Drain]:
    """The worker, and the pass-through before and after it."""
    around: list[Drain] = []

    async def pass_by(records: int) -> None:
        around.append(await pass_through(cluster, settings, records))

    worker = await drain(cluster, placed, settings, pass_by)
    await pass_by(worker.records)
    return worker, around[0] + around[1]


def show(found: Throughput, of: str = "", goal: str = "at least 15 %, aim 30 %") -> list[report.Ratio]:
    """Print the rounds; returns the ratio."""
    report.table(
        f"Throughput{of}: {found.worker[0].records:,} events, {PARTITIONS} partitions",
        ("", "µs of CPU per event", "events per CPU-second", "events per second"),
        [
            (name, f"{median(d.cpu_us for d in drains):.2f}",
             report.count(median(d.per_cpu_second for d in drains)),
             report.count(median(d.per_second for d in drains)))
            for name, drains in (("pass-through", found.pass_through), ("worker", found.worker))
        ],
    )  # fmt: skip
    return [
        report.Ratio(
            f"worker with transactions{of} / pass-through, per CPU-second",
            report.pairs(found.shares, ".1%"),
            goal,
        )
    ]


async def measure_full(cluster: Cluster, events: int, rounds: int) -> list[report.Ratio]:
    """The same for the whole programme: tiers, campaigns, refunds, holds (`full_workload`)."""
    found = await measure(cluster, place(full_inputs(events)), rounds, FULL_PROGRAMME)
    return show(found, ", full programme", "at least 10 %")


async def run(events: int, rounds: int, *, full: bool) -> list[report.Ratio]:
    """The whole benchmark on a Kafka of its own."""
    async with cluster() as kafka:
        if full:
            return await measure_full(kafka, events, rounds)
        return show(await measure(kafka, place(inputs(events)), rounds))


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="the whole programme instead of the plain one")
    asked = parser.parse_args()
    report.ratios(asyncio.run(run(asked.events, asked.rounds, full=asked.full)))


if __name__ == "__main__":
    main()

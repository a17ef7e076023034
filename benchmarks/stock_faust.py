"""The worker against a stock Faust agent with the same rules, one Table write and one send per event.

Both start on empty topics, are stopped while their backlog is written, and go on; see `drain`.
"""

import argparse
import asyncio
from statistics import median
from time import monotonic
from typing import NamedTuple

from benchmarks import machine, report
from benchmarks.cluster import PARTITIONS, Cluster, Placed, Program, cluster, place
from benchmarks.drain import Drain, drain
from benchmarks.workload import inputs


class Comparison(NamedTuple):
    """The rounds, in order."""

    worker: list[Drain]
    faust: list[Drain]


async def drain_faust(cluster: Cluster, placed: Placed) -> Drain:
    """Let the stock app work off a backlog."""
    settings = await cluster.deployment()
    records = sum(map(len, placed.values()))
    name = f"{settings.app_id}-faust"
    await cluster.create(f"{name}-accounts-changelog", PARTITIONS)
    async with await Program.start(
        "stock_faust_process",
        bootstrap_servers=cluster.bootstrap_servers,
        name=name,
        prefix=settings.topic_prefix,
        partitions=PARTITIONS,
        records=records,
    ) as program:
        await program.said()
        await asyncio.sleep(2)  # it says so when its tables are recovered; its consumer's first fetch follows
        program.suspend()
        await cluster.produce_inputs(placed, settings)
        cpu, wall = machine.cpu_seconds(program.pid), monotonic()
        program.resume()
        await program.said()
        found = Drain(records, machine.cpu_seconds(program.pid) - cpu, monotonic() - wall)
    await cluster.forget(settings)
    return found


async def measure(cluster: Cluster, worker_inputs: Placed, faust_inputs: Placed, rounds: int) -> Comparison:
    """The worker and Faust in turn, each with its backlog: Faust's is shorter, or it would take minutes."""
    found = Comparison([], [])
    for each in range(1, rounds + 1):
        report.progress(f"stock Faust agent, round {each} of {rounds}")
        settings = await cluster.deployment()
        found.worker.append(await drain(cluster, worker_inputs, settings))
        await cluster.forget(settings)
        found.faust.append(await drain_faust(cluster, faust_inputs))
    return found


def show(found: Comparison) -> list[report.Ratio]:
    """Print the rounds; returns the ratios."""
    report.table(
        "A stock Faust agent",
        ("", "events", "µs of CPU per event", "events per CPU-second", "events per second"),
        [
            (name, report.count(drains[0].records), f"{median(d.cpu_us for d in drains):.2f}",
             report.count(median(d.per_cpu_second for d in drains)),
             report.count(median(d.per_second for d in drains)))
            for name, drains in (("stock Faust agent", found.faust), ("worker", found.worker))
        ],
    )  # fmt: skip
    pairs = list(zip(found.worker, found.faust, strict=True))
    by_cpu = [worker.per_cpu_second / faust.per_cpu_second for worker, faust in pairs]
    by_wall = [worker.per_second / faust.per_second for worker, faust in pairs]
    return [
        report.Ratio(
            "worker / stock Faust agent, per CPU-second", report.pairs(by_cpu, ".1f"), "at least 12"
        ),
        report.Ratio("worker / stock Faust agent, per second", report.pairs(by_wall, ".1f"), "at least 12"),
    ]


async def run(worker_events: int, faust_events: int, rounds: int) -> list[report.Ratio]:
    """The whole benchmark on a Kafka of its own."""
    async with cluster() as kafka:
        found = await measure(kafka, place(inputs(worker_events)), place(inputs(faust_events)), rounds)
        return show(found)


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="of the worker")
    parser.add_argument("--faust-events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    report.ratios(asyncio.run(run(asked.events, asked.faust_events, asked.rounds)))


if __name__ == "__main__":
    main()

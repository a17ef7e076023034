"""What transactions cost: the same worker on the same Kafka with them and without, taking turns."""

import argparse
import asyncio
from statistics import median

from benchmarks import report
from benchmarks.cluster import Cluster, Placed, cluster, place
from benchmarks.drain import Drain, drain
from benchmarks.workload import inputs

GUARANTEES = ("exactly_once", "effectively_once")


async def measure(cluster: Cluster, placed: Placed, rounds: int) -> dict[str, list[Drain]]:
    """The rounds by guarantee; who goes first changes from round to round."""
    found: dict[str, list[Drain]] = {guarantee: [] for guarantee in GUARANTEES}
    for each in range(rounds):
        report.progress(f"transactions, round {each + 1} of {rounds}")
        for guarantee in GUARANTEES if each % 2 == 0 else reversed(GUARANTEES):
            settings = await cluster.deployment(guarantee=guarantee)
            found[guarantee].append(await drain(cluster, placed, settings))
            await cluster.forget(settings)
    return found


def show(found: dict[str, list[Drain]]) -> list[report.Ratio]:
    """Print the rounds; returns the ratio."""
    report.table(
        "Transactions",
        ("guarantee", "µs of CPU per event", "events per CPU-second", "events per second"),
        [
            (name, f"{median(d.cpu_us for d in drains):.2f}",
             report.count(median(d.per_cpu_second for d in drains)),
             report.count(median(d.per_second for d in drains)))
            for name, drains in found.items()
        ],
    )  # fmt: skip
    both = zip(*found.values(), strict=True)
    costs = [1 - with_them.per_cpu_second / without.per_cpu_second for with_them, without in both]
    return [
        report.Ratio("events per CPU-second lost to transactions", report.pairs(costs, ".1%"), "at most 10 %")
    ]


async def run(events: int, rounds: int) -> list[report.Ratio]:
    """The whole benchmark on a Kafka of its own."""
    async with cluster() as kafka:
        return show(await measure(kafka, place(inputs(events)), rounds))


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    report.ratios(asyncio.run(run(asked.events, asked.rounds)))


if __name__ == "__main__":
    main()

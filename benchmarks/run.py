"""All benchmarks one after the other on a Kafka each, and a summary. Prints ratios; a missed goal is no error."""

import argparse
import asyncio
import os

from benchmarks import (
    accounts,
    boards,
    latency,
    machine,
    report,
    steps,
    stock_faust,
    throughput,
    transactions,
)
from benchmarks.cluster import cluster, place
from benchmarks.workload import inputs


async def run(*, quick: bool) -> list[report.Ratio]:
    """The questions of docs/benchmarks.md, in their order."""
    events, rounds = (60_000, 3) if quick else (300_000, 3)
    found: list[report.Ratio] = []
    async with cluster() as kafka:
        placed = place(inputs(events))
        rates = await throughput.measure(kafka, placed, rounds)
        found += throughput.show(rates)
        cpu_us = sorted(each.cpu_us for each in rates.worker)[rounds // 2]
        found += await throughput.measure_full(kafka, events, rounds)
        steps.show(await asyncio.to_thread(steps.by_step, events, rounds), cpu_us)
        faust_events = place(inputs(5_000 if quick else 20_000))
        found += stock_faust.show(
            await stock_faust.measure(kafka, placed, faust_events, 1 if quick else rounds)
        )
        found += transactions.show(await transactions.measure(kafka, placed, rounds))
    found += await asyncio.to_thread(boards.run, events, 200_000 if quick else 1_000_000, rounds)
    found += await accounts.run(100_000 if quick else 1_000_000, 1 if quick else rounds)
    top_rate = sorted(each.per_second for each in rates.worker)[rounds // 2]
    async with cluster() as kafka:
        found += await latency.measure_shares(kafka, top_rate, 8.0 if quick else 20.0)
    return found


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs, rough figures")
    asked = parser.parse_args()
    described = machine.describe()
    found = asyncio.run(run(quick=asked.quick))
    print(described)
    print(
        f"load after the end {os.getloadavg()[0]:.1f}{', quick: short runs, rough figures' if asked.quick else ''}"
    )
    report.ratios(found)


if __name__ == "__main__":
    main()

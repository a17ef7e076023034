"""How long a what-if takes: a year's worth of facts laid out, replayed on all cores, compared.

python -m benchmarks.what_if --events 1000000      add build/native to PYTHONPATH for the compiled modules

The history is made by the ledger itself under the benchmarks' programme and exported first, which is not counted.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import monotonic

from msgspec.structs import replace

from benchmarks import report
from benchmarks.full_workload import FULL_PROGRAMME, full_inputs
from benchmarks.workload import PROGRAMME, inputs, rules
from loyalty_stream.analysis.layout import lines_export
from loyalty_stream.analysis.source import connect
from loyalty_stream.analysis.what_if.difference import what_if
from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain import decide

PARTITIONS = 4


def make_history(directory: Path, events: int, *, full: bool) -> None:
    """What the ledger made of so many facts, as an export; written as it is made, so that memory holds little of it."""
    inputs_ = full_inputs(events) if full else inputs(events)
    with lines_export(directory, PARTITIONS) as export:

        def facts() -> Iterator[bytes]:
            for each in inputs_:
                export.fact(each.value)
                yield each.value

        for bad in simulate(rules(FULL_PROGRAMME if full else PROGRAMME), facts(), export.point_event):
            raise AssertionError(bad)


def cpu_seconds() -> float:
    """Of this process and of those that it waited for."""
    used = [getrusage(whose) for whose in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--full", action="store_true", help="the whole programme: tiers, campaigns, refunds")
    parser.add_argument(
        "--history", type=Path, help="keep the export here, and take it from here if it is there"
    )
    asked = parser.parse_args()
    with TemporaryDirectory() as made:
        directory = asked.history or Path(made) / "history"
        if not directory.exists():
            make_history(directory, asked.events, full=asked.full)
        programme = rules(FULL_PROGRAMME if asked.full else PROGRAMME)
        other = replace(
            programme, purchase=(replace(programme.purchase[0], points=programme.purchase[0].points * 2),)
        )
        rows = []
        for name, tried in (("the same rules", programme), ("twice the points", other)):
            begun, cpu = monotonic(), cpu_seconds()
            with connect(directory) as connection:
                found = what_if(connection, tried, processes=asked.processes)
            seconds, used = monotonic() - begun, cpu_seconds() - cpu
            assert found.identical == (tried is programme)
            cells = (f"{seconds:.1f}", f"{used:.1f}", f"{used / found.facts * 1e6:.1f}", str(found.passes))
            rows.append((name, *cells))
    title = f"What-if over {found.facts:,} facts, {asked.processes} processes, compiled: {is_compiled()}"
    report.table(title, ("rules", "seconds", "CPU seconds", "µs of CPU a fact", "passes"), rows)


def is_compiled() -> bool:
    """Whether the hot modules run compiled (`make native`)."""
    return not (decide.__file__ or "").endswith(".py")


if __name__ == "__main__":
    main()

"""How long a what-if takes: a year's worth of facts laid out, replayed on all cores, compared.

python -m benchmarks.what_if --events 1000000

With the compiled modules: PYTHONSAFEPATH=1 PYTHONPATH=build/native:$PWD before it. The history is made by the ledger
itself under the benchmarks' programme and exported first, which is not counted; --history keeps it for the next time.
"""

# The processes that replay import this module anew, so what only the first one needs is imported where it is used.
# ruff: noqa: PLC0415
import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import monotonic


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
            from benchmarks.what_if_history import make_history

            make_history(directory, asked.events, full=asked.full)
        measure(directory, asked.processes, full=asked.full)


def measure(directory: Path, processes: int, *, full: bool) -> None:
    """Replay the history under its own rules and under others, and print what it took."""
    from msgspec.structs import replace

    from benchmarks import report
    from benchmarks.what_if_history import programme
    from loyalty_stream.analysis.source import connect
    from loyalty_stream.analysis.what_if.difference import what_if

    own = programme(full=full)
    other = replace(own, purchase=(replace(own.purchase[0], points=own.purchase[0].points * 2),))
    rows = []
    facts = 0
    for name, tried in (("the same rules", own), ("twice the points", other)):
        begun, cpu = monotonic(), cpu_seconds()
        with connect(directory) as connection:
            found = what_if(connection, tried, processes=processes)
        seconds, used = monotonic() - begun, cpu_seconds() - cpu
        assert found.identical == (tried is own)
        facts = found.facts
        cells = (f"{seconds:.1f}", f"{used:.1f}", f"{used / facts * 1e6:.1f}", str(found.passes))
        rows.append((name, *cells))
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        compiled = (is_compiled(), pool.submit(is_compiled).result())
    title = f"What-if over {facts:,} facts, {processes} processes; compiled: here {compiled[0]}, in them {compiled[1]}"
    report.table(title, ("rules", "seconds", "CPU seconds", "µs of CPU a fact", "passes"), rows)


def cpu_seconds() -> float:
    """Of this process and of those that it waited for."""
    used = [getrusage(whose) for whose in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def is_compiled() -> bool:
    """Whether the modules that replay run compiled (`make native`)."""
    from loyalty_stream.analysis.what_if import replay

    return not (replay.__file__ or "").endswith(".py")


if __name__ == "__main__":
    main()

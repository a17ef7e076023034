"""The history that the what-if's benchmark replays: what the ledger makes of the benchmarks' facts, as an export."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.full_workload import FULL_PROGRAMME, full_inputs
from benchmarks.workload import PROGRAMME, inputs, rules
from loyalty_stream.analysis.layout import lines_export
from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain.rules import Rules

PARTITIONS = 4


def programme(*, full: bool) -> Rules:
    """The benchmarks' programme, or the full one."""
    return rules(FULL_PROGRAMME if full else PROGRAMME)


def make_history(directory: Path, events: int, *, full: bool) -> None:
    """Export what the ledger makes of so many facts; it is written as it is made, so that memory holds little of it."""
    made = full_inputs(events) if full else inputs(events)
    with lines_export(directory, PARTITIONS) as export:

        def facts() -> Iterator[bytes]:
            for each in made:
                export.fact(each.value)
                yield each.value

        for bad in simulate(programme(full=full), facts(), export.point_event):
            raise AssertionError(bad)

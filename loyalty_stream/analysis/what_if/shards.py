"""One shard of the history replayed in a process of its own. It must not know the other shards, nor who answers."""

from array import array
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from loyalty_stream.analysis.what_if.replay import replay
from loyalty_stream.analysis.what_if.tally import RESULTS, TEXTS, Sums, Tally, result_of
from loyalty_stream.analysis.what_if.told import FactFailedError, Outcome, Reward, Sent, Told
from loyalty_stream.analysis.what_if.turns import Turn, read, text_array
from loyalty_stream.domain.facts import EntryWon
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine import process_memory

_NOBODY: Final[Mapping[str, Mapping[str, object]]] = {}


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is taken to be told to customers: answers by request, wins and rewards by customer."""

    given: Mapping[str, int | None] = field(default_factory=dict)
    wins: Mapping[str, Mapping[str, EntryWon]] = field(default_factory=dict)
    rewards: Mapping[str, Mapping[str, Reward]] = field(default_factory=dict)

    def told(self, customer: str) -> Told:
        return Told(self.given, self.wins.get(customer, {}), self.rewards.get(customer, {}))


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to replay; with `only`, these customers of it, after what `before` made of them is taken out.

    Of `fresh` ones nothing was made before: they have no turns, and are only told something.
    """

    shard: Path
    assumed: Assumed
    only: frozenset[str] | None = None
    before: Assumed = Assumed()
    fresh: frozenset[str] = frozenset()


@dataclass(slots=True)
class Done:
    """What became of a task: sums to add, a row of `RESULTS` for each customer, and what customers told others."""

    sums: Sums
    results: pa.Table
    sent: dict[str, list[Sent]]
    refused: int
    failed: int


def work(task: Task, rules: Rules, ends: Mapping[int, int]) -> Done:
    """Replay a shard."""
    tally = Tally()
    rows: list[tuple[str | int, ...]] = []
    sent: dict[str, list[Sent]] = {}
    refused = failed = 0
    for customer, turns in _histories(task):
        if task.only is not None and customer not in task.fresh:
            undone = _replayed(customer, turns, rules, ends, task.before.told(customer), tally, -1)
            refused -= undone.refused
            failed -= undone.failed
        outcome = _replayed(customer, turns, rules, ends, task.assumed.told(customer), tally, 1)
        refused += outcome.refused
        failed += outcome.failed
        rows.append(result_of(customer, outcome.account))
        if outcome.sent or task.only is not None:
            sent[customer] = outcome.sent
    return Done(tally.sums(), _table(rows), sent, refused, failed)


def _replayed(
    customer: str,
    turns: list[Turn],
    rules: Rules,
    ends: Mapping[int, int],
    told: Told,
    tally: Tally,
    sign: int,
) -> Outcome:
    """Replay a customer, passing over what cannot be applied, and count it (or take it out, with a sign of -1)."""
    passed_over: frozenset[int] = frozenset()
    while True:
        try:
            tally.begin(sign)
            outcome = replay(customer, turns, rules, ends, told, tally.watch, passed_over)
        except FactFailedError as error:
            tally.begin(-sign)  # it fails at the same fact again, with all before it taken out
            with suppress(FactFailedError):
                replay(customer, turns, rules, ends, told, tally.watch, passed_over)
            passed_over |= {error.number}
        else:
            tally.close(outcome.account)
            return outcome


def _histories(task: Task) -> Iterator[tuple[str, list[Turn]]]:
    """The turns of each customer, and who has none."""
    if task.only is None:
        yield from read(task.shard)
        return
    rest = set(task.only)
    for customer, turns in read(task.shard, task.only):
        rest.discard(customer)
        yield customer, turns
    for customer in sorted(rest):
        yield customer, []


def _table(rows: list[tuple[str | int, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(RESULTS)
    return pa.table(
        {
            name: text_array(column) if name in TEXTS else _int_array(column)
            for name, column in zip(RESULTS, columns, strict=True)
        }
    )


def _int_array(numbers: tuple[int, ...]) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(array("q", numbers))])


# -- in a process of its own -----------------------------------------------------------------------------

_rules: Rules
_ends: Mapping[int, int]


def begin(rules: Rules, ends: Mapping[int, int]) -> None:
    """What every task needs; once for each process."""
    global _rules, _ends
    _rules, _ends = rules, ends
    process_memory.settle()  # as a worker: what a history leaves behind, counting frees


def work_here(task: Task) -> Done:
    """Replay a shard in a process that `begin` has prepared."""
    return work(task, _rules, _ends)

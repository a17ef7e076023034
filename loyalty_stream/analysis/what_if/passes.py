"""The replay of all customers on all cores, again and again until what others answered is what was assumed.

A customer's replay needs to know what budgets, stock, draws and referred customers told it, which hangs on the other
customers. So it is assumed (at first what history has, otherwise that everything asked for is given), all are
replayed, and then the owners are asked. Whoever was told something else is replayed again, until nobody was. The
result is the one of a single process that does all in the order of time: of that order's first request the answer is
right, so of the next one, and so on. Mostly the first pass is right, or the second.
"""

import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from loyalty_stream.analysis.what_if.owners import Answers, serve
from loyalty_stream.analysis.what_if.shards import Assumed, Done, Task, begin, work, work_here
from loyalty_stream.analysis.what_if.tally import Sums
from loyalty_stream.analysis.what_if.told import Reward, Sent
from loyalty_stream.analysis.what_if.turns import History
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.domain.rules import Rules

MOST_PASSES: Final = 200

Progress = Callable[[float], None]


class NoAgreementError(MendableError):
    """Passes do not come to an end: a defect. The message says where."""


@dataclass(slots=True)
class Replayed:
    """The whole history under the rules."""

    sums: Sums
    results: list[pa.Table]
    """A customer's row in a later table replaces one in an earlier."""
    refused: int
    failed: int
    passes: int
    again: int
    """Customers that were replayed again, counted each time."""


def replay_all(
    history: History, rules: Rules, processes: int, progress: Progress = lambda _: None
) -> Replayed:
    """Replay everybody under `rules` on so many processes (1: in this one); `progress` is told the share done.

    Raises NoAgreementError, and what the domain raises for a history that it cannot be applied to.
    """
    assumed = Assumed(
        {request_id: each.given for request_id, each in history.asked.items()},
        _by_customer(history.wins),
        _by_referrer(map(Reward, history.rewards)),
    )
    at_their_turns = {each.id for each in history.rewards}
    sent: dict[str, list[Sent]] = {}
    found = Replayed(Counter(), [], 0, 0, 0, 0)
    shard_of: dict[str, Path] = {}
    tasks = [Task(shard, assumed) for shard in history.shards]
    end = min(history.ends.values(), default=0)
    with _workers(processes, rules, history.ends) as run:
        while tasks:
            found.passes += 1
            if found.passes > MOST_PASSES:
                raise NoAgreementError(f"what-if: no agreement after {MOST_PASSES} passes; please report it")
            for number, (task, done) in enumerate(run(tasks), 1):
                _add(found, done)
                sent.update(done.sent)
                if task.only is None:
                    shard_of.update(dict.fromkeys(done.results["customer"].to_pylist(), task.shard))
                    progress(number / len(tasks))
            answers = serve(sent, rules, history.asked, history.announcements, end)
            now = Assumed(
                answers.given,
                _by_customer(answers.wins.values()),
                _rewards(answers, at_their_turns) if history.rewards_follow else assumed.rewards,
            )
            fresh = (now.wins.keys() | now.rewards.keys()) - shard_of.keys()
            differ = _told_otherwise(assumed, now, answers) & shard_of.keys() | fresh
            shard_of.update(dict.fromkeys(fresh, history.shards[0]))
            found.again += len(differ)
            tasks = _tasks(differ, fresh, shard_of, assumed, now, answers)
            assumed = now
    found.sums = Counter({key: value for key, value in found.sums.items() if value})
    return found


def _told_otherwise(before: Assumed, now: Assumed, answers: Answers) -> set[str]:
    """The customers who were told something else than was assumed."""
    differ = {
        answers.asker[request_id]
        for request_id, given in now.given.items()
        if before.given.get(request_id, answers.quantity[request_id]) != given
    }
    for was, is_now in ((before.wins, now.wins), (before.rewards, now.rewards)):
        differ |= {
            customer for customer in was.keys() | is_now.keys() if was.get(customer) != is_now.get(customer)
        }
    return differ


def _tasks(
    differ: set[str],
    fresh: set[str],
    shard_of: Mapping[str, Path],
    before: Assumed,
    now: Assumed,
    answers: Answers,
) -> list[Task]:
    """Replay those again, each process knowing what it needs of the assumptions and no more."""
    by_shard: dict[Path, set[str]] = defaultdict(set)
    for customer in differ:
        by_shard[shard_of[customer]].add(customer)
    requests: dict[str, list[str]] = defaultdict(list)
    for request_id, customer in answers.asker.items():
        requests[customer].append(request_id)
    return [
        Task(
            shard,
            _of(now, theirs, requests),
            frozenset(theirs),
            _of(before, theirs, requests),
            frozenset(theirs & fresh),
        )
        for shard, theirs in by_shard.items()
    ]


def _of(assumed: Assumed, customers: set[str], requests: Mapping[str, list[str]]) -> Assumed:
    """What of it concerns these customers."""
    given = {
        request_id: assumed.given[request_id]
        for customer in customers
        for request_id in requests[customer]
        if request_id in assumed.given
    }
    return Assumed(
        given,
        {customer: assumed.wins[customer] for customer in customers if customer in assumed.wins},
        {customer: assumed.rewards[customer] for customer in customers if customer in assumed.rewards},
    )


def _rewards(answers: Answers, at_their_turns: set[str]) -> dict[str, dict[str, Reward]]:
    """By referrer. When one comes matters only where history has no turn for it."""
    return _by_referrer(
        Reward(each.command) if each.command.id in at_their_turns else each
        for each in answers.rewards.values()
    )


def _by_referrer(rewards: Iterable[Reward]) -> dict[str, dict[str, Reward]]:
    found: dict[str, dict[str, Reward]] = defaultdict(dict)
    for each in rewards:
        found[each.command.subject][each.command.id] = each
    return dict(found)


def _by_customer(told: Iterable[Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for each in told:
        found[each.subject][each.id] = each
    return dict(found)


def _add(found: Replayed, done: Done) -> None:
    for key, value in done.sums.items():
        found.sums[key] += value
    found.results.append(done.results)
    found.refused += done.refused
    found.failed += done.failed


# -- processes ------------------------------------------------------------------------------------------

Run = Callable[[list[Task]], Iterable[tuple[Task, Done]]]


@contextmanager
def _workers(processes: int, rules: Rules, ends: Mapping[int, int]) -> Iterator[Run]:
    if processes == 1:
        yield lambda tasks: ((task, work(task, rules, ends)) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, begin, (rules, ends)) as pool:
        yield lambda tasks: _in_order(pool, tasks)


def _in_order(pool: Executor, tasks: list[Task]) -> Iterator[tuple[Task, Done]]:
    futures: list[Future[Done]] = [pool.submit(work_here, task) for task in tasks]
    for task, future in zip(tasks, futures, strict=True):
        yield task, future.result()

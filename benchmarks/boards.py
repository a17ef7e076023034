"""What leaderboards cost: keeping the first hundred, against a sorted list of everybody; and the whole stage an event.

Scores are drawn as a shop's are: few customers have most of the points. 2 % of what comes is taken back.
"""

import argparse
import gc
import random
from bisect import bisect_left, insort
from statistics import median
from time import process_time
from typing import Final, NamedTuple

from msgspec.structs import replace

from benchmarks import report
from loyalty_stream.app.board_stage import BoardSink, BoardStage
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain.ranking import Ranking
from loyalty_stream.domain.rules import Board, Rules
from loyalty_stream.engine.stage import Context
from loyalty_stream.engine.table import Table
from loyalty_stream.programme import compile_rules, parse_programme
from loyalty_stream.wire import standings

SIZE: Final = 100
BATCH: Final = 4_000
PROGRAMME: Final = '[[earning.purchase]]\nid = "base"\n'

Change = tuple[int, int, int]
"""Customer, points (below 0: taken back), time in ms."""


class Event(NamedTuple):
    """A record of points-events."""

    key: bytes
    value: bytes
    offset: int = 0
    timestamp: int | None = None


def changes(events: int, customers: int, seed: int = 1) -> list[Change]:
    """What happens, in order."""
    chance = random.Random(seed)
    made: list[Change] = []
    for number in range(events):
        if number % 50 == 49:
            customer, points, _ = chance.choice(made)
            made.append((customer, -abs(points), number))
        else:
            points = min(100_000, int(chance.paretovariate(1.2) * 100))
            made.append((int(customers * chance.random() ** 2), points, number))
    return made


def by_ranking(made: list[Change]) -> float:
    """Seconds to keep the first hundred, over all changes."""
    ranking = Ranking(SIZE)
    scores: dict[int, int] = {}
    keys = [b"%08d" % customer for customer in range(max(customer for customer, _, _ in made) + 1)]
    begun = process_time()
    for customer, points, at in made:
        score = scores.get(customer, 0) + points
        scores[customer] = score
        ranking.put(keys[customer], score, at)
        if ranking.is_low:
            ranking = Ranking(SIZE)
            for each, known in scores.items():
                ranking.put(keys[each], known, at)
    return process_time() - begun


def by_sorted_list(made: list[Change]) -> float:
    """Seconds to keep everybody in a sorted list, over all changes."""
    places: list[tuple[int, int, bytes]] = []
    known: dict[int, tuple[int, int, bytes]] = {}
    keys = [b"%08d" % customer for customer in range(max(customer for customer, _, _ in made) + 1)]
    begun = process_time()
    for customer, points, at in made:
        old = known.get(customer)
        score = points
        if old is not None:
            score -= old[0]
            del places[bisect_left(places, old)]
        place = known[customer] = (-score, at, keys[customer])
        insort(places, place)
    return process_time() - begun


def by_counting(made: list[Change]) -> float:
    """Seconds for the sums alone, which both have to keep."""
    scores: dict[int, int] = {}
    begun = process_time()
    for customer, points, _ in made:
        scores[customer] = scores.get(customer, 0) + points
    return process_time() - begun


def by_stage(made: list[Change], boards: int) -> float:
    """Seconds of the whole stage on one partition: read, count, rank, encode what was touched."""
    kept = tuple(Board(f"board-{number}", "earned", "all_time", SIZE, 0) for number in range(boards))
    rules: Rules = compile_rules(parse_programme(PROGRAMME))
    stage = BoardStage(Settings(), replace(rules, boards=kept), 1, BoardSink(), lambda: 0.0)
    table = Table(stage.codec)
    context = Context(0, table)
    processor = stage.processor(context)
    processor.restored()
    processor.process(stage.times_topic, Event(b"0", b""), standings.LedgerTime(0))
    records = [
        Event(b"%08d" % customer, _value(number, customer, points))
        for number, (customer, points, _) in enumerate(made)
    ]
    begun = process_time()
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        events = [processor.decode(stage.events_topic, record)[1] for record in batch]
        for record, event in zip(batch, events, strict=True):
            processor.process(stage.events_topic, record, event)
        processor.proceed()
        table.committed(table.changes())
        processor.committed()
        context.clear()
    return process_time() - begun


def _value(number: int, customer: int, points: int) -> bytes:
    """As the ledger writes it; other types are passed over by their bytes."""
    head = b'{"id":"aaaaaaaaaaaa.%d","type":"point-%s","subject":"%08d","time":"2026-03-02T10:00:00+08:00","data":{'
    same = (
        b'"cause":{"source":"/shop","id":"order-%d"},"balance":{"available":1000,"pending":0,"held":0,"debt":0},'
        % number
    )
    if points < 0:
        rest = (
            b'"points":%d,"reason":"refund","grants":[{"grant_id":"g","points":%d}],"shortfall":0,"order_id":"o-%d",'
            b'"revokes":[{"grant_id":"g","points":%d,"earned_at":"2026-03-01T02:00:00Z"}]}}'
            % (-points, -points, number, -points)
        )
        return head % (number, b"revoked", customer) + same + rest
    rest = (
        b'"note":{"kind":"order","order_id":"o-%d","lines":[["l1",12000],["l2",8050]],"first":false},'
        b'"grant_id":"aaaaaaaaaaaa.%d","points":%d,"rule":"base","rule_version":1,"reason":"purchase",'
        b'"available_at":"2026-03-02T10:00:00+08:00","expires_at":"2027-03-03T00:00:00Z","order_id":"o-%d",'
        b'"base_amount":20050,"exact":[20050,100],"rounding":"floor"}}' % (number, number, points, number)
    )
    return head % (number, b"granted", customer) + same + rest


def _tune() -> None:
    """As the worker does."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


def run(events: int, customers: int, rounds: int) -> list[report.Ratio]:
    """Measure in turn, print, and give the ratios."""
    made = changes(events, customers)
    _tune()
    taken: dict[str, list[float]] = {"sums": [], "ranking": [], "sorted": [], "one": [], "five": []}
    for each in range(rounds):
        report.progress(f"boards, round {each + 1} of {rounds}")
        taken["sums"].append(by_counting(made))
        taken["ranking"].append(by_ranking(made))
        taken["sorted"].append(by_sorted_list(made))
        taken["one"].append(by_stage(made, 1))
        taken["five"].append(by_stage(made, 5))
    us = {name: median(seconds) / events * 1e6 for name, seconds in taken.items()}
    ranking, sorted_list = us["ranking"] - us["sums"], us["sorted"] - us["sums"]
    report.table(
        f"Leaderboards: {events:,} events of {customers:,} customers, 2 % of them taken back",
        ("", "µs of CPU per event"),
        [
            (f"the first {SIZE}, besides the sums", f"{ranking:.2f}"),
            ("everybody in a sorted list, besides the sums", f"{sorted_list:.2f}"),
            ("the whole stage, one board", f"{us['one']:.2f}"),
            ("the whole stage, five boards", f"{us['five']:.2f}"),
        ],
    )
    rounds_of = zip(taken["ranking"], taken["sorted"], taken["sums"], strict=True)
    shares = [(first - sums) / (everybody - sums) for first, everybody, sums in rounds_of]
    measured = f"{report.pairs(shares, '.1%')}, {ranking:.2f} µs"
    return [report.Ratio(f"keeping the first {SIZE} / a sorted list", measured, "upkeep at most 1 µs")]


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    report.ratios(run(asked.events, asked.customers, asked.rounds))


if __name__ == "__main__":
    main()

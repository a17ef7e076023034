"""What is counted of campaigns and of the programme is what brute force over all point events finds, of any history.

Histories and programmes are the oracle's, so campaigns of every kind, refunds, draws, gifts and erasures meet.
"""

from collections import Counter
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from random_histories import history
from random_programmes import PARTS, programme

from loyalty_stream.app.simulate import Simulation
from loyalty_stream.domain.rules import Rules
from loyalty_stream.wire import point_events
from tests.app.brute_counts import brute_counts
from tests.app.counted_events import CountingWorld, numbers

SEEDS = st.integers(0, 2**32)


def story(seed: int) -> tuple[Rules, list[bytes]]:
    """A programme, and the point events of a history under it."""
    random = Random(seed)
    rules = programme(random, PARTS)
    simulation = Simulation(rules)
    events: list[bytes] = []
    for number, fact in enumerate(history(random, rules, PARTS), 1):
        made, _ = simulation.apply(number, msgspec.json.encode(fact))
        events += made
    return rules, events


def expected(rules: Rules, events: list[bytes]):
    return brute_counts([point_events.decode(event) for event in events], rules.zone)


@given(seed=SEEDS, partitions=st.integers(1, 3), turns=SEEDS)
@settings(max_examples=300)
def test_every_hour_and_the_total_are_as_brute_force_finds_them(
    seed: int, partitions: int, turns: int
) -> None:
    rules, events = story(seed)
    world = CountingWorld(rules, partitions, events).run(turns)
    assert numbers(world.published()) == expected(rules, events)


@given(seed=SEEDS, turns=SEEDS, stops=st.lists(st.integers(1, 400), max_size=6))
@settings(max_examples=100)
def test_crashes_count_nothing_twice_and_lose_nothing(seed: int, turns: int, stops: list[int]) -> None:
    rules, events = story(seed)
    world = CountingWorld(rules, 2, events).run(turns, set(stops))
    assert numbers(world.published()) == expected(rules, events)


def test_the_histories_meet_what_is_counted() -> None:
    met: Counter[str] = Counter()
    for seed in range(400):
        rules, events = story(seed)
        for (scope, _), counter in expected(rules, events).items():
            met.update(f"{scope.partition(':')[0]} {measure.partition(':')[0]}" for measure in counter)
    for measure in (
        "customers",
        "orders",
        "spend_amount",
        "refunded_amount",
        "cancelled_orders",
        "granted",
        "revoked",
    ):
        assert met[f"campaign {measure}"] > 20, measure
        assert met[f"programme {measure}"] > 20, measure
    for measure in ("redeemed", "restored", "expired", "entries", "withdrawn_entries", "gifts"):
        assert met[f"campaign {measure}"] > 0, measure
    for measure in ("registrations", "erasures", "granted_by", "revoked_by"):
        assert met[f"programme {measure}"] > 5, measure

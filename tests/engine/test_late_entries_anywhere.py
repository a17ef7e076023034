"""A draw that was held and is opened again by another programme file: nobody pays for nothing, wherever it stops."""

from collections import Counter

import msgspec
import pytest

from loyalty_stream.domain.campaign_terms import Award, Draw, Prize
from loyalty_stream.domain.draw_winners import commitment
from loyalty_stream.domain.facts import EnterDraw, EnterDrawData
from tests.domain import given
from tests.domain.given_campaigns import campaign, with_campaigns
from tests.engine.histories import Sent, sent
from tests.engine.two_stages import World

SEED = "seed"
COST = 100
DRAW = Draw((Prize("car", 99),), commitment(SEED), entry_cost=COST)
BEFORE = with_campaigns(campaign("lots", award=Award(), draw=DRAW, per_customer_limit=3))
AFTER = with_campaigns(
    campaign("lots", award=Award(), draw=DRAW, per_customer_limit=3, ends="2026-03-20 00:00")
)
REVEALED = {
    "specversion": "1.0",
    "id": "seed",
    "source": given.SOURCE,
    "type": "draw-seed-revealed",
    "subject": "lots",
    "time": "2026-03-09T12:00:00+08:00",
    "data": {"campaign_id": "lots", "seed": SEED},
}


def entry(who: str, name: str, at: str) -> Sent:
    fact = EnterDraw(
        specversion="1.0",
        id=name,
        source=given.SOURCE,
        subject=who,
        time=given.moment(at),
        data=EnterDrawData(entry_id=name, campaign_id="lots"),
    )
    return sent(fact)


def until_it_is_held(customers: int) -> list[Sent]:
    people = [f"c-{number}" for number in range(customers)]
    facts = [sent(given.order_paid(f"o-{who}", "2026-02-01 10:00", 50000, subject=who)) for who in people]
    facts += [entry(who, f"in-time-{who}", f"2026-03-02 10:00:{n:02}") for n, who in enumerate(people)]
    facts += [sent(given.check_in(f"t-{who}", "2026-03-09 10:00", subject=who)) for who in people]
    return [*facts, Sent("campaigns", b"lots", msgspec.json.encode(REVEALED))]


def afterwards(customers: int) -> list[Sent]:
    people = [f"c-{number}" for number in range(customers)]
    return [entry(who, f"late-{who}", f"2026-03-10 10:00:{n:02}") for n, who in enumerate(people)]


def check(world: World, customers: int) -> None:
    """Who paid took part; who did not take part has the points back, and the award does not count."""
    assert world.dead_letters() == 0
    accounts, kinds = world.accounts(), Counter(event.type for event in world.events())
    assert kinds["draw-entered"] == 2 * customers
    won = {event.data.entry_id for event in world.events() if event.type == "draw-won"}
    back = [event.data.entry_id for event in world.events() if event.type == "point-restored"]
    people = [f"c-{number}" for number in range(customers)]
    assert won == {f"in-time-{who}" for who in people}
    assert sorted(back) == sorted(f"late-{who}" for who in people)
    for who in people:
        assert accounts[who].available == accounts[who].granted - COST
        assert accounts[who].campaigns["lots"].awards == 1


@pytest.mark.parametrize("seed", range(10))
def test_late_entries_go_back_in_any_interleaving(seed: int) -> None:
    world = World(BEFORE, 3, until_it_is_held(12)).run(seed)
    world.change(AFTER)
    world.send(afterwards(12))
    check(world.run(seed), 12)


def test_stopped_at_every_single_step_every_late_entry_goes_back_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    customers, seed = 4, 3

    def story(stops: set[int]) -> World:
        world = World(BEFORE, 2, until_it_is_held(customers)).run(seed)
        world.change(AFTER)
        world.send(afterwards(customers))
        world.steps.clear()
        return world.run(seed, stops)

    steps = story(set()).steps.total()
    with capsys.disabled():
        print(f" {steps} steps with late entries", end="")  # noqa: T201 - how much was tried
    for stop in range(1, steps + 1):
        check(story({stop}), customers)

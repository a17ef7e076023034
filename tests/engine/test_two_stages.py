"""What is limited across customers is given out exactly, in any interleaving and wherever the process is stopped."""

from collections import defaultdict

import msgspec
import pytest

from loyalty_stream.domain.campaign_terms import Award, Campaign, Draw, Prize
from loyalty_stream.domain.draw_winners import commitment, winners
from loyalty_stream.domain.rules import Reward
from tests.domain import given
from tests.domain.given_rewards import MALL, cancel, redeem
from tests.engine.histories import Sent, sent
from tests.engine.two_stages import World

SEED = "seed"
CUP = Reward("cup", "goods", cost=100, stock=5, per_customer_limit=0)
WEEK = Campaign(
    id="week",
    version=1,
    theme="week",
    mode="online",
    starts_at_ms=given.ms("2026-03-01 00:00"),
    ends_at_ms=given.ms("2026-03-08 00:00"),
    trigger="purchase",
    award=Award(points=100),
    budget_points=450,
)
LOTS = msgspec.structs.replace(
    WEEK,
    id="lots",
    award=Award(draw_entries=2),
    budget_points=0,
    draw=Draw((Prize("cup", 1), Prize("car", 2)), commitment(SEED)),
)
RULES = msgspec.structs.replace(MALL, rewards={"cup": CUP}, campaigns=(WEEK, LOTS))


def history(customers: int) -> list[Sent]:
    """Everybody buys, and wants a cup; the first changes their mind, the last is erased; the week ends; the draw is held."""
    facts = []
    for number in range(customers):
        who = f"c-{number}"
        facts.append(given.order_paid(f"o-{number}", f"2026-03-02 10:00:{number:02}", 30000, subject=who))
        facts.append(redeem(f"r-{number}", f"2026-03-03 10:00:{number:02}", "cup", subject=who))
    facts.append(cancel("x-0", "2026-03-04 10:00", "r-0", subject="c-0"))
    facts.append(given.erase_customer("gone", "2026-03-04 10:01", subject=f"c-{customers - 1}"))
    facts += [given.check_in(f"late-{n}", "2026-03-09 10:00", subject=f"c-{n}") for n in range(customers)]
    made = [sent(fact) for fact in facts]
    seed = {
        "specversion": "1.0",
        "id": "seed",
        "source": given.SOURCE,
        "type": "draw-seed-revealed",
        "subject": "lots",
        "time": "2026-03-09T12:00:00+08:00",
        "data": {"campaign_id": "lots", "seed": SEED},
    }
    return [*made, Sent("campaigns", b"lots", msgspec.json.encode(seed))]


def check(world: World, customers: int, stock: int = CUP.stock, budget: int = WEEK.budget_points) -> None:
    """The laws of what is limited, over all partitions together."""
    events, accounts = world.events(), world.accounts()
    assert world.dead_letters() == 0
    ids = [event.id for event in events]
    assert len(ids) == len(set(ids))
    answers = [each["data"] for each in world.answers() if each["type"] == "allocation-answered"]
    assert len(answers) == len({answer["request_id"] for answer in answers})
    assert not any(account.asked or account.holds for account in accounts.values())
    by_type: dict[str, list] = defaultdict(list)
    for event in events:
        by_type[event.type].append(event)
    back = {event.data.note.request_id for event in by_type["account-noted"] if event.data.kind == "return"}

    def of(resource: str) -> tuple[int, int, int]:
        """Given in all, of that given back, and what was refused or cut."""
        mine = [answer for answer in answers if answer["resource"] == resource]
        returned = [answer["given"] for answer in mine if answer["request_id"] in back]
        refused = sum(answer["asked"] - answer["given"] for answer in mine)
        return sum(answer["given"] for answer in mine), sum(returned), refused

    given_out, returned, refused = of("stock:cup")
    assert given_out - returned <= stock
    assert refused == 0 or given_out >= stock  # nobody is refused while there is some
    issued = sum(event.data.quantity for event in by_type["reward-issued"])
    assert issued <= given_out
    assert sum(account.reward_counts.get("cup", 0) for account in accounts.values()) <= stock

    given_out, returned, refused = of("budget:week")
    granted = sum(each.data.points for each in by_type["point-granted"] if each.data.campaign_id == "week")
    assert granted == given_out - returned <= budget
    assert refused == 0 or given_out >= budget
    assert given_out + refused == 100 * customers

    # The draw: who wins can be worked out from what is published.
    assert len(by_type["draw-entered"]) == 2 * customers
    entries = [
        (event.data.entry_id, event.subject)
        for event in by_type["draw-entered"]
        if not accounts[event.subject].erased_at
    ]
    expected = {
        (winner.entry_id, winner.customer, winner.prize, winner.proof)
        for winner in winners(LOTS.draw.prizes, entries, SEED)
    }
    won = [
        (each.data.entry_id, each.subject, each.data.prize, each.data.proof) for each in by_type["draw-won"]
    ]
    assert set(won) == expected
    assert len(won) == len(expected)


@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_exceeded_and_all_is_served_in_any_interleaving(seed: int) -> None:
    customers = 12
    check(World(RULES, 4, history(customers)).run(seed), customers)


def test_stopped_at_every_single_step_nothing_is_lost_and_nothing_given_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    customers, seed = 4, 7
    rules = msgspec.structs.replace(
        RULES,
        rewards={"cup": msgspec.structs.replace(CUP, stock=2)},
        campaigns=(msgspec.structs.replace(WEEK, budget_points=250), LOTS),
    )
    story = history(customers)
    steps = World(rules, 2, story).run(seed).steps.total()
    with capsys.disabled():
        print(f" {steps} steps of two stages", end="")  # noqa: T201 - how much was tried
    for stop in range(1, steps + 1):
        world = World(rules, 2, story).run(seed, {stop})
        check(world, customers, stock=2, budget=250)


def test_a_story_has_every_outcome() -> None:
    """What the tests above check does happen."""
    events = World(RULES, 4, history(12)).run(1).events()
    types = {event.type for event in events}
    assert {"reward-issued", "point-restored", "draw-entered", "draw-won", "command-rejected"} <= types
    kinds = {event.data.kind for event in events if event.type == "account-noted"}
    assert {"return", "erased", "answer"} <= kinds

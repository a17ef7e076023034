"""Boards are closed once, with the right standings and rewards, in any interleaving and wherever all is stopped."""

from collections import defaultdict
from dataclasses import replace

import msgspec
import pytest

from loyalty_stream.domain import boards, calendar
from loyalty_stream.domain.campaign_book import NO_CAMPAIGNS
from loyalty_stream.domain.rules import Board, BoardReward
from loyalty_stream.engine.task import Clock
from tests.domain import given
from tests.engine import two_stages
from tests.engine.boards_world import BoardsWorld, shown
from tests.engine.histories import Sent, sent

HOUR = 3_600_000
MONTHLY = Board(
    "monthly", "earned", "month", 3, HOUR, rewards=(BoardReward(1, 1, 1_000), BoardReward(2, 3, 200))
)
DAILY = Board("daily", "earned", "day", 2, HOUR)
EVER = Board("ever", "earned", "all_time", 3, HOUR)
RULES = msgspec.structs.replace(given.PLAIN, boards=(MONTHLY, DAILY, EVER), campaigns=(), review=None)


def history(customers: int) -> list[Sent]:
    """Orders of February, some of them refunded; then one at the end of March, which everybody sees."""
    facts = []
    for number in range(customers):
        who = f"c-{number}"
        day = 3 + number % 2
        facts.append(
            given.order_paid(
                f"o-{number}", f"2026-02-{day:02} 10:00:{number:02}", 1_000 * (number % 4 + 1), subject=who
            )
        )
        if number % 3 == 0:
            facts.append(
                given.refund(f"r-{number}", f"2026-02-{day + 1:02} 11:00", f"o-{number}", 700, subject=who)
            )
    facts.append(given.erase_customer("gone", "2026-02-20 12:00", subject="c-2"))
    facts += [
        given.order_paid(f"late-{number}", "2026-03-31 10:00", 5_000, subject=f"c-{number}")
        for number in range(customers)
    ]
    return [sent(fact) for fact in facts]


def expected(world: BoardsWorld) -> dict[str, list[tuple[str, int, int]]]:
    """By plain sums over the events: standings of every period; an erased customer is on none that was open then."""
    sums: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(dict)
    for event in world.events():
        for board in RULES.boards:

            def score(at: int, board: Board = board, who: str = event.subject) -> list[int]:
                span = boards.span_at(board, at, RULES.zone, NO_CAMPAIGNS)
                return sums[board.id, span.name].setdefault(who, [0, 0])

            at = calendar.to_ms(event.time)
            if event.type == "point-granted" and event.data.command_id is None:
                known = score(at)
                known[0] += event.data.points
                known[1] = max(known[1], at)
            elif event.type == "point-revoked":
                for part in event.data.revokes:
                    score(calendar.to_ms(part.earned_at))[0] -= part.points
    gone = {
        event.subject
        for event in world.events()
        if event.data.note and event.data.note.__class__.__name__ == "ErasedNote"
    }
    found = {}
    for (board_id, span), scores in sums.items():
        size = next(board.size for board in RULES.boards if board.id == board_id)
        places = sorted(
            (-points, at, who) for who, (points, at) in scores.items() if points > 0 and who not in gone
        )
        found[f"{board_id}/{span}"] = [(who, -negative, at) for negative, at, who in places][:size]
    return found


def check(world: BoardsWorld) -> None:
    """Every period that is over was closed once and right; what goes on shows the latest; each rank was paid once."""
    world.accounts()
    assert world.dead_letters() == 0
    right = expected(world)
    finals = world.finals()
    over = {
        key for key in right if not key.startswith("ever") and not key.endswith(("2026-03", "2026-03-31"))
    }
    # Days of before the erasure were closed with whoever was there.
    assert [key for key, _ in finals] == sorted(over)
    for key, said in finals:
        if key == "monthly/2026-02":
            assert shown(said) == right[key]
    last = dict(world.published())
    assert shown(last["ever/all-time"]) == right["ever/all-time"]
    assert shown(last["monthly/2026-03"]) == right["monthly/2026-03"]
    ids = [said.id for _, said in world.published()]
    assert len(ids) == len(set(ids))
    paid = [
        (event.data.command_id, event.subject, event.data.points)
        for event in world.events()
        if event.type == "point-granted" and event.data.command_id is not None
    ]
    assert sorted(paid) == [
        (f"board:monthly:2026-02:{rank}", who, 1_000 if rank == 1 else 200)
        for rank, (who, _, _) in enumerate(right["monthly/2026-02"], 1)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_closes_are_right_in_any_interleaving(seed: int) -> None:
    check(BoardsWorld(RULES, 3, history(12)).run(seed))


def test_stopped_at_every_single_step_each_period_is_closed_once_and_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    story, seed = history(5), 3
    steps = BoardsWorld(RULES, 2, story).run(seed).steps.total()
    with capsys.disabled():
        print(f" {steps} steps of boards", end="")  # noqa: T201 - how much was tried
    for stop in range(1, steps + 1):
        check(BoardsWorld(RULES, 2, story).run(seed, {stop}))


def test_a_partition_without_customers_passes_by_the_wall_clock_wherever_all_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Read to its end counts as past: so a month is closed although most partitions are idle."""
    wall = given.ms("2026-03-02 00:00")
    by_wall = replace(two_stages.OPTIONS, clock=Clock.WALL, wall_ms=lambda: wall)
    monkeypatch.setattr(two_stages, "OPTIONS", by_wall)
    story = [sent(given.order_paid("o-1", "2026-02-03 10:00", 5_000, subject="c-1"))]
    steps = BoardsWorld(RULES, 2, story).run(1).steps.total()
    for stop in range(steps + 1):  # 0: none
        world = BoardsWorld(RULES, 2, story).run(1, {stop})
        assert [key for key, _ in world.finals()] == ["daily/2026-02-03", "monthly/2026-02"], stop
        (paid,) = [event for event in world.events() if event.data.cause.id.startswith("board:")]
        assert (paid.subject, paid.data.points) == ("c-1", 1_000)


def test_a_month_stays_open_while_one_partition_is_behind() -> None:
    """By events alone nothing is closed that a partition has not passed."""
    story = [
        sent(given.order_paid("o-1", "2026-02-03 10:00", 5_000, subject="c-1")),
        sent(given.order_paid("o-2", "2026-03-03 10:00", 5_000, subject="c-1")),
    ]
    assert BoardsWorld(RULES, 2, story).run(1).finals() == []
    assert len(BoardsWorld(RULES, 1, story).run(1).finals()) == 2

"""So many fall that the reserve behind the first places is used up: those that were far behind are found again."""

import msgspec
import pytest

from loyalty_stream.domain.ranking import LEAST_RESERVE
from loyalty_stream.domain.rules import Board
from tests.app.board_world import BoardWorld, granted, revoked, shown
from tests.domain import given

DAILY = Board("daily", "earned", "day", 2, 0)
RULES = msgspec.structs.replace(given.RULES, boards=(DAILY,))
TIME = "2026-03-01T02:00:00+00:00"
CUSTOMERS = LEAST_RESERVE + 10
"""More than a partition keeps places of."""
LEFT = 3
"""Fewer than the reserve is filled again at."""


@pytest.fixture
def world() -> BoardWorld:
    """Everybody has scored, customer n has n points; then all but the last few of them lose everything."""
    world = BoardWorld(RULES, 1)
    for points in range(1, CUSTOMERS + 1):
        world.feed(granted(points, b"c-%d" % points, points, TIME), b"c-%d" % points)
    world.settle()
    (said,) = world.last().values()
    assert [score for _, score, _ in shown(said)] == [CUSTOMERS, CUSTOMERS - 1]
    for points in range(LEFT + 1, CUSTOMERS + 1):
        world.feed(revoked(CUSTOMERS + points, b"c-%d" % points, points, TIME, TIME), b"c-%d" % points)
    return world


def test_running_standings_show_who_was_far_behind(world: BoardWorld) -> None:
    world.settle()
    (said,) = world.last().values()
    assert [(customer, score) for customer, score, _ in shown(said)] == [("c-3", 3), ("c-2", 2)]


def test_final_standings_show_them_though_the_period_closes_in_the_same_batch(world: BoardWorld) -> None:
    world.tell_time(given.ms("2026-03-05 00:00"))
    (said,) = world.last().values()
    assert said.type == "leaderboard-closed"
    assert [(customer, score) for customer, score, _ in shown(said)] == [("c-3", 3), ("c-2", 2)]

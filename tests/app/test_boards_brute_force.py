"""A million customers with 2 % of the grants taken back, half of them from those who lead: as a plain sort says."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from loyalty_stream.domain import calendar
from loyalty_stream.domain.rules import Board, BoardReward
from tests.app.board_world import BoardWorld, Granted, granted, plain_sums, revoked, shown
from tests.domain import given

HOUR = 3_600_000
RULES = msgspec.structs.replace(
    given.RULES,
    boards=(
        Board(
            "monthly",
            "earned",
            "month",
            100,
            HOUR,
            rewards=(BoardReward(1, 1, 1_000), BoardReward(2, 9, 200)),
        ),
        Board("weekly", "earned", "week", 10, HOUR),
        Board("ever", "earned", "all_time", 100, HOUR),
    ),
)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 89


def history(customers: int, chance: random.Random) -> tuple[list[Granted], list[tuple[bytes, bytes]]]:
    """What was granted and taken back, and the events of it in an order in which they may come."""
    plain: list[Granted] = []
    events: list[tuple[bytes, bytes]] = []
    ids = [b"c-%07d" % number for number in range(customers)]
    texts: list[tuple[int, str]] = []
    for minute in range(DAYS * 24 * 4):
        at = BEGIN + timedelta(minutes=15 * minute)
        texts.append((calendar.to_ms(at), at.isoformat()))
    best: list[tuple[int, bytes, tuple[int, str]]] = []
    number = 0
    for place in range(customers + customers // 50):
        customer = ids[place] if place < customers else chance.choice(ids)
        points = min(5_000, int(chance.paretovariate(1.1) * 10))
        at, text = chance.choice(texts)
        number += 1
        plain.append((customer, points, at))
        events.append((customer, granted(number, customer, points, text)))
        if points > 2_000:
            best.append((points, customer, (at, text)))
        if chance.random() < 0.02:
            if best and chance.random() < 0.5:
                points, customer, (at, text) = best.pop(chance.randrange(len(best)))
            taken = points if chance.random() < 0.5 else chance.randint(1, points)
            number += 1
            plain.append((customer, -taken, at))
            events.append((customer, revoked(number, customer, taken, text, texts[-1][1])))
    return plain, events


@pytest.mark.parametrize(("customers", "partitions"), [(20_000, 3), (1_000_000, 4)])
def test_standings_are_those_of_a_plain_sort(customers: int, partitions: int) -> None:
    chance = random.Random(customers)
    plain, events = history(customers, chance)
    world = BoardWorld(RULES, partitions)
    for place, (customer, value) in enumerate(events):
        world.feed(value, customer)
        if place % 40_000 == 0:
            world.settle()
    world.settle()
    expected = plain_sums(RULES, plain)
    assert len(expected) > 15
    sizes = {board.id: board.size for board in RULES.boards}

    def check() -> None:
        for key, said in world.last().items():
            assert shown(said) == expected[key][: sizes[said.subject]], key

    check()
    assert world.last().keys() == expected.keys()
    assert world.closes() == []

    # The year is over: what has an end is closed once, the rest goes on; nothing of a closed period is kept.
    world.tell_time(given.ms("2026-12-31 00:00"))
    check()
    assert sorted(world.closes()) == sorted(key for key in expected if not key.startswith(b"ever"))
    for part in world.parts:
        part.commit()
        assert all(b"monthly" not in value for _, value in part.table.committed_items())
    paid = {(each["data"]["grant_id"], each["subject"], each["data"]["points"]) for each in world.commands}
    months = [key.partition(b"/")[2].decode() for key in expected if key.startswith(b"monthly")]
    assert paid == {
        (
            f"board:monthly:{month}:{rank}",
            expected[f"monthly/{month}".encode()][rank - 1][0],
            1_000 if rank == 1 else 200,
        )
        for month in months
        for rank in range(1, 10)
    }
    assert len(world.commands) == len(paid)

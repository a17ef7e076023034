"""Boards under whatever comes, in any order: what is published is what plain sums say, also after restarts.

Small boards with many falls: the reserve is filled again often.
"""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from loyalty_stream.domain import boards, calendar, ranking
from loyalty_stream.domain.campaign_book import NO_CAMPAIGNS
from loyalty_stream.domain.rules import Board, BoardReward
from loyalty_stream.wire.partitioning import partition_of
from tests.app.board_world import BoardWorld, granted, revoked, shown
from tests.domain import given

HOUR = 3_600_000
BEGIN = given.ms("2026-03-01 00:00")
DAILY = Board("daily", "earned", "day", 2, HOUR, rewards=(BoardReward(1, 2, 50),))
EVER = Board("ever", "earned", "all_time", 1, 0)
RULES = msgspec.structs.replace(given.RULES, boards=(DAILY, EVER))
PARTITIONS = 2
CUSTOMERS = [b"c-%d" % number for number in range(14)]
customers = st.sampled_from(CUSTOMERS)


def noted(kind: str, more: str, time: str) -> bytes:
    return (
        f'{{"id":"aaaaaaaaaaaa.0","type":"account-noted","subject":"x","time":"{time}","data":{{"cause":{{"source":"/s",'
        f'"id":"f"}},"note":{{"kind":"{kind}"{more}}},"kind":"{kind}"}}}}'
    ).encode()


class Boards(RuleBasedStateMachine):
    """The model keeps every grant that was in time, and sorts."""

    def __init__(self) -> None:
        super().__init__()
        self.world = BoardWorld(RULES, PARTITIONS)
        self.world.tell_time(BEGIN)
        self.now = [BEGIN] * PARTITIONS
        self.number = 0
        self.grants: list[tuple[bytes, int, int]] = []
        self.scores: dict[tuple[str, str], dict[bytes, list[int]]] = {}
        self.closes: dict[tuple[str, str], int] = {}
        self.hidden: set[bytes] = set()
        self.aliases: dict[bytes, str] = {}
        self.finals: dict[str, list[tuple[str, int, int]]] = {}
        self.told: dict[tuple[str, str], list] = {}
        """By period: the places of each partition when it passed the close."""

    def keys_at(self, at: int) -> Iterator[tuple[str, str]]:
        for board in RULES.boards:
            span = boards.span_at(board, at, RULES.zone, NO_CAMPAIGNS)
            self.closes[board.id, span.name] = boards.closes_at(board, span)
            yield board.id, span.name

    def is_open(self, key: tuple[str, str], customer: bytes) -> bool:
        return self.closes[key] > self.now[partition_of(customer, PARTITIONS)]

    @rule(customer=customers, points=st.integers(1, 6), hours_ago=st.integers(0, 40))
    def grant(self, customer: bytes, points: int, hours_ago: int) -> None:
        at = self.now[partition_of(customer, PARTITIONS)] - hours_ago * HOUR
        self.number += 1
        time = calendar.to_datetime(at).isoformat()
        self.world.feed(granted(self.number, customer, points, time), customer)
        self.grants.append((customer, points, at))
        for key in self.keys_at(at):
            if self.is_open(key, customer):
                score = self.scores.setdefault(key, {}).setdefault(customer, [0, 0])
                score[0] += points
                score[1] = max(score[1], at)

    @precondition(lambda self: self.grants)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        """Of a grant, once, whole or in part."""
        place = data.draw(st.integers(0, len(self.grants) - 1))
        customer, points, at = self.grants.pop(place)
        taken = data.draw(st.integers(1, points))
        self.number += 1
        now = calendar.to_datetime(self.now[partition_of(customer, PARTITIONS)]).isoformat()
        self.world.feed(
            revoked(self.number, customer, taken, calendar.to_datetime(at).isoformat(), now), customer
        )
        for key in self.keys_at(at):
            score = self.scores.get(key, {}).get(customer)
            if score is not None and self.is_open(key, customer):
                score[0] = max(0, score[0] - taken)

    @rule(customer=customers, hide=st.booleans())
    def choose(self, customer: bytes, hide: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        now = calendar.to_datetime(self.now[partition_of(customer, PARTITIONS)]).isoformat()
        self.world.feed(noted("standing", f',"opted_out":{str(hide).lower()}', now), customer)
        (self.hidden.add if hide else self.hidden.discard)(customer)

    @rule(customer=customers, alias=st.sampled_from(["", "Tea cat", "茶"]))
    def rename(self, customer: bytes, alias: str) -> None:
        now = calendar.to_datetime(self.now[partition_of(customer, PARTITIONS)]).isoformat()
        self.world.feed(noted("standing", f',"alias":"{alias}"', now), customer)
        self.aliases[customer] = alias

    @rule(customer=customers)
    def erase(self, customer: bytes) -> None:
        now = calendar.to_datetime(self.now[partition_of(customer, PARTITIONS)]).isoformat()
        self.world.feed(noted("erased", ',"request_id":"q"', now), customer)
        for key, scores in self.scores.items():
            if self.is_open(key, customer):
                scores.pop(customer, None)
        self.hidden.discard(customer)
        self.aliases.pop(customer, None)
        self.grants = [grant for grant in self.grants if grant[0] != customer]

    @rule(partition=st.integers(0, PARTITIONS - 1), hours=st.integers(1, 30))
    def pass_time(self, partition: int, hours: int) -> None:
        """The partition tells its places of what closes; once all have passed, the period is final."""
        before = self.now[partition]
        self.now[partition] += hours * HOUR
        for key, close in self.closes.items():
            told = self.told.setdefault(key, [[] for _ in range(PARTITIONS)])
            if before < close <= self.now[partition]:
                told[partition] = self.places(key, partition)
                if close <= min(self.now) and key in self.scores:
                    self.finals["/".join(key)] = sorted(place for places in told for place in places)[:2]
        self.world.tell_time(self.now[partition], [partition])

    @rule(partition=st.integers(0, PARTITIONS - 1))
    def restart(self, partition: int) -> None:
        """What is committed comes back, of the boards and of their owner."""
        self.world.settle()
        for which in (self.world.parts, self.world.owners):
            which[partition] = which[partition].again()
        part = self.world.parts[partition]
        part.processor.proceed()
        for then in part.context.take_waiting():
            then()

    def places(self, key: tuple[str, str], partition: int) -> list[tuple[int, int, str]]:
        return [
            (-points, at, who.decode())
            for who, (points, at) in self.scores.get(key, {}).items()
            if points > 0 and who not in self.hidden and partition_of(who, PARTITIONS) == partition
        ]

    @invariant()
    def what_is_published_is_right(self) -> None:
        self.world.settle()
        last = {key.decode(): said for key, said in self.world.last().items()}
        ever = sorted(
            place for number in range(PARTITIONS) for place in self.places(("ever", "all-time"), number)
        )[:1]
        if "ever/all-time" in last or ever:
            assert [(-score, at, who) for who, score, at in shown(last["ever/all-time"])] == ever
            for entry in last["ever/all-time"].data.entries:
                assert (entry.alias or "") == self.aliases.get(entry.customer.encode(), "")
        finals = {
            key: [(-score, at, who) for who, score, at in shown(said)]
            for key, said in last.items()
            if said.type == "leaderboard-closed"
        }
        assert {key: places for key, places in finals.items() if places} == {
            key: places for key, places in self.finals.items() if places
        }
        assert len(self.world.closes()) == len(set(self.world.closes()))
        paid = [(each["data"]["grant_id"], each["subject"]) for each in self.world.commands]
        assert sorted(paid) == sorted(
            (f"board:daily:{key.partition('/')[2]}:{rank}", who)
            for key, places in self.finals.items()
            for rank, (_, _, who) in enumerate(places, 1)
        )


@pytest.fixture(autouse=True)
def _small_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking.Ranking.__init__, "__defaults__", (0,))


Boards.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestBoards = Boards.TestCase

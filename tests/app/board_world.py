"""Boards by hand: several partitions of the boards stage and the one owner, fed with point events; and plain sums.

It knows no rule of theirs: `plain_sums` is what they are compared with.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from loyalty_stream.app.board_owner import LeaderboardStage
from loyalty_stream.app.board_stage import BoardSink, BoardStage
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import boards, calendar
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.stage import Context
from loyalty_stream.engine.table import Table
from loyalty_stream.wire import standings
from loyalty_stream.wire.partitioning import partition_of

SETTINGS = Settings()
EVENTS, TIMES = "points-events", "board-times"


class Rec(NamedTuple):
    key: bytes | None
    value: bytes | None
    offset: int = 0
    timestamp: int | None = None
    headers: Sequence = ()


class Partition:
    """One partition of a stage, with what it has written; `commit` as the task does."""

    def __init__(self, stage: Any, number: int, stored: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.stage = stage
        self.table = Table(stage.codec, 50_000)
        self.table.restore_all(list(stored))
        self.context = Context(number, self.table)
        self.processor = stage.processor(self.context)
        self.processor.restored()

    def feed(self, topic: str, record: Rec) -> None:
        _, event = self.processor.decode(topic, record)
        self.processor.process(topic, record, event)

    def commit(self) -> list[tuple[str, int, Rec]]:
        while self.processor.proceed():
            pass
        out = [
            (topic, partition, Rec(key, value))
            for topic, partition, outputs in self.context.written()
            for key, value, _ in outputs
        ]
        self.table.committed(self.table.changes())
        self.processor.committed()
        self.context.clear()
        return out

    def again(self) -> "Partition":
        """The same partition after a restart."""
        return Partition(self.stage, self.context.partition, list(self.table.committed_items()))


class BoardWorld:
    """All partitions and the owner of all boards. Its clock is always a second later."""

    def __init__(self, rules: Rules, partitions: int) -> None:
        self.clock = 0.0
        self.rules = rules
        stage = BoardStage(SETTINGS, rules, partitions, BoardSink(), self._tick)
        owner = LeaderboardStage(SETTINGS, rules, partitions, BoardSink(), self._tick)
        self.parts = [Partition(stage, number) for number in range(partitions)]
        self.owners = [Partition(owner, number) for number in range(partitions)]
        self.published: list[tuple[bytes, standings.Standings]] = []
        self.commands: list[dict[str, Any]] = []
        self.tell_time(0)

    def _tick(self) -> float:
        self.clock += 1
        return self.clock

    def feed(self, value: bytes, key: bytes) -> None:
        """A point event."""
        self.parts[partition_of(key, len(self.parts))].feed(EVENTS, Rec(key, value))

    def tell_time(self, time: int, partitions: Iterable[int] | None = None) -> None:
        """The ledger's time is `time` on these partitions, all by default, and everything was read."""
        for number in range(len(self.parts)) if partitions is None else partitions:
            part = self.parts[number]
            part.feed(TIMES, Rec(b"0", standings.encode_time(standings.LedgerTime(time))))
            for then in part.context.take_waiting():
                then()
        self.settle()

    def settle(self) -> None:
        """Everybody commits; what they have told arrives."""
        for part in self.parts:
            for _, partition, record in part.commit():
                self.owners[partition].feed("board-parts", record)
        for owner in self.owners:
            for topic, _, record in owner.commit():
                if topic == "leaderboards":
                    self.published.append((record.key or b"", standings.decode(record.value or b"")))
                else:
                    assert topic == "points-commands"
                    self.commands.append(msgspec.json.decode(record.value or b""))

    def last(self) -> dict[bytes, standings.Standings]:
        """What the compacted topic holds."""
        return dict(self.published)

    def closes(self) -> list[bytes]:
        """The keys of all final standings, as often as they were published."""
        return [key for key, said in self.published if said.type == "leaderboard-closed"]


def shown(said: standings.Standings) -> list[tuple[str, int, int]]:
    """Customer, score and when it was reached (ms), in order of ranks."""
    assert [entry.rank for entry in said.data.entries] == list(range(1, len(said.data.entries) + 1))
    return [(each.customer, each.score, calendar.to_ms(each.reached_at)) for each in said.data.entries]


Granted = tuple[bytes, int, int]
"""Customer, points (below 0: taken back), when they were earned in ms."""


def plain_sums(rules: Rules, history: Iterable[Granted]) -> dict[bytes, list[tuple[str, int, int]]]:
    """By key of the topic: everybody's score by rank, from sums over the whole history."""
    sums: dict[bytes, dict[bytes, list[int]]] = defaultdict(dict)
    names: dict[tuple[int, int], list[bytes]] = {}
    for customer, points, at in history:
        for number, board in enumerate(rules.boards):
            day = at // 3_600_000  # an hour is within one local day of the zones used here
            keys = names.get((number, day))
            if keys is None:
                span = boards.span_at(board, at, rules.zone, rules.book)
                keys = names[number, day] = [f"{board.id}/{span.name}".encode()]
            score = sums[keys[0]].setdefault(customer, [0, 0])
            score[0] += points
            if points > 0:
                score[1] = max(score[1], at)
    return {
        key: [
            (customer.decode(), -negative, reached)
            for negative, reached, customer in sorted(
                (-points, reached, who) for who, (points, reached) in scores.items() if points > 0
            )
        ]
        for key, scores in sums.items()
    }


def granted(number: int, customer: bytes, points: int, time: str) -> bytes:
    """A point event as the ledger writes it, as far as boards look."""
    return (
        b'{"id":"aaaaaaaaaaaa.%d","type":"point-granted","subject":"%s","time":"%s","data":{"cause":{"source":"/s",'
        b'"id":"f-%d"},"balance":{"available":1,"pending":0,"held":0,"debt":0},"grant_id":"g-%d","points":%d,'
        b'"rule":"base","rule_version":1,"reason":"purchase","available_at":"%s","expires_at":null}}'
        % (number, customer, time.encode(), number, number, points, time.encode())
    )


def revoked(number: int, customer: bytes, points: int, earned: str, time: str) -> bytes:
    return (
        b'{"id":"aaaaaaaaaaaa.%d","type":"point-revoked","subject":"%s","time":"%s","data":{"cause":{"source":"/s",'
        b'"id":"f-%d"},"balance":{"available":1,"pending":0,"held":0,"debt":0},"points":%d,"reason":"refund",'
        b'"grants":[],"shortfall":0,"revokes":[{"grant_id":"g","points":%d,"earned_at":"%s"}]}}'
        % (number, customer, time.encode(), number, points, points, earned.encode())
    )

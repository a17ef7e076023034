"""The ledger, the boards and their owner, several partitions of each, on the log in memory in any interleaving."""

from typing import Any

from loyalty_stream.app.board_owner import LeaderboardStage
from loyalty_stream.app.board_stage import BoardSink, BoardStage
from loyalty_stream.domain import calendar
from loyalty_stream.domain.rules import Rules
from loyalty_stream.wire import standings
from tests.engine.two_stages import SETTINGS, World


class BoardsWorld(World):
    """Its boards tell of every change at once."""

    def __init__(self, rules: Rules, partitions: int, history: Any) -> None:
        super().__init__(rules, partitions, history)
        self._ticks = 0
        self._stages += [
            BoardStage(SETTINGS, rules, partitions, BoardSink(), self._clock),
            LeaderboardStage(SETTINGS, rules, partitions, BoardSink(), self._clock),
        ]

    def _clock(self) -> float:
        self._ticks += 1
        return float(self._ticks)

    def published(self) -> list[tuple[str, standings.Standings]]:
        """All that was published, of the partitions one after the other."""
        return [
            ((record.key or b"").decode(), standings.decode(record.value or b""))
            for partition in range(self.partitions)
            for record in self.broker.logs["leaderboards", partition]
        ]

    def finals(self) -> list[tuple[str, standings.Standings]]:
        return sorted(
            ((key, said) for key, said in self.published() if said.type == "leaderboard-closed"),
            key=lambda pair: pair[0],
        )


def shown(said: standings.Standings) -> list[tuple[str, int, int]]:
    """Customer, score and when it was reached (ms)."""
    return [(each.customer, each.score, calendar.to_ms(each.reached_at)) for each in said.data.entries]

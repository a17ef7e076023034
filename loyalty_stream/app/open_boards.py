"""The boards of one partition: every customer's scores in the table, and the first places of each open period.

It says what a partition's places are, and nothing to anybody; `board_stage` does. It knows no topic.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from loyalty_stream.domain import board_scores, boards, calendar
from loyalty_stream.domain.board_scores import Row, Score
from loyalty_stream.domain.boards import NEVER, Chosen, Part, Scored, Span
from loyalty_stream.domain.ranking import Ranking
from loyalty_stream.domain.rules import Board, Rules
from loyalty_stream.engine.table import Table

STATE: Final = b"*"
"""The key of what the partition remembers besides its customers, whose ids have no such character."""
SLICE_ROWS: Final = 4_000
"""At some 2.5 µs each, 10 ms: then the other partitions and the network get their turn."""

REMEMBERED_QUARTERS: Final = 10_000
"""Some hundred days."""


class State(Struct, array_like=True, gc=False, tag="state"):
    """How far the partition has come. Instants in ms."""

    passed: int = 0
    """Periods that closed by then are closed here: nothing counts in them any more."""
    latest: int = 0
    """The latest time of an event that was read."""
    told: int = 0
    """What the ledger's time is known to have reached."""
    since: int = -1
    """The first time that the ledger told; -1: none yet."""


RowOrState: TypeAlias = Row | State


class RowCodec:
    """How rows and the state are stored: MessagePack."""

    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(RowOrState).decode)


class OpenBoard:
    """A period of a board that is not closed yet, and who leads in it."""

    __slots__ = ("_fresh", "_unseen", "board", "closes_at", "name", "ranking", "span")

    def __init__(self, board: Board, span: Span) -> None:
        self.board = board
        self.span = span
        self.closes_at = boards.closes_at(board, span)
        self.name = name_of(board, span)
        self.ranking = Ranking(board.size)
        self._fresh: Ranking | None = None
        self._unseen: list[bytes] = []
        """Customers who are still to be looked at, while the ranking is made anew."""

    @property
    def is_refilling(self) -> bool:
        """Whether the ranking is being made anew."""
        return self._fresh is not None

    def put(self, customer: bytes, score: Score) -> None:
        """The customer's score now."""
        self.ranking.put(customer, score.points, score.reached)
        if self._fresh is not None:
            self._fresh.put(customer, score.points, score.reached)

    def remove(self, customer: bytes) -> None:
        """The customer takes part no longer."""
        self.ranking.remove(customer)
        if self._fresh is not None:
            self._fresh.remove(customer)

    def refill(self, table: Table, rows: int = SLICE_ROWS) -> bool:
        """Look at so many more customers, where too many of the first have fallen; whether there was need."""
        if self._fresh is None:
            if not self.ranking.is_low:
                return False
            self._fresh = Ranking(self.board.size)
            self._unseen = list(table.keys())
        for key in self._unseen[-rows:]:
            row = table.get(key)
            if (
                isinstance(row, Row)
                and not row.opted_out
                and (score := row.scores.get(self.name)) is not None
            ):
                self._fresh.put(key, score.points, score.reached)
        del self._unseen[-rows:]
        if not self._unseen:
            self._fresh.changed = True
            self.ranking, self._fresh = self._fresh, None
        return True

    def settle(self, table: Table) -> None:
        """Make sure that the first places are known, at once."""
        while not self.ranking.is_exact:
            had_need = self.refill(table, len(table) + 1)
            assert had_need, "a ranking that is not exact is low"


class OpenBoards:
    """What counts in which period, and who leads."""

    def __init__(self, rules: Rules, table: Table) -> None:
        self._rules = rules
        self._table = table
        self._open: dict[str, OpenBoard] = {}
        self._earned = [board for board in rules.boards if board.metric == "earned"]
        self._streaks = [board for board in rules.boards if board.metric == "check_in_streak"]
        self._at_quarter: dict[int, list[OpenBoard]] = {}
        """The open boards that points of any kind count on, by the quarter of an hour in which they were earned."""
        self._stale: list[bytes] = []
        """Customers whose scores of closed periods are still to be dropped."""
        self.passed = 0
        """Periods that closed by then (ms) are closed."""
        self.late = 0
        """What came too late for a period, since somebody set it to 0."""

    def restored(self, passed: int) -> None:
        """The table is complete: find out who leads."""
        self.passed = passed
        names: dict[str, OpenBoard | None] = {}
        for key, value in self._table.committed_items():
            row = RowCodec.decode(value)
            if not isinstance(row, Row):
                continue
            stale = False
            for name, score in row.scores.items():
                if name not in names:
                    names[name] = self._named(name)
                known = names[name]
                if known is None:
                    stale = True
                elif not row.opted_out:
                    known.put(key, score)
            if stale:
                self._stale.append(key)

    def learn(self, rules: Rules) -> None:
        """A campaign is told of: a period that is its window may end at another time."""
        self._rules = rules
        for known in [each for each in self._open.values() if each.board.period == "campaign"]:
            known.span = boards.span_at(known.board, 0, rules.zone, rules.book)
            known.closes_at = boards.closes_at(known.board, known.span)
            known.ranking.changed = True

    @property
    def open(self) -> Sequence[OpenBoard]:
        """The periods in which somebody has a score and which are not closed."""
        return list(self._open.values())

    def next_close(self) -> int:
        """When (ms) the next of them closes."""
        return min((known.closes_at for known in self._open.values()), default=NEVER)

    # -- what happened ----------------------------------------------------------------------------------

    def score(self, customer: bytes, event: Scored) -> None:
        """Count what was granted, or a check-in."""
        row: Row = self._table.get(customer) or Row()
        at, points = event.at, event.points
        counted = False
        if points:
            for known in self._open_on(at):
                counted = True
                score = row.scores.get(known.name)
                if score is None:
                    score = row.scores[known.name] = Score()
                board_scores.earn(score, points, at)
                # Most are far behind: a score that rose and is still below the lowest has no place, and had none.
                if (score.points >= known.ranking.lowest or known.is_refilling) and not row.opted_out:
                    known.put(customer, score)
            if event.campaign_id:
                counted = self._score_campaign(customer, row, event) or counted
        if event.day >= 0 and self._streaks:
            counted = self._check_in(customer, row, event) or counted
        if counted:
            self._table.touch(customer, row)

    def take_back(self, customer: bytes, parts: Sequence[Part]) -> None:
        """Lower the scores of the periods in which the points were earned."""
        row: Row | None = self._table.get(customer)
        if row is None:
            return
        for part in parts:
            self._take_back(customer, row, part)
        self._table.touch(customer, row)

    def choose(self, customer: bytes, choice: Chosen) -> None:
        """Show the customer as they wish, or not at all. Scores are counted all the same: they may come back."""
        row: Row = self._table.get(customer) or Row()
        if choice.alias is not None and choice.alias != row.alias:
            row.alias = choice.alias
            for known in self._open.values():
                known.ranking.changed = known.ranking.changed or known.ranking.shows(customer)
        if choice.opted_out is not None and choice.opted_out != row.opted_out:
            row.opted_out = choice.opted_out
            for known in self._open.values():
                score = row.scores.get(known.name)
                if row.opted_out:
                    known.remove(customer)
                elif score is not None:
                    known.put(customer, score)
        self._keep(customer, row)

    def leave(self, customer: bytes) -> None:
        """The customer was erased: they are on no open board any more."""
        if self._table.get(customer) is not None:
            self._table.delete(customer)
        for known in self._open.values():
            known.remove(customer)

    def close(self, passed: int) -> list[OpenBoard]:
        """Close the periods that are over by `passed` (ms), in the order in which they close."""
        self.passed = max(self.passed, passed)
        closed = [known for known in self._open.values() if known.closes_at <= self.passed]
        closed.sort(key=lambda known: (known.closes_at, known.name))
        for known in closed:
            known.settle(self._table)
            del self._open[known.name]
        if closed:
            self._at_quarter.clear()
            self._stale = list(self._table.keys())
        return closed

    def proceed(self) -> bool:
        """Do a slice of what is too much for one go; whether there is more."""
        for key in self._stale[-SLICE_ROWS:]:
            row = self._table.get(key)
            if isinstance(row, Row) and (gone := [name for name in row.scores if name not in self._open]):
                for name in gone:
                    del row.scores[name]
                self._keep(key, row)
        del self._stale[-SLICE_ROWS:]
        refilled = [known.refill(self._table) for known in self._open.values()]
        return bool(self._stale) or any(refilled)

    # -- which boards -----------------------------------------------------------------------------------

    def _open_on(self, at: int) -> list[OpenBoard]:
        """The boards that what was earned at `at` (ms) counts on."""
        quarter = at // calendar.QUARTER_MS
        found = self._at_quarter.get(quarter)
        if found is None:
            found = self._at(self._earned, at)
            first = quarter * calendar.QUARTER_MS
            if self._spans_at(first) == self._spans_at(first + calendar.QUARTER_MS - 1):
                if len(self._at_quarter) >= REMEMBERED_QUARTERS:
                    self._at_quarter.clear()
                self._at_quarter[quarter] = found
        if len(found) < len(self._earned):
            self.late += 1
        return found

    def _spans_at(self, at: int) -> list[Span]:
        rules = self._rules
        return [boards.span_at(board, at, rules.zone, rules.book) for board in self._earned]

    def _at(self, candidates: Sequence[Board], at: int) -> list[OpenBoard]:
        found = []
        for board in candidates:
            span = boards.span_at(board, at, self._rules.zone, self._rules.book)
            if boards.closes_at(board, span) > self.passed:
                found.append(self._opened(board, span))
        return found

    def _opened(self, board: Board, span: Span) -> OpenBoard:
        name = name_of(board, span)
        known = self._open.get(name)
        if known is None:
            known = self._open[name] = OpenBoard(board, span)
        return known

    def _named(self, name: str) -> OpenBoard | None:
        """The open board of a score; None where it is closed, or the programme has it no longer."""
        board_id, _, span_name = name.partition("\n")
        for board in self._rules.boards:
            if board.id == board_id:
                span = boards.span_named(board, span_name, self._rules.zone, self._rules.book)
                if span is not None and boards.closes_at(board, span) > self.passed:
                    return self._opened(board, span)
        return None

    # -- one customer -----------------------------------------------------------------------------------

    def _score_campaign(self, customer: bytes, row: Row, event: Scored) -> bool:
        found = self._at(self._of_campaign(event.campaign_id), event.at)
        for known in found:
            score = row.scores.setdefault(known.name, Score())
            board_scores.earn(score, event.points, event.at)
            self._place(customer, row, known, score)
        return bool(found)

    def _check_in(self, customer: bytes, row: Row, event: Scored) -> bool:
        found = self._at(self._streaks, calendar.first_instant(event.day, self._rules.zone))
        oldest = event.day - self._rules.retention_ms // calendar.DAY_MS - 1
        for known in found:
            score = row.scores.setdefault(known.name, Score())
            board_scores.check_in(score, event.day, event.at)
            if known.board.period == "all_time":
                board_scores.forget_runs(score, oldest)
            self._place(customer, row, known, score)
        return bool(found)

    def _take_back(self, customer: bytes, row: Row, part: Part) -> None:
        candidates = self._earned
        if part.campaign_id:
            candidates = [*candidates, *self._of_campaign(part.campaign_id)]
        for board in candidates:
            span = boards.span_at(board, part.earned_at, self._rules.zone, self._rules.book)
            known = self._open.get(name_of(board, span))
            score = None if known is None else row.scores.get(known.name)
            if known is not None and score is not None:
                board_scores.take_back(score, part.points)
                self._place(customer, row, known, score)

    def _of_campaign(self, campaign_id: str) -> list[Board]:
        return [each for each in self._rules.boards if each.campaign_id == campaign_id]

    def _place(self, customer: bytes, row: Row, known: OpenBoard, score: Score) -> None:
        if not row.opted_out:
            known.put(customer, score)

    def _keep(self, customer: bytes, row: Row) -> None:
        if row.is_empty:
            self._table.delete(customer)
        else:
            self._table.touch(customer, row)


def name_of(board: Board, span: Span) -> str:
    """What the scores of a period are kept under; ids hold no line feed."""
    return f"{board.id}\n{span.name}"

"""Tells when one partition of the ledger has passed the end of a draw or the close of a board's period, once each."""

from loyalty_stream.app.outbox import Outbox
from loyalty_stream.domain import boards, draws
from loyalty_stream.domain.campaign_book import CampaignBook
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.timers import NEVER


class EndsAhead:
    """The ends that lie ahead of one partition's time."""

    def __init__(self, outbox: Outbox, rules: Rules) -> None:
        """`rules` are those of the programme file: its boards and its time zone do not change."""
        self.next = NEVER
        """Nothing is to be told before the time (ms) reaches it."""
        self._outbox = outbox
        self._boards = rules.boards
        self._zone = rules.zone
        self._book = rules.book
        self._draws: list[tuple[int, str]] = []
        self._close = NEVER

    def watch(self, book: CampaignBook, time: int) -> None:
        """Take the ends of these campaigns. Who waits for them is told again: it may be later than before."""
        self._draws = draws.ends(book)
        self._book = book
        if self._boards:
            self._close = time
        self.tell(time)

    def tell(self, time: int) -> None:
        """What was before the end has been told of; what comes now is after it."""
        ahead = self._draws
        while ahead and ahead[0][0] <= time:
            self._outbox.tell_time(ahead.pop(0)[1], time)
        if self._close <= time:
            self._outbox.tell_boards_time(time)
            self._close = boards.next_close_of(self._boards, time, self._zone, self._book)
        self.next = min(self._close, ahead[0][0] if ahead else NEVER)

"""Tells the owners of draws when one partition of the ledger has passed their end, once for each."""

from loyalty_stream.app.outbox import Outbox
from loyalty_stream.domain import draws
from loyalty_stream.domain.campaign_book import CampaignBook
from loyalty_stream.engine.timers import NEVER


class DrawEnds:
    """The ends that lie ahead of one partition's time."""

    def __init__(self, outbox: Outbox) -> None:
        self.next = NEVER
        """Nothing is to be told before the time (ms) reaches it."""
        self._outbox = outbox
        self._ahead: list[tuple[int, str]] = []

    def watch(self, book: CampaignBook, time: int) -> None:
        """Take the ends of these campaigns. Owners are told again of what has passed: it may be later than before."""
        self._ahead = draws.ends(book)
        self.tell(time)

    def tell(self, time: int) -> None:
        """Whoever entered before the end has been told of; whoever comes now enters no more."""
        ahead = self._ahead
        while ahead and ahead[0][0] <= time:
            self._outbox.tell_time(ahead.pop(0)[1], time)
        self.next = ahead[0][0] if ahead else NEVER

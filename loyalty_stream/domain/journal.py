"""The pen of the ledger: records the events that one cause makes on one account, evolving as it goes.

Deciders read `journal.account` and call `journal.record`; they change nothing else.
"""

from datetime import datetime

from msgspec.structs import force_setattr

from loyalty_stream.domain import identity
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import EVENT_TYPE, SOURCE, Balance, Cause, PointEvent, PointEventData
from loyalty_stream.domain.evolve import evolve


class Journal:
    """The events of one cause, in order. `at` is the cause's own time, `now` the latest seen, both in ms.

    `earlier` is how many events the cause had made before, where it is taken up again.
    """

    __slots__ = ("_earlier", "_stem", "account", "at", "cause", "events", "key", "now", "subject", "time")

    def __init__(
        self,
        account: Account,
        subject: str,
        cause: Cause,
        time: datetime,
        at: int,
        now: int,
        digest: bytes,
        earlier: int = 0,
    ) -> None:
        self.account = account
        self.subject = subject
        self.cause = cause
        self.time = time
        self.at = at
        self.now = now
        self.key = b"" if cause.source == SOURCE else digest[: identity.KEY_BYTES]
        self.events: list[PointEvent] = []
        self._earlier = earlier
        self._stem = identity.text_of(digest)

    def next_id(self) -> str:
        """The id that the next recorded event will have; a grant is named by the event that granted it."""
        return f"{self._stem}.{self._earlier + len(self.events)}"

    def record(self, data: PointEventData) -> None:
        """Evolve the account by `data`, stamp it with its cause and the balance after it, and keep it."""
        account = self.account
        event_id = self.next_id()
        evolve(account, data, self.key, self.at, first=not self.events and not self._earlier)
        force_setattr(data, "cause", self.cause)
        force_setattr(
            data, "balance", Balance(account.available, account.pending, account.held, account.debt)
        )
        self.events.append(
            PointEvent(
                id=event_id, type=EVENT_TYPE[type(data)], subject=self.subject, time=self.time, data=data
            )
        )

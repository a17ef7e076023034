"""The pen of the ledger: records the events that one cause makes on one account, evolving as it goes.

Deciders read `journal.account` and call `journal.record`; they change nothing else.
"""

from datetime import datetime

from msgspec.structs import force_setattr
from mypy_extensions import mypyc_attr

from loyalty_stream.domain import calendar, identity
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import (
    EVENT_TYPE,
    SOURCE,
    AccountNoted,
    Balance,
    Cause,
    PointEvent,
    PointEventData,
)
from loyalty_stream.domain.evolve import evolve
from loyalty_stream.domain.notes import Note


@mypyc_attr(acyclic=True, free_list_len=1)
class Journal:
    """The events of one cause, in order. `at` is the cause's own time, `now` the latest seen, both in ms."""

    __slots__ = (
        "account", "at", "cause", "earlier", "events", "key", "kind", "note", "now", "stem", "subject", "time"
    )  # fmt: skip

    def __init__(
        self, account: Account, subject: str, cause: Cause, time: datetime, at: int, now: int,
        key: bytes, stem: str, earlier: int,
    ) -> None:  # fmt: skip
        self.account = account
        self.subject = subject
        self.cause = cause
        self.time = time
        self.at = at
        self.now = now
        self.key = key
        """What the account remembers of the cause; empty for a cause of our own."""
        self.stem = stem
        """What the ids of the events begin with."""
        self.earlier = earlier
        """How many events the cause had made before, where it is taken up again."""
        self.events: list[PointEvent] = []
        self.note: Note | None = None
        self.kind = ""

    def next_id(self) -> str:
        """The id that the next recorded event will have; a grant is named by the event that granted it."""
        return f"{self.stem}.{self.earlier + len(self.events)}"

    def remember(self, kind: str, note: Note) -> None:
        """What the account must remember of the cause: it rides on the next event that is recorded.

        `close` records an `account-noted` of this kind for it where no other event took it along.
        """
        if self.note is not None:
            self.close()
        self.note = note
        self.kind = kind

    def record(self, data: PointEventData) -> None:
        """Evolve the account by `data`, stamp it with its cause and the balance after it, and keep it."""
        account = self.account
        events = self.events
        number = self.earlier + len(events)
        if self.note is not None:
            force_setattr(data, "note", self.note)
            self.note = None
        evolve(account, data, self.key, self.stem, self.at, first=number == 0)
        force_setattr(data, "cause", self.cause)
        force_setattr(
            data, "balance", Balance(account.available, account.pending, account.held, account.debt)
        )
        kind = EVENT_TYPE[type(data)]
        events.append(PointEvent(f"{self.stem}.{number}", kind, self.subject, self.time, data))

    def let_in(self, events: list[PointEvent]) -> None:
        """Events of another cause that come between those of this one; their numbers are not counted here."""
        self.events += events
        self.earlier -= len(events)

    def close(self) -> list[PointEvent]:
        """The events of the cause, with one for what is to be remembered and has not been recorded yet."""
        if self.note is not None:
            self.record(AccountNoted(kind=self.kind))
        return self.events


def open_journal(
    account: Account,
    subject: str,
    cause: Cause,
    time: datetime,
    at: int,
    now: int,
    digest: bytes,
    earlier: int = 0,
) -> Journal:
    """Open the journal of a cause; `digest` is the cause's (see `identity`)."""
    key = b"" if cause.source == SOURCE else identity.key_of(digest)
    return Journal(account, subject, cause, time, at, now, key, identity.text_of(digest), earlier)


def open_due(account: Account, subject: str, cause_id: str, due: int) -> Journal:
    """Open the journal of what falls due at `due` (ms): a cause of our own, named by what fell due."""
    digest = identity.digest(subject, SOURCE, cause_id)
    cause = Cause(SOURCE, cause_id)
    return open_journal(account, subject, cause, calendar.to_datetime(due), due, due, digest)

"""The ledger's table: an account and when it falls due, as the changelog stores them. It holds no rule."""

from struct import Struct
from typing import Final

from loyalty_stream.domain.account import Account
from loyalty_stream.engine.timers import NEVER
from loyalty_stream.wire import account_codec

_DUE: Final = Struct(">q")


class Entry:
    """An account in the table. `scheduled`: a timer rings at this instant (ms) or before; None: not known."""

    __slots__ = ("account", "scheduled")

    def __init__(self, account: Account, scheduled: int | None) -> None:
        self.account = account
        self.scheduled = scheduled


class EntryCodec:
    """Eight bytes of when the account falls due, then the account: a restore need not read it to schedule it."""

    def encode(self, entry: Entry) -> bytes:
        return _DUE.pack(NEVER if entry.scheduled is None else entry.scheduled) + account_codec.encode(
            entry.account
        )

    def decode(self, value: bytes) -> Entry:
        # The timer may have been moved since without a new record, so the stored instant says nothing here.
        return Entry(account_codec.decode(value[8:]), None)


def due_of(value: bytes) -> int:
    """When a stored account falls due (ms), or earlier; `NEVER`: not at all. The account is not read."""
    due: int = _DUE.unpack_from(value)[0]
    return due

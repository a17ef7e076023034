"""The ledger's table: an account and when it falls due, as the changelog stores them. It holds no rule."""

from typing import Final

from mypy_extensions import mypyc_attr

from loyalty_stream.domain.account import Account
from loyalty_stream.engine.timers import NEVER
from loyalty_stream.wire import account_codec

_SHORT: Final = 1 << 31
"""Set in the four bytes before an account. Earlier releases wrote eight, ms, whose first bit is never set."""
_NO_DUE: Final = _SHORT - 1
_UNIT_MS: Final = 2_000
"""31 bits of two seconds each reach to 2106; what falls due later rings then, too early, and is set anew."""
_LATEST_MS: Final = (_NO_DUE - 1) * _UNIT_MS
MAX_ACCOUNT_POINTS: Final = 10**18
"""Of all grants of an account together; the integers of its encoding have 64 bits, 9.2 x 10^18."""


@mypyc_attr(acyclic=True)
class Entry:
    """An account in the table. `scheduled`: a timer rings at this instant (ms) or before; None: not known."""

    __slots__ = ("account", "scheduled")

    def __init__(self, account: Account, scheduled: int | None) -> None:
        self.account = account
        self.scheduled = scheduled


def warm(entry: Entry) -> int:
    """Look at what most events look at, so that the processor fetches all of it from memory at the same time.

    An account that was not met lately lies in some sixty places outside of the processor's caches, and met one by
    one in the course of an event each is waited for. The number that it returns means nothing.
    """
    account = entry.account
    causes, keys, orders = account.causes, account.keys, account.orders
    looked_at = len(causes) + len(keys) + len(orders) + len(account.packed_lots) + len(account.terms)
    looked_at += len(account.unpacked) + len(account.holds) + len(account.campaigns) + len(account.filed)
    looked_at += len(account.waiting) + len(account.asked) + len(account.redemptions) + len(account.warned)
    looked_at += len(account.packed_days) + len(account.packed_reviews) + len(account.unpacked_terms)
    looked_at += len(account.prefix) + len(account.first_order) + len(account.tier) + len(account.surveys)
    for packed in causes.values():
        looked_at += len(packed)
    for packed in keys.values():
        looked_at += len(packed)
    for packed in orders.values():
        looked_at += len(packed)
    return looked_at


class EntryCodec:
    """When the account falls due, in four bytes, then the account: a restore need not read it to schedule it."""

    def encode(self, entry: Entry) -> bytes:
        warm(entry)  # mostly it was met long ago, as the transaction is at its end
        due, units = entry.scheduled, _NO_DUE
        if due is not None and due != NEVER:
            units = max(due // _UNIT_MS, 0) if due < _LATEST_MS else _NO_DUE - 1
        return (_SHORT | units).to_bytes(4, "big") + account_codec.encode(entry.account)

    def decode(self, value: bytes) -> Entry:
        # The timer may have been moved since without a new record, so the stored instant says nothing here.
        return Entry(account_codec.decode(value[4:] if _is_short(value) else value[8:]), None)


def due_of(value: bytes) -> int:
    """When a stored account falls due (ms), or up to two seconds earlier; `NEVER`: not at all. It is not read."""
    if not _is_short(value):
        return min(int.from_bytes(value[:8], "big"), NEVER)  # theirs was later
    units = int.from_bytes(value[:4], "big") & _NO_DUE
    return NEVER if units == _NO_DUE else units * _UNIT_MS


def _is_short(value: bytes) -> bool:
    return value[:1] >= b"\x80"

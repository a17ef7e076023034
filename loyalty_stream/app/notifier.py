"""Asks a messaging service to tell customers what concerns them, in the transaction of the event that there is to tell.

It must not know what is worth telling, nor how often: `domain.notifications` does.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from loyalty_stream.domain.events import PointEvent
from loyalty_stream.domain.notes import CampaignStartedNote, ErasedNote
from loyalty_stream.domain.notifications import notify
from loyalty_stream.domain.rules import Rules
from loyalty_stream.domain.told import Told
from loyalty_stream.engine.log import NO_HEADERS, Output
from loyalty_stream.engine.table import Table
from loyalty_stream.wire import notifications

TOLD_EVENTS: Final = frozenset({"point-expiring", "tier-changed", "draw-won", "reward-issued"})
TOLD_NOTES: Final = frozenset({CampaignStartedNote, ErasedNote})
"""`Notifier.tell` is for events of these types, or with one of these notes; it may be spared all others."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Told).decode


class ToldCodec:
    """How what a customer was told is stored."""

    def encode(self, state: Told) -> bytes:
        return _encode(state)

    def decode(self, value: bytes) -> Told:
        return _decode(value)


class Notifier:
    """The pen of one partition for the notifications topic. `told` is a side table, by customer."""

    def __init__(self, told: Table, emit: Callable[[Output], None]) -> None:
        self._told = told
        self._emit = emit

    def tell(self, key: bytes, event: PointEvent, rules: Rules, counts: Counter[str]) -> None:
        """Send what the customer is to be told of the event, counted by kind, and note it; forget who is erased."""
        if event.data.note.__class__ is ErasedNote:
            if self._told.get(key) is not None:
                self._told.delete(key)
            return
        told: Told = self._told.get(key) or Told()
        notification = notify(told, event, rules)
        if notification is None:
            counts["suppressed"] += 1
            return
        counts[notification.data.kind] += 1
        self._emit((key, notifications.encode(notification), NO_HEADERS))
        self._told.touch(key, told)

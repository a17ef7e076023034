"""The notifications stage: point events in, what a messaging service should tell whom out.

It reads only the kinds of event that are worth telling, and of the others nothing but their type and time.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import calendar
from loyalty_stream.domain.campaign_starts import CAMPAIGN_STARTED
from loyalty_stream.domain.events import PointEvent
from loyalty_stream.domain.facts import Moment
from loyalty_stream.domain.notifications import Told, notify
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import NO_HEADERS, Record
from loyalty_stream.engine.stage import Context, Decoded
from loyalty_stream.engine.table import Codec
from loyalty_stream.wire import notifications, point_events

NAME: Final = "notifications"
ERASED: Final = "erased"
_TOLD_OF: Final = frozenset({"point-expiring", "tier-changed", "draw-won", "reward-issued"})
_KINDS: Final = frozenset({CAMPAIGN_STARTED, ERASED})


class _Kind(Struct, gc=False):
    kind: str = ""


class _Head(Struct, gc=False):
    """As much of a point event as tells whether it is worth reading."""

    type: str
    time: Moment
    data: msgspec.Raw


_head: Final = msgspec.json.Decoder(_Head).decode
_kind: Final = msgspec.json.Decoder(_Kind).decode


class ToldCodec:
    """How what a customer was told is stored."""

    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(Told).decode)


class NotificationSink:
    """Takes the counts of committed transactions; this one drops them. The metrics are another."""

    def notified(self, counts: Mapping[str, int]) -> None:
        """Notifications sent, by kind; `suppressed`: kept back by the daily cap, or told before."""


class NotificationStage:
    """What the engine drives, beside the ledger."""

    name = NAME
    codec = ToldCodec()
    broadcasts: Sequence[str] = ()
    side_tables: Mapping[str, Codec] = {}

    def __init__(self, settings: Settings, rules: Rules, counts: NotificationSink) -> None:
        self.rules = rules
        self.events_topic = settings.topic("points-events")
        self.topic = settings.topic("notifications")
        self.changelog = settings.changelog_of(NAME)
        self.count_sink = counts

    @property
    def inputs(self) -> Sequence[str]:
        return (self.events_topic,)

    def processor(self, context: Context) -> "NotificationProcessor":
        return NotificationProcessor(self, context)


class NotificationProcessor:
    """One partition of the stage."""

    def __init__(self, stage: NotificationStage, context: Context) -> None:
        self.time = 0
        self._rules = stage.rules
        self._table = context.table
        self._emit = context.output(stage.topic)
        self._sink = stage.count_sink
        self._counts: Counter[str] = Counter()

    def restored(self) -> None:
        """Nothing falls due here."""

    def decode(self, topic: str, record: Record) -> Decoded:
        """The event, or None where there is nothing to tell of it. What cannot be read is not told of either."""
        del topic
        value = record.value or b""
        try:
            head = _head(value)
            at = calendar.to_ms(head.time)
            if head.type in _TOLD_OF or (head.type == "account-noted" and _kind(head.data).kind in _KINDS):
                return at, point_events.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, point_events.UnreadablePointEventError):
            return 0, None  # verify tells of it; a newer writer's events are none of an older reader's news
        return at, None

    def process(self, topic: str, record: Record, event: PointEvent | None) -> None:
        del topic
        if event is None or record.key is None:
            return
        self.time = max(self.time, calendar.to_ms(event.time))
        if event.type == "account-noted" and event.data.kind == ERASED:  # type: ignore[union-attr]  # as its type says
            if self._table.get(record.key) is not None:
                self._table.delete(record.key)
            return
        told: Told = self._table.get(record.key) or Told()
        notification = notify(told, event, self._rules)
        if notification is None:
            self._counts["suppressed"] += 1
            return
        self._counts[notification.data.kind] += 1
        self._emit((record.key, notifications.encode(notification), NO_HEADERS))
        self._table.touch(record.key, told)

    def advance(self, time: int) -> None:
        """Nothing falls due here."""
        self.time = max(self.time, time)

    def proceed(self) -> bool:
        return False

    def committed(self) -> None:
        self._sink.notified(self._counts)
        self._counts = Counter()

    def heard(self, topic: str, record: Record) -> None:
        """It hears of nothing."""

    def refuse(self, topic: str, record: Record, error: str) -> None:
        """The event stays in points-events; nobody is told of it. The task has logged why."""
        del topic, record, error
        self._counts["suppressed"] += 1

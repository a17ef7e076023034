"""What a customer is told, as an event, and what the account's owner remembers of it (EVENTS.md, notifications).

Values only; `notifications` says what is worth telling, and how often.
"""

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct, field

from loyalty_stream.domain.events import SOURCE

NOTIFICATION: Final = "notification-requested"
"""The CloudEvents type."""


class Told(Struct, array_like=True, gc=False):
    """What one customer was told on the latest local day on which there was anything to tell."""

    day: int = 0
    keys: bytes = b""
    """The key of each notification, end to end."""


class NotificationData(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What to tell, by which channels, with which template of the messaging service; the rest fills the template."""

    kind: Literal["campaign-started", "points-expiring", "tier-changed", "draw-won", "reward-issued"]
    channels: tuple[str, ...]
    template: str
    about: str
    """The id of the point event that there is to tell of."""
    campaign_id: str | None = None
    ends_at: datetime | None = None
    """Of a campaign: later there is no use in telling of it."""
    points: int | None = None
    expires_at: datetime | None = None
    before: str | None = field(name="from", default=None)
    to: str | None = None
    valid_until: datetime | None = None
    entry_id: str | None = None
    prize: str | None = None
    redemption_id: str | None = None
    reward_id: str | None = None
    quantity: int | None = None


class Notification(Struct, frozen=True, gc=False):
    """A notification as a CloudEvent. Its id is derived from the point event, so that it is the same on any run."""

    id: str
    subject: str
    time: datetime
    data: NotificationData
    type: str = NOTIFICATION
    specversion: str = "1.0"
    source: str = SOURCE

"""What a customer is told, and how often in a day: from a point event to a notification, or to silence.

It must not know who delivers it, nor how. The cap is the programme's `notifications_daily`.
"""

from typing import Final

from loyalty_stream.domain import calendar, identity
from loyalty_stream.domain.events import (
    SOURCE,
    AccountNoted,
    DrawWon,
    PointEvent,
    PointExpiring,
    RewardIssued,
    TierChanged,
)
from loyalty_stream.domain.notes import CampaignStartedNote
from loyalty_stream.domain.rules import Rules
from loyalty_stream.domain.told import Notification, NotificationData, Told

PERSONAL_CHANNELS: Final = ("message",)
"""How a customer is told of what concerns them alone; a campaign names its own channels."""


def notify(told: Told, event: PointEvent, rules: Rules) -> Notification | None:
    """What the customer is to be told of `event`, noted in `told`; None: nothing, or enough for that day.

    A late event is told of now: it counts against the latest day seen. A repeated one is told of once.
    """
    data = _worth_telling(event)
    if data is None:
        return None
    digest = identity.digest(event.subject, SOURCE, f"{event.id}:told")
    key = identity.key_of(digest)
    day = calendar.local_day(calendar.to_ms(event.time), rules.zone)
    if day > told.day:
        told.day, told.keys = day, b""
    elif identity.remembers({0: told.keys}, key):
        return None
    most = rules.notifications_daily
    if most and len(told.keys) >= most * identity.KEY_BYTES:
        return None
    told.keys += key
    return Notification(identity.text_of(digest), event.subject, event.time, data)


def _worth_telling(event: PointEvent) -> NotificationData | None:
    data = event.data
    match data:
        case AccountNoted(note=CampaignStartedNote() as note):
            return NotificationData(
                kind="campaign-started",
                channels=note.channels,
                template=note.template,
                about=event.id,
                campaign_id=note.campaign_id,
                ends_at=note.ends_at,
            )
        case PointExpiring():
            return NotificationData(
                kind="points-expiring",
                channels=PERSONAL_CHANNELS,
                template="points-expiring",
                about=event.id,
                points=data.points,
                expires_at=data.expires_at,
            )
        case TierChanged():
            return NotificationData(
                kind="tier-changed",
                channels=PERSONAL_CHANNELS,
                template="tier-changed",
                about=event.id,
                before=data.before,
                to=data.to,
                valid_until=data.valid_until,
            )
        case DrawWon():
            return NotificationData(
                kind="draw-won",
                channels=PERSONAL_CHANNELS,
                template="draw-won",
                about=event.id,
                campaign_id=data.campaign_id,
                entry_id=data.entry_id,
                prize=data.prize,
            )
        case RewardIssued():
            return NotificationData(
                kind="reward-issued",
                channels=PERSONAL_CHANNELS,
                template="reward-issued",
                about=event.id,
                redemption_id=data.redemption_id,
                reward_id=data.reward_id,
                quantity=data.quantity,
                campaign_id=data.campaign_id,
            )
        case _:  # points that move are not told of one by one
            return None

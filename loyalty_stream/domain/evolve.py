"""What each point event does to an account: the account is the fold of its events and of nothing else.

It must not know the rules, nor why an event was recorded. What moves points is in `fold_points`, what an account
remembers besides in `fold_notes`; nothing but these three changes an account.
"""

from typing import assert_never

from loyalty_stream.domain import calendar, fold_notes, fold_points, fold_rewards, identity
from loyalty_stream.domain.account import Account, Hold
from loyalty_stream.domain.events import (
    SOURCE,
    AccountNoted,
    Cause,
    CommandRejected,
    DrawEntered,
    DrawWon,
    PointActivated,
    PointEvent,
    PointEventData,
    PointExpired,
    PointExpiring,
    PointGranted,
    PointHeld,
    PointRedeemed,
    PointReleased,
    PointRestored,
    PointRevoked,
    RewardIssued,
    TierChanged,
)


def fold(account: Account, event: PointEvent) -> None:
    """Fold an event as it stands in the topic, which leads to the account that its decider left.

    Its cause's first event, number 0, tells the account to remember the cause.
    """
    data = event.data
    cause = data.cause
    if not isinstance(cause, Cause):
        raise TypeError(
            f"point event {event.id} of {event.subject} has no cause: it was not recorded by a journal"
        )
    key = b""
    if cause.source != SOURCE:
        key = identity.key_of(identity.digest(event.subject, cause.source, cause.id))
    stem, _, number = event.id.rpartition(".")
    evolve(account, data, key, stem, calendar.to_ms(event.time), first=number == "0")


def evolve(  # noqa: C901, PLR0912 - one case for each type of event
    account: Account, data: PointEventData, key: bytes, stem: str, at: int, *, first: bool
) -> None:
    """Fold one event of a cause at `at` (ms); the `first` one files its key, empty for our own causes.

    `stem` is what the ids of the cause's events begin with.
    """
    if first and key:
        fold_notes.remember_cause(account, key, stem, at)
    if data.note is not None:
        fold_notes.fold_note(account, data.note, stem, at)
    match data:
        case PointGranted():
            fold_points.granted(account, data, at)
        case AccountNoted():
            pass
        case PointRedeemed():
            fold_points.redeemed(account, data, at)
        case PointHeld():
            fold_points.held(account, data)
        case TierChanged():
            account.tier = data.to or ""
            fold_notes.fold_standing(account, data)
        case PointExpired():
            fold_points.expired(account, data)
        case PointExpiring():
            fold_points.expiring(account, data, at)
        case PointReleased():
            fold_points.released(account, data)
        case PointRevoked():
            fold_points.revoked(account, data, at)
        case PointActivated():
            fold_points.activated(account, data)
        case PointRestored():
            fold_points.restored(account, data)
        case RewardIssued():
            fold_rewards.issued(account, data, at)
        case DrawEntered():
            key = identity.business_key("entry", data.campaign_id, data.entry_id)
            fold_notes.remember(account, key, at)
        case DrawWon():
            key = identity.business_key("draw-won", data.campaign_id, data.entry_id)
            fold_notes.remember(account, key, at)
        case CommandRejected():
            if data.command == "hold-points" and not account.erased_at:
                account.holds[data.command_id] = Hold(0, at, "rejected", [])
        case _:
            assert_never(data)

"""What each point event does to an account: the account is the fold of its events and of nothing else.

It must not know the rules, nor why an event was recorded.
"""

from bisect import bisect_right
from typing import assert_never

from loyalty_stream.domain import calendar, identity, lots
from loyalty_stream.domain.account import KEY_BUCKET_MS, NEVER, Account, Hold, Lot, Order, Waiting
from loyalty_stream.domain.events import (
    SOURCE,
    AccountNoted,
    ActivityNote,
    Cause,
    CheckInNote,
    CommandRejected,
    ForgottenNote,
    GameNote,
    HoldNote,
    KeyNote,
    Note,
    OrderNote,
    PointEvent,
    PointEventData,
    PointExpired,
    PointExpiring,
    PointGranted,
    PointHeld,
    PointRedeemed,
    PointReleased,
    PointRevoked,
    RegistrationNote,
    ReviewNote,
    SegmentNote,
    ShareNote,
    SurveyNote,
    WaitingNote,
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
        key = identity.digest(event.subject, cause.source, cause.id)[: identity.KEY_BYTES]
    evolve(account, data, key, calendar.to_ms(event.time), first=event.id.endswith(".0"))


def evolve(  # noqa: C901, PLR0912 - one case for each type of event
    account: Account, data: PointEventData, key: bytes, at: int, *, first: bool
) -> None:
    """Fold one event of a cause at `at` (ms); the `first` one files its key, empty for our own causes."""
    if first and key:
        remember(account, key, at)
    if data.note is not None:
        _fold_note(account, data.note, at)
    match data:
        case PointGranted():
            _fold_granted(account, data, at)
        case AccountNoted():
            pass
        case PointRedeemed():
            _fold_redeemed(account, data)
        case PointHeld():
            _fold_held(account, data)
        case PointExpired():
            lots.move(account.lots, data.grant_id, free=-data.points, held=0)
            account.available -= data.points
            account.expired += data.points
        case PointExpiring():
            _fold_expiring(account, data, at)
        case PointReleased():
            _fold_released(account, data)
        case PointRevoked():
            _fold_revoked(account, data)
        case CommandRejected():
            if data.command == "hold-points":
                account.holds[data.command_id] = Hold(0, at, "rejected", [])
        case _:
            assert_never(data)


def remember(account: Account, key: bytes, at: int) -> None:
    """File an 8-byte key under the four weeks of `at`."""
    keys = account.keys
    bucket = at // KEY_BUCKET_MS
    blob = keys.get(bucket)
    keys[bucket] = key if blob is None else blob + key


# -- points ---------------------------------------------------------------------------------------------


def _fold_granted(account: Account, data: PointGranted, at: int) -> None:
    points = data.points
    expires_at = NEVER if data.expires_at is None else calendar.date_to_ms(data.expires_at)
    lots.insert(account.lots, Lot(data.grant_id, points, at, expires_at))
    account.granted += points
    account.available += points
    if data.day is not None:
        _count(account, data.day, "points", points)


def _fold_held(account: Account, data: PointHeld) -> None:
    for part in data.grants:
        lots.move(account.lots, part.grant_id, free=-part.points, held=part.points)
    taken = [(part.grant_id, part.points) for part in data.grants]
    due_at = calendar.to_ms(data.due_at)
    account.holds[data.hold_id] = Hold(data.points, due_at, "open", taken, data.order_id or "")
    account.available -= data.points
    account.held += data.points


def _fold_released(account: Account, data: PointReleased) -> None:
    hold = account.holds[data.hold_id]
    for part in data.grants:
        lots.move(account.lots, part.grant_id, free=part.points, held=-part.points)
    account.held -= data.points
    account.available += data.points
    match data.reason:
        case "over_order":
            hold.taken = _without(hold.taken, {part.grant_id: part.points for part in data.grants})
        case "released" | "timed_out":
            hold.taken = []
            hold.state = "released"
        case _:
            assert_never(data.reason)


def _fold_redeemed(account: Account, data: PointRedeemed) -> None:
    hold = None if data.hold_id is None else account.holds[data.hold_id]
    account.redeemed += data.points
    if hold is not None and hold.state == "open":
        for part in data.grants:
            lots.move(account.lots, part.grant_id, free=0, held=-part.points)
        account.held -= data.points
    else:
        for part in data.grants:
            lots.move(account.lots, part.grant_id, free=-part.points, held=0)
        account.available -= data.points
    if hold is not None:
        hold.taken = []
        hold.state = "confirmed" if data.order_id is None else "spent"


def _fold_revoked(account: Account, data: PointRevoked) -> None:
    for part in data.grants:
        lots.move(account.lots, part.grant_id, free=-part.points, held=0)
    account.available -= data.points
    account.revoked += data.points
    match data.reason:
        case "debt_repaid":
            account.debt -= data.points
        case "hold_shortfall":
            account.debt += data.owed
        case _:
            assert_never(data.reason)


def _fold_expiring(account: Account, data: PointExpiring, at: int) -> None:
    warned = account.warned
    for passed in [date for date in warned if date <= at]:
        del warned[passed]
    warned.setdefault(calendar.to_ms(data.expires_at), []).append(data.notice)


def _without(taken: list[tuple[str, int]], less: dict[str, int]) -> list[tuple[str, int]]:
    rest = [(grant_id, points - less.get(grant_id, 0)) for grant_id, points in taken]
    return [(grant_id, points) for grant_id, points in rest if points]


# -- notes ----------------------------------------------------------------------------------------------


def _fold_note(account: Account, note: Note, at: int) -> None:  # noqa: C901, PLR0912 - one case for each kind
    match note:
        case OrderNote():
            account.orders[note.order_id] = Order(at, note.net_amount)
            if note.first:
                account.first_order = note.order_id
            if account.waiting:
                account.waiting.pop(note.order_id, None)
        case CheckInNote():
            _join_streaks(account.streaks, note.day)
        case ReviewNote():
            remember(account, identity.business_key("review", note.review_id), at)
            if note.order_id is not None:
                remember(account, identity.business_key("reviewed", note.order_id, note.sku), at)
            if note.earned:
                _count(account, note.day, "review", 1)
        case ShareNote():
            remember(account, identity.business_key("share", note.share_id), at)
            if note.earned:
                _count(account, note.day, "share", 1)
        case GameNote():
            remember(account, identity.business_key("game", note.game_id, note.play_id), at)
            if note.earned:
                _count(account, note.day, f"game:{note.game_id}", 1)
        case SurveyNote():
            account.surveys.append(note.survey_id)
        case ActivityNote():
            remember(account, identity.business_key("activity", note.attendance_id), at)
        case RegistrationNote():
            account.registered_at = at
            account.segments = note.segments
            account.referred_by = note.referred_by or ""
        case SegmentNote():
            account.segments = note.segments
        case WaitingNote():
            account.waiting[note.order_id] = Waiting(
                note.hold_id, calendar.to_ms(note.due_at), note.order_paid
            )
        case HoldNote():
            hold = account.holds[note.hold_id]
            hold.taken = []
            hold.state = "spent"
        case ForgottenNote():
            _forget(account, note)
        case KeyNote():
            pass
        case _:
            assert_never(note)


def _count(account: Account, day: int, counter: str, count: int) -> None:
    counters = account.daily.get(day)
    if counters is None:
        account.daily[day] = {counter: count}
    else:
        counters[counter] = counters.get(counter, 0) + count


def _join_streaks(streaks: list[tuple[int, int]], day: int) -> None:
    """Add a day to the runs that it touches, joining them; a day that is in a run already changes nothing."""
    place = bisect_right(streaks, (day, NEVER))
    first, length = day, 1
    if place and (before := streaks[place - 1])[0] + before[1] >= day:
        if before[0] + before[1] > day:
            return
        place -= 1
        first, length = before[0], before[1] + 1
        del streaks[place]
    if place < len(streaks) and streaks[place][0] == day + 1:
        length += streaks.pop(place)[1]
    streaks.insert(place, (first, length))


def _forget(account: Account, note: ForgottenNote) -> None:
    before = note.before
    account.keys = {
        bucket: keys for bucket, keys in account.keys.items() if bucket >= before // KEY_BUCKET_MS
    }
    account.orders = {
        order_id: order for order_id, order in account.orders.items() if order.paid_at >= before
    }
    account.holds = {
        hold_id: hold
        for hold_id, hold in account.holds.items()
        if hold.due_at >= before or hold.state == "open"
    }
    account.daily = {day: counters for day, counters in account.daily.items() if day >= note.before_day}
    # A run that ends on the day before may still be joined by that day, so it stays.
    account.streaks = [run for run in account.streaks if run[0] + run[1] >= note.before_day]
    account.warned = {date: notices for date, notices in account.warned.items() if date >= before}

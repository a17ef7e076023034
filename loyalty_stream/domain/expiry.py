"""What falls due by time alone: expiry, activation, warnings, time-outs, what waited in vain, tiers that end.

It must not know what time it is: the clock comes in. Each thing that falls due is a cause of its own.
"""

from datetime import tzinfo
from functools import lru_cache
from typing import Final

from loyalty_stream.domain import calendar, holds, lots, resuming, tiers
from loyalty_stream.domain.account import NEVER, Account, Lot
from loyalty_stream.domain.events import (
    AccountNoted,
    CommandRejected,
    PointActivated,
    PointEvent,
    PointEventData,
    PointExpired,
    PointExpiring,
    PointGranted,
    TierChanged,
)
from loyalty_stream.domain.journal import open_due
from loyalty_stream.domain.packed_lots import Dates
from loyalty_stream.domain.rules import Expiry, Rules

_SCHEDULING: Final[tuple[str, ...]] = ("waiting", "tier")
"""The kinds of notes by which an account falls due."""


def next_due(account: Account, rules: Rules) -> int | None:
    """The earliest instant (ms) at which anything falls due, None for never. Held points do not expire."""
    due = lots.first_due(account)
    dates = lots.dates(account) if rules.expiry.warn_before or account.pending else []
    if due != NEVER:
        due = _first_warning(account, rules, due, dates)
    if account.pending:
        due = min([due, *[available_at for _, _, _, pending, available_at in dates if pending]])
    if account.held:
        due = min([due, *[hold.due_at for hold in account.holds.values() if hold.state == "open"]])
    if account.waiting:
        due = min([due, *[order.due_at for order in account.waiting.values()]])
    if account.tier_until:
        due = min(due, account.tier_until)
    return None if due == NEVER else due


def falls_due_after(data: PointEventData, rules: Rules) -> int:
    """An instant (ms) before which nothing falls due because of this event: a bound that is quickly known."""
    kind = type(data)  # asked once for every event: a match would look through the classes one by one
    if kind is PointGranted and isinstance(data, PointGranted):
        due, date = NEVER, data.expires_at
        if date is not None:
            due = calendar.date_to_ms(date) - rules.expiry.longest_notice_ms
        if rules.availability.mode == "delay" and data.available_at is not None:
            due = min(due, calendar.date_to_ms(data.available_at))
        return due
    if kind is CommandRejected or (isinstance(data, AccountNoted) and data.kind not in _SCHEDULING):
        return NEVER
    if isinstance(data, TierChanged):
        return NEVER if data.valid_until is None else calendar.to_ms(data.valid_until)
    return 0


def may_be_due(account: Account, rules: Rules, now: int) -> bool:
    """False where lots, open holds, what waits and the tier show at a glance that nothing is due."""
    if lots.first_expires_at(account) - rules.expiry.longest_notice_ms <= now:
        return True
    if account.pending:
        for _, _, _, pending, available_at in lots.dates(account):
            if pending and available_at <= now:
                return True
    if account.held:
        for hold in account.holds.values():
            if hold.due_at <= now and hold.state == "open":
                return True
    if account.waiting:
        for early in account.waiting.values():
            if early.due_at <= now:
                return True
    return 0 < account.tier_until <= now


def settle(
    account: Account, subject: str, rules: Rules, now: int, *, since: int = 0, seen: int = 0
) -> list[PointEvent]:
    """Do all that has fallen due up to `now`, one instant after the other, none before `since` (ms).

    A hold that times out, or a refund, can free points whose warning had been due before: it goes out then.
    `seen` is the latest time that the account has seen already, where a late fact makes things fall due before it.
    """
    events: list[PointEvent] = []
    instant = since
    while may_be_due(account, rules, now):
        due = next_due(account, rules)
        if due is None or due > now:
            break
        instant = max(instant, due)
        events += settle_at(account, subject, rules, instant, seen=seen)
    return events


def settle_next(account: Account, subject: str, rules: Rules, now: int) -> list[PointEvent]:
    """Do what falls due at the earliest instant, if that is not after `now`, and what that brings about then."""
    due = next_due(account, rules)
    if due is None or due > now:
        return []
    return settle(account, subject, rules, due, since=due)


def settle_at(account: Account, subject: str, rules: Rules, due: int, *, seen: int = 0) -> list[PointEvent]:
    """Do what falls due at `due`: the instant that `next_due` has told, or a later one.

    At one instant points expire first, then pending ones become available (so none that has expired does), then
    warnings go out, then holds time out, then what waited is applied or dropped, each by id; then the tier ends,
    unless one of these orders has saved it.
    """
    events = expire_passed(account, subject, due, due)
    if account.pending:
        events += _activate(account, subject, due)
    for date, notice in _warnings_due(account, rules, due):
        events += _warn(account, subject, date, notice, due)
    timed_out = [
        hold_id for hold_id, hold in account.holds.items() if hold.state == "open" and hold.due_at <= due
    ]
    for hold_id in sorted(timed_out):
        journal = open_due(account, subject, f"{hold_id}:timed-out", due)
        holds.time_out(journal, hold_id)
        events += journal.events
    late = [(each.order_id, stem) for stem, each in account.waiting.items() if each.due_at <= due]
    for _, stem in sorted(late):
        if stem in account.waiting:  # an order that is applied takes along what waited for it
            events += resuming.time_is_up(account, subject, stem, rules, due, seen=max(due, seen))
    if 0 < account.tier_until <= due:
        journal = open_due(account, subject, f"tier:{_text(account.tier_until)}:ended", due)
        tiers.end(journal, rules)
        events += journal.events
    return events + expire_passed(account, subject, max(due, seen), due)


def expire_passed(account: Account, subject: str, now: int, since: int) -> list[PointEvent]:
    """Expire what is not held and past its date at `now`; no earlier than `since` (ms), when it became free.

    Points of one grant can expire more than once, when holds give them back after their date, or refunds with a
    later one; the date, and how many of it are still held, are not both the same again and go into the id.
    """
    events: list[PointEvent] = []
    if lots.first_expires_at(account) > now:
        return events
    passed = [lot for lot in account.lots if (lot.points or lot.pending) and lot.expires_at <= now]
    for lot in sorted(passed, key=_by_date_then_id):
        date = calendar.to_datetime(lot.expires_at)
        cause_id = f"{lot.grant_id}:expired:{_text(lot.expires_at)}"
        if lot.held:
            cause_id += f":{lot.held}"
        journal = open_due(account, subject, cause_id, max(lot.expires_at, since))
        points = lot.points or lot.pending
        journal.record(PointExpired(grant_id=lot.grant_id, points=points, expires_at=date))
        events += journal.events
    return events


def _activate(account: Account, subject: str, due: int) -> list[PointEvent]:
    """Make pending points available whose delay is over (DOMAIN.md, [availability])."""
    events: list[PointEvent] = []
    ready = [lot for lot in account.lots if lot.pending and lot.available_at <= due]
    for lot in sorted(ready, key=_by_availability_then_id):
        journal = open_due(account, subject, f"{lot.grant_id}:activated", due)
        journal.record(PointActivated(grant_id=lot.grant_id, points=lot.pending))
        events += journal.events
    return events


def _first_warning(account: Account, rules: Rules, due: int, dates: list[Dates]) -> int:
    """When the first warning is due if that is before `due`, else `due`.

    Points that are earned, or get their date, when the notice has begun already get no warning of it.
    """
    longest = rules.expiry.longest_notice_ms
    seen = 0
    for date, points, earned_at, _, _ in dates:
        if date - longest >= due:
            break  # neither this date nor a later one is warned of before that
        if points and date != seen:
            seen = date  # of its lots, the first one was earned first
            warned = account.warned.get(date, ())
            since = _since(account, date, earned_at)
            for at, notice in _warnings_of(date, rules.expiry, rules.zone):
                if since < at < due and notice not in warned:
                    due = at
    return due


def _since(account: Account, date: int, earned_at: int) -> int:
    """Since when a lot has had its date: since it was earned, or the customer was last active (inactivity)."""
    moved = account.active_at if date == account.idle_until else 0
    return max(earned_at, moved)


@lru_cache(maxsize=1 << 14)
def _warnings_of(date: int, expiry: Expiry, zone: tzinfo) -> tuple[tuple[int, str], ...]:
    """When each notice of a date is due."""
    return tuple((calendar.subtract(date, notice, zone), notice.text) for notice in expiry.warn_before)


def _warnings_due(account: Account, rules: Rules, due: int) -> list[tuple[int, str]]:
    """The dates whose warnings are due, and the notices, in order."""
    found: set[tuple[int, str]] = set()
    for lot in account.lots:
        date = lot.expires_at
        if date - rules.expiry.longest_notice_ms > due:
            break
        if lot.points:
            warned = account.warned.get(date, ())
            for at, notice in _warnings_of(date, rules.expiry, rules.zone):
                if _since(account, date, lot.earned_at) < at <= due and notice not in warned:
                    found.add((date, notice))
    return sorted(found)


def _warn(account: Account, subject: str, date: int, notice: str, due: int) -> list[PointEvent]:
    expires_at = calendar.to_datetime(date)
    journal = open_due(account, subject, f"{_text(date)}:expiring:{notice}", due)
    points = sum(lot.points for lot in account.lots if lot.expires_at == date)
    journal.record(PointExpiring(points=points, expires_at=expires_at, notice=notice))
    return journal.events


def _text(instant: int) -> str:
    return calendar.to_datetime(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _by_availability_then_id(lot: Lot) -> tuple[int, str]:
    return lot.available_at, lot.grant_id


def _by_date_then_id(lot: Lot) -> tuple[int, str]:
    return lot.expires_at, lot.grant_id

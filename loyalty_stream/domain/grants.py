"""Granting points: every grant is a lot with its own dates, and repays debt before it can be spent.

It must not know what earns points; the earning rules say how many and why.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, assert_never

from msgspec.structs import force_setattr
from mypy_extensions import mypyc_attr

from loyalty_stream.domain import calendar, lots, orders
from loyalty_stream.domain.events import PointGranted, PointRevoked
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import OrderNote
from loyalty_stream.domain.rules import Expiry, Period, Rounding, Rules


def grant(
    journal: Journal,
    rules: Rules,
    *,
    points: int,
    rule: str,
    reason: str,
    rule_version: int | None = None,
    order_id: str | None = None,
    order: str | None = None,
    campaign_id: str | None = None,
    base_amount: int | None = None,
    exact: tuple[int, int] | None = None,
    rounding: Rounding | None = None,
    steps: tuple[tuple[int, int], ...] | None = None,
    scope: tuple[int, ...] | None = None,
    day: int | None = None,
    command_id: str | None = None,
    operator: str | None = None,
) -> None:
    """Grant points, then repay debt with them. A grant of 0 is not recorded.

    What an order causes (`order_id`, or `order`: its stem) becomes available as [availability] says, all else at
    once. The fields are those of `PointGranted`; `rule_version` is the programme's unless it is given.
    """
    if points == 0:
        return
    moved: datetime | None = None
    if rules.expiry.policy == "inactivity":
        moved, date = moved_by_activity(journal, rules), date_of_grant(journal, rules)
    else:
        date = expires_at(journal.at, rules)
    available_at: datetime | None = journal.time
    if rules.availability.mode != "immediate" and (order_id is not None or order is not None):
        available_at = _available_at(journal, rules, order_id, order)
    granted = PointGranted(
        grant_id=journal.next_id(),
        points=points,
        rule=rule,
        rule_version=rules.version if rule_version is None else rule_version,
        reason=reason,
        available_at=available_at,
        expires_at=date,
        order_id=order_id,
        base_amount=base_amount,
        exact=exact,
        rounding=rounding,
    )
    _tell_more(granted, steps, scope, campaign_id, order, day, command_id, operator, moved)
    journal.record(granted)
    repay_debt(journal)


def _tell_more(
    granted: PointGranted,
    steps: tuple[tuple[int, int], ...] | None,
    scope: tuple[int, ...] | None,
    campaign_id: str | None,
    order: str | None,
    day: int | None,
    command_id: str | None,
    operator: str | None,
    moved: datetime | None,
) -> None:
    """What few grants have: an argument that is None costs more where the event is made than such a question."""
    if steps is not None:
        force_setattr(granted, "steps", steps)
    if scope is not None:
        force_setattr(granted, "scope", scope)
    if campaign_id is not None:
        force_setattr(granted, "campaign_id", campaign_id)
    if order is not None:
        force_setattr(granted, "order", order)
    if day is not None:
        force_setattr(granted, "day", day)
    if command_id is not None:
        force_setattr(granted, "command_id", command_id)
    if operator is not None:
        force_setattr(granted, "operator", operator)
    if moved is not None:
        force_setattr(granted, "all_expire_at", moved)


def repay_debt(journal: Journal) -> None:
    """Take what the account owes from its points, free or pending, as far as they reach, before they can be spent."""
    account = journal.account
    if not account.debt:  # mostly
        return
    grants = lots.to_take_back(account, account.debt, journal.now)
    if grants:
        journal.record(
            PointRevoked(points=lots.total(grants), reason="debt_repaid", grants=grants, shortfall=0)
        )


def _available_at(journal: Journal, rules: Rules, order_id: str | None, stem: str | None) -> datetime | None:
    """When what an order earns can be spent (DOMAIN.md, [availability]); None: when it completes."""
    account = journal.account
    paid_at, completed = journal.at, False
    if not isinstance(journal.note, OrderNote):  # else this grant is the first that the order causes
        order = orders.find(account, order_id) if order_id is not None else None
        if stem is not None:
            order = orders.by_stem(account, stem)
        if order is None:  # forgotten meanwhile
            return journal.time
        paid_at, completed = order.paid_at, order.completed
    match rules.availability.mode:
        case "immediate":
            return journal.time
        case "on_completion":
            return journal.time if completed else None
        case "delay":
            return calendar.to_datetime(calendar.add(paid_at, rules.availability.delay, rules.zone))
        case _:
            assert_never(rules.availability.mode)


def date_of_grant(journal: Journal, rules: Rules) -> datetime | None:
    """When points granted now expire: under `inactivity` never before those that the customer has."""
    date = expires_at(journal.at, rules)
    if date is None or rules.expiry.policy != "inactivity":
        return date
    return calendar.to_datetime(max(calendar.date_to_ms(date), journal.account.idle_until))


def moved_by_activity(journal: Journal, rules: Rules) -> datetime | None:
    """The date that all points get under `inactivity` because the customer earns or spends now; None: no other.

    Every `point-granted` and `point-redeemed` says it. A late fact moves no date back.
    """
    if rules.expiry.policy != "inactivity":
        return None
    date = expires_at(journal.at, rules)
    if date is None or calendar.date_to_ms(date) <= journal.account.idle_until:
        return None
    return date


def expires_at(at: int, rules: Rules) -> datetime | None:
    """When points earned at `at` (ms) expire, None for never (DOMAIN.md, Lots).

    Under `inactivity` that is so unless the customer earns or spends again.
    """
    expiry = rules.expiry
    if expiry.policy == "never":
        return None
    zone = rules.zone
    told = _TOLD[0]
    if told.expiry is expiry and told.zone is zone and told.after < at < told.before:
        return told.date
    if expiry.round_to != "none" or expiry.policy == "calendar_year":
        day = calendar.local_day(at, zone)
        after, before = calendar.first_instant(day, zone), calendar.first_instant(day + 1, zone)
        date = _expires_of_day(day, expiry, zone)
        if date is not None and after < at < before:
            _TOLD[0] = _Told(expiry, zone, after, before, date)
            return date
    return _expires_at(at, expiry, zone)


@mypyc_attr(acyclic=True)
class _Told:
    """The date that all points have which are granted between two instants (ms), themselves not included."""

    __slots__ = ("after", "before", "date", "expiry", "zone")

    def __init__(self, expiry: Expiry, zone: tzinfo, after: int, before: int, date: datetime | None) -> None:
        self.expiry = expiry
        self.zone = zone
        self.after = after
        self.before = before
        self.date = date


_NO_EXPIRY: Final = Expiry("never", Period("P1D", days=1), "none")
_TOLD: Final[list[_Told]] = [_Told(_NO_EXPIRY, UTC, 0, 0, None)]
"""What was told last: most events come in the order of their time."""


@lru_cache(maxsize=1 << 12)
def _expires_of_day(day: int, expiry: Expiry, zone: tzinfo) -> datetime | None:
    """The date that all of the local day but its first instant share, or None where they don't.

    Period, rounding and the ends of years keep the order of instants, so its ends say it for all between.
    """
    early = _expires_at(calendar.first_instant(day, zone) + 1, expiry, zone)
    late = _expires_at(calendar.first_instant(day + 1, zone) - 1, expiry, zone)
    return early if early == late else None


def _expires_at(at: int, expiry: Expiry, zone: tzinfo) -> datetime:
    if expiry.policy == "calendar_year":
        return calendar.to_datetime(calendar.first_of_year(at, 2, zone))
    ended = calendar.add(at, expiry.period, zone)
    return calendar.to_datetime(calendar.round_up(ended, expiry.round_to, zone))

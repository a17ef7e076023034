"""Granting points: every grant is a lot with its own dates, and repays debt before it can be spent.

It must not know what earns points; the earning rules say how many and why.
"""

from datetime import datetime, tzinfo
from functools import lru_cache

from loyalty_stream.domain import calendar, lots
from loyalty_stream.domain.events import Note, PointGranted, PointRevoked
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.rules import Expiry, Rounding, Rules


def grant(
    journal: Journal,
    rules: Rules,
    *,
    points: int,
    rule: str,
    reason: str,
    note: Note | None = None,
    order_id: str | None = None,
    base_amount: int | None = None,
    exact: tuple[int, int] | None = None,
    rounding: Rounding | None = None,
    day: int | None = None,
) -> None:
    """Grant points, available at once, then repay debt with them. A grant of 0 is not recorded: note it."""
    if points == 0:
        assert note is None, f"{rule} would lose its note in a grant of 0 points: record the note by itself"
        return
    grant_id = journal.next_id()
    journal.record(
        PointGranted(
            grant_id=grant_id,
            points=points,
            rule=rule,
            rule_version=rules.version,
            reason=reason,
            available_at=journal.time,
            expires_at=expires_at(journal.at, rules),
            note=note,
            order_id=order_id,
            base_amount=base_amount,
            exact=exact,
            rounding=rounding,
            day=day,
        )
    )
    if journal.account.debt:
        repay_debt(journal)


def repay_debt(journal: Journal) -> None:
    """Take what the account owes from its free points, as far as they reach, before they can be spent."""
    account = journal.account
    grants = lots.in_spending_order(account.lots, account.debt, journal.now)
    if grants:
        journal.record(
            PointRevoked(points=lots.total(grants), reason="debt_repaid", grants=grants, shortfall=0)
        )


def expires_at(at: int, rules: Rules) -> datetime | None:
    """When points earned at `at` (ms) expire, None for never (DOMAIN.md, Lots).

    The policies `inactivity` and `calendar_year` are refused when the programme is compiled.
    """
    expiry = rules.expiry
    if expiry.policy == "never":
        return None
    zone = rules.zone
    if expiry.round_to != "none":
        date = _expires_of_quarter(at // calendar.QUARTER_MS, expiry, zone)
        if date is not None:
            return date
    return _expires_at(at, expiry, zone)


@lru_cache(maxsize=1 << 16)
def _expires_of_quarter(quarter: int, expiry: Expiry, zone: tzinfo) -> datetime | None:
    """The date that all of a quarter of an hour share, or None, as where a local day begins."""
    first = quarter * calendar.QUARTER_MS
    last = first + calendar.QUARTER_MS - 1
    day = calendar.local_day(first, zone)
    if day != calendar.local_day(last, zone) or first <= calendar.first_instant(day, zone) <= last:
        return None
    return _expires_of_day(day, expiry, zone)


@lru_cache(maxsize=1 << 12)
def _expires_of_day(day: int, expiry: Expiry, zone: tzinfo) -> datetime | None:
    """The date that all of the local day but its first instant share, or None where they don't.

    Both the period and the rounding keep the order of instants, so its ends say it for all between.
    """
    early = _expires_at(calendar.first_instant(day, zone) + 1, expiry, zone)
    late = _expires_at(calendar.first_instant(day + 1, zone) - 1, expiry, zone)
    return early if early == late else None


def _expires_at(at: int, expiry: Expiry, zone: tzinfo) -> datetime:
    ended = calendar.add(at, expiry.period, zone)
    return calendar.to_datetime(calendar.round_up(ended, expiry.round_to, zone))

"""Points that were spent and come back, with an order's refund or a reward's cancellation, to their lots.

It must not know what a refund takes back of the order's grants (DOMAIN.md, Refunds).
"""

from datetime import datetime

from loyalty_stream.domain import calendar, grants
from loyalty_stream.domain.account import NEVER, Account, Order, Spent
from loyalty_stream.domain.events import PointEvent, PointExpired, PointRestored, Restored
from loyalty_stream.domain.journal import Journal, open_due
from loyalty_stream.domain.rules import Rules


def to_restore(order: Order, refunded: int, *, all_of_it: bool) -> int:
    """How many spent points come back now that `refunded` of the order's net is, in minor units.

    In total floor(spent * refunded / net), and all of them with `all_of_it`, a full refund or a cancellation.
    """
    spent = sum(each.points for each in order.spent)
    net = order.net_amount
    if all_of_it:
        total = spent
    elif net == 0:
        return 0
    else:
        total = spent * refunded // net
    return total - sum(each.restored for each in order.spent)


def restore(
    journal: Journal,
    rules: Rules,
    spent: list[Spent],
    points: int,
    *,
    order_id: str | None = None,
    redemption_id: str | None = None,
    entry_id: str | None = None,
) -> None:
    """Give `points` of what was spent on an order, a reward or an entry back; those past their date expire, or live on.

    What expires last comes back first, so that what remains spent is what a smaller spending would have taken.
    What came back repays debt before it can be spent.
    """
    if points == 0:
        return
    parts = _parts(journal, rules, spent, points)
    journal.record(
        PointRestored(
            points=points, grants=parts, order_id=order_id, redemption_id=redemption_id, entry_id=entry_id
        )
    )
    for part in parts:
        if part.expires_at is not None and calendar.to_ms(part.expires_at) <= journal.now:
            journal.let_in(_forfeit(journal, part, part.expires_at))
    grants.repay_debt(journal)


def _parts(journal: Journal, rules: Rules, spent: list[Spent], points: int) -> tuple[Restored, ...]:
    amounts: dict[str, int] = {}
    dates: dict[str, tuple[int, int]] = {}
    for each in sorted(spent, key=_spending_order, reverse=True):
        part = min(points, each.points - each.restored)
        if part:
            points -= part
            amounts[each.grant_id] = amounts.get(each.grant_id, 0) + part
            if each.grant_id not in dates:
                dates[each.grant_id] = (each.earned_at, _date(journal, rules, each))
    return tuple(
        [
            Restored(
                grant_id,
                amount,
                earned_at=calendar.to_datetime(dates[grant_id][0]),
                expires_at=_shown(dates[grant_id][1]),
            )
            for grant_id, amount in amounts.items()
        ]
    )


def _date(journal: Journal, rules: Rules, spent: Spent) -> int:
    """The date that the points had, or that their lot has got since then, as it can have only one."""
    account = journal.account
    date = max(spent.expires_at, _lot_date(account, spent.grant_id))
    if rules.expiry.policy == "inactivity":
        date = max(date, account.idle_until)  # it is the date of all points
    if date <= journal.now and rules.refunds.restore_expired == "extend":
        return calendar.add(journal.now, rules.refunds.extend_by, rules.zone)
    return date


def _lot_date(account: Account, grant_id: str) -> int:
    for lot in account.lots:
        if lot.grant_id == grant_id:
            return lot.expires_at
    return 0


def _forfeit(journal: Journal, part: Restored, date: datetime) -> list[PointEvent]:
    """Expire what has just come back after its date. The refund is in the cause's id: a lot can be met again."""
    cause_id = f"{part.grant_id}:expired:{journal.stem}"
    due = max(journal.at, calendar.to_ms(date))  # a late refund can come from before its points expired
    expiry = open_due(journal.account, journal.subject, cause_id, due)
    expiry.record(PointExpired(grant_id=part.grant_id, points=part.points, expires_at=date))
    return expiry.events


def _shown(date: int) -> datetime | None:
    return None if date == NEVER else calendar.to_datetime(date)


def _spending_order(spent: Spent) -> tuple[int, int, str]:
    return spent.expires_at, spent.earned_at, spent.grant_id

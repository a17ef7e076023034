"""Holds: points reserved at checkout, then redeemed or given back (DOMAIN.md, Spending).

It must not know what an order earns; the order that waits for a hold is `waiting`'s.
"""

from typing import Literal, TypeAlias

from loyalty_stream.domain import calendar, grants, lots
from loyalty_stream.domain.account import Account, Hold
from loyalty_stream.domain.events import (
    CommandRejected,
    PointHeld,
    PointRedeemed,
    PointReleased,
    PointRevoked,
    Taken,
)
from loyalty_stream.domain.facts import ConfirmHold, HoldPoints, HoldPointsData, OrderPaidData, ReleaseHold
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import HoldNote, KeyNote
from loyalty_stream.domain.rules import Redemption, Rules

Code: TypeAlias = Literal[
    "insufficient_points", "below_minimum", "not_a_step", "over_share", "unknown_hold", "hold_closed"
]


def cash_value(points: int, redemption: Redemption) -> int:
    """What points are worth, in minor units, rounded down."""
    return points * redemption.amount // redemption.points


# -- commands -------------------------------------------------------------------------------------------


def decide_hold_points(journal: Journal, fact: HoldPoints, rules: Rules) -> None:
    """Reserve points in spending order, or say why not. A hold that is known already changes nothing."""
    data = fact.data
    account = journal.account
    known = account.holds.get(data.hold_id)
    if known is not None and known.state != "rejected":
        journal.remember("key", KeyNote())
        return
    refused = _refusal(data, account.available, rules.redemption)
    if refused is not None:
        _reject(journal, "hold-points", data.hold_id, *refused)
        return
    journal.record(
        PointHeld(
            hold_id=data.hold_id,
            points=data.points,
            due_at=calendar.to_datetime(journal.at + rules.redemption.hold_timeout_ms),
            grants=lots.in_spending_order(account, data.points, journal.now),
            order_id=data.order_id,
        )
    )


def decide_confirm_hold(journal: Journal, fact: ConfirmHold, rules: Rules) -> None:
    """Redeem the hold's points without an order."""
    hold_id = fact.data.hold_id
    hold = _open_hold(journal, "confirm-hold", hold_id)
    if hold is not None:
        journal.record(
            PointRedeemed(
                points=hold.points,
                grants=_taken(hold),
                amount=cash_value(hold.points, rules.redemption),
                hold_id=hold_id,
                all_expire_at=grants.moved_by_activity(journal, rules),
            )
        )


def decide_release_hold(journal: Journal, fact: ReleaseHold, _rules: Rules) -> None:
    """Give the hold's points back."""
    hold_id = fact.data.hold_id
    hold = _open_hold(journal, "release-hold", hold_id)
    if hold is not None:
        _release(journal, hold_id, hold, "released")


def time_out(journal: Journal, hold_id: str) -> None:
    """Give the points of an open hold back because nobody asked for them in time."""
    _release(journal, hold_id, journal.account.holds[hold_id], "timed_out")


def release_erased(journal: Journal, hold_id: str) -> None:
    """Give the points of an open hold back because the account ends."""
    _release(journal, hold_id, journal.account.holds[hold_id], "erased")


def release_for_order(journal: Journal, order_id: str) -> None:
    """Give back what is held for an order that was cancelled before it was paid."""
    open_ones = [
        (hold_id, hold)
        for hold_id, hold in journal.account.holds.items()
        if hold.state == "open" and hold.order_id == order_id
    ]
    for hold_id, hold in open_ones:
        _release(journal, hold_id, hold, "released")


def _refusal(data: HoldPointsData, available: int, redemption: Redemption) -> tuple[Code, str] | None:
    """The first check that fails, in the order of DOMAIN.md's list, and what it saw."""
    points = data.points
    if points > available:
        return "insufficient_points", f"{points} points asked for, {available} available"
    if points < redemption.minimum_points:
        return (
            "below_minimum",
            f"{points} points asked for, at least {redemption.minimum_points} can be spent",
        )
    if points % redemption.step:
        return "not_a_step", f"{points} points asked for, they are spent in steps of {redemption.step}"
    if data.order_amount is not None:
        worth = cash_value(points, redemption)
        share = redemption.maximum_share
        if worth * share.denominator > data.order_amount * share.numerator:
            most = data.order_amount * share.numerator // share.denominator
            message = f"{points} points are worth {worth}, at most {most} of an order of {data.order_amount}"
            return "over_share", message
    return None


def _open_hold(journal: Journal, command: str, hold_id: str) -> Hold | None:
    """The hold if it is open; else the command is rejected."""
    hold = journal.account.holds.get(hold_id)
    if hold is None or hold.state == "rejected":
        _reject(journal, command, hold_id, "unknown_hold", f"no points were held as {hold_id}")
        return None
    if hold.state != "open":
        message = f"hold {hold_id} of {hold.points} points is {hold.state} already"
        _reject(journal, command, hold_id, "hold_closed", message)
        return None
    return hold


def _reject(journal: Journal, command: str, hold_id: str, code: Code, message: str) -> None:
    journal.record(CommandRejected(command=command, command_id=hold_id, code=code, message=message))


def _release(
    journal: Journal, hold_id: str, hold: Hold, reason: Literal["released", "timed_out", "erased"]
) -> None:
    journal.record(PointReleased(hold_id=hold_id, points=hold.points, reason=reason, grants=_taken(hold)))
    grants.repay_debt(journal)


# -- orders ---------------------------------------------------------------------------------------------


def must_wait(account: Account, data: OrderPaidData) -> bool:
    """Whether the order names a hold that has not been seen, so that it must wait for it."""
    return data.hold_id is not None and data.hold_id not in account.holds


def worth_on_order(account: Account, rules: Rules, hold_id: str, goods_amount: int) -> int:
    """The cash value that the hold takes off an order, in minor units.

    `goods_amount`, the goods less the discount, is the most that points can pay. A hold never seen, rejected or
    spent by another order is worth 0.
    """
    hold = account.holds.get(hold_id)
    if hold is None or hold.state not in {"open", "released", "confirmed"}:
        return 0
    return min(cash_value(hold.points, rules.redemption), goods_amount)


def spend_on_order(journal: Journal, rules: Rules, data: OrderPaidData, amount: int) -> None:
    """Turn the hold that the order names into a redemption worth `amount`; what is over is given back.

    A confirmed hold redeems nothing more. One given back is taken again, and what is missing is a shortfall:
    debt, or let go.
    """
    hold_id = data.hold_id
    hold = None if hold_id is None else journal.account.holds.get(hold_id)
    if hold_id is None or hold is None:
        return
    match hold.state:
        case "open":
            _redeem_held(journal, data.order_id, hold_id, hold, amount, rules)
        case "released":
            _redeem_again(journal, data.order_id, hold_id, hold, amount, rules)
        case "confirmed":
            _note_spent(journal, data.order_id, hold_id, amount)
        case _:
            pass


def _redeem_held(
    journal: Journal, order_id: str, hold_id: str, hold: Hold, amount: int, rules: Rules
) -> None:
    redeemed, over = _split(hold.taken, _points_for(amount, hold, rules.redemption))
    if over:
        journal.record(
            PointReleased(hold_id=hold_id, points=lots.total(over), reason="over_order", grants=over)
        )
    if redeemed:
        points = lots.total(redeemed)
        journal.record(
            PointRedeemed(
                points=points,
                grants=redeemed,
                amount=amount,
                hold_id=hold_id,
                order_id=order_id,
                all_expire_at=grants.moved_by_activity(journal, rules),
            )
        )
    else:
        _note_spent(journal, order_id, hold_id, amount)
    if over:
        grants.repay_debt(journal)


def _redeem_again(
    journal: Journal, order_id: str, hold_id: str, hold: Hold, amount: int, rules: Rules
) -> None:
    """Take the points of a hold that was given back from what is free now; the order was paid with them."""
    asked = _points_for(amount, hold, rules.redemption)
    taken = lots.in_spending_order(journal.account, asked, journal.now)
    points = lots.total(taken)
    if points:
        journal.record(
            PointRedeemed(
                points=points,
                grants=taken,
                amount=amount,
                hold_id=hold_id,
                order_id=order_id,
                all_expire_at=grants.moved_by_activity(journal, rules),
            )
        )
    else:
        _note_spent(journal, order_id, hold_id, amount)
    missing = asked - points
    if missing:
        journal.record(
            PointRevoked(
                points=0,
                reason="hold_shortfall",
                grants=(),
                shortfall=missing,
                order_id=order_id,
                owed=missing if rules.refunds.shortfall == "debt" else 0,
            )
        )
        grants.repay_debt(journal)  # pending points are there to be taken, as for a refund's shortfall


def _note_spent(journal: Journal, order_id: str, hold_id: str, amount: int) -> None:
    journal.remember("hold", HoldNote(hold_id, order_id, amount))


def _points_for(amount: int, hold: Hold, redemption: Redemption) -> int:
    """The points of the hold that pay `amount`: all of them, unless the cap left a smaller amount."""
    if amount == cash_value(hold.points, redemption):
        return hold.points
    return -(-amount * redemption.points // redemption.amount)


def _split(taken: list[tuple[str, int]], points: int) -> tuple[tuple[Taken, ...], tuple[Taken, ...]]:
    """The first `points` in spending order, and the rest."""
    first: list[Taken] = []
    rest: list[Taken] = []
    for grant_id, held in taken:
        part = min(points, held)
        points -= part
        if part:
            first.append(Taken(grant_id, part))
        if held > part:
            rest.append(Taken(grant_id, held - part))
    return tuple(first), tuple(rest)


def _taken(hold: Hold) -> tuple[Taken, ...]:
    return tuple(Taken(grant_id, points) for grant_id, points in hold.taken)

"""An account as it stood at an instant: what all events of up to then moved, and what had fallen due by then.

Events come in the order in which they were recorded; a late one carries an earlier time. What each of them moved is
the difference that folding it makes, and differences add up in any order: so the account at an instant is the sum
over the events whose time is not after it. It must not know the rules: what falls due stands in lots and holds.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from loyalty_stream.domain import calendar
from loyalty_stream.domain.account import NEVER, Account
from loyalty_stream.domain.events import PointEvent, TierChanged
from loyalty_stream.domain.evolve import fold

SUMS = (
    "available", "pending", "held", "debt", "granted", "redeemed", "expired", "revoked", "restored",
)  # fmt: skip


class LotAt(Struct, kw_only=True):
    """What was left of one grant: points free, held, and not available yet. Instants in ms."""

    grant_id: str
    earned_at: int
    expires_at: int
    available_at: int = 0
    points: int = 0
    held: int = 0
    pending: int = 0


class Due(Struct):
    """Points that had fallen due, though no event among those that are known tells it."""

    expired: int = 0
    activated: int = 0
    released: int = 0
    """Of holds that had timed out."""
    debt_repaid: int = 0
    """Of what they gave back."""


class AccountAt(Struct, kw_only=True):
    """A customer at an instant, in points.

    Where a late event spent what was only earned afterwards, `available` is below 0 for the time between.
    """

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    granted: int = 0
    redeemed: int = 0
    expired: int = 0
    revoked: int = 0
    restored: int = 0
    tier: str | None = None
    """The one that was last told."""
    lots: list[LotAt] = field(default_factory=list)
    """In spending order."""
    due: Due = field(default_factory=Due)
    """What of the sums above no event tells."""
    events: int = 0
    """So many were counted."""
    last_event_at: int = 0
    """The latest of their times, in ms; 0: there is none."""


class _HoldAt(Struct):
    due_at: int
    taken: dict[str, int] = field(default_factory=dict)
    """Grant id -> points that it reserves."""


def account_at(events: Iterable[PointEvent], at: int) -> AccountAt:
    """The account at the instant `at` (ms), that instant included, by `events`: all that are known, as recorded.

    Raises LookupError or ValueError where the events are not one account's whole history.
    """
    folded = _Sum(at)
    for event in events:
        folded.add(event)
    return folded.result()


class _Sum:
    """The whole history, folded, and what of it counts at the instant."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._account = Account()
        self._lots: dict[str, LotAt] = {}
        self._holds: dict[str, _HoldAt] = {}
        self._found = AccountAt()
        self._last_lots: dict[str, LotAt] = {}
        self._last_holds: dict[str, _HoldAt] = {}

    def add(self, event: PointEvent) -> None:
        account, found = self._account, self._found
        before = [getattr(account, name) for name in SUMS]
        fold(account, event)
        lots, holds = _lots_of(account), _holds_of(account)
        time = calendar.to_ms(event.time)
        if time <= self._at:
            found.events += 1
            found.last_event_at = max(found.last_event_at, time)
            for name, was in zip(SUMS, before, strict=True):
                setattr(found, name, getattr(found, name) + getattr(account, name) - was)
            self._add_lots(lots)
            self._add_holds(holds)
            if isinstance(event.data, TierChanged):
                found.tier = event.data.to
        self._last_lots, self._last_holds = lots, holds

    def _add_lots(self, lots: dict[str, LotAt]) -> None:
        for grant_id in lots.keys() | self._last_lots.keys():
            was, now = self._last_lots.get(grant_id), lots.get(grant_id)
            if was == now:
                continue
            known = was or now
            assert known is not None  # one of the two has it
            lot = self._lots.get(grant_id)
            if lot is None:
                lot = self._lots[grant_id] = LotAt(
                    grant_id=grant_id,
                    earned_at=known.earned_at,
                    expires_at=known.expires_at,
                    available_at=known.available_at,
                )
            lot.points += (now.points if now else 0) - (was.points if was else 0)
            lot.held += (now.held if now else 0) - (was.held if was else 0)
            lot.pending += (now.pending if now else 0) - (was.pending if was else 0)
            if now is not None and (was is None or was.expires_at != now.expires_at):
                lot.expires_at = now.expires_at
            if now is not None and (was is None or was.available_at != now.available_at):
                lot.available_at = now.available_at

    def _add_holds(self, holds: dict[str, _HoldAt]) -> None:
        for hold_id in holds.keys() | self._last_holds.keys():
            was, now = self._last_holds.get(hold_id), holds.get(hold_id)
            if was == now:
                continue
            known = now or was
            assert known is not None  # one of the two has it
            hold = self._holds.setdefault(hold_id, _HoldAt(known.due_at))
            hold.due_at = known.due_at
            for grant_id in (was.taken if was else {}).keys() | (now.taken if now else {}).keys():
                moved = (now.taken.get(grant_id, 0) if now else 0) - (
                    was.taken.get(grant_id, 0) if was else 0
                )
                hold.taken[grant_id] = hold.taken.get(grant_id, 0) + moved

    def result(self) -> AccountAt:
        found = self._found
        self._time_out_holds()
        for lot in self._lots.values():
            _let_pass(found, lot, self._at)
        left = [lot for lot in self._lots.values() if lot.points or lot.held or lot.pending]
        found.lots = sorted(left, key=_spending_order)
        return found

    def _time_out_holds(self) -> None:
        """Holds give back what they reserve, at their instants, and that repays debt before it can be spent."""
        found = self._found
        timed_out = [
            (hold.due_at, hold_id, hold) for hold_id, hold in self._holds.items() if hold.due_at <= self._at
        ]
        for due_at, _, hold in sorted(timed_out, key=lambda each: each[:2]):
            for grant_id, points in hold.taken.items():
                if points > 0:
                    lot = self._lots[grant_id]
                    lot.held -= points
                    lot.points += points
                    found.held -= points
                    found.available += points
                    found.due.released += points
            self._repay(due_at)

    def _repay(self, now: int) -> None:
        found = self._found
        for lot in sorted(self._lots.values(), key=_spending_order):
            part = min(found.debt, lot.points)
            if part > 0 and lot.expires_at > now:
                lot.points -= part
                found.available -= part
                found.revoked += part
                found.debt -= part
                found.due.debt_repaid += part


def _let_pass(found: AccountAt, lot: LotAt, at: int) -> None:
    """Expire what is past its date at `at` and not held; make available what is pending until then."""
    if lot.expires_at <= at:
        points, pending = max(0, lot.points), max(0, lot.pending)
        lot.points -= points
        lot.pending -= pending
        found.available -= points
        found.pending -= pending
        found.expired += points + pending
        found.due.expired += points + pending
    elif lot.pending > 0 and lot.available_at <= at:
        found.pending -= lot.pending
        found.available += lot.pending
        found.due.activated += lot.pending
        lot.points, lot.pending = lot.points + lot.pending, 0


def _lots_of(account: Account) -> dict[str, LotAt]:
    return {lot.grant_id: lot for lot in _each_lot(account)}


def _each_lot(account: Account) -> Iterator[LotAt]:
    for lot in account.lots:
        yield LotAt(
            grant_id=lot.grant_id,
            earned_at=lot.earned_at,
            expires_at=lot.expires_at,
            available_at=lot.available_at,
            points=lot.points,
            held=lot.held,
            pending=lot.pending,
        )


def _holds_of(account: Account) -> dict[str, _HoldAt]:
    """The open holds that time out."""
    return {
        hold_id: _HoldAt(hold.due_at, dict(hold.taken))
        for hold_id, hold in account.holds.items()
        if hold.state == "open" and hold.due_at != NEVER
    }


def _spending_order(lot: LotAt) -> tuple[int, int, str]:
    return lot.expires_at, lot.earned_at, lot.grant_id

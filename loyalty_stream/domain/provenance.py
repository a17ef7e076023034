"""Where every point of an account came from and where it went: each grant, by its point events, with its fates.

It reads events and nothing else, and no rule: a grant records the rule and version that made it. That the parts of
every grant add up to it, and all grants to the account, is checked against the fold of the same events.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

from loyalty_stream.domain import calendar
from loyalty_stream.domain.account import NEVER, Account, Lot
from loyalty_stream.domain.events import (
    PointEvent,
    PointExpired,
    PointGranted,
    PointRedeemed,
    PointRestored,
    PointRevoked,
    Taken,
)
from loyalty_stream.domain.evolve import fold
from loyalty_stream.domain.notes import OrderNote

FateKind: TypeAlias = Literal["redeemed", "expired", "revoked", "restored"]
_LEAVES: Final[dict[FateKind, int]] = {"redeemed": 1, "expired": 1, "revoked": 1, "restored": -1}
"""Whether points of the grant leave the account or come back."""


class Fate(Struct, kw_only=True, omit_defaults=True):
    """What one event did with `points` of a grant: they left the account, or (`restored`) came back to it."""

    kind: FateKind
    points: int
    at: datetime
    event_id: str
    order_id: str | None = None
    redemption_id: str | None = None
    hold_id: str | None = None
    entry_id: str | None = None
    amount: int | None = None
    """The cash value of these points, in minor units, where they were spent on an order or by `confirm-hold`."""
    reason: str | None = None
    expires_at: datetime | None = None
    """The date that restored points have."""


class TakenBack(Struct, kw_only=True, omit_defaults=True):
    """The grant itself was taken back by so many points, whatever lots they could be taken from."""

    points: int
    at: datetime
    event_id: str
    reason: str
    order_id: str | None = None


class GrantStory(Struct, kw_only=True):
    """One grant: where its points came from, and what became of them."""

    grant_id: str
    at: datetime
    points: int
    rule: str
    rule_version: int
    reason: str
    order_id: str | None = None
    campaign_id: str | None = None
    base_amount: int | None = None
    operator: str | None = None
    command_id: str | None = None
    fates: list[Fate] = field(default_factory=list)
    """In the order in which they were recorded."""
    taken_back: list[TakenBack] = field(default_factory=list)
    """For information: the points were taken from the lots that the fates `revoked` are of, or are owed."""
    available: int = 0
    held: int = 0
    pending: int = 0
    """What is left of it: free to spend, reserved, not available yet."""
    available_at: datetime | None = None
    """When what is pending becomes available; null: when its order completes."""
    expires_at: datetime | None = None
    """The date of what is left; null: it never expires."""

    def gone(self) -> int:
        """Points that left the account and did not come back."""
        return sum([_LEAVES[fate.kind] * fate.points for fate in self.fates])


class Explanation(Struct, kw_only=True):
    """All grants of an account in the order in which they were recorded, and what it comes to."""

    customer: str
    grants: list[GrantStory]
    available: int
    pending: int
    held: int
    debt: int
    granted: int
    redeemed: int
    expired: int
    revoked: int
    restored: int
    owed: int
    """What could not be taken back when it should have been, and became debt."""
    contradictions: list[str]
    """Where parts do not add up; empty for every sound ledger."""


def explain(customer: str, events: Iterable[PointEvent]) -> Explanation:
    """The stories of all grants of an account by its whole history, in the order in which it was recorded.

    Raises LookupError or ValueError where the events are not one account's whole history.
    """
    account, telling = Account(), _Telling()
    for event in events:
        fold(account, event)
        telling.tell(event)
    stories = list(telling.stories.values())
    for lot in account.lots:
        if (story := telling.stories.get(lot.grant_id)) is not None:
            _leave(story, lot)
    return Explanation(
        customer=customer,
        grants=stories,
        available=account.available,
        pending=account.pending,
        held=account.held,
        debt=account.debt,
        granted=account.granted,
        redeemed=account.redeemed,
        expired=account.expired,
        revoked=account.revoked,
        restored=account.restored,
        owed=telling.owed,
        contradictions=telling.contradictions + _contradictions(account, stories),
    )


class _Telling:
    """The stories as far as the events read so far tell them."""

    def __init__(self) -> None:
        self.stories: dict[str, GrantStory] = {}
        self.contradictions: list[str] = []
        self.owed = 0
        self._order_of_stem: dict[str, str] = {}

    def tell(self, event: PointEvent) -> None:
        data = event.data
        if isinstance(data.note, OrderNote):
            self._order_of_stem[event.id.rpartition(".")[0]] = data.note.order_id
        match data:
            case PointGranted():
                self._granted(event, data)
            case PointRedeemed():
                self._redeemed(event, data)
            case PointExpired():
                self._add(
                    event,
                    data.grant_id,
                    Fate(kind="expired", points=data.points, at=event.time, event_id=event.id),
                )
            case PointRestored():
                self._restored(event, data)
            case PointRevoked():
                self._revoked(event, data)
            case _:
                pass  # moves no points into the account, and none out of it

    def _granted(self, event: PointEvent, data: PointGranted) -> None:
        order_id = data.order_id
        if order_id is None and data.order is not None:
            order_id = self._order_of_stem.get(data.order)
        self.stories[data.grant_id] = GrantStory(
            grant_id=data.grant_id,
            at=event.time,
            points=data.points,
            rule=data.rule,
            rule_version=data.rule_version,
            reason=data.reason,
            order_id=order_id,
            campaign_id=data.campaign_id,
            base_amount=data.base_amount,
            operator=data.operator,
            command_id=data.command_id,
        )

    def _redeemed(self, event: PointEvent, data: PointRedeemed) -> None:
        for part, amount in zip(data.grants, _shares(data), strict=True):
            fate = Fate(
                kind="redeemed",
                points=part.points,
                at=event.time,
                event_id=event.id,
                order_id=data.order_id,
                redemption_id=data.redemption_id,
                hold_id=data.hold_id,
                entry_id=data.entry_id,
                amount=amount,
            )
            self._add(event, part.grant_id, fate)
        self._compare(event, data.points, data.grants)

    def _restored(self, event: PointEvent, data: PointRestored) -> None:
        for part in data.grants:
            fate = Fate(
                kind="restored",
                points=part.points,
                at=event.time,
                event_id=event.id,
                order_id=data.order_id,
                redemption_id=data.redemption_id,
                expires_at=part.expires_at,
            )
            self._add(event, part.grant_id, fate)

    def _revoked(self, event: PointEvent, data: PointRevoked) -> None:
        self.owed += data.owed
        for part in data.grants:
            fate = Fate(
                kind="revoked",
                points=part.points,
                at=event.time,
                event_id=event.id,
                order_id=data.order_id,
                reason=data.reason,
            )
            self._add(event, part.grant_id, fate)
        for back in data.revokes:
            if (story := self.stories.get(back.grant_id)) is not None:
                story.taken_back.append(
                    TakenBack(
                        points=back.points,
                        at=event.time,
                        event_id=event.id,
                        reason=data.reason,
                        order_id=data.order_id,
                    )
                )
        self._compare(event, data.points, data.grants)

    def _add(self, event: PointEvent, grant_id: str, fate: Fate) -> None:
        story = self.stories.get(grant_id)
        if story is None:
            self.contradictions.append(
                f"event {event.id} moves points of grant {grant_id}, which was never granted"
            )
        else:
            story.fates.append(fate)

    def _compare(self, event: PointEvent, points: int, parts: tuple[Taken, ...]) -> None:
        if (together := sum([part.points for part in parts])) != points:
            self.contradictions.append(
                f"event {event.id} is of {points} points, its grants of {together} together"
            )


def _shares(data: PointRedeemed) -> list[int | None]:
    """The cash value of each part: in proportion to its points, so cut that they add up to the whole."""
    if data.amount is None:
        return [None] * len(data.grants)
    shares: list[int | None] = []
    points = told = 0
    for part in data.grants:
        points += part.points
        until = data.amount * points // data.points
        shares.append(until - told)
        told = until
    return shares


def _leave(story: GrantStory, lot: Lot) -> None:
    """What the account has left of the grant, by its lot."""
    story.available, story.held, story.pending = lot.points, lot.held, lot.pending
    story.expires_at = None if lot.expires_at == NEVER else calendar.to_datetime(lot.expires_at)
    if lot.pending and lot.available_at != NEVER:
        story.available_at = calendar.to_datetime(lot.available_at)


def _contradictions(account: Account, stories: list[GrantStory]) -> list[str]:
    """Where a grant's parts do not add up to it, or the grants not to the account."""
    found = []
    for story in stories:
        left = story.available + story.held + story.pending
        if story.points != story.gone() + left:
            found.append(
                f"grant {story.grant_id} of {story.points} points: {story.gone()} are gone and {left} are left"
            )
    by_kind: dict[str, int] = dict.fromkeys(_LEAVES, 0)
    for story in stories:
        for fate in story.fates:
            by_kind[fate.kind] += fate.points
    sums = {
        "granted": sum([story.points for story in stories]),
        **by_kind,
        "available": sum([story.available for story in stories]),
        "held": sum([story.held for story in stories]),
        "pending": sum([story.pending for story in stories]),
    }
    for name, points in sums.items():
        if (told := getattr(account, name)) != points:
            found.append(f"{name}: the account has {told} points, its grants {points} together")
    return found

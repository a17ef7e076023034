"""What comes out: the point events. An account is the fold of its events and nothing else (EVENTS.md).

`evolve` folds them; the wire codec wraps them in CloudEvents. Instants are aware datetimes here, because
that is what the contract shows; the account keeps them as milliseconds (see `calendar`).
"""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from loyalty_stream.domain.notes import Note

SOURCE = "loyalty-stream"


class Balance(Struct, frozen=True, gc=False):
    """The account right after the event, in points."""

    available: int
    pending: int
    held: int
    debt: int


class Cause(Struct, frozen=True, gc=False):
    """The event that made this one; for what falls due, source `loyalty-stream` and an id of what fell due."""

    source: str
    id: str


class Taken(Struct, frozen=True, gc=False):
    """Points of one grant that a hold, a redemption or a revocation took."""

    grant_id: str
    points: int


class Restored(Struct, frozen=True, gc=False):
    """Points of one grant that came back after they were spent, with the dates of the lot that they form again."""

    grant_id: str
    points: int
    earned_at: datetime
    expires_at: datetime | None


class Revoked(Struct, frozen=True, gc=False, omit_defaults=True):
    """By how much a grant is taken back, whatever lots it could be taken from; the grant is pinned by it."""

    grant_id: str
    points: int
    earned_at: datetime
    campaign_id: str | None = None


# -- the events -----------------------------------------------------------------------------------------


class _Event(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """`cause` and `balance` are set by the journal that records the event; both are in every event."""

    cause: Cause | UnsetType = UNSET
    balance: Balance | UnsetType = UNSET
    note: Note | None = None
    """What the account remembers of the cause, where it rides on an event that moves points."""


class PointGranted(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Points were granted: a new lot, named by `grant_id`."""

    grant_id: str
    points: int
    rule: str
    rule_version: int
    reason: str
    available_at: datetime | None
    """Null: when the order completes."""
    expires_at: datetime | None
    order_id: str | None = None
    order: str | None = None
    """The stem of the order's events, where the order's id is not at hand (see `account.Order`)."""
    campaign_id: str | None = None
    base_amount: int | None = None
    exact: tuple[int, int] | None = None
    """The exact fraction of points that was rounded: numerator, denominator."""
    rounding: Literal["floor", "half_up", "ceil"] | None = None
    steps: tuple[tuple[int, int], ...] | None = None
    """The award by the base that remains after refunds: minimum amount and points from there on, rising."""
    scope: tuple[int, ...] | None = None
    """Positions of the order's lines that are the base; null: all."""
    command_id: str | None = None
    """The `adjustment_id` or `grant_id` of the command that asked for it."""
    operator: str | None = None
    day: int | None = None
    """Local day whose daily limit of points this grant counts against."""
    all_expire_at: datetime | None = None
    """Under expiry by inactivity: the date that all points have from now on, where it moved."""


class PointHeld(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Points were reserved; `grants` says of which lots."""

    hold_id: str
    points: int
    due_at: datetime | None
    """Null: for a reward, until its stock's owner has answered."""
    grants: tuple[Taken, ...]
    order_id: str | None = None


class PointReleased(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Reserved points went back to their lots."""

    hold_id: str
    points: int
    reason: Literal["released", "timed_out", "over_order", "erased", "out_of_stock", "cancelled"]
    grants: tuple[Taken, ...]


class PointRedeemed(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Points were spent; `grants` says of which lots."""

    points: int
    grants: tuple[Taken, ...]
    amount: int | None = None
    """Cash value in minor units, where it was spent on an order or by `confirm-hold`."""
    hold_id: str | None = None
    redemption_id: str | None = None
    entry_id: str | None = None
    """The entry to a draw that it paid for."""
    order_id: str | None = None
    all_expire_at: datetime | None = None
    """Under expiry by inactivity: the date that all points have from now on, where it moved."""


class PointExpired(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What was left of a grant has expired."""

    grant_id: str
    points: int
    expires_at: datetime


class PointExpiring(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A warning, once per date and notice period."""

    points: int
    expires_at: datetime
    notice: str
    """The notice period as the programme file writes it, such as `P30D`."""


class PointActivated(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Pending points of a grant became available."""

    grant_id: str
    points: int


class PointRestored(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Spent points came back to the lots that they came from."""

    points: int
    grants: tuple[Restored, ...]
    order_id: str | None = None
    redemption_id: str | None = None
    entry_id: str | None = None
    """The entry to a draw that was paid for and takes no part."""


RevokeReason: TypeAlias = Literal[
    "refund", "cancellation", "campaign", "review_removed", "erased", "hold_shortfall", "debt_repaid"
]
"""Why points are taken back, where no command says it in its own words."""


class PointRevoked(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Points were taken back; `shortfall` could not be taken.

    points + shortfall is what `revokes` adds up to, where grants are taken back.
    """

    points: int
    reason: str
    """One of `RevokeReason`; with `command_id`, the words of the adjustment."""
    grants: tuple[Taken, ...]
    """The lots that the points were taken from, pending or free."""
    shortfall: int
    order_id: str | None = None
    campaign_id: str | None = None
    owed: int = 0
    """How much of the shortfall became debt; the rest was let go."""
    revokes: tuple[Revoked, ...] = ()
    """The grants that are taken back, and by how much."""
    command_id: str | None = None
    """The `adjustment_id` of the command that asked for it."""
    operator: str | None = None


class TierChanged(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The customer rose or fell; `from` and `to` are names of tiers, null below the first.

    `valid_until` is when the tier ends if nothing more is earned and nothing refunded; null: never.
    """

    before: str | None = field(name="from")
    to: str | None
    valid_until: datetime | None = None
    tier_points: int | None = None
    """What counts in the window, by the basis: tier points, or"""
    spend_amount: int | None = None
    """net spend in minor units."""


class RewardIssued(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A reward is the customer's: redeemed, or free as a campaign's gift or a draw's prize."""

    redemption_id: str
    reward_id: str
    quantity: int
    reward: Literal["goods", "coupon"] = field(name="kind")
    coupon_codes: tuple[str, ...] = ()
    campaign_id: str | None = None


class DrawEntered(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The customer has an entry in a campaign's draw."""

    entry_id: str
    campaign_id: str
    paid: tuple[Restored, ...] = ()
    """The points that it cost, with the dates that they come back with if it comes too late to take part."""


class DrawWon(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The entry won; `proof` is the HMAC-SHA256 of the entry id under the seed, in hex."""

    entry_id: str
    campaign_id: str
    prize: str
    proof: str


class AccountNoted(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What must be remembered although no points moved; `kind` repeats the kind of `note`."""

    kind: str


class CommandRejected(_Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A command could be read and had to be refused; nothing else changed."""

    command: str
    command_id: str
    code: Literal[
        "insufficient_points",
        "below_minimum",
        "not_a_step",
        "over_share",
        "unknown_hold",
        "hold_closed",
        "unknown_reward",
        "out_of_stock",
        "limit_reached",
        "not_eligible",
        "draw_closed",
        "unknown_campaign",
        "account_erased",
    ]
    message: str


PointEventData: TypeAlias = (
    PointGranted
    | PointHeld
    | PointReleased
    | PointRedeemed
    | PointExpired
    | PointExpiring
    | PointActivated
    | PointRestored
    | PointRevoked
    | TierChanged
    | RewardIssued
    | DrawEntered
    | DrawWon
    | AccountNoted
    | CommandRejected
)

EVENT_TYPE: dict[type[PointEventData], str] = {
    PointGranted: "point-granted",
    PointHeld: "point-held",
    PointReleased: "point-released",
    PointRedeemed: "point-redeemed",
    PointExpired: "point-expired",
    PointExpiring: "point-expiring",
    PointActivated: "point-activated",
    PointRestored: "point-restored",
    PointRevoked: "point-revoked",
    TierChanged: "tier-changed",
    RewardIssued: "reward-issued",
    DrawEntered: "draw-entered",
    DrawWon: "draw-won",
    AccountNoted: "account-noted",
    CommandRejected: "command-rejected",
}


class PointEvent(Struct, frozen=True, gc=False):
    """A point event as a CloudEvent. `id` is derived from the cause, so the same input gives the same id."""

    id: str
    type: str
    subject: str
    time: datetime
    data: PointEventData
    specversion: str = "1.0"
    source: str = SOURCE

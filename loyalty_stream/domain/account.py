"""The state of one customer's account: nothing but the fold of its point events.

Only `evolve` may change an account. Every instant here is an integer of milliseconds since 1970 (UTC), every
day a count of local days since 1970-01-01. `wire.account_codec` stores them without names, so new fields go to
the end, with a default. The account itself is no struct: compiled, its fields are reached without a look-up.
"""

from dataclasses import dataclass, field, fields
from typing import Final

from loyalty_stream.domain.account_parts import (
    KEY_BUCKET_MS,
    NEVER,
    Asked,
    Counted,
    Earned,
    Hold,
    Line,
    Lot,
    Order,
    Participation,
    Redeemed,
    Review,
    Spent,
    Term,
    Waiting,
)

__all__ = [
    "ACCOUNT_FIELDS",
    "KEY_BUCKET_MS",
    "NEVER",
    "Account",
    "Asked",
    "Counted",
    "Earned",
    "Hold",
    "Line",
    "Lot",
    "Order",
    "Participation",
    "Redeemed",
    "Review",
    "Spent",
    "Term",
    "Waiting",
    "imbalance",
]


@dataclass(eq=False)
class Account:
    """One customer. `available`, `pending`, `held` and `debt` are sums over lots and holds, kept as they change."""

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    granted: int = 0
    redeemed: int = 0
    expired: int = 0
    revoked: int = 0
    restored: int = 0
    registered_at: int = 0
    """0: never registered."""
    first_order: str = ""
    """The stem of the order that carries the first-purchase bonus; empty: none."""
    unpacked_lots: list[Lot] | None = None
    """The `lots`, where something has asked for them since the account was stored; None: `packed_lots` has all."""
    holds: dict[str, Hold] = field(default_factory=dict)
    orders: dict[int, bytes] = field(default_factory=dict)
    """Packed, by the bucket of their payment: `domain.orders` alone knows how."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """By the stem of the waiting event, in the order of arrival."""
    keys: dict[int, bytes] = field(default_factory=dict)
    """Bucket of `KEY_BUCKET_MS` -> the business keys remembered in it, end to end (see `identity`)."""
    daily: dict[int, dict[str, int]] = field(default_factory=dict)
    """Local day -> counter name (`review`, `share`, `game:<id>`, `points`) -> count against its daily limit."""
    streaks: list[tuple[int, int]] = field(default_factory=list)
    """Runs of check-in days: first day and length, in order, never touching each other."""
    surveys: list[str] = field(default_factory=list)
    warned: dict[int, list[str]] = field(default_factory=dict)
    """`expires_at` of lots -> the notice periods for which the warning is out."""
    segments: tuple[str, ...] = ()
    referred_by: str = ""
    prefix: str = ""
    """What the stems of all its causes begin with (see `identity`)."""
    causes: dict[int, bytes] = field(default_factory=dict)
    """Bucket of `KEY_BUCKET_MS` -> the causes remembered in it: of each its key and its second, end to end."""
    terms: bytes = b""
    """What the packed orders' grants have in common, by the number that stands for it there (`term_records`)."""
    midnight: int = 0
    """When days begin for expiries (`lot_records`): quarter of an hour of the UTC day, and one; 0: not known."""
    unpacked: dict[bytes, Order] = field(default_factory=dict)
    """Orders as they were added or changed and are not packed yet, by their key."""
    campaigns: dict[str, Participation] = field(default_factory=dict)
    """By campaign id (`campaign_awards`); forgotten with the retention after the campaign's end."""
    # DOMAIN.md, Deletion
    erased_at: int = 0
    """When the account was ended; 0: it has not been. Then it holds nothing but its totals and a few keys."""
    referral_told: bool = False
    """The referrer was rewarded for this customer: once, and never taken back (`referral`)."""
    tier: str = ""
    """The name of the tier that the last `tier-changed` told; ask `tiers.current` for the one at work."""
    tier_until: int = 0
    """No downgrade is due before this instant; 0: none at all, as far as is known (`tiers`)."""
    tier_points: int = 0
    """No fewer than the tier points in the window: what orders gave since it was last worked out exactly."""
    tier_spend: int = 0
    """No less than the net spend in the window, likewise, in minor units."""
    active_at: int = 0
    """When the customer last earned or spent, under expiry by inactivity (`grants`)."""
    idle_until: int = 0
    """The date that all points got by that."""
    # ARCHITECTURE.md, What is limited across customers
    asked: dict[str, Asked] = field(default_factory=dict)
    """By request id (`allocations`)."""
    # DOMAIN.md, Reward mall
    redemptions: dict[str, Redeemed] = field(default_factory=dict)
    """By redemption id; forgotten with the retention."""
    reward_counts: dict[str, int] = field(default_factory=dict)
    """By reward id: pieces redeemed or asked for and not cancelled, against the limit per customer; never forgotten."""

    reviews: dict[bytes, Review] = field(default_factory=dict)
    """Those that were granted points and not removed, by their business key (`reviews`)."""

    # What is known of how it is stored, so that most of it need not be worked out again
    packed_lots: bytes = b""
    """The records of the first `lots_packed` of the unpacked lots, of all where those are None (`lot_records`)."""
    lots_packed: int = 0
    first_expires_at: int = 0
    """Of the first lot, while there are only packed ones; below, likewise of the last."""
    last_expires_at: int = 0
    last_earned_at: int = 0
    filed: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The causes remembered since it was stored last: stem -> its time in ms and its place in its bucket."""
    first_placed: tuple[str, int] = ("", 0)
    """A `first_order` and what is stored for it."""
    registered_placed: tuple[int, int] = (0, 0)
    """A `registered_at` and what is stored for it."""

    @property
    def lots(self) -> list[Lot]:
        """In spending order: expires first, earned first, grant id. One with nothing free and nothing held is gone.

        To ask is to unpack them, which most events need not: `lots` knows how to do without.
        """
        unpacked = self.unpacked_lots
        if unpacked is None:
            from loyalty_stream.domain import lot_records  # noqa: PLC0415 - it is made of accounts

            unpacked = lot_records.unpack_lots(self)
        return unpacked

    @lots.setter
    def lots(self, lots: list[Lot]) -> None:
        self.unpacked_lots, self.lots_packed = lots, 0

    def __eq__(self, other: object) -> bool:
        """Whether both are the same account, however far its orders are packed."""
        if not isinstance(other, Account):
            return NotImplemented
        from loyalty_stream.domain import orders  # noqa: PLC0415 - it is made of accounts

        return orders.comparable(self) == orders.comparable(other)

    __hash__ = None  # type: ignore[assignment]  # as of every struct that can change


ACCOUNT_FIELDS: Final = tuple(
    [
        each.name if each.name != "unpacked_lots" else "lots"
        for each in fields(Account)
        if each.name != "__hash__"  # which is one where this is compiled
    ]
)


def imbalance(account: Account) -> int:
    """How far the account is from the law of conservation, in points; 0 for every sound account (ARCHITECTURE 2).

    granted = available + pending + held + redeemed + expired + revoked - restored
    """
    standing = account.available + account.pending + account.held
    gone = account.redeemed + account.expired + account.revoked - account.restored
    return account.granted - standing - gone

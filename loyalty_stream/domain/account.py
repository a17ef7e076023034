"""The state of one customer's account: nothing but the fold of its point events.

Only `evolve` may change an account. Every instant here is an integer of milliseconds since 1970 (UTC), every
day a count of local days since 1970-01-01. `wire.account_codec` stores them without names, so new fields go to
the end, with a default. The account itself is no struct: compiled, its fields are reached without a look-up.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

from mypy_extensions import mypyc_attr

from loyalty_stream.domain import day_records
from loyalty_stream.domain.account_parts import (
    KEY_BUCKET_MS,
    NEVER,
    Asked,
    Counted,
    Hold,
    Lot,
    Participation,
    Redeemed,
    Review,
    ReviewAward,
    Spent,
    Term,
    Waiting,
)
from loyalty_stream.domain.day_records import Days
from loyalty_stream.domain.order_parts import Earned, Line, Order

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
    "ReviewAward",
    "Spent",
    "Term",
    "Waiting",
    "imbalance",
]


@mypyc_attr(acyclic=True)
@dataclass(eq=False, init=False)
class Account:
    """One customer. `available`, `pending`, `held` and `debt` are sums over lots and holds, kept as they change."""

    available: int
    pending: int
    held: int
    debt: int
    granted: int
    redeemed: int
    expired: int
    revoked: int
    restored: int
    registered_at: int
    """0: never registered."""
    first_order: str
    """The stem of the order that carries the first-purchase bonus; empty: none."""
    unpacked_lots: list[Lot] | None
    """The `lots`, where something has asked for them since the account was stored; None: `packed_lots` has all."""
    holds: dict[str, Hold]
    orders: dict[int, bytes]
    """Packed, by the bucket of their payment: `domain.orders` alone knows how."""
    waiting: dict[str, Waiting]
    """By the stem of the waiting event, in the order of arrival."""
    keys: dict[int, bytes]
    """Bucket of `KEY_BUCKET_MS` -> the business keys remembered in it, end to end (see `identity`)."""
    days: Days | None
    """`daily` and `streaks`, where something has asked for them; None: `packed_days` has them."""
    surveys: list[str]
    warned: dict[int, list[str]]
    """`expires_at` of lots -> the notice periods for which the warning is out."""
    segments: tuple[str, ...]
    referred_by: str
    prefix: str
    """What the stems of all its causes begin with (see `identity`)."""
    causes: dict[int, bytes]
    """Bucket of `KEY_BUCKET_MS` -> the causes remembered in it: of each its key and its second, end to end."""
    terms: bytes
    """What the packed orders' grants have in common, by the number that stands for it there (`term_records`)."""
    unpacked_terms: tuple[Term, ...]
    """Those of `terms` as they were when it was `terms_unpacked`."""
    terms_unpacked: bytes
    midnight: int
    """When days begin for expiries (`lot_records`): quarter of an hour of the UTC day, and one; 0: not known."""
    unpacked: dict[bytes, Order]
    """Orders as they were added or changed and are not packed yet, by their key."""
    found_order: Order | None
    """The packed order that was looked for last: a fact looks several times for the same one."""
    campaigns: dict[str, Participation]
    """By campaign id (`campaign_awards`); forgotten with the retention after the campaign's end."""
    # DOMAIN.md, Deletion
    erased_at: int
    """When the account was ended; 0: it has not been. Then it holds nothing but its totals and a few keys."""
    referral_told: bool
    """The referrer was rewarded for this customer: once, and never taken back (`referral`)."""
    tier: str
    """The name of the tier that the last `tier-changed` told; ask `tiers.current` for the one at work."""
    tier_until: int
    """No downgrade is due before this instant; 0: none at all, as far as is known (`tiers`)."""
    tier_points: int
    """No fewer than the tier points in the window: what orders gave since it was last worked out exactly."""
    tier_spend: int
    """No less than the net spend in the window, likewise, in minor units."""
    active_at: int
    """When the customer last earned or spent, under expiry by inactivity (`grants`)."""
    idle_until: int
    """The date that all points got by that."""
    # ARCHITECTURE.md, What is limited across customers
    asked: dict[str, Asked]
    """By request id (`allocations`)."""
    # DOMAIN.md, Reward mall
    redemptions: dict[str, Redeemed]
    """By redemption id; forgotten with the retention."""
    reward_counts: dict[str, int]
    """By reward id: pieces redeemed or asked for and not cancelled, against the limit per customer; never forgotten."""

    unpacked_reviews: dict[bytes, Review] | None
    """The `reviews`, likewise; None: `packed_reviews` has them."""

    # What is known of how it is stored, so that most of it need not be worked out again
    packed_lots: bytes
    """The records of the first `lots_packed` of the unpacked lots, of all where those are None (`lot_records`)."""
    lots_packed: int
    first_expires_at: int
    """Of the first lot, while there are only packed ones; below, likewise of the last."""
    last_expires_at: int
    last_earned_at: int
    last_grant_id: str
    """Empty: not known."""
    filed: dict[str, tuple[int, int]]
    """The causes remembered since it was stored last: stem -> its time in ms and its place in its bucket."""
    first_placed: tuple[str, int]
    """A `first_order` and what is stored for it."""
    registered_placed: tuple[int, int]
    """A `registered_at` and what is stored for it."""
    packed_days: bytes
    """As they are stored (`day_records`); empty while there are `days`: to be made."""
    packed_reviews: bytes
    """Likewise (`review_records`)."""

    # Fields that came later
    review_awards: dict[bytes, list[ReviewAward]]
    """What campaigns gave for reviews that are not removed, by the review's business key (`campaign_refunds`)."""

    def __init__(self, **given: Any) -> None:  # noqa: PLR0915 - one for each field
        """An empty account, but for the fields that are given by their names.

        Written out, because the one that `dataclass` makes is interpreted even where this is compiled.
        """
        self.available = 0
        self.pending = 0
        self.held = 0
        self.debt = 0
        self.granted = 0
        self.redeemed = 0
        self.expired = 0
        self.revoked = 0
        self.restored = 0
        self.registered_at = 0
        self.first_order = ""
        self.unpacked_lots = None
        self.holds = {}
        self.orders = {}
        self.waiting = {}
        self.keys = {}
        self.days = None
        self.surveys = []
        self.warned = {}
        self.segments = ()
        self.referred_by = ""
        self.prefix = ""
        self.causes = {}
        self.terms = b""
        self.unpacked_terms = ()
        self.terms_unpacked = b""
        self.midnight = 0
        self.unpacked = {}
        self.found_order = None
        self.campaigns = {}
        self.erased_at = 0
        self.referral_told = False
        self.tier = ""
        self.tier_until = 0
        self.tier_points = 0
        self.tier_spend = 0
        self.active_at = 0
        self.idle_until = 0
        self.asked = {}
        self.redemptions = {}
        self.reward_counts = {}
        self.unpacked_reviews = None
        self.packed_lots = b""
        self.lots_packed = 0
        self.first_expires_at = 0
        self.last_expires_at = 0
        self.last_earned_at = 0
        self.last_grant_id = ""
        self.filed = {}
        self.first_placed = ("", 0)
        self.registered_placed = (0, 0)
        self.packed_days = b""
        self.packed_reviews = b""
        self.review_awards = {}
        for name, value in given.items():
            setattr(self, name, value)

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

    @property
    def daily(self) -> dict[int, dict[str, int]]:
        """Local day -> counter name (`review`, `share`, `game:<id>`, `points`) -> count against its daily limit."""
        return self._days_to_change().daily

    @daily.setter
    def daily(self, daily: dict[int, dict[str, int]]) -> None:
        self._days_to_change().daily = daily

    @property
    def streaks(self) -> list[tuple[int, int]]:
        """Runs of check-in days: first day and length, in order, never touching each other."""
        return self._days_to_change().streaks

    @streaks.setter
    def streaks(self, streaks: list[tuple[int, int]]) -> None:
        self._days_to_change().streaks = streaks

    def _days_to_change(self) -> Days:
        days = self.days
        if days is None:
            days = self.days = day_records.unpack(self.packed_days)
        self.packed_days = b""
        return days

    @property
    def reviews(self) -> dict[bytes, Review]:
        """Those that were granted points and not removed, by their business key (`reviews`)."""
        reviews = self.unpacked_reviews
        if reviews is None:
            from loyalty_stream.domain import review_records  # noqa: PLC0415 - it is made of accounts

            reviews = self.unpacked_reviews = review_records.unpack(self, self.packed_reviews)
        self.packed_reviews = b""
        return reviews

    @reviews.setter
    def reviews(self, reviews: dict[bytes, Review]) -> None:
        self.unpacked_reviews, self.packed_reviews = reviews, b""

    def __eq__(self, other: object) -> bool:
        """Whether both are the same account, however far its orders are packed."""
        if not isinstance(other, Account):
            return NotImplemented
        from loyalty_stream.domain import orders  # noqa: PLC0415 - it is made of accounts

        return orders.comparable(self) == orders.comparable(other)

    __hash__ = None  # type: ignore[assignment]  # as of every struct that can change


_UNPACKED: Final = {
    "unpacked_lots": ("lots",),
    "days": ("daily", "streaks"),
    "unpacked_reviews": ("reviews",),
}
ACCOUNT_FIELDS: Final = tuple(
    [
        name
        for each in fields(Account)
        if each.name != "__hash__"  # which is one where this is compiled
        for name in _UNPACKED.get(each.name, (each.name,))
    ]
)
"""What an account holds, whether packed or not, and what is known of how it is stored."""


def imbalance(account: Account) -> int:
    """How far the account is from the law of conservation, in points; 0 for every sound account (ARCHITECTURE 2).

    granted = available + pending + held + redeemed + expired + revoked - restored
    """
    standing = account.available + account.pending + account.held
    gone = account.redeemed + account.expired + account.revoked - account.restored
    return account.granted - standing - gone

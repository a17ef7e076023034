"""The state of one customer's account: nothing but the fold of its point events.

Only `evolve` may change an account. Every instant here is an integer of milliseconds since 1970 (UTC), every
day a count of local days since 1970-01-01. `wire.account_codec` stores them without names, so new fields go to
the end, with a default. The account itself is no struct: compiled, its fields are reached without a look-up.
"""

from dataclasses import dataclass, field, fields
from typing import Final

from msgspec import Struct
from msgspec.structs import force_setattr

from loyalty_stream.domain.notes import Purpose

NEVER = 1 << 53
"""The `expires_at` of points that never expire: later than every instant, and exact in JSON."""

KEY_BUCKET_MS = 4 * 28 * 24 * 3600 * 1000
"""What is remembered is filed by sixteen weeks of its event's time, and forgotten by the bucket.

Longer buckets cost what is kept beyond the retention, shorter ones their heads: half of the accounts of a
few months would be those. Its seconds fit into three bytes.
"""

Term = tuple[int | str | tuple[int, ...], ...]
"""What grants of orders have in common, such as a rule's rate (see `order_records`)."""


class _Packable(Struct, array_like=True, gc=False):
    """Keeps how it is stored beside its values, until one of them changes."""

    def __setattr__(self, name: str, value: object) -> None:
        force_setattr(self, name, value)
        force_setattr(self, "packed", b"")

    def __eq__(self, other: object) -> bool:
        return other.__class__ is self.__class__ and _values(self) == _values(other)

    __hash__ = None  # type: ignore[assignment]  # as of every struct that can change


def _values(packable: object) -> tuple[object, ...]:
    assert isinstance(packable, Lot | Hold | Spent | Review)
    return tuple([getattr(packable, name) for name in packable.__struct_fields__ if name != "packed"])


class Lot(_Packable, array_like=True, gc=False):
    """What is left of one grant. `points` are free to spend, `held` are reserved, `pending` not available yet."""

    grant_id: str
    points: int
    earned_at: int
    expires_at: int
    held: int = 0
    pending: int = 0
    """Points that cannot be spent yet; while there are any, `points` and `held` are 0."""
    available_at: int = 0
    """When the pending points become available; `NEVER`: when their order completes."""
    packed: bytes = b""
    """As it is stored (`wire.lot_records`); empty: to be made."""


class Hold(_Packable, array_like=True, gc=False):
    """A reservation of points, kept after its end so that a late `order-paid` or a repeat finds it."""

    points: int
    due_at: int
    state: str
    """`open`; `released` by command or time-out; `confirmed`, redeemed without an order; `spent` by an order;
    `rejected` holds nothing and may be asked for again."""
    taken: list[tuple[str, int]]
    """Grant id and points, in spending order; empty once the hold is no longer open."""
    order_id: str = ""
    spent: list["Spent"] = []
    """What a `confirmed` hold has redeemed, until an order names it; then it is the order's."""
    packed: bytes = b""
    """As it is stored (`wire.account_codec`). Lists of a hold are replaced, never changed: that would go unseen."""


class Spent(_Packable, array_like=True, gc=False):
    """Points of one grant that were redeemed, with the dates that they come back with."""

    grant_id: str
    points: int
    earned_at: int
    expires_at: int
    restored: int = 0
    packed: bytes = b""
    """As it is stored, likewise."""


class Line(Struct, array_like=True, gc=False):
    """A line of an order: its goods net of discount and points, and how much of that was refunded."""

    line_id: str
    net: int
    refunded: int = 0


class Earned(Struct, array_like=True, gc=False):
    """What an order was granted, kept to take it back: B is the net of the lines in `scope`, G is `points`.

    With `exact` (numerator, denominator), what stays after refunds of R is `exact * (B - R) / B`, rounded; with
    `steps` it is the award of the last step that B - R reaches; with neither it stays while the order stands.
    """

    grant_id: str
    kind: str
    """`purchase`, `threshold`, `first_purchase`, or `campaign:<id>`."""
    points: int
    revoked: int = 0
    exact: tuple[int, int] | None = None
    rounding: str = ""
    steps: tuple[tuple[int, int], ...] = ()
    """Minimum amount of the base and the points from there on, by rising minimum."""
    scope: tuple[int, ...] = ()
    """The positions of the lines that it counts; empty: all."""
    gross: int = 0
    """B, where it is not the net of the lines: goods before discounts and points, in minor units."""
    earned_at: int = 0
    """When it was granted, where that is not when its order was paid (the bonus of the first purchase passes on)."""


class Counted(Struct, array_like=True, gc=False):
    """What an order counts for in a campaign that accumulates spend, and what it was given, to take it back.

    Points of a single order's campaign are not here: their `Earned` says how they shrink.
    """

    campaign_id: str
    scope: tuple[int, ...] = ()
    """The positions of the lines that count; empty: all."""
    accumulates: bool = False
    minimum: int = 0
    """The spend that an award takes, in minor units."""
    awards: int = 0
    """Given with this order and not taken back."""
    points: int = 0
    """Of one award, as are the next two."""
    entries: int = 0
    gift: str = ""
    """A reward's id."""
    order_id: str = ""
    """The order's own id, where awards were given: another order's refund can take them back."""


class Order(Struct, array_like=True, gc=False):
    """A paid order, as far as what may come after it needs it. Amounts are in minor units."""

    stem: str
    """What the ids of the events of its order-paid begin with: anybody can look the order up by it."""
    paid_at: int
    lines: list[Line]
    earned: list[Earned] = []
    spent: list[Spent] = []
    completed: bool = False
    cancelled: bool = False
    first: bool = False
    """It carries the first-purchase bonus, whatever that is worth."""
    campaigns: list[Counted] = []
    key: bytes = b""
    """The business key of its id, set when it is added."""

    @property
    def net_amount(self) -> int:
        """Its goods net of discount and of points, as paid."""
        return sum([line.net for line in self.lines])

    @property
    def left_amount(self) -> int:
        """What of `net_amount` was not refunded."""
        return sum([line.net - line.refunded for line in self.lines])


class Review(_Packable, array_like=True, gc=False):
    """What a review was granted, to take it back when it is removed."""

    grant_id: str
    points: int
    earned_at: int
    packed: bytes = b""
    """As it is stored (`lot_records`)."""


class Waiting(Struct, array_like=True, gc=False):
    """An event of an order that came too early, as its JSON text.

    An `order-paid` waits for its hold and is applied without it at `due_at`. A refund, cancellation or completion
    waits for its payment (`hold_id` empty) and is dropped at `due_at`.
    """

    hold_id: str
    due_at: int
    event: str
    order_id: str = ""
    earlier: int = 1
    """How many events its cause had made before it waited, and with its waiting note."""


class Participation(Struct, array_like=True, gc=False):
    """A customer in one campaign: what it counts of their spend, and the awards that they have."""

    spend: int = 0
    """Net, on the goods that it counts, less refunds, in minor units; 0 where it does not accumulate."""
    awards: int = 0
    """Given or asked for, less those taken back: what the limit per customer is about."""


class Asked(Struct, array_like=True, gc=False):
    """A request to the owner of something limited, not answered yet."""

    resource: str
    purpose: Purpose


class Redeemed(Struct, array_like=True, gc=False):
    """A reward that was redeemed or given free, as far as cancelling it needs it."""

    reward_id: str
    quantity: int
    at: int
    """When it was asked for, in ms."""
    state: str
    """`asked`: its stock's owner has not answered; `issued`; `cancelled`."""
    spent: list[Spent] = []
    free: bool = False
    """A gift or a prize: it does not count against the limit per customer."""
    request_id: str = ""
    """By which stock was asked for; empty: unlimited."""


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
    lots: list[Lot] = field(default_factory=list)
    """In spending order: expires first, earned first, grant id. A lot with nothing free and nothing held is gone."""
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
    terms: list[Term] = field(default_factory=list)
    """What the packed orders' grants have in common, by the number that stands for it there."""
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
    """The records of the first `lots_packed` lots (`lot_records`)."""
    lots_packed: int = 0
    filed: tuple[str, int, int] = ("", 0, -1)
    """The cause remembered last: its stem, its time in ms and its place in its bucket."""
    first_placed: tuple[str, int] = ("", 0)
    """A `first_order` and what is stored for it."""

    def __eq__(self, other: object) -> bool:
        """Whether both are the same account, however far its orders are packed."""
        if not isinstance(other, Account):
            return NotImplemented
        from loyalty_stream.domain import orders  # noqa: PLC0415 - it is made of accounts

        return orders.comparable(self) == orders.comparable(other)

    __hash__ = None  # type: ignore[assignment]  # as of every struct that can change


ACCOUNT_FIELDS: Final = tuple([each.name for each in fields(Account)])


def imbalance(account: Account) -> int:
    """How far the account is from the law of conservation, in points; 0 for every sound account (ARCHITECTURE 2).

    granted = available + pending + held + redeemed + expired + revoked - restored
    """
    standing = account.available + account.pending + account.held
    gone = account.redeemed + account.expired + account.revoked - account.restored
    return account.granted - standing - gone

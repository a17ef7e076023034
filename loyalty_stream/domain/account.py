"""The state of one customer's account: nothing but the fold of its point events.

Only `evolve` may change an account. Every instant here is an integer of milliseconds since 1970 (UTC), every
day a count of local days since 1970-01-01. The structs are array-like, so that a stored account holds no
field names; `wire.account_codec` writes and reads them. New fields go to the end, with a default.
"""

from msgspec import Struct, field

NEVER = 1 << 53
"""The `expires_at` of points that never expire: later than every instant, and exact in JSON."""

KEY_BUCKET_MS = 28 * 24 * 3600 * 1000
"""Remembered keys are filed by four weeks of their event's time, and forgotten by the bucket."""


class Lot(Struct, array_like=True, gc=False):
    """What is left of one grant. `points` are free to spend, `held` are reserved by holds."""

    grant_id: str
    points: int
    earned_at: int
    expires_at: int
    held: int = 0


class Hold(Struct, array_like=True, gc=False):
    """A reservation of points, kept after its end so that a late `order-paid` or a repeat finds it."""

    points: int
    due_at: int
    state: str
    """`open`; `released` by command or time-out; `confirmed`, redeemed without an order; `spent` by an order;
    `rejected` holds nothing and may be asked for again."""
    taken: list[tuple[str, int]]
    """Grant id and points, in spending order; empty once the hold is no longer open."""
    order_id: str = ""


class Order(Struct, array_like=True, gc=False):
    """A paid order: when, and its goods net of discount and of points, in minor units."""

    paid_at: int
    net_amount: int


class Waiting(Struct, array_like=True, gc=False):
    """An `order-paid` that waits for its hold until `due_at`, as the JSON text of the event."""

    hold_id: str
    due_at: int
    order_paid: str


class Account(Struct, array_like=True, gc=False):
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
    """The order that carries the first-purchase bonus; empty: none yet."""
    lots: list[Lot] = field(default_factory=list)
    """In spending order: expires first, earned first, grant id. A lot with nothing free and nothing held is gone."""
    holds: dict[str, Hold] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """By order id."""
    keys: dict[int, bytes] = field(default_factory=dict)
    """Bucket of `KEY_BUCKET_MS` -> the 8-byte keys remembered in it, end to end (see `identity`)."""
    daily: dict[int, dict[str, int]] = field(default_factory=dict)
    """Local day -> counter name (`review`, `share`, `game:<id>`, `points`) -> count against its daily limit."""
    streaks: list[tuple[int, int]] = field(default_factory=list)
    """Runs of check-in days: first day and length, in order, never touching each other."""
    surveys: list[str] = field(default_factory=list)
    warned: dict[int, list[str]] = field(default_factory=dict)
    """`expires_at` of lots -> the notice periods for which the warning is out."""
    segments: tuple[str, ...] = ()
    referred_by: str = ""


def imbalance(account: Account) -> int:
    """How far the account is from the law of conservation, in points; 0 for every sound account (ARCHITECTURE 2).

    granted = available + pending + held + redeemed + expired + revoked - restored
    """
    standing = account.available + account.pending + account.held
    gone = account.redeemed + account.expired + account.revoked - account.restored
    return account.granted - standing - gone

"""What an account is made of: lots, holds, and what else it keeps of what happened; of orders see `order_parts`.

The structs are array-like, so that what is stored of them holds no field names. New fields go to the end, with a
default. Only `evolve` may change one.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import force_setattr

from loyalty_stream.domain.notes import Purpose

NEVER: Final = 1 << 53
"""The `expires_at` of points that never expire: later than every instant, and exact in JSON."""

KEY_BUCKET_MS: Final = 4 * 28 * 24 * 3600 * 1000
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


class Review(_Packable, array_like=True, gc=False):
    """What a review was granted, to take it back when it is removed."""

    grant_id: str
    points: int
    earned_at: int
    packed: bytes = b""
    """As it is stored (`lot_records`)."""


class ReviewAward(Struct, array_like=True, gc=False):
    """What a campaign gave for a review, to take it back when the review is removed."""

    campaign_id: str
    at: int
    """When, in ms."""
    points: int = 0
    """Granted; 0: none, or not until the budget's owner has answered."""
    grant_id: str = ""
    request_id: str = ""
    """By which the campaign's budget was asked; empty: it has none."""
    entries: int = 0
    stem: str = ""
    """What the ids of the entries begin with."""
    gift: str = ""
    """A reward's id."""


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
    apart: int = 0
    """Of those, the ones that were not given for `spend`: entries by command, awards of other events, and of single
    orders as another version of the campaign said."""


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

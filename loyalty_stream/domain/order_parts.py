"""What an account keeps of an order: its lines, and what it was granted.

Plain classes and no structs (`account_parts`): orders are stored by `order_records` alone, and compiled, a field of a
class is reached without a look-up. Only `evolve` may change one.
"""

from collections.abc import Collection
from typing import ClassVar, TypeAlias

from mypy_extensions import mypyc_attr

from loyalty_stream.domain.account_parts import Counted, Spent
from loyalty_stream.domain.plain_value import PlainValue

Earnings: TypeAlias = tuple[int, int, int]
"""Of an order: when it was paid (ms), what of its net was not refunded (minor units), and points not revoked."""


@mypyc_attr(acyclic=True)
class Line(PlainValue):
    """A line of an order: its goods net of discount and points, and how much of that was refunded, in minor units."""

    names: ClassVar[tuple[str, ...]] = ("line_id", "net", "refunded")

    def __init__(self, line_id: str, net: int, refunded: int = 0) -> None:
        self.line_id = line_id
        self.net = net
        self.refunded = refunded


@mypyc_attr(acyclic=True)
class Earned(PlainValue):
    """What an order was granted, kept to take it back: B is the net of the lines in `scope`, G is `points`.

    With `exact` (numerator, denominator), what stays after refunds of R is `exact * (B - R) / B`, rounded; with
    `steps` it is the award of the last step that B - R reaches; with neither it stays while the order stands.

    kind       `purchase`, `threshold`, `first_purchase`, or `campaign:<id>`
    steps      minimum amount of the base and the points from there on, by rising minimum
    scope      the positions of the lines that it counts; empty: all
    gross      B, where it is not the net of the lines: goods before discounts and points, in minor units
    earned_at  when it was granted (ms), where that is not when its order was paid (the bonus of the first purchase
               passes on)
    """

    names: ClassVar[tuple[str, ...]] = (
        "grant_id", "kind", "points", "revoked", "exact", "rounding", "steps", "scope", "gross", "earned_at",
    )  # fmt: skip

    def __init__(
        self,
        grant_id: str,
        kind: str,
        points: int,
        revoked: int = 0,
        exact: tuple[int, int] | None = None,
        rounding: str = "",
        steps: tuple[tuple[int, int], ...] = (),
        scope: tuple[int, ...] = (),
        gross: int = 0,
        earned_at: int = 0,
    ) -> None:
        self.grant_id = grant_id
        self.kind = kind
        self.points = points
        self.revoked = revoked
        self.exact = exact
        self.rounding = rounding
        self.steps = steps
        self.scope = scope
        self.gross = gross
        self.earned_at = earned_at


@mypyc_attr(acyclic=True)
class Order(PlainValue):
    """A paid order, as far as what may come after it needs it. Amounts are in minor units.

    stem   what the ids of the events of its order-paid begin with: anybody can look the order up by it
    first  it carries the first-purchase bonus, whatever that is worth
    key    the business key of its id, set when it is added
    """

    names: ClassVar[tuple[str, ...]] = (
        "stem", "paid_at", "lines", "earned", "spent", "completed", "cancelled", "first", "campaigns", "key",
    )  # fmt: skip

    def __init__(
        self,
        stem: str,
        paid_at: int,
        lines: list[Line],
        earned: list[Earned] | None = None,
        spent: list[Spent] | None = None,
        completed: bool = False,  # noqa: FBT001, FBT002 - told by name
        cancelled: bool = False,  # noqa: FBT001, FBT002 - told by name
        first: bool = False,  # noqa: FBT001, FBT002 - told by name
        campaigns: list[Counted] | None = None,
        key: bytes = b"",
    ) -> None:
        self.stem = stem
        self.paid_at = paid_at
        self.lines = lines
        self.earned: list[Earned] = [] if earned is None else earned
        self.spent: list[Spent] = [] if spent is None else spent
        self.completed = completed
        self.cancelled = cancelled
        self.first = first
        self.campaigns: list[Counted] = [] if campaigns is None else campaigns
        self.key = key
        self.is_new = False
        """The account surely has no record of it yet."""

    @property
    def net_amount(self) -> int:
        """Its goods net of discount and of points, as paid."""
        return sum(line.net for line in self.lines)

    def earnings(self, kinds: Collection[str]) -> Earnings:
        """What it is now worth: its grants of these `kinds` only."""
        points = sum(earned.points - earned.revoked for earned in self.earned if earned.kind in kinds)
        return self.paid_at, self.left_amount, points

    @property
    def left_amount(self) -> int:
        """What of `net_amount` was not refunded."""
        return sum(line.net - line.refunded for line in self.lines)

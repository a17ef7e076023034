"""What an import did to the data, counted and exact to the cent: nothing is dropped or changed in silence.

It must not know Parquet or events: it holds integers that `baskets` worked out, and the laws between them.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Counts are of rows, baskets or households; every `…_amount` is in cents of a US dollar.

    The fields of a group add up; `imbalances` says which group does not.
    """

    baskets_read: int
    orders: int
    baskets_without_goods: int
    """Left out: every line of the basket was left out, so nothing was sold."""
    registrations: int
    """Households with at least one order."""
    memberships_read: int
    """Pairs of a campaign and a household that it addressed."""
    memberships: int
    """Told by the registration of the household, as a segment."""
    memberships_without_orders: int
    """Left out: the household has no order in the selected part of the year."""

    lines_read: int
    lines: int
    lines_void: int
    """Left out: quantity 0 and value 0, the till's rows for a coupon or a message."""
    lines_negative: int
    """Left out: a quantity or a value below 0. The platform would send a return as `order-refunded`."""
    lines_quantity_one: int
    """Changed: money was paid for a quantity of 0, so the quantity became 1."""
    lines_value_residue: int
    """Changed: what a subtraction of floats had left, far below a cent, became 0 (so most are void)."""
    lines_free: int
    """Kept as they are: goods given for nothing (two for one). They earn nothing, but can be reviewed."""
    lines_fuel: int
    """Kept as they are: sold by the pump, most with the quantity in thousandths of a gallon."""
    lines_without_category: int
    """Kept without `category`: the product has none in the data."""
    lines_unknown_product: int
    """Kept without `category`: the list of products lacks it (also in `lines_without_category`)."""

    sales_read_amount: int
    goods_amount: int
    sales_negative_amount: int
    """The value of `lines_negative`; at most 0 where quantity and value have the same sign."""

    coupons_read_amount: int
    discount_amount: int
    orders_capped: int
    coupons_over_goods_amount: int
    """Left out: what a basket's coupons were worth beyond its goods."""
    coupons_without_goods_amount: int
    """Left out with `baskets_without_goods`."""
    coupons_negative_amount: int
    """Left out with `lines_negative`."""

    first_time_us: int
    last_time_us: int
    """Of the first and the last order, in microseconds since 1970 UTC; 0 where there is none."""

    def imbalances(self) -> tuple[str, ...]:
        """Return the equations between the fields that do not hold: none, or the import is wrong."""
        laws = {
            "baskets_read = orders + baskets_without_goods": (
                self.baskets_read == self.orders + self.baskets_without_goods
            ),
            "memberships_read = memberships + memberships_without_orders": (
                self.memberships_read == self.memberships + self.memberships_without_orders
            ),
            "lines_read = lines + lines_void + lines_negative": (
                self.lines_read == self.lines + self.lines_void + self.lines_negative
            ),
            "sales_read_amount = goods_amount + sales_negative_amount": (
                self.sales_read_amount == self.goods_amount + self.sales_negative_amount
            ),
            "coupons_read_amount = discount_amount + what was left out of it": (
                self.coupons_read_amount
                == self.discount_amount
                + self.coupons_over_goods_amount
                + self.coupons_without_goods_amount
                + self.coupons_negative_amount
            ),
        }
        return tuple(law for law, holds in laws.items() if not holds)

    def rows(self) -> tuple[tuple[str, int], ...]:
        """Return every figure by its name, in the order in which a person would read them."""
        return tuple((field.name, getattr(self, field.name)) for field in fields(self))

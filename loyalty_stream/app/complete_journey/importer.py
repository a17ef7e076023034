"""Turns the data set's baskets into `order-paid` and `customer-registered` facts, in order of time.

It must not know the programme's rules or the broker: it says what was bought, not what that is worth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa

from loyalty_stream.app.complete_journey.baskets import Baskets, group_baskets
from loyalty_stream.app.complete_journey.report import ImportReport
from loyalty_stream.app.complete_journey.source import (
    STORE_ZONE,
    Selection,
    find_data_directory,
    read_lines,
    read_memberships,
    read_products,
)

SOURCE = "complete-journey"
CURRENCY = "USD"
_ORDERS = "orders"
_REGISTRATIONS = "registrations"
_ORDERS_AT_ONCE = 4_096
"""Orders turned from columns to Python values together: some 40,000 lines, a few MB at a time."""
_REGISTERED_BEFORE_US = 1_000_000
"""A household registers one second, the data's resolution, before it pays: the times say the order, too."""


@dataclass(frozen=True, slots=True)
class ImportedFact:
    """One record to produce; `time_us` is the event's time in microseconds since 1970 UTC."""

    topic: str
    key: bytes
    value: bytes
    time_us: int


@dataclass(frozen=True, slots=True)
class PreparedImport:
    """A selection of the year, read and checked: the report is complete before the first fact goes out."""

    baskets: Baskets

    @property
    def report(self) -> ImportReport:
        """What was read, kept, changed and left out."""
        return self.baskets.report

    @property
    def fact_count(self) -> int:
        """How many facts `facts` yields."""
        return self.report.orders + self.report.registrations

    def facts(self) -> Iterator[ImportedFact]:
        """Yield the facts in order of time; at the same time registrations first, then by basket id.

        Each call starts again and yields the same bytes.
        """
        registrations = _registrations(self.baskets)
        waiting = next(registrations, None)
        for order in _orders(self.baskets):
            while waiting is not None and waiting.time_us <= order.time_us:
                yield waiting
                waiting = next(registrations, None)
            yield order


def prepare_import(selection: Selection | None = None, directory: Path | None = None) -> PreparedImport:
    """Read and check the data; raises SourceDataError where the files are not what they should be.

    `directory` holds the Parquet files; without it, the installed data package's own.
    """
    chosen = selection or Selection()
    where = directory or find_data_directory()
    lines, products, memberships = read_lines(where, chosen), read_products(where), read_memberships(where)
    return PreparedImport(group_baskets(lines, products, memberships, chosen.baskets))


def read_facts(selection: Selection | None = None, directory: Path | None = None) -> Iterator[ImportedFact]:
    """Yield the facts of the selected part of the year, in order of time; `prepare_import` has the report."""
    return prepare_import(selection, directory).facts()


def _registrations(baskets: Baskets) -> Iterator[ImportedFact]:
    """Yield one for each household, just before its first order, so in order of time as the orders are.

    Its segments are the campaigns that addressed it, by the ids that they have in the programme.
    """
    seen: set[int] = set()
    orders = baskets.orders
    households, times = orders["household_id"].to_pylist(), orders["time_us"].to_pylist()
    for household, time_us in zip(households, times, strict=True):
        if household not in seen:
            seen.add(household)
            segments = [f"campaign-{number}" for number in baskets.campaigns.get(household, ())]
            yield _fact(
                _REGISTRATIONS,
                "customer-registered",
                name=str(household),
                household=household,
                time_us=time_us - _REGISTERED_BEFORE_US,
                data={"segments": segments} if segments else {},
            )


def _orders(baskets: Baskets) -> Iterator[ImportedFact]:
    for start in range(0, baskets.orders.num_rows, _ORDERS_AT_ONCE):
        orders = baskets.orders.slice(start, _ORDERS_AT_ONCE).to_pydict()
        base = orders["first"][0]
        lines = _lines(baskets.lines.slice(base, orders["end"][-1] - base))
        for basket, household, time_us, discount, first, end in zip(
            orders["basket_id"],
            orders["household_id"],
            orders["time_us"],
            orders["discount"],
            orders["first"],
            orders["end"],
            strict=True,
        ):
            data = {
                "order_id": str(basket),
                "currency": CURRENCY,
                "lines": lines[first - base : end - base],
                "discount_amount": discount,
            }
            yield _fact(
                _ORDERS, "order-paid", name=str(basket), household=household, time_us=time_us, data=data
            )


def _lines(columns: pa.Table) -> list[dict[str, str | int]]:
    values = columns.to_pydict()
    lines: list[dict[str, str | int]] = []
    for place, product, category, quantity, amount in zip(
        values["place"],
        values["product_id"],
        values["category"],
        values["quantity"],
        values["amount"],
        strict=True,
    ):
        line: dict[str, str | int] = {"line_id": str(place), "sku": str(product)}
        if category is not None:
            line["category"] = category
        line["quantity"] = quantity
        line["amount"] = amount
        lines.append(line)
    return lines


def _fact(
    topic: str, event_type: str, *, name: str, household: int, time_us: int, data: dict[str, object]
) -> ImportedFact:
    subject = str(household)
    # The store's own clock with its offset: a person reads the hour at the till, a program the instant.
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC).astimezone(STORE_ZONE)
    event = {
        "specversion": "1.0",
        "id": f"{event_type}:{name}",
        "source": SOURCE,
        "type": event_type,
        "subject": subject,
        "time": moment.isoformat(),
        "data": data,
    }
    return ImportedFact(topic, subject.encode(), orjson.dumps(event), time_us)

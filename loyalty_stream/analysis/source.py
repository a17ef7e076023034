"""Where analysis reads from: an export as views of DuckDB, whether it was made before or is made now from Kafka."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from loyalty_stream.analysis.columns import ACCOUNTS, FACTS, POINT_EVENTS
from loyalty_stream.analysis.directory import Manifest, read_manifest
from loyalty_stream.app.settings import Settings

_ORDERS: Final = """
CREATE VIEW orders AS
WITH paid AS (
    SELECT order_id, customer, time, recorded_at, currency, amount, discount_amount,
        amount - discount_amount AS net_amount, hold_id, lines, source, id
    FROM facts WHERE type = 'order-paid'
    QUALIFY row_number() OVER (PARTITION BY customer, order_id ORDER BY "offset") = 1
), refunds AS (
    SELECT customer, order_id, sum(amount) AS refunded_amount FROM (
        SELECT DISTINCT customer, order_id, json_extract_string(data, '$.refund_id') AS refund_id, amount
        FROM facts WHERE type = 'order-refunded'
    ) GROUP BY ALL
), ends AS (
    SELECT customer, order_id,
        min(time) FILTER (type = 'order-completed') AS completed_at,
        min(time) FILTER (type = 'order-cancelled') AS cancelled_at
    FROM facts WHERE type IN ('order-completed', 'order-cancelled') GROUP BY ALL
)
SELECT paid.order_id, paid.customer, time, recorded_at, currency, amount, discount_amount, net_amount,
    CASE WHEN cancelled_at IS NULL THEN least(coalesce(refunded_amount, 0), net_amount) ELSE net_amount END
        ::BIGINT AS refunded_amount,
    completed_at, cancelled_at, hold_id, lines, source, id
FROM paid
LEFT JOIN refunds ON refunds.order_id = paid.order_id AND refunds.customer IS NOT DISTINCT FROM paid.customer
LEFT JOIN ends ON ends.order_id = paid.order_id AND ends.customer IS NOT DISTINCT FROM paid.customer
"""
"""One row for each order, however often it was sent; of a cancelled one everything is refunded."""

_ORDER_LINES: Final = """
CREATE VIEW order_lines AS
SELECT order_id, customer, time, currency, line.line_id, line.sku, line.category, line.quantity, line.amount,
    line.merchant_id
FROM (SELECT order_id, customer, time, currency, unnest(lines) AS line FROM orders)
"""


@contextmanager
def open_source(
    parquet: Path | None, settings: Settings | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the views `points_events`, `facts`, `orders`, `order_lines` and `accounts`.

    From the export in the directory `parquet`; without one, from one of now that is made from Kafka into a
    temporary directory and removed in the end. Instants are in UTC; docs/export.md has the columns. Raises
    MendableError where there is no export, no broker, or no such topic.
    """
    if parquet is not None:
        with connect(parquet) as connection:
            yield connection
        return
    with temporary_export() as made:
        made.update(settings or Settings())
        with connect(made.directory) as connection:
            yield connection


@dataclass(frozen=True, slots=True)
class TemporaryExport:
    """An export that nobody keeps."""

    directory: Path

    def update(self, settings: Settings, progress: Callable[[float], None] | None = None) -> None:
        """Bring it up to what Kafka has now; `progress` is told the share done."""
        from loyalty_stream.analysis.export import export  # noqa: PLC0415 - Kafka's client takes its time

        asyncio.run(export(settings, self.directory, progress))


@contextmanager
def temporary_export() -> Iterator[TemporaryExport]:
    """An empty export in a temporary directory, which is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="loyalty-export-") as made:
        yield TemporaryExport(Path(made))


@contextmanager
def connect(directory: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The views over the export in a directory; only the files that its manifest names are read."""
    manifest = read_manifest(directory)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        _declare(connection, directory, manifest)
        yield connection


def _declare(connection: duckdb.DuckDBPyConnection, directory: Path, manifest: Manifest) -> None:
    named = {
        "points_events": (
            [f.path for f in manifest.files if f.path.startswith("points-events/")],
            POINT_EVENTS,
        ),
        "facts": ([f.path for f in manifest.files if f.path.startswith("facts/")], FACTS),
        "accounts": ([f.path for f in manifest.accounts], ACCOUNTS),
    }
    for view, (paths, schema) in named.items():
        if paths:
            files = [str(directory / path) for path in paths]
            reader = connection.read_parquet(files, union_by_name=True, hive_partitioning=False)
            reader.create_view(view)
        else:
            empty = schema.empty_table()  # noqa: F841 - DuckDB finds it by its name
            connection.execute(f"CREATE TABLE {view} AS FROM empty")
    connection.execute(_ORDERS)
    connection.execute(_ORDER_LINES)

"""Accounts as the sum of their exported point events: the fold of the domain, said once more in SQL.

`tests/analysis/test_accounts.py` holds the two against each other.
"""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from loyalty_stream.analysis.columns import ACCOUNTS

_SUMMED = """
SELECT customer,
    last.available, last.pending, last.held, last.debt,
    tier.tier AS tier,
    granted, redeemed, expired, revoked, restored,
    registered_at, first_order_at, last_order_at, orders, first_event_at, last_event_at, erased_at
FROM (
    SELECT customer,
        arg_max(struct_pack(available, pending, held, debt), "offset") AS last,
        arg_max(struct_pack(tier := tier_to), "offset") FILTER (type = 'tier-changed') AS tier,
        coalesce(sum(points) FILTER (type = 'point-granted'), 0) AS granted,
        coalesce(sum(points) FILTER (type = 'point-redeemed'), 0) AS redeemed,
        coalesce(sum(points) FILTER (type = 'point-expired'), 0) AS expired,
        coalesce(sum(points) FILTER (type = 'point-revoked'), 0) AS revoked,
        coalesce(sum(points) FILTER (type = 'point-restored'), 0) AS restored,
        min(time) FILTER (note_kind = 'registration') AS registered_at,
        min(time) FILTER (note_kind = 'order') AS first_order_at,
        max(time) FILTER (note_kind = 'order') AS last_order_at,
        count(*) FILTER (note_kind = 'order') AS orders,
        min(time) AS first_event_at,
        max(time) AS last_event_at,
        max(time) FILTER (note_kind = 'erased') AS erased_at
    FROM read_parquet($files, union_by_name = true)
    GROUP BY customer
)
ORDER BY customer
"""


def accounts_of(point_event_files: Sequence[str]) -> pa.Table:
    """One row of `ACCOUNTS` for each customer of the files, in the order of their ids.

    All events of a customer are on one partition, so the one with the highest offset is the latest.
    """
    if not point_event_files:
        return ACCOUNTS.empty_table()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows: pa.Table = connection.sql(_SUMMED, params={"files": list(point_event_files)}).to_arrow_table()
    return rows.cast(ACCOUNTS)

"""What a history comes to: points by reason, cash, rewards, campaigns, tiers; of events, and of an export in SQL.

Both count under the same names, so that they can be compared. It knows no rule.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import (
    CommandRejected,
    DrawEntered,
    DrawWon,
    PointEvent,
    PointExpired,
    PointGranted,
    PointRedeemed,
    PointRestored,
    PointRevoked,
    RewardIssued,
)
from loyalty_stream.domain.fold_points import ADJUSTMENT

if TYPE_CHECKING:
    import duckdb

Sums: TypeAlias = Counter[tuple[str, str]]
"""(measure, label) -> points, amount or number, as the measure is."""

RESULTS: Final = (
    "customer", "granted", "redeemed", "expired", "revoked", "restored", "available", "pending", "held", "debt",
    "tier",
)  # fmt: skip
"""What is told of each customer."""


class Tally:
    """Sums over the events of customers, one after the other; with a sign of -1 they are taken out again."""

    def __init__(self) -> None:
        self.sums: Sums = Counter()
        self._sign = 1
        self._campaigns: set[str] = set()
        self._met = False

    def begin(self, sign: int) -> None:
        """The next customer's events follow."""
        self._sign = sign
        self._campaigns.clear()
        self._met = False

    def watch(self, event: PointEvent) -> None:
        """Count one event."""
        data, sums, sign = event.data, self.sums, self._sign
        self._met = True
        kind = data.__class__  # once for every event of a history: a match would look through all cases
        if kind is PointGranted and isinstance(data, PointGranted):
            points = sign * data.points
            if data.campaign_id is not None:
                label = f"campaign {data.campaign_id}"
                self._campaigns.add(data.campaign_id)
            elif data.rule == ADJUSTMENT:
                label = "adjustment"
            else:
                label = data.reason.partition(", cut")[0]
            sums["granted", label] += points
        elif isinstance(data, PointRedeemed):
            sums["redeemed", _spent_on(data)] += sign * data.points
            sums["cash", ""] += sign * (data.amount or 0)
        elif isinstance(data, PointExpired):
            sums["expired", ""] += sign * data.points
        elif isinstance(data, PointRevoked):
            label = "adjustment" if data.command_id is not None else data.reason
            sums["revoked", label] += sign * data.points
        elif isinstance(data, PointRestored):
            sums["restored", ""] += sign * data.points
        elif isinstance(data, CommandRejected):
            sums["rejected", data.code] += sign
        elif isinstance(data, RewardIssued):
            sums["rewards", data.reward_id] += sign * data.quantity
        elif isinstance(data, DrawEntered):
            sums["entries", data.campaign_id] += sign
        elif isinstance(data, DrawWon):
            sums["prizes", data.prize] += sign

    def close(self, account: Account) -> None:
        """The customer's events are counted; this is what they led to."""
        if not self._met:
            return  # nothing has ever happened to them
        for campaign_id in self._campaigns:
            self.sums["campaign customers", campaign_id] += self._sign
        self.sums["tier", account.tier] += self._sign
        self.sums["customers", ""] += self._sign


def _spent_on(data: PointRedeemed) -> str:
    if data.redemption_id is not None:
        return "reward"
    if data.entry_id is not None:
        return "draw entry"
    return "order" if data.order_id is not None else "hold confirmed"


def result_of(customer: str, account: Account) -> tuple[str | int, ...]:
    """A row of `RESULTS`."""
    return (customer, *[getattr(account, name) for name in RESULTS[1:]])


ACTUAL_SUMS: Final = """
WITH told AS (
    SELECT CASE
            WHEN type = 'point-granted' THEN 'granted' WHEN type = 'point-redeemed' THEN 'redeemed'
            WHEN type = 'point-expired' THEN 'expired' WHEN type = 'point-revoked' THEN 'revoked'
            WHEN type = 'point-restored' THEN 'restored' WHEN type = 'command-rejected' THEN 'rejected'
            WHEN type = 'reward-issued' THEN 'rewards' WHEN type = 'draw-entered' THEN 'entries'
            WHEN type = 'draw-won' THEN 'prizes' END AS measure,
        CASE type
            WHEN 'point-granted' THEN CASE
                WHEN campaign_id IS NOT NULL THEN 'campaign ' || campaign_id
                WHEN rule = 'adjust-points' THEN 'adjustment'
                ELSE split_part(reason, ', cut', 1) END
            WHEN 'point-redeemed' THEN CASE
                WHEN redemption_id IS NOT NULL THEN 'reward' WHEN entry_id IS NOT NULL THEN 'draw entry'
                WHEN order_id IS NOT NULL THEN 'order' ELSE 'hold confirmed' END
            WHEN 'point-revoked' THEN
                CASE WHEN json_exists(data, '$.command_id') THEN 'adjustment' ELSE reason END
            WHEN 'command-rejected' THEN code
            WHEN 'reward-issued' THEN reward_id
            WHEN 'draw-entered' THEN campaign_id
            WHEN 'draw-won' THEN data->>'prize'
            ELSE '' END AS label,
        CASE type
            WHEN 'command-rejected' THEN 1 WHEN 'draw-entered' THEN 1 WHEN 'draw-won' THEN 1
            WHEN 'reward-issued' THEN (data->>'quantity')::BIGINT ELSE points END AS value,
        amount, customer, campaign_id, type
    FROM once
)
SELECT measure, label, sum(value)::BIGINT FROM told WHERE measure IS NOT NULL GROUP BY ALL
UNION ALL SELECT 'cash', '', coalesce(sum(amount), 0)::BIGINT FROM told WHERE measure = 'redeemed'
UNION ALL SELECT 'campaign customers', campaign_id, count(DISTINCT customer) FROM told
    WHERE measure = 'granted' AND campaign_id IS NOT NULL GROUP BY ALL
UNION ALL SELECT 'tier', tier, count(*) FROM actual GROUP BY ALL
UNION ALL SELECT 'customers', '', count(*) FROM actual
"""
"""The same sums of the export, over the table `once` of its point events and `actual` of its customers."""

ACTUAL: Final = """
CREATE TEMP TABLE actual AS
SELECT customer,
    coalesce(sum(points) FILTER (type = 'point-granted'), 0)::BIGINT AS granted,
    coalesce(sum(points) FILTER (type = 'point-redeemed'), 0)::BIGINT AS redeemed,
    coalesce(sum(points) FILTER (type = 'point-expired'), 0)::BIGINT AS expired,
    coalesce(sum(points) FILTER (type = 'point-revoked'), 0)::BIGINT AS revoked,
    coalesce(sum(points) FILTER (type = 'point-restored'), 0)::BIGINT AS restored,
    arg_max(available, "offset") AS available, arg_max(pending, "offset") AS pending,
    arg_max(held, "offset") AS held, arg_max(debt, "offset") AS debt,
    CASE WHEN bool_or(note_kind = 'erased') THEN ''
        ELSE coalesce(arg_max(coalesce(tier_to, ''), "offset") FILTER (type = 'tier-changed'), '') END AS tier
FROM once GROUP BY customer
"""

ONCE: Final = """
CREATE TEMP VIEW once AS SELECT * FROM points_events
QUALIFY row_number() OVER (PARTITION BY customer, id ORDER BY "offset") = 1
"""
"""On a broker without transactions an event can be there twice."""


def actual_sums(connection: "duckdb.DuckDBPyConnection") -> Sums:
    """What was, over all point events; makes the table `actual` with a row of `RESULTS` for each customer."""
    repeated = connection.execute("SELECT count(*) > count(DISTINCT id) FROM points_events").fetchone()
    once = ONCE if repeated is not None and repeated[0] else "CREATE TEMP VIEW once AS FROM points_events"
    connection.execute(once)
    connection.execute(ACTUAL)
    sums: Sums = Counter()
    for measure, label, value in connection.execute(ACTUAL_SUMS).fetchall():
        sums[measure, label] += value or 0
    return sums

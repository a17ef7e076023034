"""What a history comes to: points by reason, cash, rewards, campaigns, tiers; of events, and of an export in SQL.

Both count under the same names, so that they can be compared. It knows no rule.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import (
    AccountNoted,
    CommandRejected,
    DrawEntered,
    DrawWon,
    PointEvent,
    PointEventData,
    PointExpired,
    PointGranted,
    PointRedeemed,
    PointRestored,
    PointRevoked,
    RewardIssued,
)
from loyalty_stream.domain.fold_points import ADJUSTMENT, GRANT

if TYPE_CHECKING:
    import duckdb

Sums: TypeAlias = Counter[tuple[str, str]]
"""(measure, label) -> points, amount or number, as the measure is."""

RESULTS: Final = (
    "customer", "granted", "redeemed", "expired", "revoked", "restored", "available", "pending", "held", "debt",
    "tier",
)  # fmt: skip
"""What is told of each customer."""
TEXTS: Final = frozenset({"customer", "tier"})
LEADERBOARD: Final = "leaderboard"
"""What points for places on boards are summed under; their reasons name the ranks."""
BOARD_REWARD: Final = "board:"
"""What the ids begin with that they are granted under (`standings.reward_id`)."""
CUT: Final = ", cut"
"""What the reason of a grant goes on with that a limit or a budget has cut."""


class Tally:
    """Sums over the events of customers, one after the other; with a sign of -1 they are taken out again."""

    def __init__(self) -> None:
        self._granted: dict[str, int] = {}
        """By label; of all other measures:"""
        self._others: dict[tuple[str, str], int] = {}
        self._sign = 1
        self._campaigns: set[str] = set()
        self._met = False

    def begin(self, sign: int) -> None:
        """The next customer's events follow."""
        self._sign = sign
        self._campaigns.clear()
        self._met = False

    def watch(self, events: list[PointEvent]) -> None:
        """Count events of the customer."""
        self._met = True
        for event in events:
            data = event.data
            kind = data.__class__  # once for every event of a history: most are of these two
            if kind is PointGranted and isinstance(data, PointGranted):
                self._count_grant(data)
            elif kind is not AccountNoted:
                self._count(data)

    def _count_grant(self, data: PointGranted) -> None:
        campaign_id = data.campaign_id
        if campaign_id is not None:
            label = f"campaign {campaign_id}"
            self._campaigns.add(campaign_id)
        elif data.rule == ADJUSTMENT:
            label = "adjustment"
        elif data.rule == GRANT and (data.command_id or "").startswith(BOARD_REWARD):
            label = LEADERBOARD
        else:
            label = data.reason
            if CUT in label:
                label = label[: label.index(CUT)]
        self._granted[label] = self._granted.get(label, 0) + self._sign * data.points

    def _count(self, data: PointEventData) -> None:
        if isinstance(data, PointRedeemed):
            self._add("redeemed", _spent_on(data), data.points)
            self._add("cash", "", data.amount or 0)
        elif isinstance(data, PointExpired):
            self._add("expired", "", data.points)
        elif isinstance(data, PointRevoked):
            self._add("revoked", "adjustment" if data.command_id is not None else data.reason, data.points)
        elif isinstance(data, PointRestored):
            self._add("restored", "", data.points)
        elif isinstance(data, CommandRejected):
            self._add("rejected", data.code, 1)
        elif isinstance(data, RewardIssued):
            self._add("rewards", data.reward_id, data.quantity)
        elif isinstance(data, DrawEntered):
            self._add("entries", data.campaign_id, 1)
        elif isinstance(data, DrawWon):
            self._add("prizes", data.prize, 1)

    def close(self, account: Account) -> None:
        """The customer's events are counted; this is what they led to."""
        if not self._met:
            return  # nothing has ever happened to them
        for campaign_id in self._campaigns:
            self._add("campaign customers", campaign_id, 1)
        self._add("tier", account.tier, 1)
        self._add("customers", "", 1)

    def sums(self) -> Sums:
        """All that was counted."""
        found: Sums = Counter(self._others)
        found.update({("granted", label): points for label, points in self._granted.items()})
        return found

    def _add(self, measure: str, label: str, value: int) -> None:
        key = (measure, label)
        self._others[key] = self._others.get(key, 0) + self._sign * value


def _spent_on(data: PointRedeemed) -> str:
    if data.redemption_id is not None:
        return "reward"
    if data.entry_id is not None:
        return "draw entry"
    return "order" if data.order_id is not None else "hold confirmed"


def result_of(customer: str, account: Account) -> tuple[str | int, ...]:
    """A row of `RESULTS`."""
    return (
        customer,
        account.granted,
        account.redeemed,
        account.expired,
        account.revoked,
        account.restored,
        account.available,
        account.pending,
        account.held,
        account.debt,
        account.tier,
    )


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
                WHEN rule = 'grant-points' AND starts_with(data->>'command_id', 'board:') THEN 'leaderboard'
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

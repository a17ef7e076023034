"""What other rules would have changed: points, value, customers up and down, campaigns, against what was.

It compares sums of the same names and customers' results; it must not know how they were come by.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from msgspec import Struct

from loyalty_stream.analysis.what_if.passes import Replayed, replay_all
from loyalty_stream.analysis.what_if.tally import LEADERBOARD, Sums, actual_sums
from loyalty_stream.analysis.what_if.turns import History, lay_out
from loyalty_stream.app.campaign_topic import LiveRules
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.domain.announcements import CampaignPublished, CampaignWithdrawn
from loyalty_stream.domain.rules import Rules

if TYPE_CHECKING:
    import duckdb

SHARDS_A_PROCESS: Final = 4
"""So that a process whose customers are quiet takes over some of the others'."""
POINTS: Final = (
    "granted",
    "redeemed",
    "expired",
    "revoked",
    "restored",
    "available",
    "pending",
    "held",
    "debt",
)


class Change(Struct, frozen=True):
    """A figure as it was, and as it would have been."""

    was: int
    would_be: int


class CustomerChange(Struct, frozen=True):
    """A customer's points that were or can still be spent, what is owed taken off."""

    customer: str
    was: int
    would_be: int


class CampaignChange(Struct, frozen=True):
    """One campaign: customers who were granted points by it, these points, and entries to its draw."""

    campaign_id: str
    customers: Change
    points: Change
    entries: Change


class Difference(Struct, kw_only=True):
    """The history as it was, and as it would have been. Points, and amounts in minor units."""

    facts: int
    since: datetime | None
    """From when on the other rules hold; null: from the start."""
    identical: bool
    """No sum and no customer's account differs."""
    customers: Change
    points: dict[str, Change]
    outstanding: Change
    """Available, pending and held."""
    liability_amount: Change
    """What is outstanding at the programme's cost of a point."""
    cash_amount: Change
    """The cash value of points spent on orders."""
    by_reason: dict[str, dict[str, Change]]
    """Of granted, redeemed and revoked points: by reason."""
    rejections: dict[str, Change]
    """Commands that were refused, by code."""
    rewards: dict[str, Change]
    """Pieces issued, by reward."""
    prizes: dict[str, Change]
    """Entries that won, by prize."""
    tiers: dict[str, Change]
    """Customers in the end, by tier; empty: none."""
    campaigns: list[CampaignChange]
    better_off: int
    worse_off: int
    as_before: int
    most_better_off: list[CustomerChange]
    most_worse_off: list[CustomerChange]
    board_rewards_kept: bool
    """There are points for places on leaderboards; they are as they were, places are not worked out anew."""
    refused_facts: int
    """Facts that the rules did not take."""
    failed_facts: int
    """Facts that could not be applied, which the ledger sets aside as `processing_failed`."""
    passes: int
    replayed_again: int
    """Customers replayed once more because others took what they had counted on."""


def what_if(
    connection: "duckdb.DuckDBPyConnection",
    rules: Rules,
    *,
    since: datetime | None = None,
    processes: int,
    examples: int = 5,
    progress: Callable[[float], None] = lambda _: None,
) -> Difference:
    """Replay the history of a source under `rules`, from `since` on, and compare it with what was.

    Raises MendableError where there is no history.
    """
    with TemporaryDirectory(prefix="loyalty-what-if-") as made:
        history = lay_out(connection, Path(made), SHARDS_A_PROCESS * processes, since)
        if not history.facts:
            raise MendableError("there are no facts to replay; is this the right export, or the right Kafka?")
        replayed = replay_all(history, _with_published(rules, history), processes, progress)
    actual = actual_sums(connection)
    return _compared(connection, rules, history, replayed, actual, since, examples)


def _with_published(rules: Rules, history: History) -> Rules:
    """The rules with the campaigns that were published meanwhile, as far as they are right under these rules."""
    live = LiveRules(rules)
    for each in history.announcements:
        if isinstance(each.fact, CampaignPublished | CampaignWithdrawn):
            live.hear(each.fact)
    return live.current


def _compared(
    connection: "duckdb.DuckDBPyConnection",
    rules: Rules,
    history: History,
    replayed: Replayed,
    actual: Sums,
    since: datetime | None,
    examples: int,
) -> Difference:
    tables = [
        table.append_column("pass", pa.repeat(pa.scalar(number, pa.int64()), len(table)))
        for number, table in enumerate(replayed.results)
    ]
    results = pa.concat_tables(tables)  # noqa: F841 - DuckDB finds it by its name
    connection.execute(_REPLAYED)
    connection.execute(_BOTH)
    points = {name: Change(*_sums(connection, name)) for name in POINTS}
    outstanding = Change(
        *[
            sum([getattr(points[name], side) for name in ("available", "pending", "held")])
            for side in ("was", "would_be")
        ]
    )
    by = _by_measure(actual, replayed.sums)
    counts = connection.execute(_COUNTS).fetchone()
    assert counts is not None  # it counts
    better, worse, same, differ = counts
    cost = rules.unit_cost_amount
    return Difference(
        facts=history.facts,
        since=since,
        identical=not differ and actual == replayed.sums,
        customers=by.get("customers", {}).get("", Change(0, 0)),
        points=points,
        outstanding=outstanding,
        liability_amount=Change(outstanding.was * cost, outstanding.would_be * cost),
        cash_amount=by.get("cash", {}).get("", Change(0, 0)),
        by_reason={name: by.get(name, {}) for name in ("granted", "redeemed", "revoked")},
        rejections=by.get("rejected", {}),
        rewards=by.get("rewards", {}),
        prizes=by.get("prizes", {}),
        tiers=by.get("tier", {}),
        campaigns=_campaigns(by),
        better_off=better,
        worse_off=worse,
        as_before=same,
        most_better_off=_examples(connection, "DESC", examples),
        most_worse_off=_examples(connection, "ASC", examples),
        board_rewards_kept=LEADERBOARD in by.get("granted", {}),
        refused_facts=replayed.refused,
        failed_facts=replayed.failed,
        passes=replayed.passes,
        replayed_again=replayed.again,
    )


_REPLAYED: Final = """
CREATE TEMP TABLE replayed AS SELECT * EXCLUDE (pass) FROM results
QUALIFY row_number() OVER (PARTITION BY customer ORDER BY pass DESC) = 1
"""

_BOTH: Final = """
CREATE TEMP TABLE both_ways AS
SELECT customer,
    coalesce(actual.granted, 0) AS was_granted, coalesce(replayed.granted, 0) AS now_granted,
    coalesce(actual.redeemed, 0) AS was_redeemed, coalesce(replayed.redeemed, 0) AS now_redeemed,
    coalesce(actual.expired, 0) AS was_expired, coalesce(replayed.expired, 0) AS now_expired,
    coalesce(actual.revoked, 0) AS was_revoked, coalesce(replayed.revoked, 0) AS now_revoked,
    coalesce(actual.restored, 0) AS was_restored, coalesce(replayed.restored, 0) AS now_restored,
    coalesce(actual.available, 0) AS was_available, coalesce(replayed.available, 0) AS now_available,
    coalesce(actual.pending, 0) AS was_pending, coalesce(replayed.pending, 0) AS now_pending,
    coalesce(actual.held, 0) AS was_held, coalesce(replayed.held, 0) AS now_held,
    coalesce(actual.debt, 0) AS was_debt, coalesce(replayed.debt, 0) AS now_debt,
    coalesce(actual.tier, '') AS was_tier, coalesce(replayed.tier, '') AS now_tier,
    was_available + was_pending + was_held + was_redeemed - was_restored - was_debt AS was,
    now_available + now_pending + now_held + now_redeemed - now_restored - now_debt AS would_be
FROM actual FULL JOIN replayed USING (customer)
"""

_DIFFER: Final = " OR ".join(f"was_{name} <> now_{name}" for name in (*POINTS, "tier"))

_COUNTS: Final = f"""
SELECT count(*) FILTER (would_be > was), count(*) FILTER (would_be < was), count(*) FILTER (would_be = was),
    count(*) FILTER ({_DIFFER})
FROM both_ways
"""


def _sums(connection: "duckdb.DuckDBPyConnection", name: str) -> tuple[int, int]:
    query = (
        f"SELECT coalesce(sum(was_{name}), 0)::BIGINT, coalesce(sum(now_{name}), 0)::BIGINT FROM both_ways"
    )
    row = connection.execute(query).fetchone()
    assert row is not None  # it sums
    return row[0], row[1]


def _examples(connection: "duckdb.DuckDBPyConnection", order: str, count: int) -> list[CustomerChange]:
    sign = ">" if order == "DESC" else "<"
    query = (
        f"SELECT customer, was::BIGINT, would_be::BIGINT FROM both_ways WHERE would_be {sign} was "
        f"ORDER BY would_be - was {order}, customer LIMIT {count}"
    )
    return [CustomerChange(*row) for row in connection.execute(query).fetchall()]


def _by_measure(was: Sums, would_be: Sums) -> dict[str, dict[str, Change]]:
    found: dict[str, dict[str, Change]] = {}
    for measure, label in sorted(was.keys() | would_be.keys()):
        change = Change(was[measure, label], would_be[measure, label])
        found.setdefault(measure, {})[label] = change
    return found


def _campaigns(by: dict[str, dict[str, Change]]) -> list[CampaignChange]:
    customers, entries = by.get("campaign customers", {}), by.get("entries", {})
    granted = by.get("granted", {})
    nothing = Change(0, 0)
    return [
        CampaignChange(
            campaign_id,
            customers.get(campaign_id, nothing),
            granted.get(f"campaign {campaign_id}", nothing),
            entries.get(campaign_id, nothing),
        )
        for campaign_id in sorted(customers.keys() | entries.keys())
    ]

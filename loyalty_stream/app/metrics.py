"""The worker's Prometheus metrics: what an operator needs at night, named by the field's terms.

They count what is committed. A registry of its own, so that tests and several workers in one process do not meet.
"""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from loyalty_stream import __version__
from loyalty_stream.app.allocation_counts import AllocationSink
from loyalty_stream.app.board_stage import BoardSink
from loyalty_stream.app.counting_stage import StatisticsSink
from loyalty_stream.app.counts_owner import NAME as COUNTS_OWNER
from loyalty_stream.app.ledger_counts import Counts, CountSink
from loyalty_stream.domain.facts import Fact
from loyalty_stream.engine.log import Guarantee
from loyalty_stream.engine.task import PartitionTask
from loyalty_stream.wire.topics import type_name

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_RECORDS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)

TaskView = Callable[[], Mapping[tuple[str, int], PartitionTask]]


class Metrics(CountSink, AllocationSink, BoardSink, StatisticsSink):
    """Observer of the engine and sink of the ledger's counts. `text` is what `/metrics` answers."""

    def __init__(self, guarantee: Guarantee, wall_ms: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._wall_ms = wall_ms
        r = self.registry
        self._in = Counter("loyalty_events_in", "Facts and commands applied, by type", ["type"], registry=r)
        self._out = Counter("loyalty_events_out", "Point events published, by type", ["type"], registry=r)
        self._duplicates = Counter("loyalty_duplicates", "Facts seen before, changing nothing", registry=r)
        self._unmatched = Counter(
            "loyalty_events_unmatched",
            "Refunds, cancellations and completions whose payment never came within the retention",
            registry=r,
        )
        self._points = Counter("loyalty_points", "Points moved, by the type of event", ["type"], registry=r)
        self._rejected = Counter(
            "loyalty_commands_rejected", "Commands rejected, by code", ["code"], registry=r
        )
        self._dead = Counter(
            "loyalty_dead_letters", "Records set aside, by reason code", ["reason"], registry=r
        )
        self._notified = Counter(
            "loyalty_notifications",
            "Notifications sent, by kind; suppressed: kept back by the daily cap, or told before",
            ["kind"],
            registry=r,
        )
        self._asked = Counter(
            "loyalty_allocation_requests",
            "Requests for stock and budgets sent by accounts; those not in events_in as allocation-answered are open",
            registry=r,
        )
        self._allocated = Counter(
            "loyalty_allocations",
            "Requests for stock and budgets, by outcome; cut: less than asked, repeated: answered before",
            ["outcome"],
            registry=r,
        )
        self._left = Gauge(
            "loyalty_allocation_left", "What is left of a stock or a budget", ["resource"], registry=r
        )
        self._scored = Counter(
            "loyalty_board_events",
            "Point events that leaderboards read, by outcome; late: after the close of a period that they belong to",
            ["outcome"],
            registry=r,
        )
        self._standings = Counter(
            "loyalty_board_standings",
            "Standings published, by board; final: closes of periods",
            ["board", "state"],
            registry=r,
        )
        self._rewarded = Counter("loyalty_board_rewards", "Points that ranks were rewarded with", registry=r)
        self._campaign = Gauge(
            "loyalty_campaign",
            "What was counted of a campaign so far, or of the whole programme, by measure; see docs/analytics.md",
            ["scope", "measure"],
            registry=r,
        )
        self._campaigns_of: dict[int, set[tuple[str, str]]] = {}
        """By partition of their owner: the gauges that are shown."""
        self._uncounted = Counter(
            "loyalty_events_uncounted",
            "Point events that could not be read and are in no campaign-stats; should stay 0",
            registry=r,
        )
        self._violations = Counter(
            "loyalty_invariant_violations",
            "Accounts that broke the law of conservation; must be 0",
            registry=r,
        )
        where = ["stage", "partition"]
        self._seconds = Histogram(
            "loyalty_transaction_seconds",
            "From a transaction's start to its commit",
            where,
            buckets=_SECONDS,
            registry=r,
        )
        self._records = Histogram(
            "loyalty_transaction_records",
            "Input records in a transaction",
            where,
            buckets=_RECORDS,
            registry=r,
        )
        self._changes = Counter("loyalty_changelog_records", "Accounts stored", where, registry=r)
        self._restarts = Counter(
            "loyalty_task_restarts",
            "Times a task dropped its state and restored, by error",
            [*where, "error"],
            registry=r,
        )
        self._restore_records = Gauge(
            "loyalty_restore_records", "Changelog records restored so far", where, registry=r
        )
        self._restore_seconds = Gauge(
            "loyalty_restore_seconds", "How long the last restore took", where, registry=r
        )
        in_force = Gauge("loyalty_guarantee", "1 for the guarantee in force", ["guarantee"], registry=r)
        for each in Guarantee:
            in_force.labels(each).set(each is guarantee)
        info = Gauge("loyalty_build_info", "1, with the version", ["version"], registry=r)
        info.labels(__version__).set(1)
        self._types: dict[type[Fact], str] = {}

    def watch(self, tasks: TaskView) -> None:
        """Read lag, time and readiness from the tasks whenever somebody asks for the metrics."""
        self.registry.register(_TaskCollector(tasks, self._wall_ms))

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    # -- the ledger's counts ----------------------------------------------------------------------------

    def add(self, partition: int, counts: Counts) -> None:  # noqa: ARG002 - not by partition: too many series
        for fact, count in counts.events_in.items():
            name = self._types.get(fact)
            if name is None:
                name = self._types[fact] = type_name(fact)
            self._in.labels(name).inc(count)
        for metric, values in (
            (self._out, counts.events_out),
            (self._points, counts.points),
            (self._rejected, counts.rejections),
            (self._dead, counts.dead_letters),
            (self._notified, counts.notified),
        ):
            for label, count in values.items():
                metric.labels(label).inc(count)
        self._duplicates.inc(counts.duplicates)
        self._unmatched.inc(counts.unmatched)
        self._asked.inc(counts.asked)

    def allocated(self, answers: Mapping[str, int], left: Mapping[str, int]) -> None:
        for outcome, count in answers.items():
            self._allocated.labels(outcome).inc(count)
        for resource, quantity in left.items():
            self._left.labels(resource).set(quantity)

    def boards_kept(self, counts: Mapping[str, int]) -> None:
        for outcome, count in counts.items():
            self._scored.labels(outcome).inc(count)

    def boards_published(self, changed: Mapping[str, int], closed: Mapping[str, int], points: int) -> None:
        for state, counts in (("running", changed), ("final", closed)):
            for board, count in counts.items():
                self._standings.labels(board, state).inc(count)
        self._rewarded.inc(points)

    def uncounted(self, events: int) -> None:
        self._uncounted.inc(events)

    def counted(self, partition: int, scope: str, measures: Mapping[str, int]) -> None:
        shown = self._campaigns_of.setdefault(partition, set())
        for measure, value in measures.items():
            shown.add((scope, measure))
            self._campaign.labels(scope, measure).set(value)

    def violation(self) -> None:
        self._violations.inc()

    # -- the engine's observer --------------------------------------------------------------------------

    def restoring(self, stage: str, partition: int, records: int) -> None:
        self._restore_records.labels(stage, partition).set(records)

    def restored(self, stage: str, partition: int, records: int, seconds: float) -> None:
        self._restore_records.labels(stage, partition).set(records)
        self._restore_seconds.labels(stage, partition).set(seconds)

    def committed(
        self, stage: str, partition: int, records: int, outputs: int, changes: int, seconds: float
    ) -> None:
        del outputs  # counted by type in `add`
        self._seconds.labels(stage, partition).observe(seconds)
        self._records.labels(stage, partition).observe(records)
        self._changes.labels(stage, partition).inc(changes)

    def started_over(self, stage: str, partition: int, error: str) -> None:
        self._restarts.labels(stage, partition, error).inc()

    def stopped(self, stage: str, partition: int) -> None:
        for metric in (self._restore_records, self._restore_seconds):
            metric.remove(stage, str(partition))
        if stage == COUNTS_OWNER:
            for labels in self._campaigns_of.pop(partition, ()):
                self._campaign.remove(*labels)


class _TaskCollector(Collector):
    """Gauges that are read from the tasks as they are."""

    def __init__(self, tasks: TaskView, wall_ms: Callable[[], int]) -> None:
        self._tasks = tasks
        self._wall_ms = wall_ms

    def collect(self) -> list[GaugeMetricFamily]:
        where = ["stage", "partition"]
        lag = GaugeMetricFamily(
            "loyalty_lag_records", "Input records not applied yet", labels=[*where, "topic"]
        )
        behind = GaugeMetricFamily(
            "loyalty_lag_seconds",
            "Wall clock less the time of the latest event applied, 0 without lag",
            labels=where,
        )
        ready = GaugeMetricFamily(
            "loyalty_partition_ready",
            "1 while restored and at work; 0 also while it waits for the campaigns topic",
            labels=where,
        )
        accounts = GaugeMetricFamily("loyalty_accounts", "Accounts in the table", labels=where)
        for (stage, partition), task in self._tasks().items():
            labels = [stage, str(partition)]
            lags = task.lag()
            for topic, records in lags.items():
                lag.add_metric([*labels, topic], records)
            seconds = (self._wall_ms() - task.time) / 1000 if any(lags.values()) else 0.0
            behind.add_metric(labels, max(0.0, seconds))
            ready.add_metric(labels, float(task.at_work))
            accounts.add_metric(labels, len(task.table))
        return [lag, behind, ready, accounts]

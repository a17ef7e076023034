"""The stages that count, on the log in memory: several partitions, any interleaving, a crash at any step."""

from collections import Counter
from collections.abc import Sequence
from itertools import count as numbers_from

import msgspec

from loyalty_stream.app.counting_stage import CountingStage, StatisticsSink
from loyalty_stream.app.counts_owner import CountsOwnerStage, MergedCodec
from loyalty_stream.domain.rules import Rules
from loyalty_stream.domain.statistics import Counted
from loyalty_stream.engine.task import TIME_KEY, PartitionTask
from loyalty_stream.wire import point_events, statistics
from loyalty_stream.wire.partitioning import partition_of
from tests.app.brute_counts import Numbers
from tests.engine.two_stages import SETTINGS, World


class CountingWorld(World):
    """Point events on their partitions, and the tasks that count them."""

    def __init__(self, rules: Rules, partitions: int, events: Sequence[bytes]) -> None:
        super().__init__(rules, partitions, ())
        seconds = numbers_from()
        self._stages = [
            CountingStage(SETTINGS, rules, partitions, StatisticsSink()),
            # A second is over with every tenth look at the clock, so what is told often waits over a crash.
            CountsOwnerStage(SETTINGS, rules, StatisticsSink(), lambda: next(seconds) * 0.1),
        ]
        for value in events:
            key = point_events.decode(value).subject.encode()
            self.broker.produce("points-events", partition_of(key, partitions), key, value)

    def _has_read_all(self, task: PartitionTask) -> bool:
        log = self.broker.logs[task.stage.changelog, task.partition]
        stored = {record.key: record.value for record in log if record.key != TIME_KEY}
        waits = task.stage.name == "counts-owner" and any(
            MergedCodec.decode(value).waits for value in stored.values() if value is not None
        )
        return super()._has_read_all(task) and not waits

    def published(self) -> dict[str, list[Counted]]:
        """What was published under each key, in order."""
        found: dict[str, list[Counted]] = {}
        for partition in range(self.partitions):
            for record in self.broker.logs["campaign-stats", partition]:
                found.setdefault((record.key or b"").decode(), []).append(statistics.decode(record.value))
        return found


def numbers(published: dict[str, list[Counted]]) -> Numbers:
    """The latest of each key, as `brute_counts` has it."""
    found: Numbers = {}
    for key, records in published.items():
        data = msgspec.structs.asdict(records[-1].data)
        counter: Counter[str] = Counter()
        for measure, value in data.items():
            if isinstance(value, dict):
                counter.update({f"{measure}:{reason}": number for reason, number in value.items()})
            elif isinstance(value, int) and measure not in {"cost_amount", "budget_points", "budget_left"}:
                counter[measure] = value
        scope, _, when = key.rpartition("@")
        if +counter:
            found[scope, when] = +counter
    return found

"""The tasks of one worker: made and ended as the group assigns partitions, and fed with their batches."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from loyalty_stream.engine.broadcast import Broadcast
from loyalty_stream.engine.kafka_log import KafkaLog
from loyalty_stream.engine.log import Batch
from loyalty_stream.engine.observer import Observer
from loyalty_stream.engine.stage import Stage
from loyalty_stream.engine.task import PartitionTask, TaskOptions

logger = logging.getLogger(__name__)

STOP_SECONDS = 20.0
"""How long a task may take to finish its transaction before it is cancelled: less than a session time-out."""

LogFactory = Callable[[Stage, int], KafkaLog]


class _Running:
    """A task with its log and the asyncio task that runs it."""

    def __init__(self, task: PartitionTask, log: KafkaLog) -> None:
        self.task = task
        self.log = log
        self.future = asyncio.create_task(task.run(), name=f"{task.stage.name}-{task.partition}")


class Tasks:
    """Every stage's partition tasks on this worker. `epoch` counts assignments; older batches are dropped."""

    def __init__(
        self,
        stages: Sequence[Stage],
        make_log: LogFactory,
        options: TaskOptions,
        observer: Observer,
        broadcast: Broadcast | None = None,
    ) -> None:
        self.epoch = 0
        self.assigned = False
        """The group has given us an assignment (it may be empty)."""
        self.sources: set[tuple[str, int]] = set()
        """Topic and partition of everything that is read."""
        self._stages = tuple(stages)
        self._readers: dict[str, list[Stage]] = {}
        """By input topic. What several stages read is fetched once; each commits its own offsets."""
        for stage in stages:
            for topic in stage.inputs:
                self._readers.setdefault(topic, []).append(stage)
        self._make_log = make_log
        self._options = options
        self._observer = observer
        self._broadcast = broadcast
        self._running: dict[tuple[str, int], _Running] = {}
        self._ends: dict[tuple[str, int], tuple[int, int]] = {}

    # -- what the group decides -------------------------------------------------------------------------

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Start a task for each stage and partition whose input topics are all here."""
        self.epoch += 1
        given = set(partitions)
        self._ends.clear()
        for stage in self._stages:
            for partition in sorted({p for topic, p in given if topic in stage.inputs}):
                missing = [topic for topic in stage.inputs if (topic, partition) not in given]
                if missing:
                    logger.error(
                        "%s-%d is not started: partition %d of %s is assigned elsewhere. "
                        "Do all input topics have the same number of partitions?",
                        stage.name, partition, partition, ", ".join(missing),
                    )  # fmt: skip
                    continue
                log = self._make_log(stage, partition)
                task = PartitionTask(stage, partition, log, self._options, self._observer, self._broadcast)
                self._running[stage.name, partition] = _Running(task, log)
        self.sources = {
            (topic, running.task.partition)
            for running in self._running.values()
            for topic in running.task.stage.inputs
        }
        self.assigned = True

    async def revoke(self) -> None:
        """End all tasks; each finishes its transaction. Partitions that stay come back with `assign`."""
        self.epoch += 1
        running, self._running, self.sources = self._running, {}, set()
        for each in running.values():
            each.task.stop()
        if running:
            _, late = await asyncio.wait([each.future for each in running.values()], timeout=STOP_SECONDS)
            for future in late:
                logger.warning("%s did not end within %g s; cancelled", future.get_name(), STOP_SECONDS)
                future.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for each in running.values():
            await each.log.close()
            self._observer.stopped(each.task.stage.name, each.task.partition)

    # -- what the transport brings ----------------------------------------------------------------------

    def deliver(self, batch: Batch) -> None:
        """Hand a batch to its tasks; one of an older assignment is dropped, the new one reads it again."""
        if batch.epoch != self.epoch:
            return
        for running in self._reading(batch.topic, batch.partition):
            running.log.deliver(batch)

    def has_room(self, topic: str, partition: int) -> bool:
        """Whether the tasks of this partition that read this topic all want more of it."""
        reading = self._reading(topic, partition)
        return bool(reading) and all(running.log.has_room(topic) for running in reading)

    async def starts(self) -> Mapping[tuple[str, int], int | None]:
        """From where each topic and partition is to be read; None: from its beginning. Raises LogError.

        Of several readers the one that is furthest behind decides; the others drop what they have applied.
        """
        starts: dict[tuple[str, int], int | None] = {}
        for running in list(self._running.values()):
            committed = await running.log.starts()
            for topic in running.task.stage.inputs:
                where = (topic, running.task.partition)
                offset = committed.get(topic)
                known = starts.get(where, offset)
                starts[where] = None if offset is None or known is None else min(offset, known)
        return starts

    def _reading(self, topic: str, partition: int) -> list[_Running]:
        found = [self._running.get((stage.name, partition)) for stage in self._readers[topic]]
        return [running for running in found if running is not None]

    async def wait_for_room(self, seconds: float) -> None:
        """Wait a little: some task is about to commit."""
        await asyncio.sleep(min(seconds, 0.005))

    def is_news(self, batch: Batch) -> bool:
        """Whether an empty batch tells of a position or an end that was not known."""
        known = (batch.position, batch.end)
        where = (batch.topic, batch.partition)
        if self._ends.get(where) == known:
            return False
        self._ends[where] = known
        return True

    # -- what others ask --------------------------------------------------------------------------------

    @property
    def topics(self) -> Sequence[str]:
        """Everything that any stage reads."""
        return tuple(self._readers)

    @property
    def ready(self) -> bool:
        """Whether every assigned partition is restored and at work."""
        return self.assigned and all(each.task.at_work for each in self._running.values())

    def all(self) -> Mapping[tuple[str, int], PartitionTask]:
        """The tasks by stage name and partition."""
        return {where: each.task for where, each in self._running.items()}

"""How fast a worker works off a backlog: the measurement that several benchmarks share.

The worker is started on empty topics and stopped (SIGSTOP) once it is ready; the backlog is written; then it
goes on. So neither its start nor the writing of the backlog counts, and all of its reading does.
"""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import NamedTuple

from benchmarks import machine
from benchmarks.cluster import Cluster, Placed, worker
from loyalty_stream.app.settings import Settings


class Drain(NamedTuple):
    """What it took to work off so many records."""

    records: int
    cpu_seconds: float
    wall_seconds: float

    @property
    def per_cpu_second(self) -> float:
        """Input records per second of processor time, user and system."""
        return self.records / self.cpu_seconds

    @property
    def per_second(self) -> float:
        """Input records per second of the clock on the wall."""
        return self.records / self.wall_seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time for one record."""
        return self.cpu_seconds / self.records * 1e6

    def __add__(self, other: object) -> "Drain":
        """Both together."""
        if not isinstance(other, Drain):
            return NotImplemented
        cpu_seconds = self.cpu_seconds + other.cpu_seconds
        return Drain(self.records + other.records, cpu_seconds, self.wall_seconds + other.wall_seconds)


async def drain(
    cluster: Cluster,
    placed: Placed,
    settings: Settings,
    before: Callable[[int], Awaitable[None]] | None = None,
) -> Drain:
    """Let a fresh worker work off `placed` in a deployment whose topics are empty.

    `before` is called with the number of records once they are there, while the worker still stands.
    """
    async with worker(settings) as program:
        program.suspend()
        records = await cluster.produce_inputs(placed, settings)
        if before is not None:
            await before(records)
        cpu, wall = machine.cpu_seconds(program.pid), monotonic()
        program.resume()
        ended = await cluster.await_committed(settings, records)
        return Drain(records, machine.cpu_seconds(program.pid) - cpu, ended - wall)

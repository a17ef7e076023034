"""A real Kafka for the length of a benchmark, deployments on it, and the programs that run against it.

It knows topics, offsets and processes; what is measured is the benchmarks' affair.
"""

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.workload import PROGRAMME, Input
from loyalty_stream.app import topics
from loyalty_stream.app.local_broker import choose_local_broker
from loyalty_stream.app.local_broker.loopback import free_port
from loyalty_stream.app.settings import INPUTS, Settings
from loyalty_stream.engine.task import Clock
from loyalty_stream.wire.partitioning import partition_of

PARTITIONS: Final = 4
LEDGER: Final = ("ledger", "allocation")
"""The stages that are measured: analytics and leaderboards can run in workers of their own."""
BATCH_BYTES: Final = 900_000
_ROOT: Final = Path(__file__).resolve().parent.parent
_STARTS_WITHIN_SECONDS: Final = 120.0
_ENDS_WITHIN_SECONDS: Final = 600.0

Placed = Mapping[tuple[str, int], list[tuple[bytes, bytes]]]
"""Topic kind and partition -> keys and values, in order."""


def place(inputs: Iterable[Input], partitions: int = PARTITIONS) -> Placed:
    """Inputs by topic and partition."""
    placed = defaultdict[tuple[str, int], list[tuple[bytes, bytes]]](list)
    of_key: dict[bytes, int] = {}
    for each in inputs:
        partition = of_key.get(each.key)
        if partition is None:
            partition = of_key[each.key] = partition_of(each.key, partitions)
        placed[each.topic, partition].append((each.key, each.value))
    return placed


@dataclass(slots=True)
class Cluster:
    """One running Kafka. `deployment` names a fresh set of topics on it."""

    bootstrap_servers: str
    _admin: AIOKafkaAdminClient
    _deployments: int = 0

    async def deployment(
        self,
        partitions: int = PARTITIONS,
        guarantee: str = "exactly_once",
        programme: Path = PROGRAMME,
        stages: tuple[str, ...] = LEDGER,
    ) -> Settings:
        """Settings of a deployment that has its topics, all empty, and nothing else."""
        self._deployments += 1
        name = f"bench-{os.getpid()}-{self._deployments}"
        settings = Settings(
            bootstrap_servers=self.bootstrap_servers,
            app_id=name,
            topic_prefix=f"{name}-",
            programme=programme,
            clock=Clock.EVENTS,
            stages=stages,
            guarantee=guarantee,
            web_port=free_port(),
            session_timeout=60.0,  # it is stopped while its backlog is written
        )
        await topics.create(settings, partitions, 1)
        return settings

    async def create(self, name: str, partitions: int) -> None:
        """Create a topic that belongs to no deployment."""
        await self._admin.create_topics([NewTopic(name, partitions, 1)])

    async def forget(self, settings: Settings, *more: str) -> None:
        """Delete a deployment's topics."""
        await self._admin.delete_topics([*(each.name for each in topics.plan(settings, 1)), *more])

    async def produce(self, placed: Placed, names: Mapping[str, str]) -> None:
        """Write everything, in large batches; `names` are the topics' names by kind."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            max_batch_size=BATCH_BYTES,
            max_request_size=4 * BATCH_BYTES,
        )
        await producer.start()
        try:
            sent = []
            for (kind, partition), records in placed.items():
                batch = producer.create_batch()
                for key, value in records:
                    if batch.append(timestamp=None, key=key, value=value) is None:
                        sent.append(await producer.send_batch(batch, names[kind], partition=partition))
                        batch = producer.create_batch()
                        batch.append(timestamp=None, key=key, value=value)
                sent.append(await producer.send_batch(batch, names[kind], partition=partition))
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def produce_inputs(self, placed: Placed, settings: Settings) -> int:
        """Write a backlog to a deployment's input topics; returns the number of records."""
        await self.produce(placed, {kind: settings.topic(kind) for kind in INPUTS})
        return sum(map(len, placed.values()))

    async def await_committed(self, settings: Settings, records: int) -> float:
        """Wait until the deployment's group has committed so many records; returns `monotonic()` then."""
        deadline = monotonic() + _ENDS_WITHIN_SECONDS
        coordinator = await self._admin.find_coordinator(settings.app_id)
        inputs = {settings.topic(kind) for kind in INPUTS}
        while True:
            offsets = await self._admin.list_consumer_group_offsets(settings.app_id, coordinator)
            now = monotonic()
            done = sum(at.offset for tp, at in offsets.items() if tp.topic in inputs and at.offset > 0)
            if done >= records:
                return now
            if now > deadline:
                raise TimeoutError(f"{settings.app_id} has committed {done} of {records} records")
            await asyncio.sleep(0.03)


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    """A real Kafka on loopback, gone at the end."""
    with choose_local_broker("apache-kafka") as broker:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
        await admin.start()
        try:
            yield Cluster(broker.bootstrap_servers, admin)
        finally:
            await admin.close()


class Program:
    """A program of this package in a process of its own, which says what it has to say as lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, module: str, **arguments: Any) -> Self:
        """Start `benchmarks.<module>` with its arguments as one object of JSON."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"benchmarks.{module}",
            json.dumps(arguments),
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
            limit=64 * 1024 * 1024,
        )
        return cls(process)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 30)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def said(self) -> dict[str, Any]:
        """The next line; RuntimeError when the program ends without it."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _ENDS_WITHIN_SECONDS)
        while line and not line.startswith(b"{"):  # Faust's banner
            line = await asyncio.wait_for(self._process.stdout.readline(), _ENDS_WITHIN_SECONDS)
        if not line:
            raise RuntimeError(
                f"the program ended, exit status {await self._process.wait()}; see its errors above"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    def suspend(self) -> None:
        """Stop it where it is (SIGSTOP)."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Program]:
    """A worker of this deployment, ready."""
    arguments = {
        "bootstrap_servers": settings.bootstrap_servers,
        "app_id": settings.app_id,
        "topic_prefix": settings.topic_prefix,
        "guarantee": settings.guarantee,
        "stages": settings.stages,
        "web_port": settings.web_port,
        "session_timeout": settings.session_timeout,
        "programme": str(settings.programme),
        "tables": None if settings.tables is None else str(settings.tables),
    }
    async with await Program.start("worker_process", **arguments) as program:
        deadline = monotonic() + _STARTS_WITHIN_SECONDS
        while not await asyncio.to_thread(_is_ready, settings.web_port):
            if program.exit_status is not None:
                raise RuntimeError(
                    f"the worker ended, exit status {program.exit_status}; see its errors above"
                )
            if monotonic() > deadline:
                raise TimeoutError(f"the worker was not ready within {_STARTS_WITHIN_SECONDS:g} s")
            await asyncio.sleep(0.1)
        yield program


def metric(settings: Settings, name: str) -> list[float]:
    """All values of a metric of the deployment's worker."""
    url = f"http://{settings.web_host}:{settings.web_port}/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return [float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} "))]


def now_ms() -> int:
    """The wall clock, in ms since 1970."""
    return time_ns() // 1_000_000


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:  # urllib's errors are; 503 says not yet
        return False

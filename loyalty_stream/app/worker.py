"""The worker: a Faust app with our transport, agents, tasks, metrics and web pages."""

import asyncio
import logging
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust

from loyalty_stream.app import agents, guarantee, topics, web
from loyalty_stream.app.allocation import AllocationStage
from loyalty_stream.app.board_owner import LeaderboardStage
from loyalty_stream.app.board_stage import BoardStage
from loyalty_stream.app.counting_stage import CountingStage
from loyalty_stream.app.counts_owner import CountsOwnerStage
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.metrics import Metrics
from loyalty_stream.app.pseudonyms import ledger_stage
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine import process_memory
from loyalty_stream.engine.broadcast import KafkaBroadcast
from loyalty_stream.engine.kafka_log import KafkaLog, KafkaSettings
from loyalty_stream.engine.log import Guarantee
from loyalty_stream.engine.own_offsets import OwnOffsets
from loyalty_stream.engine.stage import Stage
from loyalty_stream.engine.task import TaskOptions
from loyalty_stream.engine.tasks import Tasks
from loyalty_stream.engine.transport import BatchTransport, FaustGroup

logger = logging.getLogger(__name__)


class CannotStartError(MendableError):
    """The surroundings are not fit for a worker; the message says what to do."""


def wall_ms() -> int:
    """The wall clock, in ms since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Worker:
    """The parts of a worker, wired."""

    app: Any
    tasks: Tasks
    metrics: Metrics
    guarantee: Guarantee


async def partitions_of(settings: Settings) -> int:
    """The common number of partitions; CannotStartError where topics are missing or differ."""
    counts = await topics.partition_counts(settings)
    leader = topics.leader_topic(settings)
    needed = [each.name for each in topics.plan(settings, 1) if each.name != leader]
    if missing := [name for name in needed if name not in counts]:
        raise CannotStartError(
            f"topics are missing on {settings.bootstrap_servers}: {', '.join(missing)}. "
            "Create them with `loyalty-stream topics create`"
        )
    numbers = {counts[name] for name in needed}
    if len(numbers) > 1:
        raise CannotStartError(
            "topics have different numbers of partitions, so a customer's events would not meet: "
            + ", ".join(f"{name} {counts[name]}" for name in needed)
        )
    return numbers.pop()


def build(
    settings: Settings, rules: Rules, partitions: int, guaranteed: Guarantee, faust_directory: Path
) -> Worker:
    """Wire a worker. Starting it is Faust's affair: `run`. Faust insists on a directory and keeps nothing in it."""
    app = _faust_app(settings, faust_directory)
    kafka = KafkaSettings(settings.bootstrap_servers, guaranteed, connection=settings.connection)
    metrics = Metrics(guaranteed, wall_ms)
    stages = _stages(settings, rules, partitions, metrics)
    members = FaustGroup(app, kafka)
    own_offsets = {
        stage.name: OwnOffsets(members, settings.offsets_of(stage.name), kafka)
        for stage in stages
        if settings.offsets_of(stage.name) != members.id
    }

    def make_log(stage: Stage, partition: int) -> KafkaLog:
        group = own_offsets.get(stage.name, members)
        transactional_id = settings.transactional_id(stage.name, partition)
        return KafkaLog(kafka, group, transactional_id, partition, stage.inputs, stage.changelog, wall_ms)

    options = TaskOptions(
        batch_records=settings.batch_records,
        cached_states=max(500, settings.cached_accounts // partitions),
        tables=settings.tables,
        clock=settings.clock,
        wall_ms=wall_ms,
    )
    broadcasts = dict.fromkeys(topic for stage in stages for topic in stage.broadcasts)
    broadcast = KafkaBroadcast(kafka, tuple(broadcasts), partitions)
    tasks = Tasks(stages, make_log, options, metrics, broadcast)
    metrics.watch(tasks.all)
    app.transport = BatchTransport(app.conf.broker_consumer, app, kafka, tasks)
    agents.declare(app, settings, tasks)
    web.declare(app, metrics, tasks)

    @app.on_partitions_assigned.connect
    async def assigned(_: Any, partitions: set[Any], **__: Any) -> None:
        tasks.assign((tp.topic, tp.partition) for tp in partitions)
        logger.info("assigned: partitions %s", sorted({tp.partition for tp in partitions}))

    @app.on_partitions_revoked.connect
    async def revoked(_: Any, partitions: set[Any], **__: Any) -> None:
        del partitions  # the group's protocol is eager: all of them go
        await tasks.revoke()

    @app.on_before_shutdown.connect
    async def stopping(_: Any, **__: Any) -> None:
        logger.info("stopping: each partition finishes its transaction")
        await tasks.revoke()
        await broadcast.stop()
        for each in own_offsets.values():
            await each.stop()
        await members.stop()

    return Worker(app, tasks, metrics, guaranteed)


def _stages(settings: Settings, rules: Rules, partitions: int, metrics: Metrics) -> list[Stage]:
    """The stages that the settings name."""
    made: list[Stage] = []
    if "ledger" in settings.stages:
        made.append(ledger_stage(settings, rules, partitions, metrics))
    if "allocation" in settings.stages:
        made.append(AllocationStage(settings, rules, partitions, metrics))
    if "leaderboards" in settings.stages and rules.boards:
        made.append(BoardStage(settings, rules, partitions, metrics))
        made.append(LeaderboardStage(settings, rules, partitions, metrics))
    if "statistics" in settings.stages:
        made.append(CountingStage(settings, rules, partitions, metrics))
        made.append(CountsOwnerStage(settings, rules, metrics))
    return made


def run(settings: Settings, rules: Rules, *, logging_config: dict[str, Any]) -> int:
    """Run a worker until SIGTERM or SIGINT; then each task finishes its transaction and the group is left.

    Returns the exit status: 0 after a signal, 1 when the worker broke down. `logging_config` is for
    `logging.config.dictConfig`: Faust sets up logging anew.
    """
    _claim_port(settings)
    partitions = asyncio.run(partitions_of(settings))
    guaranteed = asyncio.run(guarantee.choose(settings))
    if rules.subject == "pseudonym" and guaranteed is not Guarantee.EXACTLY_ONCE:
        raise CannotStartError(
            '[privacy] subject = "pseudonym" needs brokers with transactions: without them a crash could publish '
            "a token that nobody knows any more"
        )
    with tempfile.TemporaryDirectory(prefix=f"{settings.app_id}-faust-") as faust_directory:
        worker = build(settings, rules, partitions, guaranteed, Path(faust_directory))
        return _run(worker, settings, partitions, logging_config)


def _run(worker: Worker, settings: Settings, partitions: int, logging_config: dict[str, Any]) -> int:
    process_memory.settle()
    logger.info(
        "guarantee in force: %s, granted by %s; %d partitions, clock: %s",
        worker.guarantee, settings.bootstrap_servers, partitions, settings.clock,
    )  # fmt: skip
    shell = faust.Worker(
        worker.app,
        quiet=True,
        loglevel="info",
        logging_config=logging_config,
        redirect_stdouts=False,
        loop=_new_loop(),
    )
    try:
        shell.execute_from_commandline()  # ends in SystemExit, which says 0 even after a crash
    except SystemExit as ended:
        if shell.crash_reason is not None:
            logger.error("the worker broke down: %r", shell.crash_reason)  # noqa: TRY400 - Faust has shown the trace
            return 1
        logger.info("stopped")
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def _claim_port(settings: Settings) -> None:
    """Say it plainly, and before the group is joined, when the web port is taken."""
    try:
        with socket.create_server((settings.web_host, settings.web_port)):
            pass
    except OSError as error:
        raise CannotStartError(
            f"the web pages cannot listen on {settings.web_host}:{settings.web_port} ({error.strerror}); "
            "choose another --web-port"
        ) from error


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop for Faust; the consumer's thread makes itself another one of the same kind."""
    with suppress(ImportError):  # it is not on every platform
        import uvloop  # noqa: PLC0415

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def _faust_app(settings: Settings, directory: Path) -> Any:
    return faust.App(
        settings.group_id,
        broker=f"kafka://{settings.bootstrap_servers.replace(',', ';kafka://')}",
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_group_instance_id=settings.instance_id or None,
        broker_session_timeout=settings.session_timeout,
        broker_request_timeout=max(90.0, settings.session_timeout + 10),
        broker_heartbeat_interval=3.0,
        broker_rebalance_timeout=60.0,
        # Nothing is acked to Faust: the tasks commit.
        stream_wait_empty=False,
        web_enabled=True,
        web_bind=settings.web_host,
        web_host=settings.web_host,
        web_port=settings.web_port,
        datadir=directory,
    )

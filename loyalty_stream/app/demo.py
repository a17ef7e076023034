"""The demo: a year of a grocery chain through Kafka and a worker, proved and summed up, and all cleaned up.

It must not know what the figures mean (`demo_report`) nor how options are written on a command line.
"""

import asyncio
import os
import secrets
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from loyalty_stream.app import topics
from loyalty_stream.app.board_view import look_up
from loyalty_stream.app.complete_journey import PROGRAMME_FILE, PreparedImport
from loyalty_stream.app.demo_report import Run, further, summarize
from loyalty_stream.app.demo_summary import Summary
from loyalty_stream.app.interruption import Interruption
from loyalty_stream.app.local_broker import BrokerKind, LocalBroker, choose_local_broker
from loyalty_stream.app.local_broker.bound_process import BoundProcess
from loyalty_stream.app.local_broker.loopback import free_port
from loyalty_stream.app.publish import Publisher, publish
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.verify import VerifyReport, verify
from loyalty_stream.engine.task import Clock
from loyalty_stream.programme import load_programme

PARTITIONS: Final = 4
_EMBEDDED_SESSION_SECONDS: Final = 10.0  # a join takes half of it there, docs/local-broker.md
_ASK_EVERY_S: Final = 0.2
_STALLED_AFTER_S: Final = 120.0
_SETTLED_AFTER_S: Final = 2.0
"""Leaderboards publish once a second; when nothing moves for longer than that, all of it is done."""
_BOARD: Final = "monthly"
_WORKER_STOPS_WITHIN_S: Final = 30.0
_WORKER_LOG: Final = "worker.log"
_LAST_WORDS: Final = 25
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What can be asked for. `speed`: days of the data in a second, 0 for as fast as it goes."""

    bootstrap_servers: str | None = None
    """The user's own Kafka; None: a local broker is started."""
    broker: BrokerKind = "auto"
    speed: float = 0.0
    keep: bool = False
    report: "Report | None" = None
    """Writes reports while the broker is still there."""


Report = Callable[[Settings, str], Iterable[str]]
"""Given where the demo ran and the id of the campaign that granted most (empty: none), lines to show."""


class WorkerBrokeDownError(Exception):
    """The worker ended or stalls; the message has the last words of its log."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """What the demo runs on."""

    settings: Settings
    broker: LocalBroker | None
    directory: Path

    @property
    def described(self) -> str:
        if self.broker is None:
            return f"your Kafka at {self.settings.bootstrap_servers}, topics {self.settings.topic_prefix}*"
        return f"{self.broker.kind}, started on {self.broker.bootstrap_servers} ({self.broker.why})"


def run(prepared: PreparedImport, options: DemoOptions, *, out: Console | None = None) -> int:
    """Run the demo and clean up. Returns 0, or 1 where accounts differ or the worker broke down.

    Raises KeyboardInterrupt after Ctrl-C or SIGTERM, with everything cleaned up, and what a broker raises that
    cannot be had.
    """
    console = out or Console(highlight=False)
    with Interruption() as interruption, ExitStack() as stack:
        try:
            return _run(prepared, options, console, stack, interruption)
        except WorkerBrokeDownError as error:
            sys.stderr.write(f"loyalty-stream: {error}\n")
            return 1
        finally:
            interruption.ignore()  # what follows is the cleaning up


def _run(
    prepared: PreparedImport,
    options: DemoOptions,
    console: Console,
    stack: ExitStack,
    interruption: Interruption,
) -> int:
    started = time.monotonic()
    stand = _stand(options, stack)
    settings = stand.settings
    console.print(f"broker     {stand.described}", soft_wrap=True)
    interruption.run(topics.create(settings, PARTITIONS, 1))
    with _bars() as bars:
        if options.speed:
            worker = _start_worker(stand, stack)
            interruption.run(_publish(prepared, settings, options.speed, bars))
        else:
            interruption.run(_publish(prepared, settings, 0.0, bars))
            worker = _start_worker(stand, stack)
        console.print(f"published  {prepared.fact_count:,} facts on {PARTITIONS} partitions")
        guarantee = _wait_until_applied(prepared, stand, worker, bars, interruption)
        console.print(f"applied    by a worker of its own, guarantee in force: {guarantee}")
        summary = Summary(load_programme(PROGRAMME_FILE))
        report = interruption.run(_verify(settings, summary, bars))
        board = interruption.run(look_up(settings, _BOARD))
    console.print(f"verified   {report.events:,} point events folded again into {report.accounts:,} accounts")
    console.print()
    facts = Run(prepared.fact_count, guarantee, options.speed, time.monotonic() - started)
    sound = summarize(console, summary, board, prepared.report, report, facts)
    if options.report:
        for line in options.report(settings, summary.largest_campaign):
            console.print(line, soft_wrap=True)
    if options.keep:
        _stay(console, stand, worker)
    else:
        further(console, settings, keep=False)
    return 0 if sound else 1


# -- what it runs on ------------------------------------------------------------------------------------


def _stand(options: DemoOptions, stack: ExitStack) -> _Stand:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loyalty-demo-")))
    name, broker = "", None
    if options.bootstrap_servers is None:
        broker = stack.enter_context(choose_local_broker(options.broker))
        servers = broker.bootstrap_servers
    else:
        servers = options.bootstrap_servers
        name = f"loyalty-demo-{secrets.token_hex(3)}"
    embedded = broker is not None and not broker.transactions
    default = Settings()
    settings = Settings(
        bootstrap_servers=servers,
        app_id=name or default.app_id,
        topic_prefix=f"{name}." if name else "",
        programme=PROGRAMME_FILE,
        clock=Clock.EVENTS,
        web_port=free_port(),
        session_timeout=_EMBEDDED_SESSION_SECONDS if embedded else default.session_timeout,
    )
    if name:
        stack.callback(_delete_topics, settings)
    return _Stand(settings, broker, directory)


def _delete_topics(settings: Settings) -> None:
    """Take the demo's own topics off the user's cluster: all of them have the demo's random name in theirs."""

    async def delete() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
        await admin.start()
        try:
            there = set(await admin.list_topics())
            await admin.delete_topics([each.name for each in topics.plan(settings, 1) if each.name in there])
        finally:
            await admin.close()

    try:
        asyncio.run(delete())
    except (KafkaError, OSError) as error:
        sys.stderr.write(f"topics {settings.topic_prefix}* are left behind: {error}\n")


def _start_worker(stand: _Stand, stack: ExitStack) -> BoundProcess:
    settings = stand.settings
    command = [sys.executable, "-m", "loyalty_stream.cli", "worker"]
    for option, value in {
        "--bootstrap-servers": settings.bootstrap_servers,
        "--app-id": settings.app_id,
        "--topic-prefix": settings.topic_prefix,
        "--programme": settings.programme,
        "--clock": settings.clock,
        "--web-port": settings.web_port,
        "--session-timeout": settings.session_timeout,
    }.items():
        command += [option, str(value)]
    env = {**os.environ, "TMPDIR": str(stand.directory)}  # Faust's data directory goes with the demo's
    worker = BoundProcess(command, stand.directory / _WORKER_LOG, env)
    stack.callback(worker.terminate, within_s=_WORKER_STOPS_WITHIN_S)
    return worker


# -- its steps ------------------------------------------------------------------------------------------


async def _publish(prepared: PreparedImport, settings: Settings, speed: float, bars: Progress) -> None:
    bar = bars.add_task("publishing", total=prepared.fact_count)

    def tell(count: int) -> None:
        bars.update(bar, completed=count)

    if speed:
        await _publish_paced(prepared, settings, speed, tell)
    else:
        await publish(settings, prepared.facts(), PARTITIONS, tell)


async def _publish_paced(prepared: PreparedImport, settings: Settings, speed: float, tell: Any) -> None:
    """Publish with the data's own rhythm, `speed` days in a second."""
    began, first, count = time.monotonic(), None, 0
    async with Publisher(settings, PARTITIONS) as publisher:
        for fact in prepared.facts():
            first = fact.time_us if first is None else first
            early = (fact.time_us - first) / _DAY_US / speed - (time.monotonic() - began)
            if early > _ASK_EVERY_S:
                await publisher.flush()
                tell(count)
                await asyncio.sleep(early)
            await publisher.add(fact)
            count += 1
        await publisher.flush()
    tell(count)


def _wait_until_applied(
    prepared: PreparedImport, stand: _Stand, worker: BoundProcess, bars: Progress, interruption: Interruption
) -> str:
    """Wait for the worker to have committed every fact, and whatever came of them in all its stages.

    Returns the guarantee that it says is in force.
    """
    bar = bars.add_task("applying", total=prepared.fact_count)
    seen, moved = _Seen(0, 0, 0, 0, ""), time.monotonic()
    while (
        seen.applied < prepared.fact_count
        or seen.unanswered
        or seen.lag
        or time.monotonic() - moved < _SETTLED_AFTER_S
    ):
        if worker.exit_code is not None:
            raise WorkerBrokeDownError(f"the worker ended with {worker.exit_code}:\n{_tail(stand.directory)}")
        if time.monotonic() - moved > _STALLED_AFTER_S:
            raise WorkerBrokeDownError(
                f"the worker stalls at {seen.applied} of {prepared.fact_count}:\n{_tail(stand.directory)}"
            )
        interruption.check()
        time.sleep(_ASK_EVERY_S)
        with suppress(OSError):  # it is still starting
            before, seen = seen, _ask(stand.settings)
            if seen != before:
                moved = time.monotonic()
                bars.update(bar, completed=seen.applied)
    return seen.guarantee


class _Seen(NamedTuple):
    """What the worker's metrics say."""

    applied: int
    """Facts committed, dead letters included."""
    unanswered: int
    """Requests to budgets whose answers no account has had."""
    lag: int
    """Records that some stage has not applied yet."""
    done: int
    """What all stages have written so far: it moves as long as anything does."""
    guarantee: str


def _ask(settings: Settings) -> _Seen:
    """How far the worker has come; OSError: no answer."""
    url = f"http://{settings.web_host}:{settings.web_port}/metrics"
    with urllib.request.urlopen(url, timeout=5.0) as answer:
        text = answer.read().decode()
    applied = asked = answered = lag = done = 0
    guarantee = ""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in {"loyalty_events_in_total", "loyalty_dead_letters_total"}:
                if sample.labels.get("type") == "allocation-answered":
                    answered += int(sample.value)
                elif sample.labels.get("type") == "grant-points":  # the leaderboards' own
                    done += int(sample.value)
                else:
                    applied += int(sample.value)
            elif sample.name == "loyalty_allocation_requests_total":
                asked += int(sample.value)
            elif sample.name == "loyalty_lag_records":
                lag += int(sample.value)
            elif sample.name in {"loyalty_transaction_seconds_count", "loyalty_board_standings_total"}:
                done += int(sample.value)
            elif sample.name == "loyalty_guarantee" and sample.value:
                guarantee = sample.labels["guarantee"]
    return _Seen(applied, asked - answered, lag, done, guarantee)


async def _verify(settings: Settings, summary: Summary, bars: Progress) -> VerifyReport:
    bar = bars.add_task("verifying", total=100)
    return await verify(
        settings,
        progress=lambda share: bars.update(bar, completed=round(share * 100)),
        watch=summary.event,
        watch_account=summary.account,
    )


def _stay(console: Console, stand: _Stand, worker: BoundProcess) -> None:
    """Until Ctrl-C, which is the end that was announced, not an interruption."""
    with suppress(KeyboardInterrupt):
        further(console, stand.settings, keep=True)
        while worker.exit_code is None:
            time.sleep(1.0)
        raise WorkerBrokeDownError(f"the worker ended with {worker.exit_code}:\n{_tail(stand.directory)}")


# -- around them ----------------------------------------------------------------------------------------


def _bars() -> Progress:
    columns = (TextColumn("{task.description:11}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _tail(directory: Path) -> str:
    log = directory / _WORKER_LOG
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_LAST_WORDS:])

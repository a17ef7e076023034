"""A real Apache Kafka on loopback, one KRaft node run from jars: for demo, tests and benchmarks.

Not for production, and it knows nothing of loyalty.
"""

import base64
import secrets
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from loyalty_stream.app.local_broker.bound_process import BoundProcess
from loyalty_stream.app.local_broker.kafka_jars import fetch_jars, find_java
from loyalty_stream.app.local_broker.loopback import HOST, free_port, is_free, wait_until_kafka_answers

_MIB = 1024 * 1024
_ANSWERS_WITHIN_S = 90.0
_FORMATS_WITHIN_S = 60.0
_STOPS_WITHIN_S = 15.0
_LOG_LINES_IN_AN_ERROR = 25

# docker-compose.kafka.yml sets the same, see tests/app/test_compose.py.
SETTINGS: Final[Mapping[str, str]] = {
    "auto.create.topics.enable": "false",  # a misspelt topic is an error, not a new topic
    "group.initial.rebalance.delay.ms": "0",
    # Internal topics: one replica, and few partitions, each of which costs files and time at the first use.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # Dead letters take up to 3 MiB; 1 MiB more for the key, the headers and the batch around them.
    "message.max.bytes": str(4 * _MIB),
    "replica.fetch.max.bytes": str(4 * _MIB),
    # A stack that rests over the holidays keeps its fencing and its place: 2^31 - 1 ms (the type's limit) is
    # 24.8 days, 60 x 24 x 365 min is a year.
    "transactional.id.expiration.ms": str(2**31 - 1),
    "offsets.retention.minutes": str(60 * 24 * 365),
    # One node on a small machine: threads it can use, and 32 MiB to clean compacted topics (128 by default).
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": str(32 * _MIB),
    # After a kill -9 the node may not come back until its former self's session has run out: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

_LOG4J2 = """\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = {log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %m (%c{{1}})%n
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
# Fencing and rebalances are what one looks for here.
logger.transactions.name = org.apache.kafka.coordinator.transaction
logger.transactions.level = info
logger.groups.name = org.apache.kafka.coordinator.group
logger.groups.level = info
"""


class LocalBrokerError(RuntimeError):
    """A local broker could not be started: the text carries the tail of its log."""


class ApacheKafka:
    """A broker that runs from start() to stop(), or within a `with`; it can be killed and started again.

    It keeps its port and its data over a restart. A data directory that was given stays; one of its own goes
    with close(), the end of the `with`, or the end of this Python.
    """

    kind: Final = "apache-kafka"
    transactions: Final = True

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        port: int | None = None,
        heap_mib: int = 768,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare without starting. Settings are broker properties that override SETTINGS."""
        self.data_dir: Final = Path(data_dir or tempfile.mkdtemp(prefix="loyalty-kafka-")).resolve()
        self._forget_data = weakref.finalize(self, shutil.rmtree, self.data_dir, ignore_errors=True)
        if data_dir is not None:
            self._forget_data.detach()
        self.port: Final = free_port() if port is None else port
        self._controller_port = free_port(but=frozenset({self.port}))
        self._heap_mib = heap_mib
        self._settings = {**SETTINGS, **(settings or {})}
        self._process: BoundProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Return host:port for Kafka clients; the same over restarts."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Return the pid of the running broker's JVM; raise LocalBrokerError if it is not running."""
        if self._process is None or self._process.exit_code is not None:
            raise LocalBrokerError(f"Kafka on {self.bootstrap_servers} is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start and return once it answers; raise LocalBrokerError or KafkaUnavailableError if it cannot."""
        if self._process is not None:
            raise LocalBrokerError(f"Kafka on {self.bootstrap_servers} is started already; use restart()")
        java = [str(find_java()), *self._java_options(), "-cp", f"{fetch_jars()}/*"]
        if not is_free(self.port):
            raise LocalBrokerError(f"something else listens on {self.bootstrap_servers}; give another port")
        properties = self._write_configuration()
        if not (self._log_dir / "meta.properties").exists():
            self._format(java, properties)
        self._process = BoundProcess([*java, "kafka.Kafka", str(properties)], self._output)
        if not wait_until_kafka_answers(self.port, within_s=_ANSWERS_WITHIN_S, still_runs=self._runs):
            code = self._process.exit_code
            self.kill()
            ended = (
                f"did not answer in {_ANSWERS_WITHIN_S} s" if code is None else f"ended with exit code {code}"
            )
            raise LocalBrokerError(
                f"Kafka on {self.bootstrap_servers} {ended}; its last words:\n{self._last_words()}"
            )
        return self

    def stop(self) -> None:
        """End the broker in order (SIGTERM, after 15 s SIGKILL). Does nothing if it is not started."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate(within_s=_STOPS_WITHIN_S)

    def kill(self) -> None:
        """End the broker as a crash would (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def restart(self) -> None:
        """Start again on the same port and data, after a stop() unless it was killed or stopped before."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and delete the data directory unless it was given."""
        self.stop()
        self._forget_data()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _log_dir(self) -> Path:
        return self.data_dir / "log"

    @property
    def _output(self) -> Path:
        return self.data_dir / "stdout.log"

    def _runs(self) -> bool:
        return self._process is not None and self._process.exit_code is None

    def _java_options(self) -> list[str]:
        return [
            f"-Xmx{self._heap_mib}m",
            "-XX:+UseParallelGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={(self.data_dir / 'log4j2.properties').as_uri()}",
        ]

    def _write_configuration(self) -> Path:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        place = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "log.dirs": str(self._log_dir),
        }
        log4j2 = _LOG4J2.format(log=self.data_dir / "broker.log")
        (self.data_dir / "log4j2.properties").write_text(log4j2, encoding="utf-8")
        properties = self.data_dir / "server.properties"
        lines = [f"{name}={value}\n" for name, value in {**place, **self._settings}.items()]
        properties.write_text("".join(lines), encoding="utf-8")
        return properties

    def _format(self, java: list[str], properties: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        ran = subprocess.run(  # noqa: S603 - a list of our own making, no shell
            [*java, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)],
            capture_output=True,
            text=True,
            timeout=_FORMATS_WITHIN_S,
            check=False,
        )
        if ran.returncode != 0:
            raise LocalBrokerError(f"could not format {self._log_dir} for Kafka:\n{ran.stdout}{ran.stderr}")

    def _last_words(self) -> str:
        logs = [log for log in (self.data_dir / "broker.log", self._output) if log.exists()]
        lines = [
            line
            for log in logs
            for line in log.read_text(errors="replace").splitlines()[-_LOG_LINES_IN_AN_ERROR:]
        ]
        return "\n".join(lines) or "(none)"

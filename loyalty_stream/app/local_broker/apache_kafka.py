"""A real Apache Kafka on loopback, one KRaft node run from jars: for demo, tests and benchmarks.

Not for production, and it knows nothing of loyalty.
"""

import base64
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from loyalty_stream.app.local_broker.broker import LocalBroker, LocalBrokerError
from loyalty_stream.app.local_broker.kafka_jars import fetch_jars, find_java
from loyalty_stream.app.local_broker.loopback import HOST, free_port

_MIB = 1024 * 1024
_FORMATS_WITHIN_S = 60.0

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
    # A node without a heartbeat for so long is fenced: it leads nothing, and all clients wait. Alone, it has nobody
    # to hand over to, so the one thing that brings is an outage whenever the machine is too busy for a heartbeat
    # (with 3 s, six in ten minutes of tests on a full machine). It is not more, because after a kill -9 the node
    # may not come back until the session of its former self has run out.
    "broker.session.timeout.ms": "30000",
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


class ApacheKafka(LocalBroker):
    """A real Kafka with everything a real Kafka has, on one node."""

    kind: ClassVar[str] = "apache-kafka"
    transactions: ClassVar[bool] = True
    keeps_data: ClassVar[bool] = True

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        port: int | None = None,
        why: str = "asked for",
        heap_mib: int = 768,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare without starting. Settings are broker properties that override SETTINGS."""
        super().__init__(data_dir=data_dir, port=port, why=why)
        self._controller_port = free_port(but=frozenset({self.port}))
        self._heap_mib = heap_mib
        self._settings = {**SETTINGS, **(settings or {})}

    def _prepare(self) -> list[str]:
        java = [str(find_java()), *self._java_options(), "-cp", f"{fetch_jars()}/*"]
        properties = self._write_configuration()
        if not (self._log_dir / "meta.properties").exists():
            self._format(java, properties)
        return [*java, "kafka.Kafka", str(properties)]

    @property
    def _log_dir(self) -> Path:
        return self.data_dir / "log"

    def _java_options(self) -> list[str]:
        return [
            f"-Xmx{self._heap_mib}m",
            "-XX:+UseParallelGC",
            # It lives for minutes: the optimising compiler would take more of a small machine than it gives back.
            "-XX:TieredStopAtLevel=1",
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
        log4j2 = _LOG4J2.format(log=self.log)
        (self.data_dir / "log4j2.properties").write_text(log4j2, encoding="utf-8")
        properties = self.data_dir / "server.properties"
        lines = [f"{name}={value}\n" for name, value in {**place, **self._settings}.items()]
        properties.write_text("".join(lines), encoding="utf-8")
        return properties

    def _format(self, java: list[str], properties: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        ran = subprocess.run(  # noqa: S603 - a list of our own making, no shell
            [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(properties)],
            capture_output=True,
            text=True,
            timeout=_FORMATS_WITHIN_S,
            check=False,
        )
        if ran.returncode != 0:
            raise LocalBrokerError(f"could not format {self._log_dir} for Kafka:\n{ran.stdout}{ran.stderr}")

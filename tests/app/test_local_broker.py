"""The local brokers: they start, carry records, survive a kill where they say so, and never outlive us."""

import asyncio
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError

from loyalty_stream.app.local_broker import (
    ApacheKafka,
    BrokerUnavailableError,
    EmbeddedBroker,
    LocalBroker,
    LocalBrokerError,
    choose_local_broker,
    embedded,
    kafka_jars,
)
from loyalty_stream.app.local_broker.kafka_jars import fetch_jars, find_java, jar_directory

WITHIN_S = 60
MIB = 1024 * 1024


# -- a real Kafka ----------------------------------------------------------------------------------------------


@pytest.mark.kafka
def test_a_real_kafka_carries_records_of_3_mib_in_transactions(kafka: ApacheKafka) -> None:
    values = [b"small", b"x" * 3 * MIB]

    async def commit_then_abort() -> None:
        await create_topic(kafka, "local-broker-transactions")
        producer = AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers,
            transactional_id="local-broker",
            max_request_size=4 * MIB,
        )
        await producer.start()
        try:
            async with producer.transaction():
                for value in values:
                    await producer.send("local-broker-transactions", value, partition=0)
            await producer.begin_transaction()
            await producer.send_and_wait("local-broker-transactions", b"aborted", partition=0)
            await producer.abort_transaction()
        finally:
            await producer.stop()

    asyncio.run(commit_then_abort())
    assert asyncio.run(read_to_the_end(kafka, "local-broker-transactions")) == values


@pytest.mark.kafka
def test_a_real_kafka_killed_and_started_again_keeps_its_data_and_its_address(
    kafka_at_hand: None, tmp_path: Path
) -> None:
    soon = {"broker.session.timeout.ms": "9000"}  # has to run out before the node comes back
    with ApacheKafka(data_dir=tmp_path / "kafka", settings=soon) as broker:
        address, first_pid = broker.bootstrap_servers, broker.pid
        asyncio.run(create_topic(broker, "kept"))
        asyncio.run(send(broker, "kept", b"before"))
        broker.kill()
        assert has_ended(first_pid)
        with pytest.raises(LocalBrokerError, match="not running"):
            _ = broker.pid
        broker.restart()
        assert broker.bootstrap_servers == address
        assert broker.pid != first_pid
        asyncio.run(send(broker, "kept", b"after"))
        assert asyncio.run(read_to_the_end(broker, "kept")) == [b"before", b"after"]
        second_pid = broker.pid
        broker.stop()
        assert has_ended(second_pid)
    assert (tmp_path / "kafka" / "log" / "meta.properties").exists()


@pytest.mark.kafka
def test_a_real_kafka_that_cannot_start_says_what_java_said(kafka_at_hand: None) -> None:
    with pytest.raises(LocalBrokerError, match="Too small maximum heap"):
        ApacheKafka(heap_mib=1).start()


@pytest.mark.kafka
def test_a_real_kafka_starts_whatever_its_cluster_id_begins_with(
    kafka_at_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in 64 begins with a hyphen, which Kafka's tool took for another option."""
    monkeypatch.setattr(secrets, "token_bytes", lambda count: b"\xf8" * count)
    with ApacheKafka() as broker:
        assert broker.bootstrap_servers


@pytest.mark.kafka
def test_auto_chooses_a_real_kafka_where_it_can_be_had(kafka_at_hand: None) -> None:
    broker = choose_local_broker()
    assert (broker.kind, broker.transactions) == ("apache-kafka", True)
    assert str(jar_directory()) in broker.why


# -- the embedded broker ---------------------------------------------------------------------------------------


def test_the_embedded_broker_carries_records_and_begins_anew_after_a_kill() -> None:
    with EmbeddedBroker() as broker:
        asyncio.run(create_topic(broker, "events"))
        asyncio.run(send(broker, "events", b"a"))
        asyncio.run(send(broker, "events", b"b"))
        assert asyncio.run(read(broker, "events", count=2)) == [b"a", b"b"]
        pid = broker.pid
        os.kill(pid, signal.SIGKILL)
        assert has_ended(pid)
        broker.restart()
        assert asyncio.run(topics(broker)) == []
        data_dir, pid = broker.data_dir, broker.pid
    assert has_ended(pid)
    assert not data_dir.exists()


def test_a_broker_starts_within_a_running_event_loop() -> None:
    async def start_and_ask() -> list[str]:
        with EmbeddedBroker() as broker:
            return await topics(broker)

    assert asyncio.run(start_and_ask()) == []


def test_a_broker_is_not_started_twice_nor_on_a_port_in_use() -> None:
    with EmbeddedBroker() as broker:
        with pytest.raises(LocalBrokerError, match="runs already"):
            broker.start()
        with pytest.raises(LocalBrokerError, match=f"something else listens on {broker.bootstrap_servers}"):
            EmbeddedBroker(port=broker.port).start()


def test_a_broker_that_ends_at_once_is_reported_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = executable(tmp_path / "tansu", "echo the disk is on fire >&2; exit 3")
    monkeypatch.setattr(embedded, "find_tansu", lambda: broken)
    with pytest.raises(LocalBrokerError, match=r"(?s)exit code 3.*the disk is on fire"):
        EmbeddedBroker().start()


def test_a_broker_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from loyalty_stream.app.local_broker import EmbeddedBroker\n"
        "broker = EmbeddedBroker(data_dir=pathlib.Path(sys.argv[1])).start()\n"
        "print(broker.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watch = os.pidfd_open(pid)
        parent.kill()
    try:
        assert select.select([watch], [], [], WITHIN_S)[0], "the broker still runs"
    finally:
        os.close(watch)


def test_the_module_prints_the_address_and_ends_its_broker_on_sigterm() -> None:
    command = [sys.executable, "-m", "loyalty_stream.app.local_broker", "--kind", "embedded"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        address = shell.stdout.readline().strip()
        assert asyncio.run(topics_at(address)) == []
        shell.terminate()
        _, told = shell.communicate(timeout=WITHIN_S)
    assert shell.returncode == 0
    assert told.startswith("embedded (asked for), pid ")
    with pytest.raises(KafkaConnectionError):
        asyncio.run(topics_at(address))


# -- what is at hand -------------------------------------------------------------------------------------------


def test_without_java_auto_is_the_embedded_broker_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    broker = choose_local_broker()
    assert (broker.kind, broker.transactions, broker.keeps_data) == ("embedded", False, False)
    assert "Java 17 or later not found" in broker.why
    with pytest.raises(BrokerUnavailableError, match="install a JRE, or set JAVA_HOME"):
        choose_local_broker("apache-kafka")


@pytest.mark.parametrize(
    ("version", "good_enough"),
    [
        ('openjdk version "17.0.15" 2025-04-15', True),
        ('openjdk version "21-ea" 2023-09-19', True),
        ('java version "25"', True),
        ('openjdk version "11.0.22" 2024-01-16', False),
        ('java version "1.8.0_392"', False),
        ("something quite different", False),
    ],
)
def test_java_is_asked_for_its_version(
    *, version: str, good_enough: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    java = executable(tmp_path / "bin" / "java", f"echo '{version}' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    if good_enough:
        assert find_java() == java
    else:
        with pytest.raises(BrokerUnavailableError, match=str(java)):
            find_java()


def test_jars_are_cached_whole_even_when_two_fetch_them_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    both_download = threading.Barrier(2, timeout=WITHIN_S)

    def download(_maven: str, into: Path) -> None:
        both_download.wait()
        into.mkdir()
        for jar in ("kafka_2.13.jar", "scala.jar"):
            (into / jar).touch()

    monkeypatch.setattr(kafka_jars, "_copy_dependencies", download)
    executable(tmp_path / "mvn", "exit 1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with ThreadPoolExecutor(2) as two:
        first, second = two.submit(fetch_jars), two.submit(fetch_jars)
    assert first.result() == second.result() == jar_directory()
    assert sorted(file.name for file in jar_directory().iterdir()) == ["kafka_2.13.jar", "scala.jar"]
    assert list(jar_directory().parent.iterdir()) == [jar_directory()]


def test_a_maven_that_fails_leaves_no_half_filled_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    executable(tmp_path / "mvn", "echo no route to the repository; exit 1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BrokerUnavailableError, match=r"(?s)exit 1.*no route to the repository"):
        fetch_jars()
    assert list((tmp_path / "cache" / "loyalty-stream").iterdir()) == []


# -- asking a broker -------------------------------------------------------------------------------------------


async def create_topic(broker: LocalBroker, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, 1, 1)])
        assert [error[1] for error in answer.topic_errors] == [0]
    finally:
        await admin.close()


async def topics(broker: LocalBroker) -> list[str]:
    return await topics_at(broker.bootstrap_servers)


async def topics_at(address: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    try:
        await admin.start()
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def send(broker: LocalBroker, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def read_to_the_end(broker: LocalBroker, topic: str) -> list[bytes]:
    """What a read_committed consumer sees up to the last stable offset."""
    return await read(broker, topic, count=None)


async def read(broker: LocalBroker, topic: str, count: int | None) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * MIB,
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes] = []
        async with asyncio.timeout(WITHIN_S):
            while (await consumer.position(partition) < end) if count is None else (len(values) < count):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    values += [record.value for record in records]
        return values
    finally:
        await consumer.stop()


def has_ended(pid: int) -> bool:
    """Say whether the process ends within the time limit. Its pid is of a process seen alive just before."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watch], [], [], WITHIN_S)[0])
    finally:
        os.close(watch)


def executable(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path

"""Loopback ports for a local broker, and the question whether a Kafka answers on one."""

import asyncio
import logging
import random
import socket
import threading
import time
from collections.abc import Callable

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

HOST = "127.0.0.1"

# Below Linux's ephemeral ports (32768 and up): while a killed broker is away, one of those can go to any
# outgoing connection, even to the one by which a client tries to reach the broker again.
_PORTS = range(20_000, 32_000)
_TRIES = 200
_ONE_QUESTION_WITHIN_S = 5.0
_ASK_EVERY_S = 0.05


def free_port(*, but: frozenset[int] = frozenset()) -> int:
    """Return a port on which nothing listens now, other than those given."""
    for _ in range(_TRIES):
        port = random.choice(_PORTS)  # noqa: S311 - not a secret
        if port not in but and is_free(port):
            return port
    raise RuntimeError(
        f"no free port found on {HOST} in {_TRIES} tries from {_PORTS.start} to {_PORTS.stop - 1}"
    )


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the broker does: TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def wait_until_kafka_answers(port: int, *, within_s: float, still_runs: Callable[[], bool]) -> bool:
    """Return True once a metadata request names a live broker; False if the process ends or time runs out.

    May be called with or without a running event loop in this thread; it blocks.
    """
    deadline = time.monotonic() + within_s
    while still_runs() and time.monotonic() < deadline:
        # A bare connect first: aiokafka logs an error for each refusal, and those before start are none.
        if _listens(port) and _in_own_thread(port):
            return True
        time.sleep(_ASK_EVERY_S)
    return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=_ONE_QUESTION_WITHIN_S).close()
    except OSError:
        return False
    return True


def _in_own_thread(port: int) -> bool:
    # asyncio.run refuses to nest, and a caller may well sit in a loop of its own.
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(asyncio.run(_names_a_broker(port))))
    thread.start()
    thread.join()
    return answers == [True]


async def _names_a_broker(port: int) -> bool:
    client = AIOKafkaClient(
        bootstrap_servers=f"{HOST}:{port}", request_timeout_ms=int(_ONE_QUESTION_WITHIN_S * 1000)
    )
    try:
        async with asyncio.timeout(_ONE_QUESTION_WITHIN_S):
            await client.bootstrap()
            return bool(client.cluster.brokers())
    except (KafkaError, OSError, TimeoutError) as error:
        logging.getLogger(__name__).debug("no answer from %s:%d yet: %s", HOST, port, error)
        return False
    finally:
        await client.close()

"""Fixtures of the tests on a real Kafka: the seed, and a deployment for each test."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployment import Deployment

from loyalty_stream.app.local_broker import ApacheKafka


@pytest.fixture
def seed() -> int:
    """Says all that is random in a test; LOYALTY_TEST_SEED sets it again."""
    seed = int(os.environ.get("LOYALTY_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"LOYALTY_TEST_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return seed


@pytest.fixture
def deploy(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Deployment]]:
    """Makes a deployment on a broker, and ends it and its workers after the test."""
    made: list[Deployment] = []
    name = request.function.__name__.removeprefix("test_").replace("_", "-")[:40]

    def make(bootstrap_servers: str, *, plain: bool = False) -> Deployment:
        made.append(Deployment(bootstrap_servers, tmp_path, name, plain=plain))
        return made[-1]

    yield make
    for deployment in made:
        deployment.close()


@pytest.fixture
def deployment(kafka: ApacheKafka, deploy: Callable[..., Deployment]) -> Deployment:
    """A deployment on the session's Kafka."""
    return deploy(kafka.bootstrap_servers)

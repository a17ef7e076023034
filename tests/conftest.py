"""Fixtures for every test: the real Kafka of the session. No property fails because the machine was slow."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from loyalty_stream.app.local_broker import ApacheKafka
from loyalty_stream.app.local_broker.kafka_jars import why_unavailable

settings.register_profile(
    "ours", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ours")


@pytest.fixture(scope="session")
def kafka_at_hand() -> None:
    """Java, and Maven or the jars, are there. In CI the lack of them fails the test; it never skips it."""
    missing = why_unavailable()
    if missing is not None and os.environ.get("CI"):
        pytest.fail(missing)
    if missing is not None:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def kafka(kafka_at_hand: None) -> Iterator[ApacheKafka]:
    """One real Apache Kafka for the session; name your topics after your test, and leave it running."""
    with ApacheKafka() as broker:
        yield broker

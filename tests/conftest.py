"""Fixtures for every test: the real Kafka of the session."""

import os
from collections.abc import Iterator

import pytest

from loyalty_stream.app.local_broker.apache_kafka import ApacheKafka
from loyalty_stream.app.local_broker.kafka_jars import why_unavailable


@pytest.fixture(scope="session")
def kafka() -> Iterator[ApacheKafka]:
    """One real Apache Kafka for the session. In CI it is there or the test fails; nothing is skipped."""
    missing = why_unavailable()
    if missing is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    with ApacheKafka() as broker:
        yield broker

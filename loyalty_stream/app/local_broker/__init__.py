"""A broker on this machine, for the demo, tests and benchmarks: which kind, and why. Never for production."""

from pathlib import Path
from typing import Literal, assert_never

from loyalty_stream.app.local_broker.apache_kafka import ApacheKafka
from loyalty_stream.app.local_broker.broker import BrokerUnavailableError, LocalBroker, LocalBrokerError
from loyalty_stream.app.local_broker.embedded import EmbeddedBroker, find_tansu
from loyalty_stream.app.local_broker.kafka_jars import fetch_jars, find_java

__all__ = [
    "ApacheKafka",
    "BrokerKind",
    "BrokerUnavailableError",
    "EmbeddedBroker",
    "LocalBroker",
    "LocalBrokerError",
    "choose_local_broker",
]

BrokerKind = Literal["auto", "apache-kafka", "embedded"]


def choose_local_broker(
    prefer: BrokerKind = "auto", *, data_dir: Path | None = None, port: int | None = None
) -> LocalBroker:
    """Return a broker that is not started yet, whose `kind` and `why` say which was chosen for what reason.

    `auto` is a real Kafka where Java is there and the jars are cached or Maven can bring them (half a minute,
    once), else the embedded one. Raises BrokerUnavailableError if what was asked for cannot be had.
    """
    match prefer:
        case "apache-kafka":
            _bring_kafka()
            return ApacheKafka(data_dir=data_dir, port=port)
        case "embedded":
            find_tansu()
            return EmbeddedBroker(data_dir=data_dir, port=port)
        case "auto":
            return _best_available(data_dir, port)
        case _:
            assert_never(prefer)


def _best_available(data_dir: Path | None, port: int | None) -> LocalBroker:
    try:
        why = _bring_kafka()
    except BrokerUnavailableError as no_kafka:
        try:
            find_tansu()
        except BrokerUnavailableError as no_tansu:
            raise BrokerUnavailableError(
                f"no broker can be started here: {no_kafka}; {no_tansu}"
            ) from no_kafka
        return EmbeddedBroker(data_dir=data_dir, port=port, why=f"no real Kafka here: {no_kafka}")
    return ApacheKafka(data_dir=data_dir, port=port, why=why)


def _bring_kafka() -> str:
    java, jars = find_java(), fetch_jars()
    return f"{java} runs the jars in {jars}"

"""Notes when each input event's first point event can be read committed, as a service downstream would.

It reads with librdkafka, in C, for the reason that `latency_producer` gives.
"""

import json
import sys
from time import monotonic

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from msgspec import Struct
from msgspec.json import Decoder


class _Cause(Struct):
    id: str


class _Data(Struct):
    cause: _Cause


class _PointEvent(Struct):
    data: _Data


def run(bootstrap_servers: str, topic: str, partitions: int, events: int, idle_seconds: float) -> None:
    """Read until all events are seen or nothing comes for a while; print the instants by event number.

    An event that made no point event has null. Instants are of the machine's monotonic clock.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "latency",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
        }
    )
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(partitions)])
    decode = Decoder(_PointEvent).decode
    seen: list[float | None] = [None] * events
    missing, last = events, monotonic()
    print(json.dumps({"ready": True}), flush=True)
    while missing and monotonic() - last < idle_seconds:
        # One wait for the first record, then what is at hand: a call for many would wait until it has them all.
        fetched = [record for record in (consumer.poll(0.5),) if record is not None]
        now = monotonic()
        if fetched:
            fetched += consumer.consume(1_000, 0)
            last = now
        for record in fetched:
            if record.error() is not None:
                sys.exit(f"reading {topic} failed: {record.error()}")
            cause = decode(record.value()).data.cause.id
            if cause.isdecimal() and seen[int(cause)] is None:
                seen[int(cause)] = now
                missing -= 1
    print(json.dumps({"seen": seen}), flush=True)
    consumer.close()


def main() -> None:
    """Run with the arguments of `run` as an object of JSON."""
    run(**json.loads(sys.argv[1]))


if __name__ == "__main__":
    main()

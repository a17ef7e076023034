"""Sends events at a steady rate, in small groups at planned instants, as a busy service with a linger would.

The consumer judges each event by its planned instant: a sender that falls behind shows as latency. It sends with
librdkafka, in C: what a producer in Python takes of a small machine would be most of what is measured.
"""

import json
import sys
import time
from time import monotonic
from typing import Final

from confluent_kafka import Producer

from benchmarks.workload import inputs
from loyalty_stream.wire.partitioning import partition_of

EVERY_SECONDS: Final = 0.01
"""A group leaves every 10 ms: a common linger of producers."""


def run(bootstrap_servers: str, prefix: str, partitions: int, per_group: int, groups: int) -> None:
    """Say when the first group leaves (on the machine's monotonic clock), send all, say how late the last was."""
    planned: list[list[tuple[str, int, bytes, bytes]]] = []
    for number, each in enumerate(inputs(per_group * groups)):
        if number % per_group == 0:
            planned.append([])
        planned[-1].append((prefix + each.topic, partition_of(each.key, partitions), each.key, each.value))
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "acks": "all",
            "linger.ms": 2,  # the groups are the linger; this lets one of them leave in one piece
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.list_topics(timeout=30)
    begins = monotonic() + 0.5
    print(json.dumps({"begins": begins, "every": EVERY_SECONDS}), flush=True)
    latest = 0.0
    for number, group in enumerate(planned):
        due = begins + number * EVERY_SECONDS
        if (early := due - monotonic()) > 0:
            time.sleep(early)
        for topic, partition, key, value in group:
            producer.produce(topic, value, key, partition)
        producer.poll(0)
        latest = max(latest, monotonic() - due)
    left = producer.flush(60)
    if left:
        sys.exit(f"{left} events could not be sent")
    print(json.dumps({"latest_group_seconds": latest}), flush=True)


def main() -> None:
    """Run with the arguments of `run` as an object of JSON."""
    run(**json.loads(sys.argv[1]))


if __name__ == "__main__":
    main()

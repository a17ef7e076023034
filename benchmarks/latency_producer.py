"""Sends events at a steady rate, in small groups at planned instants, as a busy service with a linger would.

A group is of one partition, and the partitions take turns: librdkafka asks the broker once for each partition of
each topic, and asking for all of them every time would make the sender most of the broker's load. The consumer
judges each event by its planned instant: a sender that falls behind shows as latency. It sends with librdkafka, in C:
what a producer in Python takes of a small machine would be most of what is measured.
"""

import json
import sys
import time
from collections import deque
from time import monotonic
from typing import Final

from confluent_kafka import Producer

from benchmarks.workload import inputs
from loyalty_stream.wire.partitioning import partition_of

EVERY_SECONDS: Final = 0.01
"""A group leaves every 10 ms: a common linger of producers."""


Record = tuple[int, str, int, bytes, bytes]
"""The event's number, topic, partition, key, value."""


def plan(prefix: str, partitions: int, per_group: int, events: int) -> list[list[Record]]:
    """The groups, in order: of each partition its own events in their order, one group after the other."""
    waiting = [deque[Record]() for _ in range(partitions)]
    coming = enumerate(inputs(events))
    planned: list[list[Record]] = []
    left = events
    while left:
        turn = waiting[len(planned) % partitions]
        while len(turn) < per_group and (each := next(coming, None)) is not None:
            number, event = each
            partition = partition_of(event.key, partitions)
            waiting[partition].append((number, prefix + event.topic, partition, event.key, event.value))
        planned.append([turn.popleft() for _ in range(min(per_group, len(turn)))])
        left -= len(planned[-1])
    return planned


def run(bootstrap_servers: str, prefix: str, partitions: int, per_group: int, groups: int) -> None:
    """Say when each event leaves (on the machine's monotonic clock), send all, say how late a group was at most."""
    planned = plan(prefix, partitions, per_group, per_group * groups)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "acks": "all",
            "linger.ms": 2,  # the groups are the linger; this lets one of them leave in one piece
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.list_topics(timeout=30)
    begins = monotonic() + 1.0
    leaves = [0.0] * (per_group * groups)
    for turn, group in enumerate(planned):
        for number, *_ in group:
            leaves[number] = begins + turn * EVERY_SECONDS
    print(json.dumps({"leaves": leaves}), flush=True)
    latest = 0.0
    for number, group in enumerate(planned):
        due = begins + number * EVERY_SECONDS
        if (early := due - monotonic()) > 0:
            time.sleep(early)
        for _, topic, partition, key, value in group:
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

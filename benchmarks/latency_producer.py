"""Sends events at a steady rate, in small groups at planned instants, as a busy service with a linger would.

The consumer judges each event by its planned instant: a sender that falls behind shows as latency.
"""

import asyncio
import json
import sys
from time import monotonic
from typing import Final

import uvloop
from aiokafka import AIOKafkaProducer

from benchmarks.cluster import BATCH_BYTES
from benchmarks.workload import inputs
from loyalty_stream.wire.partitioning import partition_of

EVERY_SECONDS: Final = 0.01
"""A group leaves every 10 ms: a common linger of producers."""


async def run(bootstrap_servers: str, prefix: str, partitions: int, per_group: int, groups: int) -> None:
    """Say when the first group leaves (on the machine's monotonic clock), send all, say how late the last was."""
    planned: list[dict[tuple[str, int], list[tuple[bytes, bytes]]]] = []
    for number, each in enumerate(inputs(per_group * groups)):
        if number % per_group == 0:
            planned.append({})
        where = (prefix + each.topic, partition_of(each.key, partitions))
        planned[-1].setdefault(where, []).append((each.key, each.value))
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", linger_ms=0, max_batch_size=BATCH_BYTES
    )
    await producer.start()
    for topic in {topic for topic, _ in planned[0]}:
        await producer.partitions_for(topic)
    begins = monotonic() + 0.5
    print(json.dumps({"begins": begins, "every": EVERY_SECONDS}), flush=True)
    latest = 0.0
    sent: list[asyncio.Future[object]] = []
    for number, group in enumerate(planned):
        due = begins + number * EVERY_SECONDS
        if (early := due - monotonic()) > 0:
            await asyncio.sleep(early)
        for (topic, partition), records in group.items():
            batch = producer.create_batch()
            for key, value in records:
                batch.append(timestamp=None, key=key, value=value)
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        latest = max(latest, monotonic() - due)
        if number % 100 == 0:
            sent = [future for future in sent if not future.done()]
    await asyncio.gather(*sent)
    print(json.dumps({"latest_group_seconds": latest}), flush=True)
    await producer.stop()


def main() -> None:
    """Run with the arguments of `run` as an object of JSON."""
    uvloop.run(run(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()

"""Reads a changelog to its end with the consumers that a restore uses, and keeps nothing: the yardstick."""

import asyncio
import json
import sys
from time import monotonic

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition


async def run(bootstrap_servers: str, topic: str, partitions: int) -> None:
    """Read all partitions side by side, as a worker restores them, and say how long it took."""
    begun = monotonic()
    records = sum(
        await asyncio.gather(
            *(_read(bootstrap_servers, TopicPartition(topic, partition)) for partition in range(partitions))
        )
    )
    print(json.dumps({"records": records, "seconds": monotonic() - begun}), flush=True)


async def _read(bootstrap_servers: str, tp: TopicPartition) -> int:
    # The same settings as engine.kafka_log's.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=8 * 1024 * 1024,
        max_poll_records=None,
    )
    await consumer.start()
    consumer.assign([tp])
    await consumer.seek_to_beginning(tp)
    count = 0
    try:
        while True:
            count += len((await consumer.getmany(tp, timeout_ms=200)).get(tp, ()))
            end = consumer.highwater(tp)
            if end is not None and await consumer.position(tp) >= end:
                return count
    finally:
        await consumer.stop()


def main() -> None:
    """Run with the arguments of `run` as an object of JSON."""
    uvloop.run(run(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()

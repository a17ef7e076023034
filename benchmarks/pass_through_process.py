"""The yardstick: reads the input topics, decodes and encodes every value, writes it out again. No logic.

Plain aiokafka in one process, without transactions or group: what Python can do at most on this Kafka.
"""

import asyncio
import json
import resource
import sys
from time import monotonic

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.cluster import BATCH_BYTES

_IN_FLIGHT = 16


async def run(bootstrap_servers: str, topics: list[str], output: str, partitions: int, records: int) -> None:
    """Pass so many records through and say what it took."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", linger_ms=0, max_batch_size=BATCH_BYTES
    )
    await consumer.start()
    await producer.start()
    places = [TopicPartition(topic, partition) for topic in topics for partition in range(partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    cpu, wall, done = _cpu(), monotonic(), 0
    sent: list[asyncio.Future[object]] = []
    while done < records:
        for tp, fetched in (await consumer.getmany(timeout_ms=250, max_records=8_000)).items():
            batch = producer.create_batch()
            append = batch.append
            for record in fetched:
                value = orjson.dumps(orjson.loads(record.value))
                if append(timestamp=None, key=record.key, value=value) is None:
                    sent.append(await producer.send_batch(batch, output, partition=tp.partition))
                    batch = producer.create_batch()
                    append = batch.append
                    append(timestamp=None, key=record.key, value=value)
            sent.append(await producer.send_batch(batch, output, partition=tp.partition))
            done += len(fetched)
        if len(sent) > _IN_FLIGHT:
            await asyncio.gather(*sent)
            sent.clear()
    await asyncio.gather(*sent)
    print(json.dumps({"records": done, "cpu": _cpu() - cpu, "wall": monotonic() - wall}), flush=True)
    await consumer.stop()
    await producer.stop()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run with the arguments of `run` as an object of JSON."""
    uvloop.run(run(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()

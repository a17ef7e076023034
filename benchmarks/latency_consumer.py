"""Notes when each input event's first point event can be read committed, as a service downstream would."""

import json
import sys
from time import monotonic

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct
from msgspec.json import Decoder


class _Cause(Struct):
    id: str


class _Data(Struct):
    cause: _Cause


class _PointEvent(Struct):
    data: _Data


async def run(bootstrap_servers: str, topic: str, partitions: int, events: int, idle_seconds: float) -> None:
    """Read until all events are seen or nothing comes for a while; print the instants by event number.

    An event that made no point event has null. Instants are of the machine's monotonic clock.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    places = [TopicPartition(topic, partition) for partition in range(partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    decode = Decoder(_PointEvent).decode
    seen: list[float | None] = [None] * events
    missing, last = events, monotonic()
    print(json.dumps({"ready": True}), flush=True)
    while missing and monotonic() - last < idle_seconds:
        fetched = await consumer.getmany(timeout_ms=500)
        now = monotonic()
        for records in fetched.values():
            last = now
            for record in records:
                cause = decode(record.value).data.cause.id
                if cause.isdecimal() and seen[int(cause)] is None:
                    seen[int(cause)] = now
                    missing -= 1
    print(json.dumps({"seen": seen}), flush=True)
    await consumer.stop()


def main() -> None:
    """Run with the arguments of `run` as an object of JSON."""
    uvloop.run(run(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()

"""One customer's point events in the order in which they were recorded, from an export or from Kafka.

It must not know what becomes of them: `domain.as_of` and `domain.provenance` do.
"""

from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.read_log import log_reader
from loyalty_stream.app.sealed_letters import identity_of
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.topics import partition_counts
from loyalty_stream.domain.events import SOURCE, PointEvent
from loyalty_stream.wire import point_events
from loyalty_stream.wire.partitioning import partition_of

if TYPE_CHECKING:
    import duckdb

_EVENTS = """
SELECT id, type, strftime(time AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ'), data, epoch_ms(recorded_at)
FROM points_events WHERE customer = ? ORDER BY "partition", "offset"
"""


class Known(NamedTuple):
    """A point event, and when the ledger knew it: the broker's timestamp of its record, in ms."""

    event: PointEvent
    recorded_at: int


def of_export(connection: "duckdb.DuckDBPyConnection", customer: str) -> list[Known]:
    """The customer's history in an export; a customer with a pseudonym is named by it there."""
    rows = connection.execute(_EVENTS, [customer]).fetchall()
    return _without_repeats(
        Known(_event(event_id, kind, customer, time, data), recorded_at)
        for event_id, kind, time, data, recorded_at in rows
    )


def _event(event_id: str, kind: str, customer: str, time: str, data: str) -> PointEvent:
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": kind,
        "subject": customer,
        "time": time,
        "data": msgspec.Raw(data.encode()),
    }
    return point_events.decode(msgspec.json.encode(envelope))


async def of_kafka(settings: Settings, customer: str) -> list[Known]:
    """The customer's history as points-events has it now: reads one partition. Raises MendableError."""
    counts = await partition_counts(settings)
    topic, key = settings.topic("points-events"), customer.encode()
    if topic not in counts:
        raise MendableError(f"topic {topic} is missing on {settings.bootstrap_servers}; check --topic-prefix")
    partition = partition_of(key, counts[topic])
    found: list[Known] = []
    async with log_reader(settings) as reader:
        if (identity := await identity_of(reader, settings, counts, customer)) is not None:
            key = identity.token.encode()  # on the same partition
        async for records in reader.read(topic, partition):
            found += [
                Known(point_events.decode(record.value), record.timestamp)
                for record in records
                if record.key == key
            ]
    return _without_repeats(found)


def as_known_at(history: Iterable[Known], known_at: int) -> list[PointEvent]:
    """The events that the ledger knew at the instant `known_at` (ms): those before the first that came later."""
    return [each.event for each in takewhile(lambda each: each.recorded_at <= known_at, history)]


def _without_repeats(history: Iterable[Known]) -> list[Known]:
    """On a broker without transactions an event can be there twice; the second one is no other event."""
    return list({each.event.id: each for each in reversed(list(history))}.values())[::-1]

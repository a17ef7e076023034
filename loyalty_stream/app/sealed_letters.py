"""Looking up who a customer is under a pseudonym, and opening the dead letters that were sealed for them.

Whoever runs it needs the right to read the identities topic; once the customer is erased there is nothing to find.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from loyalty_stream.app.identities import Identity, IdentityCodec
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.pseudonyms import SEALED
from loyalty_stream.app.read_log import LogReader, log_reader
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.topics import partition_counts
from loyalty_stream.wire.dead_letter import Verdict, verdict
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.sealed import Original, unseal


@dataclass(frozen=True, slots=True)
class OpenedLetter:
    """A dead letter of a customer: why the record was refused, and the record as it came."""

    verdict: Verdict
    original: Original


async def identity_of(
    reader: LogReader, settings: Settings, counts: Mapping[str, int], customer: str
) -> Identity | None:
    """The customer's identity as the identities topic has it; None: unknown, or nobody has a pseudonym."""
    topic, key = settings.topic("identities"), customer.encode()
    if topic not in counts:
        return None
    found: bytes | None = None
    async for records in reader.read(topic, partition_of(key, counts[topic])):
        for record in records:
            if record.key == key:
                found = record.value
    return None if found is None else IdentityCodec.decode(found)


async def open_letters(settings: Settings, customer: str) -> list[OpenedLetter] | None:
    """All dead letters that were sealed for the customer, in order; None where no such customer is known."""
    counts = await partition_counts(settings)
    topic = settings.topic("dead-letters")
    if topic not in counts:
        raise MendableError(f"topic {topic} is missing on {settings.bootstrap_servers}; check --topic-prefix")
    opened: list[OpenedLetter] = []
    async with log_reader(settings) as reader:
        identity = await identity_of(reader, settings, counts, customer)
        if identity is None:
            return None
        token = identity.token.encode()
        async for records in reader.read(topic, partition_of(token, counts[topic])):
            for record in records:
                if record.key == token and any(name == SEALED for name, _ in record.headers):
                    original = unseal(record.value, identity.seal_key, identity.token)
                    opened.append(OpenedLetter(verdict(record.headers), original))
    return opened

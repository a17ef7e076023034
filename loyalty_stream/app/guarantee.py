"""Which guarantee the brokers allow: asked once at start, by trying."""

import asyncio
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest

from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.settings import Settings
from loyalty_stream.engine.log import Guarantee

TIMEOUT_SECONDS = 30.0
_WRITE_TXN_MARKERS = 27
"""An API between brokers that every Kafka with transactions has and the embedded broker has not."""


class GuaranteeUnavailableError(MendableError):
    """The guarantee that was asked for cannot be had, or it cannot be told whether it can."""


async def choose(settings: Settings) -> Guarantee:
    """The guarantee to run under. A Kafka that has transactions and does not grant one now is an error.

    Falling back silently because a coordinator is down for a moment would cost exactly-once for a whole run.
    """
    if settings.guarantee == Guarantee.EFFECTIVELY_ONCE:
        return Guarantee.EFFECTIVELY_ONCE
    error = await _try_transaction(settings)
    if error is None:
        return Guarantee.EXACTLY_ONCE
    if settings.guarantee == Guarantee.EXACTLY_ONCE or await _knows_transactions(settings):
        raise GuaranteeUnavailableError(
            f"{settings.bootstrap_servers} granted no transaction: {error!r}. Wait for its transaction coordinator, "
            "check the permissions on transactional ids, or accept less with --guarantee effectively_once"
        )
    return Guarantee.EFFECTIVELY_ONCE


async def _try_transaction(settings: Settings) -> Exception | None:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        transactional_id=f"{settings.app_id}-probe",
        **settings.connection,
    )
    try:
        await asyncio.wait_for(producer.start(), TIMEOUT_SECONDS)
        await asyncio.wait_for(producer.begin_transaction(), TIMEOUT_SECONDS)
        await asyncio.wait_for(producer.abort_transaction(), TIMEOUT_SECONDS)
    except (KafkaError, OSError, TimeoutError) as error:
        return error
    else:
        return None
    finally:
        with suppress(Exception):
            await asyncio.wait_for(producer.stop(), TIMEOUT_SECONDS)


async def _knows_transactions(settings: Settings) -> bool:
    client = AIOKafkaClient(bootstrap_servers=settings.bootstrap_servers, **settings.connection)
    await client.bootstrap()
    try:
        response = await client.send(client.get_random_node(), ApiVersionRequest())
        return any(api[0] == _WRITE_TXN_MARKERS for api in response.api_versions)
    finally:
        await client.close()

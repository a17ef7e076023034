"""Where the inputs begin and end is asked on a connection of its own: the group's consumer is not even there."""

import asyncio
from time import monotonic

import pytest
from aiokafka import AIOKafkaProducer
from deployment import PARTITIONS, Deployment

from loyalty_stream.engine.kafka_log import KafkaSettings
from loyalty_stream.engine.log import Guarantee
from loyalty_stream.engine.transport import FaustGroup

pytestmark = pytest.mark.kafka

FETCH_WAIT_S = 40


def test_a_worker_is_ready_while_its_fetch_still_waits_for_records(deployment: Deployment) -> None:
    """Each of its tasks asks for the ends; on the connection of the fetch one after the other would wait for it."""
    started = monotonic()
    worker = deployment.worker("only", fetch_wait_ms=FETCH_WAIT_S * 1000)
    worker.wait_until(lambda: len(worker.ready_partitions()) >= PARTITIONS, "every task is at work")
    assert monotonic() - started < FETCH_WAIT_S / 2


def test_what_is_not_committed_lies_behind_the_end(deployment: Deployment) -> None:
    async def story() -> None:
        servers = deployment.settings.bootstrap_servers
        orders, reviews = deployment.settings.topic("orders"), deployment.settings.topic("reviews")
        group = FaustGroup(None, KafkaSettings(servers, Guarantee.EXACTLY_ONCE))
        producer = AIOKafkaProducer(bootstrap_servers=servers, transactional_id=f"{orders}-test")
        await producer.start()
        try:
            nothing = {orders: 0, reviews: 0}
            assert await group.beginnings([orders, reviews], 1) == nothing
            assert await group.end_offsets([orders, reviews], 1) == nothing
            async with producer.transaction():
                await producer.send_and_wait(orders, b"1", partition=1)
            while (ends := await group.end_offsets([orders, reviews], 1)) == nothing:  # noqa: ASYNC110 - polls
                await asyncio.sleep(0.05)  # a commit is answered before its marker is written
            assert ends == {orders: 2, reviews: 0}
            await producer.begin_transaction()
            await producer.send_and_wait(orders, b"2", partition=1)
            await producer.send_and_wait(reviews, b"3", partition=1)
            assert await group.end_offsets([orders, reviews], 1) == {orders: 2, reviews: 0}
            await producer.abort_transaction()
        finally:
            await producer.stop()
            await group.stop()

    asyncio.run(asyncio.wait_for(story(), 60))

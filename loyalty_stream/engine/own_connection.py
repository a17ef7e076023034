"""A connection to the brokers beside that of the group's consumer, for questions and commits."""

import asyncio
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer

from loyalty_stream.engine.kafka_log import KafkaSettings


class OwnConnection:
    """A consumer that fetches nothing, connected when it is first needed; `options` are aiokafka's."""

    def __init__(self, settings: KafkaSettings, **options: Any) -> None:
        self._settings = settings
        self._options = options
        self._client: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()

    async def client(self) -> AIOKafkaConsumer:
        """The consumer, connected. Waiting is bounded by whoever asks. Raises KafkaError or OSError."""
        async with self._starting:
            if self._client is None:
                client = AIOKafkaConsumer(
                    bootstrap_servers=self._settings.bootstrap_servers,
                    enable_auto_commit=False,
                    **self._options,
                    **self._settings.connection,
                )
                await client.start()
                self._client = client
            return self._client

    async def stop(self) -> None:
        """Close it."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await asyncio.wait_for(client.stop(), self._settings.timeout)

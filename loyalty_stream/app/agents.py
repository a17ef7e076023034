"""The Faust agents: one for each input topic, in one place. What an event means is the ledger stage's affair.

An agent's event is a batch of one partition's raw records; it hands it to the task that owns the partition.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from loyalty_stream.app.settings import INPUTS, Settings
from loyalty_stream.engine.log import Batch
from loyalty_stream.engine.tasks import Tasks
from loyalty_stream.engine.transport import RawSchema

Batches = AsyncIterator[Batch]


def declare(app: Any, settings: Settings, tasks: Tasks) -> None:
    """Declare the agents on a Faust app: of the facts where this worker runs the ledger, and of what stages read."""
    if settings.topic("orders") in tasks.topics:
        _declare_facts(app, settings, tasks)
    facts = {settings.topic(kind) for kind in INPUTS}
    for name in tasks.topics:  # what the stages say to each other
        if name not in facts:
            app.agent(app.topic(name, schema=RawSchema(), acks=False), name=f"between-stages.{name}")(
                _deliver_to(tasks)
            )


def _declare_facts(app: Any, settings: Settings, tasks: Tasks) -> None:
    def topic(kind: str) -> Any:
        return app.topic(settings.topic(kind), schema=RawSchema(), acks=False)

    @app.agent(topic("orders"))
    async def orders(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)

    @app.agent(topic("registrations"))
    async def registrations(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)

    @app.agent(topic("reviews"))
    async def reviews(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)

    @app.agent(topic("shares"))
    async def shares(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)

    @app.agent(topic("check-ins"))
    async def check_ins(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)

    @app.agent(topic("activities"))
    async def activities(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)

    @app.agent(topic("points-commands"))
    async def points_commands(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)

    @app.agent(topic("campaigns"))
    async def campaigns(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)


def _deliver_to(tasks: Tasks) -> Callable[[Batches], Coroutine[Any, Any, None]]:
    async def deliver(batches: Batches) -> None:
        async for batch in batches:
            tasks.deliver(batch)

    return deliver

"""The worker's web pages: /metrics, /healthz and /readyz on Faust's own web server."""

from collections.abc import Mapping
from typing import Any

from loyalty_stream.app.metrics import Metrics
from loyalty_stream.engine.task import PartitionTask
from loyalty_stream.engine.tasks import Tasks


def declare(app: Any, metrics: Metrics, tasks: Tasks) -> None:
    """Declare the pages on a Faust app."""

    @app.page("/metrics")
    async def metrics_page(web: Any, request: Any) -> Any:
        del request
        return web.bytes(metrics.text(), content_type="text/plain; version=0.0.4")

    @app.page("/healthz")
    async def healthz(web: Any, request: Any) -> Any:
        """Alive: the event loop answers."""
        del request
        return web.json({"status": "ok"})

    @app.page("/readyz")
    async def readyz(web: Any, request: Any) -> Any:
        """Ready: the group has given an assignment, and every partition of it is restored and at work."""
        del request
        body = readiness(tasks.all(), assigned=tasks.assigned)
        return web.json(body, status=200 if body["status"] == "ready" else 503)


def readiness(tasks: Mapping[tuple[str, int], PartitionTask], *, assigned: bool) -> dict[str, Any]:
    """What `/readyz` says: the worker's status, which partitions are at work, and which topics others wait for.

    `tasks` are by stage and partition; `assigned`: the group has given an assignment, which may be none.
    """
    named = {f"{stage}-{partition}": task for (stage, partition), task in tasks.items()}
    waiting = {name: list(task.waits_for) for name, task in named.items() if task.waits_for}
    restoring = not assigned or not all(task.ready for task in named.values())
    status = "restoring" if restoring else "waiting" if waiting else "ready"
    partitions = {name: task.at_work for name, task in named.items()}
    return {"status": status, "partitions": partitions, "waiting_for": waiting}

"""The worker's web pages: /metrics, /healthz and /readyz on Faust's own web server."""

from typing import Any

from loyalty_stream.app.metrics import Metrics
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
        """Ready: the group has given an assignment, and every partition of it is restored."""
        del request
        ready = tasks.ready
        partitions = {f"{stage}-{partition}": task.ready for (stage, partition), task in tasks.all().items()}
        body = {"status": "ready" if ready else "restoring", "partitions": partitions}
        return web.json(body, status=200 if ready else 503)

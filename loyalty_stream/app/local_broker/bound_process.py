"""A child process that cannot outlive us, whichever way we end. Knows nothing of Kafka.

The child runs under supervise.py, which ends it when our end of a pipe closes; the kernel closes that end
even after a SIGKILL. Linux's PR_SET_PDEATHSIG was not taken: it fires when the starting *thread* ends, which
is too early for a broker started from a worker thread, and it exists on Linux alone.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SUPERVISOR = Path(__file__).with_name("supervise.py")
_DIES_AFTER_SIGKILL_WITHIN_S = 30.0


class BoundProcess:
    """One run of a command. Its output is appended to a file; signals from our terminal do not reach it."""

    def __init__(self, command: Sequence[str], output: Path, env: Mapping[str, str] | None = None) -> None:
        """Start the command, or raise OSError or RuntimeError with what it said."""
        with output.open("ab") as sink:
            self._supervisor = subprocess.Popen(  # noqa: S603 - a list of our own making, no shell
                [sys.executable, "-I", "-S", str(_SUPERVISOR), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=env,
                # Ctrl-C reaches the whole foreground group; the broker must stay until its clients are done.
                start_new_session=True,
            )
        assert self._supervisor.stdout is not None
        with self._supervisor.stdout as said:
            line = said.readline()
        if not line.strip():
            self._close(within_s=_DIES_AFTER_SIGKILL_WITHIN_S)
            raise RuntimeError(f"could not run {command[0]}; see {output}")
        self.pid = int(line)

    @property
    def exit_code(self) -> int | None:
        """None while the process runs, else its exit code (128 + n after signal n)."""
        return self._supervisor.poll()

    def terminate(self, *, within_s: float) -> None:
        """Ask the process to end (SIGTERM), kill it if it has not within the seconds given, and wait."""
        self._signal(signal.SIGTERM)
        try:
            self._supervisor.wait(within_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        self._close(within_s=_DIES_AFTER_SIGKILL_WITHIN_S)

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL), and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self._close(within_s=_DIES_AFTER_SIGKILL_WITHIN_S)

    def _signal(self, number: signal.Signals) -> None:
        # The supervisor alone reaps the process, then ends: while it runs, the pid is nobody else's.
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _close(self, *, within_s: float) -> None:
        self._supervisor.wait(within_s)
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.close()

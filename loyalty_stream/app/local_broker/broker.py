"""What every local broker has in common: its place, its life, and how it is started, killed and ended.

Which program runs, and how it is told so, is the subclass's affair.
"""

import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from loyalty_stream.app.local_broker.bound_process import BoundProcess
from loyalty_stream.app.local_broker.loopback import HOST, free_port, is_free, wait_until_kafka_answers

_ANSWERS_WITHIN_S = 90.0
_STOPS_WITHIN_S = 15.0
_LOG_LINES_IN_AN_ERROR = 25


class BrokerUnavailableError(RuntimeError):
    """This kind of broker cannot be had here: the text says what is missing and what to do about it."""


class LocalBrokerError(RuntimeError):
    """A local broker failed to start, or is not in the state that was asked of it."""


class LocalBroker(ABC):
    """A broker that runs from start() to stop(), or within a `with`; it can be killed and started again.

    It keeps its port over a restart, and its data where `keeps_data` says so. A data directory that was given
    stays; one of its own goes with close(), the end of the `with`, or the end of this Python.
    """

    kind: ClassVar[str]
    transactions: ClassVar[bool]
    keeps_data: ClassVar[bool]

    def __init__(
        self, *, data_dir: Path | None = None, port: int | None = None, why: str = "asked for"
    ) -> None:
        """Prepare without starting; without a port, one that is free now is taken."""
        self.data_dir: Final = Path(data_dir or tempfile.mkdtemp(prefix=f"loyalty-{self.kind}-")).resolve()
        self._forget_data = weakref.finalize(self, shutil.rmtree, self.data_dir, ignore_errors=True)
        if data_dir is not None:
            self._forget_data.detach()
        self.port: Final = free_port() if port is None else port
        self.why: Final = why
        self._process: BoundProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Return host:port for Kafka clients; the same over restarts."""
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """Return the file that the broker logs to."""
        return self.data_dir / "broker.log"

    @property
    def runs(self) -> bool:
        """Say whether the broker's process is there."""
        return self._process is not None and self._process.exit_code is None

    @property
    def pid(self) -> int:
        """Return the pid of the broker's own process; raise LocalBrokerError if it is not running."""
        if self._process is None or not self.runs:
            raise LocalBrokerError(f"the {self.kind} broker on {self.bootstrap_servers} is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start and return once it answers; raise LocalBrokerError or BrokerUnavailableError if it cannot.

        Blocks, with or without a running event loop in this thread.
        """
        if self.runs:
            raise LocalBrokerError(
                f"the {self.kind} broker on {self.bootstrap_servers} runs already; use restart()"
            )
        self.stop()  # one that was killed from outside leaves its supervisor's pipe behind
        if not is_free(self.port):
            raise LocalBrokerError(f"something else listens on {self.bootstrap_servers}; give another port")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._process = process = BoundProcess(self._prepare(), self._output)
        if not wait_until_kafka_answers(self.port, within_s=_ANSWERS_WITHIN_S, still_runs=lambda: self.runs):
            code = process.exit_code
            self.kill()
            ended = (
                f"did not answer in {_ANSWERS_WITHIN_S} s" if code is None else f"ended with exit code {code}"
            )
            where = f"the {self.kind} broker on {self.bootstrap_servers}"
            raise LocalBrokerError(f"{where} {ended}; its last words:\n{self._last_words()}")
        return self

    def stop(self) -> None:
        """End the broker in order (SIGTERM, after 15 s SIGKILL). Does nothing if it is not started."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate(within_s=_STOPS_WITHIN_S)

    def kill(self) -> None:
        """End the broker as a crash would (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def restart(self) -> None:
        """Start again on the same port, after a stop() unless it was killed or stopped before."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and delete the data directory unless it was given."""
        self.stop()
        self._forget_data()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _prepare(self) -> list[str]:
        """Put in place what the broker needs, and return the command that runs it."""

    @property
    def _output(self) -> Path:
        return self.data_dir / "stdout.log"

    def _last_words(self) -> str:
        tails = [
            line
            for file in (self.log, self._output)
            if file.exists()
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines()[
                -_LOG_LINES_IN_AN_ERROR:
            ]
        ]
        return "\n".join(tails) or "(none)"

"""A worker's process, as a test sees it: its log, its pages, its end. It must not know what the worker does."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
WITHIN_S = 90.0
"""The longest that anything is waited for; a test that needs less does not take it."""
POLL_S = 0.05


def wait_until(condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    """The first true value of `condition`; AssertionError, with `what`, when there is none in time."""
    ends = time.monotonic() + within_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < ends, f"not within {within_s:g} s: {what}"
        time.sleep(POLL_S)


class Worker:
    """A worker's process."""

    def __init__(self, given: dict, log: Path, web_port: int) -> None:
        self.log = log
        self.web_port = web_port
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "injected_worker.py"), json.dumps(given)],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def wait_for(self, text: str) -> None:
        """Wait until the log says it."""
        self.wait_until(lambda: text in self.text, f"{text!r} in the log")

    def wait_until(self, condition: Callable[[], Any], what: str) -> Any:
        """`wait_until`, and at once an AssertionError if the worker dies; both with its last words."""

        def alive_and() -> Any:
            assert self.alive, f"the worker ended with {self.process.returncode}"
            return condition()

        try:
            return wait_until(alive_and, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; last words:\n{self.text[-3000:]}") from None

    def wait_killed(self) -> None:
        """Wait until a fault has killed it; the fault is on record."""
        try:
            code = self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the fault never struck; last words:\n{self.text[-3000:]}") from None
        assert code == -signal.SIGKILL, f"ended with {code}; last words:\n{self.text[-3000:]}"
        assert "FAULT SIGKILL" in self.text

    def wait_stopped(self) -> None:
        """Wait until a fault has put it to sleep (SIGSTOP)."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        self.wait_until(
            lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the worker stopped by its fault"
        )
        assert "FAULT SIGSTOP" in self.text

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def terminate(self) -> None:
        """SIGTERM, and a clean end."""
        self.process.terminate()
        try:
            code = self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end on SIGTERM; last words:\n{self.text[-3000:]}") from None
        assert code == 0, f"ended with {code} on SIGTERM; last words:\n{self.text[-3000:]}"

    def end(self) -> None:
        """Make sure that nothing of it is left."""
        if self.alive:
            self.process.kill()
            self.process.wait()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page; status 0 while the web server does not answer."""
        url = f"http://127.0.0.1:{self.web_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready_partitions(self) -> set[str]:
        """The ledger's tasks that say that they are at work; empty while any task of any stage does not."""
        status, body = self.get("/readyz")
        return (
            {name for name in json.loads(body)["partitions"] if name.startswith("ledger-")}
            if status == 200
            else set()
        )

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for line in self.get("/metrics")[1].splitlines()
            if line.startswith((f"{name}{{", f"{name} ")) and all(each in line for each in wanted)
        )

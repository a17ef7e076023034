"""Ctrl-C and SIGTERM for a program of several steps: noticed for sure, whatever runs when they come.

`asyncio.run` alone loses some: it cancels its main task, and a library that swallows the cancellation (aiokafka
does while it closes a client) makes as if nothing had happened.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Use within `with`, in the main thread. An interruption is raised as KeyboardInterrupt."""

    def __init__(self) -> None:
        self._seen = False
        self._cancel: Callable[[], object] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._notice) for number in _ENDING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """As `asyncio.run`; raises KeyboardInterrupt if there was an interruption meanwhile."""

        async def cancellable() -> T:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
            if self._seen:
                task.cancel()
            return await coroutine

        # Nothing is raised while the loop is made and closed: that would leave it half-made.
        self._cancel = lambda: None
        try:
            result = asyncio.run(cancellable())
        except (asyncio.CancelledError, Exception):
            self._cancel = None
            self.check()  # what breaks while a step is cancelled is no error of its own
            raise
        self._cancel = None
        self.check()
        return result

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was an interruption."""
        if self._seen:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """From now on nothing interrupts: what follows is cleaning up."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)

    def _notice(self, _number: int, _frame: object) -> None:
        self._seen = True
        if self._cancel is None:
            raise KeyboardInterrupt
        with suppress(RuntimeError):  # its loop has just been closed; `run` looks again
            self._cancel()

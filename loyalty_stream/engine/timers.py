"""When keys fall due: a calendar of hours, opened one at a time, that keeps eight bytes a key.

Entries are never taken out. One that comes too early is asked again when it comes, so what a user of `Timers`
keeps true is only this: every key has an entry no later than it falls due.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

NEVER: Final = 1 << 61
"""Later than every instant, and small enough for compiled code to compare it as a machine's integer."""
_BUCKET_MS: Final = 3600 * 1000


class Timers:
    """Keys by the instant, in ms, at which they fall due."""

    __slots__ = ("_closed", "_closed_hours", "_hour", "_open", "earliest")

    def __init__(self) -> None:
        self._closed: dict[int, list[bytes]] = {}
        self._closed_hours: list[int] = []
        self._hour = -1
        self._open: list[tuple[int, bytes]] = []
        self.earliest = NEVER
        """Nothing falls due before this instant."""

    def schedule(self, key: bytes, due: int) -> None:
        """`key` falls due at `due` or later."""
        hour = due // _BUCKET_MS
        if hour <= self._hour:
            heappush(self._open, (due, key))
        elif (keys := self._closed.get(hour)) is not None:
            keys.append(key)
        else:
            self._closed[hour] = [key]
            heappush(self._closed_hours, hour)
        self._look()

    def pop(self, now: int, due_of: Callable[[bytes], int | None]) -> tuple[int, bytes] | None:
        """The earliest instant and key that is due by `now`, ties by key; None when there is none.

        `due_of` tells when a key is due now (None: never). The key is no longer scheduled afterwards.
        """
        while self.earliest <= now:
            opened = self._open
            if not opened or (self._closed_hours and self._closed_hours[0] * _BUCKET_MS <= opened[0][0]):
                self._open_hour(due_of)
                continue
            entry = heappop(opened)
            while opened and opened[0] == entry:
                heappop(opened)
            self._look()
            due, key = entry
            actual = due_of(key)
            if actual == due:
                return entry
            if actual is not None:
                self.schedule(key, actual)
        return None

    def _open_hour(self, due_of: Callable[[bytes], int | None]) -> None:
        self._hour = heappop(self._closed_hours)
        for key in set(self._closed.pop(self._hour)):
            due = due_of(key)
            if due is not None:
                self.schedule(key, due)
        self._look()

    def _look(self) -> None:
        opened = self._open[0][0] if self._open else NEVER
        closed = self._closed_hours[0] * _BUCKET_MS if self._closed_hours else NEVER
        self.earliest = min(opened, closed)

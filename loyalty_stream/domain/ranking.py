"""The first places of a ranking, kept up to date one score at a time; it never looks at those far behind.

Besides the places that are shown it keeps a reserve, so that whoever falls is followed by the next. All others are
behind the `floor`. When too many have fallen, the reserve has to be filled again from all scores: `is_low` says so.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Final, TypeAlias

Place: TypeAlias = tuple[int, int, bytes]
"""-score, the time (ms) at which it was reached, customer: places sort by rank (DOMAIN.md, Leaderboards)."""

LEAST_RESERVE: Final = 50


class Ranking:
    """The best `size` and a reserve of as many, or of `least_reserve` where that is more."""

    __slots__ = ("_floor", "_low", "_of", "_places", "_size", "_total", "changed", "lowest")

    def __init__(self, size: int, least_reserve: int = LEAST_RESERVE) -> None:
        self._size = size
        self._total = size + max(least_reserve, size)
        self._low = size + (self._total - size) // 4
        self._places: list[Place] = []
        self._of: dict[bytes, Place] = {}
        self._floor: Place | None = None
        """No other is before this place; None: there is no other."""
        self.lowest = 1
        """A score below it changes nothing, unless its customer has a place."""
        self.changed = True
        """Whether the first `size` places have changed since somebody set it to False."""

    @property
    def is_low(self) -> bool:
        """Whether others have to be looked at before long."""
        return self._floor is not None and len(self._places) < self._low

    @property
    def is_exact(self) -> bool:
        """Whether `first` is all that there is to show."""
        return self._floor is None or len(self._places) >= self._size

    def first(self) -> Sequence[Place]:
        """The first `size` places, in order; each of them is right, however many others there are."""
        return self._places[: self._size]

    def shows(self, customer: bytes) -> bool:
        """Whether the customer is among the first `size`."""
        place = self._of.get(customer)
        return place is not None and bisect_left(self._places, place) < self._size

    def put(self, customer: bytes, score: int, reached: int) -> None:
        """The customer has this score now, reached at `reached` (ms); 0 or less has no place."""
        old = self._of.get(customer)
        if old is None:
            if score < self.lowest:
                return
        else:
            if old[0] == -score and old[1] == reached:
                return
            self._drop(customer, old)
        place = (-score, reached, customer)
        floor = self._floor
        if score <= 0 or (floor is not None and place > floor):
            return
        insort(self._places, place)
        self._of[customer] = place
        if not self.changed and bisect_left(self._places, place) < self._size:
            self.changed = True
        if len(self._places) > self._total:
            last = self._floor = self._places.pop()
            del self._of[last[2]]
            self.lowest = -last[0]

    def remove(self, customer: bytes) -> None:
        """The customer takes part no longer."""
        old = self._of.get(customer)
        if old is not None:
            self._drop(customer, old)

    def _drop(self, customer: bytes, old: Place) -> None:
        at = bisect_left(self._places, old)
        del self._places[at]
        del self._of[customer]
        if at < self._size:
            self.changed = True

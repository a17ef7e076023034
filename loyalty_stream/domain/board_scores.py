"""What one customer has on all boards, and how an event changes it. It knows no topic and nobody else's score.

The score of a period is the sum of what counted in it, so it does not depend on the order in which events come.
"""

from msgspec import Struct


class Run(Struct, array_like=True, gc=False):
    """Days without a gap: the first, how many, and the time (ms) of the latest check-in among them."""

    first: int
    length: int
    latest: int


class Score(Struct, array_like=True, gc=False):
    """A customer's score in a period, and since when (ms): the latest time of what counted.

    What is taken back lowers the score and leaves the time: the lower score was reached by then.
    """

    points: int = 0
    reached: int = 0
    runs: list[Run] = []
    """Of `check_in_streak`: by rising day."""


class Row(Struct, array_like=True, gc=False, tag="row"):
    """A customer, by periods as the stage names them. An alias is what others see instead of the id."""

    scores: dict[str, Score] = {}
    alias: str = ""
    opted_out: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.scores or self.alias or self.opted_out)


def earn(score: Score, points: int, at: int) -> None:
    """Points were granted at `at` (ms)."""
    score.points += points
    if at > score.reached:  # noqa: PLR1730 - max() costs a call on the hot path
        score.reached = at


def take_back(score: Score, points: int) -> None:
    """Points of the period are taken back; of what the board has not counted nothing can be."""
    score.points = max(0, score.points - points)


def check_in(score: Score, day: int, at: int) -> None:
    """The customer checked in on a day of the period; the score is the longest run of days in it."""
    new = Run(day, 1, at)
    runs: list[Run] = []
    for run in score.runs:
        if run.first <= day < run.first + run.length:
            return
        if run.first + run.length == new.first or new.first + new.length == run.first:
            first, latest = min(run.first, new.first), max(run.latest, new.latest)
            new = Run(first, run.length + new.length, latest)
        else:
            runs.append(run)
    score.runs = sorted([*runs, new], key=_first)
    best = max(score.runs, key=_rank)
    score.points, score.reached = best.length, best.latest


def forget_runs(score: Score, before: int) -> None:
    """Drop the runs that ended before the local day `before`: no late check-in joins them. The best stays."""
    best = max(score.runs, key=_rank, default=None)
    score.runs = [run for run in score.runs if run is best or run.first + run.length >= before]


def _first(run: Run) -> int:
    return run.first


def _rank(run: Run) -> tuple[int, int]:
    return run.length, -run.latest

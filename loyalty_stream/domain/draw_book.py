"""What the owner of a draw keeps: who is in it, and how far every partition's time has come.

It must not know how many entries there are, nor where they are stored.
"""

from msgspec import Struct


class Entrant(Struct, array_like=True, gc=False, tag="entrant"):
    """An entry that takes part: where its customer is told that it won."""

    partition: int
    made_at: int = 0
    """That partition's time (ms) when the entry was made."""


class Draw(Struct, array_like=True, gc=False, tag="draw"):
    """A campaign's draw."""

    passed: dict[int, int] = {}
    """By partition: the time (ms) that it has told to have reached, after all its entries from before."""
    held: bool = False
    """The winners are drawn: nobody enters any more."""
    ended_at: int = 0
    """The end (ms) that all partitions had passed then; 0: held by an older release."""


def pass_time(draw: Draw, partition: int, time: int) -> None:
    """A partition's time never runs backwards, so an older message changes nothing."""
    draw.passed = {**draw.passed, partition: max(time, draw.passed.get(partition, 0))}


def is_closed(draw: Draw, partitions: int, ends_at: int) -> bool:
    """Whether all partitions have passed the end: no entry from before is still to come."""
    return all(draw.passed.get(number, 0) >= ends_at for number in range(partitions))


def is_late(draw: Draw, made_at: int) -> bool:
    """Whether an entry that comes once the draw is held was made after its end, as its partition's time (ms) was.

    One from before came in before the draw was held, for its partition told of the end after it: it is a repeat.
    """
    return 0 < draw.ended_at <= made_at

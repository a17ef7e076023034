"""One exact rounding, on integers: a fraction to a whole number, and a whole divided into whole shares.

It must not know what is rounded, points or money.
"""

from collections.abc import Sequence
from typing import assert_never

from loyalty_stream.domain.rules import Rounding


def rounded(numerator: int, denominator: int, rounding: Rounding) -> int:
    """`numerator / denominator` as a whole number; `half_up` takes a half upwards."""
    match rounding:
        case "floor":
            return numerator // denominator
        case "half_up":
            return (2 * numerator + denominator) // (2 * denominator)
        case "ceil":
            return -(-numerator // denominator)
        case _:
            assert_never(rounding)


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """`total` divided in proportion to `weights` by largest remainder, ties to the earlier one.

    The shares add up to `total`, none is above its weight, and all are in the unit of `total`. A total above
    the sum of the weights is taken for that sum. Neither may be negative.
    """
    whole = sum(weights)
    if total >= whole:
        return list(weights)
    parts = [total * weight // whole for weight in weights]
    missing = total - sum(parts)
    if missing:
        remainders = [total * weight % whole for weight in weights]
        # sorted() is stable, in reverse too, so equal remainders stay in the order of the weights.
        for at in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:missing]:
            parts[at] += 1
    return parts

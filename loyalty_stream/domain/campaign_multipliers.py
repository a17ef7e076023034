"""What a campaign's multiplier adds to the points of an order (DOMAIN.md, Campaigns).

Each purchase rule is rounded once, on the exact fraction with all multipliers so far; a multiplier's part is the
difference to the points without it. It must not know which campaigns count.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from msgspec import Struct

from loyalty_stream.domain.facts import OrderLine
from loyalty_stream.domain.rounding import rounded
from loyalty_stream.domain.rules import PurchaseRule, Rounding
from loyalty_stream.domain.scope import in_scope

ONE: Final = Fraction(1)
_MOST_BITS: Final = 63
"""What an event can hold of an integer: both sides of the fraction lose their lowest bits beyond it."""


class Multiplying(Struct, frozen=True):
    """A multiplier and the positions of the lines that it multiplies; empty: all."""

    multiplier: Fraction
    scope: tuple[int, ...]


class Extra(Struct, frozen=True):
    """What a multiplier adds to one purchase rule, as its grant tells it."""

    points: int
    exact: tuple[int, int]
    """The extra exact fraction: numerator and denominator."""
    rounding: Rounding
    base_amount: int
    scope: tuple[int, ...] | None
    """Positions of the lines that both the rule and the campaign count; None: all."""


def extras(
    rules: Sequence[PurchaseRule],
    lines: Sequence[OrderLine],
    nets: Sequence[int],
    tier: Fraction,
    before: Sequence[Multiplying],
    own: Multiplying,
    *,
    alone: bool = False,
) -> tuple[Extra, ...]:
    """What `own` adds to what each rule gives with the tier's multiplier and those `before` it.

    `alone`: the rules give nothing themselves, so that it gives all of it. A rule to which it adds nothing is left
    out.
    """
    found = []
    for rule in rules:
        places = [place for place, line in enumerate(lines) if not rule.scoped or in_scope(rule, line)]
        amounts = nets if rule.basis == "net" else [line.amount for line in lines]
        if sum([amounts[place] for place in places]) < rule.minimum_amount:
            continue
        counted = [place for place in places if not own.scope or place in own.scope]
        rate = Fraction(rule.numerator, rule.denominator) * tier
        without = _exact(places, amounts, before) * rate if not alone else Fraction(0)
        with_it = _exact(places if not alone else counted, amounts, [*before, own]) * rate
        points = _points(with_it, rule.rounding) - _points(without, rule.rounding)
        if points > 0:
            base = sum([amounts[place] for place in counted])
            scope = None if len(counted) == len(lines) else tuple(counted)
            found.append(Extra(points, _told(with_it - without), rule.rounding, base, scope))
    return tuple(found)


def _exact(places: Sequence[int], amounts: Sequence[int], multiplying: Sequence[Multiplying]) -> Fraction:
    """The amounts of the lines, each times what multiplies it."""
    total = Fraction(0)
    for place in places:
        factor = ONE
        for each in multiplying:
            if not each.scope or place in each.scope:
                factor *= each.multiplier
        total += amounts[place] * factor
    return total


def _points(exact: Fraction, rounding: Rounding) -> int:
    return rounded(exact.numerator, exact.denominator, rounding)


def _told(exact: Fraction) -> tuple[int, int]:
    """Numerator and denominator; of absurdly fine fractions so many digits as an event can hold."""
    numerator, denominator = exact.numerator, exact.denominator
    beyond = max(numerator.bit_length(), denominator.bit_length()) - _MOST_BITS
    if beyond > 0:
        numerator, denominator = numerator >> beyond, max(denominator >> beyond, 1)
    return numerator, denominator

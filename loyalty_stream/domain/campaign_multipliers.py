"""What a campaign's multiplier adds to the points of an order (DOMAIN.md, Campaigns).

Each purchase rule is rounded once, on the exact fraction with all multipliers so far; a multiplier's part is the
difference to the points without it. It must not know which campaigns count.
"""

from collections.abc import Sequence
from math import gcd
from typing import Final

from mypy_extensions import mypyc_attr

from loyalty_stream.domain.campaign_terms import Ratio
from loyalty_stream.domain.facts import OrderLine
from loyalty_stream.domain.rounding import rounded
from loyalty_stream.domain.rules import PurchaseRule, Rounding
from loyalty_stream.domain.scope import in_scope

_MOST_BITS: Final = 63
"""What an event can hold of an integer: both sides of the fraction lose their lowest bits beyond it."""


@mypyc_attr(acyclic=True)
class Multiplying:
    """A multiplier and the positions of the lines that it multiplies; empty: all."""

    def __init__(self, ratio: Ratio, scope: tuple[int, ...]) -> None:
        self.ratio = ratio
        self.scope = scope


@mypyc_attr(acyclic=True)
class Extra:
    """What a multiplier adds to one purchase rule, as its grant tells it."""

    def __init__(
        self,
        points: int,
        exact: tuple[int, int],
        rounding: Rounding,
        base_amount: int,
        scope: tuple[int, ...] | None,
    ) -> None:
        self.points = points
        self.exact = exact
        """The extra exact fraction: numerator and denominator."""
        self.rounding = rounding
        self.base_amount = base_amount
        self.scope = scope
        """Positions of the lines that both the rule and the campaign count; None: all."""


def extras(
    rules: Sequence[PurchaseRule],
    lines: Sequence[OrderLine],
    nets: Sequence[int],
    tier: Ratio,
    before: Sequence[Multiplying],
    own: Multiplying,
    *,
    alone: bool = False,
) -> tuple[Extra, ...]:
    """What `own` adds to what each rule gives with the tier's multiplier and those `before` it.

    `alone`: the rules give nothing themselves, so that it gives all of it. A rule to which it adds nothing is left
    out.
    """
    # All over one denominator.
    above, below = own.ratio
    factors, shared = _factors(len(lines), before)
    shared *= below * tier[1]
    found = []
    for rule in rules:
        places: Sequence[int] = range(len(lines))
        if rule.scoped:
            places = [place for place in places if in_scope(rule, lines[place])]
        amounts = nets if rule.basis == "net" else [line.amount for line in lines]
        if sum(amounts[place] for place in places) < rule.minimum_amount:
            continue
        counted = [place for place in places if place in own.scope] if own.scope else places
        rate, denominator = rule.numerator * tier[0], rule.denominator * shared
        multiplied = sum(amounts[place] * factors[place] for place in counted) * rate
        if alone:
            without, with_it = 0, multiplied * above
        else:
            without = sum(amounts[place] * factors[place] for place in places) * rate * below
            with_it = without + multiplied * (above - below)
        points = rounded(with_it, denominator, rule.rounding) - rounded(without, denominator, rule.rounding)
        if points > 0:
            base = sum(amounts[place] for place in counted)
            scope = None if len(counted) == len(lines) else tuple(counted)
            exact = _told(with_it - without, denominator)
            found.append(Extra(points, exact, rule.rounding, base, scope))
    return tuple(found)


def _factors(lines: int, multiplying: Sequence[Multiplying]) -> tuple[list[int], int]:
    """By what each line is multiplied in all, and the denominator that all of these have."""
    factors, denominator = [1] * lines, 1
    for each in multiplying:
        above, below = each.ratio
        denominator *= below
        for place in range(lines):
            factors[place] *= above if not each.scope or place in each.scope else below
    return factors, denominator


def _told(numerator: int, denominator: int) -> tuple[int, int]:
    """The fraction in lowest terms; of an absurdly fine one so many digits as an event can hold."""
    common = gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    beyond = max(numerator.bit_length(), denominator.bit_length()) - _MOST_BITS
    if beyond > 0:
        numerator, denominator = numerator >> beyond, max(denominator >> beyond, 1)
    return numerator, denominator

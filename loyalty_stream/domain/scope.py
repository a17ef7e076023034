"""Which lines of an order a rule counts (DOMAIN.md, Earning), and what they come to."""

from collections.abc import Sequence

from loyalty_stream.domain.account import Order
from loyalty_stream.domain.facts import OrderLine
from loyalty_stream.domain.rules import PurchaseRule


def in_scope(rule: PurchaseRule, line: OrderLine) -> bool:
    """Whether the line passes every list of the rule; an empty include list lets all pass."""
    category = line.category
    return (
        (not rule.include_categories or category in rule.include_categories)
        and (not rule.include_skus or line.sku in rule.include_skus)
        and category not in rule.exclude_categories
        and line.sku not in rule.exclude_skus
    )


def net_of(nets: Sequence[int], scope: tuple[int, ...] | None) -> int:
    """The sum of the lines' nets at the positions in `scope`, of all where it is empty or None; in minor units."""
    if scope:
        return sum(nets[place] for place in scope)
    return nets[0] if len(nets) == 1 else sum(net for net in nets)


def net_in(order: Order, scope: tuple[int, ...] | None) -> int:
    """The net as paid of the lines at the positions in `scope`, of all where it is empty or None; in minor units."""
    lines = order.lines
    if scope:
        return sum(lines[place].net for place in scope)
    return lines[0].net if len(lines) == 1 else sum(line.net for line in lines)

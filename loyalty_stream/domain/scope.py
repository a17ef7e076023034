"""Which lines of an order a purchase rule counts (DOMAIN.md, Earning)."""

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

"""The orders that an account remembers: found by their id or by their stem, added and put back.

It must not know what refunds or grants mean. Callers change an `Order` that they found and `save` it; nobody
else looks into `account.orders`, so that how orders are kept is decided here alone.
"""

from collections.abc import Iterator

from loyalty_stream.domain.account import Account, Earned, Order


def find(account: Account, order_id: str) -> Order | None:
    """The order of this id, None where none was paid or it is forgotten."""
    return account.orders.get(order_id)


def by_stem(account: Account, stem: str) -> Order | None:
    """The order whose order-paid's events begin with `stem`."""
    for order in account.orders.values():
        if order.stem == stem:
            return order
    return None


def each(account: Account) -> Iterator[Order]:
    """All orders remembered, in the order in which they were applied."""
    return iter(account.orders.values())


def count(account: Account) -> int:
    """How many orders are remembered."""
    return len(account.orders)


def add(account: Account, order_id: str, order: Order) -> None:
    """Remember a new order."""
    account.orders[order_id] = order


def save(account: Account, order: Order) -> None:
    """Keep the changes made to an order that was found here."""


def forget_before(account: Account, before: int) -> None:
    """Forget the orders that were paid before the instant `before` (ms)."""
    account.orders = {name: order for name, order in account.orders.items() if order.paid_at >= before}


def earned_of(order: Order, grant_id: str) -> Earned | None:
    """What the order was granted under this grant id."""
    for earned in order.earned:
        if earned.grant_id == grant_id:
            return earned
    return None

"""The orders that an account remembers: found by their id or by their stem, added and put back.

It must not know what refunds or grants mean. Callers change an `Order` that they found and `save` it; nobody
else looks into `account.orders`, so that how orders are kept is decided here alone: packed (`order_records`),
because most are never looked at again, and those that were added or changed since unpacked besides.
"""

from collections.abc import Collection, Iterator
from typing import Final, TypeAlias

from loyalty_stream.domain import grant_records, identity, order_records
from loyalty_stream.domain.account import ACCOUNT_FIELDS, KEY_BUCKET_MS, Account, Counted, Earned, Order
from loyalty_stream.domain.order_parts import Earnings

_Kept: TypeAlias = Order | tuple[int, bytes]
"""An order that was added or changed, or the bucket and the record of one that is packed."""


def find(account: Account, order_id: str) -> Order | None:
    """The order of this id, None where none was paid or it is forgotten."""
    return by_key(account, identity.order_key(order_id))


def by_key(account: Account, key: bytes) -> Order | None:
    """The order of this key, likewise."""
    order = account.unpacked.get(key)
    if order is not None:
        return order
    found = account.found_order
    if found is not None and found.key == key:
        return found
    for bucket, blob in account.orders.items():
        at = order_records.place_of(blob, key)
        if at >= 0:
            order = account.found_order = order_records.unpack(account, bucket, blob, at)
            return order
    return None


def by_stem(account: Account, stem: str) -> Order | None:
    """The order whose order-paid's events begin with `stem`."""
    for order in account.unpacked.values():
        if order.stem == stem:
            return order
    for bucket, blob in account.orders.items():
        at = 0
        while at < len(blob):
            if order_records.stem_at(account, bucket, blob, at) == stem:
                return order_records.unpack(account, bucket, blob, at)
            at = order_records.end_of(blob, at)
    return None


def each(account: Account) -> Iterator[Order]:
    """All orders remembered: by sixteen weeks of their payment, within them in the order they were applied in."""
    return iter(_all(account))


def latest_awarded(account: Account) -> Iterator[tuple[bytes, list[Counted]]]:
    """The keys and the `campaigns` of all orders that were given awards: paid last first; of one instant, applied last.

    Read as they are asked for, none is unpacked for it: later changes of those that are still to come are not seen.
    """
    changed = dict(account.unpacked)
    in_buckets: dict[int, list[Order]] = {bucket: [] for bucket in account.orders}
    for order in changed.values():
        in_buckets.setdefault(order.paid_at // KEY_BUCKET_MS, []).append(order)
    for bucket in sorted(in_buckets, reverse=True):
        blob = account.orders.get(bucket, b"")
        dated = order_records.may_be_awarded(account, bucket, blob, changed)
        places: dict[int, Order] = {}
        for number, order in enumerate(in_buckets[bucket]):
            at = -1 if order.is_new else order_records.place_of(blob, order.key)
            place = len(blob) + number if at < 0 else at
            places[place] = order
            dated.append((order.paid_at, place))
        dated.sort(reverse=True)  # of one instant, what was applied last comes first
        for _, place in dated:
            again = places.get(place)
            if again is None:
                key = order_records.key_at(blob, place)
                campaigns = order_records.awarded_at(account, bucket, blob, place)
            else:
                key, campaigns = again.key, again.campaigns
            if campaigns:
                yield key, campaigns


def earnings(account: Account, kinds: Collection[str]) -> list[Earnings]:
    """What each order remembered was worth and is worth now, in no order: its grants of these `kinds`."""
    changed = account.unpacked
    found = [order.earnings(kinds) for order in changed.values()]
    given = grant_records.Given(account, kinds)
    for bucket, blob in account.orders.items():
        found += order_records.earnings_in(account, bucket, blob, changed, kinds, given)
    return found


def count(account: Account) -> int:
    """How many orders are remembered."""
    return len(_kept(account))


def add(account: Account, order_id: str, order: Order) -> None:
    """Remember a new order."""
    order.key = identity.order_key(order_id)
    order.is_new = True
    account.unpacked[order.key] = order


def save(account: Account, order: Order) -> None:
    """Keep the changes made to an order that was found here."""
    account.unpacked[order.key] = order


def pack(account: Account) -> None:
    """Pack what was added or changed, if anything was, as for storing it; nothing else changes by it."""
    if not account.unpacked:
        return
    packed = account.orders
    for key, order in account.unpacked.items():
        bucket = order.paid_at // KEY_BUCKET_MS
        record = order_records.pack(account, order)
        blob = packed.get(bucket)
        if blob is None:
            packed[bucket] = record
        elif order.is_new or (at := order_records.place_of(blob, key)) < 0:
            packed[bucket] = blob + record
        else:
            packed[bucket] = blob[:at] + record + blob[order_records.end_of(blob, at) :]
        order.is_new = False
    account.unpacked = {}
    account.found_order = None


def forget_before(account: Account, before: int) -> None:
    """Forget the orders that were paid before the instant `before` (ms), and the terms of none but those."""
    kept = [order for order in _all(account) if order.paid_at >= before]
    account.orders, account.terms = {}, b""
    account.unpacked = {order.key: order for order in kept}
    account.found_order = None


def comparable(account: Account) -> list[object]:
    """Everything that makes an account what it is, with its orders unpacked: not how far or how it is packed."""
    return [*[getattr(account, name) for name in _WHAT_IT_IS], _all(account)]


def earned_of(order: Order, grant_id: str) -> Earned | None:
    """What the order was granted under this grant id."""
    for earned in order.earned:
        if earned.grant_id == grant_id:
            return earned
    return None


HOW_IT_IS_PACKED: Final = frozenset(
    (
        "orders", "terms", "unpacked_terms", "terms_unpacked", "midnight", "unpacked", "found_order", "packed_lots",
        "lots_packed", "first_expires_at",
        "last_expires_at", "last_earned_at", "last_grant_id", "filed", "first_placed",
        "registered_placed", "packed_days", "packed_reviews",
    )
)  # fmt: skip
"""The fields of an account that say how far and how it is packed, and nothing of the customer."""
_WHAT_IT_IS: Final = [name for name in ACCOUNT_FIELDS if name not in HOW_IT_IS_PACKED]


def _all(account: Account) -> list[Order]:
    return [_unpacked(account, kept) for kept in _kept(account)]


def _kept(account: Account) -> list[_Kept]:
    """In their order, as `each` tells it."""
    return [kept for in_bucket in _kept_by_bucket(account) for kept in in_bucket]


def _kept_by_bucket(account: Account) -> list[list[_Kept]]:
    """By sixteen weeks of their payment, within them in the order they were applied in."""
    changed = dict(account.unpacked)
    found: dict[int, list[_Kept]] = {}
    for bucket, blob in account.orders.items():
        kept = found[bucket] = []
        at = 0
        while at < len(blob):
            end = order_records.end_of(blob, at)
            record = blob[at:end]
            if changed and (key := order_records.key_at(blob, at)) in changed:
                kept.append(changed.pop(key))
            else:
                kept.append((bucket, record))
            at = end
    for order in changed.values():
        found.setdefault(order.paid_at // KEY_BUCKET_MS, []).append(order)
    return [found[bucket] for bucket in sorted(found)]


def _unpacked(account: Account, kept: _Kept) -> Order:
    return order_records.unpack(account, kept[0], kept[1], 0) if isinstance(kept, tuple) else kept

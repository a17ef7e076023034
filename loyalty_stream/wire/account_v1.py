"""Accounts as release 0.1 stored them (format 1), brought to format 2.

Its lists are taken by their places, because their structs are gone. What it did not keep is made up as well as can
be: an order is one line of its whole net that was granted nothing, so that a refund of it restores what it can and
takes nothing back. Its keys did not say what they stand for, so each is remembered as a cause and as a business
key, until it is forgotten with its bucket.
"""

from typing import Any, Final, cast

import msgspec

from loyalty_stream.domain import identity, lot_records, order_records
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account, Line, Lot, Order
from loyalty_stream.domain.facts import OrderPaid

_BUCKET_MS: Final = 28 * 24 * 3600 * 1000
_KEY_BYTES: Final = 8
_BUCKETS_IN_ONE: Final = KEY_BUCKET_MS // _BUCKET_MS
_ORDER_PAID: Final = msgspec.json.Decoder(OrderPaid)


def upcast(fields: list[object]) -> list[object]:
    """The fields of format 2 for those of format 1; a LookupError or TypeError where they are none."""
    sums = cast("list[int]", fields[:9])
    registered_at, first_order, lots, holds, orders, waiting, keys, daily, streaks, surveys = fields[9:19]
    warned, segments, referred_by = fields[19:22]
    available, pending, held, debt, granted, redeemed, expired, revoked, restored = sums
    off = granted - (available + pending + held + redeemed + expired + revoked - restored)
    bare = Account(unpacked_lots=[Lot(*lot) for lot in cast("list[list[Any]]", lots)])
    first = _stem(cast("str", first_order)) if first_order else ""
    return [
        [available, redeemed, expired, revoked, restored, held, pending, debt, off],
        registered_at,
        f"!{first}" if first else 0,
        lot_records.pack_lots(bare),
        {name: _hold(hold) for name, hold in cast("dict[str, list[Any]]", holds).items()},
        _remembered(
            cast("dict[int, bytes]", keys), _orders(bare, cast("dict[str, list[int]]", orders), first)
        ),
        "",  # the prefix comes with the next cause; nothing here is told by it
        [],
        bare.midnight,
        _daily(cast("dict[int, dict[str, int]]", daily)),
        _streaks(cast("list[tuple[int, int]]", streaks)),
        [],
        0,
        0,
        surveys,
        _waiting(cast("dict[str, list[Any]]", waiting)),
        warned,
        segments,
        referred_by,
    ]


def _hold(hold: list[Any]) -> list[object]:
    points, due_at, state, taken = hold[:4]
    return [points, due_at, state, b"", taken, *hold[4:]]


def _stem(order_id: str) -> str:
    """What stands for the stem of an order whose cause is not known any more."""
    return f"v1-{identity.text_of(identity.order_key(order_id))}"


def _orders(bare: Account, orders: dict[str, list[int]], first: str) -> dict[int, bytes]:
    """Bucket -> records."""
    packed: dict[int, bytes] = {}
    for order_id, (paid_at, net) in orders.items():
        stem = _stem(order_id)
        order = Order(stem, paid_at, [Line("1", net)], first=stem == first, key=identity.order_key(order_id))
        bucket = paid_at // KEY_BUCKET_MS
        packed[bucket] = packed.get(bucket, b"") + order_records.pack(bare, order)
    return packed


def _waiting(waiting: dict[str, list[Any]]) -> dict[str, list[object]]:
    """By the stem of the waiting order-paid instead of the order's id."""
    found: dict[str, list[object]] = {}
    for order_id, (hold_id, due_at, event) in waiting.items():
        try:
            fact = _ORDER_PAID.decode(event)
            stem = identity.text_of(identity.digest(fact.subject, fact.source, fact.id))
        except (
            msgspec.DecodeError
        ):  # nothing can come of it, and it must not keep the account from being read
            stem = order_id
        found[stem] = [hold_id, due_at, event, order_id]
    return found


def _remembered(keys: dict[int, bytes], orders: dict[int, bytes]) -> list[int | bytes]:
    """Causes, as of the beginning of their bucket, and business keys: each key as both, cut to today's length."""
    causes: dict[int, bytes] = {}
    business: dict[int, bytes] = {}
    no_time = bytes(identity.ENTRY_BYTES - identity.KEY_BYTES)
    for narrow, blob in keys.items():
        bucket = narrow // _BUCKETS_IN_ONE
        for at in range(0, len(blob), _KEY_BYTES):
            key = blob[at : at + identity.KEY_BYTES]
            business[bucket] = business.get(bucket, b"") + key
            causes[bucket] = causes.get(bucket, b"") + key + no_time
    found: list[int | bytes] = []
    before = 0
    for bucket in sorted(causes.keys() | orders.keys()):
        found += (
            bucket - before, causes.get(bucket, b""), business.get(bucket, b""), orders.get(bucket, b"")
        )  # fmt: skip
        before = bucket
    return found


def _daily(daily: dict[int, dict[str, int]]) -> list[int | str]:
    """Of each day how much later it is than the one before, then its counters, each a name and its count."""
    found: list[int | str] = []
    before = 0
    for day, counters in daily.items():
        found.append(day - before)
        before = day
        for counter, count in counters.items():
            found += (f"={counter}", count)
    return found


def _streaks(streaks: list[tuple[int, int]]) -> list[int]:
    """First day and length in turn, each day as how much later than the one before."""
    found: list[int] = []
    before = 0
    for day, length in streaks:
        found += (day - before, length)
        before = day
    return found

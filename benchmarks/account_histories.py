"""Accounts with a typical history, as many as asked for: real ones, then customers of their own from each.

A thousand histories go through the ledger's own processor. Every customer is one of them under keys of its own:
all remembered keys, and so all ids, are replaced by random ones, so that sizes are real and no two accounts
share bytes that could be compressed or interned away.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final

from benchmarks.workload import BEGINS, Input, customer, event, order
from loyalty_stream.app.account_table import Entry, EntryCodec
from loyalty_stream.app.ledger import LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import expiry, orders
from loyalty_stream.domain.identity import ENTRY_BYTES, KEY_BYTES
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.memory_log import StoredRecord
from loyalty_stream.engine.stage import Context, side_tables_in_memory
from loyalty_stream.engine.table import Table
from loyalty_stream.engine.timers import NEVER

HISTORIES: Final = 1_000
ORDERS: Final = 10
SPENT: Final = 1_000
"""Points that the customer held and redeemed, of some 3,900 granted."""
_DAYS: Final = 150
_OTHERS: Final = (
    *["check-in"] * 3, *["review"] * 3, *["share"] * 2, *["game"] * 1, "survey",
)  # fmt: skip
"""With the hold and its confirmation, a dozen."""
WEEKS: Final = 104


def real_histories(programme: Rules, seed: int) -> list[Entry]:
    """`HISTORIES` accounts as the ledger leaves them."""
    stage = LedgerStage(Settings(), programme, 1, CountSink())
    table = Table(stage.codec, 4 * HISTORIES)
    context = Context(0, table, side_tables_in_memory(stage))
    processor = stage.processor(context)
    processor.restored()
    random = Random(seed)
    facts = [fact for number in range(HISTORIES) for fact in _history(number, random)]
    for offset, (_, fact) in enumerate(sorted(facts, key=lambda each: each[0])):
        record = StoredRecord(offset, 1_900_000_000_000, fact.key, fact.value)
        processor.process(fact.topic, record, processor.decode(fact.topic, record)[1])
    changes = table.changes()
    if len(changes) != HISTORIES:
        raise RuntimeError(f"{len(changes)} accounts came of {HISTORIES} histories")
    entries: list[Entry] = [stage.codec.decode(value) for _, value in changes]
    for entry in entries:
        due = expiry.next_due(entry.account, programme)
        entry.scheduled = NEVER if due is None else due
    return entries


def _history(number: int, random: Random) -> list[tuple[datetime, Input]]:
    """Orders and other facts over five months, and at their end a hold and its confirmation."""
    subject = customer(number)
    begins = BEGINS - timedelta(days=_DAYS + 2)
    facts: list[tuple[datetime, Input]] = []

    def add(time: datetime, topic: str, kind: str, data: dict[str, object]) -> None:
        value = event(kind, f"event-{random.randrange(10**9):09d}", subject, time, data)
        facts.append((time, Input(topic, subject.encode(), value)))

    def some_time() -> datetime:
        return begins + timedelta(seconds=random.randrange(1, _DAYS * 86_400))

    add(begins, "registrations", "customer-registered", {})
    for _ in range(ORDERS):
        add(some_time(), "orders", "order-paid", order(random, f"order-{random.randrange(10**9):09d}"))
    for other in _OTHERS:
        some_id = f"{other}-{random.randrange(10**9):09d}"
        match other:
            case "check-in":
                add(some_time(), "check-ins", "checked-in", {})
            case "review":
                data: dict[str, object] = {"review_id": some_id, "sku": "sku-0001", "rating": 5}
                add(some_time(), "reviews", "review-published", data)
            case "share":
                add(some_time(), "shares", "share-completed", {"share_id": some_id, "channel": "moments"})
            case "game":
                game = {"game_id": "spin", "play_id": some_id, "score": 120}
                add(some_time(), "activities", "game-played", game)
            case _:
                survey: dict[str, object] = {"survey_id": "nps", "response_id": some_id, "satisfaction": 4}
                add(some_time(), "activities", "survey-submitted", survey)
    hold_id = f"hold-{random.randrange(10**9):09d}"
    ends = begins + timedelta(days=_DAYS + 1)
    add(ends, "points-commands", "hold-points", {"hold_id": hold_id, "points": SPENT})
    add(ends + timedelta(minutes=5), "points-commands", "confirm-hold", {"hold_id": hold_id})
    return facts


def two_years(programme: Rules, seed: int) -> Entry:
    """The account of a customer with `WEEKS` weekly orders of one to three lines, half of its lots expired."""
    stage = LedgerStage(Settings(), programme, 1, CountSink())
    table = Table(stage.codec)
    processor = stage.processor(Context(0, table, side_tables_in_memory(stage)))
    processor.restored()
    random = Random(seed)
    subject = customer(0)
    for week in range(WEEKS):
        time = BEGINS + timedelta(weeks=week, seconds=random.randrange(6 * 86_400))
        value = event("order-paid", f"event-{week}", subject, time, order(random, f"order-{week}"))
        record = StoredRecord(week, 1_900_000_000_000, subject.encode(), value)
        processor.process("orders", record, processor.decode("orders", record)[1])
    ((_, stored),) = table.changes()
    entry: Entry = stage.codec.decode(stored)
    if orders.count(entry.account) != WEEKS:
        raise RuntimeError(f"the account remembers {orders.count(entry.account)} orders, not {WEEKS}")
    return entry


def stored_accounts(count: int, histories: list[Entry], seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and encoded account of customers 0 to `count`, as the changelog has them."""
    codec = EntryCodec()
    templates = [codec.encode(entry) for entry in histories]
    places = [_places_of_keys(entry, value) for entry, value in zip(histories, templates, strict=True)]
    random = Random(seed)
    for number in range(count):
        at = number % len(templates)
        value = bytearray(templates[at])
        for place, size in places[at]:
            value[place : place + size] = random.randbytes(size)
        yield customer(number).encode(), bytes(value)


def _places_of_keys(entry: Entry, value: bytes) -> list[tuple[int, int]]:
    """Where in its encoded account keys stand, and how many bytes they have: all ids are made of them."""
    account = entry.account
    keys = {order.key for order in orders.each(account)}
    for blob in account.keys.values():
        keys |= {blob[at : at + KEY_BYTES] for at in range(0, len(blob), KEY_BYTES)}
    for blob in account.causes.values():
        keys |= {blob[at : at + KEY_BYTES] for at in range(0, len(blob), ENTRY_BYTES)}
    found = [(value.index(key), KEY_BYTES) for key in keys]
    if any(value.count(key) != 1 for key in keys):
        raise RuntimeError("a key stands more than once in an encoded account")
    return found

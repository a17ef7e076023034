"""Accounts with a typical history, as many as asked for: real ones, then customers of their own from each.

A thousand histories go through the ledger's own processor. Every customer is one of them under ids of its
own: all ids and remembered keys are replaced by random ones of the same length, so that sizes are real and no
two accounts share bytes that could be compressed or interned away.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final

from benchmarks.workload import BEGINS, Input, customer, event, order
from loyalty_stream.app.ledger import CountSink, Entry, LedgerStage
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import expiry
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
_STEM: Final = 12
"""Characters of an event's id that come from its cause; what follows is the event's number."""


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


def stored_accounts(count: int, histories: list[Entry], seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and encoded account of customers 0 to `count`, as the changelog has them."""
    codec = LedgerStage.codec
    templates = [codec.encode(entry) for entry in histories]
    due = [entry.scheduled for entry in histories]
    random = Random(seed)
    for number in range(count):
        entry = codec.decode(templates[number % len(templates)])
        entry.scheduled = due[number % len(templates)]
        _give_own_ids(entry, random)
        yield customer(number).encode(), codec.encode(entry)


def _give_own_ids(entry: Entry, random: Random) -> None:
    account = entry.account
    suffix = f"{random.randrange(10**9):09d}"
    own = {
        name: f"order-{int(name[-9:]) ^ int(suffix) & 0xFFFFFF:09d}"[-len(name) :] for name in account.orders
    }
    account.orders = {own[name]: paid for name, paid in account.orders.items()}
    account.first_order = own[account.first_order]
    account.holds = {f"hold-{suffix}": hold for hold in account.holds.values()}
    account.keys = {bucket: random.randbytes(len(keys)) for bucket, keys in account.keys.items()}
    for lot in account.lots:
        lot.grant_id = urlsafe_b64encode(random.randbytes(_STEM // 4 * 3)).decode() + lot.grant_id[_STEM:]

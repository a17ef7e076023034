"""One customer's account as the topics tell it: what the changelog holds, and the events that led there.

It must not know the programme's rules.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from loyalty_stream.app.account_table import EntryCodec
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.read_log import log_reader
from loyalty_stream.app.sealed_letters import identity_of
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.topics import partition_counts
from loyalty_stream.domain import orders
from loyalty_stream.domain.account import ACCOUNT_FIELDS, NEVER, Account, Earned, Line, Order
from loyalty_stream.domain.events import PointEvent
from loyalty_stream.wire import point_events
from loyalty_stream.wire.partitioning import partition_of

_SUMS = ("granted", "redeemed", "expired", "revoked", "restored")
_OF_NO_USE_TO_A_READER = orders.HOW_IT_IS_PACKED | {"keys", "causes", "prefix"}
"""Digests, and how it is stored."""
_KEPT_FOR_STORING = frozenset(("packed", "key", "stem"))
_WIDTH_WITHOUT_TERMINAL = 110


@dataclass(frozen=True, slots=True)
class AccountView:
    """A customer, the account in the changelog (None: not there), and all point events in order."""

    customer: str
    partition: int
    account: Account
    events: tuple[PointEvent, ...]


async def look_up(settings: Settings, customer: str) -> AccountView | None:
    """Read the customer's partition of both topics; None if neither knows the customer."""
    counts = await partition_counts(settings)
    topic, key = settings.topic("points-events"), customer.encode()
    if missing := [name for name in (topic, settings.changelog) if name not in counts]:
        raise MendableError(
            f"topics are missing on {settings.bootstrap_servers}: {', '.join(missing)}. "
            "Check --topic-prefix and --app-id"
        )
    partition = partition_of(key, counts[topic])
    stored: bytes | None = None
    events: list[PointEvent] = []
    async with log_reader(settings) as reader:
        if (identity := await identity_of(reader, settings, counts, customer)) is not None:
            key = identity.token.encode()  # on the same partition
        async for records in reader.read(topic, partition):
            events += [point_events.decode(record.value) for record in records if record.key == key]
        async for records in reader.read(settings.changelog, partition):
            for record in records:
                if record.key == key:
                    stored = record.value
    if stored is None and not events:
        return None
    account = Account() if stored is None else EntryCodec().decode(stored).account
    return AccountView(customer, partition, account, tuple(events))


def as_json(view: AccountView) -> str:
    """The account and all its events as one JSON object; instants of the account are ms since 1970."""
    account = view.account
    fields = {
        name: _plain(getattr(account, name)) for name in ACCOUNT_FIELDS if name not in _OF_NO_USE_TO_A_READER
    }
    fields["orders"] = _plain(list(orders.each(account)))
    fields["reviews"] = _plain(list(account.reviews.values()))
    body = {"customer": view.customer, "partition": view.partition, "account": fields, "events": view.events}
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def as_text(view: AccountView, history: int) -> str:
    """Tables for a person: balance, lots, open holds, orders and the latest `history` events (0: all)."""
    console = Console(file=io.StringIO(), width=_width())
    account = view.account
    registered = _day(account.registered_at) if account.registered_at else "never"
    tier = f"tier {account.tier}" if account.tier else "no tier"
    console.print(f"customer {view.customer}: registered {registered}, {tier}, partition {view.partition}")
    balance = Table(
        "available", "pending", "held", "debt", *_SUMS, title="Balance in points", title_justify="left"
    )
    shown = (account.available, account.pending, account.held, account.debt)
    balance.add_row(*(f"{points:,}" for points in (*shown, *(getattr(account, name) for name in _SUMS))))
    console.print(balance)
    if account.lots:
        lots = Table(
            "earned",
            "expires",
            "left",
            "held",
            "grant",
            title="Lots, next to be spent first",
            title_justify="left",
        )
        for lot in account.lots:
            expires = "never" if lot.expires_at == NEVER else _minute(lot.expires_at)
            lots.add_row(_minute(lot.earned_at), expires, f"{lot.points:,}", f"{lot.held:,}", lot.grant_id)
        console.print(lots)
    if account.holds:
        holds = Table("hold", "points", "state", "due", "order", title="Holds", title_justify="left")
        for hold_id, hold in account.holds.items():
            due = "" if hold.due_at == NEVER else _minute(hold.due_at)
            holds.add_row(hold_id, f"{hold.points:,}", hold.state, due, hold.order_id)
        console.print(holds)
    if orders.count(account):
        paid = list(orders.each(account))
        net = sum(order.net_amount for order in paid)
        first, last = min(order.paid_at for order in paid), max(order.paid_at for order in paid)
        console.print(f"{len(paid):,} orders from {_day(first)} to {_day(last)}, {net:,} net in minor units")
    latest = view.events[-history:] if history else view.events
    title = f"History: the latest {len(latest)} of {len(view.events)} events"
    events = Table(
        "time (UTC)", "event", "points", "why", "available", "held", title=title, title_justify="left"
    )
    for event in latest:
        events.add_row(*_told(event))
    console.print(events)
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def _told(event: PointEvent) -> tuple[str, ...]:
    data = event.data
    moved = getattr(data, "points", None)
    why = " ".join(
        str(value)
        for name in ("rule", "reason", "kind", "order_id", "hold_id", "notice", "code", "to")
        if (value := getattr(data, name, None))
    )
    balance = data.balance
    available, held = (
        ("", "") if isinstance(balance, msgspec.UnsetType) else (balance.available, balance.held)
    )
    return (
        f"{event.time.astimezone(UTC):%Y-%m-%d %H:%M}",
        event.type,
        "" if moved is None else f"{moved:,}",
        why,
        str(available),
        str(held),
    )


def _plain(value: Any) -> Any:
    """What an account holds, its parts as objects with the names of their fields; not how they are stored."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Struct):
        names: tuple[str, ...] = value.__struct_fields__
    elif isinstance(value, Earned | Line | Order):
        names = value.names
    else:
        return value
    return {name: _plain(getattr(value, name)) for name in names if name not in _KEPT_FOR_STORING}


def _minute(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def _width() -> int:
    console = Console()
    return console.width if console.is_terminal else _WIDTH_WITHOUT_TERMINAL

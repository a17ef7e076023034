"""Verify on a real Kafka: a sound ledger passes, and every way to tamper with one is found and named."""

import asyncio
import contextlib

import pytest
from aiokafka import AIOKafkaProducer
from msgspec import structs

from loyalty_stream.app import topics, verify
from loyalty_stream.app.account_table import Entry, EntryCodec
from loyalty_stream.app.complete_journey import PROGRAMME_FILE, Selection, prepare_import
from loyalty_stream.app.local_broker import ApacheKafka
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import decide
from loyalty_stream.domain.account import Account
from loyalty_stream.engine.task import TIME_KEY
from loyalty_stream.programme import compile_rules, load_programme
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire import point_events
from loyalty_stream.wire.partitioning import partition_of

PARTITIONS = 2


class Ledger:
    """Point events in order and accounts, as a ledger would write them; a test may change both."""

    def __init__(self, baskets: int) -> None:
        rules = compile_rules(load_programme(PROGRAMME_FILE))
        self.events = []
        self.accounts: dict[str, Account] = {}
        time = 0
        for fact in prepare_import(Selection(baskets=baskets)).facts():
            decoded = wire.decode(fact.topic, fact.key, fact.value, None)
            assert isinstance(decoded, wire.Decoded)
            time = max(time, decoded.at_ms)
            account = self.accounts.setdefault(fact.key.decode(), Account())
            self.events += decide.apply(account, decoded.fact, rules, time)

    async def write(self, settings: Settings) -> None:
        await topics.create(settings, PARTITIONS, 1)
        producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
        await producer.start()
        try:
            sent = [
                await producer.send(
                    settings.topic("points-events"),
                    point_events.encode(event),
                    event.subject.encode(),
                    partition_of(event.subject.encode(), PARTITIONS),
                )
                for event in self.events
            ]
            for customer, account in self.accounts.items():
                key, codec = customer.encode(), EntryCodec()
                place = (settings.changelog, partition_of(key, PARTITIONS))
                stale = codec.encode(Entry(Account(available=7), None))
                sent.append(await producer.send(place[0], stale, key, place[1]))
                sent.append(await producer.send(place[0], codec.encode(Entry(account, None)), key, place[1]))
            sent.append(await producer.send(settings.changelog, b"12345", TIME_KEY, 0))
            await asyncio.gather(*sent)
        finally:
            await producer.stop()


def verified(kafka: ApacheKafka, request, ledger: Ledger, **more) -> verify.VerifyReport:
    name = request.node.name.replace("[", ".").replace("]", "")
    settings = Settings(kafka.bootstrap_servers, topic_prefix=f"{name}.", app_id=name, **more)

    async def run() -> verify.VerifyReport:
        await ledger.write(settings)
        return await verify.verify(settings)

    return asyncio.run(run())


@pytest.mark.kafka
def test_a_sound_ledger(kafka, request):
    ledger = Ledger(baskets=300)
    report = verified(kafka, request, ledger)
    assert report.first == []
    assert report.differences == report.repeats == report.unbalanced == 0
    assert report.events == len(ledger.events) > 300
    assert report.accounts == len(ledger.accounts)
    assert report.granted == sum(account.granted for account in ledger.accounts.values())
    assert report.outstanding == sum(account.available for account in ledger.accounts.values())


def change_an_account(ledger: Ledger, customer: str) -> str:
    account = ledger.accounts[customer]
    account.available += 1
    account.granted += 1
    return f"granted is {account.granted - 1:d} by its events and {account.granted:d} in the changelog"


def lose_an_account(ledger: Ledger, customer: str) -> str:
    del ledger.accounts[customer]
    return "the changelog has no account"


def invent_an_account(ledger: Ledger, customer: str) -> str:
    ledger.events = [event for event in ledger.events if event.subject != customer]
    return "there is no event of it"


def repeat_an_event(ledger: Ledger, customer: str) -> str:
    repeated = next(event for event in ledger.events if event.subject == customer)
    ledger.events.append(repeated)
    return f"event {repeated.id} has been published before"


def lose_an_event(ledger: Ledger, customer: str) -> str:
    place = next(place for place, event in enumerate(ledger.events) if event.subject == customer)
    del ledger.events[place]
    return "the fold is Balance("


def change_a_balance(ledger: Ledger, customer: str) -> str:
    place = next(place for place, event in enumerate(ledger.events) if event.subject == customer)
    event = ledger.events[place]
    wrong = structs.replace(event.data.balance, available=event.data.balance.available + 1)
    ledger.events[place] = structs.replace(event, data=structs.replace(event.data, balance=wrong))
    return f"event {event.id} says Balance(available={wrong.available}"


@pytest.mark.kafka
@pytest.mark.parametrize(
    "tamper",
    [change_an_account, lose_an_account, invent_an_account, repeat_an_event, lose_an_event, change_a_balance],
    ids=lambda tamper: tamper.__name__,
)
def test_a_ledger_that_was_tampered_with(kafka, request, tamper):
    ledger = Ledger(baskets=40)
    customer = ledger.events[5].subject
    said = tamper(ledger, customer)
    report = verified(kafka, request, ledger)
    assert report.differences >= 1
    assert any(customer in what and said in what for what in report.first), report.first
    assert all(f"customer {customer}" in what for what in report.first), "the others are sound"


@pytest.mark.kafka
def test_an_event_that_is_published_again_is_allowed_under_effectively_once(kafka, request):
    ledger = Ledger(baskets=40)
    repeat_an_event(ledger, ledger.events[5].subject)
    report = verified(kafka, request, ledger, guarantee="effectively_once")
    assert report.repeats == 1
    assert report.differences == 0


@pytest.mark.kafka
def test_a_worker_that_writes_meanwhile_is_no_difference(kafka, request, monkeypatch):
    """The changelog is read after the events; what was written between the two must not count."""
    ledger = Ledger(baskets=60)
    late = [event for event in ledger.events if event.subject == ledger.events[-1].subject][-1:]
    early = Ledger(baskets=60)
    early.events = [event for event in early.events if event.id != late[0].id]
    settings = Settings(kafka.bootstrap_servers, topic_prefix="meanwhile.", app_id="meanwhile")
    read_changelog = verify._PartitionCheck._changelog

    async def changelog_after_more(check, progress):
        with contextlib.suppress(IndexError):
            await write_late(settings, late.pop())
        return await read_changelog(check, progress)

    monkeypatch.setattr(verify._PartitionCheck, "_changelog", changelog_after_more)

    async def run() -> verify.VerifyReport:
        await early.write(settings)
        return await verify.verify(settings)

    async def write_late(settings: Settings, event) -> None:
        rest = Ledger.__new__(Ledger)
        rest.events, rest.accounts = [event], {}
        await rest.write(settings)

    report = asyncio.run(run())
    assert report.first == []
    assert report.events == len(ledger.events)


def test_a_difference_names_what_differs_and_only_that():
    folded, table = Account(available=5, granted=5), Account(available=5, granted=6)
    assert verify.difference(folded, table) == "granted is 5 by its events and 6 in the changelog"

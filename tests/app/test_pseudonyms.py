"""The ledger under pseudonyms, on the memory log: what goes out, what is kept, and what erasure leaves."""

import asyncio
import json
import random

import msgspec
import pytest

from loyalty_stream.app.account_table import EntryCodec
from loyalty_stream.app.allocation import AllocationStage
from loyalty_stream.app.allocation_counts import AllocationSink
from loyalty_stream.app.identities import IdentityCodec
from loyalty_stream.app.ledger import NO_OFFSET
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.pseudonyms import SEALED, PseudonymStage, ledger_stage
from loyalty_stream.app.settings import INPUTS, Settings
from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain.account import Account, imbalance
from loyalty_stream.domain.evolve import fold
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import LogError
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog
from loyalty_stream.engine.observer import Silent
from loyalty_stream.engine.stage import Stage
from loyalty_stream.engine.task import TIME_KEY, Clock, PartitionTask, TaskOptions
from loyalty_stream.wire import notifications, point_events
from loyalty_stream.wire.dead_letter import verdict
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.sealed import CannotOpenError, unseal
from loyalty_stream.wire.topics import TOPIC_OF_TYPE, type_name
from tests.app.test_start_slices import SPRING
from tests.domain.given import (
    PLAIN,
    check_in,
    erase_customer,
    hold_points,
    ms,
    order_paid,
    refund,
    registered,
    review,
)
from tests.domain.given_rewards import MALL, redeem

RULES = msgspec.structs.replace(PLAIN, subject="pseudonym", referrer_points=500)
NAME, OTHER = "customer-4711", "customer-0815"
NOW = ms("2026-06-01 00:00")
DAY = "2026-01-15"


class World:
    """A broker and a ledger of some partitions; `run` works everything off, crashing at one step if asked to."""

    def __init__(self, partitions: int = 1, rules: Rules = RULES) -> None:
        self.broker = MemoryBroker(wall_ms=lambda: NOW)
        self.partitions = partitions
        self.settings = Settings()
        self.rules = rules

    def send(self, *facts) -> None:
        for fact in facts:
            self.send_raw(
                TOPIC_OF_TYPE[type_name(type(fact))], fact.subject.encode(), msgspec.json.encode(fact)
            )

    def send_raw(self, topic: str, key: bytes | None, value: bytes) -> None:
        partition = 0 if key is None else partition_of(key, self.partitions)
        self.broker.produce(topic, partition, key, value, headers=[("sent-for", key or b"")])

    def run(self, crash_at: int | None = None) -> int:
        """The ledger, the owners of stock and draws, and the ledger again, which hears their answers."""
        steps = 0
        for _ in range(2):  # what the partitions tell each other
            for partition in range(self.partitions):
                drawn = random.Random(partition + 10 * len(self.all())).randbytes
                steps += self._run(
                    PseudonymStage(self.settings, self.rules, self.partitions, CountSink(), drawn),
                    partition,
                    crash_at,
                )
                crash_at = None
            for partition in range(self.partitions):
                owner = AllocationStage(self.settings, self.rules, self.partitions, AllocationSink())
                self._run(owner, partition, None)
        return steps

    def _run(self, stage: Stage, partition: int, crash_at: int | None) -> int:
        log = MemoryLog(self.broker, stage.name, partition, stage.inputs, stage.changelog)
        options = TaskOptions(clock=Clock.EVENTS, backoff=(0.0, 0.0))
        task = PartitionTask(stage, partition, log, options, Silent())
        steps = quiet = 0

        def on_step(step: str) -> None:
            nonlocal steps, quiet
            steps += 1
            if steps == crash_at:
                raise LogError("crashed")
            quiet = quiet + 1 if step == "read" else 0
            if quiet > 2:
                task.stop()

        self.broker.on_step = on_step
        asyncio.run(asyncio.wait_for(task.run(), 30))
        self.broker.on_step = lambda _: None
        return steps

    def topic(self, name: str) -> list:
        return [record for (topic, _), log in self.broker.logs.items() if topic == name for record in log]

    def last(self, name: str) -> dict[bytes, bytes]:
        """What compaction leaves of a topic."""
        state: dict[bytes, bytes | None] = {record.key: record.value for record in self.topic(name)}
        return {key: value for key, value in state.items() if value is not None and key != TIME_KEY}

    def events(self) -> list:
        return [point_events.decode(record.value) for record in self.topic("points-events")]

    def token(self, name: str) -> str:
        return IdentityCodec.decode(self.last("identities")[name.encode()]).token

    def accounts(self) -> dict[str, Account]:
        """The fold of all events, which is the table but for those that were erased."""
        accounts: dict[str, Account] = {}
        for event in self.events():
            account = accounts.setdefault(event.subject, Account())
            fold(account, event)
            assert imbalance(account) == 0
        table = self.last(self.settings.changelog)
        stored = {key.decode(): EntryCodec().decode(value).account for key, value in table.items()}
        assert stored == {name: each for name, each in accounts.items() if not each.erased_at}
        return accounts

    def ours(self) -> list[bytes]:
        """Every byte of every topic that is ours, as compaction leaves the compacted ones."""
        inputs = set(INPUTS)
        found: list[bytes] = []
        for topic in {topic for topic, _ in self.broker.logs} - inputs:
            if topic == "identities" or topic.endswith("-changelog"):
                found += [part for pair in self.last(topic).items() for part in pair]
            else:
                for record in self.topic(topic):
                    found += [record.key or b"", record.value or b""]
                    found += [part for name, value in record.headers for part in (name.encode(), value)]
        return found

    def all(self) -> list:
        return [record for log in self.broker.logs.values() for record in log]


STORY = (
    registered("r-1", f"{DAY} 09:00", segments=("vip",), subject=NAME),
    order_paid("o-1", f"{DAY} 10:00", 50000, subject=NAME),
    order_paid("o-2", f"{DAY} 10:05", 9000, hold_id="h-9", subject=NAME),
    check_in("k-1", f"{DAY} 10:10", subject=OTHER),
    hold_points("h-1", f"{DAY} 10:20", 300, subject=NAME),
    hold_points("h-2", f"{DAY} 10:21", 10**6, subject=NAME),
)


def test_what_goes_out_names_a_token_and_nobody_else():
    world = World()
    world.send(*STORY)
    world.run()
    assert {event.subject for event in world.events()} == {world.token(NAME), world.token(OTHER)}
    outside = [part for part in world.ours() if part not in world.last("identities")]
    assert not [part for part in outside if NAME.encode() in part or OTHER.encode() in part]
    assert world.accounts()[world.token(NAME)].held == 300


def test_the_events_are_those_of_the_plain_ledger_but_for_names_and_ids():
    world = World()
    world.send(*STORY)
    world.run()
    plain: list[bytes] = []
    assert list(simulate(RULES, [msgspec.json.encode(fact) for fact in STORY], plain.append)) == []
    shown = [json.loads(each) for each in plain if each.strip()]
    assert {each["subject"] for each in shown} == {NAME, OTHER}, "simulate shows plain ids"
    names = {NAME: world.token(NAME), OTHER: world.token(OTHER)}
    assert [(names[each["subject"]], each["type"], each["data"]["balance"]) for each in shown] == [
        (event.subject, event.type, msgspec.to_builtins(event.data.balance)) for event in world.events()
    ]


def test_erasure_leaves_nothing_that_names_the_customer_and_all_sums_add_up():
    world = World()
    world.send(*STORY, erase_customer("x-1", f"{DAY} 11:00", subject=NAME))
    world.send_raw("orders", NAME.encode(), b'{"of": "' + NAME.encode() + b'"')
    world.run()
    gone = {event.subject for event in world.events()} - {world.token(OTHER)}
    assert len(gone) == 1
    assert world.accounts()[gone.pop()].erased_at
    assert list(world.last("identities")) == [OTHER.encode()]
    assert not [part for part in world.ours() if NAME.encode() in part]
    assert len(world.topic("dead-letters")) == 1


def test_notifications_go_to_tokens_and_what_was_told_is_forgotten_with_them():
    world = World(rules=msgspec.structs.replace(RULES, campaigns=(SPRING,)))
    world.send(*STORY, check_in("k-2", "2026-03-02 10:00", subject=OTHER))
    world.run()
    token = world.token(NAME)
    sent = world.topic("notifications")
    assert sent
    for record in sent:
        said = notifications.decode(record.value)
        assert said.subject.encode() == record.key
        assert record.key in {token.encode(), world.token(OTHER).encode()}
    assert token.encode() in world.last(world.settings.told)
    assert NAME.encode() not in world.last(world.settings.told)
    world.send(erase_customer("x-1", "2026-03-02 11:00", subject=NAME))
    world.run()
    assert token.encode() not in world.last(world.settings.told)


def test_after_erasure_the_id_is_unknown_and_a_registration_is_a_new_account():
    world = World()
    world.send(*STORY)
    world.run()
    before = world.token(NAME)
    world.send(
        erase_customer("x-1", f"{DAY} 11:00", subject=NAME),
        erase_customer("x-1", f"{DAY} 11:00", subject=NAME),
    )
    world.run()
    assert NAME.encode() not in world.last("identities")
    assert not [part for part in world.ours() if NAME.encode() in part]
    count = len(world.events())
    world.send(
        registered("r-9", f"{DAY} 12:00", subject=NAME), order_paid("o-1", f"{DAY} 12:05", subject=NAME)
    )
    world.run()
    after = world.token(NAME)
    assert after != before
    assert {event.subject for event in world.events()[count:]} == {after}
    assert world.accounts()[after].granted == 100


def test_wherever_it_crashes_no_token_is_seen_that_is_not_kept():
    world = World()
    world.send(*STORY, erase_customer("x-1", f"{DAY} 10:30", subject=OTHER))
    steps = world.run()
    for crash_at in range(1, steps // 2):
        world = World()
        world.send(*STORY, erase_customer("x-1", f"{DAY} 10:30", subject=OTHER))
        world.run(crash_at)
        accounts = world.accounts()
        assert len(accounts) == 2, f"crashed at step {crash_at} of {steps}"
        assert OTHER.encode() not in world.last("identities")
        assert accounts[world.token(NAME)].held == 300


@pytest.mark.parametrize("known", [True, False])
def test_a_dead_letter_can_be_opened_while_its_customer_is_known(known):
    world = World()
    if known:
        world.send(*STORY)
    broken = b'{"subject": "customer-4711", "oops"'
    world.send_raw("orders", NAME.encode(), broken)
    world.run()
    (letter,) = world.topic("dead-letters")
    assert verdict(letter.headers).reason.value == "not_json"
    assert dict(letter.headers)[SEALED] == b"aes-256-gcm"
    identity = IdentityCodec.decode(world.last("identities")[NAME.encode()])
    assert letter.key == identity.token.encode()
    opened = unseal(letter.value, identity.seal_key, identity.token)
    assert (opened.key, opened.value, opened.headers) == (
        NAME.encode(),
        broken,
        [("sent-for", NAME.encode())],
    )
    with pytest.raises(CannotOpenError):
        unseal(letter.value, bytes(32), identity.token)
    world.send(erase_customer("x-1", f"{DAY} 11:00", subject=NAME))
    world.run()
    assert NAME.encode() not in world.last("identities"), "nobody has the key any more"


def test_a_refund_that_waited_and_was_too_large_is_sealed_for_its_customer():
    world = World()
    refunded = refund("f-1", f"{DAY} 10:00", "o-1", 60000, subject=NAME)
    world.send(refunded, order_paid("o-1", f"{DAY} 10:30", 50000, subject=NAME))
    world.run()
    (letter,) = world.topic("dead-letters")
    said = verdict(letter.headers)
    assert (said.reason.value, said.place.topic, said.place.offset) == ("refused_refund", "orders", NO_OFFSET)
    assert set(world.last("identities")) == {NAME.encode()}, "nobody else was thought to be met"
    identity = IdentityCodec.decode(world.last("identities")[NAME.encode()])
    token = identity.token.encode()
    assert letter.key == token
    opened = unseal(letter.value, identity.seal_key, identity.token)
    assert (opened.key, opened.headers) == (token, [])
    assert json.loads(opened.value)["data"]["refund_id"] == refunded.data.refund_id


def test_what_names_nobody_is_not_kept():
    world = World()
    world.send_raw("orders", None, msgspec.json.encode(STORY[1]))
    world.send_raw("orders", None, b"customer-4711 bought tea")
    world.send_raw("orders", OTHER.encode(), msgspec.json.encode(STORY[1]))  # another's key
    world.send_raw("orders", b"no id \xff", b"{")
    world.run()
    letters = world.topic("dead-letters")
    assert sorted(verdict(letter.headers).reason.value for letter in letters) == [
        "key_mismatch",
        "missing_key",
        "not_json",
        "not_json",
    ]
    for letter in letters:
        assert (letter.key, letter.value, dict(letter.headers)[SEALED]) == (None, b"", b"dropped")
    assert world.last("identities") == {}


def test_a_refused_fact_of_a_known_customer_is_sealed_too():
    world = World()
    world.send(msgspec.structs.replace(STORY[1], data=msgspec.structs.replace(STORY[1].data, currency="USD")))
    world.run()
    (letter,) = world.topic("dead-letters")
    assert verdict(letter.headers).reason.value == "wrong_currency"
    assert NAME.encode() not in letter.value
    assert world.events() == []


def test_a_referrer_on_another_partition_is_rewarded_and_can_be_erased():
    world = World(partitions=7)
    assert partition_of(NAME.encode(), 7) != partition_of(OTHER.encode(), 7)
    world.send(
        registered("r-1", f"{DAY} 09:00", subject=NAME),
        registered("r-2", f"{DAY} 10:00", subject=OTHER, referred_by=NAME),
        order_paid("o-2", f"{DAY} 11:00", subject=OTHER),
    )
    world.run()
    world.run()
    assert world.accounts()[world.token(NAME)].available == 500
    outside = [part for part in world.ours() if part not in world.last("identities")]
    assert not [part for part in outside if NAME.encode() in part]
    world.send(erase_customer("x-1", f"{DAY} 12:00", subject=NAME))
    world.run()
    assert list(world.last("identities")) == [OTHER.encode()]
    assert not [part for part in world.ours() if NAME.encode() in part]


def test_rewards_are_issued_to_tokens_and_open_requests_of_the_erased_go_back():
    rules = msgspec.structs.replace(MALL, subject="pseudonym")
    world = World(partitions=3, rules=rules)
    world.send(
        order_paid("o-1", f"{DAY} 10:00", 40_000, subject=NAME),
        order_paid("o-2", f"{DAY} 10:00", 40_000, subject=OTHER),
        redeem("d-1", f"{DAY} 11:00", "tea-cup", subject=NAME),
        redeem("d-2", f"{DAY} 11:00", "tea-cup", subject=OTHER),
        erase_customer("x-2", f"{DAY} 11:01", subject=OTHER),
    )
    world.run()
    issued = [
        (event.subject, event.data.reward_id) for event in world.events() if event.type == "reward-issued"
    ]
    assert issued == [(world.token(NAME), "tea-cup")]
    assert world.accounts()[world.token(NAME)].redeemed == 100
    assert list(world.last("identities")) == [NAME.encode()]
    outside = [part for part in world.ours() if part not in world.last("identities")]
    assert not [part for part in outside if NAME.encode() in part or OTHER.encode() in part]
    assert b"allocation-returned" in b"".join(each.value for each in world.topic("allocation-requests"))


def test_nobody_refers_themselves_under_a_pseudonym():
    world = World()
    world.send(
        registered("r-1", f"{DAY} 09:00", subject=NAME, referred_by=NAME),
        order_paid("o-1", f"{DAY} 10:00", subject=NAME),
        review("v-1", f"{DAY} 10:05", subject=NAME),
    )
    world.run()
    assert world.accounts()[world.token(NAME)].granted == 110


def test_tokens_fall_on_the_customers_partition():
    world = World(partitions=5)
    names = [f"c-{number}" for number in range(40)]
    world.send(*[check_in(f"k-{name}", f"{DAY} 10:00", subject=name) for name in names])
    world.run()
    assert len({world.token(name) for name in names}) == 40
    for name in names:
        assert partition_of(world.token(name).encode(), 5) == partition_of(name.encode(), 5)
    for (topic, partition), log in world.broker.logs.items():
        if topic == "points-events":
            assert {partition_of(record.key, 5) for record in log} <= {partition}


def test_the_programme_says_which_ledger():
    assert isinstance(ledger_stage(Settings(), RULES, 1, CountSink()), PseudonymStage)
    assert not isinstance(ledger_stage(Settings(), PLAIN, 1, CountSink()), PseudonymStage)

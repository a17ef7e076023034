"""The ledger stage as the engine drives it: what it writes, counts, schedules and sets aside."""

from collections import Counter

import msgspec
import pytest
from msgspec.structs import replace

from loyalty_stream.app.account_table import Entry, EntryCodec, due_of
from loyalty_stream.app.ledger import LedgerProcessor, LedgerStage, UnbalancedAccountError
from loyalty_stream.app.ledger_counts import Counts, CountSink
from loyalty_stream.app.settings import INPUTS, Settings
from loyalty_stream.domain import expiry
from loyalty_stream.domain.account import Account, Lot
from loyalty_stream.domain.events import PointEvent
from loyalty_stream.domain.facts import Fact, Incoming
from loyalty_stream.domain.rules import Availability, Period, Rules
from loyalty_stream.engine.log import Headers
from loyalty_stream.engine.memory_log import StoredRecord
from loyalty_stream.engine.stage import (
    Context,
    OutputFailedError,
    Pen,
    TimerFailedError,
    side_tables_in_memory,
)
from loyalty_stream.engine.table import Table
from loyalty_stream.engine.timers import NEVER
from loyalty_stream.wire import point_events
from loyalty_stream.wire.dead_letter import Verdict, verdict
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.topics import ACCEPTED, TOPIC_OF_TYPE, type_name
from tests.domain import given

STAMP = given.ms("2030-01-01 00:00")


class Sink(CountSink):
    def __init__(self) -> None:
        self.taken: list[tuple[int, Counts]] = []
        self.violations = 0

    def add(self, partition: int, counts: Counts) -> None:
        self.taken.append((partition, counts))

    def violation(self) -> None:
        self.violations += 1


class Partition:
    """One processor with its table; `take` gives it the next record of a topic."""

    def __init__(
        self,
        rules: Rules = given.RULES,
        settings: Settings | None = None,
        partitions: int = 1,
        number: int = 0,
    ) -> None:
        self.sink = Sink()
        self.stage = LedgerStage(settings or Settings(), rules, partitions, self.sink)
        self.number = number
        self.offset = 0
        self.table = Table(self.stage.codec)
        self.side_tables = side_tables_in_memory(self.stage)
        self._begin()

    def _begin(self) -> None:
        self.context = Context(self.number, self.table, self.side_tables)
        self.processor: LedgerProcessor = self.stage.processor(self.context)

    def take(self, fact: Fact, *, timestamp: int = STAMP) -> list[PointEvent]:
        kind = TOPIC_OF_TYPE[type_name(type(fact))]
        return self.take_record(kind, fact.subject.encode(), msgspec.json.encode(fact), timestamp=timestamp)

    def take_record(
        self,
        kind: str,
        key: bytes | None,
        value: bytes | None,
        *,
        timestamp: int = STAMP,
        headers: Headers | None = None,
    ) -> list[PointEvent]:
        """Give it a record; returns the events that were written."""
        topic = next(topic for topic, known in self.stage.kinds.items() if known == kind)
        record = StoredRecord(self.offset, timestamp, key, value, headers or [])
        self.offset += 1
        _, event = self.processor.decode(topic, record)
        before = len(self.events())
        self.processor.process(topic, record, event)
        return self.events()[before:]

    def advance(self, at: str) -> list[PointEvent]:
        before = len(self.events())
        self.processor.advance(given.ms(at))
        return self.events()[before:]

    def events(self) -> list[PointEvent]:
        written = {topic: outputs for topic, _, outputs in self.context.written()}
        return [point_events.decode(value or b"") for _, value, _ in written.get(self.stage.events_topic, [])]

    def letters(self) -> list[tuple[bytes | None, bytes | None, Verdict]]:
        written = {topic: outputs for topic, _, outputs in self.context.written()}
        letters = written.get(self.stage.dead_letters_topic, [])
        return [(key, value, verdict(headers)) for key, value, headers in letters]

    def commit(self) -> dict[bytes, bytes]:
        changes = self.table.changes()
        self.table.committed(changes)
        for side in self.side_tables.values():
            side.committed(side.changes())
        self.processor.committed()
        self.context.clear()
        return dict(changes)

    def restart(self) -> None:
        """As after a crash: what was committed, and the partition's time."""
        time, stored = self.processor.time, list(self.table.committed_items())
        self.table = Table(self.stage.codec)
        for key, value in stored:
            self.table.restore(key, value)
        sides = {topic: list(side.committed_items()) for topic, side in self.side_tables.items()}
        self.side_tables = side_tables_in_memory(self.stage)
        for topic, items in sides.items():
            self.side_tables[topic].restore_all(items)
        self._begin()
        self.processor.time = time
        self.processor.restored()

    def account(self, customer: str = "c-1") -> Account:
        entry: Entry = self.table.get(customer.encode())
        return entry.account


def types(events: list[PointEvent]) -> list[str]:
    return [event.type for event in events]


# -- topics ---------------------------------------------------------------------------------------------


def test_it_reads_every_topic_of_the_contract_under_the_deployment_s_names() -> None:
    assert set(INPUTS) == set(ACCEPTED)
    stage = LedgerStage(Settings(topic_prefix="blue.", app_id="mall"), given.RULES, 3, CountSink())
    assert stage.inputs == tuple(f"blue.{kind}" for kind in (*INPUTS, "allocation-answers"))
    assert (stage.events_topic, stage.dead_letters_topic) == ("blue.points-events", "blue.dead-letters")
    assert stage.changelog == "blue.mall-ledger-changelog"
    assert stage.name == "ledger"  # part of the transactional id: it must never change


def test_events_go_out_on_the_partition_that_the_customer_came_on() -> None:
    number = partition_of(b"c-1", 4)
    partition = Partition(settings=Settings(topic_prefix="blue."), partitions=4, number=number)
    partition.take(given.order_paid("o1", "2026-01-15 10:00", 10000))
    ((topic, where, outputs),) = partition.context.written()
    assert (topic, where) == ("blue.points-events", number)
    assert {key for key, _, _ in outputs} == {b"c-1"}


# -- one event ------------------------------------------------------------------------------------------


def test_an_account_is_stored_once_however_many_events_it_had() -> None:
    partition = Partition(given.PLAIN)
    for number in range(3):
        partition.take(given.order_paid(f"o{number}", f"2026-01-15 10:0{number}", 10000))
    changes = partition.commit()
    assert list(changes) == [b"c-1"]
    assert EntryCodec().decode(changes[b"c-1"]).account.available == 300


def test_orders_are_packed_with_the_event_that_added_or_changed_them() -> None:
    partition = Partition()
    partition.take(given.order_paid("o1", "2026-01-15 10:00", 10000))
    account = partition.table.get(b"c-1").account
    paid = dict(account.orders)
    assert paid
    assert not account.unpacked
    partition.take(given.refund("r1", "2026-01-16 10:00", "o1", 4000))
    assert account.orders != paid
    assert not account.unpacked


def test_a_repeat_changes_and_writes_nothing() -> None:
    partition = Partition(given.PLAIN)
    order = given.order_paid("o1", "2026-01-15 10:00", 10000)
    partition.take(order)
    partition.commit()
    assert partition.take(order) == []
    assert not partition.table.has_changes
    partition.commit()
    assert partition.sink.taken[-1][1].duplicates == 1


def test_a_repeat_after_a_restart_changes_nothing_either() -> None:
    partition = Partition(given.PLAIN)
    order = given.order_paid("o1", "2026-01-15 10:00", 10000)
    partition.take(order)
    partition.commit()
    partition.restart()
    assert partition.take(order) == []
    assert partition.account().available == 100


# -- what is set aside ----------------------------------------------------------------------------------


def test_what_cannot_be_read_becomes_a_dead_letter_with_its_bytes_key_headers_and_place() -> None:
    partition = Partition()
    partition.offset = 7
    partition.take_record("orders", b"c-1", b"{not json", timestamp=123, headers=[("trace", b"t")])
    ((topic, _, ((key, value, headers),)),) = partition.context.written()
    assert (topic, key, value) == ("dead-letters", b"c-1", b"{not json")
    assert headers[0] == ("trace", b"t")
    told = verdict(headers)
    assert (told.place.topic, told.place.partition, told.place.offset) == ("orders", 0, 7)
    assert (told.place.timestamp_ms, told.reason) == (123, "not_json")
    assert not partition.table.has_changes


def test_a_tombstone_and_a_record_without_a_key_are_set_aside_as_they_are() -> None:
    partition = Partition()
    value = msgspec.json.encode(given.check_in("x1", "2026-01-15 10:00"))
    partition.take_record("check-ins", b"c-1", None)
    partition.take_record("check-ins", None, value)
    assert [(k, v, told.reason) for k, v, told in partition.letters()] == [
        (b"c-1", None, "empty_record"),
        (None, value, "missing_key"),
    ]


@pytest.mark.parametrize("partitions", [2, 3, 12])
def test_a_customer_on_the_wrong_partition_is_set_aside(partitions: int) -> None:
    right = partition_of(b"c-1", partitions)
    for number in range(partitions):
        partition = Partition(partitions=partitions, number=number)
        partition.take(given.order_paid("o1", "2026-01-15 10:00"))
        reasons = [str(told.reason) for _, _, told in partition.letters()]
        assert reasons == ([] if number == right else ["wrong_partition"])
        assert bool(partition.events()) == (number == right)


def test_another_currency_is_set_aside() -> None:
    order = given.order_paid("o1", "2026-01-15 10:00")
    partition = Partition()
    partition.take(msgspec.structs.replace(order, data=msgspec.structs.replace(order.data, currency="USD")))
    ((_, _, told),) = partition.letters()
    assert (told.reason, "CNY" in told.message) == ("wrong_currency", True)


def test_a_fact_beyond_the_retention_is_set_aside_and_one_at_its_very_end_is_not() -> None:
    partition = Partition(given.PLAIN)
    partition.take(given.order_paid("o1", "2026-01-15 10:00", subject="c-2"))
    days = given.PLAIN.retention_ms // 86_400_000
    assert days == 800
    partition.take(given.order_paid("o2", "2023-11-07 10:00"))  # 800 days before
    assert partition.letters() == []
    partition.take(given.order_paid("o3", "2023-11-07 09:59:59.999"))
    assert [str(told.reason) for _, _, told in partition.letters()] == ["too_old"]


def test_a_record_whose_processing_failed_is_set_aside_with_the_error() -> None:
    partition = Partition()
    record = StoredRecord(3, STAMP, b"c-1", b"value")
    partition.processor.refuse("orders", record, "processing orders@3 raised KeyError('x')")
    ((key, value, told),) = partition.letters()
    assert (key, value, told.reason) == (b"c-1", b"value", "processing_failed")
    assert told.message == "processing orders@3 raised KeyError('x')"


# -- time -----------------------------------------------------------------------------------------------


def test_an_event_moves_the_partition_s_time_but_not_past_the_broker_s() -> None:
    """A wrong clock somewhere moves nobody else's holds."""
    partition = Partition(given.PLAIN)
    partition.take(given.order_paid("o1", "2026-01-15 10:00"))
    partition.take(given.hold_points("h1", "2026-01-15 10:01", 100))
    noon = given.ms("2026-01-15 10:20")
    wrong = given.check_in("x1", "2026-01-16 03:00", subject="c-2")
    assert types(partition.take(wrong, timestamp=noon)) == ["point-granted"]
    assert partition.processor.time == noon
    right = given.check_in("x2", "2026-01-15 10:31", subject="c-3")
    assert types(partition.take(right, timestamp=given.ms("2026-01-15 10:31"))) == [
        "point-released",
        "point-granted",
    ]


def test_a_late_event_and_a_refused_one_do_not_move_it() -> None:
    partition = Partition(given.PLAIN)
    partition.take(given.check_in("x1", "2026-01-15 10:00"))
    partition.take(given.check_in("x2", "2026-01-14 10:00"))
    refused = given.order_paid("o1", "2026-03-01 10:00")
    partition.take(
        msgspec.structs.replace(refused, data=msgspec.structs.replace(refused.data, currency="USD"))
    )
    partition.take_record("orders", b"c-1", b"{")
    assert partition.processor.time == given.ms("2026-01-15 10:00")


def test_a_repeat_moves_it_and_what_falls_due_happens() -> None:
    partition = Partition(given.PLAIN)
    later = given.check_in("x1", "2026-01-15 12:00", subject="c-2")
    partition.take(later, timestamp=given.ms("2026-01-15 10:00"))
    partition.take(given.order_paid("o1", "2026-01-15 10:00"))
    partition.take(given.hold_points("h1", "2026-01-15 10:00", 100))
    assert types(partition.take(later)) == ["point-released"]


def test_what_falls_due_comes_in_the_order_of_its_instant_over_all_customers() -> None:
    partition = Partition(given.PLAIN)
    for number in (3, 1, 2):
        who = f"c-{number}"
        partition.take(given.order_paid(f"o{number}", "2026-01-15 10:00", subject=who))
        partition.take(given.hold_points(f"h{number}", f"2026-01-15 10:0{number % 3}", 100, subject=who))
    released = partition.advance("2026-01-15 10:32")
    assert [(event.subject, str(event.time)[11:16]) for event in released] == [
        *(("c-3", "02:30"), ("c-1", "02:31"), ("c-2", "02:32")),
    ]
    assert partition.processor.time == given.ms("2026-01-15 10:32")


def test_after_a_restart_things_fall_due_as_before() -> None:
    def history(partition: Partition) -> None:
        partition.take(given.order_paid("o1", "2026-01-15 10:00"))
        partition.take(given.order_paid("o2", "2026-01-15 10:00", subject="c-2"))
        partition.take(given.hold_points("h1", "2026-01-15 10:01", 100))
        partition.commit()

    straight, restarted = Partition(given.PLAIN), Partition(given.PLAIN)
    history(straight)
    history(restarted)
    restarted.restart()
    expected = straight.advance("2027-02-01 00:00")
    assert types(expected)[0] == "point-released"
    assert types(expected).count("point-expired") == 2
    assert restarted.advance("2027-02-01 00:00") == expected


def test_the_stored_instant_is_that_of_the_timer_and_never_too_late() -> None:
    partition = Partition(given.PLAIN)
    partition.take(given.order_paid("o1", "2026-01-15 10:00"))
    stored = partition.commit()[b"c-1"]
    assert due_of(stored) == expiry.next_due(partition.account(), given.PLAIN)
    partition.take(given.hold_points("h1", "2026-01-15 10:01", 100))
    stored = partition.commit()[b"c-1"]
    assert due_of(stored) == given.ms("2026-01-15 10:31")


def test_an_account_with_nothing_due_is_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    never = msgspec.structs.replace(given.PLAIN, expiry=msgspec.structs.replace(given.EXPIRY, policy="never"))
    partition = Partition(never)
    partition.take(given.order_paid("o1", "2026-01-15 10:00"))
    stored = partition.commit()[b"c-1"]
    assert due_of(stored) == NEVER
    partition.restart()
    monkeypatch.setattr(EntryCodec, "decode", lambda *_: pytest.fail("decoded"))
    assert partition.advance("2090-01-01 00:00") == []


# -- the law, and what is counted -----------------------------------------------------------------------


def test_an_account_that_breaks_the_law_raises_and_is_told() -> None:
    partition = Partition(given.PLAIN)
    partition.take(given.order_paid("o1", "2026-01-15 10:00"))
    written = partition.events()
    partition.table.get(b"c-1").account.available -= 1
    with pytest.raises(UnbalancedAccountError, match="c-1: 1 points are unexplained"):
        partition.take(given.order_paid("o2", "2026-01-15 10:01"))
    assert partition.sink.violations == 1
    assert partition.events() == written


def test_a_defect_in_what_falls_due_is_no_record_s_fault() -> None:
    partition = Partition(given.PLAIN)
    partition.take(given.order_paid("o1", "2026-01-15 10:00"))
    partition.take(given.hold_points("h1", "2026-01-15 10:01", 100))
    partition.table.get(b"c-1").account.holds["h1"].taken = [("lost", 100)]
    with pytest.raises(TimerFailedError, match=r"customer c-1 .*no lot of grant lost"):
        partition.take(given.check_in("x1", "2026-01-15 11:00", subject="c-2"))


def test_a_record_s_output_that_cannot_be_encoded_is_not_laid_to_what_falls_due_after_it() -> None:
    """Or the task would not look for the record, and meet the same again for ever."""
    partition = Partition(given.PLAIN)
    partition.take(given.order_paid("o1", "2026-01-15 10:00"))
    partition.take(given.hold_points("h1", "2026-01-15 10:01", 100))
    pen = Pen([], lambda said: said.nothing, 2)
    pen.write(b"c-2", "of a record before")
    partition.processor._pen = pen
    with pytest.raises(OutputFailedError):
        partition.advance("2026-01-15 11:00")


def test_counts_are_handed_over_with_the_commit_and_begin_anew() -> None:
    partition = Partition(given.PLAIN)
    order: Incoming = given.order_paid("o1", "2026-01-15 10:00", 10000)
    partition.take(order)
    partition.take(order)
    partition.take(given.hold_points("h1", "2026-01-15 10:01", 100))
    partition.take(given.hold_points("h2", "2026-01-15 10:02", 900))
    partition.take_record("orders", b"c-1", b"{")
    assert partition.sink.taken == []
    partition.commit()
    ((number, counts),) = partition.sink.taken
    assert number == 0
    assert Counter({kind.__name__: n for kind, n in counts.events_in.items()}) == {
        "OrderPaid": 2,
        "HoldPoints": 2,
    }
    assert counts.events_out == {"point-granted": 1, "point-held": 1, "command-rejected": 1}
    assert counts.points == {"point-granted": 100, "point-held": 100}
    assert counts.rejections == {"insufficient_points": 1}
    assert counts.dead_letters == {"not_json": 1}
    assert counts.duplicates == 1
    partition.commit()
    assert partition.sink.taken[1][1].events_in == {}


def test_the_codec_gives_back_what_it_was_given() -> None:
    account = Account(available=5, granted=5, unpacked_lots=[Lot("g.0", 5, 1, 2)])
    entry = EntryCodec().decode(EntryCodec().encode(Entry(account, 77)))
    assert entry.account == account
    assert entry.scheduled is None  # the timer may have moved on since


@pytest.mark.parametrize(
    "due", [0, 1, 77, given.ms("2026-01-15 10:31"), given.ms("2026-01-15 10:31") + 1_999]
)
def test_the_codec_tells_when_an_account_falls_due_and_never_later(due: int) -> None:
    value = EntryCodec().encode(Entry(Account(), due))
    assert due - 2_000 < due_of(value) <= due


def test_the_codec_tells_what_falls_due_out_of_its_reach() -> None:
    for due in (given.ms("2106-01-01 00:00"), given.ms("2500-01-01 00:00"), NEVER - 1):
        assert given.ms("2105-12-31 00:00") < due_of(EntryCodec().encode(Entry(Account(), due))) <= due
    assert due_of(EntryCodec().encode(Entry(Account(), NEVER))) == NEVER
    assert due_of(EntryCodec().encode(Entry(Account(), None))) == NEVER


def test_the_codec_reads_what_earlier_releases_wrote() -> None:
    account = Account(available=5, granted=5, unpacked_lots=[Lot("g.0", 5, 1, 2)])
    stored = EntryCodec().encode(Entry(account, 77))[4:]
    for due in (77, given.ms("2026-01-15 10:31"), NEVER):
        value = due.to_bytes(8, "big") + stored
        assert due_of(value) == due
        assert EntryCodec().decode(value).account == account


# -- our own commands -----------------------------------------------------------------------------------

REFERRING = msgspec.structs.replace(given.PLAIN, referrer_points=200)


def test_a_referrers_reward_goes_out_on_the_referrers_partition():
    customer, referrer = "c-1", "c-2"
    partitions = 7
    here, there = (partition_of(name.encode(), partitions) for name in (customer, referrer))
    assert here != there
    partition = Partition(REFERRING, partitions=partitions, number=here)
    partition.take(given.registered("r-1", "2026-01-15 09:00", referred_by=referrer))
    partition.take(given.order_paid("o-1", "2026-01-15 10:00"))
    partition.take(given.order_paid("o-2", "2026-01-15 11:00"))
    sent = [each for each in partition.context.written() if each[0] == "points-commands"]
    ((topic, number, [(key, value, _)]),) = sent
    assert (topic, number, key) == ("points-commands", there, b"c-2")
    assert msgspec.json.decode(value or b"") == {
        "specversion": "1.0",
        "id": "referral:c-1:granted",
        "source": "loyalty-stream",
        "type": "grant-points",
        "subject": "c-2",
        "time": "2026-01-15T10:00:00+08:00",
        "data": {"grant_id": "referral:c-1", "points": 200, "reason": "referral"},
    }
    other = Partition(REFERRING, partitions=partitions, number=there)
    (event,) = other.take_record("points-commands", key, value)
    assert (event.subject, event.type, event.data.points) == ("c-2", "point-granted", 200)
    assert other.take_record("points-commands", key, value) == []
    assert other.letters() == []


def test_an_own_command_is_never_too_old():
    partition = Partition(REFERRING)
    partition.take(given.order_paid("o-1", "2029-12-01 10:00", subject="c-2"))
    own = given.grant_points("g", "2026-01-15 10:00", 200, source="loyalty-stream", subject="c-2")
    assert [event.type for event in partition.take(own)] == ["point-granted", "point-expired"]


@pytest.mark.parametrize(
    "fact",
    [
        msgspec.structs.replace(given.order_paid("o-1", "2026-01-15 10:00"), source="loyalty-stream"),
        msgspec.structs.replace(given.adjust_points("a-1", "2026-01-15 10:00", 5), source="loyalty-stream"),
        msgspec.structs.replace(given.hold_points("h-1", "2026-01-15 10:00", 5), source="loyalty-stream"),
    ],
)
def test_nothing_else_may_claim_to_be_ours(fact):
    partition = Partition(REFERRING)
    assert partition.take(fact) == []
    ((_, _, said),) = partition.letters()
    assert said.reason == "out_of_range"


# -- refunds that cannot be -----------------------------------------------------------------------------


def test_a_refund_beyond_what_is_left_is_set_aside_untouched() -> None:
    partition = Partition()
    partition.take(given.order_paid("o-1", "2026-01-15 10:00", 10000))
    too_much = given.refund("r-1", "2026-01-16 10:00", "o-1", 10001)
    assert partition.take(too_much) == []
    ((key, value, said),) = partition.letters()
    assert (key, value) == (b"c-1", msgspec.json.encode(too_much))
    assert (said.reason, said.place.topic, said.place.offset) == ("refused_refund", "orders", 1)
    assert said.message == "`$.data.amount`: 10001 refunded, 10000 of order o-1 is left"
    # It is not remembered: corrected, it may come again under the same ids.
    assert types(partition.take(given.refund("r-1", "2026-01-16 10:00", "o-1", 10000))) == ["point-revoked"]


def test_a_refund_that_was_applied_is_no_excess_when_it_comes_again() -> None:
    partition = Partition()
    partition.take(given.order_paid("o-1", "2026-01-15 10:00", 10000))
    whole = given.refund("r-1", "2026-01-16 10:00", "o-1", 10000)
    assert types(partition.take(whole)) == ["point-revoked"]
    assert partition.take(whole) == []
    assert types(partition.take(given.refund("e-2", "2026-01-16 11:00", "o-1", 10000, refund_id="r-1"))) == [
        "account-noted"
    ]
    assert partition.letters() == []


def test_a_refund_is_judged_when_what_falls_due_before_it_is_done() -> None:
    """The order that it is about waits for its hold, and is applied without it in the meantime."""
    partition = Partition()
    partition.take(given.order_paid("o-1", "2026-01-15 10:00", 10000, hold_id="h-1"))
    made = partition.take(given.refund("r-1", "2026-01-15 10:30", "o-1", 10001))
    assert types(made) == ["point-granted", "point-granted"]
    assert [said.reason for _, _, said in partition.letters()] == ["refused_refund"]


def test_a_refund_that_waited_and_was_too_large_is_set_aside_by_its_text() -> None:
    partition = Partition()
    too_much = given.refund("r-1", "2026-01-16 10:00", "o-1", 10001)
    assert types(partition.take(too_much)) == ["account-noted"]
    assert partition.letters() == []
    made = partition.take(given.order_paid("o-1", "2026-01-15 10:00", 10000))
    assert types(made)[-1] == "account-noted"
    ((key, value, said),) = partition.letters()
    assert key == b"c-1"
    assert msgspec.json.decode(value or b"", type=type(too_much)) == too_much
    assert (said.reason, said.place.topic, said.place.offset) == ("refused_refund", "orders", -1)


def test_what_is_never_matched_is_counted() -> None:
    partition = Partition()
    partition.take(given.refund("r-1", "2026-01-16 10:00", "o-1", 100))
    partition.take(given.completion("k-1", "2026-01-16 10:00", "o-1"))
    partition.take(given.cancellation("c-1", "2026-01-16 10:00", "o-2"))
    partition.take(
        given.cancellation("c-2", "2026-01-16 10:00", "o-2")
    )  # a repeat, which is found with the payment
    partition.take(given.order_paid("o-2", "2026-01-15 10:00", 10000))
    assert types(partition.advance("2028-03-26 10:00")) == ["account-noted", "account-noted"]
    partition.commit()
    assert partition.sink.taken[0][1].unmatched == 2
    assert partition.letters() == []


def test_pending_points_become_available_in_time_though_other_points_fall_due_first() -> None:
    delayed = Availability("delay", Period("PT90M", milliseconds=90 * 60_000))
    partition = Partition(replace(given.PLAIN, availability=delayed))
    partition.take(given.check_in("x-1", "2025-11-15 09:00"))
    partition.take(given.order_paid("o-1", "2026-01-15 10:00", 10000))
    assert partition.advance("2026-01-15 11:29") == []
    assert types(partition.advance("2026-01-15 11:30")) == ["point-activated"]

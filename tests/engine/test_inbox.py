import random
from collections.abc import Sequence
from typing import Any

import pytest

from loyalty_stream.engine.inbox import DECODED_AHEAD, Inbox, Item
from loyalty_stream.engine.log import Batch, Record
from loyalty_stream.engine.memory_log import StoredRecord
from loyalty_stream.engine.stage import Decoded


class Reader:
    """A record's value is its time; its event is where it was."""

    time = 0

    def __init__(self) -> None:
        self.decoded: list[tuple[str, int]] = []

    def decode(self, topic: str, record: Record) -> Decoded:
        self.decoded.append((topic, record.offset))
        return int(record.value or b"0"), f"{topic}@{record.offset}"

    def restored(self) -> None: ...
    def process(self, topic: str, record: Record, event: Any) -> None: ...
    def advance(self, time: int) -> None: ...
    def committed(self) -> None: ...
    def refuse(self, topic: str, record: Record, error: str) -> None: ...


def batch(
    topic: str, first: int, times: Sequence[int], *, end: int | None = None, position: int | None = None
) -> Batch:
    """Records from offset `first` on; by default the reader is then at the end."""
    records = [StoredRecord(first + n, 0, b"k", b"%d" % time) for n, time in enumerate(times)]
    at = first + len(times) if position is None else position
    return Batch(topic, 0, records, at, at if end is None else end)


def inbox(**ends: int) -> Inbox:
    return Inbox(dict.fromkeys(ends, 0), ends, Reader())


def names(items: Sequence[Item]) -> list[str]:
    return [event for _, _, _, event in items]


def test_the_earliest_event_of_all_topics_goes_first() -> None:
    box = inbox(a=2, b=2)
    box.add(batch("a", 0, [10, 30]))
    box.add(batch("b", 0, [20, 40]))
    assert names(box.take(10)) == ["a@0", "b@0", "a@1", "b@1"]
    assert len(box) == 0


def test_a_topic_keeps_its_own_order_whatever_its_times() -> None:
    box = inbox(a=3, b=1)
    box.add(batch("a", 0, [30, 10, 20]))
    box.add(batch("b", 0, [25]))
    # a@1 and a@2 come after a@0 and so not before 30.
    assert names(box.take(10)) == ["b@0", "a@0", "a@1", "a@2"]


def test_a_topic_keeps_its_order_over_batches() -> None:
    box = inbox(a=1, b=2)
    box.add(batch("a", 0, [50]))
    box.add(batch("a", 1, [10]))
    box.add(batch("b", 0, [20, 60]))
    assert names(box.take(10)) == ["b@0", "a@0", "a@1", "b@1"]


def test_at_one_instant_the_topic_named_first_goes_first() -> None:
    box = inbox(b=1, a=1)
    box.add(batch("a", 0, [10]))
    box.add(batch("b", 0, [10]))
    assert names(box.take(10)) == ["b@0", "a@0"]


def test_no_more_than_the_limit_is_taken() -> None:
    box = inbox(a=3, b=2)
    box.add(batch("a", 0, [1, 3, 5]))
    box.add(batch("b", 0, [2, 4]))
    assert names(box.take(2)) == ["a@0", "b@0"]
    assert names(box.take(2)) == ["a@1", "b@1"]
    assert names(box.take(2)) == ["a@2"]
    assert names(box.take(2)) == []


def test_a_topic_that_is_not_at_hand_holds_back_the_others() -> None:
    box = inbox(a=2, b=1)
    box.add(batch("a", 0, [10, 20]))
    assert names(box.take(10)) == []
    box.add(batch("b", 0, [15]))
    assert names(box.take(10)) == ["a@0", "b@0", "a@1"]


def test_what_can_come_no_earlier_is_not_held_back() -> None:
    box = inbox(a=2, b=5)
    box.add(batch("a", 0, [10, 20]))
    box.add(batch("b", 0, [15], end=5))
    assert names(box.take(10)) == ["a@0", "b@0"]
    assert names(box.take(10)) == []
    box.add(batch("b", 1, [16, 30], end=5))
    assert names(box.take(10)) == ["b@1", "a@1", "b@2"]


def test_a_lone_topic_that_is_not_at_its_end_does_not_hold_itself_back() -> None:
    box = inbox(a=9, b=0)
    box.add(batch("a", 0, [10, 20], end=9))
    assert names(box.take(10)) == ["a@0", "a@1"]


def test_an_empty_batch_that_reaches_the_end_lets_the_others_go() -> None:
    """Control records and aborted data move the position without a record."""
    box = inbox(a=1, b=3)
    box.add(batch("a", 0, [10]))
    assert names(box.take(10)) == []
    box.add(batch("b", 0, [], position=3))
    assert names(box.take(10)) == ["a@0"]
    assert box.offsets() == {"a": 1, "b": 3}


def test_without_patience_nothing_waits() -> None:
    box = inbox(a=2, b=1)
    box.add(batch("a", 0, [10, 20]))
    assert names(box.take(1, patient=False)) == ["a@0"]
    assert names(box.take(10, patient=False)) == ["a@1"]


def test_an_end_that_moves_on_holds_back_again() -> None:
    box = inbox(a=1, b=1)
    box.add(batch("b", 0, [5], end=2))
    box.add(batch("a", 0, [10]))
    assert names(box.take(10)) == ["b@0"]
    assert names(box.take(10)) == []


def test_records_that_were_taken_before_are_filtered_and_not_even_decoded() -> None:
    reader = Reader()
    box = Inbox({"a": 2}, {"a": 5}, reader)
    box.add(batch("a", 0, [1, 2, 3, 4]))
    assert names(box.take(10)) == ["a@2", "a@3"]
    box.add(batch("a", 0, [1, 2, 3, 4, 5]))
    assert names(box.take(10)) == ["a@4"]
    assert reader.decoded == [("a", 2), ("a", 3), ("a", 4)]


def test_a_backlog_is_decoded_as_its_turn_comes() -> None:
    reader = Reader()
    box = Inbox({"a": 0, "b": 0}, {"a": 1_000, "b": 1_000}, reader)
    box.add(batch("a", 0, range(1_000)))
    box.add(batch("b", 0, range(1_000)))
    taken = names(box.take(10))
    assert taken == [f"{topic}@{offset}" for offset in range(5) for topic in "ab"]
    assert len(reader.decoded) == 2 * DECODED_AHEAD
    assert len(box) == 1_990


def test_events_of_one_instant_keep_the_topics_order_however_many_they_are() -> None:
    many = 3 * DECODED_AHEAD
    box = inbox(a=many, b=many)
    box.add(batch("b", 0, [7] * many))
    box.add(batch("a", 0, [7] * many))
    assert names(box.take(10_000)) == [f"{topic}@{offset}" for topic in "ab" for offset in range(many)]


def test_a_batch_that_lies_wholly_behind_takes_the_position_nowhere() -> None:
    box = Inbox({"a": 4}, {"a": 6}, Reader())
    box.add(batch("a", 0, [1, 2], end=6))
    assert names(box.take(10)) == []
    assert box.offsets() == {"a": 4}


def test_offsets_to_commit_say_what_was_taken_not_what_was_read() -> None:
    box = Inbox({"a": 7, "b": 3}, {"a": 10, "b": 3}, Reader())
    assert box.offsets() == {"a": 7, "b": 3}
    box.add(batch("a", 7, [1, 2, 3]))
    assert box.offsets() == {"a": 7, "b": 3}
    box.take(2)
    assert box.offsets() == {"a": 9, "b": 3}
    box.take(2)
    assert box.offsets() == {"a": 10, "b": 3}


def test_offsets_jump_over_a_gap_once_what_lies_before_it_was_taken() -> None:
    box = Inbox({"a": 0}, {"a": 4}, Reader())
    box.add(Batch("a", 0, [StoredRecord(0, 0, b"k", b"1"), StoredRecord(2, 0, b"k", b"2")], 4, 4))
    box.take(1)
    assert box.offsets() == {"a": 1}
    box.take(1)
    assert box.offsets() == {"a": 4}


def test_lag_counts_from_what_was_taken_to_the_end_that_is_known() -> None:
    box = Inbox({"a": 2, "b": 0}, {"a": 10, "b": 0}, Reader())
    assert box.lag() == {"a": 8, "b": 0}
    box.add(batch("a", 2, [1, 2], end=10))
    assert box.lag() == {"a": 8, "b": 0}
    box.take(1)
    assert box.lag() == {"a": 7, "b": 0}
    box.take(1)
    assert box.lag() == {"a": 6, "b": 0}


def test_it_is_read_to_ends_when_all_is_read_and_nothing_is_at_hand() -> None:
    box = inbox(a=1, b=0)
    assert not box.read_to({"a": 1, "b": 0})
    box.add(batch("a", 0, [1]))
    assert not box.read_to({"a": 1, "b": 0})
    box.take(1)
    assert box.read_to({"a": 1, "b": 0})
    assert not box.read_to({"a": 1, "b": 1})


@pytest.mark.parametrize("seed", range(25))
def test_however_records_arrive_the_order_taken_is_that_of_all_at_once(seed: int) -> None:
    chance = random.Random(seed)
    longest = chance.choice((30, 4 * DECODED_AHEAD))
    topics = {name: [chance.randrange(50) for _ in range(chance.randrange(1, longest))] for name in "abc"}
    whole = Inbox(dict.fromkeys(topics, 0), {name: len(times) for name, times in topics.items()}, Reader())
    for name, times in topics.items():
        whole.add(batch(name, 0, times))
    expected = names(whole.take(1_000))

    box = Inbox(dict.fromkeys(topics, 0), {name: len(times) for name, times in topics.items()}, Reader())
    given = dict.fromkeys(topics, 0)
    taken: list[str] = []
    while len(taken) < len(expected):
        unread = [name for name in topics if given[name] < len(topics[name])]
        if unread:
            name = chance.choice(unread)
            step = chance.randrange(1, 5)
            box.add(
                batch(
                    name, given[name], topics[name][given[name] : given[name] + step], end=len(topics[name])
                )
            )
            given[name] = min(given[name] + step, len(topics[name]))
        taken += names(box.take(chance.randrange(1, 6)))
    # Ties between topics fall as they come to hand; the times are in the same order, each topic in its own.
    latest = {f"{n}@{i}": max(ts[: i + 1]) for n, ts in topics.items() for i in range(len(ts))}
    assert [latest[name] for name in taken] == [latest[name] for name in expected]
    for name in topics:
        own = [one for one in taken if one.startswith(name)]
        assert own == [one for one in expected if one.startswith(name)]

"""Batches are what aiokafka makes of the same records one by one."""

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from loyalty_stream.engine.batches import fill

NOW = 1_772_294_400_000


def new_batch(size=1_000):
    return BatchBuilder(size, 0, is_transactional=1)


def outputs(count, size=50):
    return [
        (b"customer-%d" % n, b"v" * size if n % 5 else None, [("reason", b"r")] if n % 3 == 0 else [])
        for n in range(count)
    ]


def read(batch):
    records = MemoryRecords(bytes(batch._build()))
    return [
        (each.offset, each.timestamp, each.key, each.value, list(each.headers))
        for each in records.next_batch()
    ]


@pytest.mark.parametrize("count", [1, 7, 100])
def test_all_outputs_are_in_batches_in_order(count):
    made, first, found = outputs(count), 0, []
    while first < count:
        batch = new_batch()
        after = fill(batch, made, first, NOW)
        assert batch.record_count() == after - first > 0
        found += [(key, value, headers) for _, _, key, value, headers in read(batch)]
        first = after
    assert found == [(key, value, [tuple(each) for each in headers]) for key, value, headers in made]


def test_a_batch_is_the_one_that_aiokafka_makes_record_by_record():
    made, ours, theirs = outputs(100), new_batch(), new_batch()
    after = fill(ours, made, 0, NOW)
    taken = 0
    for key, value, headers in made:
        if theirs.append(timestamp=NOW, key=key, value=value, headers=headers) is None:
            break
        taken += 1
    assert after == taken < 100
    assert bytes(ours._build()) == bytes(theirs._build())
    assert ours.record_count() == theirs.record_count()


def test_a_batch_that_is_filled_bit_by_bit_is_the_one_that_is_filled_at_once():
    made, bit_by_bit, at_once = outputs(12), new_batch(), new_batch()
    for some in (made[:1], made[1:1], made[1:8], made[8:]):
        assert fill(bit_by_bit, some, 0, NOW) == len(some)
    assert fill(at_once, made, 0, NOW) == len(made)
    assert bytes(bit_by_bit._build()) == bytes(at_once._build())
    assert bit_by_bit.record_count() == len(made)


def test_a_full_batch_takes_no_more():
    made, batch = outputs(100), new_batch()
    after = fill(batch, made, 0, NOW)
    assert fill(batch, made, after, NOW) == after < 100
    assert batch.record_count() == after


def test_no_outputs_leave_the_batch_empty():
    batch = new_batch()
    assert fill(batch, outputs(3), 3, NOW) == 3
    assert batch.record_count() == 0

"""What an account remembers, packed and unpacked."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import memory_records
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.identity import ENTRY_BYTES, KEY_BYTES

BUCKETS = st.integers(180, 186) | st.integers(-(2**40), 2**40)


def blobs(width: int, most: int) -> st.SearchStrategy[dict[int, bytes]]:
    return st.dictionaries(
        BUCKETS, st.integers(1, most).map(lambda count: bytes(range(width)) * count), max_size=4
    )


@given(
    blobs(ENTRY_BYTES, 300),
    blobs(KEY_BYTES, 300),
    st.dictionaries(BUCKETS, st.binary(min_size=1), max_size=4),
)
def test_anything_remembered_is_read_back_the_same(causes, keys, orders):
    packed = memory_records.pack(Account(causes=causes, keys=keys, orders=orders))
    read = Account()
    memory_records.unpack(read, packed)
    assert (read.causes, read.keys, read.orders) == (causes, keys, orders)
    assert list(read.causes) == sorted(causes)


@given(st.binary(max_size=60))
def test_bytes_are_what_is_remembered_or_are_refused(packed):
    with suppress(LookupError, ValueError):
        memory_records.unpack(Account(), packed)


def test_a_bucket_takes_five_bytes_besides_what_is_in_it():
    account = Account(
        causes={182: bytes(10 * ENTRY_BYTES)}, keys={182: bytes(KEY_BYTES)}, orders={182: bytes(12)}
    )
    assert len(memory_records.pack(account)) == 5 + 10 * ENTRY_BYTES + KEY_BYTES + 12


@pytest.mark.parametrize("packed", [b"\x02", b"\x02\x01\x00\x00", b"\x02\x00\x00\x81", b"\xff" * 20])
def test_what_ends_early_is_refused(packed):
    with pytest.raises((LookupError, ValueError)):
        memory_records.unpack(Account(), packed)

"""Reviews, packed and unpacked."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import fold_notes, identity, lot_records, review_records
from loyalty_stream.domain.account import KEY_BUCKET_MS, NEVER, Account, Review

AT_MS = 1_768_442_400_000


def remembering(times: list[int]) -> tuple[Account, list[str], list[bytes]]:
    """An account with a cause and a business key of each of these instants; their stems and keys."""
    account, stems, keys = Account(), [], []
    for number, at in enumerate(times):
        digest = identity.digest("c-1", "/tests", f"e{number}")
        stems.append(identity.text_of(digest))
        keys.append(identity.business_key("review", str(number)))
        fold_notes.remember_cause(account, identity.key_of(digest), stems[-1], at)
        fold_notes.remember(account, keys[-1], at)
    return account, stems, keys


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * KEY_BUCKET_MS).map(lambda more: more // 1000 * 1000) | st.integers(0, 5_000),
            st.sampled_from([0, 10, 255, 256, 65_535, 65_536, -1]),
            st.sampled_from([".0", ".1", ".17", ""]),
            st.sampled_from(["known", "key", "stem", "neither", "later"]),
        ),
        max_size=8,
    )
)
def test_any_reviews_are_read_back_the_same(told):
    times = [AT_MS + more for more, _, _, _ in told]
    account, stems, keys = remembering(times)
    reviews = {}
    for number, (at, (_, points, suffix, known)) in enumerate(zip(times, told, strict=True)):
        stem = stems[number] if known not in ("stem", "neither") else f"another{number}"
        key = keys[number] if known not in ("key", "neither") else bytes((number,)) * identity.KEY_BYTES
        reviews[key] = Review(stem + suffix, points, at + 1_000 * (known == "later"))
    for _ in range(2):  # as it is, and with what each review keeps of how it is packed
        packed = review_records.pack(account, reviews)
        read = review_records.unpack(account, packed)
        assert list(read.items()) == list(reviews.items())
        assert review_records.pack(account, read) == packed


def test_a_review_takes_three_bytes_and_with_milliseconds_seven():
    account, stems, keys = remembering([AT_MS, AT_MS + 1])
    reviews = {
        key: Review(f"{stem}.0", 10, AT_MS + n) for n, (key, stem) in enumerate(zip(keys, stems, strict=True))
    }
    assert len(review_records.pack(account, reviews)) == 2 + 3 + 7


def test_reviews_outlive_their_causes():
    account, stems, keys = remembering([AT_MS])
    account.reviews = review_records.unpack(
        account, review_records.pack(account, {keys[0]: Review(f"{stems[0]}.0", 10, AT_MS)})
    )
    lot_records.forget_records(account)
    account.causes, account.keys = {}, {}
    packed = review_records.pack(account, account.reviews)
    assert review_records.unpack(account, packed) == {keys[0]: Review(f"{stems[0]}.0", 10, AT_MS)}


def test_of_a_customer_who_writes_many_reviews_all_are_kept():
    account, stems, keys = remembering([AT_MS + 1_000 * number for number in range(300)])
    reviews = {
        key: Review(f"{stem}.0", 10, AT_MS + 1_000 * number)
        for number, (key, stem) in enumerate(zip(keys, stems, strict=True))
    }
    assert review_records.unpack(account, review_records.pack(account, reviews)) == reviews


@given(st.binary(max_size=40))
def test_bytes_are_reviews_or_are_refused(packed):
    account, _, _ = remembering([AT_MS, AT_MS + 1, NEVER])
    with suppress(LookupError, ValueError):
        review_records.unpack(account, packed)


@pytest.mark.parametrize("packed", [b"\x00", b"\x00\x00", b"\xfe", b"\xfd\x00", b"\xff\x00"])
def test_reviews_that_end_early_are_refused(packed):
    account, _, _ = remembering([AT_MS])
    with pytest.raises((LookupError, ValueError)):
        review_records.unpack(account, bytes((0xFE, AT_MS // KEY_BUCKET_MS)) + packed)

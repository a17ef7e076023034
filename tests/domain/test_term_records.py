"""What grants have in common, packed and unpacked."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import term_records

NUMBERS = st.integers(0, 300) | st.integers(0, 2**64 - 1)
TUPLES = st.lists(NUMBERS, min_size=1, max_size=5).map(tuple)
KINDS = st.integers(0, 2) | st.text(st.characters(exclude_categories=("Cs",)), max_size=140)
HEADS = st.tuples(NUMBERS, KINDS)
WORKED_OUT = st.builds(
    lambda head, how, first, second, scope: (*head, how, first, second, *scope),
    HEADS, st.integers(0, 2), NUMBERS, NUMBERS, st.just(()) | TUPLES.map(lambda scope: (scope,)),
)  # fmt: skip
FIXED = st.one_of(
    st.builds(lambda head, points: (*head, term_records.FIXED, points), HEADS, NUMBERS),
    st.builds(lambda head, points, steps: (*head, term_records.FIXED, points, steps), HEADS, NUMBERS, TUPLES),
    st.builds(
        lambda head, points, steps, scope: (*head, term_records.FIXED, points, steps, scope),
        HEADS, NUMBERS, st.just(()) | TUPLES, TUPLES,
    ),
)  # fmt: skip


@given(st.lists(WORKED_OUT | FIXED, max_size=5))
def test_any_terms_are_read_back_the_same(terms):
    assert all(term_records.fits(term) for term in terms)
    assert term_records.unpack(b"".join(map(term_records.pack, terms))) == tuple(terms)


@given(st.binary(max_size=40))
def test_bytes_are_terms_or_are_refused(packed):
    with suppress(LookupError, ValueError):
        terms = term_records.unpack(packed)
        if all(term_records.fits(term) for term in terms):
            assert term_records.unpack(b"".join(map(term_records.pack, terms))) == terms


@pytest.mark.parametrize(
    ("term", "size"),
    [
        ((0, 0, 0, 1, 100), 3),
        ((1, 2, 3, 50), 2),
        ((1, 1, 3, 150, (50_000, 50, 100_000, 150)), 13),
        ((3, "campaign:spring", 1, 1, 100, (1, 2)), 23),
    ],
)
def test_terms_take_a_few_bytes(term, size):
    assert len(term_records.pack(term)) == size


@pytest.mark.parametrize(
    "term", [(0, 0, 3, -1), (0, 1, 3, 5, (-1, 5)), (0, 0, 0, 1, 2**64), (0, 0, 0, 1, 1, (2**64,))]
)
def test_a_number_that_is_negative_or_too_long_does_not_fit(term):
    assert not term_records.fits(term)

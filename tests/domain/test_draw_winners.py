import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain.draw_winners import award, best, commitment, matches, places, proof, winners
from loyalty_stream.domain.rules import Prize

SEED = "七夕-2026"
ENTRIES = [(f"e-{number}", f"c-{number % 7}") for number in range(20)]
PRIZES = (Prize("tea-set", 1), Prize("tea-cup", 3))


def test_the_commitment_and_the_proof_are_what_anybody_can_work_out():
    assert commitment(SEED) == hashlib.sha256(SEED.encode("utf-8")).hexdigest()
    assert proof(SEED, "e-1") == hmac.new(SEED.encode("utf-8"), b"e-1", hashlib.sha256).hexdigest()
    assert commitment("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("seed", "right"), [(SEED, True), (SEED + " ", False), ("", False)])
def test_only_the_seed_that_was_committed_to_matches(seed, right):
    assert matches(seed, commitment(SEED)) is right
    assert matches(seed, commitment(SEED).upper()) is right
    assert not matches(seed, "")


def test_the_smallest_proofs_win_in_the_order_of_the_prizes():
    won = winners(PRIZES, ENTRIES, SEED)
    ranked = sorted(ENTRIES, key=lambda entry: proof(SEED, entry[0]))
    assert [(winner.entry_id, winner.customer) for winner in won] == ranked[:4]
    assert [winner.prize for winner in won] == ["tea-set", "tea-cup", "tea-cup", "tea-cup"]
    assert [winner.proof for winner in won] == [proof(SEED, entry_id) for entry_id, _ in ranked[:4]]


@pytest.mark.parametrize("count", range(3))
def test_with_few_entries_all_win(count):
    won = winners(PRIZES, ENTRIES[:count], SEED)
    assert {(winner.entry_id, winner.customer) for winner in won} == set(ENTRIES[:count])


def test_two_customers_with_one_entry_id_have_an_entry_each():
    won = winners(PRIZES, [("e-1", "c-2"), ("e-1", "c-1")], SEED)
    assert [(winner.customer, winner.prize) for winner in won] == [("c-1", "tea-set"), ("c-2", "tea-cup")]


@given(st.lists(st.sampled_from(ENTRIES)), st.text())
def test_neither_order_nor_repetition_of_the_entries_matters(entries, seed):
    assert winners(PRIZES, entries, seed) == winners(PRIZES, sorted(set(entries), reverse=True), seed)


@given(st.integers(1, 7))
def test_the_best_of_parts_are_the_best_of_all(size):
    ranked = []
    for start in range(0, len(ENTRIES), size):
        ranked = best(SEED, len(places(PRIZES)), ENTRIES[start : start + size], ranked)
    assert award(PRIZES, ranked) == winners(PRIZES, ENTRIES, SEED)

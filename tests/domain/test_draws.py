import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain.draws import commitment, matches, proof, winners
from loyalty_stream.domain.rules import Prize

SEED = "七夕-2026"
ENTRIES = [f"e-{number}" for number in range(20)]
PRIZES = (Prize("tea-set", 1), Prize("tea-cup", 3))


def test_the_commitment_and_the_proof_are_what_anybody_can_work_out():
    assert commitment(SEED) == hashlib.sha256(SEED.encode("utf-8")).hexdigest()
    assert proof(SEED, "e-1") == hmac.new(SEED.encode("utf-8"), b"e-1", hashlib.sha256).hexdigest()
    assert commitment("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("seed", "right"), [(SEED, True), (SEED + " ", False), ("", False)])
def test_only_the_seed_that_was_committed_to_matches(seed, right):
    assert matches(seed, commitment(SEED)) is right


def test_the_smallest_proofs_win_in_the_order_of_the_prizes():
    won = winners(PRIZES, ENTRIES, SEED)
    ranked = sorted(ENTRIES, key=lambda entry_id: proof(SEED, entry_id))
    assert [winner.entry_id for winner in won] == ranked[:4]
    assert [winner.prize for winner in won] == ["tea-set", "tea-cup", "tea-cup", "tea-cup"]
    assert [winner.proof for winner in won] == [proof(SEED, entry_id) for entry_id in ranked[:4]]


@pytest.mark.parametrize("entries", [[], ["e-1"], ["e-1", "e-2"]])
def test_with_few_entries_all_win(entries):
    assert {winner.entry_id for winner in winners(PRIZES, entries, SEED)} == set(entries)


@given(st.lists(st.sampled_from(ENTRIES)), st.text())
def test_neither_order_nor_repetition_of_the_entries_matters(entries, seed):
    assert winners(PRIZES, entries, seed) == winners(PRIZES, sorted(set(entries), reverse=True), seed)

"""Draws that anybody can check: a seed that was committed to, and the entries with the smallest HMAC under it.

It must not know who may enter, nor how entries are collected (DOMAIN.md, Draws).
"""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256
from heapq import nsmallest
from itertools import chain
from typing import NamedTuple, TypeAlias

from loyalty_stream.domain.campaign_terms import Prize

Entry: TypeAlias = tuple[str, str]
"""An entry's id and whose it is: two customers may have chosen one id, and each has an entry."""
Ranked: TypeAlias = tuple[str, str, str]
"""The proof of an entry, its id and its customer, in the order in which entries win."""


class Winner(NamedTuple):
    """An entry that won; `proof` is its HMAC in hex, by which all entries are ranked."""

    entry_id: str
    customer: str
    prize: str
    proof: str


def commitment(seed: str) -> str:
    """What is published before the campaign starts: the SHA-256 of the seed's UTF-8 bytes, in hex."""
    return sha256(seed.encode()).hexdigest()


def matches(seed: str, seed_commitment: str) -> bool:
    """Whether this is the seed that was committed to."""
    return hmac.compare_digest(commitment(seed).encode(), seed_commitment.lower().encode())


def proof(seed: str, entry_id: str) -> str:
    """HMAC-SHA256 of the entry's id under the seed, both as UTF-8, in hex."""
    return hmac.new(seed.encode(), entry_id.encode(), sha256).hexdigest()


def places(prizes: Sequence[Prize]) -> list[str]:
    """The prize of each place, in the order of the list."""
    return [prize.id for prize in prizes for _ in range(prize.winners)]


def best(seed: str, count: int, entries: Iterable[Entry], so_far: Sequence[Ranked] = ()) -> list[Ranked]:
    """The `count` entries with the smallest proofs, of these and of the best `so_far`, in order."""
    ranked = ((proof(seed, entry_id), entry_id, customer) for entry_id, customer in entries)
    return nsmallest(count, chain(so_far, ranked))


def award(prizes: Sequence[Prize], ranked: Sequence[Ranked]) -> list[Winner]:
    """The winners: the first entries win the first prize, and so on; with too few entries all of them win."""
    return [
        Winner(entry_id, customer, prize, mark)
        for (mark, entry_id, customer), prize in zip(ranked, places(prizes), strict=False)
    ]


def winners(prizes: Sequence[Prize], entries: Iterable[Entry], seed: str) -> list[Winner]:
    """The winners among all entries; one that is named twice is one."""
    return award(prizes, best(seed, len(places(prizes)), set(entries)))

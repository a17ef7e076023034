"""Draws that anybody can check: a seed that was committed to, and the entries with the smallest HMAC under it.

It must not know who may enter, nor how entries are collected (DOMAIN.md, Draws).
"""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from loyalty_stream.domain.rules import Prize


class Winner(NamedTuple):
    """An entry that won; `proof` is its HMAC in hex, by which all entries are ranked."""

    entry_id: str
    prize: str
    proof: str


def commitment(seed: str) -> str:
    """What is published before the campaign starts: the SHA-256 of the seed's UTF-8 bytes, in hex."""
    return sha256(seed.encode()).hexdigest()


def matches(seed: str, seed_commitment: str) -> bool:
    """Whether this is the seed that was committed to."""
    return hmac.compare_digest(commitment(seed), seed_commitment)


def proof(seed: str, entry_id: str) -> str:
    """HMAC-SHA256 of the entry's id under the seed, both as UTF-8, in hex."""
    return hmac.new(seed.encode(), entry_id.encode(), sha256).hexdigest()


def winners(prizes: Sequence[Prize], entry_ids: Iterable[str], seed: str) -> list[Winner]:
    """The winners by rising proof: the first entries win the first prize, and so on down the list.

    With fewer entries than prizes all of them win; an entry that is named twice is one.
    """
    ranked = sorted((proof(seed, entry_id), entry_id) for entry_id in set(entry_ids))
    won = [prize.id for prize in prizes for _ in range(prize.winners)]
    return [Winner(entry_id, prize, mark) for (mark, entry_id), prize in zip(ranked, won, strict=False)]

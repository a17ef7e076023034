"""Ids and keys derived from causes, so that the same input gives the same ids on any run.

A cause's digest is 72 bits of BLAKE2b over subject, source and id. Its base64url text, a dot and a number
name the events it made: among 10^9 causes the chance that any two share a digest is 10^18 / 2 / 2^72 = 10^-4.
The first 64 bits are what an account remembers of it: a new event of an account with 2,000 keys is taken for
a repeat by mistake once in 2^64 / 2,000 = 10^16.
"""

from binascii import b2a_base64
from hashlib import blake2b

KEY_BYTES = 8
_URL_SAFE = str.maketrans("+/", "-_")


def digest(subject: str, source: str, cause_id: str) -> bytes:
    """Nine bytes that stand for the event `source` + `cause_id` of the customer `subject`."""
    return blake2b(f"{subject}\n{source}\n{cause_id}".encode(), digest_size=9).digest()


def text_of(cause_digest: bytes) -> str:
    """Twelve characters of `[A-Za-z0-9_-]`, the stem of the ids of all events that the cause made."""
    text = b2a_base64(cause_digest, newline=False).decode()
    return text.translate(_URL_SAFE) if "/" in text or "+" in text else text


def business_key(kind: str, *parts: str) -> bytes:
    """The key of what a fact is about, such as a review's id, so that it counts once whatever the event's id.

    Ids hold no line feed, so no two lists of parts give the same text.
    """
    return blake2b("\n".join((kind, *parts)).encode(), digest_size=KEY_BYTES).digest()


def remembers(keys: dict[int, bytes], key: bytes) -> bool:
    """Whether `key` is among the remembered ones (all buckets: a repeat may carry another time)."""
    for blob in keys.values():
        at = blob.find(key)
        while at >= 0:
            if at % KEY_BYTES == 0:
                return True
            at = blob.find(key, at + 1)
    return False

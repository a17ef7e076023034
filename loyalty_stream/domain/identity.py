"""Ids and keys derived from causes, so that the same input gives the same ids on any run.

A cause's digest is 72 bits: 24 derived from the subject, then 48 of BLAKE2b over subject, source and id. Its
base64url text, a dot and a number name the events it made. The last 48 bits, the key, are what an account
remembers of the cause, and with the account's own 24 the stem is there again.

The odds. A new event of an account that remembers n keys is taken for a repeat by mistake once in 2^48 / n: with
the 100 keys of a busy customer, once in 2.8 * 10^12 events, so a platform with 10^10 events a year loses one in
280 years. Two ids of different customers are the same where all 72 bits are: among 10^9 causes by a chance of
10^18 / 2 / 2^72 = 10^-4; of one customer never, because the second cause is taken for a repeat of the first.
"""

from binascii import a2b_base64, b2a_base64, crc32
from hashlib import blake2b
from typing import Final

KEY_BYTES: Final = 6
STEM: Final = 12
"""Characters of a stem."""
PREFIX: Final = 4
"""Characters of a stem that its subject gives: four for three bytes, and eight for the key."""
ENTRY_BYTES: Final = KEY_BYTES + 3
"""A remembered cause: its key and its time, in whole seconds since its bucket began."""
_NINE_BYTES: Final = blake2b(digest_size=9)
_EIGHT_BYTES: Final = blake2b(digest_size=8)
"""Copied for each hash: quicker than to set one up."""
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/  ")
"""The other way; what stands for nothing there stands for nothing here."""
_ORDER_KEYS: Final[dict[str, bytes]] = {}
_BUSINESS_KEYS: Final[dict[str, bytes]] = {}
_MOST_BUSINESS_KEYS: Final = 1 << 10
_LATEST_DIGEST: Final[list[tuple[str, bytes]]] = [("", b"")]
"""A text and what it gave: some facts are asked about twice."""
_OF_SUBJECT: Final[dict[str, bytes]] = {}
_MOST_SUBJECTS: Final = 1 << 10


def digest(subject: str, source: str, cause_id: str) -> bytes:
    """Nine bytes that stand for the event `source` + `cause_id` of the customer `subject`.

    The hash is one of nine bytes, cut: so are the keys that earlier releases remembered.
    """
    text = f"{subject}\n{source}\n{cause_id}"
    latest = _LATEST_DIGEST[0]
    if latest[0] == text:
        return latest[1]
    of_subject = _OF_SUBJECT.get(subject)
    if of_subject is None:
        if len(_OF_SUBJECT) >= _MOST_SUBJECTS:
            _OF_SUBJECT.clear()
        of_subject = _OF_SUBJECT[subject] = (crc32(subject.encode()) & 0xFFFFFF).to_bytes(3, "big")
    found = of_subject + _hashed(_NINE_BYTES, text)
    _LATEST_DIGEST[0] = (text, found)
    return found


def key_of(cause_digest: bytes) -> bytes:
    """What an account remembers of the cause."""
    return cause_digest[-KEY_BYTES:]


def text_of(cause_digest: bytes) -> str:
    """The digest (or a key, or several end to end) as `[A-Za-z0-9_-]`, four characters for three bytes.

    The twelve of a digest are the stem of the ids of all events that the cause made.
    """
    return b2a_base64(cause_digest, newline=False).translate(_URL_SAFE).decode()


def key_of_stem(prefix: str, stem: str) -> bytes:
    """The key of the cause of this stem; empty where it is none of an account whose stems begin with `prefix`."""
    if not prefix or len(stem) != STEM or not stem.startswith(prefix):
        return b""
    try:
        key = a2b_base64(stem[PREFIX:].encode().translate(_STANDARD), strict_mode=True)
    except ValueError:
        return b""
    return key if len(key) == KEY_BYTES else b""


def business_key(kind: str, *parts: str) -> bytes:
    """The key of what a fact is about, such as a review's id, so that it counts once whatever the event's id.

    Kept for a while, because what a fact is about is looked for before it is remembered, and again. Ids hold no line
    feed, so no two lists of parts give the same text.
    """
    text = f"{kind}\n{parts[0]}" if len(parts) == 1 else "\n".join((kind, *parts))
    key = _BUSINESS_KEYS.get(text)
    if key is None:
        if len(_BUSINESS_KEYS) >= _MOST_BUSINESS_KEYS:
            _BUSINESS_KEYS.clear()
        key = _BUSINESS_KEYS[text] = _hashed(_EIGHT_BYTES, text)
    return key


def _hashed(blank: blake2b, text: str) -> bytes:
    hashed = blank.copy()
    hashed.update(text.encode())
    return hashed.digest()[:KEY_BYTES]


def order_key(order_id: str) -> bytes:
    """The business key of an order, which is looked for most often of all."""
    key = _ORDER_KEYS.get(order_id)
    if key is None:
        if len(_ORDER_KEYS) >= _MOST_BUSINESS_KEYS:
            _ORDER_KEYS.clear()
        key = _ORDER_KEYS[order_id] = _hashed(_EIGHT_BYTES, f"order\n{order_id}")
    return key


def remembers(keys: dict[int, bytes], key: bytes) -> bool:
    """Whether the business key is among the remembered ones (all buckets: a repeat may carry another time)."""
    return _in(keys, key, KEY_BYTES)


def remembers_cause(causes: dict[int, bytes], key: bytes) -> bool:
    """Whether the cause of this key is among the remembered ones."""
    return _in(causes, key, ENTRY_BYTES)


def _in(blobs: dict[int, bytes], key: bytes, width: int) -> bool:
    for blob in blobs.values():
        at = blob.find(key)  # `in` takes twice as long: it asks first whether the key is a number
        while at >= 0:
            if at % width == 0:
                return True
            at = blob.find(key, at + 1)
    return False

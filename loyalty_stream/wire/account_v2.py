"""Accounts as they were stored in format 2, brought to format 3: what it packs by hand was lists of MessagePack."""

from typing import Any, Final, cast

from loyalty_stream.domain import day_records, identity, memory_records, review_records, term_records
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account, Review, Term
from loyalty_stream.domain.lot_reader import Reader

_REGISTERED_AT: Final = 1
_REMEMBERED: Final = 5
_PREFIX: Final = 6
_TERMS: Final = 7
_DAILY: Final = 9
_STREAKS: Final = 10
_REVIEWS: Final = 11
_MOST_PLACES: Final = 1 << 16
_COUNTERS: Final = {"r": "review", "s": "share", "p": "points"}
_KEY_FOLLOWS: Final = 255


def upcast(fields: list[object]) -> list[object]:
    """The fields of format 3 for those of format 2; a LookupError, TypeError or ValueError where they are none."""
    missing = _REVIEWS + 1 - len(fields)
    found = fields + [0, 0, 0, b"", {}, [], "", [], 0, [], [], []][-missing:] if missing > 0 else list(fields)
    registered_at = cast("int", found[_REGISTERED_AT])
    if 0 < registered_at < _MOST_PLACES:  # a place, today
        found[_REGISTERED_AT] = str(registered_at)
    found[_TERMS] = b"".join([_term(term) for term in cast("list[list[Any]]", found[_TERMS])])
    daily, streaks = cast("list[Any]", found[_DAILY]), cast("list[int]", found[_STREAKS])
    found[_DAILY] = day_records.pack(day_records.Days(_daily(daily), _streaks(streaks)))
    account = _remembered(cast("list[Any]", found[_REMEMBERED]), cast("str", found[_PREFIX]))
    reviews = cast("list[bytes]", found[_REVIEWS])
    found[_REVIEWS] = review_records.pack(account, _reviews(account, *reviews)) if reviews else b""
    found[_REMEMBERED] = memory_records.pack(account)
    del found[_STREAKS]  # they are with the daily counters
    while len(found) > 1 and not found[-1]:
        found.pop()
    return found


def _term(parts: list[Any]) -> bytes:
    term: Term = tuple([tuple(part) if isinstance(part, list) else part for part in parts])
    if not term_records.fits(term):
        raise ValueError("a term with a number below 0 is none")
    return term_records.pack(term)


def _daily(stored: list[Any]) -> dict[int, dict[str, int]]:
    """Of each day how much later it is than the one before, then its counters, each a short name and its count."""
    daily: dict[int, dict[str, int]] = {}
    at = day = 0
    while at < len(stored):
        name = stored[at]
        if isinstance(name, int):
            day += name
            daily[day] = {}
            at += 1
        else:
            counter = _COUNTERS.get(name) or (f"game{name}" if name.startswith(":") else name[1:])
            daily[day][counter] = stored[at + 1]
            at += 2
    return daily


def _streaks(stored: list[int]) -> list[tuple[int, int]]:
    """First day and length in turn, each day as how much later than the one before."""
    streaks: list[tuple[int, int]] = []
    day = 0
    for at in range(0, len(stored), 2):
        day += stored[at]
        streaks.append((day, stored[at + 1]))
    return streaks


def _remembered(stored: list[Any], prefix: str) -> Account:
    """An account of nothing but its keys, causes and packed orders, by which its reviews are told."""
    account = Account(prefix=prefix)
    bucket = 0
    for at in range(0, len(stored), 4):
        step, causes, keys, packed = stored[at : at + 4]
        bucket += step
        if causes:
            account.causes[bucket] = causes
        if keys:
            account.keys[bucket] = keys
        if packed:
            account.orders[bucket] = packed
    return account


def _reviews(account: Account, places: bytes, records: bytes) -> dict[bytes, Review]:
    """Of each review the place of its key among its bucket's (255: the key follows), and records as of lots."""
    found: dict[bytes, Review] = {}
    at = 0
    reader = Reader(account, records)
    while reader.next():
        place = places[at]
        at += 1
        if place == _KEY_FOLLOWS:
            key = places[at : at + identity.KEY_BYTES]
            at += identity.KEY_BYTES
        else:
            start = place * identity.KEY_BYTES
            key = account.keys[reader.earned_at // KEY_BUCKET_MS][start : start + identity.KEY_BYTES]
        found[key] = Review(reader.grant_id(), reader.points, reader.earned_at)
    return found

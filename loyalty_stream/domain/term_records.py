"""What the grants of packed orders have in common (`Term`), as a few bytes: a rule's rate, steps and scope.

It must not know how grants are made of them: `order_records` does. Terms stand end to end. Of each, in order:

head    rounding (bits 0-1), kind (2-3; 3: its name follows), number of the grant's event (4-5; 3: it follows),
        steps follow (6), a scope follows (7)
number  of the grant's event, where the head does not hold it
kind    length and UTF-8, where the head does not hold it
points  where they are not worked out (rounding 3); else the rate's two sides
steps   how many amounts, and those
scope   how many positions, and those

All numbers are unsigned, seven bits a byte, the lowest first, 128 on all but the last.
"""

from typing import Final

from loyalty_stream.domain.account import Account, Term

FIXED: Final = 3
"""In place of a rounding: the points are not worked out but in the term."""
_NAMED: Final = 3
_NUMBERED: Final = 3
_STEPS: Final = 64
_SCOPE: Final = 128
_MOST_BYTES: Final = 10
"""Of a number: 64 bits and some."""
_SHARED: Final[dict[Term, Term]] = {}
"""Terms that all accounts share: two of them that are equal are one and the same. Never emptied, only full."""
_MOST_SHARED: Final = 1 << 14
_KNOWN: Final[dict[bytes, tuple[Term, ...]]] = {}
"""What was unpacked lately: most accounts have one of a few lists of terms."""
_RECORDS: Final[dict[Term, bytes]] = {}
"""What was packed lately, likewise."""
_MOST_KNOWN: Final = 1 << 12
_MOST_TERMS: Final = 256
"""Of an account: a byte tells which."""


def fits(term: Term) -> bool:
    """Whether the term can be packed: none of its numbers is negative or longer than 64 bits."""
    for part in term:
        if isinstance(part, int):
            if part < 0 or part >> 64:
                return False
        elif isinstance(part, tuple):
            for number in part:
                if number < 0 or number >> 64:
                    return False
    return True


def unpack(packed: bytes) -> tuple[Term, ...]:
    """The terms; LookupError or ValueError for bytes that are none."""
    known = _KNOWN.get(packed)
    if known is None:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        terms: list[Term] = []
        at = 0
        while at < len(packed):
            term, at = _term_at(packed, at)
            terms.append(shared(term) or term)
        known = _KNOWN[packed] = tuple(terms)
    return known


def of(account: Account) -> tuple[Term, ...]:
    """The account's terms; kept, as what is done to one order asks several times."""
    if account.terms_unpacked is not account.terms:
        account.unpacked_terms, account.terms_unpacked = unpack(account.terms), account.terms
    return account.unpacked_terms


def file(account: Account, term: Term) -> int:
    """Which of the account's terms it is, filed where it is a new one; -1: it cannot be filed."""
    known = of(account)
    number = _number_of(known, term)
    if number >= 0:  # a shared one: to look for an equal one takes longer
        return number
    same = shared(term)
    if same is not None:
        number = _number_of(known, same)
        if number >= 0:
            return number
        term = same
    elif term in known:
        return known.index(term)
    if len(known) >= _MOST_TERMS or not fits(term):
        return -1
    account.terms += pack(term)
    account.unpacked_terms, account.terms_unpacked = (*known, term), account.terms
    return len(known)


def _number_of(known: tuple[Term, ...], term: Term) -> int:
    """Which of them is this very object; -1: none, though one may equal it."""
    for number, filed in enumerate(known):
        if filed is term:
            return number
    return -1


def shared(term: Term) -> Term | None:
    """The shared one that equals it; None where there is none and no room."""
    same = _SHARED.get(term)
    if same is None and len(_SHARED) < _MOST_SHARED:
        same = _SHARED[term] = term
    return same


def pack(term: Term) -> bytes:
    """The record of one term that `fits`."""
    record = _RECORDS.get(term)
    if record is None:
        if len(_RECORDS) >= _MOST_KNOWN:
            _RECORDS.clear()
        record = _RECORDS[term] = _record(term)
    return record


def _record(term: Term) -> bytes:
    number, kind, rounding, first = term[:4]
    second = term[4] if len(term) > 4 else ()
    scope = term[5] if len(term) > 5 else ()
    assert isinstance(number, int)
    assert isinstance(rounding, int)
    assert isinstance(first, int)
    assert isinstance(scope, tuple)
    head = rounding | (_NAMED if isinstance(kind, str) else _code(kind)) << 2 | min(number, _NUMBERED) << 4
    found: list[int] = []
    if number >= _NUMBERED:
        _add(found, number)
    if isinstance(kind, str):
        name = kind.encode()
        _add(found, len(name))
        found += name
    _add(found, first)
    if isinstance(second, int):
        _add(found, second)
    elif isinstance(second, tuple) and second:
        head |= _STEPS
        _add_all(found, second)
    if scope:
        head |= _SCOPE
        _add_all(found, scope)
    return bytes((head, *found))


def _code(kind: int | tuple[int, ...]) -> int:
    assert isinstance(kind, int)
    return kind


def _add(found: list[int], number: int) -> None:
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)


def _add_all(found: list[int], numbers: tuple[int, ...]) -> None:
    _add(found, len(numbers))
    for number in numbers:
        _add(found, number)


def _term_at(packed: bytes, at: int) -> tuple[Term, int]:
    """The term that begins there, as `order_records` makes it, and where the next one begins."""
    head = packed[at]
    rounding, kind, number = head & 3, head >> 2 & 3, head >> 4 & 3
    at += 1
    if number == _NUMBERED:
        number, at = _number_at(packed, at)
    name = ""
    if kind == _NAMED:
        length, at = _number_at(packed, at)
        if at + length > len(packed):
            raise LookupError("terms end within a name")
        name, at = packed[at : at + length].decode(), at + length
    first, at = _number_at(packed, at)
    start: Term = (number, name if kind == _NAMED else kind, rounding, first)
    steps: tuple[int, ...] = ()
    scope: tuple[int, ...] = ()
    if rounding != FIXED:
        second, at = _number_at(packed, at)
        start = (*start, second)
    elif head & _STEPS:
        steps, at = _numbers_at(packed, at)
    if head & _SCOPE:
        scope, at = _numbers_at(packed, at)
    if rounding == FIXED and (steps or scope):
        start = (*start, steps)
    return ((*start, scope) if scope else start), at


def _numbers_at(packed: bytes, at: int) -> tuple[tuple[int, ...], int]:
    count, at = _number_at(packed, at)
    if count > len(packed):
        raise LookupError("terms end within their numbers")
    found: list[int] = []
    for _ in range(count):
        number, at = _number_at(packed, at)
        found.append(number)
    return tuple(found), at


def _number_at(packed: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place in range(_MOST_BYTES):
        byte = packed[at + place]  # an IndexError, which is a LookupError, where they end
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at + place + 1
    raise ValueError("terms hold a number of more than 64 bits")

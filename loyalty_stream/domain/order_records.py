"""An order as a few bytes: what can be computed is left out, and what does not fit is kept as it is.

Stem and second are those of its cause, lines are numbered, and a grant of a known rule follows from the lines.
It must not know what an order is for. Layout, in order:

flags   number of lines if below 4 (bits 0-1), width of a line's net (2-3), number of terms (4-5; 3: a count
        stands before them), milliseconds follow (6), a state follows (7)
key     the business key of the order's id
cause   the place of its cause in the bucket; 255: it is kept in the rest
count   of lines in two bytes, where the flags do not hold it
nets    of the lines; none where the lines are kept in the rest
terms   a byte for each grant; none where they are kept in the rest
ms      after the cause's second, two bytes
state   completed (1), cancelled (2), first (4), a rest (8), spent points (16) follow
rest    length in three bytes, and an `Order` with what did not fit
spent   length in two bytes, and `lot_records`
"""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from loyalty_stream.domain import identity, lot_records, term_records
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account, Counted, Earned, Line, Order, Term
from loyalty_stream.domain.order_parts import Earnings
from loyalty_stream.domain.rounding import rounded
from loyalty_stream.domain.rules import Rounding
from loyalty_stream.domain.scope import net_in

_MS: Final = 64
_STATE: Final = 128
_COMPLETED: Final = 1
_CANCELLED: Final = 2
_FIRST: Final = 4
_REST: Final = 8
_SPENT: Final = 16
_WIDTHS: Final = (2, 3, 4, 6)
_HEAD: Final = 2 + identity.KEY_BYTES
_FEW: Final = 3
"""Most lines that the flags count."""
_MANY: Final = 3
"""Terms that the flags do not count."""
_KIND_NAMES: Final = ("purchase", "threshold", "first_purchase")
_KINDS: Final = {name: code for code, name in enumerate(_KIND_NAMES)}
_ROUNDINGS: Final[tuple[Rounding, ...]] = ("floor", "half_up", "ceil")
_ROUNDING_CODES: Final[dict[str, int]] = {name: code for code, name in enumerate(_ROUNDINGS)}
_ZERO: Final = ord("0")
_FIXED: Final = term_records.FIXED
_MOST_TERMS: Final = 256
_MOST_GRANTS: Final = 255
_NO_CAUSE: Final = 255
_LINE_IDS: Final = ("1", "2", "3", "4", "5", "6", "7", "8", "9")
_BYTE: Final = tuple([bytes((value,)) for value in range(256)])

_encode: Final = msgspec.msgpack.Encoder().encode
_StoredEarned: Final[Any] = msgspec.defstruct(
    "StoredEarned",
    [
        ("grant_id", str),
        ("kind", str),
        ("points", int),
        ("revoked", int, 0),
        ("exact", tuple[int, int] | None, None),
        ("rounding", str, ""),
        ("steps", tuple[tuple[int, int], ...], ()),
        ("scope", tuple[int, ...], ()),
        ("gross", int, 0),
        ("earned_at", int, 0),
    ],
    array_like=True,
)
_StoredOrder: Final[Any] = msgspec.defstruct(
    "StoredOrder",
    [
        ("stem", str),
        ("paid_at", int),
        ("lines", list[tuple[str, int, int]]),
        ("earned", list[_StoredEarned], []),
        ("spent", list[Any], []),
        ("completed", bool, False),
        ("cancelled", bool, False),
        ("first", bool, False),
        ("campaigns", list[Counted], []),
    ],
    array_like=True,
)
"""The rest of an order: the fields of `Order` in their order, of which the record itself has some."""
_decode: Final = msgspec.msgpack.Decoder(_StoredOrder).decode


def pack(account: Account, order: Order) -> bytes:
    """The record of an order, its terms filed in the account."""
    place = lot_records.place_of_cause(account, order.stem, order.paid_at)
    flags, head, net = _pack_lines(order.lines)
    plain = flags >= 0
    if not plain:
        flags = 0
    head = order.key + _BYTE[place if place >= 0 else _NO_CAUSE] + head
    terms = _terms(account, order, net)
    if terms is not None:
        granted = len(terms)
        flags |= min(granted, _MANY) << 4
        head = head + terms if granted < _MANY else head + _BYTE[granted] + terms
    ms = order.paid_at % 1000
    if ms and place >= 0:
        flags |= _MS
        head = head + ms.to_bytes(2, "big")
    state = _COMPLETED if order.completed else 0
    if order.cancelled:
        state |= _CANCELLED
    if order.first:
        state |= _FIRST
    tail = b""
    if not plain or terms is None or place < 0 or order.campaigns:
        state |= _REST
        tail = _pack_rest(order, named=place < 0, lines=not plain, earned=terms is None)
    if order.spent:
        state |= _SPENT
        spent = lot_records.pack_spent(account, order.spent)
        tail += len(spent).to_bytes(2, "big") + spent
    if state:
        return _BYTE[flags | _STATE] + head + _BYTE[state] + tail
    return _BYTE[flags] + head


def _pack_lines(lines: list[Line]) -> tuple[int, bytes, int]:
    """The flags and the bytes that stand for the lines, and their net; -1 and two zeros where they have to be kept."""
    count = len(lines)
    if count == 1:  # mostly
        line = lines[0]
        net = line.net
        if not line.refunded and 0 <= net < 1 << 16 and line.line_id == "1":
            return 1, net.to_bytes(2, "big"), net
    most = total = 0
    for place, line in enumerate(lines):
        net = line.net
        if line.refunded or net < 0 or line.line_id != _line_id(place):
            return -1, b"\0\0", sum([each.net for each in lines])
        most = max(most, net)
        total += net
    if count >= 1 << 16 or most >= 1 << 48:
        return -1, b"\0\0", total
    code = 0 if most < 1 << 16 else 1 if most < 1 << 24 else 2 if most < 1 << 32 else 3
    width = _WIDTHS[code]
    nets = b"".join([line.net.to_bytes(width, "big") for line in lines])
    if 0 < count <= _FEW:
        return count | code << 2, nets, total
    return code << 2, count.to_bytes(2, "big") + nets, total


def _line_id(place: int) -> str:
    return _LINE_IDS[place] if place < len(_LINE_IDS) else str(place + 1)


def _pack_rest(order: Order, *, named: bool, lines: bool, earned: bool) -> bytes:
    """The order without what its record holds: of its cause, its lines and its grants, what is told to be kept."""
    rest = [
        order.stem if named else "",
        order.paid_at if named else 0,
        [line.values() for line in order.lines] if lines else [],
        [each.values() for each in order.earned] if earned else [],
        [], False, False, False,
        order.campaigns,
        b"",
    ]  # fmt: skip
    encoded = _encode(rest)
    return len(encoded).to_bytes(3, "big") + encoded


def _rest_of(stored: Any) -> Order:
    return Order(
        stored.stem,
        stored.paid_at,
        [Line(*line) for line in stored.lines],
        [
            Earned(
                each.grant_id, each.kind, each.points, each.revoked, each.exact, each.rounding, each.steps,
                each.scope, each.gross, each.earned_at,
            )
            for each in stored.earned
        ],
        campaigns=stored.campaigns,
    )  # fmt: skip


def place_of(blob: bytes, key: bytes) -> int:
    """Where in the records the order of this key begins; -1: it is not there."""
    found = blob.find(key)
    if found < 0:
        return -1
    at = 0  # the bytes of the key may stand for something else there: only a record's own key counts
    while at < len(blob):
        if at + 1 >= found and blob[at + 1 : at + 1 + identity.KEY_BYTES] == key:
            return at
        at += size_at(blob, at)
    return -1


def key_of(record: bytes) -> bytes:
    """The key of the order of this record."""
    return record[1 : 1 + identity.KEY_BYTES]


def size_at(blob: bytes, at: int) -> int:
    """How many bytes the record that begins there has."""
    flags = blob[at]
    lines, size = flags & 3, _HEAD
    if lines == 0:
        lines, size = int.from_bytes(blob[at + size : at + size + 2], "big"), size + 2
    size += lines * _WIDTHS[flags >> 2 & 3]
    terms = flags >> 4 & 3
    size += terms if terms < _MANY else 1 + blob[at + size]
    if flags & _MS:
        size += 2
    if flags & _STATE:
        state = blob[at + size]
        size += 1
        if state & _REST:
            size += 3 + int.from_bytes(blob[at + size : at + size + 3], "big")
        if state & _SPENT:
            size += 2 + int.from_bytes(blob[at + size : at + size + 2], "big")
    return size


def stem_at(account: Account, bucket: int, blob: bytes, at: int) -> str:
    """The stem of the order whose record begins there."""
    place = blob[at + 1 + identity.KEY_BYTES]
    if place == _NO_CAUSE:
        return unpack(account, bucket, blob, at).stem
    return lot_records.stem_of(account, bucket, place)


def unpack(account: Account, bucket: int, blob: bytes, at: int) -> Order:
    """The order whose record begins there."""
    flags, place = blob[at], blob[at + 1 + identity.KEY_BYTES]
    key = blob[at + 1 : at + 1 + identity.KEY_BYTES]
    count = flags & 3
    at += _HEAD
    if count == 0:
        count = int.from_bytes(blob[at : at + 2], "big")
        at += 2
    width = _WIDTHS[flags >> 2 & 3]
    lines = [
        Line(_line_id(line), int.from_bytes(blob[at + line * width : at + (line + 1) * width], "big"))
        for line in range(count)
    ]
    at += count * width
    granted = flags >> 4 & 3
    if granted == _MANY:
        granted = blob[at]
        at += 1
    terms = blob[at : at + granted]
    at += granted
    stem, paid_at = "", 0
    if place != _NO_CAUSE:
        start = place * identity.ENTRY_BYTES
        cause = account.causes[bucket][start : start + identity.ENTRY_BYTES]
        stem = account.prefix + identity.text_of(cause[: identity.KEY_BYTES])
        paid_at = bucket * KEY_BUCKET_MS + int.from_bytes(cause[identity.KEY_BYTES :], "big") * 1000
    if flags & _MS:
        paid_at += int.from_bytes(blob[at : at + 2], "big")
        at += 2
    state = 0
    if flags & _STATE:
        state = blob[at]
        at += 1
    if state & _REST:
        length = int.from_bytes(blob[at : at + 3], "big")
        at += 3 + length
        order = _rest_of(_decode(blob[at - length : at]))
        if place != _NO_CAUSE:
            order.stem, order.paid_at = stem, paid_at
        if count:
            order.lines = lines
    else:
        order = Order(stem, paid_at, lines)
    order.key = key
    order.completed = bool(state & _COMPLETED)
    order.cancelled = bool(state & _CANCELLED)
    order.first = bool(state & _FIRST)
    if terms:
        known = term_records.unpack(account.terms)
        order.earned = [_earned(known[number], order) for number in terms]
    if state & _SPENT:
        length = int.from_bytes(blob[at : at + 2], "big")
        order.spent = lot_records.unpack_spent(account, blob[at + 2 : at + 2 + length])
    return order


def earnings_at(account: Account, bucket: int, blob: bytes, at: int, kinds: Collection[str]) -> Earnings:
    """What `Order.earnings` tells, of the order whose record begins there; most are not unpacked for it."""
    flags, place = blob[at], blob[at + 1 + identity.KEY_BYTES]
    count, granted = flags & 3, flags >> 4 & 3
    if count == 0 or granted in (0, _MANY) or place == _NO_CAUSE:  # they may be kept in the rest
        return unpack(account, bucket, blob, at).earnings(kinds)
    at += _HEAD
    width = _WIDTHS[flags >> 2 & 3]
    nets = [int.from_bytes(blob[at + line * width : at + (line + 1) * width], "big") for line in range(count)]
    net = sum(nets)
    at += count * width
    known = term_records.unpack(account.terms)
    points = 0
    for number in blob[at : at + granted]:
        term = known[number]
        if _kind_of(term) in kinds:
            scope = _scope_of(term)
            points += _points_of(term, sum([nets[line] for line in scope]) if scope else net)
    paid_at = lot_records.time_of(account, bucket, place)
    if flags & _MS:
        at += granted
        paid_at += blob[at] << 8 | blob[at + 1]
    return paid_at, net, points


def _terms(account: Account, order: Order, net: int) -> bytes | None:
    """A byte for each of the order's grants, its term filed; None where they have to be kept as they are."""
    earned = order.earned
    if not earned:
        return b""
    if len(earned) > _MOST_GRANTS:
        return None
    numbers = b""
    for each in earned:
        term = _term(each, order, net)
        if term is None:
            return None
        number = _number_of_term(account, term)
        if number < 0:
            return None
        numbers = numbers + _BYTE[number] if numbers else _BYTE[number]
    return numbers


def _number_of_term(account: Account, term: Term) -> int:
    """Which of the account's terms it is, filed where it is a new one; -1: it cannot be filed."""
    known = term_records.unpack(account.terms)
    for number, filed in enumerate(known):
        if filed == term:
            return number
    if len(known) >= _MOST_TERMS or not term_records.fits(term):
        return -1
    account.terms += term_records.pack(term)
    return len(known)


def _term(earned: Earned, order: Order, net: int) -> Term | None:  # noqa: PLR0911 - one for each form
    """What makes the grant of the order's lines, and can be the same for many: None where they do not tell it."""
    if earned.revoked or earned.gross or earned.earned_at:
        return None
    number = _number(earned.grant_id, order.stem)
    if number < 0:
        return None
    kind = earned.kind
    coded: int | str = _KINDS.get(kind, kind)
    scope: Term = (earned.scope,) if earned.scope else ()
    exact = earned.exact
    if exact is None:
        if earned.rounding:
            return None
        steps = tuple([amount for step in earned.steps for amount in step])
        if not steps and not scope:
            return (number, coded, _FIXED, earned.points)
        return (number, coded, _FIXED, earned.points, steps, *scope)
    numerator, denominator = exact
    base = net_in(order, earned.scope) if earned.scope else net
    rounding = _ROUNDING_CODES.get(earned.rounding, _FIXED)
    if (
        earned.steps
        or base <= 0
        or numerator % base
        or rounding == _FIXED
        or rounded(numerator, denominator, _ROUNDINGS[rounding]) != earned.points
    ):
        return None
    if not scope:
        return (number, coded, rounding, numerator // base, denominator)
    return (number, coded, rounding, numerator // base, denominator, *scope)


def _number(grant_id: str, stem: str) -> int:
    """Which of the events of the order's cause granted it; -1: its id does not tell."""
    if not grant_id.startswith(stem):
        return -1
    size = len(stem)
    if len(grant_id) == size + 2 and grant_id[size] == ".":
        digit = ord(grant_id[size + 1]) - _ZERO
        return digit if 0 <= digit <= 9 else -1
    suffix = grant_id[len(stem) :]
    number = -1
    if suffix[:1] == "." and suffix[1:].isdecimal():
        number = int(suffix[1:])
        if suffix != f".{number}":
            return -1
    return number


def _earned(term: Term, order: Order) -> Earned:
    """The grant that the term made of the order's lines."""
    number, rounding, first = term[0], term[2], term[3]
    assert isinstance(rounding, int)
    assert isinstance(first, int)
    second = term[4] if len(term) > 4 else ()
    scope = _scope_of(term)
    grant_id, name = f"{order.stem}.{number}", _kind_of(term)
    base = net_in(order, scope)
    points = _points_of(term, base)
    if rounding == _FIXED:
        assert isinstance(second, tuple)
        steps = tuple([(second[place], second[place + 1]) for place in range(0, len(second), 2)])
        return Earned(grant_id, name, points, steps=steps, scope=scope)
    assert isinstance(second, int)
    exact = (base * first, second)
    return Earned(grant_id, name, points, exact=exact, rounding=_ROUNDINGS[rounding], scope=scope)


def _kind_of(term: Term) -> str:
    kind = term[1]
    assert isinstance(kind, int | str)
    return kind if isinstance(kind, str) else _KIND_NAMES[kind]


def _scope_of(term: Term) -> tuple[int, ...]:
    scope = term[5] if len(term) > 5 else ()
    assert isinstance(scope, tuple)
    return scope


def _points_of(term: Term, base: int) -> int:
    """What it granted of a base, the net of the lines that it counts."""
    rounding, first = term[2], term[3]
    assert isinstance(rounding, int)
    assert isinstance(first, int)
    if rounding == _FIXED:
        return first
    second = term[4]
    assert isinstance(second, int)
    return rounded(base * first, second, _ROUNDINGS[rounding])

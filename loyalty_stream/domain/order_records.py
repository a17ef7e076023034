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

from typing import Final

import msgspec

from loyalty_stream.domain import identity, lot_records
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account, Earned, Line, Order, Term
from loyalty_stream.domain.rounding import rounded
from loyalty_stream.domain.rules import Rounding

_MS: Final = 64
_STATE: Final = 128
_COMPLETED: Final = 1
_CANCELLED: Final = 2
_FIRST: Final = 4
_REST: Final = 8
_SPENT: Final = 16
_WIDTHS: Final = (2, 3, 4, 6)
_CODES: Final = {2: 0, 3: 1, 4: 2, 6: 3}
_HEAD: Final = 2 + identity.KEY_BYTES
_FEW: Final = 3
"""Most lines that the flags count."""
_MANY: Final = 3
"""Terms that the flags do not count."""
_KINDS: Final = ("purchase", "threshold", "first_purchase")
_ROUNDINGS: Final[tuple[Rounding, ...]] = ("floor", "half_up", "ceil")
_FIXED: Final = 3
"""In a term in place of a rounding: the points are not worked out but in it."""
_MOST_TERMS: Final = 256
_MOST_GRANTS: Final = 255
_NO_CAUSE: Final = 255
_LINE_IDS: Final = ("1", "2", "3", "4", "5", "6", "7", "8", "9")
_PACKED_FIELDS: Final = frozenset(
    ("stem", "paid_at", "lines", "earned", "spent", "completed", "cancelled", "first", "key")
)
_OTHER_FIELDS: Final = tuple(
    [place for place, name in enumerate(Order.__struct_fields__) if name not in _PACKED_FIELDS]
)

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Order).decode


def pack(account: Account, order: Order) -> bytes:  # noqa: C901, PLR0912 - one for each part of the layout
    """The record of an order, its terms filed in the account."""
    lines = order.lines
    nets = [line.net for line in lines]
    plain = len(lines) < 1 << 16 and min(nets, default=0) >= 0 and max(nets, default=0) < 1 << 48
    for place, line in enumerate(lines):
        if line.refunded or line.line_id != (_LINE_IDS[place] if place < 9 else str(place + 1)):
            plain = False
            break
    place = lot_records.place_of_cause(account, order.stem, order.paid_at)
    terms = _terms(account, order)
    flags = state = 0
    head = order.key + bytes((place if place >= 0 else _NO_CAUSE,))
    if not plain:
        head += b"\0\0"
    else:
        if 0 < len(lines) <= _FEW:
            flags |= len(lines)
        else:
            head += len(lines).to_bytes(2, "big")
        most = max(nets, default=0)
        width = 2 if most < 1 << 16 else 3 if most < 1 << 24 else 4 if most < 1 << 32 else 6
        flags |= _CODES[width] << 2
        for net in nets:
            head += net.to_bytes(width, "big")
    if terms is not None:
        flags |= min(len(terms), _MANY) << 4
        head += terms if len(terms) < _MANY else bytes((len(terms),)) + terms
    if place >= 0 and order.paid_at % 1000:
        flags |= _MS
        head += (order.paid_at % 1000).to_bytes(2, "big")
    if order.completed:
        state |= _COMPLETED
    if order.cancelled:
        state |= _CANCELLED
    if order.first:
        state |= _FIRST
    tail = b""
    values = msgspec.structs.astuple(order)
    if not plain or terms is None or place < 0 or any(values[other] for other in _OTHER_FIELDS):
        state |= _REST
        rest = msgspec.structs.replace(
            order,
            stem="" if place >= 0 else order.stem,
            paid_at=0 if place >= 0 else order.paid_at,
            lines=[] if plain else lines,
            earned=[] if terms is not None else order.earned,
            spent=[],
            completed=False,
            cancelled=False,
            first=False,
            key=b"",
        )
        encoded = _encode(rest)
        tail += len(encoded).to_bytes(3, "big") + encoded
    if order.spent:
        state |= _SPENT
        spent = lot_records.pack_spent(account, order.spent)
        tail += len(spent).to_bytes(2, "big") + spent
    if state:
        return bytes((flags | _STATE,)) + head + bytes((state,)) + tail
    return bytes((flags,)) + head


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
        Line(str(line + 1), int.from_bytes(blob[at + line * width : at + (line + 1) * width], "big"))
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
        order = _decode(blob[at - length : at])
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
        order.earned = [_earned(account.terms[number], order) for number in terms]
    if state & _SPENT:
        length = int.from_bytes(blob[at : at + 2], "big")
        order.spent = lot_records.unpack_spent(account, blob[at + 2 : at + 2 + length])
    return order


def _terms(account: Account, order: Order) -> bytes | None:
    """A byte for each of the order's grants, its term filed; None where they have to be kept as they are."""
    earned = order.earned
    if not earned:
        return b""
    if len(earned) > _MOST_GRANTS:
        return None
    numbers: list[int] = []
    for each in earned:
        term = _term(each, order)
        if term is None:
            return None
        if term not in account.terms:
            if len(account.terms) >= _MOST_TERMS:
                return None
            account.terms.append(term)
        numbers.append(account.terms.index(term))
    return bytes(numbers)


def _term(earned: Earned, order: Order) -> Term | None:
    """What makes the grant of the order's lines, and can be the same for many: None where they do not tell it."""
    grant_id, stem = earned.grant_id, order.stem
    number = grant_id[len(stem) + 1 :]
    named = grant_id.startswith(stem) and number.isdecimal() and grant_id == f"{stem}.{int(number)}"
    if not named or earned.revoked or earned.gross or earned.earned_at:
        return None
    kind = _KINDS.index(earned.kind) if earned.kind in _KINDS else earned.kind
    scope: Term = (earned.scope,) if earned.scope else ()
    if earned.exact is None:
        if earned.rounding:
            return None
        steps = tuple([amount for step in earned.steps for amount in step])
        if not steps and not scope:
            return (int(number), kind, _FIXED, earned.points)
        return (int(number), kind, _FIXED, earned.points, steps, *scope)
    numerator, denominator = earned.exact
    base = _base(order, earned.scope)
    if (
        earned.steps
        or base <= 0
        or numerator % base
        or earned.rounding not in _ROUNDINGS
        or rounded(numerator, denominator, earned.rounding) != earned.points
    ):
        return None
    return (
        int(number), kind, _ROUNDINGS.index(earned.rounding), numerator // base, denominator, *scope
    )  # fmt: skip


def _earned(term: Term, order: Order) -> Earned:
    """The grant that the term made of the order's lines."""
    number, kind, rounding, first = term[:4]
    second = term[4] if len(term) > 4 else ()
    scope = term[5] if len(term) > 5 else ()
    assert isinstance(kind, int | str)
    assert isinstance(rounding, int)
    assert isinstance(first, int)
    assert isinstance(scope, tuple)
    grant_id, name = f"{order.stem}.{number}", kind if isinstance(kind, str) else _KINDS[kind]
    if rounding == _FIXED:
        assert isinstance(second, tuple)
        steps = tuple([(second[place], second[place + 1]) for place in range(0, len(second), 2)])
        return Earned(grant_id, name, first, steps=steps, scope=scope)
    assert isinstance(second, int)
    numerator = _base(order, scope) * first
    how = _ROUNDINGS[rounding]
    points = rounded(numerator, second, how)
    return Earned(grant_id, name, points, exact=(numerator, second), rounding=how, scope=scope)


def _base(order: Order, scope: tuple[int, ...]) -> int:
    if not scope:
        return order.net_amount
    return sum([order.lines[place].net for place in scope])

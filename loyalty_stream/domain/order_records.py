"""An order as a few bytes: what can be computed is left out, and what does not fit is kept as it is.

Stem and second are those of its cause, lines are numbered, and a grant of a known rule follows from the lines
(`grant_records`). It must not know what an order is for. Layout, in order:

flags   number of lines if below 4 (bits 0-1), width of a line's net (2-3), number of terms (4-5; 3: a count
        stands before them), milliseconds follow (6), a state follows (7)
key     the business key of the order's id
cause   the place of its cause in the bucket; 255: it is kept in the rest
count   of lines in two bytes, where the flags do not hold it; its first bit: refunds follow their nets
nets    of the lines; none where the lines are kept in the rest
refunds what was refunded of each, likewise
terms   a byte for each grant; none where they are kept in the rest
ms      after the cause's second, two bytes
state   completed (1), cancelled (2), first (4), and of what follows: a rest (8), spent points (16), campaigns that
        count it (32), more of its grants (64), its id (128)
more    of each grant (`grant_records`)
counts  how many campaigns count it, and a byte for the term of each; none where they are kept in the rest
id      length in a byte and UTF-8, where those campaigns gave awards
rest    length in three bytes, and an `Order` with what did not fit
spent   length in two bytes, and `lot_records`
"""

from collections.abc import Collection
from typing import Any, Final

import msgspec
from mypy_extensions import mypyc_attr

from loyalty_stream.domain import grant_records, identity, lot_records
from loyalty_stream.domain.account import Account, Counted, Earned, Line, Order
from loyalty_stream.domain.order_parts import Earnings

_MS: Final = 64
_STATE: Final = 128
_COMPLETED: Final = 1
_CANCELLED: Final = 2
_FIRST: Final = 4
_REST: Final = 8
_SPENT: Final = 16
_COUNTS: Final = 32
_MORE: Final = 64
_NAMED: Final = 128
_WIDTHS: Final[tuple[int, ...]] = (2, 3, 4, 6)
_KEY_AT: Final = 1
_CAUSE_AT: Final = _KEY_AT + identity.KEY_BYTES
_HEAD: Final = _CAUSE_AT + 1
_REFUNDED: Final = 1 << 15
"""In the count of lines, of which an order has 10,000 at most."""
_FEW: Final = 3
"""Most lines that the flags count."""
_MANY: Final = 3
"""Terms that the flags do not count."""
_NO_CAUSE: Final = 255
_MOST_BYTE: Final = 255
_LINE_IDS: Final[tuple[str, ...]] = ("1", "2", "3", "4", "5", "6", "7", "8", "9")
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


@mypyc_attr(acyclic=True, free_list_len=1)
class _Record:
    """Where the parts of the record that begins at `at` are; `count` and `granted` tell its lines and grants."""

    __slots__ = (
        "blob", "count", "counts", "counts_at", "end", "granted", "id_at", "more_at", "ms", "nets_at", "place",
        "refunds_at", "rest", "rest_at", "spent", "spent_at", "state", "terms_at", "width",
    )  # fmt: skip

    def __init__(self, blob: bytes, at: int) -> None:
        flags = blob[at]
        self.blob = blob
        self.place = blob[at + _CAUSE_AT]
        at += _HEAD
        count = flags & 3
        refunded = 0
        if count == 0:
            count = blob[at] << 8 | blob[at + 1]
            refunded = count & _REFUNDED
            count ^= refunded
            at += 2
        self.count = count
        width = self.width = _WIDTHS[flags >> 2 & 3]
        self.nets_at = at
        at += count * width
        self.refunds_at = 0
        """0: nothing was refunded."""
        if refunded:
            self.refunds_at = at
            at += count * width
        granted = flags >> 4 & 3
        if granted == _MANY:
            granted = blob[at]
            at += 1
        self.granted = granted
        self.terms_at = at
        at += granted
        self.ms = 0
        self._read_what_follows(blob, flags, at)

    def _read_what_follows(self, blob: bytes, flags: int, at: int) -> None:
        """What comes after the terms."""
        if flags & _MS:
            self.ms = blob[at] << 8 | blob[at + 1]
            at += 2
        self.state = state = 0
        if flags & _STATE:
            self.state = state = blob[at]
            at += 1
        self.more_at = at
        if state & _MORE:
            at = grant_records.end_of_more(blob, at, self.granted)
        self.counts_at, self.counts = at, 0
        if state & _COUNTS:
            self.counts_at, self.counts = at + 1, blob[at]
            at += 1 + self.counts
        self.id_at = at
        if state & _NAMED:
            at += 1 + blob[at]
        self.rest_at, self.rest = at, 0
        if state & _REST:
            self.rest_at, self.rest = at + 3, blob[at] << 16 | blob[at + 1] << 8 | blob[at + 2]
            at += 3 + self.rest
        self.spent_at, self.spent = at, 0
        if state & _SPENT:
            self.spent_at, self.spent = at + 2, blob[at] << 8 | blob[at + 1]
            at += 2 + self.spent
        self.end = at

    @property
    def terms(self) -> bytes:
        return self.blob[self.terms_at : self.terms_at + self.granted]

    @property
    def more(self) -> bytes:
        return self.blob[self.more_at : self.counts_at] if self.state & _MORE else b""

    def nets(self) -> list[int]:
        """Of the lines that are not kept in the rest."""
        return self._amounts(self.nets_at)

    def refunds(self) -> list[int]:
        """Of the same lines; empty where there are none."""
        return self._amounts(self.refunds_at) if self.refunds_at else []

    def net(self) -> int:
        """Of all those lines together."""
        return self._total(self.nets_at)

    def refunded(self) -> int:
        """Likewise."""
        return self._total(self.refunds_at) if self.refunds_at else 0

    def _total(self, at: int) -> int:
        if self.width != 2:
            return sum(amount for amount in self._amounts(at))
        blob, total = self.blob, 0
        for place in range(at, at + 2 * self.count, 2):
            total += blob[place] << 8 | blob[place + 1]
        return total

    def _amounts(self, at: int) -> list[int]:
        blob, width = self.blob, self.width
        if width == 2:  # mostly
            return [blob[at + 2 * line] << 8 | blob[at + 2 * line + 1] for line in range(self.count)]
        return [
            int.from_bytes(blob[at + line * width : at + (line + 1) * width], "big")
            for line in range(self.count)
        ]

    def counted(self, account: Account) -> list[Counted]:
        """The campaigns that count it, where they are not kept in the rest."""
        blob, at, order_id = self.blob, self.counts_at, ""
        if self.state & _NAMED:
            order_id = blob[self.id_at + 1 : self.id_at + 1 + blob[self.id_at]].decode()
        return grant_records.unpack_counts(account, blob[at : at + self.counts], order_id)

    def paid_at(self, account: Account, bucket: int) -> int:
        """When it was paid (ms), where its cause is not kept in the rest."""
        return lot_records.time_of(account, bucket, self.place) + self.ms


def pack(account: Account, order: Order) -> bytes:
    """The record of an order, its terms filed in the account."""
    place = lot_records.place_of_cause(account, order.stem, order.paid_at)
    flags, head, net = _pack_lines(order.lines)
    plain = flags >= 0
    if not plain:
        flags = 0
    head = order.key + _BYTE[place if place >= 0 else _NO_CAUSE] + head
    grants = grant_records.pack(account, order, net)
    more = b""
    if grants is not None:
        terms, more = grants
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
    if more:
        state |= _MORE
        tail = more
    campaigns = order.campaigns
    if campaigns:
        told, counts = _pack_counts(account, campaigns)
        if told:
            state |= told
            tail = tail + counts
            campaigns = []
    if not plain or grants is None or place < 0 or campaigns:
        state |= _REST
        tail = tail + _pack_rest(order, campaigns, named=place < 0, lines=not plain, earned=grants is None)
    if order.spent:
        state |= _SPENT
        spent = lot_records.pack_spent(account, order.spent)
        tail = tail + len(spent).to_bytes(2, "big") + spent
    if state:
        return _BYTE[flags | _STATE] + head + _BYTE[state] + tail
    return _BYTE[flags] + head


def _pack_counts(account: Account, campaigns: list[Counted]) -> tuple[int, bytes]:
    """The flags of the state and the bytes that stand for the campaigns that count it; 0: they have to be kept."""
    counted = grant_records.pack_counts(account, campaigns)
    if counted is None:
        return 0, b""
    numbers, named = _BYTE[len(counted[0])] + counted[0], counted[1].encode()
    if not named:
        return _COUNTS, numbers
    if len(named) > _MOST_BYTE:
        return 0, b""
    return _COUNTS | _NAMED, numbers + _BYTE[len(named)] + named


def _pack_lines(lines: list[Line]) -> tuple[int, bytes, int]:
    """The flags and the bytes that stand for the lines, and their net; -1 and two zeros where they have to be kept."""
    count = len(lines)
    if count == 1:  # mostly
        line = lines[0]
        net = line.net
        if not line.refunded and 0 <= net < 1 << 16 and line.line_id == "1":
            return 1, net.to_bytes(2, "big"), net
    most = total = refunded = 0
    for place, line in enumerate(lines):
        net, back = line.net, line.refunded
        if net < 0 or back < 0 or line.line_id != _line_id(place):
            return -1, b"\0\0", sum(each.net for each in lines)
        if net > most:  # noqa: PLR1730 - max() costs a call on the hot path
            most = net
        if back > most:  # noqa: PLR1730 - likewise
            most = back
        total += net
        refunded += back
    if count >= _REFUNDED or most >= 1 << 48:
        return -1, b"\0\0", total
    code = 0 if most < 1 << 16 else 1 if most < 1 << 24 else 2 if most < 1 << 32 else 3
    width = _WIDTHS[code]
    amounts = b"".join([line.net.to_bytes(width, "big") for line in lines])
    if refunded:
        amounts += b"".join([line.refunded.to_bytes(width, "big") for line in lines])
        return code << 2, (count | _REFUNDED).to_bytes(2, "big") + amounts, total
    if 0 < count <= _FEW:
        return count | code << 2, amounts, total
    return code << 2, count.to_bytes(2, "big") + amounts, total


def _line_id(place: int) -> str:
    return _LINE_IDS[place] if place < len(_LINE_IDS) else str(place + 1)


def _pack_rest(order: Order, campaigns: list[Counted], *, named: bool, lines: bool, earned: bool) -> bytes:
    """The order without what its record holds: of its cause, its lines and its grants, what is told to be kept."""
    rest = [
        order.stem if named else "",
        order.paid_at if named else 0,
        [line.values() for line in order.lines] if lines else [],
        [each.values() for each in order.earned] if earned else [],
        [], False, False, False,
        campaigns,
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
        if at + _KEY_AT >= found and key_at(blob, at) == key:
            return at
        at = _Record(blob, at).end
    return -1


def key_at(blob: bytes, at: int) -> bytes:
    """The key of the order whose record begins there."""
    return blob[at + _KEY_AT : at + _CAUSE_AT]


def may_be_awarded(
    account: Account, bucket: int, blob: bytes, changed: dict[bytes, Order]
) -> list[tuple[int, int]]:
    """Of the orders of these records for which awards may have been given: when each was paid (ms), where it begins.

    Left out are those whose keys are in `changed`; few are unpacked for it.
    """
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(blob):
        record = _Record(blob, at)
        if record.state & (_REST | _NAMED) and key_at(blob, at) not in changed:
            found.append((_paid_at(account, bucket, record, at), at))
        at = record.end
    return found


def awarded_at(account: Account, bucket: int, blob: bytes, at: int) -> list[Counted]:
    """The `campaigns` of such an order; it is mostly not unpacked for it."""
    record = _Record(blob, at)
    return unpack(account, bucket, blob, at).campaigns if record.state & _REST else record.counted(account)


def end_of(blob: bytes, at: int) -> int:
    """Where the record that begins there ends."""
    return _Record(blob, at).end


def _paid_at(account: Account, bucket: int, record: _Record, at: int) -> int:
    if record.place == _NO_CAUSE:
        return unpack(account, bucket, record.blob, at).paid_at
    return record.paid_at(account, bucket)


def stem_at(account: Account, bucket: int, blob: bytes, at: int) -> str:
    """The stem of the order whose record begins there."""
    place = blob[at + _CAUSE_AT]
    if place == _NO_CAUSE:
        return unpack(account, bucket, blob, at).stem
    return lot_records.stem_of(account, bucket, place)


def unpack(account: Account, bucket: int, blob: bytes, at: int) -> Order:
    """The order whose record begins there."""
    record = _Record(blob, at)
    state = record.state
    lines = [Line(_line_id(line), net) for line, net in enumerate(record.nets())]
    for line, refunded in enumerate(record.refunds()):
        lines[line].refunded = refunded
    if state & _REST:
        order = _rest_of(_decode(blob[record.rest_at : record.rest_at + record.rest]))
        if lines:
            order.lines = lines
    else:
        order = Order("", 0, lines)
    if record.place != _NO_CAUSE:
        order.stem = lot_records.stem_of(account, bucket, record.place)
        order.paid_at = record.paid_at(account, bucket)
    order.key = key_at(blob, at)
    order.completed = bool(state & _COMPLETED)
    order.cancelled = bool(state & _CANCELLED)
    order.first = bool(state & _FIRST)
    if record.granted:
        order.earned = grant_records.unpack(account, order, record.terms, record.more)
    if record.counts:
        order.campaigns = record.counted(account)
    if state & _SPENT:
        spent = blob[record.spent_at : record.spent_at + record.spent]
        order.spent = lot_records.unpack_spent(account, spent)
    return order


def earnings_in(
    account: Account,
    bucket: int,
    blob: bytes,
    changed: dict[bytes, Order],
    kinds: Collection[str],
    given: grant_records.Given,
) -> list[Earnings]:
    """What `Order.earnings` tells of each order of these records; few are unpacked for it.

    Left out are those whose keys are in `changed`. `given` is for the same kinds.
    """
    found: list[Earnings] = []
    at = 0
    while at < len(blob):
        record = _Record(blob, at)
        if not changed or key_at(blob, at) not in changed:
            kept = record.state & _REST and (record.count == 0 or record.granted == 0)
            if kept or record.place == _NO_CAUSE:
                found.append(unpack(account, bucket, blob, at).earnings(kinds))
            else:
                net = record.net()
                nets = record.nets() if given.scoped else []
                more_at = record.more_at if record.state & _MORE else 0
                points = given.points(blob, record.terms_at, record.granted, more_at, nets, net)
                found.append((record.paid_at(account, bucket), net - record.refunded(), points))
        at = record.end
    return found

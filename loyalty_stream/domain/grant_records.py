"""What an order was granted and which campaigns count it, as the few bytes that `order_records` has of them.

A grant that follows from the order's lines by a known rule is the number of its `Term`, which many orders share, and
where it needs more, that stands apart. It must not know what grants are for. Of each grant then, in order:

more    what follows: points more or fewer than the term makes of the lines, a signed byte (1); the key of its own
        cause, where that is not its order's (2); when it was granted, where that is not when its order was paid, ms
        in six bytes (4); how much of it was revoked, in two bytes (8)
"""

from collections.abc import Collection
from math import gcd
from typing import Final

from mypy_extensions import mypyc_attr

from loyalty_stream.domain import identity, term_records
from loyalty_stream.domain.account import Account, Counted, Earned, Order, Term
from loyalty_stream.domain.rounding import rounded
from loyalty_stream.domain.rules import Rounding
from loyalty_stream.domain.scope import net_in, net_of

_KIND_NAMES: Final[tuple[str, ...]] = ("purchase", "threshold", "first_purchase")
_KINDS: Final = {name: code for code, name in enumerate(_KIND_NAMES)}
_COUNTED: Final = "counts:"
"""Before the id of a campaign: the name of the term by which orders count for it."""
_LOWEST: Final = "lowest:"
"""Before the kind: the grant tells its exact fraction in lowest terms, as those of campaigns do."""
_ROUNDINGS: Final[tuple[Rounding, ...]] = ("floor", "half_up", "ceil")
_ROUNDING_CODES: Final[dict[str, int]] = {name: code for code, name in enumerate(_ROUNDINGS)}
_FIXED: Final = term_records.FIXED
_ZERO: Final = ord("0")
_MOST: Final = 255
"""Grants, or campaigns that count it, of one order."""
_FINEST: Final = 1 << 14
"""Both sides of such a rate are below: a finer one is that of a single order, and no term for many."""
_OTHER_POINTS: Final = 1
_OTHER_CAUSE: Final = 2
_OTHER_TIME: Final = 4
_REVOKED: Final = 8
_MOST_MS: Final = 1 << 48
_MOST_OTHER: Final = 127
_MOST_REVOKED: Final = (1 << 16) - 1
_BYTE: Final = tuple([bytes((value,)) for value in range(256)])
_COUNTS: Final[dict[str, Term]] = {}
"""Of `_counts`, by campaign."""
_MOST_COUNTS: Final = 1 << 10


def pack(account: Account, order: Order, net: int) -> tuple[bytes, bytes] | None:
    """A byte for each of the order's grants, its term filed, and what more there is to tell of them all, mostly none.

    None where one of them cannot be told so. `net` is that of all lines.
    """
    if len(order.earned) > _MOST:
        return None
    numbers = mores = b""
    told = False
    for earned in order.earned:
        packed = _packed(account, earned, order, net)
        if packed is None:
            return None
        number, more = packed
        numbers = numbers + number if numbers else number
        told = told or len(more) > 1
        mores = mores + more if mores else more
    return numbers, mores if told else b""


def unpack(account: Account, order: Order, numbers: bytes, mores: bytes) -> list[Earned]:
    """The grants of an order that has its lines already."""
    known = term_records.of(account)
    found = [_earned(known[number], order) for number in numbers]
    if mores:
        at = 0
        for earned in found:
            at = _add_more(account, earned, order, mores, at)
    return found


@mypyc_attr(acyclic=True)
class Given:
    """What grants of some kinds gave and was not revoked: it is asked of many orders of one account."""

    __slots__ = ("_counts", "_terms", "scoped")

    def __init__(self, account: Account, kinds: Collection[str]) -> None:
        self._terms = term_records.of(account)
        self._counts: list[bool] = [_kind(term) in kinds for term in self._terms]
        self.scoped = False
        """Whether some count certain lines only, so that `points` has to be told of each line."""
        for counts, term in zip(self._counts, self._terms, strict=True):
            if counts and _scope(term):
                self.scoped = True

    def points(self, blob: bytes, at: int, grants: int, more_at: int, nets: list[int], net: int) -> int:
        """Of so many grants whose terms stand in the blob at `at`; `more_at`: where there is more of them, or 0.

        `net` is that of all lines of their order, `nets` those of each.
        """
        terms, found = self._terms, 0
        for number in range(at, at + grants):
            place = blob[number]
            counts = self._counts[place]
            if counts:
                term = terms[place]
                scope = _scope(term) if self.scoped else ()
                found += _points(term, net_of(nets, scope) if scope else net)
            if more_at:
                told, end = blob[more_at], end_of_more(blob, more_at, 1)
                if counts and told & _OTHER_POINTS:
                    found += _signed(blob[more_at + 1])
                if counts and told & _REVOKED:
                    found -= blob[end - 2] << 8 | blob[end - 1]
                more_at = end
        return found


def end_of_more(blob: bytes, at: int, grants: int) -> int:
    """Where what is told of so many grants ends."""
    for _ in range(grants):
        told = blob[at]
        at += 1
        if told & _OTHER_POINTS:
            at += 1
        if told & _OTHER_CAUSE:
            at += identity.KEY_BYTES
        if told & _OTHER_TIME:
            at += 6
        if told & _REVOKED:
            at += 2
    return at


def pack_counts(account: Account, campaigns: list[Counted]) -> tuple[bytes, str] | None:
    """A byte for each of the campaigns that count an order, its term filed, and the order's id if some gave awards.

    None where one of them cannot be told so.
    """
    if len(campaigns) > _MOST:
        return None
    numbers, order_id = b"", ""
    for each in campaigns:
        if each.gift or not each.accumulates:
            return None
        term, scope = _counts(each.campaign_id), each.scope
        if each.order_id:
            if order_id not in ("", each.order_id):
                return None
            order_id = each.order_id
            awards = (each.minimum, each.awards, each.points, each.entries)
            term = (0, term[1], _FIXED, 0, awards, scope) if scope else (0, term[1], _FIXED, 0, awards)
        elif each.minimum or each.awards or each.points or each.entries:
            return None
        elif scope:
            term = (0, term[1], _FIXED, 0, (), scope)
        number = term_records.file(account, term)
        if number < 0:
            return None
        numbers = numbers + _BYTE[number] if numbers else _BYTE[number]
    return numbers, order_id


def _counts(campaign_id: str) -> Term:
    """The term of a campaign that counts an order, all of it, and gave nothing; the same object again and again."""
    term = _COUNTS.get(campaign_id)
    if term is None:
        if len(_COUNTS) >= _MOST_COUNTS:
            _COUNTS.clear()
        term = (0, _COUNTED + campaign_id, _FIXED, 0)
        term = _COUNTS[campaign_id] = term_records.shared(term) or term
    return term


def unpack_counts(account: Account, numbers: bytes, order_id: str) -> list[Counted]:
    """The campaigns that count an order, likewise."""
    known = term_records.of(account)
    found: list[Counted] = []
    for number in numbers:
        term = known[number]
        each = Counted(_kind(term)[len(_COUNTED) :], _scope(term), accumulates=True)
        awards = term[4] if len(term) > 4 else ()
        if awards:
            assert isinstance(awards, tuple)
            each.minimum, each.awards, each.points, each.entries = awards
            each.order_id = order_id
        found.append(each)
    return found


def _packed(  # noqa: PLR0911 - one for each thing that cannot be told
    account: Account, earned: Earned, order: Order, net: int
) -> tuple[bytes, bytes] | None:
    """The number of its term and what more there is to tell of it, one byte where there is nothing."""
    stem, told, after = order.stem, 0, b""
    if not earned.grant_id.startswith(stem):
        stem = earned.grant_id[: identity.STEM]
        after = identity.key_of_stem(account.prefix, stem)
        if not after:
            return None
        told = _OTHER_CAUSE
    if earned.earned_at:
        if not 0 < earned.earned_at < _MOST_MS:
            return None
        told |= _OTHER_TIME
        after += earned.earned_at.to_bytes(6, "big")
    if earned.revoked:
        if not 0 < earned.revoked <= _MOST_REVOKED:
            return None
        told |= _REVOKED
        after += earned.revoked.to_bytes(2, "big")
    base = net_in(order, earned.scope) if earned.scope else net
    term = _term(earned, stem, base)
    if term is None:
        return None
    number = term_records.file(account, term)
    if number < 0:
        return None
    other = earned.points - _points(term, base)
    if other == 0:
        return _BYTE[number], _BYTE[told] + after if told else _BYTE[0]
    if not -_MOST_OTHER <= other <= _MOST_OTHER:
        return None
    return _BYTE[number], _BYTE[told | _OTHER_POINTS] + _BYTE[other & 255] + after


def _add_more(account: Account, earned: Earned, order: Order, mores: bytes, at: int) -> int:
    """Give a grant of the order what is told of it there; returns where that ends."""
    told = mores[at]
    at += 1
    if told & _OTHER_POINTS:
        earned.points += _signed(mores[at])
        at += 1
    if told & _OTHER_CAUSE:
        stem = account.prefix + identity.text_of(mores[at : at + identity.KEY_BYTES])
        earned.grant_id = stem + earned.grant_id[len(order.stem) :]
        at += identity.KEY_BYTES
    if told & _OTHER_TIME:
        earned.earned_at = int.from_bytes(mores[at : at + 6], "big")
        at += 6
    if told & _REVOKED:
        earned.revoked = mores[at] << 8 | mores[at + 1]
        at += 2
    return at


def _signed(byte: int) -> int:
    return byte - 256 if byte > _MOST_OTHER else byte


# -- terms ----------------------------------------------------------------------------------------------


def _term(earned: Earned, stem: str, base: int) -> Term | None:
    """What makes the grant of the `base`, the net of the lines that it counts: None where that does not tell it.

    It may tell points that differ, as they do where they are the difference of two roundings. `stem` is that of the
    grant's own cause.
    """
    number = -1 if earned.gross else _number(earned.grant_id, stem)
    if number < 0:
        return None
    kind, rounding = earned.kind, _FIXED
    coded: int | str = _KINDS.get(kind, kind)
    exact, scope = earned.exact, earned.scope
    if exact is None:
        if earned.rounding:
            return None
        second: int | tuple[int, ...] = tuple([amount for step in earned.steps for amount in step])
        if not second and not scope:
            return (number, coded, rounding, earned.points)
        first = earned.points
    else:
        rounding = _ROUNDING_CODES.get(earned.rounding, _FIXED)
        if earned.steps or base <= 0 or exact[1] <= 0 or rounding == _FIXED:
            return None
        first, second = exact[0] // base, exact[1]
        if exact[0] % base:
            first, second = _lowest(exact[0], exact[1] * base)
            if first >= _FINEST or second >= _FINEST or _lowest(base * first, second) != exact:
                return None
            coded = _LOWEST + kind
    return (
        (number, coded, rounding, first, second, scope) if scope else (number, coded, rounding, first, second)
    )


def _lowest(numerator: int, denominator: int) -> tuple[int, int]:
    """The fraction in lowest terms."""
    common = gcd(numerator, denominator)
    return numerator // common, denominator // common


def _number(grant_id: str, stem: str) -> int:
    """Which of the events of the cause granted it; -1: its id does not tell."""
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
    scope, kind = _scope(term), _kind(term)
    base = net_in(order, scope)
    grant_id, given = f"{order.stem}.{number}", _points(term, base)
    if rounding == _FIXED:
        assert isinstance(second, tuple)
        steps = tuple([(second[place], second[place + 1]) for place in range(0, len(second), 2)])
        return Earned(grant_id, kind, given, steps=steps, scope=scope)
    assert isinstance(second, int)
    coded = term[1]
    lowest = isinstance(coded, str) and coded.startswith(_LOWEST)
    exact = _lowest(base * first, second) if lowest else (base * first, second)
    return Earned(grant_id, kind, given, exact=exact, rounding=_ROUNDINGS[rounding], scope=scope)


def _kind(term: Term) -> str:
    kind = term[1]
    if isinstance(kind, int):
        return _KIND_NAMES[kind]
    assert isinstance(kind, str)
    return kind.removeprefix(_LOWEST)


def _scope(term: Term) -> tuple[int, ...]:
    scope = term[5] if len(term) > 5 else ()
    assert isinstance(scope, tuple)
    return scope


def _points(term: Term, base: int) -> int:
    rounding, first = term[2], term[3]
    assert isinstance(rounding, int)
    assert isinstance(first, int)
    if rounding == _FIXED:
        return first
    second = term[4]
    assert isinstance(second, int)
    return rounded(base * first, second, _ROUNDINGS[rounding])

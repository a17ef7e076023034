"""Accounts as the bytes of the changelog, and back: MessagePack without field names, after a format version.

Stored accounts outlive releases. Whoever changes the shape of `Account` or of what it holds raises `VERSION`,
adds an upcaster and a golden file (tests/wire/golden); an account of an unknown version is never guessed at.
A field added to the end of `Account`, with an empty default, is no change of shape.
It knows nothing of what the fields mean but where a shorter way to write them down is at hand: orders are packed
already (`domain.orders`), lots and what was spent of them are `lot_records`, instants of whole seconds are negative.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import force_setattr

from loyalty_stream.domain import account as shapes
from loyalty_stream.domain import (
    day_records,
    lot_records,
    memory_records,
    orders,
    packed_lots,
    review_records,
)
from loyalty_stream.domain.account import ACCOUNT_FIELDS, KEY_BUCKET_MS, Account, Hold, imbalance
from loyalty_stream.wire import account_v1, account_v2

VERSION: Final = 5

Stored: TypeAlias = list[object]
"""An account of any version as plain values, in the order of its fields then."""
Upcaster: TypeAlias = Callable[[Stored], Stored]

UPCASTERS: Mapping[int, Upcaster] = {1: account_v1.upcast, 2: account_v2.upcast, 3: list, 4: list}
"""Version -> what makes the next version's fields of that version's. Those of 3 and 4 stay as they are: since then the
records of orders may tell more (`domain.order_records`): since 4 of campaigns, since 5 of refunds, which earlier
releases could not read."""


class UnreadableAccountError(ValueError):
    """Stored bytes that this release can't read as an account; the message says what the operator can do."""


_STATES: Final[tuple[str, ...]] = ("open", "released", "confirmed", "spent", "rejected")
_STATE_NUMBERS: Final[Mapping[str, int]] = {state: number for number, state in enumerate(_STATES)}
_WRITTEN_OUT: Final = "!"
"""Stands before a stem that is not that of a remembered cause."""
_MOST_PLACES: Final = 1 << 16
"""Positive numbers below are the place of a cause, above it its bucket."""

_TOLD_ANEW: Final = (
    "available", "pending", "held", "debt", "granted", "redeemed", "expired", "revoked", "restored",
    "registered_at", "first_order", "lots", "holds", "causes", "keys", "orders", "unpacked", "found_order", "prefix",
    "terms", "unpacked_terms", "terms_unpacked", "midnight", "daily", "streaks", "reviews", "packed_lots",
    "lots_packed", "first_expires_at",
    "last_expires_at", "last_earned_at", "last_grant_id", "filed", "first_placed", "registered_placed",
    "packed_days", "packed_reviews",
)  # fmt: skip
"""The fields that `encode` writes first, in its own way. All others follow as they are: first those that most
accounts have, then the rest in its order, whose empty end is left out."""
_COMMON: Final = ("tier_spend", "tier_points", "surveys")
_AS_THEY_ARE: Final = _COMMON + tuple([name for name in ACCOUNT_FIELDS if name not in _TOLD_ANEW + _COMMON])
_RARE: Final = _AS_THEY_ARE[len(_COMMON) :]
_TYPES: Final[Mapping[str, Any]] = {
    "surveys": list[str],
    "waiting": dict[str, shapes.Waiting],
    "warned": dict[int, list[str]],
    "segments": tuple[str, ...],
    "campaigns": dict[str, shapes.Participation],
    "asked": dict[str, shapes.Asked],
    "redemptions": dict[str, shapes.Redeemed],
    "reward_counts": dict[str, int],
    "review_awards": dict[bytes, list[shapes.ReviewAward]],
}
"""Of the fields that follow as they are, those that hold others; a compiled `Account` does not tell what they hold."""
_EMPTY: Final = Account()
_NO_HOLDS: Final[dict[str, msgspec.Raw]] = {}

_StoredHold: Final[Any] = msgspec.defstruct(
    "StoredHold",
    [
        ("points", int | None),
        ("due_at", int, 0),
        ("state", int | str, 0),
        ("spent", bytes, b""),
        ("taken", list[tuple[str, int]], []),
        ("order_id", str, ""),
    ],
    array_like=True,
)
"""A `Hold`: what is mostly empty stands last, and an empty end is left out; so it is with the account.

Its points are None where they are those of what was `spent` together."""

_StoredAccount: Final[Any] = msgspec.defstruct(
    "StoredAccount",
    [
        ("sums", list[int], []),
        ("registered_at", int | str, 0),
        ("first_order", int | str, 0),
        ("lots", bytes, b""),
        ("holds", dict[str, _StoredHold], {}),
        ("remembered", bytes, b""),
        ("prefix", str, ""),
        ("terms", bytes, b""),
        ("midnight", int, 0),
        ("days", bytes, b""),
        ("reviews", bytes, b""),
        *[
            (name, _TYPES.get(name, type(getattr(_EMPTY, name))), getattr(_EMPTY, name))
            for name in _AS_THEY_ARE
        ],
    ],
    array_like=True,
)

# A MessagePack array of two: the version (0-127 is one byte) and the account.
_HEAD: Final = bytes((0x92, VERSION))
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_StoredAccount).decode
_decode_any: Final = msgspec.msgpack.Decoder(tuple[int, list[object]]).decode


def encode(account: Account) -> bytes:
    """The account in the current format; packs its orders and lots, which is no change of it."""
    orders.pack(account)
    lots = lot_records.pack_lots(account)
    holds = _NO_HOLDS
    if account.holds:
        holds = {name: _stored_hold(account, hold) for name, hold in account.holds.items()}
    stored: Stored = [
        _sums(account),
        _registered_at(account),
        _first_order(account),
        lots,
        holds,
        memory_records.pack(account),
        account.prefix,
        account.terms,
        account.midnight,
        _days(account),
        _reviews(account),
        account.tier_spend,
        account.tier_points,
        account.surveys,
    ]
    if _has_more(account):
        stored += _rare(account)
    if account.filed:
        account.filed.clear()
    return _HEAD + _encode(_without_empty_end(stored))


def _has_more(account: Account) -> bool:
    """Whether any of the fields that most accounts have not is not empty; in full, as it is asked every time."""
    return bool(
        account.waiting or account.warned or account.segments or account.referred_by or account.campaigns
        or account.erased_at or account.referral_told or account.tier or account.tier_until
        or account.active_at or account.idle_until or account.asked or account.redemptions
        or account.reward_counts or account.review_awards
    )  # fmt: skip


def _rare(account: Account) -> Stored:
    """Those fields, in the order of `_RARE`; in full likewise."""
    return [
        account.waiting, account.warned, account.segments, account.referred_by, account.campaigns,
        account.erased_at, account.referral_told, account.tier, account.tier_until, account.active_at,
        account.idle_until, account.asked, account.redemptions, account.reward_counts, account.review_awards,
    ]  # fmt: skip


def _take_rare(account: Account, stored: Any) -> None:
    account.waiting, account.warned, account.segments = stored.waiting, stored.warned, stored.segments
    account.referred_by, account.referral_told = stored.referred_by, stored.referral_told
    account.campaigns, account.asked, account.erased_at = stored.campaigns, stored.asked, stored.erased_at
    account.tier, account.tier_until = stored.tier, stored.tier_until
    account.active_at, account.idle_until = stored.active_at, stored.idle_until
    account.redemptions, account.reward_counts = stored.redemptions, stored.reward_counts
    account.review_awards = stored.review_awards


def decode(value: bytes) -> Account:
    """Read an account of this format or an older one; UnreadableAccountError for anything else.

    Orders, days and reviews stay packed, until something asks for them.
    """
    try:
        return _account(_decode(value[2:] if value[:2] == _HEAD else _upcast(value)))
    except UnreadableAccountError:
        raise
    except (msgspec.DecodeError, LookupError, ValueError, TypeError) as error:
        raise UnreadableAccountError(
            f"a stored account can't be read: {error!r}; rebuild the changelog from points-events"
        ) from error


def _account(stored: Any) -> Account:
    account = Account()
    account.tier_spend, account.tier_points = stored.tier_spend, stored.tier_points
    account.surveys = stored.surveys
    _take_rare(account, stored)
    _take_sums(account, stored.sums)
    account.prefix, account.terms, account.midnight = stored.prefix, stored.terms, stored.midnight
    memory_records.unpack(account, stored.remembered)
    _take_registered_at(account, stored.registered_at)
    _take_first_order(account, stored.first_order)
    packed_lots.keep(account, stored.lots)
    for name, hold in stored.holds.items():
        account.holds[name] = _hold(account, hold)
    account.packed_days, account.packed_reviews = stored.days, stored.reviews
    return account


# -- the parts: each one and, under it, the way back ----------------------------------------------------------


def _sums(account: Account) -> list[int]:
    """Those that are rarely 0 first. `granted` is what the others add up to, so it is told by how far it is off."""
    off = imbalance(account)
    if not (account.expired or account.revoked or account.restored or account.held or account.pending
            or account.debt or off):  # fmt: skip
        if account.redeemed:
            return [account.available, account.redeemed]
        return [account.available] if account.available else []
    sums = [
        account.available, account.redeemed, account.expired, account.revoked, account.restored, account.held,
        account.pending, account.debt, off,
    ]  # fmt: skip
    while not sums[-1]:
        sums.pop()
    return sums


def _take_sums(account: Account, sums: list[int]) -> None:
    (
        account.available, account.redeemed, account.expired, account.revoked, account.restored, account.held,
        account.pending, account.debt, off,
    ) = sums + [0] * (9 - len(sums))  # fmt: skip
    account.granted = off - imbalance(account)  # which is what the others add up to, while nothing is granted


def _registered_at(account: Account) -> int | str:
    """The place of a cause of that second, as of the first order; else the instant as of holds, or written out."""
    at = account.registered_at
    if not at:
        return 0
    if account.registered_placed[0] == at:
        return account.registered_placed[1]
    bucket = at // KEY_BUCKET_MS
    place = lot_records.place_of_time(account, at) if at % 1000 == 0 else -1
    if place >= 0 and bucket > 0:
        stored = bucket << 8 | place
    else:
        stored = _short(at)
        if 0 < stored < _MOST_PLACES or at < 0:
            return str(at)
    account.registered_placed = (at, stored)
    return stored


def _take_registered_at(account: Account, stored: int | str) -> None:
    if isinstance(stored, str):
        account.registered_at = int(stored)
    elif 0 < stored < _MOST_PLACES:
        account.registered_at = lot_records.time_of(account, stored >> 8, stored & 255)
        account.registered_placed = (account.registered_at, stored)
    else:
        account.registered_at = _long(stored)


def _first_order(account: Account) -> int | str:
    """The place of its cause, above it the bucket; the stem where there is none."""
    stem = account.first_order
    if not stem:
        return 0
    placed = account.first_placed
    if placed[0] == stem:
        return placed[1]
    for bucket in account.causes:
        place = lot_records.place_of_stem(account, bucket, stem)
        if place >= 0 and bucket > 0:
            account.first_placed = (stem, bucket << 8 | place)
            return bucket << 8 | place
    return _WRITTEN_OUT + stem


def _take_first_order(account: Account, stored: int | str) -> None:
    if isinstance(stored, str):
        account.first_order = stored[1:]
    elif stored:
        account.first_order = lot_records.stem_of(account, stored >> 8, stored & 255)
        account.first_placed = (account.first_order, stored)


def _days(account: Account) -> bytes:
    """Unpacked they are most of an account's memory, and soon unpacked again."""
    packed = account.packed_days
    if not packed and account.days is not None:
        packed = account.packed_days = day_records.pack(account.days)
        account.days = None
    return packed


def _reviews(account: Account) -> bytes:
    packed = account.packed_reviews
    if not packed and account.unpacked_reviews:
        packed = account.packed_reviews = review_records.pack(account, account.unpacked_reviews)
    return packed


def _stored_hold(account: Account, hold: Hold) -> msgspec.Raw:
    """The hold in MessagePack; it keeps it, for most holds do not change any more."""
    if hold.packed:
        return msgspec.Raw(hold.packed)
    spent = lot_records.pack_spent(account, hold.spent) if hold.spent else b""
    state = _STATE_NUMBERS.get(hold.state, hold.state)
    points = None if hold.spent and hold.points == sum(each.points for each in hold.spent) else hold.points
    stored: Stored = [points, _short(hold.due_at), state, spent, hold.taken, hold.order_id]
    packed = _encode(_without_empty_end(stored))
    force_setattr(hold, "packed", packed)
    return msgspec.Raw(packed)


def _hold(account: Account, stored: Any) -> Hold:
    state = stored.state if isinstance(stored.state, str) else _STATES[stored.state]
    spent = lot_records.unpack_spent(account, stored.spent)
    points = sum(each.points for each in spent) if stored.points is None else stored.points
    return Hold(points, _long(stored.due_at), state, list(stored.taken), stored.order_id, spent)


def _without_empty_end(stored: Stored) -> Stored:
    while len(stored) > 1 and not stored[-1]:
        stored.pop()
    return stored


def _short(ms: int) -> int:
    """Whole seconds as a negative number, which takes half the bytes."""
    return ms if ms % 1000 or ms < 0 else -(ms // 1000)


def _long(stored: int) -> int:
    return stored if stored >= 0 else -stored * 1000


def _upcast(value: bytes) -> bytes:
    version, fields = _decode_any(value)
    return _encode(upcast(fields, version, VERSION, UPCASTERS))


def upcast(fields: Stored, version: int, target: int, upcasters: Mapping[int, Upcaster]) -> Stored:
    """Bring fields from `version` up to `target`, one version after the other."""
    if version > target:
        raise UnreadableAccountError(
            f"a stored account has format {version} and this release reads up to {target}: a newer release wrote "
            "it; run that one, or rebuild the changelog from points-events"
        )
    for step in range(version, target):
        if step not in upcasters:
            raise UnreadableAccountError(
                f"a stored account has format {version} and this release can't bring format {step} up to date; "
                "go through a release that can, or rebuild the changelog from points-events"
            )
        fields = upcasters[step](fields)
    return fields

"""Accounts as the bytes of the changelog, and back: MessagePack without field names, after a format version.

Stored accounts outlive releases. Whoever changes the shape of `Account` or of what it holds raises `VERSION`,
adds an upcaster and a golden file (tests/wire/golden); an account of an unknown version is never guessed at.
It knows nothing of what the fields mean.

Why plain: of an account with 10 orders and a dozen other facts (930 bytes), times as deltas save 9 % and double
the CPU of writing and reading it; zlib saves 21 % for five times the CPU. Half of the bytes are ids and keys.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from loyalty_stream.domain.account import Account

VERSION: Final = 1

Stored: TypeAlias = list[object]
"""An account of any version as plain values, in the order of its fields then."""
Upcaster: TypeAlias = Callable[[Stored], Stored]

UPCASTERS: Final[Mapping[int, Upcaster]] = {}
"""Version -> what makes the next version's fields of that version's."""


class UnreadableAccountError(ValueError):
    """Stored bytes that this release can't read as an account; the message says what the operator can do."""


# A MessagePack array of two: the version (0-127 is one byte) and the account.
_HEAD: Final = bytes((0x92, VERSION))
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Account).decode
_decode_any: Final = msgspec.msgpack.Decoder(tuple[int, list[object]]).decode


def encode(account: Account) -> bytes:
    """The account in the current format."""
    return _HEAD + _encode(account)


def decode(value: bytes) -> Account:
    """Read an account of this format or an older one; UnreadableAccountError for anything else."""
    try:
        return _decode(value[2:] if value[:2] == _HEAD else _upcast(value))
    except msgspec.DecodeError as error:
        raise UnreadableAccountError(
            f"a stored account can't be read: {error}; rebuild the changelog from points-events"
        ) from error


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

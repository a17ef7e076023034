"""Records sealed for one person: AES-256-GCM under a key of their own, so that the key's end is the record's.

It must not know where the keys are kept, nor make any: randomness comes in.
"""

from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32


class Original(Struct, array_like=True, frozen=True, gc=False):
    """A record as it came."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Original).decode


class CannotOpenError(ValueError):
    """The bytes were not sealed with this key for this token, or are damaged."""


def seal(original: Original, key: bytes, token: str, nonce: bytes) -> bytes:
    """`nonce` and the sealed record. A nonce must never be used twice with one key: take it from `secrets`."""
    return nonce + AESGCM(key).encrypt(nonce, _encode(original), token.encode())


def unseal(sealed: bytes, key: bytes, token: str) -> Original:
    """The record as it came; CannotOpenError where the key or the token is another's."""
    try:
        return _decode(AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], token.encode()))
    except (InvalidTag, ValueError, msgspec.DecodeError) as error:
        raise CannotOpenError(f"these bytes were not sealed for {token} with this key: {error!r}") from error

"""Coupon codes: derived from a secret and what they were redeemed by, so that a repeat gives the same codes.

Nobody without the secret can guess one. It must not know how the secret is kept.
"""

import hmac
from hashlib import sha256
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that looks like a digit, none that makes words."""
_CHARACTERS: Final = 16
"""80 bits: a billion codes leave a guess one chance in 2^80 / 10^9 = 10^15."""
_GROUP: Final = 4


class Secret:
    """A key that no log and no traceback shows."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes = b"") -> None:
        self._key = key

    def __bool__(self) -> bool:
        return bool(self._key)

    def __repr__(self) -> str:
        return "Secret(...)"

    def mac(self, message: str) -> bytes:
        """HMAC-SHA256 of the message's UTF-8 bytes."""
        return hmac.new(self._key, message.encode(), sha256).digest()


NO_SECRET: Final = Secret()


def codes(secret: Secret, customer: str, redemption_id: str, quantity: int) -> tuple[str, ...]:
    """One code for each piece, such as `7K2M-93QX-04TR-ZB5H`. Ids hold no line feed, so no two messages are one."""
    return tuple(
        [_text(secret.mac(f"{customer}\n{redemption_id}\n{number}")) for number in range(1, quantity + 1)]
    )


def _text(digest: bytes) -> str:
    number = int.from_bytes(digest[: _CHARACTERS * 5 // 8], "big")
    text = "".join([_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARACTERS))])
    return "-".join([text[start : start + _GROUP] for start in range(0, _CHARACTERS, _GROUP)])

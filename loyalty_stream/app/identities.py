"""Who is who: the platform's id of a customer, and the random token that our topics carry instead.

Only `[privacy] subject = "pseudonym"` needs it. A token says nothing of the id; with its record gone, nobody can
say whose it was. It must not know what an account is.
"""

import re
import secrets
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from loyalty_stream.domain.facts import ID_PATTERN
from loyalty_stream.engine.table import Table
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.sealed import KEY_BYTES, NONCE_BYTES

TOKEN_BYTES: Final = 16
"""128 random bits: nobody guesses one, and no two customers ever have the same."""
RandomBytes = Callable[[int], bytes]
_IS_ID: Final = re.compile(ID_PATTERN)


class Identity(Struct, array_like=True, frozen=True, gc=False):
    """What is kept of a customer's identity; deleted with it."""

    token: str
    seal_key: bytes
    """What the customer's dead letters are sealed with."""
    aliases: tuple[str, ...] = ()
    """What they are called by as a referrer, in the accounts of those whom they referred; each is a key, too."""


class IdentityCodec:
    """How identities are stored: MessagePack."""

    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(Identity).decode)


class Identities:
    """One partition's identities, by the platform's id.

    A token is drawn until it falls on the customer's own partition: whatever is keyed by it is then where the
    customer is, for us and for anybody who partitions as Kafka does. That takes as many draws as there are
    partitions, once in a customer's life.
    """

    def __init__(
        self, table: Table, partition: int, partitions: int, random_bytes: RandomBytes = secrets.token_bytes
    ) -> None:
        self._table = table
        self._partition = partition
        self._partitions = partitions
        self._random = random_bytes

    def of(self, key: bytes) -> Identity | None:
        """The identity of this id, None where it is not known."""
        found: Identity | None = self._table.get(key)
        return found

    def is_here(self, key: bytes) -> bool:
        """Whether the key is a customer's id and belongs on this partition."""
        try:
            text = key.decode("ascii")
        except UnicodeDecodeError:
            return False
        return _IS_ID.fullmatch(text) is not None and partition_of(key, self._partitions) == self._partition

    def draw_name(self) -> str:
        """A token, on any partition."""
        return self._random(TOKEN_BYTES).hex()

    def draw(self) -> Identity:
        """A new identity; it is nobody's until it is kept."""
        while True:
            token = self.draw_name()
            if partition_of(token.encode(), self._partitions) == self._partition:
                return Identity(token, self._random(KEY_BYTES))

    def keep(self, key: bytes, identity: Identity) -> None:
        """From now on this is who the id is."""
        self._table.touch(key, identity)

    def forget(self, key: bytes) -> None:
        """The id is unknown from now on, and whose the token was."""
        self._table.delete(key)

    def nonce(self) -> bytes:
        """For sealing one record."""
        return self._random(NONCE_BYTES)

    def of_token(self, token: bytes) -> tuple[bytes, Identity] | None:
        """The id and identity behind a token: all are looked through, so it is for rare things only."""
        name = token.decode()
        for key in list(self._table.keys()):
            identity = self.of(key)
            if identity is not None and identity.token == name:
                return key, identity
        return None

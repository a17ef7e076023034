"""A partition's table: encoded values as committed, decoded states of what is being worked on.

What is committed is what the changelog holds; readers from outside see only that. A touched state is encoded
once per transaction, however many events touched it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from loyalty_stream.engine.value_store import MemoryStore, ValueStore


class Codec(Protocol):
    """How a stage's states are stored. `decode(encode(state))` equals `state`."""

    def encode(self, state: Any) -> bytes: ...
    def decode(self, value: bytes) -> Any: ...


_GONE: Final = object()
"""Stands for the state of a key that is deleted, so that nobody looks for it in the store."""


class Table:
    """Key -> state. Not thread-safe: one task owns it.

    Decoded states are kept in two generations: when the young one is full the old one is let go, so that a
    hot state is decoded once and a million cold ones are kept as bytes only.
    """

    __slots__ = ("_codec", "_committed", "_dirty", "_generation", "_old", "_young")

    def __init__(self, codec: Codec, cached_states: int = 20_000, store: ValueStore | None = None) -> None:
        self._codec = codec
        self._committed: ValueStore = MemoryStore() if store is None else store
        self._young: dict[bytes, Any] = {}
        self._old: dict[bytes, Any] = {}
        self._dirty: dict[bytes, Any] = {}
        self._generation = max(1, cached_states // 2)

    def __len__(self) -> int:
        """How many keys are committed."""
        return len(self._committed)

    def get(self, key: bytes) -> Any:
        """The state as the events processed so far have left it; None where there is none."""
        state = self._young.get(key)
        if state is None:
            state = self._old.pop(key, None)
            if state is None:
                value = self._committed.get(key)
                if value is None:
                    return None
                state = self._codec.decode(value)
            self._young[key] = state
        return None if state is _GONE else state

    def touch(self, key: bytes, state: Any) -> None:
        """The state of `key` is new or has changed: it is stored with this transaction."""
        if self._dirty.get(key) is not state:  # else it is in both
            self._young[key] = state
            self._dirty[key] = state

    def delete(self, key: bytes) -> None:
        """There is no state of `key` any more; its changelog record is a tombstone."""
        self._old.pop(key, None)
        self.touch(key, _GONE)

    @property
    def has_changes(self) -> bool:
        """Whether anything was touched since the last commit."""
        return bool(self._dirty)

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """The touched states, encoded, one for each key; None for one that is deleted."""
        encode = self._codec.encode
        return [(key, None if state is _GONE else encode(state)) for key, state in self._dirty.items()]

    def committed(self, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """The transaction that stored `changes` is committed."""
        self.restore_all(changes)
        self._dirty.clear()
        if len(self._young) > self._generation:
            self._old = self._young
            self._young = {}

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take over a record of the changelog; None deletes."""
        self.restore_all([(key, value)])

    def restore_all(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Take over records of the changelog, in order."""
        for _, value in records:
            if value is None:
                break
        else:  # mostly; then there is no need to put them in order first
            self._committed.put(records)  # type: ignore[arg-type]  # none of the values is None
            return
        put: dict[bytes, bytes] = {}
        for key, value in records:
            if value is None:
                put.pop(key, None)
                self._committed.delete(key)
            else:
                put[key] = value
        self._committed.put(put.items())

    def take_out(self, key: bytes) -> bytes | None:
        """Remove a record of the changelog that holds no state, and return its value; None where there is none."""
        value = self._committed.get(key)
        if value is not None:
            self._committed.delete(key)
        return value

    def keys(self) -> Iterator[bytes]:
        """The keys that have a state, as the events processed so far have left it; in no order."""
        dirty = self._dirty
        yield from (key for key in self._committed.keys() if key not in dirty)  # noqa: SIM118 - no dictionary
        for key, state in dirty.items():
            if state is not _GONE:
                yield key

    def close(self) -> None:
        """The table is no longer used."""
        self._committed.close()

    def committed_items(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and encoded values as committed."""
        return self._committed.items()

    def committed_value(self, key: bytes) -> bytes | None:
        """The encoded value as committed; None where there is none."""
        return self._committed.get(key)

"""Where a table keeps its committed values: in memory, or in a file with only the keys in memory.

The file is a cache of the changelog like the memory is: it has no name, dies with its task, and is never trusted
after a restart. It knows nothing of what the values mean.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol


class ValueStore(Protocol):
    """Key -> value, both bytes."""

    def __len__(self) -> int: ...
    def get(self, key: bytes) -> bytes | None: ...
    def put(self, items: Iterable[tuple[bytes, bytes]]) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def items(self) -> Iterator[tuple[bytes, bytes]]: ...
    def keys(self) -> Iterable[bytes]: ...
    def close(self) -> None: ...


class MemoryStore:
    """A dictionary: about 125 bytes a key besides the value."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def put(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        self._values.update(items)

    def delete(self, key: bytes) -> None:
        self._values.pop(key, None)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self._values.items())

    def keys(self) -> Iterable[bytes]:
        return self._values.keys()

    def close(self) -> None:
        """Nothing to give back."""


class FileStore:
    """Values end to end in an unnamed file, about 170 bytes a key in memory whatever the values' size.

    New values go to the end; when more than half of the file is dead, the live ones are written to a new file.
    OSError (a full disk) goes to the caller, whose task starts over.
    """

    __slots__ = ("_directory", "_end", "_file", "_live", "_places", "_smallest_rewrite")

    _LENGTH_BITS: Final = 24
    """A place is offset and length in one integer: values below 16 MiB, files below 2^39 bytes in 63 bits."""
    _WINDOW: Final = 1 << 20

    def __init__(self, directory: Path, smallest_rewrite: int = 64 * 1024 * 1024) -> None:
        self._directory = directory
        self._smallest_rewrite = smallest_rewrite
        self._file = self._new_file()
        self._places: dict[bytes, int] = {}
        self._end = 0
        self._live = 0

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: bytes) -> bytes | None:
        place = self._places.get(key)
        return None if place is None else self._read(place)

    def put(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        values = []
        places, end, live, bits = self._places, self._end, self._live, self._LENGTH_BITS
        for key, value in items:
            length = len(value)
            if length >> bits:
                raise ValueError(f"a value of {length} bytes is too large for the table")
            live += length - (places.get(key, 0) & ((1 << bits) - 1))
            places[key] = end << bits | length
            end += length
            values.append(value)
        self._write(b"".join(values))
        self._live = live
        if self._end - live > max(live, self._smallest_rewrite):
            self._rewrite()

    def delete(self, key: bytes) -> None:
        place = self._places.pop(key, None)
        if place is not None:
            self._live -= place & ((1 << self._LENGTH_BITS) - 1)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        # Keys are mostly in the order of their values, so one window serves many of them.
        window, start = b"", 0
        mask = (1 << self._LENGTH_BITS) - 1
        for key, place in self._places.items():
            offset, length = place >> self._LENGTH_BITS, place & mask
            if offset < start or offset + length > start + len(window):
                start = offset
                window = os.pread(self._file, max(length, self._WINDOW), start)
            yield key, window[offset - start : offset - start + length]

    def keys(self) -> Iterable[bytes]:
        return self._places.keys()

    def close(self) -> None:
        os.close(self._file)

    def _read(self, place: int) -> bytes:
        return os.pread(self._file, place & ((1 << self._LENGTH_BITS) - 1), place >> self._LENGTH_BITS)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, self._end)
            self._end += written
            view = view[written:]

    def _rewrite(self) -> None:
        """Keep the live values only."""
        old, live = self._file, self.items()
        fresh = FileStore(self._directory, self._smallest_rewrite)
        chunk: list[tuple[bytes, bytes]] = []
        size = 0
        for item in live:
            chunk.append(item)
            size += len(item[1])
            if size >= self._WINDOW:
                fresh.put(chunk)
                chunk, size = [], 0
        fresh.put(chunk)
        self._file, self._places, self._end, self._live = fresh._file, fresh._places, fresh._end, fresh._live
        os.close(old)

    def _new_file(self) -> int:
        self._directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="loyalty-table-", dir=self._directory)
        os.unlink(name)  # noqa: PTH108 - the handle keeps it alive, and nothing is left behind by a crash
        return handle

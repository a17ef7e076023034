"""Lines of key paths in a TOML text, which tomllib does not tell.

It scans a text that tomllib has accepted, so it judges nothing; it must not know what the keys mean.
"""

import re
import tomllib
from bisect import bisect_left
from typing import Final

from loyalty_stream.programme.mistakes import KeyPath

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|' r"'[^'\n]*'")
_LONG: Final = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}(?!")|' r"'''.*?'{3,5}(?!')", re.DOTALL)
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of each table, key and list entry of a valid TOML text."""
    return _Scan(text).run()


class _Scan:
    """One walk through the text: `at` is where it stands, `lines` what it has seen."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ends = [found.start() for found in re.finditer("\n", text)]
        self.lines: dict[KeyPath, int] = {}
        self.lengths: dict[KeyPath, int] = {}
        """How many tables each array of tables has so far."""

    def run(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self._next("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self.lines

    def _header(self) -> KeyPath:
        start = self.at
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        written = self._key()
        self.at += 2 if array else 1
        table = self._resolved(written[:-1])
        if array:
            entries = (*table, written[-1])
            index = self.lengths.get(entries, 0)
            self.lengths[entries] = index + 1
            table = (*entries, index)
        else:
            table = self._resolved(written)
        for end in range(1, len(table) + 1):
            self._mark(table[:end], start)
        return table

    def _resolved(self, written: KeyPath) -> KeyPath:
        """A header's keys with the index of the last table of each array of tables on the way."""
        path: KeyPath = ()
        for key in written:
            path = (*path, key)
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
        return path

    def _pair(self, table: KeyPath) -> None:
        start = self.at
        path = (*table, *self._key())
        for end in range(len(table) + 1, len(path) + 1):
            self._mark(path[:end], start)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> KeyPath:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            quoted = _QUOTED.match(self.text, self.at)
            found = quoted or _BARE_KEY.match(self.text, self.at)
            if found is None:
                raise ValueError(f"no key at character {self.at} of a TOML text")
            self.at = found.end()
            parts.append(tomllib.loads(f"key = {found[0]}")["key"] if quoted else found[0])
            self._skip(_SPACE)
            if not self._next("."):
                return tuple(parts)
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        self._mark(path, self.at)
        if self._next("["):
            self._list(path)
        elif self._next("{"):
            self._inline_table(path)
        else:
            for kind in (_LONG, _QUOTED, _SCALAR):
                if self._skip(kind):
                    return

    def _list(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        self._skip(_BLANK)
        while not self._next("]"):
            self._value((*path, index))
            index += 1
            self._to_next_entry()
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        self._skip(_BLANK)
        while not self._next("}"):
            self._pair(path)
            self._to_next_entry()
        self.at += 1

    def _to_next_entry(self) -> None:
        self._skip(_BLANK)
        if self._next(","):
            self.at += 1
        self._skip(_BLANK)

    def _next(self, character: str) -> bool:
        return self.text.startswith(character, self.at)

    def _skip(self, kind: re.Pattern[str]) -> bool:
        found = kind.match(self.text, self.at)
        if found is None:
            return False
        self.at = found.end()
        return True

    def _mark(self, path: KeyPath, at: int) -> None:
        self.lines.setdefault(path, bisect_left(self.ends, at) + 1)

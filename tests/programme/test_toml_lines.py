"""Lines of key paths are found wherever TOML lets a key be written."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loyalty_stream.programme.toml_lines import lines_of

ROOT = Path(__file__).parents[2]

TRICKY = '''\
# a = 1
top = "a = 2 # not a comment"   # 2
"quoted key".'b.c' = 1
[ table . "sub table" ]
text = """
x = 1
[nothing]
quote: \\" and ""quotes"" \\\\"""
raw = \'\'\'
[[nothing]] \'it\'\'s\'
\'\'\'
list = [ # comment, with ] and }
  1, "]", \'}\',
  {a = 1, b.c = [
    [2],
  ]},
]
when = 2026-03-01 00:00:00+08:00
[[rows]]
[[rows.cells]]
x = 1.5e3
[[rows.cells]]
[rows.cells.deep]
y = {}
[[rows]]
[[rows.cells]]
z = [[], {}]
'''


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        yield from paths(inner, (*path, key))


def test_tricky_places() -> None:
    table = ("table", "sub table")
    rows = ("rows", 0, "cells")
    lines = lines_of(TRICKY)
    assert lines == {
        ("top",): 2,
        ("quoted key",): 3,
        ("quoted key", "b.c"): 3,
        ("table",): 4,
        table: 4,
        (*table, "text"): 5,
        (*table, "raw"): 9,
        (*table, "list"): 12,
        (*table, "list", 0): 13,
        (*table, "list", 1): 13,
        (*table, "list", 2): 13,
        (*table, "list", 3): 14,
        (*table, "list", 3, "a"): 14,
        (*table, "list", 3, "b"): 14,
        (*table, "list", 3, "b", "c"): 14,
        (*table, "list", 3, "b", "c", 0): 15,
        (*table, "list", 3, "b", "c", 0, 0): 15,
        (*table, "when"): 18,
        ("rows",): 19,
        ("rows", 0): 19,
        rows: 20,
        (*rows, 0): 20,
        (*rows, 0, "x"): 21,
        (*rows, 1): 22,
        (*rows, 1, "deep"): 23,
        (*rows, 1, "deep", "y"): 24,
        ("rows", 1): 25,
        ("rows", 1, "cells"): 26,
        ("rows", 1, "cells", 0): 26,
        ("rows", 1, "cells", 0, "z"): 27,
        ("rows", 1, "cells", 0, "z", 0): 27,
        ("rows", 1, "cells", 0, "z", 1): 27,
    }
    assert set(paths(tomllib.loads(TRICKY))) == set(lines)


@pytest.mark.parametrize(
    "file",
    [ROOT / "pyproject.toml", Path(__file__).parent / "resources" / "full.toml"],
    ids=lambda file: file.name,
)
def test_every_key_of_a_real_file_is_on_its_line(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    lines, rows = lines_of(text), text.splitlines()
    named = [path for path in paths(tomllib.loads(text)) if isinstance(path[-1], str) and path in lines]
    assert len(named) > 50
    for path in named:
        assert str(path[-1]) in rows[lines[path] - 1]


def test_windows_line_ends() -> None:
    assert lines_of("a = 1\r\n# b = 2\r\n[c]\r\nd = [\r\n1,\r\n]\r\n") == {
        ("a",): 1,
        ("c",): 3,
        ("c", "d"): 4,
        ("c", "d", 0): 5,
    }

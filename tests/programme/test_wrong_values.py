"""Every key of DOMAIN.md's programme file, one by one: of wrong type or out of range, it is refused by its place."""

import copy
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loyalty_stream.programme import ProgrammeError, parse_programme

FULL = Path(__file__).parent / "resources" / "full.toml"
BLOCK = tomllib.loads(FULL.read_text(encoding="utf-8"))

Path_ = tuple[str | int, ...]

TABLE: dict[str, Any] = {}
WRONG: dict[type, list[Any]] = {
    int: [True, "five", 1.5, -1, 10**16, [], TABLE],
    bool: [1, "true", [], TABLE],
    str: [5, True, 1.5, [], TABLE, " no such word "],
    list: [5, "text", True, TABLE],
    dict: [5, "text", True, []],
}
"""By the type of what stands in the block. No whole number may be negative, no text has spaces around it."""


def nodes(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Everything in the block but the root: tables, lists, their entries, and scalars."""
    if path:
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield from nodes(entry, (*path, key))


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def toml(tables: dict[str, Any]) -> tuple[str, dict[Path_, int]]:
    """The tables as TOML, a section's key on each line, and the line of each such key, from 1."""
    lines: list[str] = []
    places: dict[Path_, int] = {}

    def section(head: str, keys: dict[str, Any], path: Path_) -> None:
        lines.append(head)
        places[path] = places.setdefault(path[:1], len(lines)) if len(path) == 1 else len(lines)
        for key, value in keys.items():
            lines.append(f"{key} = {inline(value)}")
            places[(*path, key)] = len(lines)

    loose = {key: value for key, value in tables.items() if not is_section(value)}
    for key, value in loose.items():
        lines.append(f"{key} = {inline(value)}")
        places[(key,)] = len(lines)
    for key, value in tables.items():
        if key not in loose and isinstance(value, dict):
            section(f"[{key}]", value, (key,))
        elif key not in loose:
            places[(key,)] = len(lines) + 1
            for index, entry in enumerate(value):
                section(f"[[{key}]]", entry, (key, index))
    return "\n".join(lines), places


def is_section(value: Any) -> bool:
    entries = value if isinstance(value, list) else [value]
    return bool(entries) and all(isinstance(entry, dict) for entry in entries)


def line_of(path: Path_, places: dict[Path_, int]) -> int:
    return next(places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in places)


def spelled(path: Path_) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def with_value(path: Path_, value: Any) -> dict[str, Any]:
    tables: Any = copy.deepcopy(BLOCK)
    within = tables
    for key in path[:-1]:
        within = within[key]
    within[path[-1]] = value
    return tables  # type: ignore[no-any-return]


NODES = list(nodes(BLOCK))


def test_the_writer_writes_the_block() -> None:
    text, places = toml(BLOCK)
    assert tomllib.loads(text) == BLOCK
    assert (
        text.splitlines()[line_of(("campaigns", 0, "award", "points"), places) - 1]
        == "award = {points = 300}"
    )
    parse_programme(text)


@pytest.mark.parametrize(("path", "right"), NODES, ids=lambda given: str(given)[:70])
def test_wrong_values_are_refused_by_key_path_and_line(path: Path_, right: Any) -> None:
    for wrong in WRONG[type(right)]:
        text, places = toml(with_value(path, wrong))
        with pytest.raises(ProgrammeError) as raised:
            parse_programme(text)
        mistake, *others = [
            mistake
            for mistake in raised.value.mistakes
            if "of the entry before" not in mistake.message  # a list that should rise is broken by it, too
        ]
        assert others == []
        assert (mistake.path, mistake.line) == (spelled(path), line_of(path, places))
        assert mistake.message.startswith("must ")
        assert ", is " in mistake.message or "instead of" in mistake.message


TABLES = [path for path, value in NODES if isinstance(value, dict)]


@pytest.mark.parametrize("path", TABLES, ids=spelled)
def test_a_key_that_is_not_known_is_refused_by_its_place(path: Path_) -> None:
    text, places = toml(with_value((*path, "zzz"), 1))
    with pytest.raises(ProgrammeError) as raised:
        parse_programme(text)
    (mistake,) = raised.value.mistakes
    assert mistake.path == spelled((*path, "zzz"))
    assert mistake.line == line_of((*path, "zzz"), places)
    assert mistake.message.startswith("is not a key of the programme file; known here: ")

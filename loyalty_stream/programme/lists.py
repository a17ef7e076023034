"""Checks over the entries of a list: what must rise does, what must be unique is.

An entry with a mistake of its own keeps no other from being judged, so that all are named at once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from loyalty_stream.programme.mistakes import KeyPath, raise_all, shown

Numbered: TypeAlias = Iterable[tuple[int, int | str]]
"""Values with the indexes of the entries that they stand in."""
_Check: TypeAlias = Callable[[Numbered, str], Iterator[tuple[KeyPath, str]]]


def rising(key: str, attribute: str = "") -> WrapValidator:
    """Each entry's `key` is above that of the entry before; `attribute` is its name in the model, if another."""
    return _judge(_not_rising, key, attribute or key)


def unique(key: str) -> WrapValidator:
    """No two entries have the same `key`."""
    return _judge(repeated, key, key)


def _judge(check: _Check, key: str, attribute: str) -> WrapValidator:
    def judge(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            entries = handler(value)
        except ValidationError as error:
            raise_all(check(_written(value, key), key), besides=error)
            raise
        raise_all(check([(at, getattr(entry, attribute)) for at, entry in enumerate(entries)], key))
        return entries

    return WrapValidator(judge)


def _written(value: object, key: str) -> Numbered:
    """What entries that are not all right have at `key`, as far as it can be compared."""
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        found = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(found, int | str) and not isinstance(found, bool):
            yield index, found


def _not_rising(values: Numbered, key: str) -> Iterator[tuple[KeyPath, str]]:
    before: int | None = None
    for index, value in values:
        if not isinstance(value, int):
            continue
        if before is not None and value <= before:
            yield (index, key), f"must be more than the {before} of the entry before, is {value}"
        before = value


def repeated(values: Numbered, key: str = "", texts: Sequence[str] = ()) -> Iterator[tuple[KeyPath, str]]:
    """What stands at entries whose value, or whose `key`, is that of an earlier one.

    `texts` are the entries as the file writes them, where that is not the value itself.
    """
    first: dict[int | str, int] = {}
    for index, value in values:
        if value in first:
            path: KeyPath = (index, key) if key else (index,)
            now = shown(texts[index] if texts else value)
            yield path, f"must differ from the other entries', is {now} as in entry {first[value]}"
        first.setdefault(value, index)

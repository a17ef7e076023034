"""Reads a programme file and names every mistake in it, with its line where that can be found.

It must not know what the ledger does with a programme.
"""

import re
import tomllib
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from loyalty_stream.programme.mistakes import Mistake, ProgrammeError, Source, TomlFloat, mistakes_of
from loyalty_stream.programme.model import Programme
from loyalty_stream.programme.toml_lines import lines_of

_TOML_PLACE: Final = re.compile(r" \((?:at line (?P<line>\d+), column (?P<column>\d+)|at end of document)\)$")


def load_programme(path: Path | str) -> Programme:
    """The programme of a file. Raises ProgrammeError with all its mistakes, or when it can't be read."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        message = f"cannot be read ({error.strerror}); give the path of a programme file"
        raise ProgrammeError([Mistake("", message)], str(path)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = "is not UTF-8 here; save the file as UTF-8"
        raise ProgrammeError([Mistake("", message, line)], str(path)) from None
    return parse_programme(text, str(path))


def parse_programme(text: str, file: str = "programme.toml") -> Programme:
    """The programme of a TOML text. Raises ProgrammeError with all its mistakes, which name `file`."""
    try:
        tables = tomllib.loads(text, parse_float=TomlFloat)
    except (ValueError, RecursionError) as error:
        raise ProgrammeError([_syntax_mistake(str(error), text)], file) from None
    source = Source(file, lines_of(text))
    try:
        return Programme.model_validate(tables).written_in(source)
    except ValidationError as error:
        raise ProgrammeError(mistakes_of(error, Programme, source), file) from None


def _syntax_mistake(message: str, text: str) -> Mistake:
    place = _TOML_PLACE.search(message)
    if place is None:
        return Mistake("", f"is not TOML: {message}")
    said = message[: place.start()]
    if place["line"] is None:
        return Mistake("", f"is not TOML: {said} at the end of the file", text.count("\n") + 1)
    return Mistake("", f"is not TOML: {said}, column {place['column']}", int(place["line"]))

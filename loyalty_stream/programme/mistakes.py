"""What can be wrong in a programme file: mistakes by key path, told so that they can be mended.

It turns pydantic's errors into such sentences and must not know what any key means.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]
"""Keys and list indexes from the file's root, such as ("earning", "purchase", 0, "points")."""

_MAX_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class TomlFloat:
    """A number with a point as the file writes it; kept as text, for a float is never right."""

    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a programme was written. It is no part of what the programme says, so all sources are equal."""

    file: str = field(default="", compare=False)
    lines: Mapping[KeyPath, int] = field(default_factory=dict, compare=False)

    def line_of(self, path: KeyPath) -> int | None:
        """Line (from 1) of a key path, else that of the nearest table or key around it that is written."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def mistake(self, path: KeyPath, message: str) -> "Mistake":
        return Mistake(spelled(path), message, self.line_of(path))


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to mend: `path` as in `earning.purchase[0].points` ("" for the file), `line` from 1."""

    path: str
    message: str
    line: int | None = None


class ProgrammeError(Exception):
    """All mistakes of one programme file, each a line `file:line: key.path: what is right, what is there`."""

    def __init__(self, mistakes: Iterable[Mistake], file: str = "") -> None:
        self.file = file
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self._told(mistake) for mistake in self.mistakes))

    def _told(self, mistake: Mistake) -> str:
        file = self.file or "programme"
        place = file if mistake.line is None else f"{file}:{mistake.line}"
        return ": ".join(part for part in (place, mistake.path, mistake.message) if part)


def spelled(path: KeyPath) -> str:
    """The key path as the messages write it: `earning.purchase[0].points`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def shown(value: object) -> str:
    """A value from the file in a message, as the file would write it, cut where it is long."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = json.dumps(value, ensure_ascii=False)
        case TomlFloat():
            text = value.text
        case datetime() | date() | time():
            text = value.isoformat()
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case _:
            text = str(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else text[: _MAX_SHOWN_CHARACTERS - 3] + "..."


def wrong(message: str) -> PydanticCustomError:
    """The error for a validator to raise at the key that it judges."""
    return PydanticCustomError("programme", "{message}", {"message": message})


def must_name(kind: str, known: list[str], value: str) -> str:
    """What is right where `value` is none of the ids or names that are known."""
    choice = f"one of {', '.join(map(shown, known))}" if known else "of which the file has none"
    return f"must name {kind}, {choice}, is {shown(value)}"


def raise_all(found: Iterable[tuple[KeyPath, str]], besides: ValidationError | None = None) -> None:
    """Raise what a validator found, each at its path from the key being judged, after the errors `besides`."""
    details = [InitErrorDetails(type=wrong(message), loc=path, input=None) for path, message in found]
    if details:
        raise ValidationError.from_exception_data("programme", [*_again(besides), *details])


def _again(error: ValidationError | None) -> Iterator[InitErrorDetails]:
    for details in error.errors(include_url=False) if error else ():
        context = details.get("ctx", {})
        kind = wrong(context["message"]) if details["type"] == "programme" else details["type"]
        yield InitErrorDetails(type=kind, loc=details["loc"], input=details["input"], ctx=context)


def mistakes_of(error: ValidationError, model: type[BaseModel], source: Source) -> list[Mistake]:
    """Every error as a mistake, in the order of the file."""
    found = []
    for details in error.errors(include_url=False):
        path: KeyPath = details["loc"]
        found.append(source.mistake(path, _sentence(details, model)))
    return sorted(found, key=lambda mistake: mistake.line or 0)


_RIGHT: Final = {
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text in quotes",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "tuple_type": "must be a list",
    "too_long": "must be a list of {max_length}",
    "model_type": "must be a table",
}
"""What is right, by pydantic's error type; the braces are the names of its context."""


def _sentence(details: "ErrorDetails", model: type[BaseModel]) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "programme":
            return str(context["message"])
        case "missing":
            return "is missing and has no default; it must be given"
        case "extra_forbidden":
            return _unknown_key(details["loc"], model)
        case kind:
            right = _RIGHT[kind].format_map(context) if kind in _RIGHT else details["msg"]
            right = right.replace("'", '"')  # as TOML files mostly quote
            return f"{right}, is {shown(details['input'])}"


def _unknown_key(path: KeyPath, model: type[BaseModel]) -> str:
    known = _keys_at(path[:-1], model)
    near = get_close_matches(str(path[-1]), known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"is not a key of the programme file; {advice}"


def _keys_at(path: KeyPath, model: type[BaseModel]) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue
        inner = next(
            (
                model_in(info.annotation)
                for name, info in model.model_fields.items()
                if part in (name, info.alias)
            ),
            None,
        )
        if inner is None:
            return []
        model = inner
    return [info.alias or name for name, info in model.model_fields.items()]


def model_in(annotation: object) -> type[BaseModel] | None:
    """The section's model inside an annotation such as `tuple[Game, ...]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        inner = model_in(argument)
        if inner is not None:
            return inner
    return None

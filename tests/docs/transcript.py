"""Reads docs/rules.md: the programmes in it, and the transcripts that say what `simulate` makes of events.

The notation is explained at the top of that page. It is expanded mechanically, with no knowledge of any rule.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
SOURCE = "/shop"
CUSTOMER = "lin"

FILLERS: dict[str, dict[str, Any]] = {
    "order-paid": {"currency": "CNY"},
    "review-published": {"rating": 5, "sku": "tea-01"},
    "share-completed": {"channel": "wechat"},
    "activity-attended": {"mode": "offline"},
}
"""What the types require and an example need not say."""

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^##+ (.*)$", re.MULTILINE)
_INPUT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?)\s+(?:@(\S+)\s+)?([a-z-]+)\s*(.*)")
_PAIR = re.compile(r'(\w+)=("[^"]*"|\S+)')
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


@dataclass
class Step:
    """One event of a transcript and what is said to come of it; `line` is that of the page."""

    line: int
    event: dict[str, Any]
    outputs: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    balances: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@dataclass
class Example:
    """A transcript under the programme that stands before it."""

    heading: str
    line: int
    programme: str
    steps: list[Step]


def examples(page: str) -> Iterator[Example]:
    """All transcripts of the page, in order."""
    programme, headings = "", [(found.start(), found[1]) for found in _HEADING.finditer(page)]
    number = 0
    for block in _FENCE.finditer(page):
        if block[1] == "toml":
            programme = block[2]
        elif block[1] == "transcript":
            number += 1
            heading = [name for at, name in headings if at < block.start()][-1]
            first = page.count("\n", 0, block.start()) + 2
            yield Example(heading, first, programme, list(_steps(block[2], first)))


def _steps(text: str, first: int) -> Iterator[Step]:
    step: Step | None = None
    for number, line in enumerate(text.splitlines(), first):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        if said.startswith("->") and step is not None:
            kind, _, rest = said[2:].strip().partition(" ")
            step.outputs.append((kind, _pairs(rest, number)))
        elif said.startswith("=") and step is not None:
            named = re.fullmatch(r"=\s*(?:@(\S+)\s+)?(.*)", said)
            assert named is not None
            step.balances.append((named[1] or CUSTOMER, _pairs(named[2], number)))
        else:
            if step is not None:
                yield step
            step = Step(number, _event(said, number))
    if step is not None:
        yield step


def _event(said: str, number: int) -> dict[str, Any]:
    found = _INPUT.fullmatch(said)
    assert found, f"line {number} of the page is no event: {said}"
    at = datetime.fromisoformat(found[1]).replace(tzinfo=ZONE)
    kind, pairs = found[3], _pairs(found[4], number)
    if kind == "clock-advanced":
        return {"type": kind, "time": at.isoformat()}
    fact_id = pairs.pop("event_id", f"e-{number}")
    subject = found[2] or CUSTOMER
    data = {**FILLERS.get(kind, {}), **{key: _value(kind, key, text) for key, text in pairs.items()}}
    return {
        "specversion": "1.0",
        "id": fact_id,
        "source": SOURCE,
        "type": kind,
        "subject": subject,
        "time": at.isoformat(),
        "data": data,
    }


def _pairs(text: str, number: int) -> dict[str, str]:
    left = _PAIR.sub("", text).strip()
    assert not left, f"line {number} of the page: not understood: {left}"
    return {found[1]: found[2].strip('"') for found in _PAIR.finditer(text)}


def _value(kind: str, key: str, text: str) -> Any:
    if key == "lines":
        return [_line(kind, number, entry.split(":")) for number, entry in enumerate(text.split(","), 1)]
    if key == "segments":
        return text.split(",")
    if text in ("true", "false") or text[0] in "{[":
        return json.loads(text)
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _line(kind: str, number: int, parts: list[str]) -> dict[str, Any]:
    """`tea-01:12000` or, with a category, `tea-01:12000:tea`; of a refund `l1:5000`."""
    if kind == "order-refunded":
        return {"line_id": parts[0], "amount": int(parts[1])}
    line = {"line_id": f"l{number}", "sku": parts[0], "quantity": 1, "amount": int(parts[1])}
    return {**line, "category": parts[2]} if len(parts) > 2 else line


class Reader:
    """Point events as a transcript writes them: the n-th grant is `#n`, instants are local."""

    def __init__(self) -> None:
        self.grants: dict[str, str] = {}

    def told(self, event: bytes) -> tuple[str, str, dict[str, str]]:
        """Type, customer and data of an event, every value as text."""
        read = json.loads(event)
        data = read["data"]
        if read["type"] == "point-granted":
            self.grants[data["grant_id"]] = f"#{len(self.grants) + 1}"
        told = {key: self._text(value) for key, value in data.items()}
        return read["type"], read["subject"], {**told, "at": self._text(read["time"])}

    def _text(self, value: Any) -> str:
        match value:
            case None | bool():
                text = json.dumps(value)
            case str() if _INSTANT.fullmatch(value):
                local = datetime.fromisoformat(value).astimezone(ZONE).replace(tzinfo=None)
                text = local.isoformat(timespec="minutes" if not local.second else "auto")
            case list() if all(isinstance(entry, dict) and "grant_id" in entry for entry in value):
                text = ",".join(f"{self._text(entry['grant_id'])}:{entry['points']}" for entry in value)
            case list():
                text = ",".join(map(self._text, value))
            case _:
                text = self.grants.get(value, value) if isinstance(value, str) else str(value)
        return text

"""The rewriting that `make native` does before it compiles, on sources of our own."""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "native"))

import held_names  # noqa: E402 - no package: it is a tool's folder

SOURCE = '''\
"""A module."""
from hashlib import blake2b
from collections import (
    Counter,
    deque,
)

LIMIT = 3


def counted(text: str, queue: deque[int] | None = None) -> Counter[str]:
    if isinstance(queue, deque):
        return Counter(f"{text}{blake2b}")
    match queue:
        case deque():
            return Counter()
    return Counter(blake2b(text.encode()).hexdigest())


def own(Counter: int) -> int:
    return Counter


class Kept:
    def __init__(self) -> None:
        self.queue: deque[int] = deque()
'''


def names_of(source: str) -> dict[str, Any]:
    """What the source defines when it is run."""
    made: dict[str, Any] = {}
    exec(source, made)
    return made


def test_functions_use_what_is_held_and_no_line_moves() -> None:
    held = held_names.hold(SOURCE, ())
    lines = held.split("\n")
    assert len(lines) == len(SOURCE.split("\n"))
    assert lines[5] == (
        "); from typing import Final as _Final; _held_Counter: _Final = Counter; "
        "_held_blake2b: _Final = blake2b; _held_deque: _Final = deque"
    )
    assert "return _held_Counter(_held_blake2b(text.encode()).hexdigest())" in held
    assert "if isinstance(queue, _held_deque):" in held


def test_types_patterns_and_names_of_a_function_stay() -> None:
    held = held_names.hold(SOURCE, ())
    assert "def counted(text: str, queue: deque[int] | None = None) -> Counter[str]:" in held
    assert "        case deque():" in held
    assert "    return Counter\n" in held  # the parameter
    assert "self.queue: deque[int] = _held_deque()" in held


def test_the_rewritten_module_does_the_same() -> None:
    before, after = names_of(SOURCE), names_of(held_names.hold(SOURCE, ()))
    assert after["counted"]("tea") == before["counted"]("tea")
    assert after["own"](7) == 7
    assert after["Kept"]().queue == before["Kept"]().queue


def test_of_our_own_only_what_is_interpreted_is_held() -> None:
    source = (
        "from loyalty_stream.domain.facts import OrderPaid\nfrom loyalty_stream.domain.lots import add\n"
        "def f():\n    return add(OrderPaid)\n"
    )
    held = held_names.hold(source, {"loyalty_stream.domain.facts.OrderPaid"})
    assert "return add(_held_OrderPaid)" in held


def test_a_module_without_imports_is_left_alone() -> None:
    assert held_names.hold("def f(): return 1\n", ()) == "def f(): return 1\n"


def test_what_a_module_defines() -> None:
    assert held_names.defined(SOURCE) == {"LIMIT", "counted", "own", "Kept"}

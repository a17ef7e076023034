"""Constants of compiled modules: see decision 98."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    element.value
    for node in ast.parse((ROOT / "native/build.py").read_text()).body
    if isinstance(node, ast.Assign) and node.targets[0].id == "MODULES"
    for element in node.value.elts
]


def unboxed(source: str) -> list[str]:
    """The constants that are tuples without a type of one element, and that a variable picks from."""
    tree = ast.parse(source)
    tuples = {
        node.target.id
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.value, ast.Tuple)
        and not isinstance(node.annotation, ast.Subscript)
    }
    picked = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and not isinstance(node.slice, ast.Constant)
    }
    return sorted(tuples & picked)


def test_there_are_modules_to_look_at():
    assert len(MODULES) > 50


@pytest.mark.parametrize("module", MODULES)
def test_no_constant_tuple_is_made_anew_wherever_one_is_picked(module):
    assert unboxed((ROOT / "loyalty_stream" / module).read_text()) == []


def test_one_would_be_found():
    assert unboxed("WIDTHS: Final = (1, 2)\ndef of(code): return WIDTHS[code]") == ["WIDTHS"]
    assert unboxed("WIDTHS: Final[tuple[int, ...]] = (1, 2)\ndef of(code): return WIDTHS[code]") == []
    assert unboxed("WIDTHS: Final = (1, 2)\ndef of(): return WIDTHS[1]") == []

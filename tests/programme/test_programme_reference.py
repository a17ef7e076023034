"""docs/programme.md holds every key of the models, as the generator writes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from loyalty_stream.programme import Programme
from loyalty_stream.programme.mistakes import model_in
from loyalty_stream.programme.reference import BEGIN, END, with_reference

PAGE = (Path(__file__).parents[2] / "docs" / "programme.md").read_text(encoding="utf-8")


def sections(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Heading and keys of each table, found from the models and not from the schema."""
    if path:
        yield path, [info.alias or name for name, info in model.model_fields.items()]
    for name, info in model.model_fields.items():
        inner = model_in(info.annotation)
        if inner is not None:
            repeats = "[]" if "tuple" in str(info.annotation) else ""
            yield from sections(inner, f"{path}.{name}{repeats}".lstrip("."))


SECTIONS = list(sections(Programme))


def test_all_tables_are_looked_at() -> None:
    assert len(SECTIONS) == PAGE.count("\n### ") > 30


@pytest.mark.parametrize(
    ("heading", "keys"), SECTIONS, ids=lambda given: given if isinstance(given, str) else ""
)
def test_no_key_is_missing(heading: str, keys: list[str]) -> None:
    _, _, rest = PAGE.partition(f"\n### `{heading}`\n")
    rows = [line for line in rest.partition("\n### ")[0].splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == keys
    assert all(len(cell.strip()) > 1 for row in rows for cell in row.strip("|").split(" | "))


def test_the_page_is_as_generated() -> None:
    assert with_reference(PAGE) == PAGE


def test_what_is_between_the_marks_is_made_again_and_the_rest_stays() -> None:
    made = with_reference(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    assert made.startswith(f"before\n{BEGIN}\n\n### `programme`\n")
    assert made.endswith(f"\n\n{END}\nafter\n")
    assert "stale" not in made


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the page must hold the lines"):
        with_reference("no marks")

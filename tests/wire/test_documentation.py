"""docs/events.md against the code: what readers are told is what the code does."""

from pathlib import Path
from typing import get_args

import pytest
from msgspec.inspect import type_info

from loyalty_stream.domain.notes import Note
from loyalty_stream.wire.dead_letter import Place, dead_letter
from loyalty_stream.wire.reasons import Reason

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_code_is_explained_in_the_words_of_the_code(reason):
    assert f"| `{reason.value}` | {reason.meaning} |" in TEXT


def test_every_header_is_explained():
    letter = dead_letter(None, None, Place("orders", 0, 0, None), Reason.NOT_JSON, "", "")
    for name, _ in letter.headers:
        assert f"| `{name}` |" in TEXT


@pytest.mark.parametrize("note", get_args(Note))
def test_every_kind_of_note_is_explained_with_its_fields(note):
    info = type_info(note)
    fields = ", ".join(f"`{field.name}`" + ("" if field.required else "?") for field in info.fields)
    assert f"| `{info.tag}` | {fields} |" in TEXT


def test_no_code_header_or_kind_is_explained_that_is_gone():
    codes = {line.split("`")[1] for line in TEXT.splitlines() if line.startswith("| `")}
    letter = dead_letter(None, None, Place("orders", 0, 0, None), Reason.NOT_JSON, "", "")
    known = {reason.value for reason in Reason} | {name for name, _ in letter.headers}
    assert codes == known | {type_info(note).tag for note in get_args(Note)}

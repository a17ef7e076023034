"""The schema for editors is sound, takes the full example and refuses what a schema can refuse."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from loyalty_stream.programme import programme_schema

FULL = Path(__file__).parent / "resources" / "full.toml"


def errors(tables: dict[str, Any]) -> list[str]:
    return [error.json_path for error in Draft202012Validator(programme_schema()).iter_errors(tables)]


def test_it_is_a_schema_that_takes_the_full_block() -> None:
    schema = programme_schema()
    Draft202012Validator.check_schema(schema)
    assert errors(tomllib.loads(FULL.read_text(encoding="utf-8"))) == []
    assert errors({}) == []


def test_it_can_be_written_as_json_and_knows_no_null() -> None:
    assert "null" not in re.findall(r"\w+", json.dumps(programme_schema()))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[programme]\nversion = 0", "$.programme.version"),
        ('[programme]\ncurrency = "cny"', "$.programme.currency"),
        ('[programme]\nretention = "P1Y"', "$.programme.retention"),
        ('[expiry]\nperiod = "PT"', "$.expiry.period"),
        ('[expiry]\nperiod = "P1W2D"', "$.expiry.period"),
        ("[redemption]\nmaximum_share = 0.5", "$.redemption.maximum_share"),
        ("[earning.review]\npoint = 1", "$.earning.review"),
        ('[[earning.purchase]]\nbasis = "nett"', "$.earning.purchase[0].basis"),
        ("[[earning.purchase]]\nthresholds = [{bonus = 1}]", "$.earning.purchase[0].thresholds[0]"),
        ('[[leaderboards]]\nmetric = "spend"', "$.leaderboards[0].metric"),
    ],
)
def test_it_refuses_what_the_loader_refuses(text: str, path: str) -> None:
    assert errors(tomllib.loads(text)) == [path]


def test_its_defaults_are_right_by_itself() -> None:
    tables = {"": programme_schema(), **programme_schema()["$defs"]}
    wrong = [
        (name, key)
        for name, table in tables.items()
        for key, says in table["properties"].items()
        if "default" in says
        and not Draft202012Validator({"$defs": programme_schema()["$defs"], **says}).is_valid(says["default"])
    ]
    assert wrong == []

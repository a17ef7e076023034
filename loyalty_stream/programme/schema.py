"""The programme file as JSON Schema, for editors that complete and check TOML.

It says what a schema can say; the checks across keys are made by `load_programme` alone.
"""

from fractions import Fraction
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from loyalty_stream.domain.rules import Period
from loyalty_stream.programme.campaigns import PublishedCampaign
from loyalty_stream.programme.model import Programme
from loyalty_stream.programme.values import decimal_text

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NULL: Final = {"type": "null"}


class _AsWritten(GenerateJsonSchema):
    """Defaults as the file writes them: periods and exact decimals are text."""

    def encode_default(self, dft: object) -> Any:
        match dft:
            case Period():
                return dft.text
            case Fraction():
                return decimal_text(dft)
            case _:
                return super().encode_default(dft)


def programme_schema() -> dict[str, Any]:
    """JSON Schema of a programme file, with each key's meaning, unit and default."""
    schema = Programme.model_json_schema(by_alias=True, schema_generator=_AsWritten)
    for table in (schema, *schema["$defs"].values()):
        table["properties"] = {key: _for_toml(says) for key, says in table["properties"].items()}
    return {"$schema": _DIALECT, **schema}


def campaign_schema() -> dict[str, Any]:
    """JSON Schema of the `data` of a `campaign-published` event; its tables stand in it where they are used."""
    schema = PublishedCampaign.model_json_schema(by_alias=True, schema_generator=_AsWritten)
    tables = schema.pop("$defs")
    for table in (schema, *tables.values()):
        table["properties"] = {key: _for_toml(says) for key, says in table["properties"].items()}
        table.pop("additionalProperties", None)  # facts are read tolerantly
    made: dict[str, Any] = _inlined(schema, tables)
    return made


def _inlined(says: Any, tables: dict[str, Any]) -> Any:
    match says:
        case {"$ref": str(name), **more}:
            return {**_inlined(tables[name.rpartition("/")[2]], tables), **more}
        case dict():
            return {name: _inlined(value, tables) for name, value in says.items()}
        case list():
            return [_inlined(value, tables) for value in says]
        case _:
            return says


def _for_toml(says: dict[str, Any]) -> dict[str, Any]:
    """A key's schema without null, which TOML lacks: the key is left out, or its text is empty."""
    made = {name: value for name, value in says.items() if name != "title"}
    choices = made.get("anyOf", [])
    if _NULL in choices:
        del made["anyOf"], made["default"]
        made |= choices[0]
    elif made.get("default", "") is None:
        made["default"] = ""
    if isinstance(made.get("default"), str) and any(choice.get("type") == "integer" for choice in choices):
        made["default"] = int(made["default"])
    if isinstance(made.get("default"), dict):
        del made["default"]  # a section's defaults stand at its own keys
    return made

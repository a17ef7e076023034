import json
from pathlib import Path

from jsonschema import Draft202012Validator

from loyalty_stream.app import schemas

SCHEMAS = Path(__file__).parents[2] / "schemas"


def test_the_committed_schemas_are_current():
    """Red? Run `python -m loyalty_stream.app.schemas schemas/` and look at what changed in the contract."""
    assert schemas.differences(SCHEMAS) == []


def test_check_names_what_differs_and_write_repairs_it(tmp_path, capsys):
    assert schemas.main([str(tmp_path)]) == 0
    assert schemas.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "in" / "order-paid.json").write_text("{}")
    (tmp_path / "out" / "point-granted.json").unlink()
    (tmp_path / "out" / "point-lost.json").write_text("{}")
    capsys.readouterr()
    assert schemas.main(["--check", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert all(name in said for name in ("order-paid.json", "point-granted.json: missing", "point-lost.json"))
    assert schemas.main([str(tmp_path)]) == 0
    assert schemas.differences(tmp_path) == []


def test_the_programme_file_has_its_schema():
    written = json.loads((SCHEMAS / "programme.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(written)
    assert "earning" in written["properties"]

"""Write `schemas/`: every event's JSON Schema, the AsyncAPI document, the programme file's; or check them.

python -m loyalty_stream.app.schemas schemas/            writes them
python -m loyalty_stream.app.schemas --check schemas/    exits 1 and names what differs
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from loyalty_stream.programme import campaign_schema, programme_schema
from loyalty_stream.wire import schema


def files() -> dict[str, str]:
    """Path below `schemas/` -> the text that it must have."""
    made = schema.files() | {"programme.json": _text(programme_schema())}
    # What a campaign says, the programme's model knows; the wire knows that it is an object.
    published = json.loads(made["in/campaign-published.json"])
    published["properties"]["data"] = campaign_schema()
    return made | {"in/campaign-published.json": _text(published)}


def _text(made: Any) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def differences(directory: Path) -> list[str]:
    """What is not as `files` says: missing, different and left-over files, one line each."""
    wanted = files()
    there = {path.relative_to(directory).as_posix() for path in directory.rglob("*.json")}
    wrong = [f"{path}: missing" for path in sorted(wanted.keys() - there)]
    wrong += [f"{path}: no type makes this file; delete it" for path in sorted(there - wanted.keys())]
    wrong += [
        f"{path}: differs from the types"
        for path in sorted(there & wanted.keys())
        if (directory / path).read_text(encoding="utf-8") != wanted[path]
    ]
    return wrong


def write(directory: Path) -> None:
    """Make `directory` as `files` says; schemas of types that are gone are deleted."""
    wanted = files()
    for path, text in wanted.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")
    for folder in ("in", "out", "internal"):
        for file in (directory / folder).glob("*.json"):
            if file.relative_to(directory).as_posix() not in wanted:
                file.unlink()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m loyalty_stream.app.schemas", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the schemas are, usually schemas/")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    options = parser.parse_args(arguments)
    if not options.check:
        write(options.directory)
        return 0
    wrong = differences(options.directory)
    for line in wrong:
        sys.stderr.write(f"{options.directory}/{line}\n")
    if wrong:
        sys.stderr.write("Run `python -m loyalty_stream.app.schemas schemas/` and look at what changed.\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

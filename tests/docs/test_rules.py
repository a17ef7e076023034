"""docs/rules.md is true: every transcript on it is what `simulate` makes of its events."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty_stream.app.simulate import BadLine, simulate
from loyalty_stream.domain.events import EVENT_TYPE
from loyalty_stream.domain.rules import Rules
from loyalty_stream.programme import compile_rules, parse_programme
from loyalty_stream.wire.topics import FACT_OF_TYPE
from tests.docs.transcript import Example, Reader, Step, examples

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "rules.md").read_text(encoding="utf-8")
EXAMPLES = list(examples(PAGE))

Told = tuple[str, dict[str, str]]


def lines_of(steps: list[Step]) -> list[bytes]:
    return [json.dumps(step.event).encode() for step in steps]


def replayed(rules: Rules, steps: list[Step]) -> list[list[Told]]:
    """What `simulate` writes for each event before it reads the next, `account-noted` aside."""
    reader = Reader()
    written: list[bytes] = []
    ends: list[int] = []

    def fed() -> Iterator[bytes]:
        for line in lines_of(steps):
            ends.append(len(written))
            yield line

    bad: dict[int, BadLine] = {each.number: each for each in simulate(rules, fed(), written.append)}
    ends.append(len(written))
    made: list[list[Told]] = []
    for number, step in enumerate(steps, 1):
        told: list[Told] = []
        for event in written[ends[number - 1] : ends[number]]:
            kind, customer, data = reader.told(event)
            if kind != "account-noted":
                told.append((kind, {**data, "customer": customer}))
        if number in bad:
            told.append(("dead-letter", {"reason": str(bad[number].reason)}))
        made.append(told)
        assert step.line
    return made


def balances(rules: Rules, steps: list[Step]) -> dict[str, dict[str, str]]:
    """What `simulate --balances` writes at the end of the steps."""
    written: list[bytes] = []
    list(simulate(rules, lines_of(steps), written.append, balances=True))
    read = [json.loads(line) for line in written]
    return {
        each["customer"]: {key: "null" if value is None else str(value) for key, value in each.items()}
        for each in read
    }


def as_said(expected: list[Told], made: list[Told]) -> list[Told]:
    """What was made, of each event only what the page says of it, so that a difference can be read."""
    told = []
    for number, (kind, data) in enumerate(made):
        said = (
            expected[number][1] if number < len(expected) else dict.fromkeys(("points", "reason", "code"), "")
        )
        told.append((kind, {key: data[key] for key in data if key in said} if said else {}))
    return told


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.heading}:{example.line}")
def test_a_transcript_is_what_simulate_makes_of_its_events(example: Example) -> None:
    rules = compile_rules(parse_programme(example.programme))
    made = replayed(rules, example.steps)
    for number, step in enumerate(example.steps):
        place = f"docs/rules.md:{step.line}"
        assert (place, as_said(step.outputs, made[number])) == (place, step.outputs)
        for customer, said in step.balances:
            now = balances(rules, example.steps[: number + 1]).get(customer, {})
            assert (place, {key: now.get(key) for key in said}) == (place, said)


def test_every_section_of_the_programme_file_is_in_an_example() -> None:
    resources = Path(__file__).parents[1] / "programme" / "resources" / "full.toml"
    block = tomllib.loads(resources.read_text(encoding="utf-8"))
    shown = set()
    for example in EXAMPLES:
        tables = tomllib.loads(example.programme)
        shown |= {*tables, *(f"earning.{key}" for key in tables.get("earning", {}))}
    wanted = {*block, *(f"earning.{key}" for key in block["earning"])}
    assert wanted - shown == {"finance"}


def test_every_type_of_event_is_in_an_example() -> None:
    steps = [step for example in EXAMPLES for step in example.steps]
    assert {*FACT_OF_TYPE} - {step.event["type"] for step in steps} == set()
    told = {kind for step in steps for kind, _ in step.outputs}
    assert {*EVENT_TYPE.values()} - told == {"account-noted"}


def test_every_transcript_says_something() -> None:
    silent = [
        f"docs/rules.md:{example.line}"
        for example in EXAMPLES
        if not any(step.outputs or step.balances for step in example.steps)
    ]
    assert silent == []
    assert PAGE.count("```transcript\n") == len(EXAMPLES) > 60

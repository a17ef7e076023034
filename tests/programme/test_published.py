"""A campaign of the `campaigns` topic is checked as one of the file is, and against the programme that it joins."""

import copy
from typing import Any

import msgspec
import pytest
from test_wrong_values import BLOCK, FULL, WRONG, nodes, spelled

from loyalty_stream.domain.rules import Award, Level, Reward, Tiers
from loyalty_stream.programme import ProgrammeError, compile_rules, parse_programme, published_campaign

AT_MS = 1_772_000_000_000
RULES = msgspec.structs.replace(
    compile_rules(parse_programme("")),
    tiers=Tiers(levels=(Level("gold", 1, 1),)),  # type: ignore[arg-type]  # an int is as exact as a Fraction
    rewards={"cup": Reward("cup", "goods", 1, 0, 0)},
)


def data(**changes: object) -> dict[str, Any]:
    said = {
        "id": "tea",
        "version": 3,
        "starts_at": "2026-03-01T00:00:00+08:00",
        "ends_at": "2026-03-08T00:00:00+08:00",
        "effective_at": "2026-03-01T00:00:00+08:00",
        "award": {"points": 5},
        "include_skus": ["tea-01"],
    }
    return msgspec.json.decode(msgspec.json.encode({**said, **changes}))


def mistakes(**changes: object) -> list[tuple[str, str]]:
    with pytest.raises(ProgrammeError) as raised:
        published_campaign(data(**changes), AT_MS, RULES)
    return [(mistake.path, mistake.message) for mistake in raised.value.mistakes]


def test_it_is_the_campaign_of_the_file_with_its_instant() -> None:
    said = data(award={"gift": "cup"}, audience={"tiers": ["gold"]})
    text = """[[campaigns]]
id = "tea"
version = 3
starts_at = "2026-03-01T00:00:00+08:00"
ends_at = "2026-03-08T00:00:00+08:00"
award.gift = "cup"
audience.tiers = ["gold"]
include_skus = ["tea-01"]
[[rewards]]
id = "cup"
[tiers]
levels = [{name = "gold", from = 1, multiplier = "1"}]
"""
    (of_file,) = compile_rules(parse_programme(text)).campaigns
    made = published_campaign(said, AT_MS, RULES)
    assert made.effective_at_ms == 1_772_294_400_000
    assert made == msgspec.structs.replace(of_file, effective_at_ms=made.effective_at_ms)


def test_a_key_that_is_not_known_is_ignored() -> None:
    said = data(colour="red", award={"points": 5, "ribbon": True})
    assert published_campaign(said, AT_MS, RULES).award == Award(points=5)


def test_a_minute_is_notice_enough() -> None:
    assert published_campaign(data(effective_at="2026-02-25T06:14:20Z"), AT_MS, RULES).id == "tea"
    assert mistakes(effective_at="2026-02-25T06:14:19Z") == [
        (
            "effective_at",
            'must be at least a minute after the event\'s own time, is "2026-02-25T06:14:19+00:00"',
        )
    ]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"effective_at": ""}, "effective_at", "must be an RFC 3339 time"),
        ({"version": "3"}, "version", 'must be a whole number, is "3"'),
        ({"version": 0}, "version", "must be at least 1, is 0"),
        ({"id": "tea pot"}, "id", "must be 1 to 128 characters"),
        ({"award": {"multiplier": 1.5}}, "award.multiplier", "must be an exact decimal in quotes"),
        ({"award": {"points": 5, "gift": "cup"}}, "award", "must be one of points, multiplier"),
        ({"award": {"gift": "pot"}}, "award.gift", 'must name a reward, one of "cup", is "pot"'),
        (
            {"audience": {"tiers": ["gold", "iron"]}},
            "audience.tiers[1]",
            'must name a tier, one of "gold", is "iron"',
        ),
        ({"include_skus": "tea-01"}, "include_skus", 'must be a list, is "tea-01"'),
        ({"accumulate": 1}, "accumulate", "must be true or false, is 1"),
        ({"stacking": "add"}, "stacking", 'must be "stack", "best" or "exclusive", is "add"'),
        ({"budget_points": -1}, "budget_points", "must be at least 0, is -1"),
        (
            {"ends_at": "2028-07-01T00:00:00Z", "accumulate": True},
            "ends_at",
            "must be no longer than the retention of 800 days, is 853 days after starts_at",
        ),
        ({"draw": {"prizes": []}}, "draw.prizes", "must be one prize or more"),
        ({"ends_at": "2026-03-01T00:00:00+08:00"}, "ends_at", "must be after starts_at"),
    ],
    ids=lambda given: str(given)[:50],
)
def test_a_mistake_is_named_by_its_key_path(changes: dict[str, object], path: str, message: str) -> None:
    ((found, said),) = mistakes(**changes)
    assert (found, said[: len(message)]) == (path, message)


@pytest.mark.parametrize("missing", ["effective_at"])
def test_what_has_no_default_must_be_given(missing: str) -> None:
    said = data()
    del said[missing]
    with pytest.raises(ProgrammeError, match=f"{missing}: is missing"):
        published_campaign(said, AT_MS, RULES)


@pytest.mark.parametrize("said", [None, [], "tea", 3])
def test_what_is_no_table_is_refused(said: object) -> None:
    with pytest.raises(ProgrammeError, match="must be a table"):
        published_campaign(said, AT_MS, RULES)


WHOLE = BLOCK["campaigns"][0] | {"effective_at": "2026-03-01T00:00:00+08:00"}


def test_the_campaign_of_the_block_can_be_published_as_it_stands() -> None:
    (of_file,) = compile_rules(parse_programme(FULL.read_text(encoding="utf-8"))).campaigns
    made = published_campaign(WHOLE, AT_MS, RULES)
    assert made == msgspec.structs.replace(of_file, effective_at_ms=made.effective_at_ms)


@pytest.mark.parametrize(("path", "right"), list(nodes(WHOLE)), ids=lambda given: str(given)[:70])
def test_wrong_values_are_refused_by_key_path(path: tuple[str | int, ...], right: Any) -> None:
    for wrong in WRONG[type(right)]:
        said = copy.deepcopy(WHOLE)
        within: Any = said
        for key in path[:-1]:
            within = within[key]
        within[path[-1]] = wrong
        with pytest.raises(ProgrammeError) as raised:
            published_campaign(said, AT_MS, RULES)
        (mistake,) = raised.value.mistakes
        assert (mistake.path, mistake.message.startswith("must ")) == (spelled(path), True)

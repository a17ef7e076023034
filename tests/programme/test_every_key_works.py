"""No key of DOMAIN.md's programme file is read and forgotten: another value gives other rules."""

from typing import Any

import pytest
from test_wrong_values import BLOCK, nodes, spelled, toml, with_value

from loyalty_stream.programme import compile_rules, parse_programme

NOT_RULES = {"finance"}
"""Of finance the ledger needs the cost of a point only, for what it is worth."""

OTHER: dict[str, str] = {
    "net": "gross",
    "floor": "half_up",
    "highest": "all",
    "immediate": "delay",
    "rolling": "inactivity",
    "day": "month_end",
    "debt": "clamp",
    "forfeit": "extend",
    "plain": "pseudonym",
    "earned": "spend",
    "year_end": "immediate",
    "online": "offline",
    "purchase": "activity",
    "stack": "exclusive",
    "goods": "coupon",
    "month": "week",
    "CNY": "EUR",
    "Asia/Shanghai": "Europe/Berlin",
    "sha256 hex": "0f" * 32,
    "": "2026-03-02T00:00:00Z",
    "2026-03-01T00:00:00+08:00": "2026-03-01T12:00:00+08:00",
    "2026-03-08T00:00:00+08:00": "2026-03-09T00:00:00+08:00",
}
"""Another right value for each text that is neither an id, a name, a decimal nor a period."""
OTHER_OF_KEY: dict[str, Any] = {
    "step": 50,
    "minimum_points": 200,
    "retention": "P801D",
    "hold_timeout": "PT31M",
    "maximum_share": "0.9",
    "metric": "check_in_streak",
    "grace": "PT2H",
}
LISTS: dict[str, Any] = {
    "include_categories": ["tea"],
    "tiers": ["gold"],
    "segments": ["vip"],
    "include_skus": ["tea-03"],
    "warn_before": ["P3D"],
    "channels": ["sms"],
    "ranks": [11, 12],
}


def other(key: str | int, value: Any) -> Any:
    """Another right value for a key."""
    if key in OTHER_OF_KEY:
        return OTHER_OF_KEY[str(key)]
    found: Any = f"{value}-2"
    match value:
        case bool():
            found = not value
        case int():
            found = value + 1
        case list():
            found = LISTS[str(key)] if key in LISTS else value[:-1]
        case str() if value in OTHER:
            found = OTHER[value]
        case str() if value.startswith("P"):
            found = "P11M"
        case str() if value.replace(".", "").isdigit():
            found = "1.7"
    return found


KEYS = [
    (path, value)
    for path, value in nodes(BLOCK)
    if path[0] not in NOT_RULES and isinstance(path[-1], str) and not isinstance(value, dict)
    if not (
        isinstance(value, list)
        and value
        and isinstance(value[0], dict)
        and path[-1] in ("prizes", "purchase")
    )
]


@pytest.mark.parametrize(("path", "value"), KEYS, ids=lambda given: str(given)[:70])
def test_another_value_gives_other_rules(path: tuple[str | int, ...], value: Any) -> None:
    text, _ = toml(with_value(path, other(path[-1], value)))
    assert compile_rules(parse_programme(text)) != RULES, spelled(path)


RULES = compile_rules(parse_programme(toml(BLOCK)[0]))


def test_the_cost_of_a_point_is_known() -> None:
    text, _ = toml(with_value(("finance", "unit_cost_amount"), 2))
    assert compile_rules(parse_programme(text)).unit_cost_amount == 2

"""Every code with which a command can be refused (DOMAIN.md, Spending), reached through `simulate`; it changes nothing else."""

import json
from typing import Any, get_args, get_type_hints

import pytest

from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain.events import CommandRejected
from loyalty_stream.programme import compile_rules, parse_programme
from tests.docs.transcript import examples

PROGRAMME = """
[earning.activity]
points = 300
[redemption]
points = 100
amount = 100
minimum_points = 200
step = 100
maximum_share = "0.5"
[tiers]
levels = [ {name = "gold", from = 5000, multiplier = "1.5"} ]
[[rewards]]
id = "cup"
cost = 100
stock = 1
per_customer_limit = 1
[[rewards]]
id = "pair"
cost = 100
stock = 9
per_customer_limit = 1
[[rewards]]
id = "golden-cup"
cost = 100
tiers = ["gold"]
[[rewards]]
id = "spring-cup"
cost = 100
starts_at = "2026-03-01T00:00:00+08:00"
ends_at = "2026-03-08T00:00:00+08:00"
[[campaigns]]
id = "lucky"
starts_at = "2026-03-01T00:00:00+08:00"
ends_at = "2026-03-08T00:00:00+08:00"
per_customer_limit = 1
draw = {prizes = [ {id = "tea-set", winners = 1} ], entry_cost = 100}
[[campaigns]]
id = "gold-draw"
starts_at = "2026-03-01T00:00:00+08:00"
ends_at = "2026-03-08T00:00:00+08:00"
audience = {tiers = ["gold"]}
draw = {prizes = [ {id = "tea-set", winners = 1} ]}
[[campaigns]]
id = "no-draw"
award = {points = 1}
"""
POINTS = "2026-03-01 09:00  activity-attended  activity_id=fair attendance_id=t-1\n"
MEI = "2026-03-01 09:00  @mei  activity-attended  activity_id=fair attendance_id=t-2\n"

REJECTED: list[tuple[str, str]] = [
    ("insufficient_points", POINTS + "2026-03-02 10:00  hold-points  hold_id=h points=400"),
    ("insufficient_points", "2026-03-02 10:00  hold-points  hold_id=h points=1 order_amount=1"),
    (
        "insufficient_points",
        POINTS + "2026-03-02 10:00  adjust-points  adjustment_id=a points=-301 reason=r operator=o",
    ),
    ("insufficient_points", "2026-03-02 10:00  redeem-reward  redemption_id=m reward_id=cup"),
    ("insufficient_points", "2026-03-02 10:00  enter-draw  entry_id=e campaign_id=lucky"),
    ("below_minimum", POINTS + "2026-03-02 10:00  hold-points  hold_id=h points=199"),
    ("not_a_step", POINTS + "2026-03-02 10:00  hold-points  hold_id=h points=201"),
    ("below_minimum", POINTS + "2026-03-02 10:00  hold-points  hold_id=h points=1 order_amount=1"),
    ("not_a_step", POINTS + "2026-03-02 10:00  hold-points  hold_id=h points=201 order_amount=1"),
    ("over_share", POINTS + "2026-03-02 10:00  hold-points  hold_id=h points=200 order_amount=399"),
    ("unknown_hold", "2026-03-02 10:00  confirm-hold  hold_id=h"),
    ("unknown_hold", "2026-03-02 10:00  release-hold  hold_id=h"),
    (
        "hold_closed",
        POINTS
        + """2026-03-02 10:00  hold-points  hold_id=h points=200
2026-03-02 10:01  release-hold  hold_id=h
2026-03-02 10:02  confirm-hold  hold_id=h""",
    ),
    (
        "hold_closed",
        POINTS
        + """2026-03-02 10:00  hold-points  hold_id=h points=200
2026-03-02 10:01  confirm-hold  hold_id=h
2026-03-02 10:02  release-hold  hold_id=h""",
    ),
    (
        "hold_closed",
        POINTS
        + """2026-03-02 10:00  hold-points  hold_id=h points=200
2026-03-02 10:30  release-hold  hold_id=h""",
    ),
    ("unknown_reward", POINTS + "2026-03-02 10:00  redeem-reward  redemption_id=m reward_id=pot"),
    (
        "out_of_stock",
        POINTS
        + MEI
        + """2026-03-02 10:00  @mei  redeem-reward  redemption_id=m-1 reward_id=cup
2026-03-02 10:00  redeem-reward  redemption_id=m-2 reward_id=cup""",
    ),
    (
        "limit_reached",
        POINTS
        + """2026-03-02 10:00  redeem-reward  redemption_id=m-1 reward_id=pair
2026-03-02 10:00  redeem-reward  redemption_id=m-2 reward_id=pair""",
    ),
    ("limit_reached", POINTS + "2026-03-02 10:00  redeem-reward  redemption_id=m reward_id=pair quantity=2"),
    (
        "limit_reached",
        POINTS
        + """2026-03-02 10:00  enter-draw  entry_id=e-1 campaign_id=lucky
2026-03-02 10:00  enter-draw  entry_id=e-2 campaign_id=lucky""",
    ),
    ("not_eligible", POINTS + "2026-03-02 10:00  redeem-reward  redemption_id=m reward_id=golden-cup"),
    ("not_eligible", POINTS + "2026-03-08 00:00  redeem-reward  redemption_id=m reward_id=spring-cup"),
    ("not_eligible", POINTS + "2026-03-02 10:00  enter-draw  entry_id=e campaign_id=gold-draw"),
    ("draw_closed", POINTS + "2026-03-08 00:00  enter-draw  entry_id=e campaign_id=lucky"),
    ("unknown_campaign", POINTS + "2026-03-02 10:00  enter-draw  entry_id=e campaign_id=autumn"),
    ("unknown_campaign", POINTS + "2026-03-02 10:00  enter-draw  entry_id=e campaign_id=no-draw"),
    *(
        (
            "account_erased",
            POINTS + "2026-03-02 09:00  erase-customer  request_id=q\n2026-03-02 10:00  " + said,
        )
        for said in (
            "hold-points  hold_id=h points=200",
            "confirm-hold  hold_id=h",
            "release-hold  hold_id=h",
            "redeem-reward  redemption_id=m reward_id=cup",
            "cancel-redemption  redemption_id=m",
            "enter-draw  entry_id=e campaign_id=lucky",
            "adjust-points  adjustment_id=a points=5 reason=r operator=o",
            "grant-points  grant_id=g points=5 reason=r",
        )
    ),
]


def lines_of(text: str) -> list[bytes]:
    (example,) = examples(f"## A case\n\n```transcript\n{text}\n```\n")
    return [json.dumps(step.event).encode() for step in example.steps]


def balances(lines: list[bytes]) -> list[dict[str, Any]]:
    written: list[bytes] = []
    assert list(simulate(RULES, lines, written.append, balances=True)) == []
    return [json.loads(line) for line in written]


RULES = compile_rules(parse_programme(PROGRAMME))


@pytest.mark.parametrize(("code", "text"), REJECTED, ids=lambda given: given.strip().splitlines()[-1][16:60])
def test_a_command_is_refused_with_its_code_and_changes_nothing(code: str, text: str) -> None:
    lines = lines_of(text)
    written: list[bytes] = []
    before = 0

    def fed():
        nonlocal before
        yield from lines[:-1]
        before = len(written)
        yield lines[-1]

    assert list(simulate(RULES, fed(), written.append)) == []
    events = [json.loads(line) for line in written]
    rejections = [event for event in events if event["type"] == "command-rejected"]
    assert [event["data"]["code"] for event in rejections] == [code]
    command = json.loads(lines[-1])
    (said,) = (event["data"] for event in rejections)
    assert said["command"] == command["type"]
    assert said["command_id"] in command["data"].values()
    assert said["message"]
    assert rejections[0] in events[before:]
    clock = json.dumps({"type": "clock-advanced", "time": command["time"]}).encode()
    untouched = [balance for balance in balances([*lines[:-1], clock]) if any(list(balance.values())[1:])]
    assert [balance for balance in balances(lines) if any(list(balance.values())[1:])] == untouched
    # Sent again, it changes nothing and says nothing.
    twice: list[bytes] = []
    assert list(simulate(RULES, [*lines, lines[-1]], twice.append)) == []
    assert twice == written


def test_every_code_is_reached() -> None:
    codes = set(get_args(get_type_hints(CommandRejected)["code"]))
    assert {code for code, _ in REJECTED} == codes

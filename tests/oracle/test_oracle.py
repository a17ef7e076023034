"""The oracle and the ledger agree on random histories under random programmes.

`ORACLE_HISTORIES=300 pytest tests/oracle` looks shorter; a failure prints a small programme and history on
which they disagree, and how to run it again.
"""

import os
from random import Random, SystemRandom

import msgspec
import pytest
from oracle_and_ledger import difference
from plain.world import World
from random_histories import history
from random_programmes import PARTS, programme
from shrink import SIMPLER, shrunk

from loyalty_stream.domain.announcements import Announcement

HISTORIES = int(os.environ.get("ORACLE_HISTORIES", "10000"))
SEED = int(os.environ.get("ORACLE_SEED", SystemRandom().randrange(10**6)))
FIRST = int(os.environ.get("ORACLE_CASE", "0"))
ON = frozenset(os.environ["ORACLE_PARTS"].split(",")) if os.environ.get("ORACLE_PARTS") else PARTS


def case(seed, number, parts):
    random = Random(f"{seed}/{number}")
    rules = programme(random, parts)
    return rules, history(random, rules, parts)


def report(rules, facts, found, number):
    lines = [msgspec.json.encode(fact).decode() for fact in facts]
    said = [f"{name} = {getattr(rules, name)!r}" for name in rules.__struct_fields__]
    said = [each for each, name in zip(said, rules.__struct_fields__, strict=True) if is_told(rules, name)]
    again = f"ORACLE_SEED={SEED} ORACLE_CASE={number} ORACLE_HISTORIES=1 python -m pytest tests/oracle"
    return "\n  ".join([found, "programme:", *said, "history:", *lines, f"again: {again}"])


def is_told(rules, name):
    return name != "book" and getattr(rules, name) != SIMPLER.get(name)


@pytest.mark.timeout(1800)
def test_the_oracle_and_the_ledger_agree():
    print(f"ORACLE_SEED={SEED}, {HISTORIES} histories")  # noqa: T201 - a failure shows it
    for number in range(FIRST, FIRST + HISTORIES):
        rules, facts = case(SEED, number, ON)
        if (found := difference(rules, facts)) is not None:
            rules, facts, found = shrunk(rules, facts, found)
            raise AssertionError(report(rules, facts, found, number))


MET = [
    "point-granted",
    "point-granted/cut",
    "point-activated",
    "point-held",
    "point-redeemed",
    "point-expired",
    "point-expiring",
    "point-restored",
    "point-released/released",
    "point-released/timed_out",
    "point-released/over_order",
    "point-released/out_of_stock",
    "point-released/erased",
    "point-revoked/refund",
    "point-revoked/cancellation",
    "point-revoked/campaign",
    "point-revoked/review_removed",
    "point-revoked/goodwill",
    "point-revoked/erased",
    "point-revoked/hold_shortfall",
    "point-revoked/debt_repaid",
    "tier-changed",
    "reward-issued",
    "reward-issued/gift",
    "draw-entered",
    "draw-won",
    "point-redeemed/entry",
    "point-revoked/review_removed of a campaign",
    "CampaignPublished",
    "CampaignPublished/bad",
    "CampaignWithdrawn",
    "DrawSeedRevealed",
    "DrawSeedRevealed/bad",
    "command-rejected/draw_closed",
    "command-rejected/unknown_campaign",
    "command-rejected/insufficient_points",
    "command-rejected/below_minimum",
    "command-rejected/not_a_step",
    "command-rejected/over_share",
    "command-rejected/unknown_hold",
    "command-rejected/hold_closed",
    "command-rejected/unknown_reward",
    "command-rejected/out_of_stock",
    "command-rejected/limit_reached",
    "command-rejected/not_eligible",
    "command-rejected/account_erased",
]
"""What a comparison of nothing would not meet."""


def said_of(event):
    """What tells events of one type apart."""
    match event["type"]:
        case "reward-issued":
            return "gift" if event.get("campaign_id") else ""
        case "point-redeemed":
            return "entry" if event.get("entry_id") else ""
        case "point-revoked" if event["reason"] == "review_removed" and event.get("campaign_id"):
            return "review_removed of a campaign"
        case _:
            return event.get("reason") or event.get("code") or ("cut" if event.get("cut") else "")


def test_random_histories_meet_what_matters():
    met = set()
    for number in range(1500):
        rules, facts = case(1, number, PARTS)
        world = World(rules)
        for fact in facts:
            events, bad = world.line(fact)
            if isinstance(fact, Announcement):
                met.add(type(fact).__name__ + ("/bad" if bad else ""))
            for event in events:
                met |= {event["type"], f"{event['type']}/{said_of(event)}"}
    assert set(MET) - met == set()

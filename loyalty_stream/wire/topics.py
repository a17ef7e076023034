"""Which input topic takes which types: EVENTS.md's table as values. It knows no topic's deployed name."""

from functools import reduce
from operator import or_
from types import UnionType
from typing import Final

from msgspec.inspect import StructType, type_info

from loyalty_stream.domain import announcements, facts

ACCEPTED: Final[dict[str, tuple[type[facts.Fact], ...]]] = {
    "orders": (facts.OrderPaid, facts.OrderCompleted, facts.OrderCancelled, facts.OrderRefunded),
    "registrations": (facts.CustomerRegistered, facts.CustomerUpdated),
    "reviews": (facts.ReviewPublished, facts.ReviewRemoved),
    "shares": (facts.ShareCompleted,),
    "check-ins": (facts.CheckedIn,),
    "activities": (facts.GamePlayed, facts.SurveySubmitted, facts.ActivityAttended),
    "points-commands": (
        facts.HoldPoints,
        facts.ConfirmHold,
        facts.ReleaseHold,
        facts.RedeemReward,
        facts.CancelRedemption,
        facts.EnterDraw,
        facts.AdjustPoints,
        facts.GrantPoints,
        facts.EraseCustomer,
    ),
    "campaigns": (
        announcements.CampaignPublished,
        announcements.CampaignWithdrawn,
        announcements.DrawSeedRevealed,
    ),
}
"""Topic kind -> the facts and commands that it takes."""

COMMANDS: Final = "points-commands"


def shape(fact: type[facts.Fact]) -> StructType:
    """What msgspec knows of the type: its fields, their types and ranges."""
    info = type_info(fact)
    assert isinstance(info, StructType)
    return info


def type_name(fact: type[facts.Fact]) -> str:
    """The CloudEvents `type` of a fact."""
    return str(shape(fact).tag)


def union_of(kinds: tuple[type[facts.Fact], ...]) -> type[facts.Fact] | UnionType:
    """`A | B | ...`, as msgspec wants it."""
    return reduce(or_, kinds[1:], kinds[0])


FACT_OF_TYPE: Final[dict[str, type[facts.Fact]]] = {type_name(f): f for fs in ACCEPTED.values() for f in fs}
"""CloudEvents `type` -> the fact."""
TOPIC_OF_TYPE: Final[dict[str, str]] = {type_name(f): topic for topic, fs in ACCEPTED.items() for f in fs}
"""CloudEvents `type` -> the only topic kind that takes it."""

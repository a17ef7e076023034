"""[tiers], [[rewards]] and [[leaderboards]]: how customers rise, what they redeem, how they compare.

It must not know how standings are kept; that is the domain's.
"""

import re
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from loyalty_stream.domain.facts import ID_PATTERN
from loyalty_stream.domain.rules import Period
from loyalty_stream.programme.campaigns import after_start
from loyalty_stream.programme.lists import rising, unique
from loyalty_stream.programme.mistakes import raise_all, shown, wrong
from loyalty_stream.programme.periods import FixedLength, Window
from loyalty_stream.programme.values import (
    Count,
    Id,
    ListOf,
    Name,
    OptionalInstant,
    PointsAboveZero,
    Section,
    TierMultiplier,
    Total,
)

MAX_BOARD_SIZE: Final = 10_000
"""Places that a board may publish: every partition sends as many to the merge, and a record holds them."""
CAMPAIGN_METRIC: Final = "campaign:"
_METRIC: Final = rf"earned|check_in_streak|{CAMPAIGN_METRIC}{ID_PATTERN}"


class Level(Section):
    """A tier."""

    name: Name = Field(description="Names the tier.")
    minimum: Total = Field(alias="from", description="Tier points, or minor units of spend, that it takes.")
    multiplier: TierMultiplier = Field(description="Of the base points of orders.")


class Tiers(Section):
    """The tiers that customers rise through."""

    basis: Literal["earned", "spend"] = Field(
        "earned", description="What is counted: tier points or net spend."
    )
    window: Window = Field(
        Period("P12M", months=12), description='Rolling period that counts, or "lifetime".'
    )
    levels: Annotated[ListOf[Level], unique("name"), rising("from", "minimum")] = Field(
        (), description="`from` rising."
    )
    downgrade: Literal["year_end", "immediate"] = Field("year_end", description="When a lost tier ends.")


class Reward(Section):
    """Something to redeem points for."""

    id: Id = Field("tea-cup", description="Names the reward.")
    kind: Literal["goods", "coupon"] = Field("goods", description="What is issued.")
    cost: PointsAboveZero = Field(500, description="Points for one.")
    stock: Count = Field(1000, description="How many there are; 0: no limit.")
    per_customer_limit: Count = Field(2, description="How many one customer may have; 0: no limit.")
    starts_at: OptionalInstant = Field(None, description='First instant that it can be had at; `""`: always.')
    ends_at: OptionalInstant = Field(None, description='First instant after; `""`: always.')
    tiers: ListOf[Name] = Field((), description="Names of tiers that may have it; empty: all.")

    @field_validator("ends_at")
    @classmethod
    def _after_start(cls, ends_at: datetime | None, info: ValidationInfo) -> datetime | None:
        return None if ends_at is None else after_start(ends_at, info)


def _ranks(ranks: tuple[int, int]) -> tuple[int, int]:
    if ranks[1] < ranks[0]:
        raise wrong(
            f"must be [first, last] with the first no later than the last, is [{ranks[0]}, {ranks[1]}]"
        )
    return ranks


Rank = Annotated[int, Field(ge=1, le=MAX_BOARD_SIZE)]


class BoardReward(Section):
    """What a range of ranks gets when the period closes."""

    ranks: Annotated[tuple[Rank, Rank], Field(strict=False), AfterValidator(_ranks)] = Field(
        description="First and last rank, both included; within `size`, not in another range."
    )
    points: PointsAboveZero = Field(description="Points for each of them.")


def _metric(value: str) -> str:
    if not re.fullmatch(_METRIC, value):
        raise wrong(f'must be "earned", "check_in_streak" or "campaign:<id>", is {shown(value)}')
    return value


class Leaderboard(Section):
    """A ranking of customers over a period."""

    id: Id = Field("monthly", description="Names the board.")
    metric: Annotated[
        str, AfterValidator(_metric), WithJsonSchema({"type": "string", "pattern": f"^({_METRIC})$"})
    ] = Field(
        "earned", description="`earned`, `check_in_streak` or `campaign:<id>` of a campaign in the file."
    )
    period: Literal["day", "week", "month", "all_time", "campaign"] = Field(
        "month", description="`campaign`: the window of the metric's campaign."
    )
    size: Annotated[int, Field(ge=1, le=MAX_BOARD_SIZE)] = Field(100, description="Places that it shows.")
    grace: FixedLength = Field(
        Period("PT1H", milliseconds=60 * 60 * 1000), description="How late an event may still count."
    )
    rewards: ListOf[BoardReward] = Field((), description="What ranks get, once, when a period closes.")

    @field_validator("period")
    @classmethod
    def _of_campaign(cls, period: str, info: ValidationInfo) -> str:
        metric = info.data.get("metric")
        if period == "campaign" and isinstance(metric, str) and not metric.startswith(CAMPAIGN_METRIC):
            raise wrong(f'must be "campaign" only with metric "campaign:<id>", is with {shown(metric)}')
        return period

    @field_validator("rewards")
    @classmethod
    def _fitting_ranks(
        cls, entries: tuple[BoardReward, ...], info: ValidationInfo
    ) -> tuple[BoardReward, ...]:
        size = info.data.get("size")
        found = []
        for index, entry in enumerate(entries):
            first, last = entry.ranks
            now = f"is [{first}, {last}]"
            if isinstance(size, int) and last > size:
                found.append(((index, "ranks"), f"must be within the board's size of {size}, {now}"))
            for other in entries[:index]:
                if first <= other.ranks[1] and other.ranks[0] <= last:
                    taken = f"[{other.ranks[0]}, {other.ranks[1]}]"
                    found.append(((index, "ranks"), f"must not overlap with {taken}, {now}"))
        raise_all(found)
        return entries

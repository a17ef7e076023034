"""[[campaigns]]: what a campaign asks for, gives, tells and draws.

A `campaign-published` event carries the same table. It must not know how campaigns are matched.
"""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from loyalty_stream.programme.lists import repeated, unique
from loyalty_stream.programme.mistakes import raise_all, shown, wrong
from loyalty_stream.programme.values import (
    Amount,
    AwardMultiplier,
    Count,
    CountAboveZero,
    Id,
    Instant,
    ListOf,
    Name,
    OptionalInstant,
    Points,
    PointsAboveZero,
    Section,
)

NO_COMMITMENT: Final = "sha256 hex"
"""Stands in a draw whose seed has not been committed to yet."""

MAX_AWARDS: Final = 1000
"""Entries and gifts that one order can give by its amount: each has an id of its own."""
MAX_ENTRIES: Final = 100
"""Entries that one award may give: each is an event of its own."""

_AWARDS: Final = ("points", "multiplier", "draw_entries", "gift")


def _commitment(value: str) -> str:
    if value != NO_COMMITMENT and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise wrong(f"must be 64 characters of 0-9 a-f, the SHA-256 of the seed, is {shown(value)}")
    return value


class Audience(Section):
    """Who may take part; what is empty asks for nothing."""

    tiers: ListOf[Name] = Field((), description="Names of tiers.")
    segments: ListOf[Name] = Field((), description="Segments, one of which the customer is in.")
    registered_after: OptionalInstant = Field(None, description="Customers who registered later.")


class Award(Section):
    """What a campaign gives: exactly one of these."""

    points: PointsAboveZero | None = Field(None, description="Points.")
    multiplier: AwardMultiplier | None = Field(None, description="Of the points that purchase rules give.")
    draw_entries: Annotated[int, Field(ge=1, le=MAX_ENTRIES)] | None = Field(
        None, description="Entries to the campaign's draw."
    )
    gift: Id | None = Field(None, description="Id of a reward, free.")

    @property
    def given(self) -> tuple[str, ...]:
        """The keys that are set."""
        return tuple(key for key in _AWARDS if getattr(self, key) is not None)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.given) > 1:
            raise wrong(f"must be one of {', '.join(_AWARDS)}, is {' and '.join(self.given)}")
        return self


def _own_channels(channels: tuple[str, ...]) -> tuple[str, ...]:
    raise_all(repeated(enumerate(channels)))
    return channels


class Notify(Section):
    """Who is told of the campaign, and how."""

    channels: Annotated[ListOf[Id], AfterValidator(_own_channels)] = Field(
        (), description="Channels of the messaging service."
    )
    template: Id = Field("spring-week", description="Its template.")


class Prize(Section):
    """A prize of a draw."""

    id: Id = Field("tea-set", description="Names the prize.")
    winners: CountAboveZero = Field(3, description="How many win it.")


def _some_prize(prizes: tuple[Prize, ...]) -> tuple[Prize, ...]:
    if not prizes:
        raise wrong('must be one prize or more, such as [{id = "tea-set", winners = 3}], is empty')
    return prizes


class Draw(Section):
    """A draw of prizes among the campaign's entries, checkable by anyone."""

    prizes: Annotated[ListOf[Prize], unique("id"), AfterValidator(_some_prize)] = Field(
        description="One or more, in the order drawn."
    )
    seed_commitment: Annotated[
        str,
        AfterValidator(_commitment),
        WithJsonSchema({"type": "string", "pattern": f"^([0-9a-f]{{64}}|{NO_COMMITMENT})$"}),
    ] = Field(NO_COMMITMENT, description="SHA-256 of the seed, published before the campaign starts.")
    entry_cost: Points = Field(0, description="Points that `enter-draw` costs.")


class Campaign(Section):
    """A campaign: an award for what its audience does in its window."""

    id: Id = Field("spring-week", description="Names the campaign.")
    version: CountAboveZero = Field(1, description="Raised with each change.")
    theme: Name = Field("Spring 满减 week", description="What people call it.")
    mode: Literal["online", "offline"] = Field("online", description="Where it takes place.")
    starts_at: Instant = Field(
        datetime.fromisoformat("2026-03-01T00:00:00+08:00"),
        description="First instant, by the event's own time.",
    )
    ends_at: Instant = Field(
        datetime.fromisoformat("2026-03-08T00:00:00+08:00"),
        description="First instant after it; after `starts_at`.",
    )
    audience: Audience = Field(Audience(), description="Who may take part; left out: everyone.")
    trigger: Literal[
        "purchase", "review", "share", "check_in", "game", "survey", "activity", "registration"
    ] = Field("purchase", description="What it rewards.")
    include_skus: ListOf[Id] = Field((), description="Goods that count; empty: all.")
    draw: Draw | None = Field(None, description="The draw of the campaign, if it has one.")
    award: Award = Field(
        Award(),
        description="What it gives; exactly one kind, or none where customers enter its draw themselves.",
    )
    accumulate: bool = Field(
        default=True, description="Whether spend counts over the window (`true`) or in one order (`false`)."
    )
    minimum_amount: Amount = Field(
        20000,
        description="Spend on the goods that an award takes, in minor units; above 0 where it accumulates.",
    )
    per_customer_limit: Count = Field(1, description="Awards per customer; 0: no limit.")
    budget_points: Points = Field(
        1_000_000, description="Most points that it gives, over all customers; 0: no limit."
    )
    stacking: Literal["stack", "best", "exclusive"] = Field(
        "stack", description="With others: adds up, only the best of its kind, or alone."
    )
    priority: Count = Field(10, description="Lower numbers first, then by id.")
    notify: Notify | None = Field(None, description="Who is told; left out: nobody.")

    @field_validator("ends_at")
    @classmethod
    def _after_start(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        return after_start(ends_at, info)

    @field_validator("audience")
    @classmethod
    def _somebody(cls, audience: Audience, info: ValidationInfo) -> Audience:
        ends_at, after = info.data.get("ends_at"), audience.registered_after
        if after is not None and isinstance(ends_at, datetime) and after >= ends_at:
            now = f'must be before ends_at "{ends_at.isoformat()}", is "{after.isoformat()}"'
            raise_all([(("registered_after",), now)])
        return audience

    @field_validator("award")
    @classmethod
    def _has_award(cls, award: Award, info: ValidationInfo) -> Award:
        if "draw" not in info.data:
            return award
        draw = info.data["draw"]
        if not award.given and draw is None:
            raise wrong(f"must be one of {', '.join(_AWARDS)}, is empty")
        raise_all(
            ((key,), f"must {need}, {now}")
            for key, broken, need, now in (
                ("draw_entries", draw is None, "come with the campaign's draw = {...}", "which is left out"),
                (
                    "multiplier",
                    info.data.get("trigger", "purchase") != "purchase",
                    'come with trigger "purchase"',
                    f"is with {shown(info.data.get('trigger'))}",
                ),
            )
            if broken and key in award.given
        )
        return award

    @field_validator("per_customer_limit")
    @classmethod
    def _countable(cls, limit: int, info: ValidationInfo) -> int:
        award = info.data.get("award")
        by_amount = info.data.get("accumulate") is True and info.data.get("trigger") == "purchase"
        one_by_one = isinstance(award, Award) and (award.draw_entries is not None or award.gift is not None)
        if by_amount and one_by_one and not 1 <= limit <= MAX_AWARDS:
            raise wrong(
                f"must be from 1 to {MAX_AWARDS} where entries or gifts are given for each full minimum_amount, "
                f"is {limit}"
            )
        return limit

    @field_validator("minimum_amount")
    @classmethod
    def _divides(cls, minimum: int, info: ValidationInfo) -> int:
        award = info.data.get("award")
        divides = info.data.get("accumulate") is True and info.data.get("trigger") == "purchase"
        if minimum == 0 and divides and isinstance(award, Award) and award.multiplier is None:
            raise wrong(
                "must be at least 1 with accumulate = true, for each full minimum_amount is awarded, is 0"
            )
        return minimum


class PublishedCampaign(Campaign):
    """A campaign as a `campaign-published` event carries it."""

    effective_at: Instant = Field(description="It applies to events of this instant or later.")


def after_start(ends_at: datetime, info: ValidationInfo) -> datetime:
    """The end of a half-open window, once it is seen to be after `starts_at`."""
    starts_at = info.data.get("starts_at")
    if isinstance(starts_at, datetime) and ends_at <= starts_at:
        raise wrong(f'must be after starts_at "{starts_at.isoformat()}", is "{ends_at.isoformat()}"')
    return ends_at

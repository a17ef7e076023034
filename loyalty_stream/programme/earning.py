"""[earning], [[games]] and [[surveys]]: what customers earn points for.

It must not know how the points are reckoned; that is the domain's.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from loyalty_stream.programme.lists import rising, unique
from loyalty_stream.programme.mistakes import KeyPath, raise_all, shown
from loyalty_stream.programme.values import (
    Amount,
    AmountAboveZero,
    Count,
    CountAboveZero,
    ExactPoints,
    Id,
    ListOf,
    Name,
    Points,
    PointsAboveZero,
    Section,
)


class Threshold(Section):
    """A bonus for an order whose base reaches an amount."""

    minimum_amount: Amount = Field(description="Base from which the bonus is given, in minor units.")
    bonus: PointsAboveZero = Field(description="Points on top.")


class Purchase(Section):
    """A rule for orders: `points` for every `per_amount` of the lines in scope. What several give adds up."""

    id: Id = Field("base", description="Names the rule in the grants that it makes.")
    points: ExactPoints = Field(
        Fraction(1), description="Points for every `per_amount`; fractions are rounded once, on the sum."
    )
    per_amount: AmountAboveZero = Field(100, description="Minor units that `points` are given for.")
    basis: Literal["net", "gross"] = Field(
        "net", description="Goods after discounts and points (`net`) or before; never shipping or tax."
    )
    rounding: Literal["floor", "half_up", "ceil"] = Field(
        "floor", description="The rule's one rounding, on the exact fraction."
    )
    minimum_amount: Amount = Field(0, description="Base from which the rule applies, in minor units.")
    include_categories: ListOf[Name] = Field((), description="Categories in scope; empty: all.")
    exclude_categories: ListOf[Name] = Field((), description="Categories out of scope.")
    include_skus: ListOf[Id] = Field((), description="SKUs in scope; empty: all.")
    exclude_skus: ListOf[Id] = Field((), description="SKUs out of scope.")
    thresholds: Annotated[ListOf[Threshold], rising("minimum_amount")] = Field(
        (), description="Bonuses by the base, `minimum_amount` rising."
    )
    threshold_mode: Literal["highest", "all"] = Field(
        "highest",
        description="Whether the highest threshold reached gives its bonus, or all that are reached.",
    )

    @model_validator(mode="after")
    def _in_or_out(self) -> Self:
        raise_all(_in_both("exclude_categories", self.include_categories, self.exclude_categories))
        raise_all(_in_both("exclude_skus", self.include_skus, self.exclude_skus))
        return self


def _in_both(key: str, included: tuple[str, ...], excluded: tuple[str, ...]) -> list[tuple[KeyPath, str]]:
    return [
        ((key, index), f"must not be in {key.replace('exclude', 'include')} as well, is {shown(value)}")
        for index, value in enumerate(excluded)
        if value in included
    ]


class Registration(Section):
    """Points for registering, once per customer."""

    points: Points = Field(100, description="Points for registering.")


class FirstPurchase(Section):
    """Points for the earliest paid order that still stands."""

    points: Points = Field(50, description="Points for the first purchase.")


class Referral(Section):
    """Points for whoever brought a customer, at that customer's first purchase."""

    referrer_points: Points = Field(0, description="Points for the referrer; 0: off.")


class Review(Section):
    """Points for product reviews, once per review and once per order and SKU."""

    points: Points = Field(10, description="Points for a review.")
    photo_bonus: Points = Field(5, description="Points on top for a photo.")
    daily_limit: Count = Field(5, description="Reviews that earn, per customer and day; 0: no limit.")


class Share(Section):
    """Points for sharing, once per share."""

    points: Points = Field(5, description="Points for a share.")
    daily_limit: Count = Field(3, description="Shares that earn, per customer and day; 0: no limit.")


class Streak(Section):
    """A bonus for checking in on so many days in a row."""

    days: CountAboveZero = Field(description="Days in a row.")
    bonus: PointsAboveZero = Field(description="Points on top on the last of them.")


class CheckIn(Section):
    """Points for checking in, once per local day."""

    points: Points = Field(2, description="Points for a day.")
    streaks: Annotated[ListOf[Streak], rising("days")] = Field(
        (), description="Bonuses, `days` rising. A missed day starts again, and so does the longest."
    )


class Activity(Section):
    """Points for attending an activity, once per attendance."""

    points: Points = Field(20, description="Points for an attendance.")


class Limits(Section):
    """Limits per customer and local day."""

    daily: Points = Field(
        0,
        description="Points from review, share, check-in, game, survey and activity together; 0: no limit. "
        "A grant is cut to what is left.",
    )
    notifications_daily: Count = Field(3, description="Notifications; 0: no limit.")


class Earning(Section):
    """What is earned; a section that is left out is off."""

    purchase: Annotated[ListOf[Purchase], unique("id")] = Field(
        (), description="Rules for orders; what they give adds up."
    )
    registration: Registration | None = Field(None, description="For registering.")
    first_purchase: FirstPurchase | None = Field(None, description="For the first order that stands.")
    referral: Referral | None = Field(None, description="For bringing a customer.")
    review: Review | None = Field(None, description="For product reviews.")
    share: Share | None = Field(None, description="For sharing.")
    check_in: CheckIn | None = Field(None, description="For checking in.")
    activity: Activity | None = Field(None, description="For attending activities.")
    limits: Limits | None = Field(None, description="Limits per customer and local day.")


class Band(Section):
    """Points from a score on."""

    minimum_score: Points = Field(description="Score from which the points are given.")
    points: Points = Field(description="Points of the band.")


class Game(Section):
    """A game whose score earns points."""

    id: Id = Field("spin", description="The `game_id` of its events.")
    bands: Annotated[ListOf[Band], rising("minimum_score")] = Field(
        (), description="`minimum_score` rising; the highest band reached gives its points."
    )
    daily_limit: Count = Field(3, description="Plays that earn, per customer and day; 0: no limit.")


class Survey(Section):
    """A survey that earns points, once per customer."""

    id: Id = Field("nps-2026", description="The `survey_id` of its events.")
    points: Points = Field(30, description="Points for the first submission.")

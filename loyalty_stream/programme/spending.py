"""[availability], [expiry], [redemption] and [refunds]: when points can be spent, and how they come and go.

It must not know how an account does so; that is the domain's.
"""

from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from loyalty_stream.domain.rules import Period
from loyalty_stream.programme.lists import repeated
from loyalty_stream.programme.mistakes import raise_all, wrong
from loyalty_stream.programme.periods import FixedLength, Length, mean_ms
from loyalty_stream.programme.values import (
    AmountAboveZero,
    ListOf,
    Points,
    PointsAboveZero,
    Section,
    Share,
)

_YEAR: Final = Period("P1Y", months=12)


class Availability(Section):
    """When the points of an order can be spent; all others can at once."""

    mode: Literal["immediate", "on_completion", "delay"] = Field(
        "immediate", description="At once, with `order-completed`, or `delay` after `order-paid`."
    )
    delay: Length = Field(
        Period("P7D", days=7), description="For mode `delay`, from the time of `order-paid`."
    )


def _own_notices(entries: tuple[Period, ...]) -> tuple[Period, ...]:
    raise_all(repeated(enumerate(map(mean_ms, entries)), texts=[entry.text for entry in entries]))
    return entries


class Expiry(Section):
    """When points expire."""

    policy: Literal["rolling", "inactivity", "calendar_year", "never"] = Field(
        "rolling",
        description="`rolling`: `period` after they were earned; `inactivity`: all, `period` after the "
        "customer last earned or spent; `calendar_year`: at the end of the year after the one they were "
        "earned in.",
    )
    period: Length = Field(
        Period("P12M", months=12), description="For `rolling` and `inactivity`, by the calendar."
    )
    round_to: Literal["none", "day", "month_end", "year_end"] = Field(
        "day", description="Up to the next local midnight, first instant of a month or of a year."
    )
    warn_before: Annotated[ListOf[Length], AfterValidator(_own_notices)] = Field(
        (), description="Notice periods: a `point-expiring` for each, so long before; shorter than `period`."
    )

    @field_validator("warn_before")
    @classmethod
    def _within_period(cls, entries: tuple[Period, ...], info: ValidationInfo) -> tuple[Period, ...]:
        period = info.data.get("period")
        match info.data.get("policy"):
            case "rolling" | "inactivity" if isinstance(period, Period):
                shortest, right = period, f'expiry.period "{period.text}"'
            case "calendar_year":
                shortest, right = _YEAR, "a year, the shortest that points live by the calendar year"
            case _:
                return entries
        raise_all(
            ((index,), f'must be shorter than {right}, is "{entry.text}"')
            for index, entry in enumerate(entries)
            if mean_ms(entry) >= mean_ms(shortest)
        )
        return entries


class Redemption(Section):
    """What points are worth on an order, and how they are reserved."""

    points: PointsAboveZero = Field(100, description="So many points are worth `amount`.")
    amount: AmountAboveZero = Field(100, description="Minor units that `points` are worth.")
    step: PointsAboveZero = Field(100, description="Points are spent in multiples of it.")
    minimum_points: Points = Field(100, description="Fewest points to spend; a multiple of `step`; 0: any.")
    maximum_share: Share = Field(Fraction(1), description="Largest share of an order's amount.")
    hold_timeout: FixedLength = Field(
        Period("PT30M", milliseconds=30 * 60 * 1000), description="How long a hold reserves points."
    )

    @field_validator("minimum_points")
    @classmethod
    def _in_steps(cls, minimum: int, info: ValidationInfo) -> int:
        step = info.data.get("step")
        if isinstance(step, int) and minimum % step:
            raise wrong(f"must be a multiple of redemption.step {step}, is {minimum}")
        return minimum


class Refunds(Section):
    """What happens where points to take back are gone, or points to give back are out of date."""

    shortfall: Literal["debt", "clamp"] = Field(
        "debt", description="What can't be taken back is owed (`debt`) or let go (`clamp`)."
    )
    restore_expired: Literal["forfeit", "extend"] = Field(
        "forfeit", description="Restored points past their date expire at once, or live `extend_by` longer."
    )
    extend_by: Length = Field(Period("P30D", days=30), description="For `extend`, from the refund on.")

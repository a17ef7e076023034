"""The programme as the domain sees it: compiled, checked values. `programme.compile` makes them from the file.

Rates are exact fractions, amounts minor units, durations ISO periods by the calendar or milliseconds.
Where a rule comes from is DOMAIN.md; the section is named at each type.
"""

from datetime import tzinfo
from fractions import Fraction
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr

from loyalty_stream.domain.campaign_book import NO_CAMPAIGNS, CampaignBook, book_of
from loyalty_stream.domain.campaign_terms import (
    ONE,
    Audience,
    Award,
    Campaign,
    Draw,
    Notify,
    Prize,
    Ratio,
    Trigger,
    Withdrawal,
    ratio_of,
)
from loyalty_stream.domain.coupons import NO_SECRET, Secret

__all__ = [  # the terms of campaigns are rules too, and looked for here
    "Audience",
    "Award",
    "Campaign",
    "Draw",
    "Notify",
    "Prize",
    "Trigger",
    "Withdrawal",
]

Rounding: TypeAlias = Literal["floor", "half_up", "ceil"]


class Period(Struct, frozen=True):
    """An ISO 8601 period: months by the calendar, then days, then exact milliseconds."""

    text: str
    """As the programme file writes it."""
    months: int = 0
    days: int = 0
    milliseconds: int = 0
    at_least_ms: int = 0
    """No longer than the period ever is: months of 28 days, less a day for a change of the clock; worked out here."""
    at_most_ms: int = 0
    """No shorter than the period ever is: months of 31 days, and a day for a change of the clock; likewise."""

    def __post_init__(self) -> None:
        day_ms = 24 * 3600 * 1000
        force_setattr(self, "at_least_ms", (self.months * 28 + self.days - 1) * day_ms + self.milliseconds)
        force_setattr(self, "at_most_ms", (self.months * 31 + self.days + 1) * day_ms + self.milliseconds)


_YEAR = Period("P365D", days=365)
"""No longer than points live under expiry by calendar year."""


class Threshold(Struct, frozen=True):
    """A bonus for orders whose base reaches `minimum_amount`."""

    minimum_amount: int
    bonus: int


class PurchaseRule(Struct, frozen=True):
    """[[earning.purchase]]: `points` for every `per_amount` of the lines in scope."""

    id: str
    points: Fraction
    per_amount: int
    basis: Literal["net", "gross"] = "net"
    rounding: Rounding = "floor"
    minimum_amount: int = 0
    include_categories: frozenset[str] = frozenset()
    exclude_categories: frozenset[str] = frozenset()
    include_skus: frozenset[str] = frozenset()
    exclude_skus: frozenset[str] = frozenset()
    thresholds: tuple[Threshold, ...] = ()
    """By rising minimum_amount."""
    threshold_mode: Literal["highest", "all"] = "highest"
    scoped: bool = False
    """Whether any line can be out of scope; worked out here, as are the next two, because every order asks."""
    numerator: int = 0
    """An amount gives `amount * numerator / denominator` points, before rounding."""
    denominator: int = 1

    def __post_init__(self) -> None:
        scopes = (self.include_categories, self.exclude_categories, self.include_skus, self.exclude_skus)
        force_setattr(self, "scoped", any(scopes))
        force_setattr(self, "numerator", self.points.numerator)
        force_setattr(self, "denominator", self.per_amount * self.points.denominator)


class ReviewRule(Struct, frozen=True):
    """[earning.review]; `daily_limit` reviews of a local day earn, 0: all."""

    points: int
    photo_bonus: int
    daily_limit: int


class ShareRule(Struct, frozen=True):
    """[earning.share]; `daily_limit` shares of a local day earn, 0: all."""

    points: int
    daily_limit: int


class StreakBonus(Struct, frozen=True):
    """Points for so many check-in days without a gap."""

    days: int
    bonus: int


class CheckInRule(Struct, frozen=True):
    """[earning.check_in]: points a day, and for streaks."""

    points: int
    streaks: tuple[StreakBonus, ...] = ()
    """By rising days; the longest closes the cycle."""


class Band(Struct, frozen=True):
    """Points for a score of at least `minimum_score`."""

    minimum_score: int
    points: int


class Game(Struct, frozen=True):
    """[[games]]: what a play is worth by its score."""

    id: str
    bands: tuple[Band, ...]
    """By rising minimum_score; the highest reached one gives its points."""
    daily_limit: int
    """0: no limit."""


class Expiry(Struct, frozen=True):
    """[expiry]; `period` and `round_to` are of `rolling` and `inactivity`."""

    policy: Literal["rolling", "inactivity", "calendar_year", "never"]
    period: Period
    round_to: Literal["none", "day", "month_end", "year_end"]
    warn_before: tuple[Period, ...] = ()
    longest_notice_ms: int = 0
    """No shorter than any notice of `warn_before`; worked out here, as most events need not look further."""
    quiet_ms: int = 0
    """For so long after they were earned, at least, nothing falls due for points; worked out likewise."""

    def __post_init__(self) -> None:
        longest = max((notice.at_most_ms for notice in self.warn_before), default=0)
        force_setattr(self, "longest_notice_ms", longest)
        period = _YEAR if self.policy == "calendar_year" else self.period
        force_setattr(self, "quiet_ms", period.at_least_ms - longest)


class Redemption(Struct, frozen=True):
    """[redemption]: `points` are worth `amount`."""

    points: int
    amount: int
    minimum_points: int
    step: int
    maximum_share: Fraction
    hold_timeout_ms: int


class Availability(Struct, frozen=True):
    """[availability]: when points that an order earns can be spent."""

    mode: Literal["immediate", "on_completion", "delay"] = "immediate"
    delay: Period = Period("P7D", days=7)
    """From the time of order-paid."""


class Refunds(Struct, frozen=True):
    """[refunds]: what becomes of points that cannot be taken, or that come back after their date."""

    shortfall: Literal["debt", "clamp"] = "debt"
    restore_expired: Literal["forfeit", "extend"] = "forfeit"
    extend_by: Period = Period("P30D", days=30)


class Level(Struct, frozen=True):
    """A tier: from so many tier points, or minor units of spend; `multiplier` of the base points of orders."""

    name: str
    minimum: int
    multiplier: Fraction
    ratio: Ratio = ONE
    """The multiplier; worked out here, as fractions are the interpreter's."""

    def __post_init__(self) -> None:
        force_setattr(self, "ratio", ratio_of(self.multiplier))


class Tiers(Struct, frozen=True):
    """[tiers]; `window` None: lifetime. `levels` by rising minimum; below the first nobody has a tier."""

    basis: Literal["earned", "spend"] = "earned"
    window: Period | None = Period("P12M", months=12)
    levels: tuple[Level, ...] = ()
    downgrade: Literal["year_end", "immediate"] = "year_end"


class Reward(Struct, frozen=True):
    """[[rewards]]: something to redeem points for; 0 means no limit, `ends_at_ms` 0 no end."""

    id: str
    kind: Literal["goods", "coupon"]
    cost: int
    stock: int
    per_customer_limit: int
    starts_at_ms: int = 0
    ends_at_ms: int = 0
    tiers: frozenset[str] = frozenset()


class BoardReward(Struct, frozen=True):
    """Points for each of the ranks from `first` to `last`, when a period closes."""

    first: int
    last: int
    points: int


class Board(Struct, frozen=True):
    """[[leaderboards]]: a ranking of customers over periods; `boards` says how it scores."""

    id: str
    metric: Literal["earned", "check_in_streak", "campaign"]
    period: Literal["day", "week", "month", "all_time", "campaign"]
    size: int
    grace_ms: int
    """How late an event may still count after a period's end."""
    campaign_id: str = ""
    """Of the metric `campaign`."""
    rewards: tuple[BoardReward, ...] = ()


class Rules(Struct, frozen=True):
    """One programme, ready to decide with."""

    programme_id: str
    version: int
    currency: str
    zone: tzinfo
    retention_ms: int
    purchase: tuple[PurchaseRule, ...]
    registration_points: int
    first_purchase_points: int
    review: ReviewRule | None
    share: ShareRule | None
    check_in: CheckInRule | None
    activity_points: int
    daily_points_limit: int
    """0: no limit. Over review, share, check-in, game, survey and activity together."""
    games: dict[str, Game]
    surveys: dict[str, int]
    """Survey id -> points."""
    expiry: Expiry
    redemption: Redemption
    refunds: Refunds = Refunds()
    availability: Availability = Availability()
    referrer_points: int = 0
    """For the referrer, at the referred customer's first purchase; 0: off."""
    notifications_daily: int = 3
    """Most notifications per customer and local day; 0: no limit."""
    tiers: Tiers = Tiers()
    campaigns: tuple[Campaign | Withdrawal, ...] = ()
    """Versions of campaigns: those of the programme file, then what the `campaigns` topic told, in its order."""
    rewards: dict[str, Reward] = {}
    boards: tuple[Board, ...] = ()
    subject: Literal["plain", "pseudonym"] = "plain"
    coupon_secret: Secret = NO_SECRET
    """What coupon codes are derived from; no part of the programme file."""
    unit_cost_amount: int = 1
    """Minor units per point, for liability and cost."""
    book: CampaignBook = NO_CAMPAIGNS
    """What of `campaigns` is live when; worked out here, so that an event asks by one comparison."""

    def __post_init__(self) -> None:
        force_setattr(self, "book", book_of(self.campaigns) if self.campaigns else NO_CAMPAIGNS)

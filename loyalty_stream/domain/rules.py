"""The programme as the domain sees it: compiled, checked values. `programme.compile` makes them from the file.

Rates are exact fractions, amounts minor units, durations ISO periods by the calendar or milliseconds.
Where a rule comes from is DOMAIN.md; the section is named at each type.
"""

from datetime import tzinfo
from fractions import Fraction
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr

Rounding: TypeAlias = Literal["floor", "half_up", "ceil"]


class Period(Struct, frozen=True):
    """An ISO 8601 period: months by the calendar, then days, then exact milliseconds."""

    text: str
    """As the programme file writes it."""
    months: int = 0
    days: int = 0
    milliseconds: int = 0

    @property
    def at_least_ms(self) -> int:
        """No longer than the period ever is: months of 28 days, less a day for a change of the clock."""
        return (self.months * 28 + self.days - 1) * 24 * 3600 * 1000 + self.milliseconds

    @property
    def at_most_ms(self) -> int:
        """No shorter than the period ever is: months of 31 days, and a day for a change of the clock."""
        return (self.months * 31 + self.days + 1) * 24 * 3600 * 1000 + self.milliseconds


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
    """[expiry]; only `rolling` and `never` are at work in this version."""

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
        force_setattr(self, "quiet_ms", self.period.at_least_ms - longest)


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


class Tiers(Struct, frozen=True):
    """[tiers]; `window` None: lifetime. `levels` by rising minimum; below the first nobody has a tier."""

    basis: Literal["earned", "spend"] = "earned"
    window: Period | None = Period("P12M", months=12)
    levels: tuple[Level, ...] = ()
    downgrade: Literal["year_end", "immediate"] = "year_end"


class Audience(Struct, frozen=True):
    """Who may take part in a campaign; what is empty asks for nothing."""

    tiers: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    registered_after_ms: int = 0


class Award(Struct, frozen=True):
    """What a campaign gives: exactly one of these is set, or none where customers enter its draw themselves."""

    points: int = 0
    multiplier: Fraction | None = None
    draw_entries: int = 0
    gift: str = ""
    """A reward's id."""


class Prize(Struct, frozen=True):
    """A prize of a draw and how many win it."""

    id: str
    winners: int


class Draw(Struct, frozen=True):
    """A campaign's draw. `seed_commitment` is the SHA-256 of the seed in hex; empty: not committed yet."""

    prizes: tuple[Prize, ...] = ()
    seed_commitment: str = ""
    entry_cost: int = 0


class Notify(Struct, frozen=True):
    """How a campaign's audience is told when it starts."""

    channels: tuple[str, ...]
    template: str


Trigger: TypeAlias = Literal[
    "purchase", "review", "share", "check_in", "game", "survey", "activity", "registration"
]


class Campaign(Struct, frozen=True):
    """One version of a campaign, at work for events from `effective_at_ms` on; instants in ms, half open."""

    id: str
    version: int
    theme: str
    mode: Literal["online", "offline"]
    starts_at_ms: int
    ends_at_ms: int
    trigger: Trigger
    award: Award
    audience: Audience = Audience()
    include_skus: frozenset[str] = frozenset()
    minimum_amount: int = 0
    accumulate: bool = False
    per_customer_limit: int = 0
    """0: no limit."""
    budget_points: int = 0
    """0: no limit."""
    stacking: Literal["stack", "best", "exclusive"] = "stack"
    priority: int = 10
    notify: Notify | None = None
    draw: Draw | None = None
    effective_at_ms: int = 0
    """0: from the programme file, at work from the start."""


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
    campaigns: tuple[Campaign, ...] = ()
    """Those of the programme file; published ones come through the `campaigns` topic."""
    rewards: dict[str, Reward] = {}
    subject: Literal["plain", "pseudonym"] = "plain"
    unit_cost_amount: int = 1
    """Minor units per point, for liability and cost."""

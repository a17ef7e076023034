"""What a campaign says: [[campaigns]] of the programme file, or `campaign-published` (DOMAIN.md, Campaigns).

Values only; `campaign_book` says which are live, `campaign_matching` which count.
"""

from fractions import Fraction
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr

Ratio: TypeAlias = tuple[int, int]
"""A rational number as its numerator and denominator, in lowest terms: compiled code need not ask a `Fraction`."""
ONE: Final[Ratio] = (1, 1)


def ratio_of(value: Fraction) -> Ratio:
    """The fraction as a ratio."""
    return value.numerator, value.denominator


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
    ratio: Ratio = ONE
    """The multiplier; worked out here."""

    def __post_init__(self) -> None:
        if self.multiplier is not None:
            force_setattr(self, "ratio", ratio_of(self.multiplier))


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


class Withdrawal(Struct, frozen=True):
    """From `effective_at_ms` on the campaign `id` matches nothing any more, until it is published again."""

    id: str
    effective_at_ms: int

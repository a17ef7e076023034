"""What is counted of a campaign or of the whole programme, in an hour or in all: values and how they add up.

It must not know which event counts where (`counting`), nor who adds up whose counts.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import astuple

PROGRAMME: Final = "programme"
"""The scope of everything; a campaign's is `campaign_scope` of its id."""
IN_ALL: Final = 0
"""Stands in the place of an hour for all hours together."""
_CAMPAIGN: Final = "campaign:"

Hour: TypeAlias = int
"""An hour of the programme's time zone, as the minute since 1970 at which it begins."""


class Counts(Struct, gc=False, array_like=True, tag="counts", omit_defaults=True):
    """Points, minor units of money, or how many; all but `customers` only rise."""

    customers: int = 0
    """Of a campaign: who took part by something of the hour that was not wholly taken back. Of the programme: who
    ordered, earned or spent. Each once."""
    registrations: int = 0
    erasures: int = 0
    orders: int = 0
    """Paid. Of a campaign: those that count towards it, or that it gave something for."""
    cancelled_orders: int = 0
    spend_amount: int = 0
    """Their goods, net of discounts and points."""
    refunded_amount: int = 0
    """What of that was given back, by when it was given back."""
    granted: int = 0
    revoked: int = 0
    """Of the programme: taken from accounts. Of a campaign: by how much its grants were taken back, wherever from."""
    redeemed: int = 0
    """Of a campaign: out of the lots of its grants; likewise restored and expired."""
    restored: int = 0
    expired: int = 0
    entries: int = 0
    withdrawn_entries: int = 0
    gifts: int = 0
    """Rewards that were free: gifts of campaigns and prizes of draws."""
    cancelled_gifts: int = 0
    winners: int = 0
    granted_by: dict[str, int] = {}
    """Points granted by reason."""
    revoked_by: dict[str, int] = {}
    """Points taken by reason."""


_BY_REASON: Final = 2
"""So many of the last fields are by reason."""


Pair: TypeAlias = tuple[Counts, Counts]
"""Of one scope: the counts of an hour, and those of all hours together."""
PairOf: TypeAlias = Callable[[str, Hour], Pair]
"""The counts of a scope and an hour, to be changed in place."""


def campaign_scope(campaign_id: str) -> str:
    """The scope of one campaign."""
    return _CAMPAIGN + campaign_id


def campaign_of(scope: str) -> str | None:
    """The campaign's id; None for the programme."""
    return None if scope == PROGRAMME else scope[len(_CAMPAIGN) :]


def add_up(parts: list[Counts]) -> Counts:
    """The sum. Nobody is counted twice as long as the parts have no customer in common."""
    columns = list(zip(*[astuple(part) for part in parts], strict=True))
    if not columns:
        return Counts()
    return Counts(
        *[sum(column) for column in columns[:-_BY_REASON]],
        *[_merged(column) for column in columns[-_BY_REASON:]],
    )


def _merged(column: tuple[dict[str, int], ...]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for each in column:
        for reason, points in each.items():
            merged[reason] = merged.get(reason, 0) + points
    return merged

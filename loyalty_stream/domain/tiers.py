"""Tiers: what counts towards them in the window, rising at once, falling as the programme says (DOMAIN.md, Tiers).

An exact sum over the window looks at all orders of the account, so it is worked out rarely. Most orders ask one
comparison with an upper bound that `fold_points` keeps, and `Account.tier_until` says before when nobody can fall.
It must not know what gives points; orders remember what they were granted.
"""

from typing import Final, TypeAlias, assert_never

from loyalty_stream.domain import calendar, orders
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.campaign_terms import ONE, Ratio
from loyalty_stream.domain.events import TierChanged
from loyalty_stream.domain.fold_points import TIER_KINDS
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import TierNote
from loyalty_stream.domain.rules import Rules, Tiers

BELOW: Final = -1
"""The place of who is below the first level."""


_Counted: TypeAlias = tuple[int, int]
"""An order in the window: when it was paid (ms), and how much of it counts."""


def current(account: Account, rules: Rules) -> str:
    """The name of the customer's tier; empty: below the first. A first tier from 0 on is everybody's."""
    place = _place(account, rules.tiers)
    return "" if place == BELOW else rules.tiers.levels[place].name


def multiplier(account: Account, rules: Rules) -> Ratio:
    """By how much the base points of an order are multiplied, in the tier that the customer has before it."""
    if not rules.tiers.levels:
        return ONE
    place = _place(account, rules.tiers)
    return ONE if place == BELOW else rules.tiers.levels[place].ratio


def rise(journal: Journal, rules: Rules) -> None:
    """After an order: the customer rises at once where what counts reaches a higher level."""
    tiers = rules.tiers
    if not tiers.levels:
        return
    if journal.note is not None:
        journal.close()  # an order that earned nothing counts, too, where tiers go by spend
    account = journal.account
    above = _place(account, tiers) + 1
    if above == len(tiers.levels):
        return
    bound = account.tier_points if tiers.basis == "earned" else account.tier_spend
    if bound < tiers.levels[above].minimum:
        return
    counted = _counted(account, rules, journal.now)
    standing = _standing(account, rules, counted)
    reached = _reached(tiers, standing)
    if reached >= above:
        _change(journal, rules, reached, counted, standing)
    else:
        _note(journal, rules, account.tier_until, standing)


def lowered(journal: Journal, rules: Rules, paid_at: int) -> None:
    """After a refund of an order paid at `paid_at` (ms): the customer falls at once, or earlier than was known."""
    tiers = rules.tiers
    if not tiers.levels:
        return
    account = journal.account
    place = _place(account, tiers)
    in_window = _in_window(paid_at, rules, journal.now)
    if in_window and place <= _lowest(tiers):
        return
    counted = _counted(account, rules, journal.now)
    standing = _standing(account, rules, counted)
    if not in_window:
        # Nothing changes but the bound, from which the refund has been taken although the order did not count.
        _note(journal, rules, account.tier_until, standing)
        return
    reached = _reached(tiers, standing)
    if reached < place and tiers.downgrade == "immediate":
        _change(journal, rules, reached, counted, standing)
        return
    until = _until(rules, place, counted, standing, journal.now)
    if until and (until < account.tier_until or not account.tier_until):
        _note(journal, rules, until, standing)


def end(journal: Journal, rules: Rules) -> None:
    """What `Account.tier_until` says has come: the customer falls, unless enough was earned meanwhile."""
    tiers = rules.tiers
    account = journal.account
    place = _place(account, tiers)
    counted = _counted(account, rules, journal.now)
    standing = _standing(account, rules, counted)
    reached = _reached(tiers, standing)
    falls = reached < place and (
        tiers.downgrade == "immediate"
        or calendar.round_up(journal.now, "year_end", rules.zone)
        == journal.now  # else the policy has changed
    )
    if falls:
        _change(journal, rules, reached, counted, standing)
    else:
        _note(journal, rules, _until(rules, place, counted, standing, journal.now), standing)


# -- what counts ----------------------------------------------------------------------------------------


def _counted(account: Account, rules: Rules, now: int) -> list[_Counted]:
    """The orders in the window at `now`, in no order. An order counts until its time plus the window."""
    by_spend = rules.tiers.basis == "spend"
    return [
        (paid_at, left_amount if by_spend else points)
        for paid_at, left_amount, points in orders.earnings(account, TIER_KINDS)
        if _in_window(paid_at, rules, now)
    ]


def _in_window(paid_at: int, rules: Rules, now: int) -> bool:
    window = rules.tiers.window
    if window is None or paid_at + window.at_least_ms > now:
        return True
    return paid_at + window.at_most_ms > now and calendar.add(paid_at, window, rules.zone) > now


def _standing(account: Account, rules: Rules, counted: list[_Counted]) -> int:
    """What counts in all. For a lifetime nothing ever leaves the account's sum, so that is exact, unlike orders."""
    if rules.tiers.window is None:
        return account.tier_points if rules.tiers.basis == "earned" else account.tier_spend
    return sum(amount for _, amount in counted)


# -- levels ---------------------------------------------------------------------------------------------


def _place(account: Account, tiers: Tiers) -> int:
    """Where the customer's tier is among the levels. One that the programme no longer has counts as the lowest."""
    name = account.tier
    if name:
        for place, level in enumerate(tiers.levels):
            if level.name == name:
                return place
    return _lowest(tiers)


def _lowest(tiers: Tiers) -> int:
    return 0 if tiers.levels and tiers.levels[0].minimum == 0 else BELOW


def _reached(tiers: Tiers, standing: int) -> int:
    reached = _lowest(tiers)
    for place, level in enumerate(tiers.levels):
        if standing >= level.minimum:
            reached = place
    return reached


def _until(rules: Rules, place: int, counted: list[_Counted], standing: int, now: int) -> int:
    """When the tier at `place` ends (ms) if nothing more is earned and nothing refunded; 0: never."""
    tiers = rules.tiers
    if place <= _lowest(tiers):
        return 0
    lost_at = now
    if standing >= tiers.levels[place].minimum:
        if tiers.window is None:
            return 0
        for paid_at, amount in sorted(counted):  # as they were paid
            standing -= amount
            if standing < tiers.levels[place].minimum:
                lost_at = calendar.add(paid_at, tiers.window, rules.zone)
                break
    match tiers.downgrade:
        case "immediate":
            return lost_at
        case "year_end":
            return calendar.round_up(max(lost_at, now + 1), "year_end", rules.zone)
        case _:
            assert_never(tiers.downgrade)


def _change(journal: Journal, rules: Rules, place: int, counted: list[_Counted], standing: int) -> None:
    tiers = rules.tiers
    until = _until(rules, place, counted, standing, journal.now)
    journal.record(
        TierChanged(
            before=journal.account.tier or current(journal.account, rules) or None,
            to=None if place == BELOW else tiers.levels[place].name,
            valid_until=calendar.to_datetime(until) if until else None,
            tier_points=standing if tiers.basis == "earned" else None,
            spend_amount=standing if tiers.basis == "spend" else None,
        )
    )


def _note(journal: Journal, rules: Rules, until: int, standing: int) -> None:
    """A note of its own, at once: when the account falls due next is read off its kind (`expiry`)."""
    note = TierNote(
        calendar.to_datetime(until) if until else None,
        standing if rules.tiers.basis == "earned" else None,
        standing if rules.tiers.basis == "spend" else None,
    )
    journal.remember("tier", note)
    journal.close()

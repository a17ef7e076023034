"""Which campaigns count for an event: who matches, and how those that match stand to each other (DOMAIN.md, Campaigns).

It must not know how an award is given. Budget never decides a match, and neither do the daily limits of rules.
"""

from collections.abc import Sequence

from mypy_extensions import mypyc_attr

from loyalty_stream.domain import campaign_multipliers, fold_campaigns, tiers
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.campaign_multipliers import Extra, Multiplying
from loyalty_stream.domain.campaign_terms import Audience, Award, Campaign, Ratio, Trigger
from loyalty_stream.domain.facts import OrderLine
from loyalty_stream.domain.rules import PurchaseRule, Rules
from loyalty_stream.domain.scope import net_of


@mypyc_attr(acyclic=True)
class Match:
    """A campaign that matches an event, with what it gives before any cut.

    A plain class, as the next one: compiled, a dataclass is still made by the interpreter, and every order makes some.
    """

    def __init__(
        self,
        campaign: Campaign,
        awards: int = 1,
        scope: tuple[int, ...] = (),
        amount: int = 0,
        extras: tuple[Extra, ...] = (),
    ) -> None:
        self.campaign = campaign
        self.awards = awards
        self.scope = scope
        """Positions of the order's lines that it counts; empty: all, or no order."""
        self.amount = amount
        """The net of those lines, in minor units."""
        self.extras = extras
        """Of a multiplier: what it adds to each purchase rule."""

    @property
    def points(self) -> int:
        """What it gives before cuts; gifts and entries count as 0."""
        if self.extras:
            return sum(extra.points for extra in self.extras)
        return self.awards * self.campaign.award.points


@mypyc_attr(acyclic=True)
class Choice:
    """What of the live campaigns is at work for an order."""

    def __init__(
        self,
        matches: tuple[Match, ...],
        counts: tuple[tuple[str, tuple[int, ...]], ...],
        *,
        exclusive: bool,
    ) -> None:
        self.matches = matches
        """Those that count, by priority then id."""
        self.counts = counts
        """The campaigns that count the order's spend over their window, and its lines that they count."""
        self.exclusive = exclusive
        """The only one is exclusive: the purchase rules give nothing."""


def for_event(
    account: Account,
    rules: Rules,
    trigger: Trigger,
    at: int,
    *,
    sku: str | None = None,
    segments: Sequence[str] | None = None,
    registered_at: int | None = None,
) -> tuple[Match, ...]:
    """The campaigns that count for an event that is no order; `at` is its own time (ms).

    `segments` and `registered_at` are those of the event itself where it tells them, else the account's.
    """
    live = rules.book.live(trigger, at)
    if not live:
        return ()
    found = [
        Match(campaign)
        for campaign in live
        if _gives(campaign.award)
        and left_of_limit(account, campaign) != 0
        and in_audience(campaign.audience, account, rules, segments, registered_at)
        and (not campaign.include_skus or sku in campaign.include_skus)
    ]
    return _standing(found)


def for_order(
    account: Account, rules: Rules, lines: Sequence[OrderLine], nets: Sequence[int], at: int
) -> Choice | None:
    """What counts for an order paid at `at` (ms); `nets` is what is left of each line to pay. None: nothing is live."""
    live = rules.book.purchase.at(at)
    if not live:
        return None
    found: list[Match] = []
    counts: list[tuple[str, tuple[int, ...]]] = []
    for campaign in live:
        if not _gives(campaign.award) or not in_audience(campaign.audience, account, rules):
            continue
        scope = scope_of(campaign.include_skus, lines)
        if scope is None:
            continue
        amount = net_of(nets, scope)
        if campaign.accumulate:
            counts.append((campaign.id, scope))
        awards = _reached(account, campaign, amount)
        if awards:
            found.append(Match(campaign, awards, scope, amount))
    multiplied = False
    for match in found:
        if match.campaign.award.multiplier is not None:
            multiplied = True
    if multiplied:
        order = _Order(rules.purchase, lines, nets, tiers.multiplier(account, rules))
        found = _with_extras(found, order)
    matches = _standing(found)
    exclusive = bool(matches) and matches[0].campaign.stacking == "exclusive"
    if multiplied and not exclusive and any(match.campaign.stacking == "best" for match in matches):
        matches = _after_the_best(matches, order)
    if exclusive:
        counts = [each for each in counts if each[0] == matches[0].campaign.id]
    return Choice(matches, tuple(counts), exclusive=exclusive)


def in_audience(
    audience: Audience,
    account: Account,
    rules: Rules,
    segments: Sequence[str] | None = None,
    registered_at: int | None = None,
) -> bool:
    """Whether the customer may take part, in the tier that they had before the event."""
    if audience.tiers and tiers.current(account, rules) not in audience.tiers:
        return False
    if audience.segments and not audience.segments.intersection(
        account.segments if segments is None else segments
    ):
        return False
    since = account.registered_at if registered_at is None else registered_at
    return since > audience.registered_after_ms or not audience.registered_after_ms


def left_of_limit(account: Account, campaign: Campaign) -> int | None:
    """How many more awards the customer can have; None: no limit."""
    if not campaign.per_customer_limit:
        return None
    known = account.campaigns.get(campaign.id)
    return max(campaign.per_customer_limit - (known.awards if known is not None else 0), 0)


def scope_of(include_skus: frozenset[str], lines: Sequence[OrderLine]) -> tuple[int, ...] | None:
    """The positions of the lines that a campaign counts, empty for all of them; None: none of them."""
    if not include_skus:
        return ()
    scope = tuple([place for place, line in enumerate(lines) if line.sku in include_skus])
    if not scope:
        return None
    return () if len(scope) == len(lines) else scope


def _gives(award: Award) -> bool:
    """Whether there is anything to award; customers may have to enter its draw themselves."""
    return bool(award.points or award.multiplier is not None or award.draw_entries or award.gift)


def _reached(account: Account, campaign: Campaign, amount: int) -> int:
    """How many awards an order of `amount` on the campaign's goods reaches, within the limit per customer.

    Spend over the window has an award for each full minimum, less those that were given; a multiplier applies to
    each order from the one on with which the spend reaches the minimum.
    """
    left = left_of_limit(account, campaign)
    minimum = campaign.minimum_amount
    if not campaign.accumulate:
        awards = 1 if amount >= minimum else 0
    else:
        known = account.campaigns.get(campaign.id)
        spend = amount if known is None else known.spend + amount
        if campaign.award.multiplier is not None or not minimum:
            awards = 1 if spend >= minimum else 0
        else:
            awards = max(spend // minimum - (0 if known is None else fold_campaigns.for_spend(known)), 0)
    return awards if left is None else min(awards, left)


@mypyc_attr(acyclic=True)
class _Order:
    """What multipliers are worked out from."""

    def __init__(
        self, rules: Sequence[PurchaseRule], lines: Sequence[OrderLine], nets: Sequence[int], tier: Ratio
    ) -> None:
        self.rules = rules
        self.lines = lines
        self.nets = nets
        self.tier = tier


def _with_extras(found: Sequence[Match], order: _Order) -> list[Match]:
    """The matches, by priority then id, each multiplier with what it adds to those before it that stack.

    One that stacks but adds nothing for the rounding stays: what comes after it multiplies what it has multiplied.
    """
    before: list[Multiplying] = []
    told: list[Match] = []
    for match in found:
        award, stacking = match.campaign.award, match.campaign.stacking
        if award.multiplier is None:
            told.append(match)
            continue
        own, alone = Multiplying(award.ratio, match.scope), stacking == "exclusive"
        extras = campaign_multipliers.extras(
            order.rules, order.lines, order.nets, order.tier, () if alone else before, own, alone=alone
        )
        if extras or stacking == "stack":
            told.append(Match(match.campaign, match.awards, match.scope, match.amount, extras))
        if stacking == "stack":
            before.append(own)
    return told


def _standing(found: Sequence[Match]) -> tuple[Match, ...]:
    """Those that count: the first exclusive one alone, else all that stack and the one that gives most of the best."""
    best: Match | None = None
    for match in found:
        stacking = match.campaign.stacking
        if stacking == "exclusive":
            return (match,)
        if stacking == "best" and (best is None or match.points > best.points):
            best = match
    return tuple([match for match in found if match.campaign.stacking == "stack" or match is best])


def _after_the_best(matches: tuple[Match, ...], order: _Order) -> tuple[Match, ...]:
    """The same, where a multiplier of the best comes before others that now add to it too."""
    told: list[Match] = []
    before: list[Multiplying] = []
    for match in matches:
        award = match.campaign.award
        if award.multiplier is None:
            told.append(match)
            continue
        own = Multiplying(award.ratio, match.scope)
        extras = campaign_multipliers.extras(order.rules, order.lines, order.nets, order.tier, before, own)
        told.append(Match(match.campaign, match.awards, match.scope, match.amount, extras))
        before.append(own)
    return tuple(told)

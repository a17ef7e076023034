"""What a refund takes back of campaigns: awards that the spend that is left no longer reaches (DOMAIN.md, Campaigns).

Points of a single order's campaign shrink with the order (`refunds`), as their grants say. It must not know how
much was refunded, nor from which lots points are taken.
"""

from msgspec import Struct

from loyalty_stream.domain import calendar, draws, fold_campaigns, orders, revoking
from loyalty_stream.domain.account import Counted, Order
from loyalty_stream.domain.events import Revoked
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import AwardWithdrawnNote
from loyalty_stream.domain.rules import Rules


class _Held(Struct, frozen=True):
    """The awards that came with an order, and what the account has of them."""

    order_id: str
    stem: str
    """The order's."""
    campaign_id: str
    minimum: int
    awards: int
    points: int
    entries: int
    grant_id: str = ""
    """Of its points; empty: none were granted, or not yet."""
    granted: int = 0
    revoked: int = 0
    earned_at: int = 0


def take_back(journal: Journal, rules: Rules, order_id: str) -> None:
    """After a refund of this order, which the account knows by now: take back what is no longer reached.

    Of spend over the window the latest awards go first, whichever order they came with.
    """
    account = journal.account
    order = orders.find(account, order_id)
    if order is None or not order.campaigns:
        return
    single: list[_Held] = []
    over_window: list[str] = []
    for each in order.campaigns:
        if each.accumulates:
            over_window.append(each.campaign_id)
        elif each.awards and fold_campaigns.left_in(order, each.scope) < max(each.minimum, 1):
            single.append(_held(order, each))
    for held in single:
        _withdraw(journal, rules, held, held.awards)
    for campaign_id in over_window:
        _take_back_latest(journal, rules, campaign_id)


def _take_back_latest(journal: Journal, rules: Rules, campaign_id: str) -> None:
    account = journal.account
    known = account.campaigns.get(campaign_id)
    if known is None or not known.awards:
        return
    standing: list[_Held] = []
    for order in orders.each(account):
        each = fold_campaigns.counted_of(order, campaign_id) if order.campaigns else None
        if each is not None and each.awards:
            standing.append(_held(order, each))
    for held in reversed(standing):
        beyond = known.awards - known.spend // max(held.minimum, 1)
        if beyond <= 0:
            break
        _withdraw(journal, rules, held, min(beyond, held.awards))


def settle(journal: Journal, rules: Rules, order_id: str, campaign_id: str) -> None:
    """Points of spend over the window came after awards of their order were taken back: those go at once."""
    order = orders.find(journal.account, order_id)
    each = None if order is None else fold_campaigns.counted_of(order, campaign_id)
    if order is not None and each is not None:
        _revoke(journal, rules, _held(order, each), 0)


def _withdraw(journal: Journal, rules: Rules, held: _Held, awards: int) -> None:
    """Take awards back. A gift stays once it is given, and so do entries once their draw is closed, and count."""
    if not held.points and not (held.entries and draws.is_open(rules.book, held.campaign_id, journal.now)):
        return
    entries = range((held.awards - awards) * held.entries + 1, held.awards * held.entries + 1)
    note = AwardWithdrawnNote(
        held.campaign_id,
        held.order_id,
        awards,
        held.entries,
        tuple([draws.entry_id(held.stem, held.campaign_id, number) for number in entries]),
    )
    journal.remember("award-withdrawn", note)
    _revoke(journal, rules, held, awards)
    journal.close()  # where no points were granted yet: the next look at the awards must know of it


def _revoke(journal: Journal, rules: Rules, held: _Held, awards: int) -> None:
    """Of points that the budget has cut, so many stay as the awards that are left are worth at most."""
    back = held.granted - held.revoked - min(held.granted, (held.awards - awards) * held.points)
    order = orders.find(journal.account, held.order_id)
    if back > 0 and order is not None:
        revoking.revoke(
            journal,
            rules,
            reason="campaign",
            revokes=[
                Revoked(held.grant_id, back, calendar.to_datetime(held.earned_at), held.campaign_id),
            ],
            own={earned.grant_id for earned in order.earned},
            order_id=held.order_id,
            campaign_id=held.campaign_id,
        )


def _held(order: Order, each: Counted) -> _Held:
    kind = f"campaign:{each.campaign_id}"
    for earned in order.earned:
        if earned.kind == kind and earned.exact is None and not earned.steps:
            return _Held(
                each.order_id,
                order.stem,
                each.campaign_id,
                each.minimum,
                each.awards,
                each.points,
                each.entries,
                earned.grant_id,
                earned.points,
                earned.revoked,
                earned.earned_at or order.paid_at,
            )
    return _Held(
        each.order_id, order.stem, each.campaign_id, each.minimum, each.awards, each.points, each.entries
    )

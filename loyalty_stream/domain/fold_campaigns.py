"""Folding what an account remembers of campaigns: spend that they count, awards, and what a refund takes of both.

It must not know what a campaign says; the notes tell what has to be known of it.
"""

from loyalty_stream.domain import orders
from loyalty_stream.domain.account import Account, Counted, Earned, Order, Participation
from loyalty_stream.domain.notes import AwardNote, AwardWithdrawnNote, OrderNote, RefundNote
from loyalty_stream.domain.scope import net_in


def counted(account: Account, order: Order, note: OrderNote) -> None:
    """A new order counts for campaigns that accumulate."""
    order.campaigns = [Counted(campaign_id, scope, accumulates=True) for campaign_id, scope in note.counts]
    for each in order.campaigns:
        _participation(account, each.campaign_id).spend += net_in(order, each.scope)


def refunded(account: Account, order: Order, note: RefundNote) -> None:
    """What was refunded of an order no longer counts."""
    for each in order.campaigns:
        if each.accumulates:
            less = sum([amount for place, amount in note.lines if not each.scope or place in each.scope])
            _participation(account, each.campaign_id).spend -= less


def awarded(account: Account, note: AwardNote) -> None:
    """Awards count against the limit; where a refund can take them back otherwise than points, the order keeps them."""
    _participation(account, note.campaign_id).awards += note.awards
    if note.order_id is None or not (note.accumulated or note.entries or note.gift):
        return
    order = orders.find(account, note.order_id)
    if order is None:
        return
    each = counted_of(order, note.campaign_id)
    if each is None:
        each = Counted(note.campaign_id, note.scope)
        order.campaigns = [*order.campaigns, each]
    each.minimum, each.awards, each.order_id = note.minimum_amount, note.awards, note.order_id
    each.points, each.entries, each.gift = note.points, note.entries, note.gift or ""
    orders.save(account, order)


def withdrawn(account: Account, note: AwardWithdrawnNote) -> None:
    """Awards that came with an order are taken back."""
    _participation(account, note.campaign_id).awards -= note.awards
    order = orders.find(account, note.order_id)
    each = None if order is None else counted_of(order, note.campaign_id)
    if order is not None and each is not None:
        each.awards -= note.awards
        orders.save(account, order)


def revoked(account: Account, order: Order, earned: Earned, campaign_id: str) -> None:
    """Once all that a campaign gave for a single order is taken back, the customer has that award no longer."""
    if earned.exact is None and not earned.steps:
        return  # of spend over the window: an `AwardWithdrawnNote` says how many
    if all(each.revoked == each.points for each in order.earned if each.kind == earned.kind):
        _participation(account, campaign_id).awards -= 1


def counted_of(order: Order, campaign_id: str) -> Counted | None:
    """What the order counts for in the campaign, or was given."""
    for each in order.campaigns:
        if each.campaign_id == campaign_id:
            return each
    return None


def left_in(order: Order, scope: tuple[int, ...]) -> int:
    """What of that was not refunded."""
    if not scope:
        return order.left_amount
    return sum([order.lines[place].net - order.lines[place].refunded for place in scope])


def _participation(account: Account, campaign_id: str) -> Participation:
    found = account.campaigns.get(campaign_id)
    if found is None:
        found = account.campaigns[campaign_id] = Participation()
    return found

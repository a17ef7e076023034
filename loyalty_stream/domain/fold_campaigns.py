"""Folding what an account remembers of campaigns: spend that they count, awards, and what a refund takes of both.

It must not know what a campaign says; the notes tell what has to be known of it.
"""

from loyalty_stream.domain import identity, orders
from loyalty_stream.domain.account import Account, Counted, Earned, Order, Participation, ReviewAward
from loyalty_stream.domain.notes import AnswerNote, AwardNote, AwardWithdrawnNote, Note, OrderNote, RefundNote
from loyalty_stream.domain.scope import net_in


def for_spend(known: Participation) -> int:
    """The awards that the customer's spend has to reach."""
    return known.awards - known.apart


def counted(account: Account, order: Order, note: OrderNote) -> None:
    """A new order counts for campaigns that accumulate."""
    order.campaigns = [Counted(campaign_id, scope, accumulates=True) for campaign_id, scope in note.counts]
    for each in order.campaigns:
        _participation(account, each.campaign_id).spend += net_in(order, each.scope)


def refunded(account: Account, order: Order, note: RefundNote) -> None:
    """What was refunded of an order no longer counts."""
    for each in order.campaigns:
        if each.accumulates:
            less = sum(amount for place, amount in note.lines if not each.scope or place in each.scope)
            _participation(account, each.campaign_id).spend -= less


def awarded(account: Account, note: AwardNote, stem: str, at: int) -> None:
    """Awards count against the limit; where a refund can take them back otherwise than points, the order keeps them.

    All that is given for a review is kept. `stem` is that of the events of the cause, `at` its time in ms.
    """
    known = _participation(account, note.campaign_id)
    known.awards += note.awards
    if not note.accumulated:
        known.apart += note.awards
    if note.review_id is not None:
        key = identity.business_key("review", note.review_id)
        award = ReviewAward(note.campaign_id, at, gift=note.gift or "")
        if note.entries:
            award.entries, award.stem = note.entries, stem
        account.review_awards[key] = [*account.review_awards.get(key, ()), award]
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
    """Awards are taken back; of a removed review all is forgotten already."""
    if note.awards:  # else its campaign may be forgotten, too
        _participation(account, note.campaign_id).awards -= note.awards
    order = None if note.order_id is None else orders.find(account, note.order_id)
    each = None if order is None else counted_of(order, note.campaign_id)
    if note.awards and (each is None or not each.accumulates):
        _participation(account, note.campaign_id).apart -= note.awards
    if order is not None and each is not None:
        each.awards -= note.awards
        orders.save(account, order)


def budget_asked(account: Account, campaign_id: str, review_id: str, request_id: str) -> None:
    """The points of an award for a review come once the budget's owner has answered."""
    for award in account.review_awards.get(identity.business_key("review", review_id), ()):
        if award.campaign_id == campaign_id:
            award.request_id = request_id


def granted(account: Account, note: Note, grant_id: str, points: int) -> None:
    """Points of an award for no order: of one for a review they are kept. `note` is what the grant carries."""
    if isinstance(note, AwardNote):
        if note.review_id is None:
            return
        kept = account.review_awards.get(identity.business_key("review", note.review_id), [])
        awards = [award for award in kept if award.campaign_id == note.campaign_id]
    elif isinstance(note, AnswerNote):
        kept = [award for each in account.review_awards.values() for award in each]
        awards = [award for award in kept if award.request_id == note.request_id]
    else:
        return
    for award in awards:  # one, or none where the review is removed meanwhile
        award.grant_id, award.points = grant_id, points


def revoked(account: Account, order: Order, earned: Earned, campaign_id: str) -> None:
    """Once all that a campaign gave for a single order is taken back, the customer has that award no longer."""
    if earned.exact is None and not earned.steps:
        return  # of spend over the window: an `AwardWithdrawnNote` says how many
    if all(each.revoked == each.points for each in order.earned if each.kind == earned.kind):
        known = _participation(account, campaign_id)
        known.awards -= 1
        known.apart -= 1


def forget_before(account: Account, before: int) -> None:
    """Forget what was given for old reviews, as the reviews are."""
    kept = {
        key: [each for each in awards if each.at >= before] for key, awards in account.review_awards.items()
    }
    account.review_awards = {key: awards for key, awards in kept.items() if awards}


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
    return sum(order.lines[place].net - order.lines[place].refunded for place in scope)


def _participation(account: Account, campaign_id: str) -> Participation:
    found = account.campaigns.get(campaign_id)
    if found is None:
        found = account.campaigns[campaign_id] = Participation()
    return found

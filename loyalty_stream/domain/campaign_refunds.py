"""What is taken back of campaigns: awards that the spend no longer reaches, or of a removed review (DOMAIN.md).

Points of a single order's campaign shrink with the order (`refunds`), as their grants say. It must not know how
much was refunded, nor from which lots points are taken.
"""

from collections.abc import Sequence

from loyalty_stream.domain import calendar, draws, fold_campaigns, orders, revoking, rewards
from loyalty_stream.domain.account import Counted, Order, ReviewAward
from loyalty_stream.domain.events import Revoked
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import AwardWithdrawnNote
from loyalty_stream.domain.rules import Rules
from loyalty_stream.domain.scope import net_in


class _Held:
    """The awards that came with an order, and what the account has of them."""

    def __init__(self, order: Order, each: Counted) -> None:
        self.order_id = each.order_id
        self.stem = order.stem
        """The order's."""
        self.campaign_id = each.campaign_id
        self.minimum = each.minimum
        self.awards = each.awards
        self.points = each.points
        self.entries = each.entries
        self.gift = each.gift
        self.grant_id = ""
        """Of its points; empty: none were granted, or not yet."""
        self.granted = 0
        self.revoked = 0
        self.earned_at = 0
        kind = f"campaign:{each.campaign_id}"
        for earned in order.earned:
            if earned.kind == kind and earned.exact is None and not earned.steps:
                self.grant_id, self.granted, self.revoked = earned.grant_id, earned.points, earned.revoked
                self.earned_at = earned.earned_at or order.paid_at
                break


def take_back(journal: Journal, rules: Rules, order_id: str) -> None:
    """After a refund of this order, which the account knows by now: take back what is no longer reached.

    Of spend over the window the awards of the order that was paid last go first, whenever it was heard of.
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
        elif each.awards and _is_missed(order, each):
            single.append(_Held(order, each))
    for held in single:
        _withdraw(journal, rules, held, held.awards)
    for campaign_id in over_window:
        _take_back_latest(journal, rules, campaign_id)


def _is_missed(order: Order, each: Counted) -> bool:
    """Whether what is left of the order no longer reaches its award.

    As with points: of what was free from the start, by a discount for example, an award is gone with its order only.
    """
    if order.cancelled or (order.left_amount == 0 and order.net_amount):
        return True
    left = fold_campaigns.left_in(order, each.scope)
    return left < max(each.minimum, 1) and left < net_in(order, each.scope)


def _take_back_latest(journal: Journal, rules: Rules, campaign_id: str) -> None:
    account = journal.account
    known = account.campaigns.get(campaign_id)
    if known is None or not fold_campaigns.for_spend(known):
        return
    for key, campaigns in orders.latest_awarded(account):
        for each in campaigns:
            if each.campaign_id == campaign_id and each.accumulates and each.awards:
                beyond = fold_campaigns.for_spend(known) - known.spend // max(each.minimum, 1)
                if beyond <= 0:
                    return
                order = orders.by_key(account, key)
                assert order is not None  # it was found just now
                _withdraw(journal, rules, _Held(order, each), min(beyond, each.awards))


def settle(journal: Journal, rules: Rules, order_id: str, campaign_id: str) -> None:
    """Points of spend over the window came after awards of their order were taken back: those go at once."""
    order = orders.find(journal.account, order_id)
    each = None if order is None else fold_campaigns.counted_of(order, campaign_id)
    if order is not None and each is not None:
        _revoke(journal, rules, _Held(order, each), 0)


def take_back_of_review(
    journal: Journal, rules: Rules, review_id: str, awards: Sequence[ReviewAward]
) -> None:
    """What campaigns gave for a review that is removed; as of an order, a gift and entries that are closed stay."""
    account = journal.account
    for award in awards:
        gift = rewards.waited_for(account, award.campaign_id, review_id=review_id) if award.gift else None
        if award.entries or award.gift:
            entered = award.entries and draws.is_open(rules.book, award.campaign_id, journal.now)
            if not entered and gift is None:
                continue
        note = AwardWithdrawnNote(
            award.campaign_id,
            None,
            1,
            award.entries,
            _entry_ids(award.stem, award.campaign_id, 0, award.entries),
            review_id,
        )
        journal.remember("award-withdrawn", note)
        if award.points:
            revoke_of_review(journal, rules, award.campaign_id, award.grant_id, award.points, award.at)
        if gift is not None:
            rewards.withdraw(journal, rules, gift)


def revoke_of_review(
    journal: Journal, rules: Rules, campaign_id: str, grant_id: str, points: int, at: int
) -> None:
    """Take back what a campaign granted at `at` (ms) for a review that is removed."""
    revoking.revoke(
        journal,
        rules,
        reason="review_removed",
        revokes=[Revoked(grant_id, points, calendar.to_datetime(at), campaign_id)],
        own={grant_id},
        campaign_id=campaign_id,
    )


def _withdraw(journal: Journal, rules: Rules, held: _Held, awards: int) -> None:
    """Take awards back. A gift stays once it is given, and so do entries once their draw is closed, and count."""
    gift = (
        rewards.waited_for(journal.account, held.campaign_id, order_id=held.order_id) if held.gift else None
    )
    entered = held.entries and draws.is_open(rules.book, held.campaign_id, journal.now)
    if not held.points and not entered and gift is None:
        return
    stays = held.awards - awards
    note = AwardWithdrawnNote(
        held.campaign_id,
        held.order_id,
        awards,
        held.entries,
        _entry_ids(held.stem, held.campaign_id, stays * held.entries, held.awards * held.entries),
    )
    journal.remember("award-withdrawn", note)
    _revoke(journal, rules, held, awards)
    if gift is not None:
        rewards.withdraw(journal, rules, gift, stays)
    journal.close()  # where no points were granted yet: the next look at the awards must know of it


def _entry_ids(stem: str, campaign_id: str, after: int, last: int) -> tuple[str, ...]:
    return tuple([draws.entry_id(stem, campaign_id, number) for number in range(after + 1, last + 1)])


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

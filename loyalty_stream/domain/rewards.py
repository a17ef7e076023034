"""The reward mall: points redeemed for rewards, rewards given free, and redemptions cancelled (DOMAIN.md).

It must not know how much stock is left, which only its owner does (`allocations`), nor what a campaign is.
"""

from typing import Final, Literal, TypeAlias

from loyalty_stream.domain import allocations, coupons, fold_rewards, grants, lots, restoring, tiers
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import (
    CommandRejected,
    PointHeld,
    PointRedeemed,
    PointReleased,
    RewardIssued,
    Taken,
)
from loyalty_stream.domain.facts import CancelRedemption, RedeemReward
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import ForGift, ForRedemption, KeyNote, RedemptionCancelledNote
from loyalty_stream.domain.rules import Reward, Rules

MAX_COUPONS: Final = 1_000
"""Codes that one redemption can have: an event must not outgrow a record."""

Code: TypeAlias = Literal[
    "insufficient_points",
    "unknown_hold",
    "hold_closed",
    "unknown_reward",
    "out_of_stock",
    "limit_reached",
    "not_eligible",
]


def decide_redeem_reward(journal: Journal, fact: RedeemReward, rules: Rules) -> None:
    """Hold the cost, ask for stock where that is limited, and issue; or say why not.

    A redemption that is known already changes nothing; one that was rejected may be asked for again.
    """
    data = fact.data
    if data.redemption_id in journal.account.redemptions:
        journal.remember("key", KeyNote())
        return
    reward = rules.rewards.get(data.reward_id)
    if reward is None:
        message = f"the programme has no reward {data.reward_id}"
        _reject(journal, "redeem-reward", data.redemption_id, "unknown_reward", message)
        return
    refused = _refusal(journal, rules, reward, data.quantity)
    if refused is not None:
        _reject(journal, "redeem-reward", data.redemption_id, *refused)
        return
    if reward.stock:
        purpose = ForRedemption(data.redemption_id, reward.id, data.quantity, reward.kind)
        allocations.ask(
            journal,
            allocations.stock_of(reward.id),
            data.quantity,
            limit=reward.stock,
            partial=False,
            purpose=purpose,
        )
    _hold(journal, data.redemption_id, reward.cost * data.quantity)
    if not reward.stock:
        _redeem(journal, rules, data.redemption_id)
        _issue(journal, rules, data.redemption_id, reward.id, data.quantity, reward.kind)


def give(
    journal: Journal,
    rules: Rules,
    reward_id: str,
    quantity: int,
    campaign_id: str,
    *,
    order_id: str | None = None,
    review_id: str | None = None,
) -> None:
    """Give a reward free, as a campaign's gift or a draw's prize; without stock left nothing comes of it.

    Neither the reward's window and tiers nor its limit per customer are asked for: the campaign has its own. The
    redemption is named by the event that tells of it first; `order_id` or `review_id` by what it is given for.
    """
    reward = rules.rewards.get(reward_id)
    if reward is None:  # the programme has dropped it since the campaign was published
        return
    journal.close()
    redemption_id = journal.next_id()
    if reward.stock:
        allocations.ask(
            journal,
            allocations.stock_of(reward_id),
            quantity,
            limit=reward.stock,
            partial=False,
            purpose=ForGift(
                redemption_id, reward_id, quantity, reward.kind, campaign_id, order_id, review_id
            ),
        )
    else:
        _issue(journal, rules, redemption_id, reward_id, quantity, reward.kind, campaign_id)


def waited_for(
    account: Account, campaign_id: str, *, order_id: str | None = None, review_id: str | None = None
) -> ForGift | None:
    """The campaign's gift for this order or review, while its stock's owner has not answered."""
    for asked in account.asked.values():
        gift = asked.purpose
        if (
            isinstance(gift, ForGift)
            and gift.campaign_id == campaign_id
            and (gift.order_id, gift.review_id) == (order_id, review_id)
        ):
            return gift
    return None


def withdraw(journal: Journal, rules: Rules, gift: ForGift, stays: int = 0) -> None:
    """A gift that is waited for is not given: what its stock's owner gives goes back. `stays` of it are asked anew."""
    request_id = journal.account.redemptions[gift.redemption_id].request_id
    journal.remember("redemption-cancelled", RedemptionCancelledNote(gift.redemption_id))
    allocations.give_back(journal, request_id, allocations.stock_of(gift.reward_id))
    if stays:
        give(
            journal,
            rules,
            gift.reward_id,
            stays,
            gift.campaign_id,
            order_id=gift.order_id,
            review_id=gift.review_id,
        )
    journal.close()


def decide_stock_answered(journal: Journal, purpose: ForRedemption, given: int, rules: Rules) -> None:
    """The stock's owner has answered to a redemption: its points are spent, or free again."""
    if given:
        _redeem(journal, rules, purpose.redemption_id)
        _issue(journal, rules, purpose.redemption_id, purpose.reward_id, purpose.quantity, purpose.reward)
        return
    release(journal, purpose.redemption_id, "out_of_stock")
    message = f"fewer than {purpose.quantity} of reward {purpose.reward_id} are left"
    _reject(journal, "redeem-reward", purpose.redemption_id, "out_of_stock", message)


def decide_gift_answered(journal: Journal, purpose: ForGift, given: int, rules: Rules) -> None:
    """The stock's owner has answered to a gift."""
    if given:
        _issue(
            journal,
            rules,
            purpose.redemption_id,
            purpose.reward_id,
            purpose.quantity,
            purpose.reward,
            purpose.campaign_id,
        )


def decide_cancel_redemption(journal: Journal, fact: CancelRedemption, rules: Rules) -> None:
    """Give back points, stock and limit, whether the stock's owner has answered or not; or say why not.

    Points come back as those of a refunded order do. A gift or a prize can be cancelled as well.
    """
    redemption_id = fact.data.redemption_id
    known = journal.account.redemptions.get(redemption_id)
    if known is None:
        message = f"nothing was redeemed as {redemption_id}"
        _reject(journal, "cancel-redemption", redemption_id, "unknown_hold", message)
        return
    if known.state == "cancelled":
        message = f"redemption {redemption_id} is cancelled already"
        _reject(journal, "cancel-redemption", redemption_id, "hold_closed", message)
        return
    journal.remember("redemption-cancelled", RedemptionCancelledNote(redemption_id))
    if known.state == "asked":
        release(journal, redemption_id, "cancelled")
    else:
        spent = sum(each.points for each in known.spent)
        restoring.restore(journal, rules, known.spent, spent, redemption_id=redemption_id)
    if known.request_id:
        allocations.give_back(journal, known.request_id, allocations.stock_of(known.reward_id))


def release(journal: Journal, redemption_id: str, reason: Literal["out_of_stock", "cancelled"]) -> None:
    """Give the points that are held for a redemption back."""
    hold_id = fold_rewards.hold_of(redemption_id)
    hold = journal.account.holds.get(hold_id)
    if hold is not None:
        taken = tuple([Taken(grant_id, points) for grant_id, points in hold.taken])
        journal.record(PointReleased(hold_id=hold_id, points=hold.points, reason=reason, grants=taken))
        grants.repay_debt(journal)


def _refusal(journal: Journal, rules: Rules, reward: Reward, quantity: int) -> tuple[Code, str] | None:
    """The first check that fails, in the order of DOMAIN.md's list, and what it saw. Stock comes last: it is asked."""
    account = journal.account
    cost = reward.cost * quantity
    if cost > account.available:
        return "insufficient_points", f"{quantity} cost {cost} points, {account.available} are available"
    if reward.per_customer_limit:
        had = account.reward_counts.get(reward.id, 0)
        if had + quantity > reward.per_customer_limit:
            return (
                "limit_reached",
                f"{quantity} more than the {had} had, the limit is {reward.per_customer_limit}",
            )
    if reward.kind == "coupon" and quantity > MAX_COUPONS:
        return "limit_reached", f"{quantity} coupons at once, the most is {MAX_COUPONS}"
    if journal.at < reward.starts_at_ms or (reward.ends_at_ms and journal.at >= reward.ends_at_ms):
        return "not_eligible", f"reward {reward.id} cannot be had at this time"
    if reward.tiers:
        tier = tiers.current(account, rules)
        if tier not in reward.tiers:
            return "not_eligible", f"reward {reward.id} is for {', '.join(sorted(reward.tiers))} only"
    return None


def _hold(journal: Journal, redemption_id: str, cost: int) -> None:
    if cost:
        journal.record(
            PointHeld(
                hold_id=fold_rewards.hold_of(redemption_id),
                points=cost,
                due_at=None,
                grants=lots.in_spending_order(journal.account, cost, journal.now),
            )
        )


def _redeem(journal: Journal, rules: Rules, redemption_id: str) -> None:
    hold = journal.account.holds.get(fold_rewards.hold_of(redemption_id))
    if hold is not None:
        taken = tuple([Taken(grant_id, points) for grant_id, points in hold.taken])
        journal.record(
            PointRedeemed(
                points=hold.points,
                grants=taken,
                redemption_id=redemption_id,
                all_expire_at=grants.moved_by_activity(journal, rules),
            )
        )


def _issue(
    journal: Journal,
    rules: Rules,
    redemption_id: str,
    reward_id: str,
    quantity: int,
    kind: Literal["goods", "coupon"],
    campaign_id: str | None = None,
) -> None:
    secret, customer = rules.coupon_secret, journal.subject
    journal.record(
        RewardIssued(
            redemption_id=redemption_id,
            reward_id=reward_id,
            quantity=quantity,
            reward=kind,
            coupon_codes=coupons.codes(secret, customer, redemption_id, quantity) if kind == "coupon" else (),
            campaign_id=campaign_id,
        )
    )


def _reject(journal: Journal, command: str, command_id: str, code: Code, message: str) -> None:
    journal.record(CommandRejected(command=command, command_id=command_id, code=code, message=message))

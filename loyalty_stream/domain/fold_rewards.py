"""Folding what an account remembers of its redemptions: what was asked for, issued and cancelled.

It must not know what a reward costs or who may have it.
"""

from typing import assert_never

from loyalty_stream.domain import fold_campaigns
from loyalty_stream.domain.account import Account, Asked, Redeemed, Spent
from loyalty_stream.domain.events import RewardIssued
from loyalty_stream.domain.notes import (
    AnswerNote,
    AskNote,
    ForCampaign,
    ForGift,
    ForRedemption,
    RedemptionCancelledNote,
    ReturnNote,
)


def hold_of(redemption_id: str) -> str:
    """The hold of a redemption's points. No id from outside has a `+`: no command can name it."""
    return f"reward+{redemption_id}"


def asked(account: Account, note: AskNote, at: int) -> None:
    """Something limited is asked for."""
    purpose = note.purpose
    account.asked[note.request_id] = Asked(note.resource, purpose)
    match purpose:
        case ForRedemption() | ForGift():
            free = isinstance(purpose, ForGift)
            account.redemptions[purpose.redemption_id] = Redeemed(
                purpose.reward_id, purpose.quantity, at, "asked", free=free, request_id=note.request_id
            )
            if not free:
                _count(account, purpose.reward_id, purpose.quantity)
        case ForCampaign():  # the award is counted already
            if purpose.review_id is not None:
                fold_campaigns.budget_asked(account, purpose.campaign_id, purpose.review_id, note.request_id)
        case _:
            assert_never(purpose)


def answered(account: Account, note: AnswerNote) -> None:
    """It was given or not; a reward without stock leaves nothing behind."""
    known = account.asked.pop(note.request_id)
    match known.purpose:
        case ForRedemption():
            if not note.given:
                del account.redemptions[known.purpose.redemption_id]
                _count(account, known.purpose.reward_id, -known.purpose.quantity)
        case ForGift():
            if not note.given:
                del account.redemptions[known.purpose.redemption_id]
        case ForCampaign():
            pass
        case _:
            assert_never(known.purpose)


def returned(account: Account, note: ReturnNote) -> None:
    """Nothing is waited for any more."""
    account.asked.pop(note.request_id, None)


def spent(account: Account, redemption_id: str, parts: list[Spent], at: int) -> None:
    """Points were redeemed for it: they are what comes back when it is cancelled."""
    known = account.redemptions.get(redemption_id)
    if known is None:
        known = account.redemptions[redemption_id] = Redeemed("", 0, at, "redeemed")
    known.spent = parts


def issued(account: Account, data: RewardIssued, at: int) -> None:
    """The reward is the customer's."""
    known = account.redemptions.get(data.redemption_id)
    if known is None or known.state != "asked":  # of unlimited stock
        parts = [] if known is None else known.spent
        known = Redeemed(
            data.reward_id, data.quantity, at, "issued", parts, free=data.campaign_id is not None
        )
        account.redemptions[data.redemption_id] = known
        if not known.free:
            _count(account, data.reward_id, data.quantity)
    known.state = "issued"


def cancelled(account: Account, note: RedemptionCancelledNote) -> None:
    """It counts no longer against the limit."""
    known = account.redemptions[note.redemption_id]
    known.state = "cancelled"
    if not known.free:
        _count(account, known.reward_id, -known.quantity)


def forget_before(account: Account, before: int) -> None:
    """Forget old redemptions; what they count against the limit per customer stays."""
    account.redemptions = {
        redemption_id: known
        for redemption_id, known in account.redemptions.items()
        if known.at >= before or known.state == "asked"
    }


def _count(account: Account, reward_id: str, quantity: int) -> None:
    counts = account.reward_counts
    counts[reward_id] = counts.get(reward_id, 0) + quantity
    if not counts[reward_id]:
        del counts[reward_id]

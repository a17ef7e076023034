"""The mall of the tests, commands to it, and the answers of its stock's owner."""

import msgspec

from loyalty_stream.domain.coupons import Secret
from loyalty_stream.domain.events import SOURCE as OURS
from loyalty_stream.domain.events import PointEvent
from loyalty_stream.domain.facts import (
    AllocationAnswered,
    AllocationAnsweredData,
    CancelRedemption,
    RedeemReward,
    RedeemRewardData,
    RedemptionRef,
)
from loyalty_stream.domain.notes import AskNote
from loyalty_stream.domain.rules import Reward
from tests.domain.given import PLAIN, SOURCE, moment

CUP = Reward("tea-cup", "goods", cost=100, stock=10, per_customer_limit=3)
COUPON = Reward("off-10", "coupon", cost=50, stock=0, per_customer_limit=0)
MALL = msgspec.structs.replace(
    PLAIN, rewards={each.id: each for each in (CUP, COUPON)}, coupon_secret=Secret(b"of the tests")
)


def redeem(
    fact_id: str, at: str, reward_id: str, quantity: int = 1, *, redemption_id: str = "", subject: str = "c-1"
) -> RedeemReward:
    """A redemption named by the command's id unless another is given."""
    return RedeemReward(
        specversion="1.0",
        id=fact_id,
        source=SOURCE,
        subject=subject,
        time=moment(at),
        data=RedeemRewardData(redemption_id=redemption_id or fact_id, reward_id=reward_id, quantity=quantity),
    )


def cancel(fact_id: str, at: str, redemption_id: str, subject: str = "c-1") -> CancelRedemption:
    return CancelRedemption(
        specversion="1.0",
        id=fact_id,
        source=SOURCE,
        subject=subject,
        time=moment(at),
        data=RedemptionRef(redemption_id=redemption_id),
    )


def asked(events: list[PointEvent]) -> AskNote:
    """The one thing that was asked for."""
    notes = [event.data.note for event in events if isinstance(event.data.note, AskNote)]
    assert len(notes) == 1
    return notes[0]


def answer(events: list[PointEvent], given: int) -> AllocationAnswered:
    """The owner's answer to what these events asked for."""
    note = asked(events)
    return AllocationAnswered(
        specversion="1.0",
        id=f"{note.request_id}:answered",
        source=OURS,
        subject=events[0].subject,
        time=events[0].time,
        data=AllocationAnsweredData(
            request_id=note.request_id, resource=note.resource, asked=note.quantity, given=given
        ),
    )

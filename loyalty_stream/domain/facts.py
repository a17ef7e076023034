"""What comes in: the facts that platform services publish and the commands they send, as typed CloudEvents.

The types are the contract of EVENTS.md: field names, ranges and defaults are read from here by the wire
codec, the dead-letter reasons and the generated JSON Schemas. Money is in minor units, points are whole.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from loyalty_stream.domain.events import Restored

MAX_AMOUNT = 10**12
"""The largest amount of money that is believed, in minor units (EVENTS.md)."""
MAX_POINTS = 10**12
MAX_COUNT = 10**9

ID_PATTERN = r"[A-Za-z0-9._:@/-]{1,128}"

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, extra={"pattern": ID_PATTERN})]
"""1-128 characters of `[A-Za-z0-9._:@/-]`; the wire codec checks the characters, once per event."""
Text: TypeAlias = Annotated[str, Meta(max_length=1024)]
Alias: TypeAlias = Annotated[str, Meta(max_length=20)]
"""What others see on leaderboards instead of the id; empty: none. Were it longer, a large board would fit no record."""
Why: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024)]
Amount: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
Points: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_POINTS)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Quantity: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]
"""Of a reward at once: each may have a coupon code, and all of them are in one event."""
Stars: TypeAlias = Annotated[int, Meta(ge=1, le=5)]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]


class Fact(Struct, frozen=True, gc=False, tag_field="type", kw_only=True):
    """The CloudEvents envelope; the subclass, chosen by `type`, says what `data` is."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=128, extra={"pattern": ID_PATTERN})]
    source: Annotated[str, Meta(min_length=1, max_length=1024)]
    subject: Annotated[str, Meta(min_length=1, max_length=128, extra={"pattern": ID_PATTERN})]
    time: Moment


class _Data(Struct, frozen=True, gc=False, kw_only=True):
    """Facts are read tolerantly: unknown fields are ignored, wrong types and missing fields are not."""


class _CommandData(Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Commands are read strictly: an unknown field is an error."""


# -- orders ---------------------------------------------------------------------------------------------


class OrderLine(_Data, frozen=True, gc=False, kw_only=True):
    """One line of an order; `amount` is the line's total in minor units."""

    line_id: Id
    sku: Id
    quantity: Count
    amount: Amount
    category: Text | None = None
    merchant_id: Id | None = None


class OrderPaidData(_Data, frozen=True, gc=False, kw_only=True):
    """The order as paid; `discount_amount` is spread over the lines, `hold_id` names points spent on it."""

    order_id: Id
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    lines: Annotated[tuple[OrderLine, ...], Meta(min_length=1, max_length=10_000)]
    discount_amount: Amount = 0
    shipping_amount: Amount = 0
    tax_amount: Amount = 0
    hold_id: Id | None = None
    channel: Text | None = None


class OrderPaid(Fact, frozen=True, gc=False, kw_only=True, tag="order-paid"):
    """An order was paid."""

    data: OrderPaidData


class OrderRef(_Data, frozen=True, gc=False, kw_only=True):
    """Which order."""

    order_id: Id


class OrderCompleted(Fact, frozen=True, gc=False, kw_only=True, tag="order-completed"):
    """An order was received, or its return window has ended."""

    data: OrderRef


class OrderCancelled(Fact, frozen=True, gc=False, kw_only=True, tag="order-cancelled"):
    """An order was cancelled: everything that is left of it is refunded."""

    data: OrderRef


class RefundLine(_Data, frozen=True, gc=False, kw_only=True):
    """What of one line was refunded, in minor units."""

    line_id: Id
    amount: Amount


class OrderRefundedData(_Data, frozen=True, gc=False, kw_only=True):
    """`amount` is goods, net, in minor units; without `lines` it is spread over the order's lines."""

    order_id: Id
    refund_id: Id
    amount: Amount
    lines: tuple[RefundLine, ...] | None = None


class OrderRefunded(Fact, frozen=True, gc=False, kw_only=True, tag="order-refunded"):
    """A part of an order, or all of it, was refunded."""

    data: OrderRefundedData


# -- registrations --------------------------------------------------------------------------------------


class CustomerRegisteredData(_Data, frozen=True, gc=False, kw_only=True):
    """The customer's segments, and the customer who referred them; how they want to be shown on leaderboards."""

    segments: tuple[Text, ...] = ()
    referred_by: Id | None = None
    alias: Alias | None = None
    leaderboard_opt_out: bool | None = None


class CustomerRegistered(Fact, frozen=True, gc=False, kw_only=True, tag="customer-registered"):
    """A customer registered."""

    data: CustomerRegisteredData


class CustomerUpdatedData(_Data, frozen=True, gc=False, kw_only=True):
    """All segments that the customer is in from now on. What is not said of leaderboards stays as it is."""

    segments: tuple[Text, ...]
    alias: Alias | None = None
    leaderboard_opt_out: bool | None = None


class CustomerUpdated(Fact, frozen=True, gc=False, kw_only=True, tag="customer-updated"):
    """A customer's segments changed."""

    data: CustomerUpdatedData


# -- reviews, shares, check-ins, activities -------------------------------------------------------------


class ReviewPublishedData(_Data, frozen=True, gc=False, kw_only=True):
    """A review of one SKU."""

    review_id: Id
    sku: Id
    rating: Stars
    order_id: Id | None = None
    has_photo: bool = False


class ReviewPublished(Fact, frozen=True, gc=False, kw_only=True, tag="review-published"):
    """A customer's review was published."""

    data: ReviewPublishedData


class ReviewRef(_Data, frozen=True, gc=False, kw_only=True):
    """Which review."""

    review_id: Id


class ReviewRemoved(Fact, frozen=True, gc=False, kw_only=True, tag="review-removed"):
    """A review was removed: its points go back."""

    data: ReviewRef


class ShareCompletedData(_Data, frozen=True, gc=False, kw_only=True):
    """A share on one channel."""

    share_id: Id
    channel: Text
    sku: Id | None = None
    campaign_id: Id | None = None


class ShareCompleted(Fact, frozen=True, gc=False, kw_only=True, tag="share-completed"):
    """A customer shared something on a social channel."""

    data: ShareCompletedData


class CheckedInData(_Data, frozen=True, gc=False, kw_only=True):
    """Empty: the event's time says the day, in the programme's time zone."""


class CheckedIn(Fact, frozen=True, gc=False, kw_only=True, tag="checked-in"):
    """A customer checked in."""

    data: CheckedInData


class GamePlayedData(_Data, frozen=True, gc=False, kw_only=True):
    """One play of a game."""

    game_id: Id
    play_id: Id
    score: Annotated[int, Meta(ge=0, le=10**12)]


class GamePlayed(Fact, frozen=True, gc=False, kw_only=True, tag="game-played"):
    """A customer played a game to its end."""

    data: GamePlayedData


class SurveySubmittedData(_Data, frozen=True, gc=False, kw_only=True):
    """A response to a survey, with the customer's satisfaction where it was asked."""

    survey_id: Id
    response_id: Id
    satisfaction: Stars | None = None


class SurveySubmitted(Fact, frozen=True, gc=False, kw_only=True, tag="survey-submitted"):
    """A customer answered a survey."""

    data: SurveySubmittedData


class ActivityAttendedData(_Data, frozen=True, gc=False, kw_only=True):
    """One attendance of an activity."""

    activity_id: Id
    attendance_id: Id
    mode: Literal["online", "offline"]


class ActivityAttended(Fact, frozen=True, gc=False, kw_only=True, tag="activity-attended"):
    """A customer attended an activity, online or offline."""

    data: ActivityAttendedData


# -- commands -------------------------------------------------------------------------------------------


class HoldPointsData(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """`order_amount`, in minor units, is what the maximum share of points is checked against."""

    hold_id: Id
    points: Points
    order_id: Id | None = None
    order_amount: Amount | None = None


class HoldPoints(Fact, frozen=True, gc=False, kw_only=True, tag="hold-points"):
    """Reserve points, for a checkout."""

    data: HoldPointsData


class HoldRef(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Which hold."""

    hold_id: Id


class ConfirmHold(Fact, frozen=True, gc=False, kw_only=True, tag="confirm-hold"):
    """Redeem held points without an order."""

    data: HoldRef


class ReleaseHold(Fact, frozen=True, gc=False, kw_only=True, tag="release-hold"):
    """Give held points back."""

    data: HoldRef


class RedeemRewardData(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """How many of which reward."""

    redemption_id: Id
    reward_id: Id
    quantity: Quantity = 1


class RedeemReward(Fact, frozen=True, gc=False, kw_only=True, tag="redeem-reward"):
    """Redeem points for a reward of the mall."""

    data: RedeemRewardData


class RedemptionRef(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Which redemption."""

    redemption_id: Id


class CancelRedemption(Fact, frozen=True, gc=False, kw_only=True, tag="cancel-redemption"):
    """Cancel a redemption: points, stock and limit are given back."""

    data: RedemptionRef


class EnterDrawData(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """One entry into a campaign's draw."""

    entry_id: Id
    campaign_id: Id


class EnterDraw(Fact, frozen=True, gc=False, kw_only=True, tag="enter-draw"):
    """Enter a draw."""

    data: EnterDrawData


class AdjustPointsData(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Positive points are a grant, negative ones a revocation; `operator` is who answers for it."""

    adjustment_id: Id
    points: Annotated[int, Meta(ge=-MAX_POINTS, le=MAX_POINTS, extra={"not": 0})]
    reason: Why
    operator: Why

    def __post_init__(self) -> None:
        if self.points == 0:
            raise ValueError("`points` must not be 0")


class AdjustPoints(Fact, frozen=True, gc=False, kw_only=True, tag="adjust-points"):
    """Correct an account by hand, never beyond what is available."""

    data: AdjustPointsData


class GrantPointsData(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A grant by another stage or service, such as a leaderboard's reward."""

    grant_id: Id
    points: Points
    reason: Why


class GrantPoints(Fact, frozen=True, gc=False, kw_only=True, tag="grant-points"):
    """Grant points."""

    data: GrantPointsData


class EraseCustomerData(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Which request for erasure."""

    request_id: Id


class EraseCustomer(Fact, frozen=True, gc=False, kw_only=True, tag="erase-customer"):
    """End an account and revoke what remains."""

    data: EraseCustomerData


# -- answers to what an account asked for, from ourselves -------------------------------------------------


class AllocationAnsweredData(_Data, frozen=True, gc=False, kw_only=True):
    """`given` of the `asked` quantity of `resource` is the request's, 0 for nothing."""

    request_id: str
    resource: str
    asked: int
    given: int


class AllocationAnswered(Fact, frozen=True, gc=False, kw_only=True, tag="allocation-answered"):
    """The owner of something limited has answered; `time` is that of the event that asked."""

    data: AllocationAnsweredData


class EntryWonData(_Data, frozen=True, gc=False, kw_only=True):
    """`proof` is the HMAC-SHA256 of the entry's id under the seed, in hex."""

    entry_id: str
    campaign_id: str
    prize: str
    proof: str


class EntryWon(Fact, frozen=True, gc=False, kw_only=True, tag="draw-entry-won"):
    """The draw was held and this entry won; `time` is that of the seed's revelation."""

    data: EntryWonData


class EntryRefusedData(_Data, frozen=True, gc=False, kw_only=True):
    """`paid` are the points that the entry cost, with the dates that they come back with."""

    entry_id: str
    campaign_id: str
    paid: tuple[Restored, ...] = ()


class EntryRefused(Fact, frozen=True, gc=False, kw_only=True, tag="draw-entry-refused"):
    """The draw was held before this entry came: it takes no part; `time` is that of the entry."""

    data: EntryRefusedData


Answer: TypeAlias = AllocationAnswered | EntryWon | EntryRefused
"""What other stages of ours tell an account; nobody else may."""

Incoming: TypeAlias = (
    OrderPaid
    | OrderCompleted
    | OrderCancelled
    | OrderRefunded
    | CustomerRegistered
    | CustomerUpdated
    | ReviewPublished
    | ReviewRemoved
    | ShareCompleted
    | CheckedIn
    | GamePlayed
    | SurveySubmitted
    | ActivityAttended
    | HoldPoints
    | ConfirmHold
    | ReleaseHold
    | AdjustPoints
    | GrantPoints
    | RedeemReward
    | CancelRedemption
    | EnterDraw
    | EraseCustomer
)
"""What an account acts on today."""

"""What comes in: the facts that platform services publish and the commands they send, as typed CloudEvents.

The types are the contract of EVENTS.md: field names, ranges and defaults are read from here by the wire
codec, the dead-letter reasons and the generated JSON Schemas. Money is in minor units, points are whole.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

MAX_AMOUNT = 10**12
"""The largest amount of money that is believed, in minor units (EVENTS.md)."""
MAX_POINTS = 10**12
MAX_COUNT = 10**9

ID_PATTERN = r"[A-Za-z0-9._:@/-]{1,128}"

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, extra={"pattern": ID_PATTERN})]
"""1-128 characters of `[A-Za-z0-9._:@/-]`; the wire codec checks the characters, once per event."""
Text: TypeAlias = Annotated[str, Meta(max_length=1024)]
Amount: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
Points: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_POINTS)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
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
    order_id: Id
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    lines: Annotated[tuple[OrderLine, ...], Meta(min_length=1, max_length=10_000)]
    discount_amount: Amount = 0
    shipping_amount: Amount = 0
    tax_amount: Amount = 0
    hold_id: Id | None = None
    channel: Text | None = None


class OrderPaid(Fact, frozen=True, gc=False, kw_only=True, tag="order-paid"):
    data: OrderPaidData


class OrderRef(_Data, frozen=True, gc=False, kw_only=True):
    order_id: Id


class OrderCompleted(Fact, frozen=True, gc=False, kw_only=True, tag="order-completed"):
    data: OrderRef


class OrderCancelled(Fact, frozen=True, gc=False, kw_only=True, tag="order-cancelled"):
    data: OrderRef


class RefundLine(_Data, frozen=True, gc=False, kw_only=True):
    line_id: Id
    amount: Amount


class OrderRefundedData(_Data, frozen=True, gc=False, kw_only=True):
    order_id: Id
    refund_id: Id
    amount: Amount
    lines: tuple[RefundLine, ...] | None = None


class OrderRefunded(Fact, frozen=True, gc=False, kw_only=True, tag="order-refunded"):
    data: OrderRefundedData


# -- registrations --------------------------------------------------------------------------------------


class CustomerRegisteredData(_Data, frozen=True, gc=False, kw_only=True):
    segments: tuple[Text, ...] = ()
    referred_by: Id | None = None


class CustomerRegistered(Fact, frozen=True, gc=False, kw_only=True, tag="customer-registered"):
    data: CustomerRegisteredData


class CustomerUpdatedData(_Data, frozen=True, gc=False, kw_only=True):
    segments: tuple[Text, ...]


class CustomerUpdated(Fact, frozen=True, gc=False, kw_only=True, tag="customer-updated"):
    data: CustomerUpdatedData


# -- reviews, shares, check-ins, activities -------------------------------------------------------------


class ReviewPublishedData(_Data, frozen=True, gc=False, kw_only=True):
    review_id: Id
    sku: Id
    rating: Stars
    order_id: Id | None = None
    has_photo: bool = False


class ReviewPublished(Fact, frozen=True, gc=False, kw_only=True, tag="review-published"):
    data: ReviewPublishedData


class ReviewRef(_Data, frozen=True, gc=False, kw_only=True):
    review_id: Id


class ReviewRemoved(Fact, frozen=True, gc=False, kw_only=True, tag="review-removed"):
    data: ReviewRef


class ShareCompletedData(_Data, frozen=True, gc=False, kw_only=True):
    share_id: Id
    channel: Text
    sku: Id | None = None
    campaign_id: Id | None = None


class ShareCompleted(Fact, frozen=True, gc=False, kw_only=True, tag="share-completed"):
    data: ShareCompletedData


class CheckedInData(_Data, frozen=True, gc=False, kw_only=True):
    """Empty: the event's time says the day, in the programme's time zone."""


class CheckedIn(Fact, frozen=True, gc=False, kw_only=True, tag="checked-in"):
    data: CheckedInData


class GamePlayedData(_Data, frozen=True, gc=False, kw_only=True):
    game_id: Id
    play_id: Id
    score: Annotated[int, Meta(ge=0, le=10**12)]


class GamePlayed(Fact, frozen=True, gc=False, kw_only=True, tag="game-played"):
    data: GamePlayedData


class SurveySubmittedData(_Data, frozen=True, gc=False, kw_only=True):
    survey_id: Id
    response_id: Id
    satisfaction: Stars | None = None


class SurveySubmitted(Fact, frozen=True, gc=False, kw_only=True, tag="survey-submitted"):
    data: SurveySubmittedData


class ActivityAttendedData(_Data, frozen=True, gc=False, kw_only=True):
    activity_id: Id
    attendance_id: Id
    mode: Literal["online", "offline"]


class ActivityAttended(Fact, frozen=True, gc=False, kw_only=True, tag="activity-attended"):
    data: ActivityAttendedData


# -- commands -------------------------------------------------------------------------------------------


class HoldPointsData(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    hold_id: Id
    points: Points
    order_id: Id | None = None
    order_amount: Amount | None = None


class HoldPoints(Fact, frozen=True, gc=False, kw_only=True, tag="hold-points"):
    data: HoldPointsData


class HoldRef(_CommandData, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    hold_id: Id


class ConfirmHold(Fact, frozen=True, gc=False, kw_only=True, tag="confirm-hold"):
    data: HoldRef


class ReleaseHold(Fact, frozen=True, gc=False, kw_only=True, tag="release-hold"):
    data: HoldRef


Incoming: TypeAlias = (
    OrderPaid
    | CustomerRegistered
    | CustomerUpdated
    | ReviewPublished
    | ShareCompleted
    | CheckedIn
    | GamePlayed
    | SurveySubmitted
    | ActivityAttended
    | HoldPoints
    | ConfirmHold
    | ReleaseHold
)
"""What an account acts on today."""

NotYet: TypeAlias = OrderCompleted | OrderCancelled | OrderRefunded | ReviewRemoved
"""Facts of the contract that the ledger reads and does not act on yet: they are kept as dead letters."""

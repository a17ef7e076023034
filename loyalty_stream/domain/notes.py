"""What an account must remember of a fact, whether or not points moved: the notes that point events carry.

A note rides on the first event of its cause, or has an `account-noted` of its own (see `journal`); `fold_notes` folds
them, and `docs/events.md` tells readers of each.
"""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct


class OrderNote(Struct, frozen=True, gc=False, tag_field="kind", tag="order", omit_defaults=True):
    """A paid order and its lines: each its id and its goods net of discount and points, in minor units."""

    order_id: str
    lines: tuple[tuple[str, int], ...]
    first: bool = False
    """It carries the first-purchase bonus."""
    counts: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """The campaigns that count its spend over their window, each with the positions of the lines; none: all."""


class RefundNote(Struct, frozen=True, gc=False, tag_field="kind", tag="refund", omit_defaults=True):
    """What of each line (by its position) was refunded by this cause, in minor units; `cancelled`: the rest of all."""

    order_id: str
    lines: tuple[tuple[int, int], ...]
    refund_id: str | None = None
    cancelled: bool = False


class CompletionNote(Struct, frozen=True, gc=False, tag_field="kind", tag="completion"):
    """The order was received, or its return window has ended."""

    order_id: str


class WaitingNote(Struct, frozen=True, gc=False, tag_field="kind", tag="waiting", omit_defaults=True):
    """An event of an order that came too early: `event` is it as JSON text.

    An `order-paid` names the hold that it waits for; a refund, cancellation or completion waits for its payment.
    """

    order_id: str
    due_at: datetime
    event: str
    hold_id: str = ""
    earlier: int = 1
    """How many events its cause has made when it begins to wait, this one included."""


class DroppedNote(Struct, frozen=True, gc=False, tag_field="kind", tag="dropped", omit_defaults=True):
    """An event of an order is not applied. `waiting` is its stem, as which it may have waited.

    A repeat, or nothing that it could belong to came within the retention: without `why`. Or a refund beyond what
    is left of the order: `why` and `event`, its JSON text, by which it goes to the dead letters.
    """

    order_id: str
    waiting: str
    why: str | None = None
    event: str | None = None


class RegistrationNote(Struct, frozen=True, gc=False, tag_field="kind", tag="registration"):
    """The customer registered, with these segments, referred by this customer."""

    segments: tuple[str, ...] = ()
    referred_by: str | None = None


class SegmentNote(Struct, frozen=True, gc=False, tag_field="kind", tag="segment"):
    """The customer's segments from now on."""

    segments: tuple[str, ...]


class ReviewNote(Struct, frozen=True, gc=False, tag_field="kind", tag="review"):
    """A review of one SKU, published on a local day."""

    review_id: str
    sku: str
    day: int
    """Local day, as days since 1970-01-01."""
    order_id: str | None = None
    earned: bool = True
    """Counts against the daily limit of reviews that earn."""


class ReviewRemovedNote(Struct, frozen=True, gc=False, tag_field="kind", tag="review-removed"):
    """A review was removed, whether it has been published yet or not."""

    review_id: str


class ShareNote(Struct, frozen=True, gc=False, tag_field="kind", tag="share"):
    """A share; `earned`: it counts against the daily limit of shares."""

    share_id: str
    day: int
    earned: bool = True


class CheckInNote(Struct, frozen=True, gc=False, tag_field="kind", tag="check-in"):
    """A check-in on a local day, as days since 1970-01-01."""

    day: int


class GameNote(Struct, frozen=True, gc=False, tag_field="kind", tag="game"):
    """A play of a game; `earned`: it counts against the game's daily limit."""

    game_id: str
    play_id: str
    day: int
    earned: bool = True


class SurveyNote(Struct, frozen=True, gc=False, tag_field="kind", tag="survey"):
    """A response to a survey."""

    survey_id: str
    response_id: str
    satisfaction: int | None = None


class ActivityNote(Struct, frozen=True, gc=False, tag_field="kind", tag="activity"):
    """An attendance of an activity."""

    activity_id: str
    attendance_id: str


class HoldNote(Struct, frozen=True, gc=False, tag_field="kind", tag="hold"):
    """An order took the cash value of a hold off, `amount` in minor units, without redeeming any points."""

    hold_id: str
    order_id: str
    amount: int


class ForgottenNote(Struct, frozen=True, gc=False, tag_field="kind", tag="forgotten"):
    """The retention has ended for all before the instant `before` (ms) and the local day `before_day`."""

    before: int
    before_day: int
    campaigns: tuple[str, ...] = ()
    """Campaigns that nothing can come for any more."""


class AwardNote(Struct, frozen=True, gc=False, tag_field="kind", tag="award", omit_defaults=True):
    """A campaign awards the cause's customer: points, entries to its draw, or gifts, each so many of one award.

    A cause has at most one of a campaign. Points follow with the note, or once the budget's owner has answered;
    entries and gifts are turned into `draw-entered` and `reward-issued`.
    """

    campaign_id: str
    version: int
    awards: int = 1
    points: int = 0
    entries: int = 0
    gift: str | None = None
    """A reward's id."""
    order_id: str | None = None
    accumulated: bool = False
    """For the spend over the campaign's window; else for this order alone, or for no order."""
    minimum_amount: int = 0
    """The spend that an award takes, in minor units."""
    scope: tuple[int, ...] = ()
    """Positions of the order's lines that count; none: all."""
    review_id: str | None = None
    """The review that it is given for, which can be removed."""


class AwardWithdrawnNote(
    Struct, frozen=True, gc=False, tag_field="kind", tag="award-withdrawn", omit_defaults=True
):
    """Awards are taken back: a refund took the spend below what they need, or their review was removed.

    With neither order nor review: an entry to a draw that came too late takes no part.
    """

    campaign_id: str
    order_id: str | None
    """The order that they came with; null: none."""
    awards: int
    entries: int = 0
    """Of one award."""
    entry_ids: tuple[str, ...] = ()
    """The entries to the campaign's draw that take part no longer."""
    review_id: str | None = None


class ErasedNote(Struct, frozen=True, gc=False, tag_field="kind", tag="erased", omit_defaults=True):
    """The account has ended: all but its totals is forgotten, and `debt` that was still owed is let go."""

    request_id: str
    debt: int = 0
    draws: tuple[str, ...] = ()
    """Campaigns with a draw whose winners may not be drawn yet: the customer's entries take part no longer."""


class TierNote(Struct, frozen=True, gc=False, tag_field="kind", tag="tier", omit_defaults=True):
    """What counts towards tiers was worked out anew and changes none: how much it is, and how long it suffices.

    No downgrade is due before `valid_until`, null: none at all. One of the other two is set, by the basis.
    """

    valid_until: datetime | None = None
    tier_points: int | None = None
    spend_amount: int | None = None


class ReferralNote(Struct, frozen=True, gc=False, tag_field="kind", tag="referral"):
    """The customer's first purchase earns their referrer so many points; a `grant-points` for it goes out."""

    referrer: str
    points: int


class ForRedemption(Struct, frozen=True, gc=False, tag_field="for", tag="redemption"):
    """Stock for a reward that points are held for."""

    redemption_id: str
    reward_id: str
    quantity: int
    reward: Literal["goods", "coupon"]


class ForGift(Struct, frozen=True, gc=False, tag_field="for", tag="gift", omit_defaults=True):
    """Stock for a reward that is free: a campaign's gift or a draw's prize."""

    redemption_id: str
    reward_id: str
    quantity: int
    reward: Literal["goods", "coupon"]
    campaign_id: str
    order_id: str | None = None
    """The order or"""
    review_id: str | None = None
    """the review that it is given for: once that is undone, the gift is no longer waited for."""


class CampaignGrant(Struct, frozen=True, gc=False, omit_defaults=True):
    """Points that a campaign gives, with what their `PointGranted` tells of them."""

    points: int
    base_amount: int | None = None
    exact: tuple[int, int] | None = None
    rounding: Literal["floor", "half_up", "ceil"] | None = None
    steps: tuple[tuple[int, int], ...] | None = None
    scope: tuple[int, ...] | None = None


class ForCampaign(Struct, frozen=True, gc=False, tag_field="for", tag="campaign", omit_defaults=True):
    """Points of a campaign's budget: what an award grants, in this order, as far as it goes."""

    campaign_id: str
    version: int
    grants: tuple[CampaignGrant, ...]
    order_id: str | None = None
    review_id: str | None = None


Purpose: TypeAlias = ForRedemption | ForGift | ForCampaign
"""What an answer is for, with all that must be known then."""


class AskNote(Struct, frozen=True, gc=False, tag_field="kind", tag="ask", omit_defaults=True):
    """`quantity` of a resource is asked for, of the `limit` that there are; the request goes out to its owner."""

    request_id: str
    resource: str
    quantity: int
    limit: int
    purpose: Purpose
    partial: bool = False
    """Less than the quantity will do."""


class AnswerNote(Struct, frozen=True, gc=False, tag_field="kind", tag="answer"):
    """The resource's owner has answered: so much is given, 0 for nothing."""

    request_id: str
    given: int


class ReturnNote(Struct, frozen=True, gc=False, tag_field="kind", tag="return"):
    """All that a request got, or is still to get, is given back; the owner is told."""

    request_id: str
    resource: str


class RedemptionCancelledNote(Struct, frozen=True, gc=False, tag_field="kind", tag="redemption-cancelled"):
    """The redemption of a reward is cancelled."""

    redemption_id: str


class CampaignStartedNote(Struct, frozen=True, gc=False, tag_field="kind", tag="campaign-started"):
    """The customer is told that a campaign has started, by these channels and with this template."""

    campaign_id: str
    version: int
    ends_at: datetime
    channels: tuple[str, ...]
    template: str


class StandingNote(Struct, frozen=True, gc=False, tag_field="kind", tag="standing", omit_defaults=True):
    """How the customer wants to be shown on leaderboards, or that they are on none; null: as before.

    The account needs to know none of it.
    """

    alias: str | None = None
    """What others see instead of the id; empty: none."""
    opted_out: bool | None = None


class KeyNote(Struct, frozen=True, gc=False, tag_field="kind", tag="key"):
    """Only that the fact was seen: a business duplicate under a new id, for example."""


Note: TypeAlias = (
    OrderNote
    | RefundNote
    | CompletionNote
    | WaitingNote
    | DroppedNote
    | RegistrationNote
    | SegmentNote
    | ReviewNote
    | ReviewRemovedNote
    | ShareNote
    | CheckInNote
    | GameNote
    | SurveyNote
    | ActivityNote
    | KeyNote
    | HoldNote
    | ForgottenNote
    | AwardNote
    | AwardWithdrawnNote
    | ErasedNote
    | CampaignStartedNote
    | TierNote
    | ReferralNote
    | AskNote
    | AnswerNote
    | ReturnNote
    | RedemptionCancelledNote
    | StandingNote
)

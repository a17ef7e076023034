"""Bytes of an input record to a checked fact, or to the reason why not. It knows no account and no programme.

This runs once per input event, so the happy path is as short as it can be: msgspec checks types and ranges
in C, all ids are checked in one go, and only what fails is looked at again (by `refusal`) to say why.
"""

from collections.abc import Callable
from typing import Final

from msgspec.json import Decoder

from loyalty_stream.domain import announcements, facts
from loyalty_stream.domain.announcements import Announcement
from loyalty_stream.domain.calendar import DAY_MS
from loyalty_stream.domain.facts import Incoming
from loyalty_stream.wire.decoded import Decoded
from loyalty_stream.wire.instants import YEAR_2000_MS, YEAR_3000_MS, instant_ms
from loyalty_stream.wire.reasons import Reason
from loyalty_stream.wire.refusal import MAX_RECORD_BYTES, Refused, refusal
from loyalty_stream.wire.topics import ACCEPTED, FACT_OF_TYPE, union_of

__all__ = ["Decoded", "Reason", "Refused", "decode", "decode_line"]


def decode(
    topic_kind: str, key: bytes | None, value: bytes | None, timestamp_ms: int | None
) -> Decoded | Refused:
    """Read one record of an input topic; `timestamp_ms` is the broker's, None where there is none.

    Raises KeyError for a topic kind that `topics.ACCEPTED` does not have: that is the caller's mistake.
    """
    ids_of_type = _IDS_OF_TOPIC[topic_kind]
    if value is None or len(value) > MAX_RECORD_BYTES:
        return refusal(topic_kind, key, value, timestamp_ms)
    try:
        fact = _read(value)
    except _UNREADABLE as error:
        return refusal(topic_kind, key, value, timestamp_ms, error)
    at_ms = instant_ms(fact.time)
    ids_of = ids_of_type.get(type(fact))
    if (
        ids_of is None  # the type belongs to another topic
        or fact.subject.encode() != key
        or not ids_of(fact).encode().translate(_AS_LETTERS).isalnum()  # their lengths are checked
        or not YEAR_2000_MS <= at_ms < YEAR_3000_MS
        or (timestamp_ms is not None and at_ms - timestamp_ms > DAY_MS)
    ):
        return refusal(topic_kind, key, value, timestamp_ms)
    return Decoded(fact, at_ms)


def decode_line(value: bytes) -> Decoded | Refused:
    """Read one event of any topic's type that has no record around it: no key and no timestamp to check."""
    if len(value) > MAX_RECORD_BYTES:
        return refusal(None, None, value, None)
    try:
        fact = _read(value)
    except _UNREADABLE as error:
        return refusal(None, None, value, None, error)
    at_ms = instant_ms(fact.time)
    if (
        not _IDS[type(fact)](fact).encode().translate(_AS_LETTERS).isalnum()
        or not YEAR_2000_MS <= at_ms < YEAR_3000_MS
    ):
        return refusal(None, None, value, None)
    return Decoded(fact, at_ms)


# msgspec's own errors and UnicodeDecodeError are ValueErrors; deep nesting is a RecursionError.
_UNREADABLE: Final = (ValueError, RecursionError)
_AS_LETTERS: Final = bytes.maketrans(b"._:@/-", b"aaaaaa")
"""Makes letters of what ids may hold besides letters and digits; bytes know no letters but those of ASCII."""


# -- the ids of each type, end to end --------------------------------------------------------------------


def _order_paid(fact: facts.OrderPaid) -> str:
    data = fact.data
    ids = f"{fact.id}{fact.subject}{data.order_id}{data.hold_id or ''}"
    for line in data.lines:
        ids += line.line_id + line.sku
        if line.merchant_id is not None:
            ids += line.merchant_id
    return ids


def _order(fact: facts.OrderCompleted | facts.OrderCancelled) -> str:
    return fact.id + fact.subject + fact.data.order_id


def _order_refunded(fact: facts.OrderRefunded) -> str:
    data = fact.data
    lines = "".join([line.line_id for line in data.lines or ()])
    return f"{fact.id}{fact.subject}{data.order_id}{data.refund_id}{lines}"


def _customer_registered(fact: facts.CustomerRegistered) -> str:
    return f"{fact.id}{fact.subject}{fact.data.referred_by or ''}"


def _envelope(fact: facts.CustomerUpdated | facts.CheckedIn) -> str:
    return fact.id + fact.subject


def _review_published(fact: facts.ReviewPublished) -> str:
    data = fact.data
    return f"{fact.id}{fact.subject}{data.review_id}{data.sku}{data.order_id or ''}"


def _review_removed(fact: facts.ReviewRemoved) -> str:
    return fact.id + fact.subject + fact.data.review_id


def _share_completed(fact: facts.ShareCompleted) -> str:
    data = fact.data
    return f"{fact.id}{fact.subject}{data.share_id}{data.sku or ''}{data.campaign_id or ''}"


def _game_played(fact: facts.GamePlayed) -> str:
    return f"{fact.id}{fact.subject}{fact.data.game_id}{fact.data.play_id}"


def _survey_submitted(fact: facts.SurveySubmitted) -> str:
    return f"{fact.id}{fact.subject}{fact.data.survey_id}{fact.data.response_id}"


def _activity_attended(fact: facts.ActivityAttended) -> str:
    return f"{fact.id}{fact.subject}{fact.data.activity_id}{fact.data.attendance_id}"


def _hold_points(fact: facts.HoldPoints) -> str:
    return f"{fact.id}{fact.subject}{fact.data.hold_id}{fact.data.order_id or ''}"


def _hold(fact: facts.ConfirmHold | facts.ReleaseHold) -> str:
    return fact.id + fact.subject + fact.data.hold_id


def _redeem_reward(fact: facts.RedeemReward) -> str:
    return f"{fact.id}{fact.subject}{fact.data.redemption_id}{fact.data.reward_id}"


def _cancel_redemption(fact: facts.CancelRedemption) -> str:
    return fact.id + fact.subject + fact.data.redemption_id


def _enter_draw(fact: facts.EnterDraw) -> str:
    return f"{fact.id}{fact.subject}{fact.data.entry_id}{fact.data.campaign_id}"


def _adjust_points(fact: facts.AdjustPoints) -> str:
    return fact.id + fact.subject + fact.data.adjustment_id


def _grant_points(fact: facts.GrantPoints) -> str:
    return fact.id + fact.subject + fact.data.grant_id


def _campaign_published(fact: announcements.CampaignPublished) -> str:
    return fact.id + fact.subject


def _campaign_withdrawn(fact: announcements.CampaignWithdrawn) -> str:
    return fact.id + fact.subject + fact.data.id


def _draw_seed_revealed(fact: announcements.DrawSeedRevealed) -> str:
    return fact.id + fact.subject + fact.data.campaign_id


def _erase_customer(fact: facts.EraseCustomer) -> str:
    return fact.id + fact.subject + fact.data.request_id


_IDS: Final[dict[type[facts.Fact], Callable[..., str]]] = {
    facts.OrderPaid: _order_paid,
    facts.OrderCompleted: _order,
    facts.OrderCancelled: _order,
    facts.OrderRefunded: _order_refunded,
    facts.CustomerRegistered: _customer_registered,
    facts.CustomerUpdated: _envelope,
    facts.ReviewPublished: _review_published,
    facts.ReviewRemoved: _review_removed,
    facts.ShareCompleted: _share_completed,
    facts.CheckedIn: _envelope,
    facts.GamePlayed: _game_played,
    facts.SurveySubmitted: _survey_submitted,
    facts.ActivityAttended: _activity_attended,
    facts.HoldPoints: _hold_points,
    facts.ConfirmHold: _hold,
    facts.ReleaseHold: _hold,
    facts.RedeemReward: _redeem_reward,
    facts.CancelRedemption: _cancel_redemption,
    facts.EnterDraw: _enter_draw,
    facts.AdjustPoints: _adjust_points,
    facts.GrantPoints: _grant_points,
    facts.EraseCustomer: _erase_customer,
    announcements.CampaignPublished: _campaign_published,
    announcements.CampaignWithdrawn: _campaign_withdrawn,
    announcements.DrawSeedRevealed: _draw_seed_revealed,
}


_IDS_OF_TOPIC: Final = {topic: {kind: _IDS[kind] for kind in kinds} for topic, kinds in ACCEPTED.items()}

# One decoder for all types: of a union with one member, msgspec takes an event without its `type` as well.
# A union made at run time has no static type; `FACT_OF_TYPE` holds members of these only.
_every_type: Final[Decoder[Incoming | Announcement]] = Decoder(union_of(tuple(FACT_OF_TYPE.values())))
_read: Final = _every_type.decode

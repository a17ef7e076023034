"""Folding what an account remembers of a fact besides points: keys, orders, streaks, counters, segments."""

from bisect import bisect_right
from typing import Final, assert_never

from loyalty_stream.domain import calendar, fold_campaigns, fold_rewards, identity, lot_records, orders
from loyalty_stream.domain.account import ACCOUNT_FIELDS, KEY_BUCKET_MS, NEVER, Account, Line, Order, Waiting
from loyalty_stream.domain.events import TierChanged
from loyalty_stream.domain.notes import (
    ActivityNote,
    AnswerNote,
    AskNote,
    AwardNote,
    AwardWithdrawnNote,
    CampaignStartedNote,
    CheckInNote,
    CompletionNote,
    DroppedNote,
    ErasedNote,
    ForgottenNote,
    GameNote,
    HoldNote,
    KeyNote,
    Note,
    OrderNote,
    RedemptionCancelledNote,
    ReferralNote,
    RefundNote,
    RegistrationNote,
    ReturnNote,
    ReviewNote,
    ReviewRemovedNote,
    SegmentNote,
    ShareNote,
    StandingNote,
    SurveyNote,
    TierNote,
    WaitingNote,
)

REFUSED: Final = "entry-refused"
"""What entries to a draw that came too late are remembered under."""


def remember_cause(account: Account, key: bytes, stem: str, at: int) -> None:
    """File the key of a cause, with its second, under the sixteen weeks of `at`."""
    causes = account.causes
    bucket = at // KEY_BUCKET_MS
    entry = key + (at % KEY_BUCKET_MS // 1000).to_bytes(identity.ENTRY_BYTES - identity.KEY_BYTES, "big")
    blob = causes.get(bucket)
    causes[bucket] = entry if blob is None else blob + entry
    account.filed[stem] = at, 0 if blob is None else len(blob) // identity.ENTRY_BYTES
    if not account.prefix:
        account.prefix = stem[: identity.PREFIX]


def remember(account: Account, key: bytes, at: int) -> None:
    """File a business key under the sixteen weeks of `at`."""
    keys = account.keys
    bucket = at // KEY_BUCKET_MS
    blob = keys.get(bucket)
    keys[bucket] = key if blob is None else blob + key


def fold_note(account: Account, note: Note, stem: str, at: int) -> None:  # noqa: C901, PLR0912, PLR0915 - one case for each kind
    match note:  # the commonest first: every one before costs as much as a call
        case OrderNote():
            lines: list[Line] = []
            for line_id, net in note.lines:
                lines.append(Line(line_id, net))
                account.tier_spend += net
            order = Order(stem, at, lines, first=note.first)
            if note.counts:
                fold_campaigns.counted(account, order, note)
            orders.add(account, note.order_id, order)
            if note.first:
                account.first_order = stem
            if account.waiting:
                account.waiting.pop(stem, None)
        case AwardNote():
            fold_campaigns.awarded(account, note, stem, at)
        case AskNote():
            fold_rewards.asked(account, note, at)
        case AnswerNote():
            fold_rewards.answered(account, note)
        case CheckInNote():
            _join_streaks(account.streaks, note.day)
        case ReviewNote():
            remember(account, identity.business_key("review", note.review_id), at)
            if note.order_id is not None:
                remember(account, identity.business_key("reviewed", note.order_id, note.sku), at)
            if note.earned:
                count(account, note.day, "review", 1)
        case ShareNote():
            remember(account, identity.business_key("share", note.share_id), at)
            if note.earned:
                count(account, note.day, "share", 1)
        case GameNote():
            remember(account, identity.business_key("game", note.game_id, note.play_id), at)
            if note.earned:
                count(account, note.day, f"game:{note.game_id}", 1)
        case RefundNote():
            _fold_refund(account, note, stem)
        case CompletionNote():
            order = _order(account, note.order_id)
            order.completed = True
            orders.save(account, order)
            account.waiting.pop(stem, None)
        case ReviewRemovedNote():
            remember(account, identity.business_key("review-removed", note.review_id), at)
            key = identity.business_key("review", note.review_id)
            account.reviews.pop(key, None)
            account.review_awards.pop(key, None)
        case SurveyNote():
            account.surveys.append(note.survey_id)
        case ActivityNote():
            remember(account, identity.business_key("activity", note.attendance_id), at)
        case RegistrationNote():
            account.registered_at = at
            account.segments = note.segments
            account.referred_by = note.referred_by or ""
        case SegmentNote():
            account.segments = note.segments
        case WaitingNote():
            due_at = calendar.to_ms(note.due_at)
            account.waiting[stem] = Waiting(note.hold_id, due_at, note.event, note.order_id, note.earlier)
        case DroppedNote():
            account.waiting.pop(note.waiting, None)
        case HoldNote():
            hold = account.holds[note.hold_id]
            if hold.spent:
                order = _order(account, note.order_id)
                order.spent = order.spent + hold.spent
                orders.save(account, order)
            hold.taken, hold.spent = [], []
            hold.state = "spent"
        case ForgottenNote():
            _forget(account, note)
        case AwardWithdrawnNote():
            fold_campaigns.withdrawn(account, note)
            if note.order_id is None and note.review_id is None:
                for entry_id in note.entry_ids:
                    remember(account, identity.business_key(REFUSED, note.campaign_id, entry_id), at)
        case CampaignStartedNote():
            remember(account, identity.business_key("campaign-started", note.campaign_id), at)
        case ErasedNote():
            _erase(account, note, at)
        case TierNote():
            fold_standing(account, note)
        case ReferralNote():
            account.referral_told = True
        case ReturnNote():
            fold_rewards.returned(account, note)
        case RedemptionCancelledNote():
            fold_rewards.cancelled(account, note)
        case KeyNote() | StandingNote():
            pass
        case _:
            assert_never(note)


_KEPT_WHEN_ERASED: Final = frozenset({"granted", "redeemed", "expired", "revoked", "restored"})
"""The totals: with no points left they add up by themselves."""


def _erase(account: Account, note: ErasedNote, at: int) -> None:
    """Whatever else an account ever comes to remember is emptied by this, too."""
    empty = Account()
    for name in ACCOUNT_FIELDS:
        if name not in _KEPT_WHEN_ERASED:
            setattr(account, name, getattr(empty, name))
    account.erased_at = at
    remember(account, identity.business_key("erase", note.request_id), at)


def fold_standing(account: Account, told: TierNote | TierChanged) -> None:
    """What counts towards tiers in the window, exactly, and until when it suffices for the tier."""
    account.tier_until = 0 if told.valid_until is None else calendar.to_ms(told.valid_until)
    if told.tier_points is not None:
        account.tier_points = told.tier_points
    if told.spend_amount is not None:
        account.tier_spend = told.spend_amount


def count(account: Account, day: int, counter: str, count: int) -> None:
    counters = account.daily.get(day)
    if counters is None:
        account.daily[day] = {counter: count}
    else:
        counters[counter] = counters.get(counter, 0) + count


def _order(account: Account, order_id: str) -> Order:
    order = orders.find(account, order_id)
    if order is None:
        raise LookupError(
            f"order {order_id} is not remembered: this event does not belong to this account's history"
        )
    return order


def _fold_refund(account: Account, note: RefundNote, stem: str) -> None:
    order = _order(account, note.order_id)
    for place, amount in note.lines:
        order.lines[place].refunded += amount
        account.tier_spend -= amount
    if order.campaigns:
        fold_campaigns.refunded(account, order, note)
    if note.cancelled:
        order.cancelled = True
    if note.refund_id is not None:
        remember(account, identity.business_key("refund", note.order_id, note.refund_id), order.paid_at)
    passes = order.first and (note.cancelled or order.left_amount == 0)
    if passes:
        order.first = False
    orders.save(account, order)
    account.waiting.pop(stem, None)
    if passes:
        _pass_first_purchase(account)


def _pass_first_purchase(account: Account) -> None:
    """The earliest other order that stands is the first purchase now, else the next one will be."""
    standing = [
        (order.paid_at, order.stem)
        for order in orders.each(account)
        if not order.cancelled and order.left_amount > 0
    ]
    account.first_order = min(standing)[1] if standing else ""
    heir = orders.by_stem(account, account.first_order)
    if heir is not None:
        heir.first = True
        orders.save(account, heir)


def _join_streaks(streaks: list[tuple[int, int]], day: int) -> None:
    """Add a day to the runs that it touches, joining them; a day that is in a run already changes nothing."""
    place = bisect_right(streaks, (day, NEVER))
    first, length = day, 1
    if place and (before := streaks[place - 1])[0] + before[1] >= day:
        if before[0] + before[1] > day:
            return
        place -= 1
        first, length = before[0], before[1] + 1
        del streaks[place]
    if place < len(streaks) and streaks[place][0] == day + 1:
        length += streaks.pop(place)[1]
    streaks.insert(place, (first, length))


def _forget(account: Account, note: ForgottenNote) -> None:
    before = note.before
    orders.forget_before(account, before)
    lot_records.forget_records(account)
    first = before // KEY_BUCKET_MS
    account.keys = {bucket: keys for bucket, keys in account.keys.items() if bucket >= first}
    account.causes = {bucket: causes for bucket, causes in account.causes.items() if bucket >= first}
    account.holds = {
        hold_id: hold
        for hold_id, hold in account.holds.items()
        if hold.due_at >= before or hold.state == "open"
    }
    account.reviews = {key: each for key, each in account.reviews.items() if each.earned_at >= before}
    if account.review_awards:
        fold_campaigns.forget_before(account, before)
    fold_rewards.forget_before(account, before)
    account.daily = {day: counters for day, counters in account.daily.items() if day >= note.before_day}
    # A run that ends on the day before may still be joined by that day, so it stays.
    account.streaks = [run for run in account.streaks if run[0] + run[1] >= note.before_day]
    account.warned = {date: notices for date, notices in account.warned.items() if date >= before}
    for campaign_id in note.campaigns:
        del account.campaigns[campaign_id]

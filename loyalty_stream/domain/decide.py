"""The decider: one fact, one account, the rules and the time; out come the point events that it makes.

It knows the order of the steps and who decides what, and no rule of the programme.
"""

from typing import assert_never

from loyalty_stream.domain import (
    activities,
    adjustments,
    allocations,
    calendar,
    campaign_answers,
    check_ins,
    completion,
    draws,
    erasure,
    expiry,
    holds,
    identity,
    purchase,
    refunds,
    registration,
    resuming,
    retention,
    reviews,
    rewards,
    shares,
)
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account
from loyalty_stream.domain.events import AccountNoted, Cause, PointEvent, PointGranted
from loyalty_stream.domain.facts import (
    ActivityAttended,
    AdjustPoints,
    AllocationAnswered,
    Answer,
    CancelRedemption,
    CheckedIn,
    ConfirmHold,
    CustomerRegistered,
    CustomerUpdated,
    EnterDraw,
    EntryRefused,
    EntryWon,
    EraseCustomer,
    Fact,
    GamePlayed,
    GrantPoints,
    HoldPoints,
    Incoming,
    OrderCancelled,
    OrderCompleted,
    OrderPaid,
    OrderRefunded,
    RedeemReward,
    ReleaseHold,
    ReviewPublished,
    ReviewRemoved,
    ShareCompleted,
    SurveySubmitted,
)
from loyalty_stream.domain.journal import Journal, open_journal
from loyalty_stream.domain.notes import ForCampaign, ForGift, ForRedemption
from loyalty_stream.domain.retention import too_old
from loyalty_stream.domain.rules import Rules

__all__ = ["apply", "is_known", "too_old"]


def is_known(account: Account, fact: Fact) -> bool:
    """Whether the account remembers the fact, so that it changes nothing."""
    digest = identity.digest(fact.subject, fact.source, fact.id)
    return identity.remembers_cause(account.causes, identity.key_of(digest))


def apply(
    account: Account,
    fact: Incoming | Answer,
    rules: Rules,
    now: int,
    *,
    at: int | None = None,
    quiet_until: int | None = None,
) -> list[PointEvent]:
    """Apply a fact at the time `now` (ms) of its partition, changing `account`; returns the events, in order.

    Where the caller knows them already: `at` is the fact's own time in ms, and before `quiet_until` (ms)
    nothing of the account falls due.

    A fact that the account remembers changes nothing and returns nothing. One that is `too_old` must not come
    here. On an error the account is not to be used any more.
    """
    subject, source, fact_id, time = fact.subject, fact.source, fact.id, fact.time
    digest = identity.digest(subject, source, fact_id)
    if identity.remembers_cause(account.causes, identity.key_of(digest)):
        return []
    if account.erased_at and (erasure.has_asked(account, fact) or not erasure.is_command(fact)):
        return []
    if at is None:
        at = calendar.to_ms(time)
    calendar.know(time, at)
    due: list[PointEvent] = []
    quiet = quiet_until is not None and quiet_until > now
    if not quiet and expiry.may_be_due(account, rules, now):
        due += expiry.settle(account, subject, rules, now)
    if now // KEY_BUCKET_MS not in account.causes:
        due += retention.forget(account, subject, rules, now)
    journal = open_journal(account, subject, Cause(source, fact_id), time, at, now, digest)
    made = _decide(journal, fact, rules)
    events = due + made if due else made
    if quiet and at + rules.expiry.quiet_ms > now:
        for event in made:
            kind = type(event.data)
            quiet = quiet and (
                (kind is PointGranted and not account.pending)
                or (kind is AccountNoted and not account.waiting)
            )
    else:
        quiet = False
    if not quiet and expiry.may_be_due(account, rules, now):
        # A late fact can grant or give back points whose date has passed: they are never spent.
        events += expiry.expire_passed(account, subject, now, at)
        events += expiry.settle(account, subject, rules, now, since=at, seen=now)
    return events


def _decide(journal: Journal, fact: Incoming | Answer, rules: Rules) -> list[PointEvent]:  # noqa: C901, PLR0912, PLR0915 - one case for each type
    if journal.account.erased_at:
        return erasure.refuse(journal, fact)
    match fact:  # the commonest first: every one before costs as much as a call
        case OrderPaid():
            purchase.decide_order_paid(journal, fact, rules)
            if journal.account.waiting:
                made = journal.close()
                return made + resuming.payment_seen(journal.account, fact.data.order_id, rules, journal.now)
        case AllocationAnswered():
            _decide_answered(journal, fact, rules)
        case CheckedIn():
            check_ins.decide_checked_in(journal, fact, rules)
        case HoldPoints():
            holds.decide_hold_points(journal, fact, rules)
            made = journal.close()
            return made + resuming.hold_seen(journal.account, fact.data.hold_id, rules, journal.now)
        case ShareCompleted():
            shares.decide_share_completed(journal, fact, rules)
        case ReviewPublished():
            reviews.decide_review_published(journal, fact, rules)
        case OrderRefunded():
            refunds.decide_order_refunded(journal, fact, rules)
        case ConfirmHold():
            holds.decide_confirm_hold(journal, fact, rules)
        case ReleaseHold():
            holds.decide_release_hold(journal, fact, rules)
        case GamePlayed():
            activities.decide_game_played(journal, fact, rules)
        case ActivityAttended():
            activities.decide_activity_attended(journal, fact, rules)
        case SurveySubmitted():
            activities.decide_survey_submitted(journal, fact, rules)
        case CustomerRegistered():
            registration.decide_customer_registered(journal, fact, rules)
        case CustomerUpdated():
            registration.decide_customer_updated(journal, fact, rules)
        case AdjustPoints():
            adjustments.decide_adjust_points(journal, fact, rules)
        case GrantPoints():
            adjustments.decide_grant_points(journal, fact, rules)
        case RedeemReward():
            rewards.decide_redeem_reward(journal, fact, rules)
        case EraseCustomer():
            return erasure.decide_erase_customer(journal, fact, rules)
        case OrderCompleted():
            completion.decide_order_completed(journal, fact, rules)
        case OrderCancelled():
            refunds.decide_order_cancelled(journal, fact, rules)
        case ReviewRemoved():
            reviews.decide_review_removed(journal, fact, rules)
        case CancelRedemption():
            rewards.decide_cancel_redemption(journal, fact, rules)
        case EnterDraw():
            draws.decide_enter_draw(journal, fact, rules)
        case EntryWon():
            draws.decide_entry_won(journal, fact, rules)
        case EntryRefused():
            draws.decide_entry_refused(journal, fact, rules)
        case _:
            assert_never(fact)
    return journal.close()


def _decide_answered(journal: Journal, fact: AllocationAnswered, rules: Rules) -> None:
    """Hand the answer to whoever asked."""
    purpose = allocations.answered(journal, fact)
    match purpose:
        case None:
            pass
        case ForRedemption():
            rewards.decide_stock_answered(journal, purpose, fact.data.given, rules)
        case ForGift():
            rewards.decide_gift_answered(journal, purpose, fact.data.given, rules)
        case ForCampaign():
            campaign_answers.decide_budget_answered(journal, purpose, fact.data.given, rules)
        case _:
            assert_never(purpose)

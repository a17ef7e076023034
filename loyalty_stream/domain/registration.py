"""Points for registering, and what is known of a customer: segments, who referred them, how boards show them."""

from loyalty_stream.domain import campaign_awards, grants, referral
from loyalty_stream.domain.facts import (
    CustomerRegistered,
    CustomerRegisteredData,
    CustomerUpdated,
    CustomerUpdatedData,
)
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import KeyNote, RegistrationNote, SegmentNote, StandingNote
from loyalty_stream.domain.rules import Rules


def decide_customer_registered(journal: Journal, fact: CustomerRegistered, rules: Rules) -> None:
    """Reward the registration, once per customer. A customer is not remembered as referred by themselves."""
    if journal.account.registered_at:
        journal.remember("key", KeyNote())
        return
    data = fact.data
    referred_by = data.referred_by if data.referred_by != journal.subject else None
    note = RegistrationNote(segments=data.segments, referred_by=referred_by)
    journal.remember("registration", note)
    grants.grant(journal, rules, points=rules.registration_points, rule="registration", reason="registration")
    campaign_awards.award_event(
        journal, rules, "registration", segments=data.segments, registered_at=journal.at
    )
    if journal.account.first_order:
        referral.tell(journal, rules, referred_by or "")
    _note_standing(journal, data)


def decide_customer_updated(journal: Journal, fact: CustomerUpdated, _rules: Rules) -> None:
    """Remember the customer's segments, in place of those known before."""
    segments = fact.data.segments
    if segments != journal.account.segments:
        journal.remember("segment", SegmentNote(segments=segments))
        _note_standing(journal, fact.data)
    elif not _note_standing(journal, fact.data):
        journal.remember("key", KeyNote())


def _note_standing(journal: Journal, data: CustomerRegisteredData | CustomerUpdatedData) -> bool:
    """Tell boards how the customer wants to be shown; whether anything was said."""
    if data.alias is None and data.leaderboard_opt_out is None:
        return False
    journal.remember("standing", StandingNote(alias=data.alias, opted_out=data.leaderboard_opt_out))
    return True

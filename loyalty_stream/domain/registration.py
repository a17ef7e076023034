"""Points for registering, and what is known of a customer: segments and who referred them."""

from loyalty_stream.domain import campaign_awards, grants, referral
from loyalty_stream.domain.facts import CustomerRegistered, CustomerUpdated
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import KeyNote, RegistrationNote, SegmentNote
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


def decide_customer_updated(journal: Journal, fact: CustomerUpdated, _rules: Rules) -> None:
    """Remember the customer's segments, in place of those known before."""
    segments = fact.data.segments
    if segments == journal.account.segments:
        journal.remember("key", KeyNote())
    else:
        journal.remember("segment", SegmentNote(segments=segments))

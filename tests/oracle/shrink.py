"""Makes a programme and a history on which two things disagree as small as a simple loop can."""

from msgspec.structs import replace
from oracle_and_ledger import difference

from loyalty_stream.domain.announcements import CampaignPublished
from loyalty_stream.domain.rules import Availability, Expiry, Period, Refunds, Tiers

SIMPLER = {
    "purchase": (),
    "registration_points": 0,
    "first_purchase_points": 0,
    "review": None,
    "share": None,
    "check_in": None,
    "activity_points": 0,
    "daily_points_limit": 0,
    "games": {},
    "surveys": {},
    "expiry": Expiry("never", Period("P12M", months=12), "none", ()),
    "refunds": Refunds(),
    "availability": Availability(),
    "referrer_points": 0,
    "tiers": Tiers(),
    "campaigns": (),
    "rewards": {},
}


def shrunk(rules, facts, found):
    """A smaller programme and history on which they still disagree, and what they disagree about."""
    facts = list(facts)
    before = None
    while before != (len(facts), rules):
        before = (len(facts), rules)
        for size in (8, 4, 2, 1):
            at = 0
            while at < len(facts):
                fewer = facts[:at] + facts[at + size :]
                if (still := difference(rules, fewer)) is not None:
                    facts, found = fewer, still
                else:
                    at += size
        for simpler in fewer_campaigns(rules):
            if (still := difference(simpler, facts)) is not None:
                rules, found = simpler, still
                break
        live = any(isinstance(fact, CampaignPublished) for fact in facts)
        for name, value in SIMPLER.items():
            if live and name in ("rewards", "tiers"):
                continue  # what is published may name them
            if getattr(rules, name) != value:
                simpler = replace(rules, **{name: value})
                if (still := difference(simpler, facts)) is not None:
                    rules, found = simpler, still
    return rules, facts, found


def fewer_campaigns(rules):
    for campaign in rules.campaigns:
        yield replace(rules, campaigns=tuple(each for each in rules.campaigns if each is not campaign))

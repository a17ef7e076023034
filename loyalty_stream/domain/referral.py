"""Rewarding who brought a customer: once, at the referred customer's first purchase (DOMAIN.md, Earning).

The note is all that happens here: the reward is another customer's, and a command on their own partition.
It must not know how that gets there. Nothing takes it back.
"""

from typing import Final

from loyalty_stream.domain import identity
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import ReferralNote
from loyalty_stream.domain.rules import Rules

_LONGEST_SUBJECT: Final = 100
"""An id has 128 characters at most, and these two put up to 17 more around the customer's."""


def tell(journal: Journal, rules: Rules, referrer: str) -> None:
    """The customer has a first purchase and this referrer (empty: none), whichever came first."""
    if referrer and rules.referrer_points and not journal.account.referral_told:
        journal.remember("referral", ReferralNote(referrer, rules.referrer_points))


def grant_id(customer: str) -> str:
    """What the reward for this customer is granted under, once; very long ids are stood for by their digest."""
    if len(customer) > _LONGEST_SUBJECT:
        return f"referral:{identity.text_of(identity.digest(customer, '', ''))}"
    return f"referral:{customer}"


def command_id(customer: str) -> str:
    """The id of the command; it ends as no id of what falls due does, so the two never meet in one account."""
    return f"{grant_id(customer)}:granted"

"""The owner of a campaign's budget has answered: what it gave is granted (DOMAIN.md, Budget).

It must not know what the budget is, nor what is left of it.
"""

from loyalty_stream.domain import campaign_budget, campaign_refunds, refunds, reviews
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import ForCampaign
from loyalty_stream.domain.rules import Rules


def decide_budget_answered(journal: Journal, purpose: ForCampaign, given: int, rules: Rules) -> None:
    """Grant what was given, the first grants first; nothing where that is 0.

    What was refunded of the order meanwhile is taken back at once, and so is what is for a review that was removed
    meanwhile. It does not return to the budget.
    """
    left = given
    grant_id = journal.next_id()
    for made in purpose.grants:
        points = min(made.points, left)
        left -= points
        campaign_budget.record(
            journal, rules, purpose.campaign_id, purpose.version, made, points, purpose.order_id
        )
    if given and purpose.review_id is not None and reviews.is_removed(journal.account, purpose.review_id):
        campaign_refunds.revoke_of_review(journal, rules, purpose.campaign_id, grant_id, given, journal.at)
    if given and purpose.order_id is not None:
        refunds.settle(journal, rules, purpose.order_id)
        campaign_refunds.settle(journal, rules, purpose.order_id, purpose.campaign_id)

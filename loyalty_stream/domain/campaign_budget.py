"""A campaign's grants: made at once, or as far as its budget goes, which only the budget's owner knows.

It must not know why points are given (`campaign_awards`), nor what was refunded until the owner has answered
(`campaign_answers`).
"""

from collections.abc import Sequence
from typing import Final

from loyalty_stream.domain import allocations, grants
from loyalty_stream.domain.campaign_terms import Campaign
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import CampaignGrant, ForCampaign
from loyalty_stream.domain.rules import Rules

REASON: Final = "campaign"
CUT: Final = "campaign, cut by its budget"


def grant(
    journal: Journal,
    rules: Rules,
    campaign: Campaign,
    made: Sequence[CampaignGrant],
    order_id: str | None,
    review_id: str | None = None,
) -> None:
    """Grant what an award gives: at once without a budget, else ask for all of it together, and wait."""
    if campaign.budget_points:
        allocations.ask(
            journal,
            allocations.budget_of(campaign.id),
            sum(each.points for each in made),
            limit=campaign.budget_points,
            partial=True,
            purpose=ForCampaign(campaign.id, campaign.version, tuple(made), order_id, review_id),
        )
        return
    for each in made:
        record(journal, rules, campaign.id, campaign.version, each, each.points, order_id)


def record(
    journal: Journal,
    rules: Rules,
    campaign_id: str,
    version: int,
    made: CampaignGrant,
    points: int,
    order_id: str | None,
) -> None:
    """Grant `points` of what is made; fewer than it says are a cut, and the reason says so."""
    grants.grant(
        journal,
        rules,
        points=points,
        rule=f"campaign:{campaign_id}",
        rule_version=version,
        reason=REASON if points == made.points else CUT,
        order_id=order_id,
        campaign_id=campaign_id,
        base_amount=made.base_amount,
        exact=made.exact,
        rounding=made.rounding,
        steps=made.steps,
        scope=made.scope,
    )

"""A campaign's grants: made at once, or as its budget's owner allows (DOMAIN.md, Budget)."""

from loyalty_stream.domain import grants
from loyalty_stream.domain.campaign_terms import Campaign
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.rules import Rounding, Rules


def grant(
    journal: Journal,
    rules: Rules,
    campaign: Campaign,
    points: int,
    *,
    order_id: str | None,
    base_amount: int | None,
    exact: tuple[int, int] | None = None,
    rounding: Rounding | None = None,
    steps: tuple[tuple[int, int], ...] | None = None,
    scope: tuple[int, ...] | None = None,
) -> None:
    """Grant points of a campaign. The fields are those of `PointGranted`."""
    grants.grant(
        journal,
        rules,
        points=points,
        rule=f"campaign:{campaign.id}",
        rule_version=campaign.version,
        reason="campaign",
        order_id=order_id,
        campaign_id=campaign.id,
        base_amount=base_amount,
        exact=exact,
        rounding=rounding,
        steps=steps,
        scope=scope,
    )

"""What campaigns give: points, multiplied points, entries to a draw, gifts (DOMAIN.md, Campaigns).

It must not know which campaigns count (`campaign_matching`), nor how a budget is shared out (`campaign_budget`).
"""

from loyalty_stream.domain import campaign_budget, campaign_matching, draws, rewards
from loyalty_stream.domain.campaign_matching import Choice, Match
from loyalty_stream.domain.campaign_terms import Trigger
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import AwardNote, CampaignGrant
from loyalty_stream.domain.rules import Rules


def award_event(
    journal: Journal,
    rules: Rules,
    trigger: Trigger,
    *,
    sku: str | None = None,
    segments: tuple[str, ...] | None = None,
    registered_at: int | None = None,
    review_id: str | None = None,
) -> None:
    """Award what is live for an event that is no order and counts for the first time.

    `segments` and `registered_at` are those that the event itself tells of the customer; `review_id` names the
    review, whose removal takes its awards back. The daily limits of rules do not limit campaigns, and an event that
    earned nothing by the rules still counts.
    """
    if trigger not in rules.book.by_trigger:
        return
    matches = campaign_matching.for_event(
        journal.account, rules, trigger, journal.at, sku=sku, segments=segments, registered_at=registered_at
    )
    for match in matches:
        _give(journal, rules, match, None, review_id)


def award_order(journal: Journal, rules: Rules, choice: Choice, order_id: str) -> None:
    """Award what counts for an order, which the account knows by now."""
    for match in choice.matches:
        if match.campaign.award.multiplier is None:
            _give(journal, rules, match, order_id)
        else:
            _multiply(journal, rules, match, order_id)


def _give(
    journal: Journal, rules: Rules, match: Match, order_id: str | None, review_id: str | None = None
) -> None:
    campaign = match.campaign
    award = campaign.award
    accumulated = campaign.accumulate and order_id is not None
    kept = accumulated or (order_id is not None and not award.points)
    journal.remember(
        "award",
        AwardNote(
            campaign_id=campaign.id,
            version=campaign.version,
            awards=match.awards,
            points=award.points,
            entries=award.draw_entries,
            gift=award.gift or None,
            order_id=order_id,
            accumulated=accumulated,
            minimum_amount=campaign.minimum_amount if kept else 0,
            scope=match.scope if kept else (),
            review_id=review_id,
        ),
    )
    if award.draw_entries:
        draws.enter_awarded(journal, rules, campaign.id, match.awards * award.draw_entries)
    if award.points:
        steps = None
        if order_id is not None and not accumulated:
            # An award that asks for no spend is gone with the order all the same.
            steps = ((max(campaign.minimum_amount, 1), award.points),)
        made = CampaignGrant(
            match.awards * award.points,
            base_amount=None if order_id is None else match.amount,
            steps=steps,
            scope=match.scope or None,
        )
        campaign_budget.grant(journal, rules, campaign, [made], order_id, review_id)
    elif award.gift:
        rewards.give(
            journal, rules, award.gift, match.awards, campaign.id, order_id=order_id, review_id=review_id
        )


def _multiply(journal: Journal, rules: Rules, match: Match, order_id: str) -> None:
    """A grant for each purchase rule that it adds to; together they are one award."""
    campaign = match.campaign
    if not match.extras:
        return
    journal.remember("award", AwardNote(campaign_id=campaign.id, version=campaign.version, order_id=order_id))
    made = [
        CampaignGrant(
            extra.points, extra.base_amount, exact=extra.exact, rounding=extra.rounding, scope=extra.scope
        )
        for extra in match.extras
    ]
    campaign_budget.grant(journal, rules, campaign, made, order_id)

"""Turns a programme into the domain's rules.

It must not know how the file was read; mistakes in the file are found before.
"""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from loyalty_stream.domain import calendar, rules
from loyalty_stream.domain.rules import Period, Rules
from loyalty_stream.programme.campaigns import NO_COMMITMENT, Campaign, Draw, Notify, PublishedCampaign
from loyalty_stream.programme.earning import Earning, Game, Purchase
from loyalty_stream.programme.model import Programme
from loyalty_stream.programme.periods import DAY_MS
from loyalty_stream.programme.spending import Availability, Expiry, Redemption, Refunds
from loyalty_stream.programme.standing import CAMPAIGN_METRIC, Leaderboard, Reward, Tiers


def compile_rules(programme: Programme) -> Rules:
    """The rules to decide with."""
    earning, about = programme.earning, programme.programme
    return Rules(
        programme_id=about.id,
        version=about.version,
        currency=about.currency,
        zone=ZoneInfo(about.timezone),
        retention_ms=_fixed_ms(about.retention),
        purchase=tuple(map(_purchase, earning.purchase)),
        registration_points=earning.registration.points if earning.registration else 0,
        first_purchase_points=earning.first_purchase.points if earning.first_purchase else 0,
        referrer_points=earning.referral.referrer_points if earning.referral else 0,
        review=_review(earning),
        share=_share(earning),
        check_in=_check_in(earning),
        activity_points=earning.activity.points if earning.activity else 0,
        daily_points_limit=earning.limits.daily if earning.limits else 0,
        notifications_daily=earning.limits.notifications_daily if earning.limits else 0,
        games={game.id: _game(game) for game in programme.games},
        surveys={survey.id: survey.points for survey in programme.surveys},
        availability=_availability(programme.availability),
        expiry=_expiry(programme.expiry),
        redemption=_redemption(programme.redemption),
        refunds=_refunds(programme.refunds),
        tiers=_tiers(programme.tiers or Tiers()),
        campaigns=tuple(map(compile_campaign, programme.campaigns)),
        rewards={reward.id: _reward(reward) for reward in programme.rewards},
        boards=tuple(map(_board, programme.leaderboards)),
        subject=programme.privacy.subject,
        unit_cost_amount=programme.finance.unit_cost_amount,
    )


def compile_campaign(campaign: Campaign) -> rules.Campaign:
    """One campaign, of the programme file or of a `campaign-published` event (its `effective_at`)."""
    award, audience = campaign.award, campaign.audience
    return rules.Campaign(
        id=campaign.id,
        version=campaign.version,
        theme=campaign.theme,
        mode=campaign.mode,
        starts_at_ms=calendar.to_ms(campaign.starts_at),
        ends_at_ms=calendar.to_ms(campaign.ends_at),
        trigger=campaign.trigger,
        award=rules.Award(award.points or 0, award.multiplier, award.draw_entries or 0, award.gift or ""),
        audience=rules.Audience(
            frozenset(audience.tiers), frozenset(audience.segments), _instant_ms(audience.registered_after)
        ),
        include_skus=frozenset(campaign.include_skus),
        minimum_amount=campaign.minimum_amount,
        accumulate=campaign.accumulate,
        per_customer_limit=campaign.per_customer_limit,
        budget_points=campaign.budget_points,
        stacking=campaign.stacking,
        priority=campaign.priority,
        notify=_notify(campaign.notify),
        draw=_draw(campaign.draw),
        effective_at_ms=calendar.to_ms(campaign.effective_at)
        if isinstance(campaign, PublishedCampaign)
        else 0,
    )


def _purchase(rule: Purchase) -> rules.PurchaseRule:
    return rules.PurchaseRule(
        id=rule.id,
        points=rule.points,
        per_amount=rule.per_amount,
        basis=rule.basis,
        rounding=rule.rounding,
        minimum_amount=rule.minimum_amount,
        include_categories=frozenset(rule.include_categories),
        exclude_categories=frozenset(rule.exclude_categories),
        include_skus=frozenset(rule.include_skus),
        exclude_skus=frozenset(rule.exclude_skus),
        thresholds=tuple(rules.Threshold(entry.minimum_amount, entry.bonus) for entry in rule.thresholds),
        threshold_mode=rule.threshold_mode,
    )


def _review(earning: Earning) -> rules.ReviewRule | None:
    rule = earning.review
    return None if rule is None else rules.ReviewRule(rule.points, rule.photo_bonus, rule.daily_limit)


def _share(earning: Earning) -> rules.ShareRule | None:
    rule = earning.share
    return None if rule is None else rules.ShareRule(rule.points, rule.daily_limit)


def _check_in(earning: Earning) -> rules.CheckInRule | None:
    rule = earning.check_in
    if rule is None:
        return None
    streaks = tuple(rules.StreakBonus(entry.days, entry.bonus) for entry in rule.streaks)
    return rules.CheckInRule(rule.points, streaks)


def _game(game: Game) -> rules.Game:
    bands = tuple(rules.Band(entry.minimum_score, entry.points) for entry in game.bands)
    return rules.Game(game.id, bands, game.daily_limit)


def _availability(availability: Availability) -> rules.Availability:
    return rules.Availability(availability.mode, availability.delay)


def _expiry(expiry: Expiry) -> rules.Expiry:
    return rules.Expiry(expiry.policy, expiry.period, expiry.round_to, expiry.warn_before)


def _redemption(redemption: Redemption) -> rules.Redemption:
    return rules.Redemption(
        points=redemption.points,
        amount=redemption.amount,
        minimum_points=redemption.minimum_points,
        step=redemption.step,
        maximum_share=redemption.maximum_share,
        hold_timeout_ms=_fixed_ms(redemption.hold_timeout),
    )


def _refunds(refunds: Refunds) -> rules.Refunds:
    return rules.Refunds(refunds.shortfall, refunds.restore_expired, refunds.extend_by)


def _tiers(tiers: Tiers) -> rules.Tiers:
    window = None if isinstance(tiers.window, str) else tiers.window
    levels = tuple(rules.Level(level.name, level.minimum, level.multiplier) for level in tiers.levels)
    return rules.Tiers(tiers.basis, window, levels, tiers.downgrade)


def _reward(reward: Reward) -> rules.Reward:
    return rules.Reward(
        id=reward.id,
        kind=reward.kind,
        cost=reward.cost,
        stock=reward.stock,
        per_customer_limit=reward.per_customer_limit,
        starts_at_ms=_instant_ms(reward.starts_at),
        ends_at_ms=_instant_ms(reward.ends_at),
        tiers=frozenset(reward.tiers),
    )


def _board(board: Leaderboard) -> rules.Board:
    metric: Literal["earned", "check_in_streak", "campaign"]
    match board.metric:
        case "earned":
            metric = "earned"
        case "check_in_streak":
            metric = "check_in_streak"
        case _:
            metric = "campaign"
    campaign_id = board.metric.removeprefix(CAMPAIGN_METRIC) if metric == "campaign" else ""
    return rules.Board(
        id=board.id,
        metric=metric,
        period=board.period,
        size=board.size,
        grace_ms=_fixed_ms(board.grace),
        campaign_id=campaign_id,
        rewards=tuple(rules.BoardReward(*entry.ranks, entry.points) for entry in board.rewards),
    )


def _notify(notify: Notify | None) -> rules.Notify | None:
    return None if notify is None else rules.Notify(notify.channels, notify.template)


def _draw(draw: Draw | None) -> rules.Draw | None:
    if draw is None:
        return None
    commitment = "" if draw.seed_commitment == NO_COMMITMENT else draw.seed_commitment
    prizes = tuple(rules.Prize(prize.id, prize.winners) for prize in draw.prizes)
    return rules.Draw(prizes, commitment, draw.entry_cost)


def _instant_ms(instant: datetime | None) -> int:
    """Milliseconds of an instant, 0 where none is given."""
    return 0 if instant is None else calendar.to_ms(instant)


def _fixed_ms(length: Period) -> int:
    """Milliseconds of a period that the file allows no months in; its days have 24 hours."""
    return length.days * DAY_MS + length.milliseconds

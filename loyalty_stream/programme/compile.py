"""Turns a programme into the domain's rules, and says what of it this version of the ledger does not act on.

It must not know how the file was read; mistakes in the file are found before.
"""

from collections.abc import Iterator
from typing import Final

from loyalty_stream.domain import rules
from loyalty_stream.domain.rules import Period, Rules
from loyalty_stream.programme.earning import Earning, Game, Purchase
from loyalty_stream.programme.mistakes import KeyPath, ProgrammeError
from loyalty_stream.programme.model import Programme, zone_of
from loyalty_stream.programme.periods import DAY_MS
from loyalty_stream.programme.spending import Expiry, Redemption, Refunds

EXPIRY_AT_WORK: Final = ("rolling", "never")
AVAILABILITY_AT_WORK: Final = ("immediate",)


def compile_rules(programme: Programme) -> Rules:
    """The rules to decide with.

    Raises ProgrammeError for an expiry policy or an availability mode that is not at work yet: without it
    points would expire, or be spent, at the wrong time. What else is not at work is left out; `not_at_work`
    says what.
    """
    refused = list(_refused(programme))
    if refused:
        source = programme.source
        raise ProgrammeError((source.mistake(path, message) for path, message in refused), source.file)
    earning, about = programme.earning, programme.programme
    return Rules(
        programme_id=about.id,
        version=about.version,
        currency=about.currency,
        zone=zone_of(about.timezone),
        retention_ms=_fixed_ms(about.retention),
        purchase=tuple(map(_purchase, earning.purchase)),
        registration_points=earning.registration.points if earning.registration else 0,
        first_purchase_points=earning.first_purchase.points if earning.first_purchase else 0,
        review=_review(earning),
        share=_share(earning),
        check_in=_check_in(earning),
        activity_points=earning.activity.points if earning.activity else 0,
        daily_points_limit=earning.limits.daily if earning.limits else 0,
        games={game.id: _game(game) for game in programme.games},
        surveys={survey.id: survey.points for survey in programme.surveys},
        expiry=_expiry(programme.expiry),
        redemption=_redemption(programme.redemption),
        refunds=_refunds(programme.refunds),
        unit_cost_amount=programme.finance.unit_cost_amount,
    )


def not_at_work(programme: Programme) -> list[str]:
    """What is valid in the file but not acted on, each as `file:line: key.path: sentence`."""
    source = programme.source
    found = [source.mistake(path, message) for path, message in (*_refused(programme), *_idle(programme))]
    found.sort(key=lambda mistake: mistake.line or 0)
    return str(ProgrammeError(found, source.file)).splitlines()


def _refused(programme: Programme) -> Iterator[tuple[KeyPath, str]]:
    mode, policy = programme.availability.mode, programme.expiry.policy
    if mode not in AVAILABILITY_AT_WORK:
        yield (
            ("availability", "mode"),
            f'must be "immediate", the only mode at work in this version, is "{mode}"',
        )
    if policy not in EXPIRY_AT_WORK:
        yield (
            ("expiry", "policy"),
            f'must be "rolling" or "never", those at work in this version, is "{policy}"',
        )


def _idle(programme: Programme) -> Iterator[tuple[KeyPath, str]]:
    """Key paths that the rules have no place for, each with what does not happen."""
    referral, limits = programme.earning.referral, programme.earning.limits
    if referral is not None and referral.referrer_points > 0:
        yield ("earning", "referral", "referrer_points"), "is not at work yet: referrers get no points"
    if limits is not None and "notifications_daily" in limits.model_fields_set:
        yield (
            ("earning", "limits", "notifications_daily"),
            "is not at work yet: notifications are not counted",
        )
    if programme.refunds.restore_expired == "extend":
        yield (
            ("refunds", "restore_expired"),
            'is not at work yet: restored points past their date expire at once, as with "forfeit"',
        )
    if programme.privacy.subject == "pseudonym":
        yield ("privacy", "subject"), 'is not at work yet: our topics carry the customer id, as with "plain"'
    if programme.tiers is not None and programme.tiers.levels:
        yield ("tiers",), "is not at work yet: nobody has a tier, and no multiplier applies"
    for index, reward in enumerate(programme.rewards):
        yield ("rewards", index), f'is not at work yet: "{reward.id}" cannot be redeemed'
    for index, campaign in enumerate(programme.campaigns):
        yield ("campaigns", index), f'is not at work yet: "{campaign.id}" awards and draws nothing'
    for index, board in enumerate(programme.leaderboards):
        yield ("leaderboards", index), f'is not at work yet: "{board.id}" is not kept and rewards nobody'


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


def _fixed_ms(length: Period) -> int:
    """Milliseconds of a period that the file allows no months in; its days have 24 hours."""
    return length.days * DAY_MS + length.milliseconds

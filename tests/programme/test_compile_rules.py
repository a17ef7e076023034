"""What a programme file compiles to, exactly, and what of it is refused or said not to be at work."""

from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from loyalty_stream.domain.rules import (
    Band,
    CheckInRule,
    Expiry,
    Game,
    Period,
    PurchaseRule,
    Redemption,
    ReviewRule,
    Rules,
    ShareRule,
    StreakBonus,
    Threshold,
)
from loyalty_stream.programme import (
    Mistake,
    ProgrammeError,
    compile_rules,
    load_programme,
    not_at_work,
    parse_programme,
)

FULL = Path(__file__).parent / "resources" / "full.toml"

OFF = Rules(
    programme_id="mall",
    version=1,
    currency="CNY",
    zone=ZoneInfo("Asia/Shanghai"),
    retention_ms=800 * 24 * 3600 * 1000,
    purchase=(),
    registration_points=0,
    first_purchase_points=0,
    review=None,
    share=None,
    check_in=None,
    activity_points=0,
    daily_points_limit=0,
    games={},
    surveys={},
    expiry=Expiry("rolling", Period("P12M", months=12), "day"),
    redemption=Redemption(
        points=100,
        amount=100,
        minimum_points=100,
        step=100,
        maximum_share=Fraction(1),
        hold_timeout_ms=30 * 60 * 1000,
    ),
    shortfall="debt",
    unit_cost_amount=1,
)


def test_an_empty_file_compiles_to_rules_that_grant_nothing() -> None:
    assert compile_rules(parse_programme("")) == OFF


def test_the_full_block_compiles_to_its_rules() -> None:
    rules = compile_rules(load_programme(FULL))
    assert rules == Rules(
        programme_id="mall",
        version=1,
        currency="CNY",
        zone=ZoneInfo("Asia/Shanghai"),
        retention_ms=69_120_000_000,
        purchase=(
            PurchaseRule(
                id="base",
                points=Fraction(1),
                per_amount=100,
                basis="net",
                rounding="floor",
                thresholds=(Threshold(50_000, 50), Threshold(100_000, 150)),
                threshold_mode="highest",
            ),
        ),
        registration_points=100,
        first_purchase_points=50,
        review=ReviewRule(points=10, photo_bonus=5, daily_limit=5),
        share=ShareRule(points=5, daily_limit=3),
        check_in=CheckInRule(points=2, streaks=(StreakBonus(7, 20), StreakBonus(30, 100))),
        activity_points=20,
        daily_points_limit=0,
        games={"spin": Game("spin", (Band(0, 1), Band(100, 10)), daily_limit=3)},
        surveys={"nps-2026": 30},
        expiry=Expiry(
            "rolling", Period("P12M", months=12), "day", (Period("P30D", days=30), Period("P7D", days=7))
        ),
        redemption=OFF.redemption,
        shortfall="debt",
        unit_cost_amount=1,
    )
    assert isinstance(rules.zone, ZoneInfo)


def test_values_that_differ_from_every_default_arrive() -> None:
    rules = compile_rules(
        parse_programme("""
            [programme]
            id = "shop"
            version = 7
            currency = "EUR"
            retention = "P400DT12H"
            timezone = "Europe/Berlin"
            [[earning.purchase]]
            id = "tea"
            points = "2.50"
            per_amount = 300
            basis = "gross"
            rounding = "half_up"
            minimum_amount = 11
            include_categories = ["tea"]
            exclude_categories = ["gift cards"]
            include_skus = ["t-1", "t-2"]
            exclude_skus = ["t-3"]
            thresholds = [{minimum_amount = 5, bonus = 6}]
            threshold_mode = "all"
            [[earning.purchase]]
            id = "more"
            [earning.registration]
            points = 1
            [earning.first_purchase]
            points = 2
            [earning.review]
            points = 3
            photo_bonus = 4
            daily_limit = 0
            [earning.share]
            points = 6
            daily_limit = 7
            [earning.check_in]
            points = 8
            streaks = [{days = 2, bonus = 9}]
            [earning.activity]
            points = 10
            [earning.limits]
            daily = 12
            [[games]]
            id = "quiz"
            daily_limit = 1
            [[surveys]]
            id = "exit"
            points = 13
            [expiry]
            policy = "never"
            period = "P1Y6M3DT4H"
            round_to = "month_end"
            [redemption]
            points = 10
            amount = 3
            minimum_points = 40
            step = 20
            maximum_share = "0.35"
            hold_timeout = "PT1H1S"
            [refunds]
            shortfall = "clamp"
            [finance]
            unit_cost_amount = 2
        """)
    )
    assert rules == Rules(
        programme_id="shop",
        version=7,
        currency="EUR",
        zone=ZoneInfo("Europe/Berlin"),
        retention_ms=(400 * 24 + 12) * 3600 * 1000,
        purchase=(
            PurchaseRule(
                id="tea",
                points=Fraction(5, 2),
                per_amount=300,
                basis="gross",
                rounding="half_up",
                minimum_amount=11,
                include_categories=frozenset({"tea"}),
                exclude_categories=frozenset({"gift cards"}),
                include_skus=frozenset({"t-1", "t-2"}),
                exclude_skus=frozenset({"t-3"}),
                thresholds=(Threshold(5, 6),),
                threshold_mode="all",
            ),
            PurchaseRule(id="more", points=Fraction(1), per_amount=100),
        ),
        registration_points=1,
        first_purchase_points=2,
        review=ReviewRule(3, 4, 0),
        share=ShareRule(6, 7),
        check_in=CheckInRule(8, (StreakBonus(2, 9),)),
        activity_points=10,
        daily_points_limit=12,
        games={"quiz": Game("quiz", (), 1)},
        surveys={"exit": 13},
        expiry=Expiry(
            "never", Period("P1Y6M3DT4H", months=18, days=3, milliseconds=4 * 3600 * 1000), "month_end"
        ),
        redemption=Redemption(10, 3, 40, 20, Fraction(7, 20), 3_601_000),
        shortfall="clamp",
        unit_cost_amount=2,
    )


def test_what_would_change_points_wrongly_is_refused_with_its_place() -> None:
    programme = parse_programme(
        '[availability]\nmode = "delay"\n[expiry]\n\npolicy = "inactivity"\n', "shop.toml"
    )
    with pytest.raises(ProgrammeError) as raised:
        compile_rules(programme)
    assert raised.value.mistakes == (
        Mistake(
            "availability.mode", 'must be "immediate", the only mode at work in this version, is "delay"', 2
        ),
        Mistake(
            "expiry.policy",
            'must be "rolling" or "never", those at work in this version, is "inactivity"',
            5,
        ),
    )
    assert str(raised.value).startswith("shop.toml:2: availability.mode: must be")
    assert not_at_work(programme) == str(raised.value).splitlines()


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("availability", "mode", "on_completion"), ("expiry", "policy", "calendar_year")],
)
def test_each_mode_and_policy_not_at_work_is_refused(section: str, key: str, value: str) -> None:
    with pytest.raises(ProgrammeError, match=f'{section}.{key}: must be .*, is "{value}"'):
        compile_rules(parse_programme(f'[{section}]\n{key} = "{value}"'))


def test_the_rest_that_is_not_at_work_is_said_and_does_not_stop() -> None:
    text = """\
[earning.referral]
referrer_points = 5
[earning.limits]
notifications_daily = 2
[refunds]
restore_expired = "extend"
[privacy]
subject = "pseudonym"
[tiers]
levels = [{name = "a", from = 1, multiplier = "1"}]
[[rewards]]
[[campaigns]]
award.points = 1
[[leaderboards]]
"""
    programme = parse_programme(text, "shop.toml")
    assert compile_rules(programme) == OFF
    assert not_at_work(programme) == [
        "shop.toml:2: earning.referral.referrer_points: is not at work yet: referrers get no points",
        "shop.toml:4: earning.limits.notifications_daily: is not at work yet: notifications are not counted",
        (
            "shop.toml:6: refunds.restore_expired: is not at work yet: "
            'restored points past their date expire at once, as with "forfeit"'
        ),
        'shop.toml:8: privacy.subject: is not at work yet: our topics carry the customer id, as with "plain"',
        "shop.toml:9: tiers: is not at work yet: nobody has a tier, and no multiplier applies",
        'shop.toml:11: rewards[0]: is not at work yet: "tea-cup" cannot be redeemed',
        'shop.toml:12: campaigns[0]: is not at work yet: "spring-week" awards and draws nothing',
        'shop.toml:14: leaderboards[0]: is not at work yet: "monthly" is not kept and rewards nobody',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[earning.referral]\nreferrer_points = 0",
        "[earning.limits]\ndaily = 5",
        "[tiers]\nlevels = []",
        '[refunds]\nextend_by = "P1D"',
    ],
)
def test_what_is_at_work_or_off_is_not_warned_of(text: str) -> None:
    assert not_at_work(parse_programme(text)) == []

"""What a programme file compiles to, exactly, and what of it is said not to be at work."""

from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from loyalty_stream.domain.rules import (
    Audience,
    Availability,
    Award,
    Band,
    Board,
    BoardReward,
    Campaign,
    CheckInRule,
    Draw,
    Expiry,
    Game,
    Level,
    Notify,
    Period,
    Prize,
    PurchaseRule,
    Redemption,
    Refunds,
    ReviewRule,
    Reward,
    Rules,
    ShareRule,
    StreakBonus,
    Threshold,
    Tiers,
)
from loyalty_stream.programme import (
    compile_rules,
    load_programme,
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
    unit_cost_amount=1,
    notifications_daily=0,
)
"""An empty file; what is not said here is off by the types' own defaults."""


SPRING = Campaign(
    id="spring-week",
    version=1,
    theme="Spring 满减 week",
    mode="online",
    starts_at_ms=1_772_294_400_000,
    ends_at_ms=1_772_899_200_000,
    trigger="purchase",
    award=Award(points=300),
    minimum_amount=20_000,
    accumulate=True,
    per_customer_limit=1,
    budget_points=1_000_000,
)
"""What a campaign that says nothing but its award compiles to."""


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
        refunds=Refunds("debt", "forfeit", Period("P30D", days=30)),
        availability=Availability("immediate", Period("P7D", days=7)),
        referrer_points=0,
        notifications_daily=3,
        tiers=Tiers(
            basis="earned",
            window=Period("P12M", months=12),
            levels=(Level("silver", 1000, Fraction(6, 5)), Level("gold", 5000, Fraction(3, 2))),
            downgrade="year_end",
        ),
        campaigns=(
            Campaign(
                id="spring-week",
                version=1,
                theme="Spring 满减 week",
                mode="online",
                starts_at_ms=1_772_294_400_000,
                ends_at_ms=1_772_899_200_000,
                trigger="purchase",
                award=Award(points=300),
                audience=Audience(),
                include_skus=frozenset({"tea-01", "tea-02"}),
                minimum_amount=20_000,
                accumulate=True,
                per_customer_limit=1,
                budget_points=1_000_000,
                stacking="stack",
                priority=10,
                notify=Notify(("announcement", "sms", "social"), "spring-week"),
                draw=Draw((Prize("tea-set", 3),), "", 0),
                effective_at_ms=0,
            ),
        ),
        rewards={"tea-cup": Reward("tea-cup", "goods", 500, 1000, 2)},
        boards=(
            Board(
                id="monthly",
                metric="earned",
                period="month",
                size=100,
                grace_ms=3_600_000,
                rewards=(BoardReward(1, 1, 1000), BoardReward(2, 10, 200)),
            ),
        ),
        subject="plain",
        unit_cost_amount=1,
    )
    assert isinstance(rules.zone, ZoneInfo)


def test_an_empty_campaign_has_the_defaults() -> None:
    (campaign,) = compile_rules(parse_programme("[[campaigns]]\naward.points = 300")).campaigns
    assert campaign == SPRING


def test_values_that_differ_from_every_default_arrive() -> None:
    rules = compile_rules(
        parse_programme(
            """
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
            [earning.referral]
            referrer_points = 14
            [earning.limits]
            daily = 12
            notifications_daily = 15
            [[games]]
            id = "quiz"
            daily_limit = 1
            [[surveys]]
            id = "exit"
            points = 13
            [availability]
            mode = "delay"
            delay = "P1M"
            [expiry]
            policy = "inactivity"
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
            restore_expired = "extend"
            extend_by = "P9D"
            [privacy]
            subject = "pseudonym"
            [tiers]
            basis = "spend"
            window = "lifetime"
            levels = [{name = "bronze", from = 3, multiplier = "1.05"}]
            downgrade = "immediate"
            [[campaigns]]
            id = "double"
            version = 2
            theme = "Double days"
            mode = "offline"
            starts_at = "2026-05-01T00:00:00+02:00"
            ends_at = "2026-05-02T00:00:00.5+02:00"
            audience = {tiers = ["bronze"], segments = ["vip"], registered_after = "2026-01-01T00:00:00Z"}
            include_skus = ["t-1"]
            minimum_amount = 7
            accumulate = false
            award = {multiplier = "2.5"}
            per_customer_limit = 0
            budget_points = 0
            stacking = "exclusive"
            priority = 0
            [[campaigns]]
            id = "visit"
            trigger = "activity"
            award = {draw_entries = 2}
            stacking = "best"
            draw = {prizes = [{id = "pot", winners = 1}, {id = "cup", winners = 2}], seed_commitment = "%s", entry_cost = 5}
            [[campaigns]]
            id = "present"
            award = {gift = "voucher"}
            [[rewards]]
            id = "voucher"
            kind = "coupon"
            cost = 16
            stock = 0
            per_customer_limit = 17
            starts_at = "2026-01-01T00:00:00Z"
            ends_at = "2026-02-01T00:00:00Z"
            tiers = ["bronze"]
            [finance]
            unit_cost_amount = 2
        """
            % ("ab" * 32)
        )
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
            "inactivity", Period("P1Y6M3DT4H", months=18, days=3, milliseconds=4 * 3600 * 1000), "month_end"
        ),
        redemption=Redemption(10, 3, 40, 20, Fraction(7, 20), 3_601_000),
        refunds=Refunds("clamp", "extend", Period("P9D", days=9)),
        availability=Availability("delay", Period("P1M", months=1)),
        referrer_points=14,
        notifications_daily=15,
        tiers=Tiers("spend", None, (Level("bronze", 3, Fraction(21, 20)),), "immediate"),
        campaigns=(
            Campaign(
                id="double",
                version=2,
                theme="Double days",
                mode="offline",
                starts_at_ms=1_777_586_400_000,
                ends_at_ms=1_777_672_800_500,
                trigger="purchase",
                award=Award(multiplier=Fraction(5, 2)),
                audience=Audience(frozenset({"bronze"}), frozenset({"vip"}), 1_767_225_600_000),
                include_skus=frozenset({"t-1"}),
                minimum_amount=7,
                accumulate=False,
                per_customer_limit=0,
                budget_points=0,
                stacking="exclusive",
                priority=0,
            ),
            msgspec.structs.replace(
                SPRING,
                id="visit",
                trigger="activity",
                award=Award(draw_entries=2),
                stacking="best",
                draw=Draw((Prize("pot", 1), Prize("cup", 2)), "ab" * 32, 5),
            ),
            msgspec.structs.replace(SPRING, id="present", award=Award(gift="voucher")),
        ),
        rewards={
            "voucher": Reward(
                "voucher",
                "coupon",
                cost=16,
                stock=0,
                per_customer_limit=17,
                starts_at_ms=1_767_225_600_000,
                ends_at_ms=1_769_904_000_000,
                tiers=frozenset({"bronze"}),
            )
        },
        subject="pseudonym",
        unit_cost_amount=2,
    )


@pytest.mark.parametrize("mode", ["immediate", "on_completion", "delay"])
@pytest.mark.parametrize("policy", ["rolling", "inactivity", "calendar_year", "never"])
def test_every_mode_and_policy_is_at_work(mode: str, policy: str) -> None:
    programme = parse_programme(f'[availability]\nmode = "{mode}"\n[expiry]\npolicy = "{policy}"')
    rules = compile_rules(programme)
    assert (rules.availability.mode, rules.expiry.policy) == (mode, policy)


def test_notifications_are_limited_where_limits_are_given() -> None:
    assert compile_rules(parse_programme("")).notifications_daily == 0
    assert compile_rules(parse_programme("[earning.limits]\n")).notifications_daily == 3


def test_a_board_is_compiled_with_its_metric_and_rewards() -> None:
    text = '[[leaderboards]]\n\n[[leaderboards]]\nid = "tea"\nmetric = "campaign:week"\nperiod = "campaign"\n'
    text += 'grace = "P1DT1H"\nrewards = [ {ranks = [2, 3], points = 5} ]\n[[campaigns]]\nid = "week"\naward.points = 1'
    monthly, tea = compile_rules(parse_programme(text)).boards
    assert monthly == Board("monthly", "earned", "month", size=100, grace_ms=3_600_000)
    assert tea == Board(
        "tea",
        "campaign",
        "campaign",
        100,
        25 * 3_600_000,
        campaign_id="week",
        rewards=(BoardReward(2, 3, 5),),
    )

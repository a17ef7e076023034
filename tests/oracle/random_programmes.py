"""Random programmes, small enough that limits, thresholds, windows and budgets are met within twenty facts."""

import hashlib
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from loyalty_stream.domain.rules import (
    Audience,
    Availability,
    Award,
    Band,
    Campaign,
    CheckInRule,
    Draw,
    Expiry,
    Game,
    Level,
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

DAY_MS = 24 * 3600 * 1000
MINUTE_MS = 60_000
ZONES = [ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")]
START_MS = 1_761_868_800_000  # 2025-10-31T00:00:00Z, the day before clocks change in North America

P1D, P7D, P2D = Period("P1D", days=1), Period("P7D", days=7), Period("P2D", days=2)
P30D, P40D, P90D = Period("P30D", days=30), Period("P40D", days=40), Period("P90D", days=90)
P1M, P12M = Period("P1M", months=1), Period("P12M", months=12)
PT1H = Period("PT1H", milliseconds=60 * MINUTE_MS)
PERIODS = [P1M, P12M, P2D, P40D, P90D, Period("PT90M", milliseconds=90 * MINUTE_MS)]

PARTS = frozenset(
    [
        "orders",
        "refunds",
        "availability",
        "expiry",
        "tiers",
        "commands",
        "erasure",
        "campaigns",
        "accumulate",
        "budgets",
        "mall",
        "gifts",
        "draws",
        "live",
    ]
)
"""What a random programme and its history may use, and so what is compared."""


def programme(random, parts):
    pick = random.choice
    unit = pick([(1, 1), (100, 100), (3, 10), (10, 3)])
    kinds = ["rolling", "rolling", "never"]
    if "expiry" in parts:
        kinds += ["inactivity", "calendar_year"]
    extra = {}
    if "refunds" in parts:
        extra["refunds"] = Refunds(
            pick(["debt", "debt", "clamp"]), pick(["forfeit", "forfeit", "extend"]), pick([P1D, P30D])
        )
    if "availability" in parts:
        extra["availability"] = Availability(
            pick(["immediate", "immediate", "on_completion", "delay"]), pick([PT1H, P1D, P7D])
        )
    if "tiers" in parts and random.random() < 0.5:
        extra["tiers"] = tiers(random)
    if "commands" in parts:
        extra["referrer_points"] = pick([0, 0, 15])
    if "mall" in parts:
        extra["rewards"] = rewards(random)
    if "campaigns" in parts and random.random() < 0.7:
        extra["campaigns"] = tuple(
            campaign(random, number, parts, extra) for number in range(pick([1, 1, 2, 2, 3]))
        )
    return Rules(
        programme_id="mall",
        version=pick([1, 3]),
        currency="CNY",
        zone=pick(ZONES),
        retention_ms=800 * DAY_MS,
        purchase=tuple(purchase_rule(random, number) for number in range(pick([1, 1, 1, 2, 0]))),
        registration_points=pick([0, 100]),
        first_purchase_points=pick([0, 50]),
        review=pick([None, ReviewRule(10, 5, 0), ReviewRule(10, 5, 2)]),
        share=pick([None, ShareRule(5, 0), ShareRule(5, 1)]),
        check_in=pick(
            [
                None,
                CheckInRule(2),
                CheckInRule(2, (StreakBonus(2, 5), StreakBonus(3, 7))),
                CheckInRule(0, (StreakBonus(2, 5),)),
            ]
        ),
        activity_points=pick([0, 20]),
        daily_points_limit=pick([0, 0, 12]),
        games={"spin": Game("spin", (Band(0, 1), Band(100, 10)), pick([0, 1]))}
        if random.random() < 0.7
        else {},
        surveys=pick([{}, {"nps": 30}]),
        expiry=Expiry(
            pick(kinds),
            pick(PERIODS),
            pick(["none", "day", "month_end", "year_end"]),
            pick([(), (), (P1D,), (P7D, P1D), (PT1H,)]),
        ),
        redemption=Redemption(
            points=unit[0],
            amount=unit[1],
            minimum_points=pick([1, 20]),
            step=pick([1, 10]),
            maximum_share=pick([Fraction(1), Fraction(1, 3)]),
            hold_timeout_ms=pick([30 * MINUTE_MS, 3 * DAY_MS]),
        ),
        **extra,
    )


def purchase_rule(random, number):
    pick = random.choice
    scope = {}
    if random.random() < 0.3:
        name = pick(["include_skus", "exclude_skus", "include_categories", "exclude_categories"])
        scope[name] = frozenset(["tea"] if name.endswith("skus") else ["food"])
    thresholds = pick([(), (Threshold(5000, 20),), (Threshold(5000, 20), Threshold(10000, 45))])
    return PurchaseRule(
        id=f"rule-{number}",
        points=pick([Fraction(1), Fraction(1), Fraction(3, 2), Fraction(10)]),
        per_amount=pick([100, 100, 700]),
        basis=pick(["net", "net", "gross"]),
        rounding=pick(["floor", "half_up", "ceil"]),
        minimum_amount=pick([0, 0, 1000]),
        thresholds=thresholds,
        threshold_mode=pick(["highest", "all"]),
        **scope,
    )


def tiers(random):
    pick = random.choice
    basis = pick(["earned", "spend"])
    scale = 1 if basis == "earned" else 100
    levels = (Level("silver", 60 * scale, Fraction(6, 5)), Level("gold", 150 * scale, Fraction(3, 2)))
    return Tiers(
        basis, pick([P12M, P30D, P2D, None]), levels[: pick([1, 2, 2])], pick(["year_end", "immediate"])
    )


TRIGGERS = ["purchase"] * 8 + [
    "review",
    "review",
    "share",
    "check_in",
    "game",
    "survey",
    "activity",
    "registration",
]
SEEDS = {"camp-0": "a seed", "camp-1": "another", "camp-2": "the third"}
"""What is revealed of a campaign's draw."""


def rewards(random):
    pick = random.choice
    made = {}
    for name in ("mug", "voucher"):
        made[name] = Reward(
            id=name,
            kind="goods" if name == "mug" else "coupon",
            cost=pick([0, 10, 30]),
            stock=pick([0, 1, 2, 3]),
            per_customer_limit=pick([0, 0, 1, 2]),
            starts_at_ms=pick([0, 0, START_MS + DAY_MS]),
            ends_at_ms=pick([0, 0, START_MS + 40 * DAY_MS]),
            tiers=pick([frozenset(), frozenset(), frozenset(["silver", "gold"])]),
        )
    return made


def campaign(random, number, parts, extra):
    pick = random.choice
    trigger = pick(TRIGGERS)
    purchase = trigger == "purchase"
    awards = [Award(points=pick([5, 30]))] * 3
    if purchase:
        awards += [Award(multiplier=pick([Fraction(2), Fraction(3, 2)]))] * 2
    draw = None
    if "draws" in parts and random.random() < 0.4:
        commitment = hashlib.sha256(SEEDS[f"camp-{number}"].encode()).hexdigest()
        draw = Draw((Prize(pick(["set", "mug"]), pick([1, 2])),), commitment, pick([0, 10]))
        awards += [Award(draw_entries=pick([1, 2]))] * 2 + [Award()] * 2
    if "gifts" in parts and "rewards" in extra:
        awards += [Award(gift="mug")]
    award = pick(awards)
    multiplies = award.multiplier is not None
    starts = START_MS + pick([0, 0, DAY_MS, 60 * DAY_MS])
    audience = Audience(
        tiers=frozenset(["silver"]) if "tiers" in extra and random.random() < 0.2 else frozenset(),
        segments=frozenset(["vip"]) if random.random() < 0.15 else frozenset(),
        registered_after_ms=START_MS + 5 * DAY_MS if random.random() < 0.1 else 0,
    )
    minimum = pick([0, 5000, 10000]) if purchase else 0
    return Campaign(
        id=f"camp-{number}",
        version=pick([1, 2]),
        theme="any",
        mode=pick(["online", "offline"]),
        starts_at_ms=starts,
        ends_at_ms=starts + pick([DAY_MS, 30 * DAY_MS, 90 * DAY_MS]),
        trigger=trigger,
        award=award,
        audience=audience,
        include_skus=frozenset(["tea"])
        if trigger in ("purchase", "review") and random.random() < 0.3
        else frozenset(),
        minimum_amount=minimum,
        accumulate="accumulate" in parts and bool(minimum) and random.random() < 0.5,
        per_customer_limit=pick([0, 0, 1, 2, 3]),
        budget_points=pick([0, 0, 40, 100]) if "budgets" in parts and (award.points or multiplies) else 0,
        stacking=pick(["stack", "stack", "stack", "best", "best", "exclusive"]),
        priority=pick([10, 10, 5]),
        draw=draw,
    )


def table(campaign, effective_at_ms):
    """The campaign as `campaign-published` carries it: its table of the programme file, and `effective_at`."""
    award, audience = campaign.award, campaign.audience
    by_the_piece = campaign.accumulate and bool(award.draw_entries or award.gift)
    said = {
        "id": campaign.id,
        "version": campaign.version,
        "theme": campaign.theme,
        "mode": campaign.mode,
        "starts_at": instant(campaign.starts_at_ms),
        "ends_at": instant(campaign.ends_at_ms),
        "audience": {"tiers": sorted(audience.tiers), "segments": sorted(audience.segments)},
        "trigger": campaign.trigger,
        "include_skus": sorted(campaign.include_skus),
        "minimum_amount": campaign.minimum_amount,
        "accumulate": campaign.accumulate,
        "per_customer_limit": campaign.per_customer_limit or (2 if by_the_piece else 0),
        "budget_points": campaign.budget_points,
        "stacking": campaign.stacking,
        "priority": campaign.priority,
        "effective_at": instant(effective_at_ms),
        "award": {},
    }
    if audience.registered_after_ms and audience.registered_after_ms < campaign.ends_at_ms:
        said["audience"]["registered_after"] = instant(audience.registered_after_ms)
    if award.points:
        said["award"] = {"points": award.points}
    elif award.multiplier is not None:
        said["award"] = {"multiplier": str(float(award.multiplier))}
    elif award.draw_entries:
        said["award"] = {"draw_entries": award.draw_entries}
    elif award.gift:
        said["award"] = {"gift": award.gift}
    if campaign.draw is not None:
        draw = campaign.draw
        said["draw"] = {
            "prizes": [{"id": prize.id, "winners": prize.winners} for prize in draw.prizes],
            "seed_commitment": draw.seed_commitment,
            "entry_cost": draw.entry_cost,
        }
    return said


def instant(ms):
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).isoformat()

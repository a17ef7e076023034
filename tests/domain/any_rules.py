"""Any rules, as Hypothesis draws them: small periods and limits, so that a short history meets them."""

from fractions import Fraction
from zoneinfo import ZoneInfo

from given import RULES
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty_stream.domain import calendar
from loyalty_stream.domain.rules import (
    Availability,
    CheckInRule,
    Expiry,
    Level,
    Period,
    Redemption,
    Refunds,
    Rules,
    StreakBonus,
    Tiers,
)

MINUTE_MS = 60_000
DAY_MS = calendar.DAY_MS

ZONES = st.sampled_from([ZoneInfo(name) for name in ("Asia/Shanghai", "America/New_York", "Asia/Kathmandu")])
PERIODS = st.sampled_from(
    [
        Period("P1M", months=1),
        Period("P2D", days=2),
        Period("P40D", days=40),
        Period("PT90M", milliseconds=90 * MINUTE_MS),
    ]
)
NOTICES = st.sampled_from(
    [
        (),
        (Period("P1D", days=1),),
        (Period("P7D", days=7), Period("P1D", days=1)),
        (Period("PT1H", milliseconds=60 * MINUTE_MS),),
    ]
)


@st.composite
def any_tiers(draw) -> Tiers:
    basis = draw(st.sampled_from(["earned", "spend"]))
    unit = 1 if basis == "earned" else 100
    levels = (
        Level("bronze", draw(st.sampled_from([0, 10])) * unit, Fraction(1)),
        Level("silver", 300 * unit, Fraction(6, 5)),
        Level("gold", 900 * unit, Fraction(3, 2)),
    )
    return Tiers(
        basis,
        draw(st.none() | PERIODS),
        draw(st.sampled_from([levels, levels, levels[1:], ()])),
        draw(st.sampled_from(["year_end", "immediate"])),
    )


@st.composite
def any_rules(draw) -> Rules:
    unit = draw(st.sampled_from([(1, 1), (100, 100), (3, 10), (10, 3)]))
    redemption = Redemption(
        points=unit[0],
        amount=unit[1],
        minimum_points=draw(st.sampled_from([1, 20])),
        step=draw(st.sampled_from([1, 10])),
        maximum_share=draw(st.sampled_from([Fraction(1), Fraction(1, 3)])),
        hold_timeout_ms=draw(st.sampled_from([30 * MINUTE_MS, 3 * DAY_MS])),
    )
    return replace(
        RULES,
        zone=draw(ZONES),
        retention_ms=draw(st.sampled_from([800, 60])) * DAY_MS,
        first_purchase_points=draw(st.sampled_from([0, 50])),
        referrer_points=draw(st.sampled_from([0, 20])),
        tiers=draw(any_tiers()),
        check_in=draw(
            st.sampled_from([None, CheckInRule(2), CheckInRule(2, (StreakBonus(2, 5), StreakBonus(3, 7)))])
        ),
        daily_points_limit=draw(st.sampled_from([0, 12])),
        expiry=Expiry(
            draw(st.sampled_from(["rolling", "rolling", "inactivity", "calendar_year", "never"])),
            draw(PERIODS),
            draw(st.sampled_from(["none", "day", "month_end", "year_end"])),
            draw(NOTICES),
        ),
        redemption=redemption,
        refunds=Refunds(
            shortfall=draw(st.sampled_from(["debt", "clamp"])),
            restore_expired=draw(st.sampled_from(["forfeit", "extend"])),
            extend_by=draw(PERIODS),
        ),
        availability=Availability(
            mode=draw(st.sampled_from(["immediate", "on_completion", "delay"])), delay=draw(PERIODS)
        ),
    )

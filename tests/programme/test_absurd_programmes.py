"""Values that are right by themselves and absurd together, or beyond any use, are refused with place and cure."""

import pytest

from loyalty_stream.programme import Mistake, ProgrammeError, parse_programme

CAMPAIGN = "[[campaigns]]\naward.points = 1\n"
DRAW = """[[campaigns]]
draw = {prizes = [{id = "a", winners = 1}]}
award = {draw_entries = %s}
"""

ABSURD = [
    # memory: what must outlast what
    (
        '[programme]\nretention = "PT23H"',
        "programme.retention",
        2,
        'must be at least "P1D", for daily limits are counted over it, is "PT23H"',
    ),
    (
        '[programme]\nretention = "P365D"\n[tiers]\nwindow = "P12M"',
        "tiers.window",
        4,
        'must be no longer than programme.retention "P365D", is "P12M"',
    ),
    (
        '[programme]\nretention = "P300D"\n[tiers]\n',
        "tiers.window",
        3,
        'must be no longer than programme.retention "P300D", is "P12M"',
    ),
    (
        '[programme]\nretention = "P6D"\n' + CAMPAIGN,
        "campaigns[0].ends_at",
        3,
        'must be no longer than programme.retention "P6D", is 7 days after starts_at, with accumulate = true',
    ),
    # periods
    (
        '[refunds]\nextend_by = "P0D"',
        "refunds.extend_by",
        2,
        'must be longer than nothing, such as "P7D", is "P0D"',
    ),
    (
        '[availability]\ndelay = "PT0H"',
        "availability.delay",
        2,
        'must be longer than nothing, such as "P7D", is "PT0H"',
    ),
    (
        '[expiry]\npolicy = "calendar_year"\nwarn_before = ["P1D", "P1Y"]',
        "expiry.warn_before[1]",
        3,
        'must be shorter than a year, the shortest that points live by the calendar year, is "P1Y"',
    ),
    (
        '[expiry]\npolicy = "inactivity"\nperiod = "P3M"\nwarn_before = ["P3M"]',
        "expiry.warn_before[0]",
        4,
        'must be shorter than expiry.period "P3M", is "P3M"',
    ),
    # the calendar
    *(
        (
            f'[programme]\ntimezone = "{name}"',
            "programme.timezone",
            2,
            f'must be an IANA time zone such as "Asia/Shanghai", is "{name}"{advice}',
        )
        for name, advice in (
            ("Asia", '; did you mean "Asia/Oral"?'),
            ("", ""),
            ("localtime", ""),
            ("right/Asia/Shanghai", '; did you mean "Asia/Shanghai"?'),
            ("UTC+8", '; did you mean "UTC"?'),
            ("CST-8", ""),
            ("asia/shanghai", '; did you mean "Asia/Shanghai"?'),
        )
    ),
    (
        '[[campaigns]]\nstarts_at = "1999-12-31T23:59:59Z"\naward.points = 1\naccumulate = false',
        "campaigns[0].starts_at",
        2,
        'must be in the years 2000 to 2999, is "1999-12-31T23:59:59Z"',
    ),
    (
        '[[rewards]]\nends_at = "3000-01-01T00:00:00Z"',
        "rewards[0].ends_at",
        2,
        'must be in the years 2000 to 2999, is "3000-01-01T00:00:00Z"; "" where there is none',
    ),
    (
        CAMPAIGN + 'audience.registered_after = "2026-03-08T00:00:00+08:00"',
        "campaigns[0].audience.registered_after",
        3,
        'must be before ends_at "2026-03-08T00:00:00+08:00", is "2026-03-08T00:00:00+08:00"',
    ),
    # campaigns
    *(
        (
            CAMPAIGN + f'stacking = "{word}"',
            "campaigns[0].stacking",
            3,
            f'must be "stack", "best" or "exclusive", is "{word}"',
        )
        for word in ("stacks", "Stack", "none", "")
    ),
    *(
        (CAMPAIGN + f"{key} = -1", f"campaigns[0].{key}", 3, "must be at least 0, is -1")
        for key in ("budget_points", "per_customer_limit", "priority", "minimum_amount")
    ),
    (
        CAMPAIGN + "budget_points = 1000000000001",
        "campaigns[0].budget_points",
        3,
        "must be at most 1000000000000, is 1000000000001",
    ),
    ("[[campaigns]]\naward = {points = 0}", "campaigns[0].award.points", 2, "must be at least 1, is 0"),
    (DRAW % 0, "campaigns[0].award.draw_entries", 3, "must be at least 1, is 0"),
    (DRAW % 101, "campaigns[0].award.draw_entries", 3, "must be at most 100, is 101"),
    (
        CAMPAIGN + "draw = {prizes = []}",
        "campaigns[0].draw.prizes",
        3,
        'must be one prize or more, such as [{id = "tea-set", winners = 3}], is empty',
    ),
    (
        CAMPAIGN + "draw = {}",
        "campaigns[0].draw.prizes",
        3,
        "is missing and has no default; it must be given",
    ),
    (
        CAMPAIGN + 'draw.prizes = [{id = "a", winners = 0}]',
        "campaigns[0].draw.prizes[0].winners",
        3,
        "must be at least 1, is 0",
    ),
    (
        CAMPAIGN + 'notify.channels = ["sms", "app", "sms"]',
        "campaigns[0].notify.channels[2]",
        3,
        'must differ from the other entries\', is "sms" as in entry 0',
    ),
    *(
        (
            f"""[[campaigns]]
per_customer_limit = {limit}
draw = {{prizes = [{{id = "a", winners = 1}}]}}
award = {{{award}}}
[[rewards]]
""",
            "campaigns[0].per_customer_limit",
            2,
            f"must be from 1 to 1000 where entries or gifts are given for each full minimum_amount, is {limit}",
        )
        for limit in (0, 1001)
        for award in ("draw_entries = 1", 'gift = "tea-cup"')
    ),
    (
        CAMPAIGN + 'draw.prizes = [{id = "cup", winners = 2}]\n[[rewards]]\nid = "cup"\nstock = 1',
        "campaigns[0].draw.prizes[0].winners",
        3,
        'must be no more than the stock of 1 of reward "cup", is 2',
    ),
    # rates that no event could tell exactly
    (
        '[tiers]\nlevels = [{name = "a", from = 1, multiplier = "100.1"}]',
        "tiers.levels[0].multiplier",
        2,
        'must be at most "100", is "100.1"',
    ),
    (
        '[[campaigns]]\naward = {multiplier = "101"}',
        "campaigns[0].award.multiplier",
        2,
        'must be at most "100", is "101"',
    ),
    (
        """[[earning.purchase]]
points = 1
[[earning.purchase]]
id = "fine"
points = "0.001"
[tiers]
levels = [
  {name = "a", from = 1, multiplier = "1.001"},
  {name = "b", from = 2, multiplier = "1.0001"},
]""",
        "tiers.levels[1].multiplier",
        9,
        "has too many digits: times earning.purchase[1].points it is 10001/10000000; both sides can be up to 1000000",
    ),
    # shares, rewards, boards
    ('[finance]\ngross_margin = "1.01"', "finance.gross_margin", 2, 'must be from "0" to "1", is "1.01"'),
    ("[[rewards]]\ncost = 0", "rewards[0].cost", 2, "must be at least 1, is 0"),
    ("[[rewards]]\nstock = -1", "rewards[0].stock", 2, "must be at least 0, is -1"),
    ('[[rewards]]\nkind = "voucher"', "rewards[0].kind", 2, 'must be "goods" or "coupon", is "voucher"'),
    ("[[leaderboards]]\nsize = 0", "leaderboards[0].size", 2, "must be at least 1, is 0"),
    ("[[leaderboards]]\nsize = 10001", "leaderboards[0].size", 2, "must be at most 10000, is 10001"),
    (
        '[[leaderboards]]\nperiod = "year"',
        "leaderboards[0].period",
        2,
        'must be "day", "week", "month", "all_time" or "campaign", is "year"',
    ),
]


@pytest.mark.parametrize(("text", "path", "line", "message"), ABSURD, ids=lambda given: str(given)[:50])
def test_what_is_absurd_is_refused_with_place_and_cure(
    text: str, path: str, line: int | None, message: str
) -> None:
    with pytest.raises(ProgrammeError) as raised:
        parse_programme(text)
    assert raised.value.mistakes == (Mistake(path, message, line),)


@pytest.mark.parametrize(
    "text",
    [
        '[programme]\nretention = "P1D"',
        '[programme]\nretention = "P366D"\n[tiers]\nwindow = "P12M"',
        '[programme]\nretention = "P9D"\n[tiers]\nwindow = "lifetime"',
        '[programme]\nretention = "P7D"\n' + CAMPAIGN,
        '[programme]\nretention = "P6D"\n' + CAMPAIGN + "accumulate = false",
        '[expiry]\npolicy = "calendar_year"\nwarn_before = ["P364D"]',
        '[expiry]\npolicy = "never"\nwarn_before = ["P9Y"]',
        CAMPAIGN + 'audience.registered_after = "2026-03-07T23:59:59+08:00"',
        DRAW % 100,
        DRAW % 1 + "accumulate = false\nper_customer_limit = 0",
        CAMPAIGN + "per_customer_limit = 0",
        '[programme]\ntimezone = "UTC"',
        CAMPAIGN + 'draw.prizes = [{id = "cup", winners = 2}]\n[[rewards]]\nid = "cup"\nstock = 0',
    ],
)
def test_what_is_just_right_is_taken(text: str) -> None:
    parse_programme(text)

"""The programme file is read as DOMAIN.md says: its own full example, each default, all mistakes with place and cure."""

import copy
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from loyalty_stream.programme import Mistake, Programme, ProgrammeError, load_programme, parse_programme

FULL = Path(__file__).parent / "resources" / "full.toml"
BLOCK = tomllib.loads(FULL.read_text(encoding="utf-8"))

Path_ = tuple[str | int, ...]


def written(programme: Programme) -> dict[str, Any]:
    """The programme as a file would say it."""
    return programme.model_dump(mode="json", by_alias=True)


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """All keys with what they hold, tables and lists too, except the root and entries of lists."""
    if path and isinstance(path[-1], str):
        yield path, value
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        yield from leaves(inner, (*path, key))


def at(tables: Any, path: Path_) -> Any:
    for key in path:
        tables = tables[key]
    return tables


def same(value: Any) -> Any:
    """A value to compare: `"1.0"` and `"1"` are one exact decimal."""
    return Fraction(value) if isinstance(value, str) and re.fullmatch(r"\d+\.\d+|\d", value) else value


def is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


KEYS = [(path, value) for path, value in leaves(BLOCK)]
SCALARS = [(path, value) for path, value in KEYS if is_scalar(value)]


@pytest.mark.parametrize(("path", "value"), SCALARS, ids=str)
def test_every_value_is_what_the_block_says(path: Path_, value: Any) -> None:
    assert same(at(written(load_programme(FULL)), path)) == same(value)


def test_the_block_is_all_there_is() -> None:
    says_more = {path for path, _ in leaves(written(load_programme(FULL)))} - {path for path, _ in KEYS}
    extra = {"include_skus", "exclude_skus", "exclude_categories"}
    other_awards = {"multiplier", "draw_entries", "gift"}
    assert {path[-1] for path in says_more} == extra | other_awards


REQUIRED = {"thresholds", "streaks", "bands", "levels"}
"""Lists with several examples, so that no one value is shown for a key of their entries."""
BOARD_REWARDS = ("leaderboards", 0, "rewards")


def is_required(path: Path_) -> bool:
    if path == ("campaigns", 0, "draw", "prizes"):
        return True  # a draw without prizes is a mistake
    return (path[:3] == BOARD_REWARDS and len(path) > 3) or (len(path) > 2 and path[-3] in REQUIRED)


@pytest.mark.parametrize(("path", "value"), KEYS, ids=lambda given: str(given)[:60])
def test_a_key_left_out_has_the_value_shown_or_is_off(path: Path_, value: Any) -> None:
    tables: Any = copy.deepcopy(BLOCK)
    del at(tables, path[:-1])[path[-1]]
    if is_required(path):
        with pytest.raises(ValidationError, match="Field required"):
            Programme.model_validate(tables)
        return
    now = at(written(Programme.model_validate(tables)), path)
    empty = written(parse_programme(""))
    match value:
        case list():
            assert now == []
        case dict() if path == ("tiers",) or (len(path) > 1 and path[-1] not in {"audience", "award"}):
            assert now is None
        case dict() if len(path) == 1:
            assert now == empty[str(path[0])]
        case dict():
            assert not any(now.values())
        case _ if path == ("campaigns", 0, "award", "points"):
            assert now is None
        case _:
            assert same(now) == same(value)


def test_an_empty_file_earns_nothing_and_keeps_the_other_values() -> None:
    programme = parse_programme("")
    assert written(programme)["earning"] == {
        "purchase": [],
        **dict.fromkeys(
            (
                "registration",
                "first_purchase",
                "referral",
                "review",
                "share",
                "check_in",
                "activity",
                "limits",
            )
        ),
    }
    assert (programme.games, programme.surveys, programme.campaigns, programme.rewards) == ((), (), (), ())
    assert (programme.tiers, programme.leaderboards, programme.finance.targets) == (None, (), None)
    assert (programme.programme.id, programme.programme.retention.days) == ("mall", 800)
    assert (programme.expiry.policy, programme.expiry.period.months) == ("rolling", 12)
    assert programme.expiry.warn_before == ()


def test_an_empty_section_has_its_defaults() -> None:
    earning = parse_programme("[earning.registration]\n[earning.review]\n[earning.check_in]\n").earning
    assert (earning.registration and earning.registration.points) == 100
    assert (earning.review and earning.review.model_dump()) == {
        "points": 10,
        "photo_bonus": 5,
        "daily_limit": 5,
    }
    assert (earning.check_in and earning.check_in.model_dump()) == {"points": 2, "streaks": ()}
    assert earning.share is None


def test_values_are_exact_and_instants_have_their_offset() -> None:
    programme = parse_programme(
        '[[earning.purchase]]\npoints = "0.1"\n[redemption]\nmaximum_share = "0.3"\n'
        "[[campaigns]]\nstarts_at = 2026-03-01T00:00:00Z\naward.points = 1\n"
        '[[rewards]]\nstarts_at = "2026-03-01T00:00:00.5z"\n'
    )
    assert programme.earning.purchase[0].points == Fraction(1, 10)
    assert programme.redemption.maximum_share == Fraction(3, 10)
    assert programme.campaigns[0].starts_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert programme.rewards[0].starts_at == datetime(2026, 3, 1, 0, 0, 0, 500_000, tzinfo=UTC)


PERIOD = 'must be an ISO 8601 period in quotes, such as "P12M", "P7D" or "PT30M", is '
INSTANT = 'must be an RFC 3339 time with its offset, such as "2026-03-01T00:00:00+08:00", is '
ID = "must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -, is "
CAMPAIGN = "[[campaigns]]\naward.points = 1\n"
BOARD = "[[leaderboards]]\n"

MISTAKES = [
    # kinds of value
    ("[programme]\nversion = 0", "programme.version", 2, "must be at least 1, is 0"),
    ("[programme]\nversion = true", "programme.version", 2, "must be a whole number, is true"),
    ('[programme]\nversion = "1"', "programme.version", 2, 'must be a whole number, is "1"'),
    ("[programme]\nversion = 1.0", "programme.version", 2, "must be a whole number, is 1.0"),
    (
        "[programme]\nversion = 1000000001",
        "programme.version",
        2,
        "must be at most 1000000000, is 1000000001",
    ),
    ("[programme]\nid = 5", "programme.id", 2, "must be text in quotes, is 5"),
    ('[programme]\nid = "a b"', "programme.id", 2, ID + '"a b"'),
    ('[programme]\nid = ""', "programme.id", 2, ID + '""'),
    (
        '[programme]\ncurrency = "yuan"',
        "programme.currency",
        2,
        'must be three capitals of ISO 4217, such as "CNY", is "yuan"',
    ),
    (
        '[programme]\ntimezone = "Asia/Shanghia"',
        "programme.timezone",
        2,
        'must be an IANA time zone such as "Asia/Shanghai", is "Asia/Shanghia"; did you mean "Asia/Shanghai"?',
    ),
    (
        '[programme]\ntimezone = "../etc/passwd"',
        "programme.timezone",
        2,
        'must be an IANA time zone such as "Asia/Shanghai", is "../etc/passwd"',
    ),
    ('[expiry]\nperiod = "P0D"', "expiry.period", 2, 'must be longer than nothing, such as "P7D", is "P0D"'),
    (
        '[expiry]\nperiod = "PT0S"',
        "expiry.period",
        2,
        'must be longer than nothing, such as "P7D", is "PT0S"',
    ),
    *(
        (f'[expiry]\nperiod = "{text}"', "expiry.period", 2, f'{PERIOD}"{text}"')
        for text in (
            "P",
            "PT",
            "P1DT",
            "-P7D",
            "P-7D",
            "P1.5D",
            "P7DM",
            "P1W2D",
            "PT1D",
            "7D",
            "P1D1M",
            "p7d",
            "P\u0667D",
        )
    ),
    ("[expiry]\nperiod = 12", "expiry.period", 2, PERIOD + "12"),
    ('[expiry]\nperiod = "P101Y"', "expiry.period", 2, 'must be at most a hundred years, is "P101Y"'),
    (
        '[redemption]\nhold_timeout = "P1M"',
        "redemption.hold_timeout",
        2,
        'must be in weeks, days or less, such as "P800D" or "PT30M", for months and years vary in length, is "P1M"',
    ),
    ('[tiers]\nwindow = "forever"', "tiers.window", 2, PERIOD + '"forever"; "lifetime" is right as well'),
    (
        "[redemption]\nmaximum_share = 0.5",
        "redemption.maximum_share",
        2,
        'must be an exact decimal in quotes, "0.5" instead of 0.5',
    ),
    (
        '[redemption]\nmaximum_share = "1.01"',
        "redemption.maximum_share",
        2,
        'must be from "0" to "1", is "1.01"',
    ),
    (
        '[redemption]\nmaximum_share = "-1"',
        "redemption.maximum_share",
        2,
        'must be an exact decimal in quotes, such as "1.2", is "-1"',
    ),
    (
        '[finance]\ngross_margin = "30%"',
        "finance.gross_margin",
        2,
        'must be an exact decimal in quotes, such as "1.2", is "30%"',
    ),
    (
        "[[earning.purchase]]\npoints = 1.5",
        "earning.purchase[0].points",
        2,
        'must be an exact decimal in quotes, "1.5" instead of 1.5; a whole number needs no quotes',
    ),
    (
        "[[earning.purchase]]\npoints = -1",
        "earning.purchase[0].points",
        2,
        "must be from 0 to 1000000, is -1",
    ),
    ("[[earning.purchase]]\nper_amount = 0", "earning.purchase[0].per_amount", 2, "must be at least 1, is 0"),
    (
        '[[earning.purchase]]\nbasis = "nett"',
        "earning.purchase[0].basis",
        2,
        'must be "net" or "gross", is "nett"',
    ),
    (
        '[[earning.purchase]]\ninclude_categories = "tea"',
        "earning.purchase[0].include_categories",
        2,
        'must be a list, is "tea"',
    ),
    (
        '[[earning.purchase]]\ninclude_categories = [\n "tea",\n ""]',
        "earning.purchase[0].include_categories[1]",
        4,
        'must be 1 to 1024 characters, with no space around them, is ""',
    ),
    ("[earning]\nregistration = 100", "earning.registration", 2, "must be a table, is 100"),
    ("games = {}", "games", 1, "must be a list, is a table"),
    (
        CAMPAIGN + 'starts_at = "2026-03-01T00:00:00"',
        "campaigns[0].starts_at",
        3,
        INSTANT + '"2026-03-01T00:00:00"',
    ),
    (CAMPAIGN + "starts_at = 2026-03-01", "campaigns[0].starts_at", 3, INSTANT + "2026-03-01"),
    (
        CAMPAIGN + 'starts_at = "2026-02-30T00:00:00Z"',
        "campaigns[0].starts_at",
        3,
        INSTANT + '"2026-02-30T00:00:00Z": day is out of range for month',
    ),
    (CAMPAIGN + 'accumulate = "no"', "campaigns[0].accumulate", 3, 'must be true or false, is "no"'),
    # keys
    (
        "[earning.review]\npoint = 10",
        "earning.review.point",
        2,
        "is not a key of the programme file; did you mean points?",
    ),
    (
        "[earning.activity]\nxyz = 10",
        "earning.activity.xyz",
        2,
        "is not a key of the programme file; known here: points",
    ),
    ("[[game]]\n", "game", 1, "is not a key of the programme file; did you mean games?"),
    (
        "[[earning.purchase]]\n\nthresholds = [{bonus = 5}]",
        "earning.purchase[0].thresholds[0].minimum_amount",
        3,
        "is missing and has no default; it must be given",
    ),
    # lists that rise or must not repeat
    (
        "[[earning.purchase]]\nthresholds = [\n{minimum_amount = 9, bonus = 1},\n{minimum_amount = 9, bonus = 2}]",
        "earning.purchase[0].thresholds[1].minimum_amount",
        4,
        "must be more than the 9 of the entry before, is 9",
    ),
    (
        "[earning.check_in]\nstreaks = [{days = 9, bonus = 1}, {days = 3, bonus = 2}]",
        "earning.check_in.streaks[1].days",
        2,
        "must be more than the 9 of the entry before, is 3",
    ),
    (
        "[[games]]\nbands = [{minimum_score = 5, points = 1}, {minimum_score = 5, points = 2}]",
        "games[0].bands[1].minimum_score",
        2,
        "must be more than the 5 of the entry before, is 5",
    ),
    (
        '[tiers]\nlevels = [{name = "a", from = 9, multiplier = "1"}, {name = "b", from = 3, multiplier = "1"}]',
        "tiers.levels[1].from",
        2,
        "must be more than the 9 of the entry before, is 3",
    ),
    (
        '[tiers]\nlevels = [{name = "a", from = 1, multiplier = "1"}, {name = "a", from = 3, multiplier = "1"}]',
        "tiers.levels[1].name",
        2,
        'must differ from the other entries\', is "a" as in entry 0',
    ),
    (
        '[tiers]\nlevels = [{name = "a", from = 1, multiplier = "0.9"}]',
        "tiers.levels[0].multiplier",
        2,
        'must be at least "1", is "0.9"',
    ),
    *(
        (
            f'[[{section}]]\nid = "a"\n{more}\n[[{section}]]\nid = "a"\n{more}',
            f"{section}[1].id",
            5,
            'must differ from the other entries\', is "a" as in entry 0',
        )
        for section, more in (
            ("earning.purchase", ""),
            ("games", ""),
            ("surveys", ""),
            ("campaigns", "award.points = 1"),
            ("rewards", ""),
            ("leaderboards", ""),
        )
    ),
    (
        '[expiry]\nwarn_before = [\n"P7D",\n"P1W"]',
        "expiry.warn_before[1]",
        4,
        'must differ from the other entries\', is "P1W" as in entry 0',
    ),
    (
        CAMPAIGN + 'draw.prizes = [{id = "a"}, {id = "a"}]',
        "campaigns[0].draw.prizes[1].id",
        3,
        'must differ from the other entries\', is "a" as in entry 0',
    ),
    # across keys
    (
        '[[earning.purchase]]\ninclude_skus = ["a"]\nexclude_skus = ["b", "a"]',
        "earning.purchase[0].exclude_skus[1]",
        3,
        'must not be in include_skus as well, is "a"',
    ),
    (
        "[redemption]\nminimum_points = 150",
        "redemption.minimum_points",
        2,
        "must be a multiple of redemption.step 100, is 150",
    ),
    (
        "[redemption]\nstep = 30",
        "redemption.minimum_points",
        1,
        "must be a multiple of redemption.step 30, is 100",
    ),
    (
        '[expiry]\nperiod = "P1M"\nwarn_before = ["P31D"]',
        "expiry.warn_before[0]",
        3,
        'must be shorter than expiry.period "P1M", is "P31D"',
    ),
    (
        '[programme]\nretention = "P2D"\n[redemption]\nhold_timeout = "P3D"',
        "redemption.hold_timeout",
        4,
        'must be no longer than programme.retention "P2D", is "P3D"',
    ),
    (
        '[programme]\nretention = "P6D"\n[availability]\nmode = "delay"',
        "availability.delay",
        3,
        'must be no longer than programme.retention "P6D", is "P7D"',
    ),
    (
        '[programme]\nretention = "P29D"\n[earning.check_in]\nstreaks = [{days = 30, bonus = 1}]',
        "earning.check_in.streaks[0].days",
        4,
        'must be no longer than programme.retention "P29D", is 30',
    ),
    (
        '[programme]\nretention = "P1D"\n' + BOARD + 'grace = "PT25H"',
        "leaderboards[0].grace",
        4,
        'must be no longer than programme.retention "P1D", is "PT25H"',
    ),
    (
        CAMPAIGN + 'starts_at = "2026-03-08T00:00:00+08:00"\nends_at = "2026-03-07T16:00:00Z"',
        "campaigns[0].ends_at",
        4,
        'must be after starts_at "2026-03-08T00:00:00+08:00", is "2026-03-07T16:00:00+00:00"',
    ),
    (
        '[[rewards]]\nstarts_at = "2026-03-08T00:00:00Z"\nends_at = "2026-03-07T00:00:00Z"',
        "rewards[0].ends_at",
        3,
        'must be after starts_at "2026-03-08T00:00:00+00:00", is "2026-03-07T00:00:00+00:00"',
    ),
    (
        "[[campaigns]]",
        "campaigns[0].award",
        1,
        "must be one of points, multiplier, draw_entries, gift, is empty",
    ),
    (
        '[[campaigns]]\naward = {points = 1, gift = "a"}',
        "campaigns[0].award",
        2,
        "must be one of points, multiplier, draw_entries, gift, is points and gift",
    ),
    (
        '[[campaigns]]\naward = {multiplier = "1.0"}',
        "campaigns[0].award.multiplier",
        2,
        'must be more than "1", is "1"',
    ),
    (
        '[[campaigns]]\ntrigger = "review"\naward = {multiplier = "2.0"}',
        "campaigns[0].award.multiplier",
        3,
        'must come with trigger "purchase", is with "review"',
    ),
    (
        "[[campaigns]]\naward = {draw_entries = 1}",
        "campaigns[0].award.draw_entries",
        2,
        "must come with the campaign's draw = {...}, which is left out",
    ),
    (
        CAMPAIGN + "minimum_amount = 0",
        "campaigns[0].minimum_amount",
        3,
        "must be at least 1 with accumulate = true, for each full minimum_amount is awarded, is 0",
    ),
    (
        CAMPAIGN + 'draw = {prizes = [{id = "a"}], seed_commitment = "ABC"}',
        "campaigns[0].draw.seed_commitment",
        3,
        'must be 64 characters of 0-9 a-f, the SHA-256 of the seed, is "ABC"',
    ),
    (
        '[[campaigns]]\naward = {gift = "cup"}\n[[rewards]]\nid = "pot"',
        "campaigns[0].award.gift",
        2,
        'must name a reward, one of "pot", is "cup"',
    ),
    (
        CAMPAIGN + 'audience = {tiers = ["gold"]}',
        "campaigns[0].audience.tiers[0]",
        3,
        'must name a tier, of which the file has none, is "gold"',
    ),
    (
        '[tiers]\nlevels = [{name = "a", from = 1, multiplier = "1"}]\n[[rewards]]\ntiers = ["a", "b"]',
        "rewards[0].tiers[1]",
        4,
        'must name a tier, one of "a", is "b"',
    ),
    (
        BOARD + 'metric = "spend"',
        "leaderboards[0].metric",
        2,
        'must be "earned", "check_in_streak" or "campaign:<id>", is "spend"',
    ),
    (
        BOARD + 'metric = "campaign:x"\n' + CAMPAIGN,
        "leaderboards[0].metric",
        2,
        'must name a campaign, one of "spring-week", is "x"',
    ),
    (
        BOARD + 'period = "campaign"',
        "leaderboards[0].period",
        2,
        'must be "campaign" only with metric "campaign:<id>", is with "earned"',
    ),
    (
        BOARD + "size = 5\nrewards = [{ranks = [4, 6], points = 1}]",
        "leaderboards[0].rewards[0].ranks",
        3,
        "must be within the board's size of 5, is [4, 6]",
    ),
    (
        BOARD + "rewards = [{ranks = [1, 3], points = 1}, {ranks = [3, 4], points = 1}]",
        "leaderboards[0].rewards[1].ranks",
        2,
        "must not overlap with [1, 3], is [3, 4]",
    ),
    (
        BOARD + "rewards = [{ranks = [3, 1], points = 1}]",
        "leaderboards[0].rewards[0].ranks",
        2,
        "must be [first, last] with the first no later than the last, is [3, 1]",
    ),
    (
        BOARD + "rewards = [{ranks = [0, 1], points = 1}]",
        "leaderboards[0].rewards[0].ranks[0]",
        2,
        "must be at least 1, is 0",
    ),
]


@pytest.mark.parametrize(("text", "path", "line", "message"), MISTAKES, ids=lambda given: str(given)[:40])
def test_a_mistake_is_named_by_key_path_line_and_cure(
    text: str, path: str, line: int | None, message: str
) -> None:
    with pytest.raises(ProgrammeError) as raised:
        parse_programme(text)
    assert raised.value.mistakes == (Mistake(path, message, line),)


NOTHING_FOLLOWS = """\
[programme]
retention = "P9D"
timezone = "Mars"
[tiers]
window = 12
[[campaigns]]
award.points = 1
audience.tiers = ["gold"]
"""


def test_nothing_is_judged_by_what_is_wrong_itself() -> None:
    with pytest.raises(ProgrammeError) as raised:
        parse_programme(NOTHING_FOLLOWS)
    assert [mistake.path for mistake in raised.value.mistakes] == ["programme.timezone", "tiers.window"]


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    text = """\
[programme]
currency = "cny"
[[earning.purchase]]
per_amount = 0
include_sku = []
thresholds = [
  {minimum_amount = 50000, bonus = 0},
  {minimum_amount = 1000, bonus = 150, bones = 1},
]
[[earning.purchase]]
[redemption]
minimum_points = 150
maximum_share = 1.0
[[rewards]]
cost = 0
id = "cup"
[[rewards]]
id = "cup"
tiers = [1]
"""
    with pytest.raises(ProgrammeError) as raised:
        parse_programme(text, "shop/programme.toml")
    assert str(raised.value).splitlines() == [
        'shop/programme.toml:2: programme.currency: must be three capitals of ISO 4217, such as "CNY", is "cny"',
        "shop/programme.toml:4: earning.purchase[0].per_amount: must be at least 1, is 0",
        (
            "shop/programme.toml:5: earning.purchase[0].include_sku: is not a key of the programme file; "
            "did you mean include_skus?"
        ),
        "shop/programme.toml:7: earning.purchase[0].thresholds[0].bonus: must be at least 1, is 0",
        (
            "shop/programme.toml:8: earning.purchase[0].thresholds[1].bones: is not a key of the programme file; "
            "did you mean bonus?"
        ),
        (
            "shop/programme.toml:8: earning.purchase[0].thresholds[1].minimum_amount: "
            "must be more than the 50000 of the entry before, is 1000"
        ),
        "shop/programme.toml:12: redemption.minimum_points: must be a multiple of redemption.step 100, is 150",
        'shop/programme.toml:13: redemption.maximum_share: must be an exact decimal in quotes, "1.0" instead of 1.0',
        "shop/programme.toml:15: rewards[0].cost: must be at least 1, is 0",
        'shop/programme.toml:18: rewards[1].id: must differ from the other entries\', is "cup" as in entry 0',
        "shop/programme.toml:19: rewards[1].tiers[0]: must be text in quotes, is 1",
    ]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("[programme]\nid = mall", "is not TOML: Invalid value, column 6", 2),
        ("[programme\n", "is not TOML: Expected ']' at the end of a table declaration, column 11", 1),
        ('[programme]\n\nid = "a"\nid = "b"', "is not TOML: Cannot overwrite a value", 4),
        ("games = [", "is not TOML: Invalid value at the end of the file", 1),
    ],
)
def test_what_is_not_toml_is_named_by_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(ProgrammeError) as raised:
        parse_programme(text)
    (mistake,) = raised.value.mistakes
    assert (mistake.path, mistake.line) == ("", line)
    assert mistake.message.startswith(message)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ProgrammeError, match=r"none\.toml: cannot be read .*give the path of a programme file"
    ):
        load_programme(tmp_path / "none.toml")


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "programme.toml"
    file.write_bytes('[[campaigns]]\ntheme = "满减"'.encode("gb18030"))
    with pytest.raises(ProgrammeError) as raised:
        load_programme(file)
    assert raised.value.mistakes == (Mistake("", "is not UTF-8 here; save the file as UTF-8", 2),)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "programme.toml"
    file.write_bytes(b"\xef\xbb\xbf" + b'[programme]\r\nid = "shop"\r\n')
    assert load_programme(file).programme.id == "shop"


def test_where_it_is_written_is_no_part_of_a_programme() -> None:
    one, other = parse_programme("", "a.toml"), parse_programme("\n\n[programme]\n", "b.toml")
    assert one.source.file != other.source.file
    assert one == other


TEXT = FULL.read_text(encoding="utf-8")
SPOILS = [
    "",
    "0",
    "-1",
    "1.5",
    "true",
    '"',
    "'",
    '""',
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "#",
    "\n",
    "\\",
    "P1D",
    "nan",
    "_",
]


@settings(max_examples=150, deadline=None)
@given(start=st.integers(0, len(TEXT)), length=st.integers(0, 12), spoil=st.sampled_from(SPOILS))
def test_a_spoiled_file_is_read_or_its_mistakes_have_lines(start: int, length: int, spoil: str) -> None:
    text = TEXT[:start] + spoil + TEXT[start + length :]
    found: tuple[Mistake, ...] = ()
    try:
        parse_programme(text)
    except ProgrammeError as error:
        found = error.mistakes or (Mistake("", "none is told"),)
    last = text.count("\n") + 1
    assert [mistake for mistake in found if mistake.line is None or not 1 <= mistake.line <= last] == []

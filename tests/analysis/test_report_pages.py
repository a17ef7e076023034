"""Reports as HTML: one file each, sound, in both languages, with the figures of the numbers."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import mall_year
import pytest
from reported import exported, report
from typer.testing import CliRunner

from loyalty_stream.analysis import reports
from loyalty_stream.analysis.reports import as_html, as_json
from loyalty_stream.analysis.reports.words import MINUS, Words, read_texts
from loyalty_stream.cli.entry import app

SUBJECTS = [
    ("campaign", "tea-week"),
    ("campaign", "lucky-june"),
    ("programme", ""),
    ("finance", ""),
    ("feedback", ""),
    ("merchant", "kiln"),
]
VOID = {"meta", "link", "br", "hr", "img", "input"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


class Strict(HTMLParser):
    """Fails where an element is not closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        given = dict(attrs)
        assert len(given) == len(attrs), f"<{tag}> has an attribute twice"
        if "id" in given:
            self.ids.append(given["id"])
        self.links += [
            given[name] for name in ("src", "href", "xlink:href", "data", "srcset") if name in given
        ]
        assert not [name for name in given if name.startswith("on")]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and "style" not in self.open:
            self.text.append(data.strip())


@pytest.fixture(scope="module")
def pages():
    programme = mall_year.programme()
    return {
        (kind, name, language): as_html(report(kind, name), programme, language)
        for kind, name in SUBJECTS
        for language in ("en", "zh")
    }


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("kind", "name"), SUBJECTS)
def test_a_page_is_sound_and_needs_nothing_from_outside(kind, name, language, pages):
    page = pages[kind, name, language]
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert all(link.startswith("#") and link[1:] in parser.ids for link in parser.links)
    assert not re.search(r"https?:|//[a-z]|<script|@import|url\((?!#)", page)
    assert parser.text.count("None") == parser.text.count("nan") == 0
    assert page.count('class="wide"') == page.count('class="narrow"') > 0


@pytest.mark.parametrize(("kind", "name"), SUBJECTS)
def test_a_page_is_in_one_language(kind, name, pages):
    themes = "|".join(campaign.theme for campaign in mall_year.programme().campaigns)
    english = re.sub(themes, "", pages[kind, name, "en"].split("</style>")[1])
    assert not CHINESE.search(english)
    parser = Strict()
    parser.feed(pages[kind, name, "zh"])
    texts = {both[0] for both in read_texts().values() if "{" not in both[0]}
    assert not [text for text in parser.text if text in texts]


def test_every_text_is_in_both_languages_with_the_same_places():
    for key, (english, chinese) in read_texts().items():
        assert english.strip(), key
        assert CHINESE.search(chinese) or not re.search("[a-z]", english), key
        places = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (english, chinese)]
        assert places[0] == places[1], key


def test_no_text_is_idle():
    """Keys that the pages put together, such as a month's kinds of points, are found by their names alone."""
    folder = Path(reports.__file__).parent
    code = "\n".join(path.read_text() for path in folder.rglob("*.py"))
    code += (folder.parent / "templates" / "page.html").read_text()
    named = set(re.findall(r"[\w-]+", code))
    idle = [
        key
        for key in read_texts()
        if key.split(".")[0] not in {"way", "tier"}
        and key not in code
        and key.split(".")[1] not in named
        and not any(key.split(".")[1].startswith(prefix) for prefix in ("how_", "state_"))
    ]
    assert idle == []


def test_the_same_numbers_make_the_same_bytes(pages):
    assert as_html(report("finance"), mall_year.programme(), "en") == pages["finance", "", "en"]


def test_the_brief_is_on_the_page(pages):
    english, chinese = (
        pages["finance", "", language].replace("\N{NO-BREAK SPACE}", " ") for language in ("en", "zh")
    )
    assert "CNY 500,000 invested, sales up CNY 3,000,000 a year: CNY 2,500,000 net." in english
    assert "a potential of CNY 20,000,000." in english
    for amount in ("投入 50 万元", "年销售额提升 300 万元", "净收益 250 万元"):
        assert amount in chinese
    assert "潜在收益 2,000 万元" in chinese


def test_json_has_the_same_numbers():
    found = json.loads(as_json(report("finance")))
    assert found["plan"]["net_amount"] == 250_000_000
    assert found["liability"]["outstanding"] == report("finance").liability.outstanding
    assert found["months"][0]["month"] == "2026-01-01"


@pytest.mark.parametrize(
    ("language", "currency", "minor", "written"),
    [
        ("en", "CNY", 123, "CNY 1.23"),
        ("en", "CNY", 250_000_000, "CNY 2,500,000"),
        ("en", "USD", -99_950, f"{MINUS}USD 999.50"),
        ("en", "JPY", 1234, "JPY 1,234"),
        ("en", "KWD", 1234, "KWD 1.234"),
        ("zh", "CNY", 123, "1.23 元"),
        ("zh", "CNY", 999_999, "10,000 元"),
        ("zh", "CNY", 2_000_000_000, "2,000 万元"),
        ("zh", "USD", 1_234_500_000, "1,234.5 万美元"),
        ("zh", "CHF", 100, "1.00 CHF"),
        ("zh", "CNY", -5_000_000, f"{MINUS}5 万元"),
    ],
)
def test_amounts_are_written_as_people_write_them(language, currency, minor, written):
    assert Words(language, currency).money(minor).replace("\N{NO-BREAK SPACE}", " ") == written


# -- the command ----------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("programme.toml").write_text(mall_year.TEXT, encoding="utf-8")

    def run(*arguments):
        return CliRunner().invoke(app, ["report", *arguments, "--parquet", str(exported())])

    return run


def test_the_command_writes_html_where_it_says(run):
    result = run("campaign", "tea-week", "--language", "zh")
    assert (result.exit_code, result.stdout) == (0, "report-campaign-tea-week.html written\n")
    assert '<html lang="zh-CN">' in Path("report-campaign-tea-week.html").read_text(encoding="utf-8")
    assert run("merchant", "kiln", "--out", "kiln.html").exit_code == 0
    assert "kiln" in Path("kiln.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["programme", "finance", "feedback"])
def test_the_command_writes_json(kind, run):
    assert json.loads(run(kind, "--json").stdout) == json.loads(as_json(report(kind)))


def test_the_command_says_what_it_cannot_find(run):
    result = run("campaign", "no-week")
    assert result.exit_code != 0
    assert "tea-week" in str(result.exception)

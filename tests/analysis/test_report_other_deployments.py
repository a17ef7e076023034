"""The same numbers where a campaign was published live, and where customers are known by tokens only."""

import json
import tomllib
from pathlib import Path

import mall_year
import msgspec
import pytest
from reported import exported, history, report

from loyalty_stream.analysis.layout import export_lines
from loyalty_stream.analysis.reports import AnyReport, Kind, as_json, make_report
from loyalty_stream.analysis.source import connect
from loyalty_stream.programme import Programme, parse_programme

EFFECTIVE = "2026-01-02T00:00:00+08:00"


def without_tea_week() -> tuple[Programme, bytes]:
    """The programme file without that campaign, and the event that publishes it."""
    before, _, rest = mall_year.TEXT.partition('[[campaigns]]\nid = "tea-week"')
    programme = parse_programme(before + rest[rest.index("[[campaigns]]") :])
    (data,) = [each for each in tomllib.loads(mall_year.TEXT)["campaigns"] if each["id"] == "tea-week"]
    event = {
        "specversion": "1.0",
        "id": "p-1",
        "source": "/marketing",
        "type": "campaign-published",
        "subject": "tea-week",
        "time": "2026-01-01T12:00:00+08:00",
        "data": data | {"effective_at": EFFECTIVE},
    }
    return programme, json.dumps(event).encode()


def numbers(report: AnyReport) -> dict:
    return json.loads(as_json(report))


@pytest.mark.parametrize(("kind", "name"), [("campaign", "tea-week"), ("feedback", "")])
def test_a_campaign_published_live_is_reported_on_as_one_of_the_file(tmp_path: Path, kind: Kind, name: str):
    programme, published = without_tea_week()
    export_lines(tmp_path / "export", history().events, [published, *history().facts], partitions=3)
    with connect(tmp_path / "export") as connection:
        made = make_report(connection, programme, kind, name)
    assert numbers(made) == numbers(report(kind, name))


def under_tokens(lines: list[bytes]) -> list[bytes]:
    """As a deployment with `subject = "pseudonym"` exports them: who a customer is says a token, everywhere."""
    renamed = []
    for line in lines:
        event = msgspec.json.decode(line)
        event["subject"] = f"token-{event['subject']}"
        if "referred_by" in event["data"]:
            event["data"]["referred_by"] = f"token-{event['data']['referred_by']}"
        renamed.append(msgspec.json.encode(event))
    return renamed


_ERASED = "SELECT customer FROM points_events WHERE kind = 'erased'"


def with_facts(path: Path, query: str, kind: Kind, name: str) -> dict:
    """The numbers where the facts are what `query` makes of them."""
    with connect(path) as connection:
        connection.execute(f"CREATE TABLE known AS {query}")
        connection.execute("DROP VIEW facts; CREATE VIEW facts AS FROM known")
        return numbers(make_report(connection, mall_year.programme(), kind, name))


@pytest.fixture(scope="module")
def under_pseudonyms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export whose customers are tokens."""
    path = tmp_path_factory.mktemp("pseudonyms") / "export"
    export_lines(path, under_tokens(history().events), under_tokens(history().facts), partitions=3)
    return path


def pseudonymous(path: Path, kind: Kind, name: str) -> dict:
    """The numbers of it; facts of whoever was erased have no token."""
    token = f"CASE WHEN customer NOT IN ({_ERASED}) THEN customer END AS customer"
    return with_facts(path, f"SELECT * REPLACE ({token}) FROM facts", kind, name)


@pytest.mark.parametrize(
    ("kind", "name"), [("campaign", "tea-week"), ("programme", ""), ("finance", "")], ids=str
)
def test_reports_under_pseudonyms_say_the_same(under_pseudonyms: Path, kind: Kind, name: str):
    assert pseudonymous(under_pseudonyms, kind, name) == numbers(report(kind, name))


@pytest.mark.parametrize(("kind", "name"), [("feedback", ""), ("merchant", "kiln")], ids=str)
def test_under_pseudonyms_nobody_knows_what_the_erased_said_and_which_goods_they_bought(
    under_pseudonyms: Path, kind: Kind, name: str
):
    without = with_facts(exported(), f"FROM facts WHERE customer NOT IN ({_ERASED})", kind, name)
    assert without != numbers(report(kind, name))
    assert pseudonymous(under_pseudonyms, kind, name) == without

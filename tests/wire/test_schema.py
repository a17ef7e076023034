import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator
from msgspec import structs

from loyalty_stream.app.settings import ALLOCATIONS
from loyalty_stream.domain.counts import Counts
from loyalty_stream.domain.facts import EntryWon, EntryWonData
from loyalty_stream.domain.owner_requests import AllocationRequested, RequestedData
from loyalty_stream.domain.standings import PartPassed, PartTold
from loyalty_stream.wire import allocations, schema, standings, statistics
from loyalty_stream.wire.json_schema import fact_schema
from loyalty_stream.wire.own_commands import ReferrerNamed, encode_referrer_named
from loyalty_stream.wire.topics import ACCEPTED, FACT_OF_TYPE, TOPIC_OF_TYPE
from tests.wire.samples import DATA, event


@pytest.mark.parametrize("name", sorted(DATA))
def test_sound_events_keep_to_their_schema(name):
    contract = fact_schema(FACT_OF_TYPE[name])
    Draft202012Validator.check_schema(contract)
    least, more = DATA[name]
    Draft202012Validator(contract).validate(event(name, least))
    Draft202012Validator(contract).validate(event(name, least | more))


@pytest.mark.parametrize("name", sorted(DATA))
def test_each_schema_says_what_its_event_is(name):
    contract = fact_schema(FACT_OF_TYPE[name])
    assert contract["title"] == name
    assert str(contract["description"]).endswith(".")
    for declared in json.loads(schema.files()[f"in/{name}.json"])["required"]:
        lacking = {key: value for key, value in event(name).items() if key != declared}
        assert not Draft202012Validator(contract).is_valid(lacking)


def test_every_point_event_is_described():
    for path, text in schema.files().items():
        if path.startswith("out/"):
            assert json.loads(text)["description"].endswith("."), path


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)


def test_asyncapi_has_every_topic_and_every_reference_leads_somewhere():
    files = schema.files()
    document = json.loads(files["asyncapi.json"])
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == {
        *ACCEPTED,
        *INTERNAL,
        "points-events",
        "notifications",
        "leaderboards",
        "campaign-stats",
        "dead-letters",
    }
    for name, topic in TOPIC_OF_TYPE.items():
        assert name in document["channels"][topic]["messages"]
    found = list(references(document))
    for reference in found:
        if reference.startswith("./"):
            assert reference.removeprefix("./") in files
        else:
            inner = document
            for step in reference.removeprefix("#/").split("/"):
                inner = inner[step]
    assert {reference for reference in found if reference.startswith("./")} == {
        f"./{path}" for path in files if path != "asyncapi.json"
    }


REQUESTED = AllocationRequested(
    id="r-1",
    subject="stock:tea-cup",
    time=datetime(2026, 1, 15, tzinfo=UTC),
    data=RequestedData(quantity=1, limit=9, partial=False, customer="c-1", partition=0),
)
WON = EntryWon(
    specversion="1.0",
    id="w-1",
    source="loyalty-stream",
    subject="c-1",
    time=datetime(2026, 1, 15, tzinfo=UTC),
    data=EntryWonData(entry_id="e-1", campaign_id="lots", prize="car", proof="00"),
)

TOLD = PartTold("monthly", "2026-01", 0, 1, 2, 3, 1_768_435_200_000, (("c-1", 200, 1_768_435_100_000, ""),))
COUNTED = statistics.Partial(3, "programme", 29_473_920, 1_768_435_200_000, Counts(customers=2, granted=300))
INTERNAL = {*ALLOCATIONS, "board-times", "board-parts", "campaign-counts"}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("allocation-requested", allocations.encode_request(REQUESTED)),
        ("draw-entry-won", allocations.encode_answer(WON)),
        ("ledger-time", standings.encode_time(standings.LedgerTime(1_768_435_200_000))),
        ("board-part", standings.encode_part(TOLD)),
        ("board-time", standings.encode_part(PartPassed("monthly", 1, 1_768_435_200_000, 0))),
        ("partition-counts", statistics.encode_partial(COUNTED)),
        ("referrer-named", encode_referrer_named(ReferrerNamed("c-1", "r-7f"))),
    ],
)
def test_what_parts_of_the_application_say_to_each_other_keeps_to_its_schema(name, written):
    contract = json.loads(schema.files()[f"internal/{name}.json"])
    Draft202012Validator.check_schema(contract)
    Draft202012Validator(contract).validate(json.loads(written))
    for key in json.loads(written):
        lacking = {field: value for field, value in json.loads(written).items() if field != key}
        assert not Draft202012Validator(contract).is_valid(lacking)


def test_topics_between_parts_of_the_application_are_marked_so():
    channels = json.loads(schema.files()["asyncapi.json"])["channels"]
    assert {topic for topic, channel in channels.items() if channel.get("x-internal")} == INTERNAL


def test_counts_are_described_as_they_are_written_in_a_row():
    contract = Draft202012Validator(json.loads(schema.files()["internal/partition-counts.json"]))
    full = Counts(customers=2, granted=300, winners=1, granted_by={"purchase": 300}, revoked_by={"refund": 1})
    contract.validate(json.loads(statistics.encode_partial(structs.replace(COUNTED, counts=full))))
    for wrong in (["boards", 2], ["counts", "2"], []):
        told = json.loads(statistics.encode_partial(COUNTED)) | {"counts": wrong}
        assert not contract.is_valid(told), wrong


def test_what_the_ledger_tells_itself_stands_with_the_commands_and_is_marked():
    document = json.loads(schema.files()["asyncapi.json"])
    assert "referrer-named" in document["channels"]["points-commands"]["messages"]
    assert document["components"]["messages"]["referrer-named"]["x-internal"] is True

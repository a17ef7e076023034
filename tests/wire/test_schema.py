import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from loyalty_stream.app.settings import ALLOCATIONS
from loyalty_stream.domain.facts import EntryWon, EntryWonData
from loyalty_stream.domain.owner_requests import AllocationRequested, RequestedData
from loyalty_stream.wire import allocations, schema
from loyalty_stream.wire.json_schema import fact_schema
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
        *ALLOCATIONS,
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


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("allocation-requested", allocations.encode_request(REQUESTED)),
        ("draw-entry-won", allocations.encode_answer(WON)),
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
    assert {topic for topic, channel in channels.items() if channel.get("x-internal")} == set(ALLOCATIONS)

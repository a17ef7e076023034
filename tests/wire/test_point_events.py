import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import UNSET
from msgspec.inspect import type_info
from msgspec.structs import replace

from loyalty_stream.domain.events import (
    EVENT_TYPE,
    AccountNoted,
    Balance,
    Cause,
    PointEvent,
    PointEventData,
    PointGranted,
)
from loyalty_stream.domain.notes import OrderNote
from loyalty_stream.wire.json_schema import point_event_schema
from loyalty_stream.wire.point_events import UnreadablePointEventError, decode, encode
from tests.wire.samples import INSTANT, LATER, POINT_EVENT_DATA, point_event
from tests.wire.strategies import INSTANTS, TEXTS, values_of

KINDS = list(EVENT_TYPE)


@st.composite
def point_events(draw: st.DrawFn) -> PointEvent:
    kind = draw(st.sampled_from(KINDS))
    data = draw(values_of(type_info(kind)))
    return PointEvent(
        id=draw(TEXTS), type=EVENT_TYPE[kind], subject=draw(TEXTS), time=draw(INSTANTS), data=data
    )


@given(point_events())
def test_what_is_written_is_read_back_the_same(event):
    value = encode(event)
    assert decode(value) == event
    assert encode(decode(value)) == value


@given(point_events())
def test_every_event_carries_cause_and_balance_and_no_absent_note(event):
    data = json.loads(encode(event))["data"]
    assert data["cause"] == {"source": event.data.cause.source, "id": event.data.cause.id}
    assert set(data["balance"]) == {"available", "pending", "held", "debt"}
    assert ("note" in data) == (event.data.note is not None)


def test_there_is_a_sample_of_every_type():
    assert {type(data) for data in POINT_EVENT_DATA} == set(KINDS)


@pytest.mark.parametrize("data", POINT_EVENT_DATA, ids=lambda data: EVENT_TYPE[type(data)])
def test_samples_keep_to_their_schema(data: PointEventData):
    schema = point_event_schema(type(data))
    Draft202012Validator.check_schema(schema)
    shown = json.loads(encode(point_event(data)))
    Draft202012Validator(schema).validate(shown)
    for name in ("cause", "balance"):
        lacking = {**shown, "data": {key: value for key, value in shown["data"].items() if key != name}}
        assert not Draft202012Validator(schema).is_valid(lacking)


def test_the_json_of_a_grant():
    shown = json.loads(encode(point_event(POINT_EVENT_DATA[1])))
    assert shown == {
        "specversion": "1.0",
        "id": "abc.0",
        "source": "loyalty-stream",
        "type": "point-granted",
        "subject": "customer-1",
        "time": "2026-01-15T02:00:00.123000Z",
        "data": {
            "cause": {"source": "shop/orders", "id": "evt-1"},
            "balance": {"available": 190, "pending": 0, "held": 0, "debt": 0},
            "note": {"kind": "order", "order_id": "o-1", "lines": [["1", 12000], ["2", 7050]], "first": True},
            "grant_id": "abc.0",
            "points": 190,
            "rule": "base",
            "rule_version": 1,
            "reason": "purchase",
            "available_at": "2026-01-15T02:00:00.123000Z",
            "expires_at": "2027-01-16T00:00:00Z",
            "order_id": "o-1",
            "campaign_id": "spring",
            "base_amount": 19050,
            "exact": [19050, 100],
            "rounding": "floor",
            "day": 20468,
        },
    }


def test_what_never_expires_says_null():
    assert json.loads(encode(point_event(POINT_EVENT_DATA[0])))["data"]["expires_at"] is None


def test_a_note_of_its_own_says_its_kind_twice():
    noted = AccountNoted(
        kind="order",
        note=OrderNote("o-1", (("1", 0),)),
        cause=Cause("shop", "evt-1"),
        balance=Balance(0, 0, 0, 0),
    )
    data = json.loads(encode(point_event(noted)))["data"]
    assert data["kind"] == data["note"]["kind"] == "order"


def test_a_time_keeps_its_offset():
    local = datetime(2026, 1, 15, 10, tzinfo=timezone(timedelta(hours=8)))
    value = encode(replace(point_event(POINT_EVENT_DATA[0]), time=local))
    assert json.loads(value)["time"] == "2026-01-15T10:00:00+08:00"
    assert decode(value).time == datetime(2026, 1, 15, 2, tzinfo=UTC)


def test_fields_of_a_newer_writer_are_ignored():
    shown = json.loads(encode(point_event(POINT_EVENT_DATA[0])))
    shown["traceparent"] = "00-1"
    shown["data"]["added_later"] = {"deep": [1]}
    assert decode(json.dumps(shown).encode()) == point_event(POINT_EVENT_DATA[0])


SOUND = encode(point_event(POINT_EVENT_DATA[0]))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (b"", "truncated"),
        (b"\xff", "malformed"),
        (SOUND.replace(b"point-granted", b"point-lost"), "point-lost"),
        (SOUND.replace(b'"1.0"', b'"2.0"'), "specversion"),
        (SOUND.replace(b'"loyalty-stream"', b'"shop"'), "source"),
        (SOUND.replace(b'"points":190', b'"points":"190"'), "points"),
        (SOUND.replace(b'"balance"', b'"balanced"'), "balance"),
        (SOUND.replace(b'"cause"', b'"because"'), "cause"),
    ],
)
def test_what_is_no_point_event_is_refused_and_named(value, named):
    with pytest.raises(UnreadablePointEventError, match=named):
        decode(value)


def test_an_event_that_no_journal_stamped_is_not_read_back():
    bare = PointGranted(
        grant_id="g",
        points=1,
        rule="base",
        rule_version=1,
        reason="purchase",
        available_at=INSTANT,
        expires_at=LATER,
    )
    assert bare.cause is UNSET
    with pytest.raises(UnreadablePointEventError, match="balance"):
        decode(encode(point_event(bare)))

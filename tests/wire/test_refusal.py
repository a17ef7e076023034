"""Each way in which a record can be wrong, and the code that it gets. The schemas are held against the same table."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from loyalty_stream.wire.decode import Decoded, decode, decode_line
from loyalty_stream.wire.json_schema import fact_schema
from loyalty_stream.wire.reasons import Reason
from loyalty_stream.wire.topics import FACT_OF_TYPE, TOPIC_OF_TYPE
from tests.wire.samples import AT_MS, DATA, KEY, event, to_bytes

GONE = object()

# (type, key path from `data`, new value or GONE, code, whether a JSON Schema can tell)
WRONG_DATA: list[tuple[str, tuple[Any, ...], Any, Reason, bool]] = [
    ("order-paid", ("order_id",), GONE, Reason.MISSING_FIELD, True),
    ("order-paid", ("lines", 0, "amount"), GONE, Reason.MISSING_FIELD, True),
    ("order-paid", ("lines", 0, "amount"), True, Reason.BOOLEAN_NOT_INTEGER, True),
    ("order-paid", ("lines", 0, "amount"), 1.5, Reason.FLOAT_NOT_INTEGER, True),
    ("order-paid", ("lines", 0, "amount"), 12000.0, Reason.FLOAT_NOT_INTEGER, False),
    ("order-paid", ("lines", 0, "amount"), 1e300, Reason.FLOAT_NOT_INTEGER, True),
    ("order-paid", ("lines", 0, "amount"), "12000", Reason.TEXT_NOT_INTEGER, True),
    ("order-paid", ("lines", 0, "amount"), "", Reason.TEXT_NOT_INTEGER, True),
    ("order-paid", ("lines", 0, "amount"), None, Reason.WRONG_TYPE, True),
    ("order-paid", ("lines", 0, "amount"), [], Reason.WRONG_TYPE, True),
    ("order-paid", ("lines", 0, "amount"), -1, Reason.NEGATIVE, True),
    ("order-paid", ("lines", 0, "amount"), 10**12 + 1, Reason.AMOUNT_TOO_LARGE, True),
    ("order-paid", ("lines", 0, "amount"), 10**400, Reason.AMOUNT_TOO_LARGE, True),
    ("order-paid", ("lines", 0, "amount"), -(10**400), Reason.NEGATIVE, True),
    ("order-paid", ("discount_amount",), 2**64, Reason.AMOUNT_TOO_LARGE, True),
    ("order-paid", ("discount_amount",), None, Reason.WRONG_TYPE, True),
    ("order-paid", ("lines", 0, "quantity"), 0, Reason.OUT_OF_RANGE, True),
    ("order-paid", ("lines", 0, "quantity"), -1, Reason.NEGATIVE, True),
    ("order-paid", ("lines", 0, "quantity"), 10**9 + 1, Reason.OUT_OF_RANGE, True),
    ("order-paid", ("lines",), [], Reason.OUT_OF_RANGE, True),
    ("order-paid", ("lines",), {}, Reason.WRONG_TYPE, True),
    ("order-paid", ("lines", 0), "tea", Reason.WRONG_TYPE, True),
    ("order-paid", ("currency",), "YUAN", Reason.OUT_OF_RANGE, True),
    ("order-paid", ("currency",), 156, Reason.WRONG_TYPE, True),
    ("order-paid", ("hold_id",), "h 1", Reason.INVALID_ID, True),
    ("order-paid", ("hold_id",), 7, Reason.WRONG_TYPE, True),
    ("order-paid", ("channel",), "x" * 1025, Reason.OUT_OF_RANGE, True),
    ("order-refunded", ("amount",), -1, Reason.NEGATIVE, True),
    ("order-refunded", ("lines",), [{"line_id": "1"}], Reason.MISSING_FIELD, True),
    ("customer-registered", ("segments",), "vip", Reason.WRONG_TYPE, True),
    ("customer-registered", ("segments",), [7], Reason.WRONG_TYPE, True),
    ("customer-updated", ("segments",), GONE, Reason.MISSING_FIELD, True),
    ("review-published", ("rating",), 0, Reason.OUT_OF_RANGE, True),
    ("review-published", ("rating",), 6, Reason.OUT_OF_RANGE, True),
    ("review-published", ("has_photo",), 1, Reason.WRONG_TYPE, True),
    ("review-published", ("has_photo",), "true", Reason.WRONG_TYPE, True),
    ("game-played", ("score",), -1, Reason.NEGATIVE, True),
    ("game-played", ("score",), 10**12 + 1, Reason.OUT_OF_RANGE, True),
    ("survey-submitted", ("satisfaction",), 0, Reason.OUT_OF_RANGE, True),
    ("activity-attended", ("mode",), "hybrid", Reason.OUT_OF_RANGE, True),
    ("hold-points", ("points",), 0, Reason.OUT_OF_RANGE, True),
    ("hold-points", ("points",), -100, Reason.NEGATIVE, True),
    ("hold-points", ("points",), "100", Reason.TEXT_NOT_INTEGER, True),
    ("hold-points", ("point",), 100, Reason.UNKNOWN_FIELD, True),
    ("release-hold", ("reason",), "none", Reason.UNKNOWN_FIELD, True),
    ("adjust-points", ("points",), 0, Reason.OUT_OF_RANGE, True),
    ("adjust-points", ("points",), -(10**12) - 1, Reason.OUT_OF_RANGE, True),
    ("adjust-points", ("reason",), "", Reason.OUT_OF_RANGE, True),
    ("adjust-points", ("operator",), GONE, Reason.MISSING_FIELD, True),
]


def data_with(name: str, path: tuple[Any, ...], new: Any) -> Any:
    data = json.loads(json.dumps(DATA[name][0]))
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    if new is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return data


@pytest.mark.parametrize(("name", "path", "new", "code", "schema_can_tell"), WRONG_DATA)
def test_wrong_data_has_its_code_and_key_path(name, path, new, code, schema_can_tell):
    wrong = event(name, data_with(name, path, new))
    result = decode(TOPIC_OF_TYPE[name], KEY, to_bytes(wrong), AT_MS)
    assert (result.code, decode_line(to_bytes(wrong)).code) == (code, code)
    keys = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    assert (path[0] if code is Reason.UNKNOWN_FIELD else f"$.data{keys}") in result.message
    validator = Draft202012Validator(fact_schema(FACT_OF_TYPE[name]))
    assert validator.is_valid(event(name))
    assert validator.is_valid(wrong) is not schema_can_tell


# (what replaces the envelope's attributes, code)
WRONG_ENVELOPE: list[tuple[dict[str, Any], Reason]] = [
    ({"specversion": "0.3"}, Reason.NOT_A_CLOUDEVENT),
    ({"specversion": 1.0}, Reason.NOT_A_CLOUDEVENT),
    ({"specversion": GONE}, Reason.NOT_A_CLOUDEVENT),
    ({"id": GONE}, Reason.NOT_A_CLOUDEVENT),
    ({"id": 7}, Reason.NOT_A_CLOUDEVENT),
    ({"id": "a b"}, Reason.INVALID_ID),
    ({"source": GONE}, Reason.NOT_A_CLOUDEVENT),
    ({"source": ""}, Reason.NOT_A_CLOUDEVENT),
    ({"source": "x" * 1025}, Reason.NOT_A_CLOUDEVENT),
    ({"subject": GONE}, Reason.NOT_A_CLOUDEVENT),
    ({"subject": None}, Reason.NOT_A_CLOUDEVENT),
    ({"time": GONE}, Reason.NOT_A_CLOUDEVENT),
    ({"time": "today"}, Reason.INVALID_TIME),
    ({"time": "2026-01-15T10:00:00"}, Reason.INVALID_TIME),
    ({"type": GONE}, Reason.NOT_A_CLOUDEVENT),
    ({"type": 7}, Reason.NOT_A_CLOUDEVENT),
    ({"type": "checked-out"}, Reason.UNKNOWN_TYPE),
    ({"data": GONE}, Reason.MISSING_FIELD),
    ({"data": None}, Reason.WRONG_TYPE),
    ({"data": []}, Reason.WRONG_TYPE),
]


@pytest.mark.parametrize(("attributes", "code"), WRONG_ENVELOPE)
def test_a_wrong_envelope_has_its_code(attributes, code):
    wrong = {name: value for name, value in (event("checked-in") | attributes).items() if value is not GONE}
    assert decode("check-ins", KEY, to_bytes(wrong), AT_MS).code is code
    assert not Draft202012Validator(fact_schema(FACT_OF_TYPE["checked-in"])).is_valid(wrong)


SOUND = to_bytes(event("order-paid"))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, Reason.EMPTY_RECORD),
        (b"", Reason.EMPTY_RECORD),
        (b"\xff\xfe", Reason.NOT_UTF8),
        (SOUND.replace(b"tea-01", b"tea-\xff"), Reason.NOT_UTF8),
        (SOUND.decode().encode("utf-16"), Reason.NOT_UTF8),
        (b" ", Reason.NOT_JSON),
        (b"\xef\xbb\xbf" + SOUND, Reason.NOT_JSON),
        (SOUND + b"}", Reason.NOT_JSON),
        (SOUND[:-1], Reason.NOT_JSON),
        (SOUND.replace(b"12000", b"012000"), Reason.NOT_JSON),
        (SOUND.replace(b"tea-01", b"\\ud800"), Reason.NOT_JSON),
        (b"[" * 100_000 + b"]" * 100_000, Reason.NOT_JSON),
        (SOUND.replace(b"12000", b"NaN"), Reason.NOT_FINITE),
        (SOUND.replace(b"12000", b"Infinity"), Reason.NOT_FINITE),
        (SOUND.replace(b"12000", b"-Infinity"), Reason.NOT_FINITE),
        (SOUND.replace(b"12000", b"1e999"), Reason.FLOAT_NOT_INTEGER),
        (SOUND.replace(b"12000", b"9" * 5000), Reason.AMOUNT_TOO_LARGE),
        (b"[]", Reason.NOT_A_CLOUDEVENT),
        (b"null", Reason.NOT_A_CLOUDEVENT),
        (b'"order-paid"', Reason.NOT_A_CLOUDEVENT),
        (SOUND.replace(b'"type"', b'"type": "order-completed", "type"'), Reason.MALFORMED),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_not_a_json_event_has_its_code(value, code):
    result = decode("orders", KEY, value, AT_MS)
    assert result.code is code
    assert result.message


@pytest.mark.parametrize(
    "name", sorted(set(DATA) - {t for t, topic in TOPIC_OF_TYPE.items() if topic == "points-commands"})
)
def test_facts_are_read_tolerantly(name):
    more = event(
        name, DATA[name][0] | {"added_later": {"deep": [1.5, None]}}, traceparent="00-1", dataschema="x"
    )
    taken = decode(TOPIC_OF_TYPE[name], KEY, to_bytes(more), AT_MS)
    if name != "campaign-published":  # its data is kept as it came (tests/app/test_campaign_topic.py)
        assert taken == decode(TOPIC_OF_TYPE[name], KEY, to_bytes(event(name)), AT_MS)
    assert isinstance(taken, Decoded)
    assert Draft202012Validator(fact_schema(FACT_OF_TYPE[name])).is_valid(more)


@pytest.mark.parametrize(
    "name", sorted(t for t, topic in TOPIC_OF_TYPE.items() if topic == "points-commands")
)
def test_commands_are_read_strictly_but_may_carry_extension_attributes(name):
    strange = event(name, DATA[name][0] | {"added_later": 1})
    assert decode("points-commands", KEY, to_bytes(strange), AT_MS).code is Reason.UNKNOWN_FIELD
    assert not Draft202012Validator(fact_schema(FACT_OF_TYPE[name])).is_valid(strange)
    assert decode("points-commands", KEY, to_bytes(event(name, traceparent="00-1")), AT_MS).at_ms == AT_MS


def test_a_message_does_not_quote_what_came():
    result = decode(
        "orders",
        KEY,
        to_bytes(event("order-paid", data_with("order-paid", ("order_id",), "ann smith"))),
        None,
    )
    assert "ann" not in result.message


def test_codes_are_unique_and_explained():
    assert len({reason.value for reason in Reason}) == len(list(Reason))
    for reason in Reason:
        assert reason.value == reason.name.lower()
        assert reason.meaning.endswith(".")
        assert f"{reason}" == reason.value

import json
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import facts
from loyalty_stream.domain.calendar import to_ms
from loyalty_stream.wire.decode import Decoded, Refused, decode, decode_line
from loyalty_stream.wire.instants import instant_ms
from loyalty_stream.wire.reasons import Reason
from loyalty_stream.wire.topics import ACCEPTED, FACT_OF_TYPE, TOPIC_OF_TYPE
from tests.wire.samples import AT_MS, DATA, KEY, event, to_bytes

TYPES = sorted(DATA)


def test_there_is_a_sample_of_every_type():
    assert sorted(FACT_OF_TYPE) == TYPES


@pytest.mark.parametrize("full", [False, True], ids=["smallest", "all fields"])
@pytest.mark.parametrize("name", TYPES)
def test_a_sound_event_of_every_type_is_taken(name, full):
    least, more = DATA[name]
    value = to_bytes(event(name, least | more if full else least))
    expected = Decoded(decode_line(value).fact, AT_MS)
    assert decode(TOPIC_OF_TYPE[name], KEY, value, AT_MS) == expected
    assert type(expected.fact) is FACT_OF_TYPE[name]
    assert expected.fact.subject == KEY.decode()


def test_an_order_is_read_with_its_values_and_defaults():
    taken = decode("orders", KEY, to_bytes(event("order-paid")), None)
    assert taken.fact.data == facts.OrderPaidData(
        order_id="o-1",
        currency="CNY",
        lines=(facts.OrderLine(line_id="1", sku="tea-01", quantity=2, amount=12000),),
    )


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("topic", sorted(ACCEPTED))
def test_a_topic_takes_its_own_types_only(topic, name):
    result = decode(topic, KEY, to_bytes(event(name)), AT_MS)
    if topic == TOPIC_OF_TYPE[name]:
        assert isinstance(result, Decoded)
    else:
        assert result.code is Reason.WRONG_TOPIC
        assert TOPIC_OF_TYPE[name] in result.message


def id_paths(value, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("id", "subject", "sku", "referred_by") or name.endswith("_id"):
                yield (*path, name)
            yield from id_paths(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from id_paths(inner, (*path, index))


def replaced(value, path, new):
    copy = json.loads(json.dumps(value))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return copy


@pytest.mark.parametrize(
    "bad", ["", "a b", "a\n", "naïve", "x" * 129, "a\x00", "茶", "a+b", "a,b"], ids=ascii
)
@pytest.mark.parametrize("name", TYPES)
def test_every_id_of_every_type_is_checked(name, bad):
    whole = event(name, DATA[name][0] | DATA[name][1])
    paths = list(id_paths(whole))
    if name == "campaign-published":  # what is in its data, the programme's model checks (app.campaign_topic)
        paths = [path for path in paths if path[0] != "data"]
    assert len(paths) >= 2
    for path in paths:
        wrong = replaced(whole, path, bad)
        result = decode(TOPIC_OF_TYPE[name], wrong["subject"].encode(), to_bytes(wrong), AT_MS)
        assert isinstance(result, Refused), path
        assert result.code is Reason.INVALID_ID, path
        assert str(path[-1]) in result.message
        assert decode_line(to_bytes(wrong)).code is Reason.INVALID_ID


def test_an_id_may_have_128_characters_of_all_that_are_allowed():
    longest = ("azAZ09._:@/-" * 11)[:128]
    result = decode(
        "orders", longest.encode(), to_bytes(event("order-paid", subject=longest, id=longest)), None
    )
    assert isinstance(result, Decoded)


@pytest.mark.parametrize(
    ("time", "timestamp_ms", "code"),
    [
        ("1999-12-31T23:59:59.999Z", None, Reason.TIME_BEFORE_2000),
        ("2000-01-01T07:59:59+08:00", None, Reason.TIME_BEFORE_2000),
        ("0001-01-01T00:00:00+23:59", None, Reason.TIME_BEFORE_2000),
        ("2000-01-01T00:00:00Z", None, None),
        ("2999-12-31T23:59:59.999Z", None, None),
        ("3000-01-01T00:00:00Z", None, Reason.TIME_IN_FUTURE),
        ("9999-12-31T23:59:59-23:59", None, Reason.TIME_IN_FUTURE),
        ("2026-01-15T10:00:00.123+08:00", AT_MS - 86_400_000, None),
        ("2026-01-15T10:00:00.124+08:00", AT_MS - 86_400_000, Reason.TIME_IN_FUTURE),
        ("2026-01-15T10:00:00.123+08:00", AT_MS + 10 * 365 * 86_400_000, None),
        ("2026-01-15T10:00:00", None, Reason.INVALID_TIME),
        ("2026-01-15", None, Reason.INVALID_TIME),
        ("2026-02-29T10:00:00Z", None, Reason.INVALID_TIME),
        ("yesterday", None, Reason.INVALID_TIME),
        ("", None, Reason.INVALID_TIME),
        (AT_MS, None, Reason.INVALID_TIME),
        (None, None, Reason.INVALID_TIME),
    ],
)
def test_the_time_is_in_range(time, timestamp_ms, code):
    result = decode("check-ins", KEY, to_bytes(event("checked-in", time=time)), timestamp_ms)
    if code is None:
        assert isinstance(result, Decoded)
    else:
        assert result.code is code
        assert "`$.time`" in result.message


MINUTES = st.integers(-1439, 1439)


@given(st.datetimes(), MINUTES)
def test_milliseconds_are_exact_and_floored(naive, minutes):
    time = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    microseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert instant_ms(time) == microseconds // 1000 == to_ms(time)


def test_the_key_is_the_subject():
    value = to_bytes(event("checked-in"))
    assert decode("check-ins", None, value, None).code is Reason.MISSING_KEY
    for key in (b"", b"customer-2", b"CUSTOMER-1", b"customer-1\n", b"\xff"):
        assert decode("check-ins", key, value, None).code is Reason.KEY_MISMATCH


def test_a_record_of_a_mebibyte_is_taken_and_one_byte_more_is_not():
    value = to_bytes(event("checked-in"))
    just = value + b" " * (2**20 - len(value))
    assert isinstance(decode("check-ins", KEY, just, None), Decoded)
    assert decode("check-ins", KEY, just + b" ", None).code is Reason.RECORD_TOO_LARGE
    assert decode_line(just + b" ").code is Reason.RECORD_TOO_LARGE


def test_an_unknown_topic_is_the_callers_mistake():
    with pytest.raises(KeyError):
        decode("order", KEY, to_bytes(event("order-paid")), None)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(value):
    assert isinstance(decode("orders", KEY, value, None), Refused)


@given(st.sampled_from(TYPES), st.randoms(use_true_random=False), st.integers(1, 6))
def test_a_damaged_event_is_taken_or_refused_and_a_refusal_says_why(name, dice: random.Random, wounds):
    value = bytearray(to_bytes(event(name, DATA[name][0] | DATA[name][1])))
    for _ in range(wounds):
        at = dice.randrange(len(value))
        value[at : at + dice.randrange(3)] = dice.choice(
            [b"", b"0", b'"', b"{", b"]", b"-", b"\xff", b"null", b"e9"]
        )
    result = decode(TOPIC_OF_TYPE[name], KEY, bytes(value), AT_MS)
    if isinstance(result, Refused):
        assert result.message
        # MALFORMED is for what only the decoder can see: a `type` given twice.
        assert result.code is not Reason.MALFORMED

import pytest

from loyalty_stream.wire.dead_letter import MAX_MESSAGE_CHARACTERS, Place, Verdict, dead_letter, verdict
from loyalty_stream.wire.reasons import Reason

PLACE = Place("orders", 3, 41, 1_768_442_400_123)


def test_bytes_and_key_are_not_touched_and_the_headers_say_why():
    letter = dead_letter(b"\xffkey", b"\x00not json", PLACE, Reason.NOT_JSON, "nicht gut: 茶", "0.1.0")
    assert (letter.key, letter.value) == (b"\xffkey", b"\x00not json")
    assert letter.headers == [
        ("dead-letter-topic", b"orders"),
        ("dead-letter-partition", b"3"),
        ("dead-letter-offset", b"41"),
        ("dead-letter-timestamp", b"1768442400123"),
        ("dead-letter-reason", b"not_json"),
        ("dead-letter-message", "nicht gut: 茶".encode()),
        ("dead-letter-version", b"0.1.0"),
    ]


def test_a_tombstone_without_key_stays_one():
    letter = dead_letter(None, None, PLACE, Reason.EMPTY_RECORD, "empty", "0.1.0")
    assert (letter.key, letter.value) == (None, None)


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("timestamp_ms", [None, 0, 1_768_442_400_123])
def test_the_headers_are_read_back(reason, timestamp_ms):
    place = Place("check-ins", 0, 0, timestamp_ms)
    letter = dead_letter(b"k", b"v", place, reason, "why", "0.1.0")
    assert verdict(letter.headers) == Verdict(place, reason, "why", "0.1.0")


def test_its_own_headers_go_along_and_an_earlier_death_is_forgotten():
    first = dead_letter(b"k", b"v", PLACE, Reason.TOO_OLD, "old", "0.1.0", [("trace", b"1"), ("note", None)])
    again = Place("orders", 3, 99, None)
    second = dead_letter(b"k", b"v", again, Reason.WRONG_CURRENCY, "yen", "0.2.0", first.headers)
    assert second.headers[:2] == [("trace", b"1"), ("note", b"")]
    assert len(second.headers) == len(first.headers)
    assert verdict(second.headers) == Verdict(again, Reason.WRONG_CURRENCY, "yen", "0.2.0")


def test_a_long_message_is_cut():
    letter = dead_letter(b"k", b"v", PLACE, Reason.MALFORMED, "x" * 5000, "0.1.0")
    assert verdict(letter.headers).message == "x" * MAX_MESSAGE_CHARACTERS


def test_what_is_no_dead_letter_is_named():
    with pytest.raises(ValueError, match="dead-letter-timestamp"):
        verdict([("trace", b"1")])

"""Why a record became a dead letter: one code for each way in which it can be wrong, and what the code means.

The codes are part of the contract (docs/events.md): they are header values and metric labels, so a code is
never renamed, and a new way to be wrong gets a new one.
"""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A code, and in `meaning` what is wrong with the record and who finds it."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Make a member that is its code as text."""
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.meaning = meaning
        return reason

    # The record as a whole.
    EMPTY_RECORD = "empty_record", "No value, or one of no bytes: the input topics know no tombstones."
    RECORD_TOO_LARGE = "record_too_large", "The value is over 1 MiB (1,048,576 bytes)."
    NOT_UTF8 = "not_utf8", "The value is not UTF-8."
    NOT_JSON = "not_json", "The value is not one JSON text, or it is nested too deeply to read."
    NOT_FINITE = (
        "not_finite",
        "`NaN`, `Infinity` or `-Infinity` stands where a number belongs; JSON has no such.",
    )
    NOT_A_CLOUDEVENT = (
        "not_a_cloudevent",
        "No object with CloudEvents 1.0's attributes as text: specversion, id, source, type, subject, time.",
    )
    UNKNOWN_TYPE = "unknown_type", "No topic takes events of this `type`."
    WRONG_TOPIC = "wrong_topic", "The `type` is known and belongs to another topic."

    # The key and the partition.
    MISSING_KEY = "missing_key", "The record has no key; it must be the subject's UTF-8 bytes."
    KEY_MISMATCH = "key_mismatch", "The key is not the subject's UTF-8 bytes."
    WRONG_PARTITION = (
        "wrong_partition",
        "Not on the partition that murmur2 of the key says (Kafka's default). Found by the stage.",
    )

    # The time.
    INVALID_TIME = "invalid_time", "`time` is not an RFC 3339 date and time with an offset."
    TIME_BEFORE_2000 = "time_before_2000", "`time` is before 2000-01-01T00:00:00Z."
    TIME_IN_FUTURE = (
        "time_in_future",
        "`time` is more than a day ahead of the broker's timestamp, or in the year 3000 or later.",
    )
    TOO_OLD = "too_old", "`time` is older than the programme's retention. Found by the stage."

    # The data, by key path.
    MISSING_FIELD = "missing_field", "A required field is not there."
    UNKNOWN_FIELD = "unknown_field", "A command has a field that its type does not know."
    WRONG_TYPE = "wrong_type", "A value is of another JSON type than the field's."
    BOOLEAN_NOT_INTEGER = "boolean_not_integer", "`true` or `false` stands where an integer belongs."
    FLOAT_NOT_INTEGER = (
        "float_not_integer",
        "A number with a fraction or an exponent stands where an integer belongs, even if it is whole.",
    )
    TEXT_NOT_INTEGER = "text_not_integer", "Text stands where an integer belongs, even if it is digits."
    NEGATIVE = "negative", "An integer is negative where that makes no sense."
    AMOUNT_TOO_LARGE = "amount_too_large", "An amount of money is over 10^12 minor units."
    OUT_OF_RANGE = "out_of_range", "A value is outside the field's range, length or set of values."
    INVALID_ID = "invalid_id", "An id is not 1-128 characters of `[A-Za-z0-9._:@/-]`."
    MALFORMED = "malformed", "The decoder refused it for a cause that no other code names; see the message."

    # What only the programme or the account can tell.
    WRONG_CURRENCY = "wrong_currency", "The currency is not the programme's. Found by the stage."
    INVALID_CAMPAIGN = (
        "invalid_campaign",
        "A campaign that the programme file would not take either, or less than a minute ahead. Found by the stage.",
    )
    REFUSED_REFUND = "refused_refund", "A refund is beyond what is left of the order. Found by the stage."
    REFUSED_SEED = (
        "refused_seed",
        "A draw's seed before the draw's end, or another than was committed to. Found by the stage.",
    )
    PROCESSING_FAILED = (
        "processing_failed",
        "A defect of ours: applying it failed again and again; report it, and send it again after the fix.",
    )

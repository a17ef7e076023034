"""Each field of each type of EVENTS.md with what is wrong for its kind: missing, of wrong type, out of range.

The table is EVENTS.md written again, not read from the types that the code checks by.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from loyalty_stream.wire.decode import Refused, decode, decode_line
from loyalty_stream.wire.reasons import Reason
from loyalty_stream.wire.topics import TOPIC_OF_TYPE
from tests.wire.samples import AT_MS, DATA, KEY, event, to_bytes

NO_INTEGER = [
    (True, Reason.BOOLEAN_NOT_INTEGER),
    (False, Reason.BOOLEAN_NOT_INTEGER),
    (1.5, Reason.FLOAT_NOT_INTEGER),
    (3.0, Reason.FLOAT_NOT_INTEGER),
    ("3", Reason.TEXT_NOT_INTEGER),
    ([3], Reason.WRONG_TYPE),
    ({}, Reason.WRONG_TYPE),
]
NO_TEXT = [
    (7, Reason.WRONG_TYPE),
    (True, Reason.WRONG_TYPE),
    (["a"], Reason.WRONG_TYPE),
    ({}, Reason.WRONG_TYPE),
]
LONG = ("x" * 1025, Reason.OUT_OF_RANGE)

WRONG: dict[str, list[tuple[Any, Reason]]] = {
    "id": [
        *NO_TEXT,
        ("", Reason.INVALID_ID),
        ("a b", Reason.INVALID_ID),
        ("茶", Reason.INVALID_ID),
        ("x" * 129, Reason.INVALID_ID),
    ],
    "amount": [*NO_INTEGER, (-1, Reason.NEGATIVE), (10**12 + 1, Reason.AMOUNT_TOO_LARGE)],
    "points": [
        *NO_INTEGER,
        (0, Reason.OUT_OF_RANGE),
        (-1, Reason.NEGATIVE),
        (10**12 + 1, Reason.OUT_OF_RANGE),
    ],
    "signed points": [
        *NO_INTEGER,
        (0, Reason.OUT_OF_RANGE),
        (10**12 + 1, Reason.OUT_OF_RANGE),
        (-(10**12) - 1, Reason.OUT_OF_RANGE),
    ],
    "count": [*NO_INTEGER, (0, Reason.OUT_OF_RANGE), (-1, Reason.NEGATIVE), (10**9 + 1, Reason.OUT_OF_RANGE)],
    "quantity": [*NO_INTEGER, (0, Reason.OUT_OF_RANGE), (-1, Reason.NEGATIVE), (1001, Reason.OUT_OF_RANGE)],
    "score": [*NO_INTEGER, (-1, Reason.NEGATIVE), (10**12 + 1, Reason.OUT_OF_RANGE)],
    "stars": [*NO_INTEGER, (0, Reason.OUT_OF_RANGE), (-1, Reason.NEGATIVE), (6, Reason.OUT_OF_RANGE)],
    "text": [*NO_TEXT, LONG],
    "why": [*NO_TEXT, LONG, ("", Reason.OUT_OF_RANGE)],
    "currency": [
        *NO_TEXT,
        ("CN", Reason.OUT_OF_RANGE),
        ("CNYX", Reason.OUT_OF_RANGE),
        ("", Reason.OUT_OF_RANGE),
    ],
    "true or false": [(1, Reason.WRONG_TYPE), ("true", Reason.WRONG_TYPE), ([], Reason.WRONG_TYPE)],
    "mode": [("hybrid", Reason.OUT_OF_RANGE), ("", Reason.OUT_OF_RANGE), (7, Reason.OUT_OF_RANGE)],
    "texts": [
        ("vip", Reason.WRONG_TYPE),
        ({}, Reason.WRONG_TYPE),
        ([7], Reason.WRONG_TYPE),
        ([None], Reason.WRONG_TYPE),
        (["x" * 1025], Reason.OUT_OF_RANGE),
    ],
    "order lines": [
        ("tea", Reason.WRONG_TYPE),
        ({}, Reason.WRONG_TYPE),
        ([], Reason.OUT_OF_RANGE),
        ([7], Reason.WRONG_TYPE),
    ],
    "moment": [
        *NO_TEXT,
        ("", Reason.INVALID_TIME),
        ("tomorrow", Reason.INVALID_TIME),
        ("2026-01-15", Reason.INVALID_TIME),
        ("2026-01-15T10:00:00", Reason.INVALID_TIME),
        ("2026-02-30T10:00:00Z", Reason.INVALID_TIME),
    ],
    "refund lines": [("tea", Reason.WRONG_TYPE), ({}, Reason.WRONG_TYPE), ([7], Reason.WRONG_TYPE)],
}

ORDER_LINE = {
    "line_id": "id",
    "sku": "id",
    "category": "text?",
    "quantity": "count",
    "amount": "amount",
    "merchant_id": "id?",
}
CONTRACT: dict[str, dict[str, Any]] = {
    "order-paid": {
        "order_id": "id",
        "currency": "currency",
        "lines": "order lines",
        "discount_amount": "amount=",
        "shipping_amount": "amount=",
        "tax_amount": "amount=",
        "hold_id": "id?",
        "channel": "text?",
    },
    "order-completed": {"order_id": "id"},
    "order-cancelled": {"order_id": "id"},
    "order-refunded": {"order_id": "id", "refund_id": "id", "amount": "amount", "lines": "refund lines?"},
    "customer-registered": {"segments": "texts=", "referred_by": "id?"},
    "customer-updated": {"segments": "texts"},
    "review-published": {
        "review_id": "id",
        "sku": "id",
        "order_id": "id?",
        "rating": "stars",
        "has_photo": "true or false=",
    },
    "review-removed": {"review_id": "id"},
    "share-completed": {"share_id": "id", "channel": "text", "sku": "id?", "campaign_id": "id?"},
    "checked-in": {},
    "game-played": {"game_id": "id", "play_id": "id", "score": "score"},
    "survey-submitted": {"survey_id": "id", "response_id": "id", "satisfaction": "stars?"},
    "activity-attended": {"activity_id": "id", "attendance_id": "id", "mode": "mode"},
    "hold-points": {"hold_id": "id", "points": "points", "order_id": "id?", "order_amount": "amount?"},
    "confirm-hold": {"hold_id": "id"},
    "release-hold": {"hold_id": "id"},
    "redeem-reward": {"redemption_id": "id", "reward_id": "id", "quantity": "quantity="},
    "cancel-redemption": {"redemption_id": "id"},
    "enter-draw": {"entry_id": "id", "campaign_id": "id"},
    "adjust-points": {"adjustment_id": "id", "points": "signed points", "reason": "why", "operator": "why"},
    "grant-points": {"grant_id": "id", "points": "points", "reason": "why"},
    "erase-customer": {"request_id": "id"},
    "campaign-withdrawn": {"id": "id", "effective_at": "moment"},
    "draw-seed-revealed": {"campaign_id": "id", "seed": "why"},
}
"""What a `campaign-published` says is the programme file's affair (tests/app/test_campaign_topic.py).

What ends in `?` may be left out or null, what ends in `=` left out only, for it has a default."""

GONE = object()
FIELDS = [(name, (field,), kind) for name, fields in CONTRACT.items() for field, kind in fields.items()]
FIELDS += [("order-paid", ("lines", 1, field), kind) for field, kind in ORDER_LINE.items()]
FIELDS += [
    ("order-refunded", ("lines", 0, field), kind) for field, kind in (("line_id", "id"), ("amount", "amount"))
]


def wrong_values(kind: str) -> Iterator[tuple[Any, Reason | None]]:
    """What a field of the kind may be set to, and its code; None: that is right."""
    yield from WRONG[kind.rstrip("?=")]
    yield None, None if kind.endswith("?") else Reason.OUT_OF_RANGE if kind == "mode" else Reason.WRONG_TYPE
    yield GONE, None if kind.endswith(("?", "=")) else Reason.MISSING_FIELD


def whole(name: str) -> dict[str, Any]:
    return DATA[name][0] | DATA[name][1]


def changed(name: str, path: tuple[Any, ...], new: Any) -> dict[str, Any]:
    data: Any = json.loads(json.dumps(whole(name)))
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    if new is GONE:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = new
    return data  # type: ignore[no-any-return]


def test_the_contract_has_every_type_and_every_field_of_the_samples():
    assert sorted([*CONTRACT, "campaign-published"]) == sorted(DATA)
    assert {name: set(fields) for name, fields in CONTRACT.items()} == {
        name: set(whole(name)) for name in CONTRACT
    }
    assert set(ORDER_LINE) == set(whole("order-paid")["lines"][1])


@pytest.mark.parametrize(("name", "path", "kind"), FIELDS, ids=str)
def test_a_field_is_refused_with_its_code_and_key_path(name, path, kind):
    keys = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    for new, code in wrong_values(kind):
        value = to_bytes(event(name, changed(name, path, new)))
        result, as_line = decode(TOPIC_OF_TYPE[name], KEY, value, AT_MS), decode_line(value)
        if code is None:
            assert not isinstance(result, Refused), (new, result)
            continue
        assert isinstance(result, Refused), new
        assert (new, result.code, as_line.code) == (new, code, code)
        assert f"$.data{keys}" in result.message

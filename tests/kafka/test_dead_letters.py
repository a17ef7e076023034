"""Records that can't be taken, one for each reason, among good ones: each is set aside once, none stops anything."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from deployment import PARTITIONS, Deployment, partition_of
from story import STARTS_AT, cloud_event, story
from verifier import verify_outputs, verify_tables

from loyalty_stream.wire.reasons import Reason

pytestmark = pytest.mark.kafka

NOT_BY_A_PRODUCER = {Reason.PROCESSING_FAILED, Reason.MALFORMED}
"""A defect of ours; what no other code names."""
KEY = b"carol"


@dataclass
class Bad:
    reason: str
    topic: str
    value: bytes | None
    key: bytes | None = KEY
    partition: int = field(default=partition_of(KEY))
    headers: tuple = ()


def test_every_reason(deployment: Deployment, seed: int) -> None:
    bad = _one_of_each()
    assert {each.reason for each in bad} == {reason.value for reason in set(Reason) - NOT_BY_A_PRODUCER}
    facts = story(seed, 8_000)
    chance = random.Random(seed)
    chance.shuffle(bad)
    sent = []
    part = len(facts) // len(bad)
    for number, each in enumerate(bad):
        deployment.send(facts[number * part : (number + 1) * part])
        sent.append(
            deployment.send_raw(each.topic, each.partition, each.key, each.value, headers=each.headers)
        )
    deployment.send(facts[len(bad) * part :])
    # Dead letters are part of the transaction: a kill in its midst makes none twice.
    fault = ("SIGKILL", chance.randrange(3, 12), "sent")
    deployment.worker("only", faults=[fault], batch_records=300).wait_killed()
    worker = deployment.worker("only")
    deployment.wait_done(worker)
    worker.terminate()

    letters = deployment.dead_letters()
    assert len(letters) == len(bad)
    found = {}
    for letter in letters:
        headers = dict(letter.headers)
        found[headers["dead-letter-topic"].decode(), int(headers["dead-letter-offset"]), letter.partition] = (
            letter
        )
    for each, record in zip(bad, sent, strict=True):
        letter = found[record.topic, record.offset, record.partition]
        assert (letter.key, letter.value or None) == (each.key, each.value or None)
        headers = dict(letter.headers)
        assert headers["dead-letter-reason"].decode() == each.reason, headers
        assert int(headers["dead-letter-partition"]) == record.partition
        assert int(headers["dead-letter-timestamp"]) == record.timestamp
        assert headers["dead-letter-message"]
        assert headers["dead-letter-version"]
        assert letter.headers[: len(each.headers)] == each.headers
    report = verify_outputs(facts, deployment.outputs())
    verify_tables(report.customers, deployment.changelog(), report.times)


def _one_of_each() -> list[Bad]:
    value = b'{"specversion":"1.0"}'
    return [
        Bad("empty_record", "orders", None),
        Bad("record_too_large", "orders", _order(filler="x" * (1 << 20))),
        Bad("not_utf8", "orders", b'{"id":"\xff"}'),
        Bad("not_json", "reviews", b"{", headers=(("trace", b"1"), ("trace", b"2"))),
        Bad("not_finite", "orders", _order().replace(b"4950", b"NaN")),
        Bad("not_a_cloudevent", "shares", value),
        Bad("unknown_type", "orders", _event("orders", "order-lost", {})),
        Bad("wrong_topic", "orders", _event("check-ins", "checked-in", {})),
        Bad("missing_key", "orders", _order(), key=None),
        Bad("key_mismatch", "orders", _order(), key=b"dave", partition=partition_of(b"dave")),
        Bad("wrong_partition", "orders", _order(), partition=(partition_of(KEY) + 1) % PARTITIONS),
        Bad("invalid_time", "orders", _order().replace(b"+08:00", b"")),
        Bad("time_before_2000", "orders", _order().replace(b'"2024-', b'"1999-')),
        Bad("time_in_future", "orders", _order(time=datetime.now(UTC) + timedelta(days=2))),
        Bad("too_old", "orders", _order(time=STARTS_AT - timedelta(days=900))),
        Bad("missing_field", "orders", _order().replace(b'"order_id"', b'"order"')),
        Bad("unknown_field", "points-commands", _hold(reason="gift")),
        Bad("wrong_type", "orders", _order(order_id=7)),
        Bad("boolean_not_integer", "points-commands", _hold(points=True)),
        Bad("float_not_integer", "points-commands", _hold(points=100.0)),
        Bad("text_not_integer", "points-commands", _hold(points="100")),
        Bad("negative", "orders", _order(discount_amount=-1)),
        Bad("amount_too_large", "orders", _order(shipping_amount=10**12 + 1)),
        Bad("out_of_range", "points-commands", _hold(points=0)),
        Bad("invalid_id", "orders", _order(order_id="o 1")),
        Bad("wrong_currency", "orders", _order(currency="EUR")),
        Bad("invalid_campaign", "campaigns", _event("campaigns", "campaign-withdrawn", _TOO_SOON)),
        Bad("refused_seed", "campaigns", _event("campaigns", "draw-seed-revealed", _NO_DRAW)),
        Bad("refused_refund", "orders", _event("orders", "order-refunded", _CONTRADICTORY)),
    ]


_NO_DRAW = {"campaign_id": KEY.decode(), "seed": "of no draw"}
_TOO_SOON = {"id": KEY.decode(), "effective_at": STARTS_AT.isoformat()}
"""A withdrawal at work from its own time on, when not every worker can know it."""
_CONTRADICTORY = {
    "order_id": "o1",
    "refund_id": "r1",
    "amount": 200,
    "lines": [{"line_id": "1", "amount": 100}],
}
"""A refund whose lines do not add up to its amount."""


def _event(topic: str, kind: str, data: dict, time: datetime = STARTS_AT) -> bytes:
    return cloud_event(topic, kind, KEY.decode(), f"bad-{kind}", time, data).value


def _order(*, time: datetime = STARTS_AT, **data: Any) -> bytes:
    line = {"line_id": "1", "sku": "tea", "quantity": 1, "amount": 4950}
    order = {"order_id": "bad", "currency": "CNY", "lines": [line], **data}
    return _event("orders", "order-paid", order, time)


def _hold(**data: Any) -> bytes:
    return _event("points-commands", "hold-points", {"hold_id": "bad", "points": 100, **data})

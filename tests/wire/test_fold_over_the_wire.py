"""From bytes to bytes: facts decoded, decided, written, read back and folded lead to the account that decided."""

from loyalty_stream.domain import decide, evolve
from loyalty_stream.domain.account import Account
from loyalty_stream.wire import account_codec, point_events
from loyalty_stream.wire.decode import Decoded, decode
from loyalty_stream.wire.topics import TOPIC_OF_TYPE
from tests.domain.given import RULES
from tests.wire.samples import DATA, KEY, event, to_bytes

# Of the types that the ledger acts on, in an order in which each finds what it needs; days of January 2026.
HISTORY = [
    ("customer-registered", 1),
    ("order-paid", 2),
    ("checked-in", 2),
    ("checked-in", 3),
    ("review-published", 3),
    ("share-completed", 4),
    ("game-played", 4),
    ("survey-submitted", 5),
    ("activity-attended", 5),
    ("customer-updated", 6),
    ("hold-points", 7),
    ("confirm-hold", 7),
    ("release-hold", 8),
    ("checked-in", 9),
]


def test_the_fold_over_the_wire_is_the_account():
    live, folded, now = Account(), Account(), 0
    for number, (name, day) in enumerate(HISTORY):
        fact = event(name, id=f"evt-{number}", time=f"2026-01-{day:02}T10:00:00.123456+08:00")
        if name == "order-paid":
            fact["data"] = DATA[name][0] | {"hold_id": None}
        taken = decode(TOPIC_OF_TYPE[name], KEY, to_bytes(fact), None)
        assert isinstance(taken, Decoded), name
        now = max(now, taken.at_ms)
        events = decide.apply(live, taken.fact, RULES, now)
        assert events, name
        for made in events:
            evolve.fold(folded, point_events.decode(point_events.encode(made)))
        assert folded == live, name
        live = account_codec.decode(account_codec.encode(live))
        assert folded == live, name
    assert live.granted > 0
    assert live.redeemed > 0

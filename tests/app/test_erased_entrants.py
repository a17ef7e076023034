"""An erased customer takes part in no draw: the next entry wins. From the command to the draw's owner and back."""

import hashlib
import json
from datetime import UTC, datetime

import msgspec
import pytest

from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain.campaign_terms import Award, Campaign, Draw, Prize
from tests.domain.given import PLAIN, SOURCE, attended, erase_customer, ms

SEED = "spring-2026"
LUCKY = Campaign(
    id="lucky",
    version=1,
    theme="Lucky",
    mode="online",
    starts_at_ms=ms("2026-03-01 00:00"),
    ends_at_ms=ms("2026-03-08 00:00"),
    trigger="activity",
    award=Award(draw_entries=1),
    draw=Draw((Prize("tea-set", 1),), hashlib.sha256(SEED.encode()).hexdigest()),
)
RULES = msgspec.structs.replace(PLAIN, campaigns=(LUCKY,))
CUSTOMERS = ("lin", "mei", "jun")


def replay(*erased: str) -> list[dict]:
    reveal = {
        "specversion": "1.0",
        "id": "s-1",
        "source": SOURCE,
        "type": "draw-seed-revealed",
        "subject": "lucky",
        "time": datetime(2026, 3, 9, tzinfo=UTC).isoformat(),
        "data": {"campaign_id": "lucky", "seed": SEED},
    }
    lines = [
        msgspec.json.encode(attended(f"a-{name}", "2026-03-02 11:00", attendance_id=name, subject=name))
        for name in CUSTOMERS
    ]
    lines += [
        msgspec.json.encode(erase_customer(f"x-{name}", "2026-03-03 10:00", subject=name)) for name in erased
    ]
    lines.append(json.dumps(reveal).encode())
    out: list[bytes] = []
    assert list(simulate(RULES, lines, out.append)) == []
    return [json.loads(each) for each in out if each.strip()]


def winners(events: list[dict]) -> list[str]:
    return [each["subject"] for each in events if each["type"] == "draw-won"]


def test_the_event_says_which_draws_the_entries_leave():
    (noted,) = [each for each in replay("lin") if each["data"].get("kind") == "erased"]
    assert noted["data"]["note"]["draws"] == ["lucky"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_best_entry_of_those_who_are_left_wins(count):
    order: list[str] = []
    for _ in CUSTOMERS:
        order += winners(replay(*order))
    assert sorted(order) == sorted(CUSTOMERS)
    assert winners(replay(*order[:count])) == [order[count]]
    assert winners(replay(*CUSTOMERS)) == []

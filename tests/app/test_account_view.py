"""What `account` shows of a stored account."""

import json

import pytest

from loyalty_stream.app.account_view import AccountView, as_json, as_text
from loyalty_stream.wire import account_codec
from tests.wire.samples import POINT_EVENT_DATA, account, point_event

VIEW = AccountView(
    "c-1", 3, account_codec.decode(account_codec.encode(account())), tuple(map(point_event, POINT_EVENT_DATA))
)


def test_as_json_everything_has_a_name_and_nothing_tells_how_it_is_stored() -> None:
    body = json.loads(as_json(VIEW))
    told = body["account"]
    assert (body["customer"], body["partition"], len(body["events"])) == ("c-1", 3, len(POINT_EVENT_DATA))
    assert (told["available"], told["tier"], told["streaks"]) == (150, "silver", [[20460, 3], [20466, 1]])
    assert told["lots"][0] == {
        "grant_id": "custkeykeyke.0", "points": 150, "earned_at": 1_768_442_400_123,
        "expires_at": 1_800_000_000_000, "held": 40, "pending": 0, "available_at": 0,
    }  # fmt: skip
    assert told["holds"]["h-2"]["spent"][0]["restored"] == 5
    plain, refunded, _ = told["orders"]
    assert plain["lines"][1] == {"line_id": "2", "net": 7_050, "refunded": 0}
    assert (plain["first"], plain["earned"][0]["kind"], plain["earned"][0]["exact"]) == (
        True,
        "purchase",
        [19_050, 100],
    )
    assert refunded["campaigns"][0]["campaign_id"] == "spring"
    assert {review["points"] for review in told["reviews"]} == {10}
    assert not [name for name in told if "packed" in name or "placed" in name]


@pytest.mark.parametrize(("history", "told"), [(0, "events"), (2, "the latest 2 of")])
def test_as_text_it_tells_balance_lots_holds_orders_and_events(history: int, told: str) -> None:
    text = as_text(VIEW, history)
    for part in ("customer c-1", "silver", "h-2", "3 orders from 2026-01-15", told):
        assert part in text

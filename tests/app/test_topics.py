"""Creating topics: what is created can be used on return, however late the brokers hear of it."""

import asyncio
from typing import Any

import pytest

from loyalty_stream.app import topics
from loyalty_stream.app.topics import NoLeaderError

UNKNOWN, LEADERLESS, LED = 3, 5, 0


class SlowToHear:
    """Answers as a broker does that hears of the topic "orders" bit by bit; the last answer stays."""

    def __init__(self, *errors: int) -> None:
        self.asked = 0
        self._errors = errors

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        error = self._errors[min(self.asked, len(self._errors) - 1)]
        self.asked += 1
        assert names == ["orders"]
        led = {"partition": 0, "error_code": 0, "leader": 1}
        second = {"partition": 1, "error_code": error, "leader": -1 if error else 1}
        if error == UNKNOWN:
            return [{"topic": "orders", "error_code": error, "partitions": []}]
        return [{"topic": "orders", "error_code": 0, "partitions": [led, second]}]


def test_it_waits_until_every_partition_has_a_leader() -> None:
    broker = SlowToHear(UNKNOWN, LEADERLESS, LED)
    asyncio.run(topics._wait_until_led(broker, ["orders"]))
    assert broker.asked == 3


def test_it_says_which_topics_stay_without_a_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_LED_WITHIN_SECONDS", 0.0)
    with pytest.raises(NoLeaderError, match=r"without a leader after 0 s: orders\."):
        asyncio.run(topics._wait_until_led(SlowToHear(LEADERLESS), ["orders"]))

import logging

import pytest

from loyalty_stream.cli import logs


def said(name: str, message: str, *args: object) -> str | None:
    record = logging.LogRecord(name, logging.WARNING, "", 0, message, args, None)
    return record.getMessage() if said.filter.filter(record) else None


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    said.filter = logs._SaidBefore()
    return now


def test_a_library_repeats_itself_once_in_a_while(clock: list[float]) -> None:
    assert said("aiokafka.conn", "lost node %s", 1) == "lost node 1"
    assert said("aiokafka.conn", "lost node %s", 2) is None
    assert said("aiokafka.conn", "found a node") == "found a node"
    clock[0] = logs.REPEAT_SECONDS
    assert said("aiokafka.conn", "lost node %s", 3) == "lost node 3 (and 1 more like it)"


def test_our_own_words_are_never_held_back() -> None:
    assert [said("loyalty_stream.engine.task", "fenced") for _ in range(3)] == ["fenced"] * 3

"""balance and explain as a user runs them, over an export that was made of simulated lines."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from loyalty_stream.analysis.layout import Recorded, export_lines
from loyalty_stream.app.simulate import Simulation
from loyalty_stream.cli.entry import app
from loyalty_stream.domain import calendar
from loyalty_stream.domain.facts import Fact
from tests.domain import given


def exported(directory: Path, *facts: Fact) -> Path:
    """An export of what the facts make, each event recorded when the clock was at its line."""
    simulation, events, clock = Simulation(given.RULES), [], 0
    for number, fact in enumerate(facts, 1):
        clock = max(clock, calendar.to_ms(fact.time))
        made, bad = simulation.apply(number, msgspec.json.encode(fact))
        assert bad is None
        events += [Recorded(event, clock) for event in made]
    export_lines(directory / "export", events, [msgspec.json.encode(fact) for fact in facts], partitions=2)
    return directory / "export"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return exported(
        tmp_path,
        given.order_paid("o-1", "2026-01-15 10:00", 10000),
        given.order_paid("o-9", "2026-01-15 12:00", 10000, subject="c-2"),
        given.order_paid("o-2", "2026-01-14 10:00", 5000),
        given.hold_points("h-1", "2026-01-16 10:00", 100, order_amount=20000),
        given.order_paid("o-3", "2026-01-16 10:01", 20000, hold_id="h-1"),
        given.refund("r-1", "2026-01-20 10:00", "o-1", 4000),
    )


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def balance(export: Path, *arguments: str) -> dict[str, Any]:
    status, out = run("balance", "c-1", "--parquet", str(export), "--json", *arguments)
    assert status == 0
    told: dict[str, Any] = json.loads(out)
    return told


def test_as_of_the_time_of_an_event_a_late_order_counts_and_as_known_then_it_does_not(export: Path) -> None:
    at = ("--at", "2026-01-14T20:00:00+08:00")
    assert balance(export, *at)["available"] == 50
    assert balance(export, *at, "--known-at", "2026-01-15T11:00:00+08:00")["available"] == 0


def test_a_time_without_an_offset_is_read_in_the_zone(export: Path) -> None:
    assert balance(export, "--at", "2026-01-15 10:00", "--timezone", "Asia/Shanghai")["available"] == 200
    assert balance(export, "--at", "2026-01-15 09:59", "--timezone", "Asia/Shanghai")["available"] == 50


def test_what_has_expired_by_then_is_not_available_though_no_event_tells_it(export: Path) -> None:
    told = balance(export, "--at", "2029-01-01")
    assert (told["available"], told["lots"]) == (0, [])
    assert told["due"]["expired"] == told["expired"] > 0
    _, text = run("balance", "c-1", "--parquet", str(export), "--at", "2029-01-01")
    assert "points had expired by then, though no event tells it yet" in text


def test_the_table_shows_what_it_was_asked_for(export: Path) -> None:
    status, text = run(
        "balance",
        "c-1",
        "--parquet",
        str(export),
        "--at",
        "2026-01-17",
        "--lots",
        "1",
        "--timezone",
        "Asia/Shanghai",
    )
    assert status == 0
    assert text.startswith("customer c-1 as of 2026-01-17 00:00:00 CST")
    assert "more lots; --lots 0 shows all" in text


def test_every_point_is_explained(export: Path) -> None:
    status, text = run("explain", "c-1", "--parquet", str(export), "--timezone", "Asia/Shanghai")
    assert status == 0
    assert "+100 points: rule base@1, purchase, order o-1 on 100.00" in text
    assert "50  spent on order o-3, worth 0.50, 2026-01-16 10:01" in text
    assert text.endswith("The parts of every grant add up to it, and all grants to the account.\n")
    status, out = run("explain", "c-1", "--parquet", str(export), "--json")
    told = json.loads(out)
    assert told["contradictions"] == []
    assert told["granted"] == sum(grant["points"] for grant in told["grants"])


def test_who_has_no_account_is_said(export: Path) -> None:
    for command in ("balance", "explain"):
        status, out = run(command, "nobody", "--parquet", str(export))
        assert (status, out) == (1, f"loyalty-stream: customer nobody has no account on {export}\n")


def test_a_time_that_is_none_is_said(export: Path) -> None:
    with pytest.raises(Exception, match="--at yesterday: expected a date"):
        run("balance", "c-1", "--parquet", str(export), "--at", "yesterday")

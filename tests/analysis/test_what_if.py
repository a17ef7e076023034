"""Other rules on the whole history: the same rules change nothing, others give what they would have given live."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from random_histories import history
from random_programmes import PARTS, programme
from typer.testing import CliRunner

from loyalty_stream.analysis.layout import Recorded, export_lines
from loyalty_stream.analysis.source import connect
from loyalty_stream.analysis.what_if import difference_text
from loyalty_stream.analysis.what_if.difference import Change, Difference, what_if
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.simulate import BadLine, Simulation
from loyalty_stream.cli.entry import app
from loyalty_stream.domain import calendar
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.facts import Fact
from loyalty_stream.domain.rules import Award, Board, BoardReward, Rules
from loyalty_stream.programme import compile_rules, load_programme
from loyalty_stream.wire.reasons import Reason
from tests.domain import given, given_campaigns

_POINTS = ("available", "pending", "held", "debt", "granted", "redeemed", "expired", "revoked", "restored")


class Live:
    """What the ledger made of facts, and its export."""

    def __init__(self, directory: Path, rules: Rules, facts: Sequence[Fact], partitions: int = 1) -> None:
        self.simulation, self.directory = Simulation(rules), directory
        self.bad: list[BadLine] = []
        events, said, clock = [], [], 0
        for number, fact in enumerate(facts, 1):
            line = msgspec.json.encode(fact)
            made, bad = self.simulation.apply(number, line)
            self.bad += [each for each in (bad, *self.simulation.late()) if each is not None]
            clock = max(clock, calendar.to_ms(fact.time))
            said.append(Recorded(line, clock))
            said += [Recorded(each, clock) for each in map(board_reward, made) if each is not None]
            events += [Recorded(event, clock) for event in made]
        export_lines(directory, events, said, partitions)

    def what_if(self, rules: Rules, since: datetime | None = None, processes: int = 1) -> Difference:
        with connect(self.directory) as connection:
            return what_if(connection, rules, since=since, processes=processes, examples=100)

    def sums(self) -> dict[str, int]:
        balances = [json.loads(line) for line in self.simulation.balances()]
        return {name: sum(each[name] for each in balances) for name in _POINTS}


def board_reward(event: bytes) -> bytes | None:
    """The command of the ledger's own that granted a place's reward, as `points-commands` has it."""
    said = json.loads(event)
    data = said["data"]
    if not data.get("command_id", "").startswith("board:"):
        return None
    granted = {"grant_id": data["command_id"], "points": data["points"], "reason": data["reason"]}
    return json.dumps(
        {
            "specversion": "1.0", "type": "grant-points", "id": data["cause"]["id"], "source": SOURCE,
            "subject": said["subject"], "time": said["time"], "data": granted,
        }
    ).encode()  # fmt: skip


def case(number: int) -> tuple[Rules, list[Fact], Rules, Random]:
    random = Random(f"what-if/{number}")
    rules = programme(random, PARTS)
    return rules, history(random, rules, PARTS), programme(random, PARTS), random


@pytest.mark.parametrize("number", range(15))
def test_the_same_rules_change_nothing_and_others_give_what_they_would_have_given(
    tmp_path: Path, number: int
) -> None:
    rules, facts, other, _ = case(number)
    live = Live(tmp_path / "live", rules, facts)
    same = live.what_if(rules)
    assert same.identical, same
    found = live.what_if(other)
    would_be = Live(tmp_path / "other", other, facts).sums()
    assert {name: found.points[name].would_be for name in _POINTS} == would_be
    assert {name: found.points[name].was for name in _POINTS} == live.sums()


@pytest.mark.parametrize("number", range(15, 25))
def test_history_before_the_change_is_as_it_was(tmp_path: Path, number: int) -> None:
    rules, facts, other, random = case(number)
    live = Live(tmp_path / "live", rules, facts)
    times = sorted(fact.time for fact in facts)
    since = random.choice(times)
    assert live.what_if(rules, since=since).identical
    after = times[-1].replace(year=times[-1].year + 2)
    never = live.what_if(other, since=after)
    assert all(change.was == change.would_be for label, change in never.by_reason["granted"].items())
    assert live.what_if(other, since=times[0].replace(year=2001)).points == live.what_if(other).points


def orders(customers: Iterable[str]) -> list[Fact]:
    return [
        given.order_paid(f"o-{number}", f"2026-03-02 10:{number:02}", 30000, subject=customer)
        for number, customer in enumerate(customers)
    ]


def test_a_budget_is_shared_by_all_in_the_order_of_time(tmp_path: Path) -> None:
    """On whatever partition and in whatever process they are: 100, 100, the 50 that are left, nothing."""
    facts = orders(f"c-{number}" for number in range(8))
    live = Live(tmp_path / "live", given.RULES, facts, partitions=4)
    campaign = given_campaigns.campaign("week", award=Award(points=100), budget_points=250)
    rules = replace(given.RULES, campaigns=(campaign,))
    for processes in (1, 2):
        found = live.what_if(rules, processes=processes)
        (effect,) = found.campaigns
        assert (effect.points, effect.customers) == (Change(0, 250), Change(0, 3))
        assert [(each.customer, each.would_be - each.was) for each in found.most_better_off] == [
            ("c-0", 100),
            ("c-1", 100),
            ("c-2", 50),
        ]
        assert found.passes > 1


def test_what_nobody_else_is_asked_for_is_replayed_once(tmp_path: Path) -> None:
    live = Live(tmp_path / "live", given.RULES, orders(["c-1", "c-2"]), partitions=2)
    assert live.what_if(replace(given.RULES, first_purchase_points=0)).passes == 1


def test_who_referred_somebody_is_rewarded_without_any_fact_of_their_own(tmp_path: Path) -> None:
    facts = [
        given.registered("r-1", "2026-03-01 10:00", referred_by="c-9"),
        given.order_paid("o-1", "2026-03-02 10:00", 10000),
    ]
    live = Live(tmp_path / "live", given.RULES, facts)
    found = live.what_if(replace(given.RULES, referrer_points=40))
    assert found.customers == Change(1, 2)
    assert [(each.customer, each.would_be) for each in found.most_better_off] == [("c-9", 40)]
    assert found.by_reason["granted"]["referral"] == Change(0, 40)


@pytest.mark.parametrize("processes", [1, 2])
def test_what_the_ledger_set_aside_as_failed_is_passed_over_and_counted(
    tmp_path: Path, processes: int
) -> None:
    """The second order would give 2 * 10^18 points, more than an account holds; what comes after it counts."""
    absurd = replace(given.RULES, purchase=(replace(given.RULES.purchase[0], points=10**14, per_amount=1),))
    facts: list[Fact] = [
        given.order_paid("o-1", "2026-03-02 10:00", 1000),
        given.order_paid("o-2", "2026-03-02 10:01", 20_000),
        given.order_paid("o-3", "2026-03-02 10:02", 2000),
        given.order_paid("o-4", "2026-03-02 10:03", 500, subject="c-2"),
    ]
    live = Live(tmp_path / "live", absurd, facts)
    assert [bad.reason for bad in live.bad] == [Reason.PROCESSING_FAILED]
    same = live.what_if(absurd, processes=processes)
    assert same.identical, same
    assert same.failed_facts == 1
    assert same.by_reason["granted"]["purchase"] == Change(3500 * 10**14, 3500 * 10**14)
    sound = live.what_if(given.RULES, processes=processes)
    assert sound.failed_facts == 0
    assert sound.points["granted"].would_be == Live(tmp_path / "other", given.RULES, facts).sums()["granted"]
    assert "applying them failed (processing_failed): 1\n" in difference_text.as_text(same, "CNY")


def test_points_for_places_on_boards_stay_and_the_output_says_so(tmp_path: Path) -> None:
    board = Board("daily", "earned", "day", 10, 0, rewards=(BoardReward(1, 1, 500), BoardReward(2, 2, 70)))
    rules = replace(given.RULES, boards=(board,))
    facts = [*orders(["c-1", "c-2", "c-1"]), given.order_paid("last", "2026-03-05 10:00", 10000)]
    live = Live(tmp_path / "live", rules, facts)
    same = live.what_if(rules)
    assert same.identical, same
    assert same.board_rewards_kept
    other = live.what_if(replace(rules, purchase=(), first_purchase_points=0))
    assert other.by_reason["granted"] == {
        **{label: Change(was.was, 0) for label, was in same.by_reason["granted"].items()},
        "leaderboard": Change(570, 570),
    }
    assert "  leaderboard                            570             570              +0\n" in (
        difference_text.as_text(other, "CNY")
    )
    assert "Points for places on leaderboards are as they were" in difference_text.as_text(other, "CNY")
    assert not Live(tmp_path / "without", given.RULES, facts).what_if(given.RULES).board_rewards_kept


def test_the_command_tells_the_difference(tmp_path: Path) -> None:
    text = """
[programme]
id = "mall"
currency = "CNY"
timezone = "Asia/Shanghai"
[[earning.purchase]]
id = "base"
points = 1
"""
    was, new = tmp_path / "was.toml", tmp_path / "new.toml"
    was.write_text(text, encoding="utf-8")
    new.write_text(text.replace("points = 1", "points = 3"), encoding="utf-8")
    Live(tmp_path / "x", compile_rules(load_programme(was)), orders(["c-1", "c-2"]))
    same = run("--programme", was, "--parquet", tmp_path / "x")
    assert same.endswith("Nothing differs: not a sum, and no customer's account.\n")
    shown = run("--programme", new, "--parquet", tmp_path / "x")
    assert "  purchase                               600           1,800          +1,200" in shown
    assert "liability                               6.00           18.00          +12.00" in shown
    told: dict[str, Any] = json.loads(
        run("--programme", new, "--parquet", tmp_path / "x", "--from", "2026-03-02T10:01", "--json")
    )
    assert told["by_reason"]["granted"]["purchase"] == {"was": 600, "would_be": 1200}
    assert told["most_better_off"] == [{"customer": "c-2", "was": 300, "would_be": 900}]


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["what-if", *map(str, arguments), "--processes", "1"])
    assert result.exit_code == 0, result.output
    return result.output


def test_without_facts_there_is_nothing_to_replay(tmp_path: Path) -> None:
    export_lines(tmp_path / "x", [])
    with (
        connect(tmp_path / "x") as connection,
        pytest.raises(MendableError, match="there are no facts to replay"),
    ):
        what_if(connection, given.RULES, processes=1)

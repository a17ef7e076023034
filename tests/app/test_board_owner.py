"""The owner of a board by hand: when it closes, what it pays, and what it drops."""

import msgspec
import pytest

from loyalty_stream.app.board_owner import LeaderboardStage
from loyalty_stream.app.board_stage import BoardSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain.rules import Board, BoardReward
from loyalty_stream.domain.standings import PartMessage, PartPassed, PartTold
from loyalty_stream.wire import standings
from tests.app.board_world import Partition, Rec
from tests.domain import given

BOARD = Board("monthly", "earned", "month", 2, 0, rewards=(BoardReward(1, 2, 10),))
RULES = msgspec.structs.replace(given.RULES, boards=(BOARD,))
CLOSES = 2_000


class Owner:
    """One partition of the stage, which expects two of the boards."""

    def __init__(self) -> None:
        self.now = 100.0
        stage = LeaderboardStage(Settings(), RULES, 2, BoardSink(), lambda: self.now)
        self.partition = Partition(stage, 0)

    def tell(self, *messages: PartMessage) -> list[tuple[str, dict]]:
        """What it writes when it is told this, in one transaction: topics and values."""
        for message in messages:
            self.partition.feed("board-parts", Rec(b"monthly", standings.encode_part(message)))
        return [(topic, msgspec.json.decode(record.value)) for topic, _, record in self.partition.commit()]


def part(partition: int, *entries: tuple[str, int], time: int = 1_500) -> PartTold:
    ranked = tuple((customer, score, 1_000, "") for customer, score in entries)
    return PartTold("monthly", "2026-03", 0, CLOSES, CLOSES, partition, time, ranked)


def passed(partition: int, time: int, since: int = 0) -> PartPassed:
    return PartPassed("monthly", partition, time, since)


def kinds(written: list[tuple[str, dict]]) -> list[str]:
    return [value["type"] for _, value in written]


def test_parts_are_merged_and_only_changes_are_published_once_a_second() -> None:
    owner = Owner()
    (said,) = owner.tell(part(0, ("a", 5), ("b", 3)), part(1, ("c", 4)))
    assert [(e["rank"], e["customer"], e["score"]) for e in said[1]["data"]["entries"]] == [
        (1, "a", 5),
        (2, "c", 4),
    ]
    assert owner.tell(part(1, ("c", 6))) == []  # within the second
    owner.now += 1
    (said,) = owner.tell()
    assert [e["customer"] for e in said[1]["data"]["entries"]] == ["c", "a"]
    owner.now += 1
    assert owner.tell(part(0, ("a", 5), ("b", 4))) == []  # nobody who is shown has moved


def test_a_period_closes_when_both_have_passed_and_not_before() -> None:
    owner = Owner()
    owner.tell(part(0, ("a", 5)), passed(0, CLOSES))
    assert kinds(owner.tell(part(1, ("b", 7)), passed(1, CLOSES - 1))) == []
    assert kinds(owner.tell(passed(1, CLOSES))) == ["leaderboard-closed", "grant-points", "grant-points"]
    assert kinds(owner.tell(passed(0, CLOSES + 5), passed(1, CLOSES + 5))) == []


def test_one_partition_that_has_told_nothing_yet_keeps_it_open() -> None:
    owner = Owner()
    assert kinds(owner.tell(part(0, ("a", 5)), passed(0, CLOSES))) == ["leaderboard-changed"]


def test_a_part_that_is_told_again_after_the_close_opens_nothing() -> None:
    """As after a crash on a broker without transactions."""
    owner = Owner()
    owner.tell(part(0, ("a", 5)), passed(0, CLOSES), passed(1, CLOSES))
    owner.now += 5
    assert owner.tell(part(0, ("a", 5)), passed(0, CLOSES), passed(1, CLOSES)) == []
    left = [key for key, _ in owner.partition.table.committed_items()]
    assert left == [b"passed\nmonthly"]


@pytest.mark.parametrize(("since", "paid"), [(CLOSES - 1, True), (CLOSES, False)])
def test_what_was_over_before_boards_were_kept_rewards_nobody(since: int, paid: bool) -> None:  # noqa: FBT001
    owner = Owner()
    written = owner.tell(part(0, ("a", 5)), passed(0, CLOSES, since), passed(1, CLOSES))
    assert ("grant-points" in kinds(written)) == paid
    assert ("reward_points" in written[0][1]["data"]["entries"][0]) == paid


def test_what_is_no_part_is_set_aside() -> None:
    owner = Owner()
    owner.partition.feed("board-parts", Rec(b"monthly", b"{}"))
    ((topic, _, record),) = owner.partition.commit()
    assert (topic, record.value) == ("dead-letters", b"{}")


def test_it_goes_on_after_a_restart() -> None:
    owner = Owner()
    owner.tell(part(0, ("a", 5)), passed(0, CLOSES))
    owner.partition = owner.partition.again()
    owner.now += 1
    assert kinds(owner.tell(passed(1, CLOSES))) == ["leaderboard-closed", "grant-points"]


def test_a_restart_says_nothing_that_was_said_before() -> None:
    owner = Owner()
    owner.tell(part(0, ("a", 5), ("b", 3)), part(1, ("c", 4)))
    owner.partition = owner.partition.again()
    owner.now += 1
    assert owner.tell() == []
    assert owner.tell(part(0, ("a", 5), ("b", 3))) == []  # a partition that started anew tells what it knows
    owner.now += 1
    (said,) = owner.tell(part(1, ("c", 6)))
    assert said[1]["id"] == "monthly:2026-03:2"
    assert [each["customer"] for each in said[1]["data"]["entries"]] == ["c", "a"]

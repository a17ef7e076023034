"""How a board is shown to a person and to a program."""

import json

from loyalty_stream.app.board_view import Around, BoardView, _among, as_json, as_text
from loyalty_stream.domain.standings import Ranked, Standings, StandingsData
from tests.domain import given

ENTRIES = tuple(
    Ranked(
        rank,
        f"c-{rank}",
        1_000 - rank,
        given.moment("2026-03-02 10:00"),
        alias="Tea cat" if rank == 2 else None,
        reward_points=500 if rank == 1 else None,
    )
    for rank in range(1, 31)
)


def view(kind: str, around: Around | None = None) -> BoardView:
    starts, ends = given.moment("2026-03-01 00:00"), given.moment("2026-04-01 00:00")
    data = StandingsData("monthly", "2026-03", "earned", starts, ends, ENTRIES)
    return BoardView(Standings("m:1", kind, "monthly", given.moment("2026-04-01 01:00"), data), around)


def test_a_person_sees_the_first_and_those_around() -> None:
    text = as_text(view("leaderboard-closed", _among(ENTRIES, "c-20", 0)), 3)
    assert "monthly, period 2026-03 (earned, 2026-02-28 16:00 to 2026-03-31 16:00 UTC): final" in text
    assert "Tea cat (c-2)" in text
    assert "c-4 " not in text
    assert "customer c-20: rank 20\n" in text
    assert "c-15 " in text
    assert "c-25 " in text
    assert "c-26 " not in text
    assert "500" in text


def test_it_says_how_many_there_are_of_a_running_period() -> None:
    text = as_text(view("leaderboard-changed", _among(ENTRIES, "c-1", 30)), 3)
    assert "as of 2026-03-31 17:00 UTC" in text
    assert "customer c-1: rank 1 of 30\n" in text


def test_it_says_where_a_customer_has_no_place() -> None:
    running = as_text(view("leaderboard-changed", _among(ENTRIES, "nobody", 30)), 3)
    assert "customer nobody has no place" in running
    final = as_text(view("leaderboard-closed", _among(ENTRIES, "nobody", 0)), 3)
    assert "customer nobody is not among the 30 places that are kept of a closed period" in final


def test_a_program_gets_all_of_it() -> None:
    said = json.loads(as_json(view("leaderboard-closed", _among(ENTRIES, "c-20", 0))))
    assert (said["board"], said["period"], said["final"], len(said["entries"])) == (
        "monthly",
        "2026-03",
        True,
        30,
    )
    assert said["entries"][1]["alias"] == "Tea cat"
    assert [place["rank"] for place in said["around"]["entries"]] == list(range(15, 26))

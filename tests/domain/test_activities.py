from datetime import date

import pytest
from given import RULES, Customer, attended, data, game, survey
from msgspec.structs import replace

from loyalty_stream.domain.activities import band_points
from loyalty_stream.domain.events import AccountNoted, PointGranted
from loyalty_stream.domain.notes import ActivityNote, GameNote, KeyNote, SurveyNote
from loyalty_stream.domain.rules import Band, Game

T = "2026-03-01 10:00"
DAY = (date(2026, 3, 1) - date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("score", "points"), [(0, 0), (9, 0), (10, 1), (99, 1), (100, 10), (101, 10), (10**12, 10)]
)
def test_the_highest_band_that_is_reached_counts(score, points):
    assert band_points(Game("spin", (Band(10, 1), Band(100, 10)), 0), score) == points


def test_a_play_earns_by_its_score_once():
    customer = Customer()
    (granted,) = data(customer.when(game("e-1", T, 100, play_id="p")))
    assert isinstance(granted, PointGranted)
    assert (granted.points, granted.rule, granted.reason) == (10, "game:spin", "game")
    assert granted.note == GameNote("spin", "p", DAY)
    (again,) = data(customer.when(game("e-2", T, 500, play_id="p")))
    assert isinstance(again, AccountNoted)
    assert (again.kind, again.note) == ("key", KeyNote())


def test_plays_are_counted_for_each_game():
    customer = Customer(replace(RULES, games={id_: Game(id_, (Band(0, 1),), 2) for id_ in ("spin", "quiz")}))
    told = []
    for number, game_id in enumerate(["spin", "spin", "spin", "quiz", "quiz", "quiz"]):
        (event,) = data(customer.when(game(f"e-{number}", T, 5, game_id=game_id, play_id=f"p-{number % 3}")))
        assert isinstance(event.note, GameNote)
        told.append((event.note.game_id, isinstance(event, PointGranted), event.note.earned))
    assert told == [
        ("spin", True, True),
        ("spin", True, True),
        ("spin", False, False),
        ("quiz", True, True),
        ("quiz", True, True),
        ("quiz", False, False),
    ]
    customer.when(game("e-6", "2026-03-02 00:00", 5, game_id="spin"))
    assert customer.balance == (5, 0, 0)


def test_a_late_play_counts_for_its_own_day():
    customer = Customer(replace(RULES, games={"spin": Game("spin", (Band(0, 1),), 1)}))
    facts = [game("e-1", "2026-03-02 10:00", 5), game("e-2", T, 5), game("e-3", T, 5)]
    assert [isinstance(data(customer.when(fact))[0], PointGranted) for fact in facts] == [True, True, False]


@pytest.mark.parametrize("fact", [survey("e-1", T), attended("e-1", T)], ids=["survey", "attended"])
def test_a_late_survey_or_attendance_counts_for_its_own_day(fact):
    customer = Customer(replace(RULES, daily_points_limit=30))
    customer.when(game("e-0", "2026-03-02 10:00", 500))
    (granted,) = data(customer.when(fact))
    assert isinstance(granted, PointGranted)
    assert granted.day == DAY


@pytest.mark.parametrize(("game_id", "score"), [("unknown", 500), ("spin", 9)])
def test_a_play_that_earns_nothing_is_remembered_and_does_not_count(game_id, score):
    customer = Customer(replace(RULES, games={"spin": Game("spin", (Band(10, 1),), 1)}))
    (noted,) = data(customer.when(game("e-1", T, score, game_id=game_id, play_id="p")))
    assert isinstance(noted, AccountNoted)
    assert (noted.kind, noted.note) == ("game", GameNote(game_id, "p", DAY, earned=False))
    (again,) = data(customer.when(game("e-2", T, 500, game_id=game_id, play_id="p")))
    assert again.note == KeyNote()
    (granted,) = data(customer.when(game("e-3", T, 500)))
    assert isinstance(granted, PointGranted)


def test_a_survey_earns_once_per_customer():
    customer = Customer()
    (granted,) = data(customer.when(survey("e-1", T, satisfaction=4)))
    assert isinstance(granted, PointGranted)
    assert (granted.points, granted.rule, granted.reason) == (30, "survey:nps-2026", "survey")
    assert granted.note == SurveyNote("nps-2026", "e-1", 4)
    (again,) = data(customer.when(survey("e-2", "2026-06-01 10:00", satisfaction=1)))
    assert again.note == KeyNote()


def test_an_unknown_survey_is_remembered_without_points():
    customer = Customer()
    (noted,) = data(customer.when(survey("e-1", T, survey_id="other", satisfaction=2)))
    assert isinstance(noted, AccountNoted)
    assert (noted.kind, noted.note) == ("survey", SurveyNote("other", "e-1", 2))
    assert customer.balance == (0, 0, 0)


def test_an_attendance_earns_once_online_or_offline():
    customer = Customer()
    for number, mode in enumerate(["online", "offline"]):
        (granted,) = data(customer.when(attended(f"e-{number}", T, mode=mode, attendance_id=f"a-{number}")))
        assert isinstance(granted, PointGranted)
        assert (granted.points, granted.rule, granted.reason) == (20, "activity", "activity")
        assert granted.note == ActivityNote("fair", f"a-{number}")
    (again,) = data(customer.when(attended("e-2", T, attendance_id="a-1")))
    assert again.note == KeyNote()
    customer.rules = replace(RULES, activity_points=0)
    (noted,) = data(customer.when(attended("e-3", T)))
    assert isinstance(noted, AccountNoted)
    assert (noted.kind, noted.note) == ("activity", ActivityNote("fair", "e-3"))

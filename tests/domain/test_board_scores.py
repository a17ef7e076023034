"""Scores: sums that do not depend on the order of events, and the longest run of check-ins."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import board_scores
from loyalty_stream.domain.board_scores import Row, Score


def test_a_score_is_the_sum_and_was_reached_with_the_latest_that_counted() -> None:
    score = Score()
    for points, at in ((10, 500), (5, 300)):
        board_scores.earn(score, points, at)
    assert (score.points, score.reached) == (15, 500)
    board_scores.take_back(score, 7)
    assert (score.points, score.reached) == (8, 500)


def test_what_was_not_counted_cannot_be_taken_back() -> None:
    score = Score(5, 100)
    board_scores.take_back(score, 7)
    assert score.points == 0


@given(st.lists(st.integers(0, 14), unique=True))
def test_the_score_of_a_streak_is_the_longest_run_in_any_order(days: list[int]) -> None:
    score = Score()
    for day in days:
        board_scores.check_in(score, day, 1_000 + day)
        board_scores.check_in(score, day, 5_000)  # again on the same day
    runs = [
        [day for _, day in group]
        for _, group in groupby(enumerate(sorted(days)), key=lambda pair: pair[1] - pair[0])
    ]
    longest = max(map(len, runs), default=0)
    assert score.points == longest
    if longest:
        # Of equal runs the first: it is complete with its last day.
        assert score.reached == 1_000 + min(run[-1] for run in runs if len(run) == longest)


def test_old_runs_are_forgotten_but_for_the_best() -> None:
    score = Score()
    for day in (1, 2, 3, 10, 20, 21):
        board_scores.check_in(score, day, day)
    board_scores.forget_runs(score, before=15)
    assert [(run.first, run.length) for run in score.runs] == [(1, 3), (20, 2)]


def test_a_row_without_scores_and_wishes_is_empty() -> None:
    assert Row().is_empty
    assert not Row(alias="tea").is_empty
    assert not Row(opted_out=True).is_empty
    assert not Row({"b\n2026-03": Score(1)}).is_empty

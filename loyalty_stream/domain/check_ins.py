"""Points for checking in, once per local day, and for streaks of days ([earning.check_in]).

A streak is a run of days without a gap. After the longest streak that has a bonus the count starts again, so
in a run of 37 days, with bonuses at 7 and 30, the 7th, the 30th and the 37th day are milestones.
"""

from bisect import bisect_right
from collections.abc import Sequence

from loyalty_stream.domain import calendar, campaign_awards, limits
from loyalty_stream.domain.account import NEVER
from loyalty_stream.domain.facts import CheckedIn
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import CheckInNote, KeyNote
from loyalty_stream.domain.rules import CheckInRule, Rules, StreakBonus


def decide_checked_in(journal: Journal, _fact: CheckedIn, rules: Rules) -> None:
    """Reward the day and the milestones that its run reaches; a day that is checked in already gives nothing.

    Every grant is cut by the daily limit of points by itself: the day's points first, then rising streaks.
    """
    day = calendar.local_day(journal.at, rules.zone)
    runs = neighbours(journal.account.streaks, day)
    if runs is None:
        journal.remember("key", KeyNote())
        return
    journal.remember("check-in", CheckInNote(day=day))
    if rules.check_in is not None:
        _earn(journal, rules, rules.check_in, day, runs)
    campaign_awards.award_event(journal, rules, "check_in")


def _earn(journal: Journal, rules: Rules, rule: CheckInRule, day: int, runs: tuple[int, int]) -> None:
    limits.grant_within(journal, rules, points=rule.points, rule="check_in", reason="check-in", day=day)
    for streak in milestones(rule.streaks, *runs):
        reason = f"streak of {streak.days} days"
        limits.grant_within(journal, rules, points=streak.bonus, rule="check_in", reason=reason, day=day)


def neighbours(streaks: Sequence[tuple[int, int]], day: int) -> tuple[int, int] | None:
    """The lengths of the runs that `day` would join, 0 for none: up to it and after it.

    None if it is in a run already.
    """
    after = bisect_right(streaks, (day, NEVER))
    ends = begins = 0
    if after > 0:
        first_day, length = streaks[after - 1]
        if day < first_day + length:
            return None
        ends = length if first_day + length == day else 0
    if after < len(streaks):
        first_day, length = streaks[after]
        begins = length if first_day == day + 1 else 0
    return ends, begins


def milestones(streaks: Sequence[StreakBonus], earlier: int, later: int) -> list[StreakBonus]:
    """The streaks newly reached by a day that joins a run of `earlier` days and one of `later` days.

    Joining reaches each at most once, and takes nothing back where the two runs had reached it more often.
    """
    if not streaks:
        return []
    cycle = streaks[-1].days
    joined = earlier + 1 + later
    return [
        streak
        for streak in streaks
        if times_reached(streak.days, joined, cycle)
        > times_reached(streak.days, earlier, cycle) + times_reached(streak.days, later, cycle)
    ]


def times_reached(days: int, length: int, cycle: int) -> int:
    """How often a run of `length` days reaches the streak of `days`; every `cycle` it counts anew."""
    return (length + cycle - days) // cycle

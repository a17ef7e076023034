"""The limits of a local day: how often something earns, and how many points it may give ([earning.limits]).

It must not know which services send what; the counters are kept by `evolve`, from notes and grants.
"""

from typing import Final

from loyalty_stream.domain import grants
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.rules import Rules

POINTS: Final = "points"
"""The daily counter of the points that count against `[earning.limits] daily`."""


def counted(account: Account, day: int, counter: str) -> int:
    """How much of the daily `counter` is used up on the local `day`."""
    counters = account.daily.get(day)
    return counters.get(counter, 0) if counters else 0


def reached(account: Account, day: int, counter: str, limit: int) -> bool:
    """Whether nothing more of `counter` earns on `day`; a limit of 0 is no limit."""
    return limit > 0 and counted(account, day, counter) >= limit


def allowed_points(account: Account, rules: Rules, day: int, points: int) -> int:
    """What the daily limit of points leaves of `points`; 0 when it is used up."""
    limit = rules.daily_points_limit
    if limit == 0:
        return points
    return max(min(points, limit - counted(account, day, POINTS)), 0)


def grant_within(journal: Journal, rules: Rules, *, points: int, rule: str, reason: str, day: int) -> None:
    """Grant what the daily limit leaves of `points`, which may be nothing.

    The grant says in its reason if it was cut. It names its day only under a limit, which alone asks for it.
    """
    allowed = allowed_points(journal.account, rules, day, points)
    grants.grant(
        journal,
        rules,
        points=allowed,
        rule=rule,
        reason=reason if allowed == points else f"{reason}, cut by the daily limit",
        day=day if rules.daily_points_limit > 0 else None,
    )

"""What becomes of the points of each month: how many are redeemed, how many expire, and what is to be expected.

Points that are never redeemed are called breakage. A cohort is what was granted in one month of the calendar; its
age counts months, 0 being that month. The forecast is a chain ladder on what is left of the cohorts: of the points
left at the start of an age, the share that was redeemed, expired or revoked in it, over the latest cohorts that have
seen that age, so that it follows customers who come to spend more or less. It must not know what a point costs.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, NamedTuple

from duckdb import DuckDBPyConnection
from msgspec import Struct

from loyalty_stream.analysis.reports.ledger_tables import Span, rows

LATEST: Final = 3
"""Cohorts, by which the share of an age is judged: by the sum of their points."""
TAIL_AGES: Final = 3
"""How many of the oldest ages seen say what happens at ages that no cohort has reached."""
MOST_AGES: Final = 120
"""Ten years: what is left then is taken to stay."""
HELD_BACK: Final = 3
"""Months that are held back to see how well the ones before foretell them."""


class Exits(NamedTuple):
    """Points that left a cohort in one age. Redeemed is less what was restored, so it can be negative."""

    redeemed: float
    expired: float
    revoked: float

    @property
    def sum(self) -> float:
        return self.redeemed + self.expired + self.revoked


class Cohort(NamedTuple):
    """The points granted in one month, and what left them at each age that is over."""

    month: date
    granted: int
    exits: tuple[Exits, ...]
    last_age: int | None
    """The age in which its last points expire by their dates; None: some never do."""

    def left(self, ages: int) -> float:
        """Points left after so many ages."""
        return self.granted - sum(each.sum for each in self.exits[:ages])


class CohortForecast(Struct, frozen=True):
    """A cohort as it ran and as it is expected to end. Shares are of the points granted and not revoked."""

    month: date
    granted: int
    redeemed: int
    expired: int
    revoked: int
    outstanding: int
    expected_redeemed: float
    """Of the points outstanding, to come."""
    expected_expired: float
    breakage: float
    """Share that is expired in the end."""
    expired_share: tuple[float, ...]
    """Share expired by the end of each age, as it really ran;"""
    forecast_share: tuple[float, ...]
    """and as it is expected to go on, from the first age that is not over."""


class HeldBackMonth(Struct, frozen=True):
    """A month that was forecast from those before, and what it really was."""

    month: date
    expired_forecast: float
    expired: int
    redeemed_forecast: float
    redeemed: int


class Backtest(Struct, frozen=True):
    """How well the forecast, made without the last months, foretold them for the cohorts that were there."""

    months: tuple[HeldBackMonth, ...]
    expired_error: float | None
    """(Forecast - real) / real, over all held-back months; None where nothing expired, or redeemed."""
    redeemed_error: float | None


class Breakage(Struct, frozen=True):
    """All cohorts as of the end of the last month that is over, and how far the forecast can be trusted."""

    as_of: date | None
    """The last day of that month; None: no month is over yet."""
    cohorts: tuple[CohortForecast, ...]
    backtest: Backtest | None
    """None where too few months are over."""


_COHORTS: Final = """
SELECT "month", sum(granted)::BIGINT, CASE WHEN bool_or(expires_at IS NULL) THEN NULL
    ELSE datediff('month', "month", max(local_time(expires_at))::DATE) END
FROM lot WHERE "month" <= $last GROUP BY "month" ORDER BY "month"
"""
_EXITS: Final = """
SELECT l."month", datediff('month', l."month", m."local"::DATE),
    coalesce(sum(m.points) FILTER (what = 'redeemed'), 0)::BIGINT
        - coalesce(sum(m.points) FILTER (what = 'restored'), 0)::BIGINT,
    coalesce(sum(m.points) FILTER (what = 'expired'), 0)::BIGINT,
    coalesce(sum(m.points) FILTER (what = 'revoked'), 0)::BIGINT
FROM movement m JOIN lot l USING (customer, grant_id)
WHERE what <> 'granted' AND date_trunc('month', m."local")::DATE <= $last
GROUP BY ALL
"""


def breakage(connection: DuckDBPyConnection, data: Span, *, dates_move: bool) -> Breakage:
    """The cohorts of all months that are over, with forecast and backtest.

    `dates_move`: points get new dates of expiry by what the customer does, so their dates foretell nothing.
    """
    last = _last_month(data)
    cohorts = _cohorts(connection, last, dates_move=dates_move) if last else []
    if not last or not cohorts:
        return Breakage(None, (), None)
    ages = _months_between(cohorts[0].month, last) + 1
    held_back = min(HELD_BACK, ages // 3)
    return Breakage(
        as_of=date.fromordinal(_add_months(last, 1).toordinal() - 1),
        cohorts=tuple(_forecast(cohort, fit(cohorts)) for cohort in cohorts),
        backtest=_backtest(cohorts, last, held_back) if held_back else None,
    )


def _last_month(data: Span) -> date | None:
    """The first day of the last month whose last day is in the data."""
    month = data.last.replace(day=1)
    if data.end.day != 1:
        month = _add_months(month, -1)
    return month if month >= data.first.replace(day=1) else None


def _cohorts(connection: DuckDBPyConnection, last: date, *, dates_move: bool) -> list[Cohort]:
    exits = {(month, age): Exits(*points) for month, age, *points in rows(connection, _EXITS, last=last)}
    return [
        Cohort(
            month,
            granted,
            tuple(exits.get((month, age), Exits(0, 0, 0)) for age in range(_months_between(month, last) + 1)),
            None if dates_move else last_age,
        )
        for month, granted, last_age in rows(connection, _COHORTS, last=last)
    ]


# -- the chain ladder -----------------------------------------------------------------------------------


def fit(cohorts: Sequence[Cohort]) -> list[Exits]:
    """For each age that a cohort has seen: which shares of the points left at its start were redeemed and so on."""
    shares = []
    for age in range(max(len(cohort.exits) for cohort in cohorts)):
        seen = [cohort for cohort in cohorts if len(cohort.exits) > age][-LATEST:]
        start = sum(cohort.left(age) for cohort in seen)
        sums = [max(0.0, sum(cohort.exits[age][kind] for cohort in seen)) for kind in range(3)]
        whole = max(start, sum(sums))  # what comes back from redemptions can be more than was left
        shares.append(Exits(*(each / whole if whole else 0.0 for each in sums)))
    return shares


def run_off(cohort: Cohort, shares: Sequence[Exits]) -> Iterator[Exits]:
    """The points that are expected to leave the cohort at each age from the first that it has not seen."""
    tail = shares[-TAIL_AGES:]
    mean = Exits(*(sum(each[kind] for each in tail) / len(tail) for kind in range(3)))
    left = cohort.left(len(cohort.exits))
    for age in range(len(cohort.exits), MOST_AGES):
        if left < 0.5:  # not a point any more
            return
        share = shares[age] if age < len(shares) else mean
        if cohort.last_age is not None and age >= cohort.last_age:
            redeemed, revoked = left * share.redeemed, left * share.revoked
            out = Exits(redeemed, left - redeemed - revoked, revoked)
        elif cohort.last_age is not None and age >= len(shares):  # the dates say that none expires yet
            out = Exits(left * share.redeemed, 0.0, left * share.revoked)
        else:
            out = Exits(*(left * each for each in share))
        yield out
        left -= out.sum


def _forecast(cohort: Cohort, shares: Sequence[Exits]) -> CohortForecast:
    redeemed, expired, revoked = (sum(each[kind] for each in cohort.exits) for kind in range(3))
    to_come = list(run_off(cohort, shares))
    kept = cohort.granted - revoked - sum(each.revoked for each in to_come)
    ran: list[float] = []
    ahead: list[float] = []
    so_far = 0.0
    for place, each in enumerate((*cohort.exits, *to_come)):
        so_far += each.expired
        (ran if place < len(cohort.exits) else ahead).append(so_far / kept if kept else 0.0)
    return CohortForecast(
        month=cohort.month,
        granted=cohort.granted,
        redeemed=int(redeemed),
        expired=int(expired),
        revoked=int(revoked),
        outstanding=int(cohort.left(len(cohort.exits))),
        expected_redeemed=sum(each.redeemed for each in to_come),
        expected_expired=sum(each.expired for each in to_come),
        breakage=so_far / kept if kept else 0.0,
        expired_share=tuple(ran),
        forecast_share=tuple(ahead),
    )


def _backtest(cohorts: Sequence[Cohort], last: date, held_back: int) -> Backtest:
    before = [
        cohort._replace(exits=cohort.exits[:-held_back])
        for cohort in cohorts
        if len(cohort.exits) > held_back
    ]
    shares = fit(before)
    forecasts = [list(run_off(cohort, shares))[:held_back] for cohort in before]
    real = [cohort.exits[-held_back:] for cohort in cohorts if len(cohort.exits) > held_back]
    months = tuple(
        HeldBackMonth(
            month=_add_months(last, step - held_back + 1),
            expired_forecast=sum(each[step].expired for each in forecasts if len(each) > step),
            expired=int(sum(each[step].expired for each in real)),
            redeemed_forecast=sum(each[step].redeemed for each in forecasts if len(each) > step),
            redeemed=int(sum(each[step].redeemed for each in real)),
        )
        for step in range(held_back)
    )
    return Backtest(
        months,
        _error(sum(each.expired_forecast for each in months), sum(each.expired for each in months)),
        _error(sum(each.redeemed_forecast for each in months), sum(each.redeemed for each in months)),
    )


def _error(forecast: float, real: int) -> float | None:
    return (forecast - real) / real if real else None


def _months_between(first: date, second: date) -> int:
    return (second.year - first.year) * 12 + second.month - first.month


def _add_months(month: date, count: int) -> date:
    years, months = divmod(month.year * 12 + month.month - 1 + count, 12)
    return date(years, months + 1, 1)

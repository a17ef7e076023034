"""The chain ladder on cohorts whose law is known."""

from datetime import date

import pytest
from reported import report

from loyalty_stream.analysis.reports.breakage import Cohort, Exits, _backtest, _forecast, fit, run_off

LAW = (Exits(0.1, 0, 0), Exits(0.2, 0, 0.05), Exits(0.1, 0.3, 0), Exits(0, 1, 0))
"""Of what is left at each age; at age 3 the rest expires."""


def cohort(number, ages, granted=100_000, law=LAW, last_age=3):
    left, exits = float(granted), []
    for share in law[:ages]:
        out = Exits(*(left * each for each in share))
        exits.append(out)
        left -= out.sum
    exits += [Exits(0, 0, 0)] * (ages - len(law))
    return Cohort(date(2026, number, 1), granted, tuple(exits), last_age)


def triangle(months, law=LAW, last_age=3):
    return [
        cohort(number, months - number + 1, 100_000 + 5_000 * number, law, last_age)
        for number in range(1, months + 1)
    ]


def test_the_law_is_found():
    for found, law in zip(fit(triangle(6)), LAW, strict=False):
        assert tuple(found) == pytest.approx(tuple(law))


def test_a_young_cohort_ends_as_the_old_ones_did():
    cohorts = triangle(6)
    old, young = (_forecast(each, fit(cohorts)) for each in (cohorts[0], cohorts[-1]))
    assert young.breakage == pytest.approx(old.breakage)
    assert old.forecast_share == ()
    assert [*young.expired_share, *young.forecast_share] == pytest.approx(old.expired_share[:4])
    assert young.expected_redeemed + young.expected_expired <= young.outstanding
    left = 90_000 * 0.75 * 0.6
    assert _forecast(cohort(1, 1), fit(cohorts)).expected_expired == pytest.approx(left + 90_000 * 0.75 * 0.3)


def test_ages_that_none_has_seen_follow_the_dates():
    law = (Exits(0.1, 0, 0),) * 4
    young = triangle(4, law, last_age=12)
    ahead = list(run_off(young[-1], fit(young)))
    assert len(ahead) == 12  # ages 1 to 12
    assert all(each.expired == 0 for each in ahead[:-1])
    left = young[-1].granted * 0.9**12
    assert ahead[-1].expired == pytest.approx(left * 0.9)
    assert ahead[-1].redeemed == pytest.approx(left * 0.1)


def test_a_steady_programme_is_foretold_without_error():
    found = _backtest(triangle(9), date(2026, 9, 1), 3)
    assert [each.month for each in found.months] == [date(2026, month, 1) for month in (7, 8, 9)]
    assert found.expired_error == pytest.approx(0, abs=1e-4)
    assert found.redeemed_error == pytest.approx(0, abs=1e-4)


def test_a_change_of_habits_is_an_error_that_shows():
    cohorts = triangle(9)
    # In the last three months nobody redeems any more.
    changed = [
        each._replace(
            exits=(*each.exits[:-3], *(Exits(0, out.expired, out.revoked) for out in each.exits[-3:]))
        )
        for each in cohorts
    ]
    found = _backtest(changed, date(2026, 9, 1), 3)
    assert found.redeemed_error is None
    assert sum(each.redeemed_forecast for each in found.months) > 10_000


def test_the_malls_cohorts_add_up():
    breakage = report("finance").breakage
    assert breakage.as_of == date(2026, 6, 30)
    for each in breakage.cohorts:
        assert each.granted == each.redeemed + each.expired + each.revoked + each.outstanding
        assert each.expected_redeemed + each.expected_expired <= each.outstanding + 1
        assert 0 <= each.breakage <= 1
        curve = [*each.expired_share, *each.forecast_share]
        assert curve == sorted(curve)
    assert breakage.backtest is not None

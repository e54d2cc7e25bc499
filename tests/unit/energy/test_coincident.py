"""The forecast of coincident peaks: what it may know, and what its chances add up to."""

from datetime import date

import msgspec
import numpy as np
import pytest

from headrace.core import epoch_s, from_epoch_s
from headrace.energy import Series
from headrace.energy.coincident import PeakCalendar, PeakForecast
from headrace.energy.coincident_chain import GRID, survival, transition
from headrace.energy.coincident_days import fold
from headrace.energy.coincident_trust import odds_learned, tempered

ZONE = "America/Chicago"
SUMMER = PeakCalendar(months=(6, 7, 8, 9), is_monthly=True, first_month=1, count=1)
FIVE = PeakCalendar(months=tuple(range(1, 13)), is_monthly=False, first_month=5, count=5)
START_S = 1_680_325_200
"""2023-04-01T00:00 in Chicago."""


def make_load(*, days=150, seed=7):
    """A system whose days scatter and whose afternoons are high, MW by the hour."""
    rng = np.random.default_rng(seed)
    hour = np.arange(24 * days)
    level = np.repeat(np.exp(np.cumsum(rng.normal(0.0, 0.02, days)) * 0.7), 24)
    values = 60_000.0 * level * (1.0 + 0.2 * np.cos((hour % 24 - 17) / 24.0 * 2.0 * np.pi))
    values *= np.exp(rng.normal(0.0, 0.002, len(hour)))
    starts_s = START_S + 3600 * hour.astype(np.int64)
    return Series(
        name="load", unit="mw", step_s=3600, start_s=START_S, values=values, known_s=starts_s + 3600, source="made up"
    )


def chances(load, calendar, now_s, hours=60):
    starts_s = now_s + 3600 * np.arange(hours, dtype=np.int64)
    return PeakForecast(fold(load, None, ZONE), calendar).at(now_s, starts_s)


@pytest.mark.parametrize("calendar", [SUMMER, FIVE])
@pytest.mark.parametrize("hour", [0, 9, 14, 16, 23])
def test_nothing_after_now_changes_a_chance(calendar, hour):
    load = make_load()
    now_s = START_S + 3600 * (24 * 75 + hour)
    is_later = load.known_s > now_s
    other = msgspec.structs.replace(load, values=np.where(is_later, 3.0 * load.values, load.values))
    np.testing.assert_array_equal(chances(load, calendar, now_s), chances(other, calendar, now_s))


def test_a_forecast_asked_in_any_order_answers_the_same():
    load = make_load()
    forecast = PeakForecast(fold(load, None, ZONE), SUMMER)
    times_s = [START_S + 3600 * (24 * 70 + 7 * i) for i in range(20)]
    first = [forecast.at(at_s, np.array([at_s])) for at_s in times_s]
    again = [PeakForecast(fold(load, None, ZONE), SUMMER).at(at_s, np.array([at_s])) for at_s in reversed(times_s)]
    np.testing.assert_array_equal(first, again[::-1])


def test_chances_lie_within_0_and_1_and_end_with_tomorrow():
    now_s = START_S + 3600 * (24 * 75 + 12)
    found = chances(make_load(), SUMMER, now_s)
    assert (found >= 0.0).all()
    assert found.sum() <= 1.0
    assert found[:36].sum() > 0.0
    assert (found[36:] == 0.0).all()


def test_a_day_outside_the_months_has_no_chance():
    assert (chances(make_load(), SUMMER, START_S + 3600 * 24 * 45) == 0.0).all()


def test_the_last_afternoon_of_a_month_far_above_the_rest_is_its_peak():
    load = make_load(days=91)
    last = slice(24 * 90, 24 * 91)
    values = load.values.copy()
    values[last] *= 1.2 * values[24 * 61 : 24 * 90].max() / values[last].max()
    now_s = START_S + 3600 * (24 * 90 + 14)
    found = chances(msgspec.structs.replace(load, values=values), SUMMER, now_s, hours=10)
    assert found.sum() == pytest.approx(1.0, abs=0.02)
    assert abs(int(found.argmax()) - 3) <= 1


def test_the_days_of_a_fold_follow_the_clock_changes():
    days = fold(make_load(days=250), None, ZONE)
    autumn = days.dates.index(from_epoch_s(epoch_s(from_epoch_s(1_699_142_400))).date())
    assert days.first_hour[autumn + 1] - days.first_hour[autumn] == 25


def test_survival_counts_what_a_simulated_chain_does():
    rho, count, days = 0.8, 3, 6
    rng = np.random.default_rng(5)
    threshold = np.full((days, len(GRID)), 0.9)
    start = 30
    exact = survival(transition(rho), threshold, count)[:, start]
    z = np.full(200_000, GRID[start])
    passes = np.zeros(len(z), int)
    for _ in range(days):
        z = rho * z + np.sqrt(1.0 - rho**2) * rng.standard_normal(len(z))
        passes += z > 0.9
    seen = [(passes <= most).mean() for most in range(count)]
    np.testing.assert_allclose(exact, seen, atol=0.012)


def test_what_was_said_in_vain_lowers_the_odds_of_the_next_year_and_never_of_its_own():
    load = make_load(days=600)
    forecast = PeakForecast(fold(load, None, ZONE), SUMMER)
    now_s = START_S + 3600 * (24 * 470 + 14)
    later = load.known_s > now_s
    other = msgspec.structs.replace(load, values=np.where(later, 2.0 * load.values, load.values))
    np.testing.assert_array_equal(chances(load, SUMMER, now_s), chances(other, SUMMER, now_s))
    assert forecast._trust(2023) == 1.0
    said_phs = sum(forecast._said_phs(forecast.days.dates.index(date(2023, 6, 1)) + i) for i in range(122))
    assert forecast._trust(2024) == min((4.0 + 4) / (4.0 + said_phs), 1.0)


@pytest.mark.parametrize(("chance", "odds_ratio", "expected"), [(0.0, 0.5, 0.0), (1.0, 0.5, 1.0), (0.5, 0.5, 1 / 3)])
def test_tempering_leaves_the_certain_and_the_impossible_alone(chance, odds_ratio, expected):
    assert tempered(np.array([chance]), odds_ratio)[0] == pytest.approx(expected)


def test_a_forecast_that_said_too_little_is_not_raised():
    assert odds_learned(2.0, 4) == 1.0
    assert odds_learned(12.0, 4) == 0.5

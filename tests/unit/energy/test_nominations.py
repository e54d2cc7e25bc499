"""Volumes laid on hours: a week's profile, and a swing contract by its rule."""

import msgspec
import numpy as np
import pytest

from contract_cases import block, swing
from headrace.energy.nominations import nominated_mw, standing_mw

DAY_S = 86_400
HOURS = np.arange(24, dtype=np.int64)


def nominated(contract, prices, *, days=1, step_h=1.0):
    starts_s = np.arange(len(prices), dtype=np.int64) * int(step_h * 3600)
    day_end_s = (starts_s // DAY_S + 1) * DAY_S
    assert day_end_s[-1] == days * DAY_S
    return nominated_mw(contract, starts_s, step_h, day_end_s, np.asarray(prices, float))


def test_a_volume_holds_in_its_hours_and_between_its_dates():
    starts_s = np.array([0, 3600, 7200], np.int64)
    contract = block(power_mw=4.0)
    monday_only = tuple(4.0 if hour < 24 else 0.0 for hour in range(168))
    contract = msgspec.structs.replace(contract, hour_mw=monday_only, start_s=3600)
    assert standing_mw(contract, starts_s, np.array([0, 1, 30])).tolist() == [0.0, 4.0, 0.0]


def test_swing_takes_the_dearest_hours_above_the_strike():
    prices = np.where((HOURS >= 17) & (HOURS < 20), 100.0, 20.0)
    volume = nominated(swing(day_min_mwh=0.0), prices)
    assert volume.tolist() == [2.0 if 17 <= hour < 20 else 0.0 for hour in range(24)]


def test_swing_takes_its_least_volume_on_a_cheap_day_in_the_dearest_hours():
    prices = HOURS * 1.0
    volume = nominated(swing(), prices)
    assert volume.sum() == pytest.approx(4.0)
    assert volume[22:].tolist() == [2.0, 2.0]


def test_swing_stops_at_the_days_limit():
    assert nominated(swing(), np.full(24, 500.0)).sum() == pytest.approx(20.0)


def test_swing_keeps_the_least_volume_of_the_days_left_of_its_year():
    contract = swing(year_max_mwh=364 * 4.0 + 10.0)
    volume = nominated(contract, np.full(48, 500.0), days=2)
    assert volume[:24].sum() == pytest.approx(10.0)
    assert volume[24:].sum() == pytest.approx(4.0)


def test_swing_takes_its_least_volume_evenly_on_a_day_without_prices():
    prices = np.full(24, 500.0)
    prices[3] = np.nan
    assert nominated(swing(), prices).tolist() == pytest.approx([4.0 / 24] * 24)


def test_swing_on_a_finer_grid_buys_the_same():
    prices = HOURS * 5.0
    fine = nominated(swing(), np.repeat(prices, 12), step_h=1 / 12)
    assert fine.reshape(24, 12).mean(axis=1) == pytest.approx(nominated(swing(), prices))

"""What each step of a price year may know of the day-ahead prices, in the market's own local time."""

import os
import pathlib

import numpy as np
import pytest

from headrace.app.bench.series import all_series, hashprice_daily, read_series, spec_named
from headrace.core import BadInput

DATA = pathlib.Path(
    os.environ.get("HEADRACE_DATA", pathlib.Path(__file__).resolve().parents[4] / ".." / "shared" / "data")
)
needs_data = pytest.mark.skipif(not DATA.exists(), reason="no folder of recorded data beside the checkout")


@needs_data
def test_the_next_local_day_is_known_from_half_past_one():
    year = read_series(spec_named("ercot_hb_west_2024"), DATA / "energy")
    known = year.day_ahead_known_steps
    assert known[0] == known[53] == 96, "13:15 on the first day: today only"
    assert known[54] == 192, "13:30: tomorrow too"
    assert known[-1] == year.steps


@needs_data
@pytest.mark.parametrize(("name", "hours"), [("ercot_lz_west_2022", {23, 24, 25}), ("nyiso_west_2018", {23, 24, 25})])
def test_days_are_local_on_both_clock_changes(name, hours):
    year = read_series(spec_named(name), DATA / "energy")
    days = np.diff(year.day_start_steps) * year.step_h
    assert len(days) == 365
    assert set(days.tolist()) == hours
    assert (np.diff(year.day_ahead_known_steps) >= 0).all()
    assert (year.day_ahead_known_steps > np.arange(year.steps)).all(), "today's prices are always known"


@needs_data
def test_missing_prices_are_counted_and_repeat_the_last():
    year = read_series(spec_named("nyiso_west_2018"), DATA / "energy")
    assert year.filled == 1795
    assert np.isfinite(year.price_ccy_per_mwh).all()


@needs_data
def test_markets_without_a_day_ahead_or_a_real_time_price_have_none():
    assert read_series(spec_named("ontario_2022"), DATA / "energy").day_ahead_ccy_per_mwh is None
    assert read_series(spec_named("france_2022"), DATA / "energy").day_ahead_ccy_per_mwh is None


@needs_data
def test_hashprice_is_known_a_day_after_it_was_earned():
    start_s = 1_704_088_800  # 2024-01-01 06:00 UTC
    known, earned = hashprice_daily(DATA / "bitcoin", start_s + 3600 * np.arange(72))
    np.testing.assert_array_equal(known[24:], earned[:-24])
    assert known[0] != earned[0]


def test_every_series_has_its_own_name_and_says_its_basis():
    specs = all_series()
    assert len({spec.name for spec in specs}) == len(specs)
    assert all("hub average" in spec.note for spec in specs if spec.year in (2020, 2023) and spec.name[:5] == "ercot")


def test_an_unknown_series_is_refused_with_the_choice():
    with pytest.raises(BadInput, match="ercot_hb_west_2024"):
        spec_named("ercot_hb_east_2024")


def test_a_folder_without_the_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        read_series(spec_named("ercot_hb_west_2024"), tmp_path)

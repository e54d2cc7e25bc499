"""`bench value` on real prices: the bars of the reference campus, and honest gaps."""

import os
import pathlib

import pytest

from headrace.app.bench.value import bench_value, share_desk_to_bound

DATA = pathlib.Path(
    os.environ.get("HEADRACE_DATA", pathlib.Path(__file__).resolve().parents[4] / ".." / "shared" / "data")
)
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="no folder of recorded data beside the checkout")


@pytest.mark.parametrize(
    ("name", "bar"), [("ercot_hb_west_2024", 0.88), ("ercot_hb_north_2022", 0.88), ("nyiso_north_2018", 0.77)]
)
def test_rolling_captures_its_share_of_the_gain_when_the_price_is_known(name, bar):
    figures = bench_value(DATA, names=(name,), site_a_names=())
    row = figures["reference"][name]
    assert row["rolling"]["known"]["share_of_gain"] >= bar
    assert row["rolling"]["published"]["share_of_gain"] < row["rolling"]["known"]["share_of_gain"]
    assert row["desk"]["known"]["share_of_gain"] < row["rolling"]["known"]["share_of_gain"]
    assert figures["future_peek_moved"] == 0


@pytest.mark.parametrize(
    ("name", "gain_bar", "desk_bar"),
    [("ercot_lz_west_2024", 0.90, 0.45), pytest.param("nyiso_west_2018", 0.92, 0.70, marks=pytest.mark.slow)],
)
def test_stochastic_captures_its_share_of_the_gain_when_the_price_is_known(name, gain_bar, desk_bar):
    figures = bench_value(DATA, names=(name,), site_a_names=())
    cell = figures["reference"][name]["stochastic"]["known"]
    assert cell["share_of_gain"] >= gain_bar
    assert cell["share_desk_to_bound"] >= desk_bar


@pytest.mark.parametrize(("policy", "way"), [(0.6, 0.0), (0.8, 0.5), (1.0, 1.0), (0.5, -0.25)])
def test_the_way_from_desk_to_bound_runs_from_0_to_1(policy, way):
    assert share_desk_to_bound(policy, 0.6) == pytest.approx(way)


def test_a_series_without_day_ahead_prices_has_only_its_bounds():
    row = bench_value(DATA, names=("ontario_2022",), site_a_names=())["reference"]["ontario_2022"]
    assert row["rolling"] == row["desk"] == {"published": None, "known": None}
    assert row["always-on"]["known"]["ccy_per_year"] < row["bound"]["known"]["ccy_per_year"]


def test_years_without_a_recorded_hashprice_say_so():
    figures = bench_value(DATA, names=("nyiso_north_2018",), site_a_names=())
    assert figures["reference_hist"] == {"nyiso_north_2018": None}

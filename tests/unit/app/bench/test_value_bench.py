"""`bench value` on real prices: the bars of the reference campus, and honest gaps."""

import os
import pathlib

import pytest

from headrace.app.bench.value import bench_value

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


def test_a_series_without_day_ahead_prices_has_only_its_bounds():
    row = bench_value(DATA, names=("ontario_2022",), site_a_names=())["reference"]["ontario_2022"]
    assert row["rolling"] == row["desk"] == {"published": None, "known": None}
    assert row["always-on"]["known"]["ccy_per_year"] < row["bound"]["known"]["ccy_per_year"]


def test_years_without_a_recorded_hashprice_say_so():
    figures = bench_value(DATA, names=("nyiso_north_2018",), site_a_names=())
    assert figures["reference_hist"] == {"nyiso_north_2018": None}

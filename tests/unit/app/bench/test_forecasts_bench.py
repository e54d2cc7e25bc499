"""`bench forecasts` on real series: what the policies use misses less than simple rules where it claims to."""

import os
import pathlib

import pytest

from headrace.app.bench.forecasts import bench_forecasts

DATA = pathlib.Path(
    os.environ.get("HEADRACE_DATA", pathlib.Path(__file__).resolve().parents[4] / ".." / "shared" / "data")
)


@pytest.mark.skipif(not DATA.exists(), reason="no folder of recorded data beside the checkout")
def test_temperature_and_demand_miss_less_than_yesterday_and_than_the_last_value():
    rows = bench_forecasts(DATA, every_s=13 * 3600)["mae"]
    for series in ("weather.dallas.2024", "llm.m_large.2024"):
        for lead in ("1h", "4h", "12h"):
            errors = {method: row[lead] for method, row in rows[series].items()}
            assert errors["present"] < min(errors["hold"], errors["plain"])


def test_a_series_that_is_not_at_hand_has_no_figures(tmp_path):
    assert set(bench_forecasts(tmp_path)["mae"].values()) == {None}

"""Fuel and starts of a gas unit, by hand from the raw Henry Hub prices, through the cold spell of February 2021."""

import csv
import os
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from audit.combined_by_hand import Journal, exact, nearest
from headrace.adapters.sitefile import parse_site
from headrace.core import Interval
from replays import SITES, run

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("HEADRACE_DATA", HERE.parents[1] / ".." / "shared" / "data"))

UNIT = """
[[generator]]
name = "engine"
kind = "gas"
capacity_mw = 8.0
marginal_cost_usd_per_mwh = 5.0

[generator.unit]
minimum_mw = 3.0
heat_rate_full_gj_per_mwh = 9.0
heat_rate_minimum_gj_per_mwh = 10.5
fuel_price = "gas"
fuel_usd_per_gj = 0.5
cost_usd_per_start = 120.0
fuel_gj_per_start = 10.0
start_min = 10.0
least_up_min = 60.0
least_down_min = 30.0
"""
MMBTU_GJ = Fraction("1.05505585")
FULL, LEAST = 9.0 * 8.0, 10.5 * 3.0  # GJ an hour
SLOPE = (FULL - LEAST) / (8.0 - 3.0)


def quoted(at_s: int, prices: dict[date, float]) -> float:
    """Price of the newest day on record at an instant, its own included; days are UTC."""
    day = datetime.fromtimestamp(at_s, UTC).date()
    return prices[max(each for each in prices if each <= day)]


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="no folder of recorded data")
@pytest.mark.parametrize("policy", ["desk", "rolling"])
def test_fuel_is_metered_by_its_line_and_paid_at_the_days_price(policy, tmp_path):
    text = (SITES / "texas_100mw.toml").read_text(encoding="utf-8")
    loaded = parse_site(
        text.replace("[feeds]", f'{UNIT}\n[feeds]\ngas = "fuel.henry_hub"', 1), Path("texas_100mw.toml")
    )
    window = Interval(start=datetime(2021, 2, 13, 6, tzinfo=UTC), end=datetime(2021, 2, 17, 6, tzinfo=UTC))
    run(loaded, window, (policy,), tmp_path, data=DATA)
    with (DATA / "energy" / "henry_hub_gas_daily_2019_2022.csv").open() as file:
        rows = list(csv.DictReader(file))
    column = next(name for name in rows[0] if "usd" in name)
    when = next(name for name in rows[0] if name != column)
    prices = {date.fromisoformat(row[when][:10]): float(row[column]) for row in rows if row[column]}
    pending, burnt = [], 0
    for record in Journal(tmp_path / f"{policy}.jsonl").records:
        meters = record["reading"]["meters"]
        fuel_mj, starts, run_s = meters["units"][0]
        mw = meters["generated_wh"][0] * 12 / 1e6
        assert mw < 1e-4 or 3.0 - 1e-4 <= mw <= 8.0 + 1e-4
        assert run_s == 300 or mw == 0.0
        line_gj = (LEAST + SLOPE * (mw - 3.0)) / 12 if mw > 1e-4 else 0.0
        assert fuel_mj == pytest.approx((line_gj + 10.0 * starts) * 1000, abs=0.6)
        burnt += fuel_mj
        pending.append(meters)
        if record["statement"] is None:
            continue
        price = exact(0.5) + round(Fraction(str(quoted(record["at"], prices))) / MMBTU_GJ * 10**6)
        fuel = sum(m["units"][0][0] for m in pending)
        paid = nearest(Fraction(fuel * price, 1000))
        upkeep = nearest(Fraction(sum(m["generated_wh"][0] for m in pending) * 5))
        assert abs(record["statement"]["generation"] + paid + upkeep) <= fuel / 1000 + 1  # a micro-unit a GJ
        assert record["statement"]["starts"] == -120_000_000 * sum(m["units"][0][1] for m in pending)
        pending = []
    assert burnt > 0

"""A gas engine through the February 2021 cold spell on the record: fuel dear when power is dearest."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from headrace.adapters.sitefile import parse_site
from headrace.core import Interval
from plant_cases import ENGINE
from replays import SITES, run

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not (DATA / "energy").is_dir(), reason="recorded data is not beside the checkout")

FUEL = 'fuel_price = "gas"\nfuel_usd_per_gj = 0.5'
SPELL = Interval(start=datetime(2021, 2, 12, 6, tzinfo=UTC), end=datetime(2021, 2, 21, 6, tzinfo=UTC))


@pytest.fixture(scope="module")
def result():
    text = (SITES / "texas_100mw.toml").read_text(encoding="utf-8")
    engine = ENGINE.replace("fuel_usd_per_gj = 2.5", FUEL)
    text = text.replace("[feeds]", f'{engine}\n[feeds]\ngas = "fuel.henry_hub"', 1)
    loaded = parse_site(text, Path("texas_100mw.toml"))
    return run(loaded, SPELL, ("desk", "rolling", "bound"), data=DATA)


def test_fuel_is_paid_at_the_price_of_its_day(result):
    f = result.run("rolling").intervals
    dear = f["cost:engine hall"].max()
    assert dear > 3.0 * f["cost:engine hall"].min()
    paid = -result.run("rolling").lines_ccy["generation"] / f["fuel:engine hall_gj"].sum()
    assert 2.5 < paid < 24.0


def test_the_engine_runs_through_the_scarcity_whatever_gas_costs(result):
    for each in result.runs:
        f = each.intervals
        scarce = f.filter(f["price"] > 1000.0)
        assert len(scarce) > 500
        assert (scarce["source:engine hall_mw"] > 2.9).mean() > 0.95, each.label


def test_rolling_beats_the_desk_and_no_rule_beats_hindsight(result):
    desk, rolling, bound = (result.run(label).margin_ccy for label in ("desk", "rolling", "bound"))
    assert desk < rolling <= bound + 1.0

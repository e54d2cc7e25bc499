"""`why` explains every interval of every run, and says where nobody priced the power."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from headrace.adapters.sitefile import load_site
from headrace.energy import SupplyFees
from headrace.energy.tariffs import adder_ccy_per_mwh
from headrace.interfaces.moments import _grid_prices, ladder_at
from replays import SITES, days_of, demo_site, run


@pytest.fixture(scope="module")
def result():
    loaded = demo_site()
    return run(loaded, days_of(loaded, 13, 1), ("always-on", "desk", "rolling"))


@pytest.mark.parametrize("label", ["always-on", "desk", "rolling"])
def test_every_interval_of_every_policy_has_a_ladder(result, label):
    each = result.run(label)
    for at in each.intervals["interval_start"][::12]:
        ladder = ladder_at(result.site, each, at)
        assert ladder.bid_ccy_per_mwh <= ladder.ask_ccy_per_mwh
        assert ladder.sentences


def test_a_rule_of_thumb_is_told_apart_from_a_price(result):
    desk = result.run("desk")
    first = ladder_at(result.site, desk, desk.intervals["interval_start"][5]).sentences[0]
    assert first.startswith("Policy desk prices nothing")


def test_an_interval_that_shed_firm_load_says_how_much(result):
    rolling = result.run("rolling")
    unserved = rolling.intervals.with_columns(
        bid=pl.lit(None, pl.Float64), ask=pl.lit(None, pl.Float64), shed_mw=pl.lit(0.62), mode=pl.lit("shed")
    )
    changed = type(rolling)(**{f: getattr(rolling, f) for f in rolling.__struct_fields__} | {"intervals": unserved})
    first = ladder_at(result.site, changed, unserved["interval_start"][5]).sentences[0]
    assert "620 kW of it went without" in first


def test_the_grid_sells_at_every_adder_in_force():
    """A dated loss, a supplier's fee and the chance of a peak are part of what a MWh from the grid costs."""
    loaded = load_site(SITES / "texas_mixed_100mw.toml")
    at = datetime(2024, 8, 20, 21, tzinfo=UTC)
    row = {"interval_start": at, "price": 100.0, "price_seen": 100.0, "peak_seen": 7.0}
    dated = adder_ccy_per_mwh(
        loaded.site.charges, np.array([int(at.timestamp())]), np.array([100.0]), loaded.site.time_zone
    )
    fees = sum(each.fee_ccy_per_mwh for each in loaded.site.contracts if isinstance(each, SupplyFees))
    cost, _ = _grid_prices(loaded.site, row)
    assert cost == pytest.approx(107.0 + loaded.site.tariff.import_adder_ccy_per_mwh + dated[0] + fees)
    assert dated[0] + fees > 0.0

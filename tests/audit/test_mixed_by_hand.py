"""The mixed campus for a week of January 2024: contracts, hosting and shell against sums over the raw files.

Nothing of the product is used but the meters: what each block drew, and what the site imported. What may differ: a
watt-hour is whole, a satoshi is whole, and what a customer pays is rounded down.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.adapters.sitefile import load_site
from headrace.core import Interval
from replays import SITES, run

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
pytestmark = pytest.mark.skipif(not (DATA / "energy").is_dir(), reason=f"no recorded data at {DATA}")

START = datetime(2024, 1, 15, 6, tzinfo=UTC)
END = START + timedelta(days=7)
LABELS = ("always-on", "desk")
CENTS = 0.05
"""A week's rounding, USD."""
FIRM_MW = (11500 + 0.3 * 6000) * 1.3e-3 * 1.11
"""Firm lease and what the other's GPUs draw when paused, with cooling at 15 C (1.08 at 0 C, 1.12 at 20 C)."""


@pytest.fixture(scope="module")
def mixed():
    return run(load_site(SITES / "texas_mixed_100mw.toml"), Interval(start=START, end=END), LABELS, data=DATA)


@pytest.fixture(scope="module")
def market():
    """Real-time price of zone and hub and the zone's day-ahead price, each a quarter hour of the week."""
    energy = DATA / "energy"
    live, ahead = (
        pl.read_parquet(energy / name).filter(pl.col("interval_start").is_between(START, END, closed="left"))
        for name in ("ercot_rt_spp_15min_2024.parquet", "ercot_dam_spp_hourly_2024.parquet")
    )
    zone, hub = (live[f"{point}_west_usd_per_mwh"].to_numpy() for point in ("lz", "hb"))
    return zone, hub, np.repeat(ahead["lz_west_usd_per_mwh"].to_numpy(), 4)


def _blocks_mw(each, *names):
    columns = [c for c in each.intervals.columns if any(c.startswith(f"use:{name}") for name in names)]
    return each.intervals.select(columns).to_numpy().sum(axis=1)


def _quarters(values):
    return values.reshape(-1, 3).sum(axis=1) / 12.0


def _pue(each):
    return np.interp(each.intervals["temp_c"].to_numpy(), [0.0, 30.0, 45.0], [1.03, 1.04, 1.08])


def _owed(each, contract, column):
    return each.owners.filter(pl.col("contract") == contract)[column].sum() / 1e6


def _network():
    days = pl.read_parquet(DATA / "bitcoin" / "btc_network_daily.parquet").sort("date_utc")
    of_day = {str(row["date_utc"])[:10]: row for row in days.iter_rows(named=True)}

    def at(when):
        today, before = of_day[str(when)[:10]], of_day[str(when - timedelta(days=1))[:10]]
        reward = (today["subsidy_btc"] + today["fees_btc"]) / today["blocks"]
        return 1e15 / (today["difficulty_mean"] * 2**32) * reward, before["price_usd"]

    return at


@pytest.mark.parametrize("label", LABELS)
def test_hedge_basis_day_ahead_and_fees_are_sums_over_the_raw_prices(mixed, market, label):
    zone, hub, ahead = market
    each = mixed.run(label)
    lines = each.lines_ccy
    imported_mwh = each.settlements["import_wh"].to_numpy() / 1e6
    assert lines["hedge"] == pytest.approx((10.0 * (zone - 34.0)).sum(), abs=CENTS)
    assert lines["hedge"] + lines["basis"] == pytest.approx((10.0 * (hub - 34.0)).sum(), abs=CENTS)
    assert lines["day_ahead"] == pytest.approx((FIRM_MW / 4.0 * (zone - ahead)).sum(), abs=CENTS)
    assert lines["supply_fees"] == pytest.approx(-1.25 * imported_mwh.sum(), abs=CENTS)
    assert lines["energy_bought"] == pytest.approx(-(imported_mwh * zone).sum(), abs=CENTS)
    assert lines["fixed_charges"] == pytest.approx(-25_000.0 * 7 / 31, abs=CENTS)


@pytest.mark.parametrize("label", LABELS)
def test_owners_and_tenant_pay_for_what_their_meters_say(mixed, market, label):
    zone = market[0]
    each = mixed.run(label)
    it_mwh = {name: _quarters(_blocks_mw(each, name) / _pue(each)) for name in ("hosted S19", "hosted S21")}
    bus_mwh = _quarters(_blocks_mw(each, "hosted S21"))
    passed = bus_mwh * (zone + 3.0) + it_mwh["hosted S21"] * 6.0
    assert _owed(each, "fixed-price host", "power") == pytest.approx(it_mwh["hosted S19"].sum() * 75.0, abs=CENTS)
    assert _owed(each, "pass-through host", "power") == pytest.approx(passed.sum(), abs=CENTS)
    shell = (5.0 * (zone + 3.0 + 4.0)).sum() + 20.0 * 80.0 * 168.0
    assert each.lines_ccy["shell"] == pytest.approx(shell, abs=CENTS)

    at = _network()
    mined = np.array([btc * usd for btc, usd in map(at, each.intervals["interval_start"])])
    mined *= _blocks_mw(each, "hosted S21") / _pue(each) / 15.05 * 4300 * 0.2 * 300.0 * 0.99
    share = 0.25 * np.maximum(0.0, mined.reshape(-1, 3).sum(axis=1) - passed).sum()
    # The pool keeps the fraction of a satoshi of each quarter hour: at most 672 of them, a quarter of it the site's.
    assert _owed(each, "pass-through host", "further") == pytest.approx(share, abs=CENTS + 672 * 1e-8 * 45_000.0)
    owed = sum(
        _owed(each, f"{kind} host", column)
        for kind in ("fixed-price", "pass-through")
        for column in ("power", "further")
    )
    assert each.lines_ccy["hosting"] == pytest.approx(owed, abs=1e-6)

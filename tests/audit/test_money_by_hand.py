"""Replayed money against the auditor's own arithmetic from raw data, and perfect foresight against his own programme.

What may differ: a watt-hour is whole, a request is whole, and a pool keeps the fraction of a satoshi of every miner and
settlement interval, twice.
"""

import os
import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from audit.by_hand import Site, World, always_on, btc_known, laid, laid_from_monday, of_powers, read
from audit.foresight import foresight_margin
from headrace.adapters.sitefile import load_site
from headrace.core import Interval
from replays import SITES, run

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("HEADRACE_DATA", HERE.parents[1] / ".." / "shared" / "data"))
PACKAGE = SITES.parents[1]
SAMPLE = PACKAGE / "adapters" / "feeds" / "sample"
POLICIES = ("always-on", "desk", "rolling", "bound")


def _site(path: Path) -> Site:
    machines = tomllib.loads((PACKAGE / "adapters" / "sitefile" / "asics.toml").read_text())["asic"]
    return Site(path, {machine["model"]: machine["curve"] for machine in machines})


def _texas(path: Path, start: datetime, end: datetime) -> tuple[Site, World]:
    site = _site(path)
    world = World(start.replace(tzinfo=site.zone), end.replace(tzinfo=site.zone), site.zone)
    energy, network = DATA / "energy", DATA / "bitcoin" / "btc_network_daily.parquet"
    prices = read(energy / "ercot_rt_spp_15min_2024.parquet", "interval_start", "lz_west_usd_per_mwh")
    world.price = laid(*prices, 900, world.grid)
    weather = read(energy / "weather_dallas_hourly_2020_2024.parquet", "interval_start", "temp_c")
    world.temp = laid(*weather, 3600, world.grid)
    days, close = read(network, "date_utc", "price_usd")
    column = {
        name: read(network, "date_utc", name)[1] for name in ("difficulty_mean", "subsidy_btc", "fees_btc", "blocks")
    }
    world.btc = btc_known(days, close, world.grid)
    world.difficulty = laid(days, column["difficulty_mean"], 86_400, world.grid)
    reward = (column["subsidy_btc"] + column["fees_btc"]) / column["blocks"]
    world.reward = laid(days, reward, 86_400, world.grid)
    trace = read(
        DATA / "jobs" / "llm_fleet_demand_10min.parquet", "window_start_s", "rate_req_per_s", {"model": "m-large"}
    )
    world.demand["chat_demand"] = laid_from_monday(*trace, site.zone, world.grid)
    factors = energy / "west_texas_renewable_cf_modelled_15min_2020_2024.parquet"
    for role, name in (("west_wind", "wind_cf_modelled"), ("west_sun", "solar_cf_modelled")):
        world.profile[role] = laid(*read(factors, "interval_start", name), 900, world.grid)
    return site, world


def _demo(start: datetime, end: datetime) -> tuple[Site, World]:
    site = _site(SITES / "demo.toml")
    world = World(start.replace(tzinfo=site.zone), end.replace(tzinfo=site.zone), site.zone)
    prices = read(SAMPLE / "real_time_price_15min.csv", "interval_start", "hb_south_rt_usd_per_mwh")
    world.price = laid(*prices, 900, world.grid)
    world.temp = laid(*read(SAMPLE / "temperature_hourly.csv", "interval_start", "temp_c"), 3600, world.grid)
    days, close = read(SAMPLE / "bitcoin_daily.csv", "interval_start", "btc_close_usd")
    column = {
        name: read(SAMPLE / "bitcoin_daily.csv", "interval_start", name)[1]
        for name in ("difficulty_mean", "subsidy_btc", "blocks")
    }
    world.btc = btc_known(days, close, world.grid)
    world.difficulty = laid(days, column["difficulty_mean"], 86_400, world.grid)
    world.reward = laid(days, column["subsidy_btc"] / column["blocks"], 86_400, world.grid)
    trace = read(SAMPLE / "llm_demand_10min.csv", "offset_s", "rate_req_per_s")
    world.demand["chat_demand"] = laid_from_monday(*trace, site.zone, world.grid)
    return site, world


def _replayed(path: Path, world: World, data: Path | None, policies: tuple[str, ...]):
    window = Interval.from_epoch(int(world.grid[0]), int(world.grid[-1]) + 300)
    return run(load_site(path), window, policies, data=data)


def _assert_money(lines: dict[str, float], replayed, *, requests_off: float) -> None:
    for line, ccy in replayed.lines_ccy.items():
        near = requests_off if line == "inference" else 0.5 if line in {"ai_curtailable", "service_credits"} else 0.06
        assert ccy == pytest.approx(lines.get(line, 0.0), abs=near), line


def test_six_weeks_of_the_demo_always_on_are_earned_to_the_cent():
    site, world = _demo(datetime(2024, 11, 4), datetime(2024, 12, 16))
    lines, _ = always_on(site, world)
    replayed = _replayed(SITES / "demo.toml", world, None, ("always-on",)).run("always-on")
    for line, ccy in replayed.lines_ccy.items():
        assert ccy == pytest.approx(lines.get(line, 0.0), abs=0.01), line
    assert replayed.mining_sats == lines["mining_sats"]


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="no folder of recorded data")
@pytest.mark.parametrize(
    ("file", "start", "end"),
    [
        (SITES / "texas_100mw.toml", datetime(2024, 8, 12), datetime(2024, 8, 19)),
        (HERE / "everything.toml", datetime(2024, 10, 30), datetime(2024, 11, 5)),
    ],
    ids=["a hot week in Texas", "one of everything over a month's end and a clock change"],
)
def test_every_line_of_every_policy_follows_from_its_powers_and_nothing_beats_foresight(file, start, end):
    site, world = _texas(file, start, end)
    result = _replayed(file, world, DATA, POLICIES)
    lines, powers = always_on(site, world)
    assert powers["import"].max() == pytest.approx(site.import_max)  # the connection did bind
    replayed = result.run("always-on")
    _assert_money(lines, replayed, requests_off=0.02)
    assert replayed.mining_sats == lines["mining_sats"]
    for policy in POLICIES:
        explained = of_powers(site, world, result.run(policy).intervals)
        _assert_money(explained, result.run(policy), requests_off=2.0)
        assert result.run(policy).stored_change_ccy == pytest.approx(explained["stored_change"], abs=0.01)
    most = foresight_margin(site, world)
    assert most - 2.0 <= result.run("bound").margin_ccy <= most + 0.1
    assert all(result.run(policy).margin_ccy <= most + 0.1 for policy in POLICIES)

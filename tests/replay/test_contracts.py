"""Contracts over real days: they never change what runs, they settle as their terms say, and cash follows the books."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest

from contract_cases import auction, block, fees, swing, take_or_pay
from headrace.adapters.sitefile import load_site
from headrace.core import Interval
from headrace.energy import CashTerms
from headrace.engine.cashflow import run_cash
from headrace.engine.results import LINES
from headrace.engine.truth import truth_of
from headrace.interfaces.report.commercial import commercial_section, position_months
from replays import SITES, days_of, demo_site, run, world

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
needs_data = pytest.mark.skipif(not (DATA / "energy").is_dir(), reason=f"no recorded data at {DATA}")

POLICIES = ("desk", "rolling", "bound")
HEDGES = (block(power_mw=5.0), block("at hub", power_mw=3.0, at_hub=True), auction(), swing(), take_or_pay())


def with_contracts(loaded, *contracts):
    """The same site with contracts; its hub is the sample's day-ahead series, so that there is a basis."""
    site = msgspec.structs.replace(loaded.site, contracts=contracts)
    feeds = loaded.feeds | {"hub_real_time": "sample.day_ahead"}
    return msgspec.structs.replace(loaded, site=site, feeds=feeds)


def proposals(journal):
    """Every proposal of a journal, as its bytes."""
    return [json.dumps(json.loads(line)["rec"]["proposal"]) for line in journal.read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Four days of the demo without and with contracts, and their journals."""
    loaded = demo_site()
    window = days_of(loaded, 25, 4)  # over a month's end
    out = tmp_path_factory.mktemp("journals")
    bare = run(loaded, window, POLICIES, out / "bare")
    hedged = run(with_contracts(loaded, *HEDGES), window, POLICIES, out / "hedged")
    return bare, hedged, out


@pytest.mark.inv("D7")
@pytest.mark.parametrize("label", POLICIES)
def test_a_hedge_never_changes_dispatch(pair, label):
    bare, hedged, out = pair
    assert proposals(out / "bare" / f"{label}.jsonl") == proposals(out / "hedged" / f"{label}.jsonl")
    assert bare.run(label).intervals.equals(hedged.run(label).intervals)


def test_contracts_move_only_their_own_lines(pair):
    bare, hedged, _ = pair
    for label in POLICIES:
        one, other = bare.run(label).lines_ccy, hedged.run(label).lines_ccy
        moved = {line for line in LINES if one[line] != other[line]}
        assert moved <= {"day_ahead", "hedge", "basis", "supply_fees"}
        assert moved >= {"day_ahead", "hedge", "basis"}


@pytest.mark.inv("S4")
def test_every_watt_hour_of_a_replay_is_bought_once_and_sold_once(pair):
    frame = pair[1].run("rolling").settlements
    bought = frame["scheduled_wh"] + frame["spot_wh"]
    assert (bought == frame["import_wh"] + frame["sold_back_wh"] + frame["lost_wh"]).all()
    hours = frame["duration_s"].sum() / 3600.0
    # The standing volumes are 10 MW; swing takes between its least and most of each day.
    assert 10.0 * hours + 4.0 * 4 <= frame["scheduled_wh"].sum() / 1e6 <= 10.0 * hours + 20.0 * 4


def test_the_page_tells_the_position_only_where_there_is_one(pair):
    bare, hedged, _ = pair
    assert commercial_section(bare) is None
    section = commercial_section(hedged)
    captions = [table.caption for table in section.tables]
    assert captions[:2] == ["Contracts", "What became of the volume"]
    assert {"Cash", "Terms of payment"} <= set(captions)
    assert len(section.tables[0].rows) == len(HEDGES)
    months = position_months(hedged.run("rolling"), hedged.site.time_zone)
    assert months["month"].to_list() == ["2024-11", "2024-12"]
    lines = hedged.run("rolling").lines_ccy
    assert months["physical"].sum() / 1e6 == pytest.approx(lines["energy_bought"] + lines["energy_sold"])


def test_cash_ends_where_the_books_do(pair):
    hedged = pair[1]
    rolling = hedged.run("rolling")
    last = run_cash(hedged.site, rolling)[-1]
    not_cash = rolling.lines_ccy["wear"]
    assert last.balance / 1e6 == pytest.approx(sum(rolling.lines_ccy.values()) - not_cash)
    assert (last.security, last.unpaid) == (0, 0)


def test_a_swing_contract_is_nominated_on_prices_that_were_out():
    loaded = with_contracts(demo_site(), swing())
    window = days_of(loaded, 10, 3)
    known = world(loaded, window)
    ahead = known.inputs.day_ahead
    late = msgspec.structs.replace(ahead, known_s=ahead.known_s + 2 * 86_400)
    inputs = msgspec.structs.replace(known.inputs, day_ahead=late)
    blind = truth_of(known.model, inputs, window)
    assert len(set(known.truth.position.scheduled_w[0].tolist())) > 1
    assert set(blind.position.scheduled_w[0].tolist()) == {round(4.0 / 24 * 1e6)}


def test_a_month_cut_short_owes_its_share_of_the_least_volume():
    loaded = demo_site()
    window = days_of(loaded, 25, 4)
    greedy = with_contracts(loaded, take_or_pay(month_min_mwh=1e6, shortfall=5.0))
    frame = run(greedy, window, ("always-on",)).run("always-on").settlements
    charged = frame.filter(pl.col("supply_fees") != 0)
    assert charged.height == 2  # at the end of November and of the period
    taken_mwh = frame["import_wh"].sum() / 1e6
    days = {30 + 1 / 24: 0.0, 31: 0.0}  # November has an hour more: clocks go back
    for start in frame["interval_start"].dt.convert_time_zone(loaded.site.time_zone):
        days[30 + 1 / 24 if start.month == 11 else 31] += 1 / 96
    due_mwh = sum(1e6 * covered / length for length, covered in days.items())
    assert charged["supply_fees"].sum() / 1e6 == pytest.approx(-5.0 * (due_mwh - taken_mwh), abs=0.01)


def test_a_suppliers_fee_is_a_marginal_cost_that_dispatch_sees():
    loaded = demo_site()
    window = days_of(loaded, 0, 3)
    dear = msgspec.structs.replace(
        loaded.site,
        tariff=msgspec.structs.replace(
            loaded.site.tariff, import_adder_ccy_per_mwh=loaded.site.tariff.import_adder_ccy_per_mwh + 25.0
        ),
    )
    planned = ("rolling", "bound")
    by_fee = run(with_contracts(loaded, fees(fee=25.0, imbalance=0.0)), window, planned)
    by_tariff = run(msgspec.structs.replace(loaded, site=dear), window, planned)
    bare = run(loaded, window, ("rolling",))
    for label in planned:
        one, other = by_fee.run(label), by_tariff.run(label)
        assert one.intervals["import_mw"].equals(other.intervals["import_mw"])
        assert one.margin_ccy == pytest.approx(other.margin_ccy, abs=0.01)
    assert bare.run("rolling").intervals["import_mw"].sum() > by_fee.run("rolling").intervals["import_mw"].sum()


def test_a_block_that_cannot_be_sold_back_makes_import_free_of_the_market():
    loaded = demo_site()
    site = msgspec.structs.replace(
        loaded.site, connection=msgspec.structs.replace(loaded.site.connection, export_max_mw=0.0), battery=None
    )
    loaded = msgspec.structs.replace(loaded, site=site)
    whole = with_contracts(loaded, block(power_mw=site.connection.import_max_mw, sells_back=False))
    window = days_of(loaded, 0, 3)
    rolling = run(whole, window, ("rolling",)).run("rolling")
    assert run(loaded, window, ("rolling",)).run("rolling").intervals["import_mw"].n_unique() > 1
    wanted = sum(rolling.intervals[c] for c in rolling.intervals.columns if c.startswith("want:"))
    got = sum(rolling.intervals[c] for c in rolling.intervals.columns if c.startswith("use:"))
    assert (wanted - got).abs().max() < 1e-6 or rolling.intervals["import_mw"].max() == pytest.approx(
        site.connection.import_max_mw
    )
    assert rolling.settlements["sold_back_wh"].sum() == 0
    assert rolling.settlements["lost_wh"].sum() > 0


@needs_data
def test_february_2021_calls_for_cash_long_before_it_is_earned():
    loaded = load_site(SITES / "texas_100mw.toml")
    feeds = {role: name for role, name in loaded.feeds.items() if role != "carbon"}
    site = msgspec.structs.replace(loaded.site, cash=CashTerms(opening_ccy=1e7))
    window = Interval(start=datetime(2021, 2, 8, 6, tzinfo=UTC), end=datetime(2021, 2, 22, 6, tzinfo=UTC))

    def stress(*contracts):
        hedged = msgspec.structs.replace(site, contracts=contracts)
        result = run(msgspec.structs.replace(loaded, site=hedged, feeds=feeds), window, ("always-on",), data=DATA)
        days = run_cash(hedged, result.run("always-on"))
        storm = next(each for each in days if each.day == 18_673)  # 15 February 2021
        week = next(each for each in days if each.day == 18_667)
        return week, storm, max(days, key=lambda each: each.security)

    week, storm, worst = stress()
    assert storm.security > 20 * week.security
    assert worst.free < 0 < week.free
    _, covered, _ = stress(block(power_mw=site.connection.import_max_mw, strike=30.0))
    assert covered.security < 0.2 * storm.security


@needs_data
@pytest.mark.slow
def test_a_block_and_a_site_that_stops_earn_the_sell_back_credit():
    loaded = load_site(SITES / "rockdale_2023.toml")
    month = run(loaded, loaded.window, ("always-on", "desk"), data=DATA)
    stayed, stopped = (month.run(label).settlements for label in ("always-on", "desk"))
    assert stopped["sold_back"].sum() > 10 * stayed["sold_back"].sum()
    assert stopped["hedge"].sum() == stayed["hedge"].sum()
    gain = stopped["sold_back"] - stopped["sold_back_cost"]
    strike = stopped["sold_back_wh"] * 29
    assert (stopped["sold_back_cost"] - strike).abs().max() <= 1
    assert 0 < gain.sum() < stopped["sold_back"].sum()

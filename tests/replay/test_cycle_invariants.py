"""What must hold in every metered interval of a replay, whatever the policy."""

import numpy as np
import polars as pl
import pytest

from headrace.app.replaying import HEADLINE
from headrace.core import MICRO
from headrace.engine.frames import statements_of
from headrace.engine.results import LINES
from headrace.treasury import check, entry_of, trial_balance
from replays import days_of, demo_site, run

SCARCE_DAY = 13  # 17 November 2024: real-time prices above 3,000 USD/MWh


@pytest.fixture(scope="module")
def result():
    loaded = demo_site()
    return run(loaded, days_of(loaded, SCARCE_DAY, 2), (*HEADLINE, "rolling, price known", "rolling, no battery"))


def columns(frame: pl.DataFrame, prefix: str, suffix: str = "_mw") -> np.ndarray:
    names = [c for c in frame.columns if c.startswith(prefix) and c.endswith(suffix)]
    return frame.select(names).to_numpy().sum(axis=1) if names else np.zeros(len(frame))


@pytest.mark.inv("E1")
def test_what_comes_in_at_the_bus_goes_out(result):
    for each in result.runs:
        f = each.intervals
        came = f["import_mw"] + f["discharge_mw"] + columns(f, "source:")
        went = f["export_mw"] + f["charge_mw"] + f["firm_mw"] + columns(f, "use:")
        # Each meter rounds to one watt-hour: half of one over five minutes is 6 W.
        assert np.abs((came - went).to_numpy()).max() <= 12 * 6e-6, each.label


@pytest.mark.inv("E2")
def test_stored_energy_stays_within_limits_and_follows_the_flows(result):
    battery = result.site.battery
    hours = result.site.control_step_s / 3600
    for each in result.runs:
        if each.label == "rolling, no battery":
            assert each.intervals["charge_mw"].max() == each.intervals["discharge_mw"].max() == 0.0
            continue
        stored = np.concatenate([[battery.stored_start_mwh], each.intervals["stored_mwh"].to_numpy()])
        assert stored.min() >= battery.stored_min_mwh - 1e-9
        assert stored.max() <= battery.stored_max_mwh + 1e-9
        flow = each.intervals["charge_mw"].to_numpy() * battery.charge_efficiency_ratio
        flow -= each.intervals["discharge_mw"].to_numpy() / battery.discharge_efficiency_ratio
        assert np.abs(np.diff(stored) - flow * hours).max() < 3e-6


@pytest.mark.inv("D1")
def test_firm_leases_are_served_in_full_at_any_price(result):
    firm = [i for i, lease in enumerate(result.site.leases) if lease.firmness == "firm"]
    assert firm
    for each in result.runs:
        assert each.intervals["price"].max() > 1000.0
        assert each.intervals["shed_mw"].max() == 0.0
        assert each.settlements["ai_firm"].n_unique() == 1


def test_no_policy_beats_perfect_foresight(result):
    bound = result.run("bound").margin_ccy
    assert all(each.margin_ccy <= bound + 1e-3 * len(each.settlements) / MICRO for each in result.runs)


def test_always_on_never_switches_and_leaves_the_battery_alone(result):
    f = result.run("always-on").intervals
    assert f["charge_mw"].max() == f["discharge_mw"].max() == 0.0
    assert (f["import_mw"] <= result.site.connection.import_max_mw + 1e-6).all()


@pytest.mark.inv("S1")
def test_every_metered_watt_hour_is_settled_once(result):
    hours = result.site.control_step_s / 3600
    for each in result.runs:
        for way in ("import", "export"):
            metered = (each.intervals[f"{way}_mw"] * hours * 1e6).round().cast(pl.Int64).sum()
            assert each.settlements[f"{way}_wh"].sum() == metered


@pytest.mark.inv("T1")
def test_every_statement_becomes_a_balanced_entry_and_the_books_show_the_margin(result):
    for each in result.runs:
        entries = [entry_of(s, result.site.currency, i) for i, s in enumerate(statements_of(each), start=1)]
        for entry in entries:
            check(entry)
        assert sum(row.debit - row.credit for row in trial_balance(entries)) == 0
        total = sum(each.settlements[name].sum() for name in LINES)
        assert each.margin_ccy == pytest.approx(total / MICRO + each.stored_change_ccy, abs=1e-6)


def test_a_price_known_in_time_decides_otherwise_and_is_labelled_a_sensitivity(result):
    known, late = result.run("rolling, price known"), result.run("rolling")
    off = [(each.intervals["price_seen"] - each.intervals["price"]).abs().max() for each in (known, late)]
    assert off[0] < 1e-9 < off[1]
    assert not known.is_headline


def test_bid_is_never_above_ask(result):
    for label in ("rolling", "bound"):
        f = result.run(label).intervals.drop_nulls(["bid", "ask"])
        assert len(f) > 500
        assert (f["bid"] <= f["ask"] + 1e-9).all()

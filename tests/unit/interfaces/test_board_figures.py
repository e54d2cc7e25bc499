"""The board's figures: shares, what is taken out, books that balance, what is said when something is missing."""

import json
import math
from datetime import UTC, datetime

import polars as pl
import pytest

from headrace.core import Currency
from headrace.engine.results import LINES
from headrace.interfaces.report.books import trial_balance
from headrace.interfaces.report.figures import board_figures, board_json
from headrace.interfaces.report.margins import BEST_HOURS, best_and_worst_day, best_hours, policy_figures
from result_builder import build_result, build_site


@pytest.fixture(scope="module")
def result():
    return build_result(days=5)


def _operation(figures, key):
    return next(o for o in figures.operations if o.key == key)


def test_always_on_has_no_gain_and_the_bound_has_all_of_it(result):
    by_label = {p.label: p for p in policy_figures(result)}
    assert by_label["always-on"].share_of_gain_ratio == 0.0
    assert by_label["bound"].share_of_gain_ratio == 1.0
    assert by_label["desk"].over_desk_ccy == 0.0
    assert 0.0 < by_label["rolling"].share_of_gain_ratio < 1.0


def test_the_headline_names_the_desk_and_both_shares(result):
    sentence = board_figures(result).sentence
    assert "competent desk" in sentence
    assert "of the gain over always-on" in sentence
    assert "of its margin" in sentence


def test_the_best_hours_are_twenty_clock_hours_taken_out_of_every_policy(result):
    hours = best_hours(result)
    assert len(set(hours)) == BEST_HOURS
    assert all(hour.minute == hour.second == 0 for hour in hours)
    for run, figures in zip(result.runs, policy_figures(result), strict=False):
        inside = run.settlements.filter(pl.col("interval_start").dt.truncate("1h").is_in(list(hours)))
        lost = sum(inside[line].sum() for line in LINES if line != "peak") / 1e6  # the month's, not the hour's
        assert figures.less_best_hours_ccy == pytest.approx(run.margin_ccy - lost, abs=0.01)


def test_without_its_best_hours_the_headline_gains_less(result):
    rolling = next(p for p in policy_figures(result) if p.label == "rolling")
    always_on = policy_figures(result)[0]
    assert rolling.less_best_hours_ccy - always_on.less_best_hours_ccy < rolling.margin_ccy - always_on.margin_ccy


def test_the_storm_week_is_taken_out_only_where_the_window_holds_it():
    inside = build_result(days=10, start=datetime(2021, 2, 10, 6, tzinfo=UTC), sensitivities=False)
    assert all(p.less_storm_ccy is not None and p.less_storm_ccy != p.margin_ccy for p in policy_figures(inside))
    outside = build_result(days=2, sensitivities=False)
    assert all(p.less_storm_ccy is None for p in policy_figures(outside))


def test_debits_equal_credits_to_the_last_micro_unit(result):
    for run in result.runs:
        rows = trial_balance(run)
        assert sum(row.debit_micro for row in rows) == sum(row.credit_micro for row in rows)
        assert all(row.debit_micro == 0 or row.credit_micro == 0 for row in rows)


def test_the_waterfall_adds_up_to_the_margin(result):
    figures = board_figures(result)
    rolling, desk = result.run("rolling"), result.run("desk")
    assert math.fsum(step.headline_ccy for step in figures.waterfall) == pytest.approx(rolling.margin_ccy)
    assert math.fsum(step.over_desk_ccy for step in figures.waterfall) == pytest.approx(
        rolling.margin_ccy - desk.margin_ccy
    )


def test_days_cut_short_by_the_window_are_no_best_or_worst_day():
    result = build_result(days=3, start=datetime(2022, 2, 11, 18, tzinfo=UTC), sensitivities=False)
    assert {day.day for day in best_and_worst_day(result)} <= {"2022-02-12", "2022-02-13"}


def test_pue_erf_and_cue_follow_their_formulas(result):
    figures, frame = board_figures(result), result.run("rolling").intervals
    uses = sum(frame[c].sum() for c in frame.columns if c.startswith("use:")) + frame["firm_mw"].sum()
    emitted_kg = (frame["import_mw"] * frame["carbon_kg_per_mwh"]).sum()
    assert _operation(figures, "pue").value == pytest.approx(uses / frame["it_mw"].sum())
    assert _operation(figures, "erf").value == pytest.approx(frame["heat_mw"].sum() / uses)
    assert _operation(figures, "cue").value == pytest.approx(emitted_kg / (1000.0 * frame["it_mw"].sum()))


def test_a_missing_carbon_series_is_said_not_guessed():
    figures = board_figures(build_result(days=2, carbon=False, sensitivities=False))
    assert _operation(figures, "cue").value is None
    assert _operation(figures, "cue").basis == "no carbon series covers the period"


def test_a_site_without_mining_yields_nothing_and_says_why():
    figures = board_figures(build_result(days=2, site=build_site(mining=False), sensitivities=False))
    assert _operation(figures, "yielded_mwh").value is None
    assert _operation(figures, "yielded_mwh").basis == "the site has no mining"


def test_a_residual_at_the_bus_is_shown(result):
    rolling = result.run("rolling")
    frame = rolling.intervals.with_columns(import_mw=pl.col("import_mw") + 0.25)
    broken = type(rolling)(**{**{f: getattr(rolling, f) for f in rolling.__struct_fields__}, "intervals": frame})
    odd = type(result)(
        **{**{f: getattr(result, f) for f in result.__struct_fields__}, "runs": (*result.runs[:2], broken)}
    )
    assert _operation(board_figures(odd), "residual_max_kw").value == pytest.approx(250.0)


def test_a_hub_is_named_beside_the_headline_and_comes_first(result):
    assert board_figures(result).caveats[0] == "HB_SOUTH is a trading hub: no load can settle at its price."
    zone = build_result(days=2, site=build_site(is_hub=False), sensitivities=False)
    assert not any("hub" in caveat for caveat in board_figures(zone).caveats)


def test_json_has_no_value_that_json_cannot_write(result):
    rolling = result.run("rolling")
    frame = rolling.intervals.with_columns(ask=pl.lit(math.inf))
    broken = type(rolling)(**{**{f: getattr(rolling, f) for f in rolling.__struct_fields__}, "intervals": frame})
    odd = type(result)(
        **{**{f: getattr(result, f) for f in result.__struct_fields__}, "runs": (*result.runs[:2], broken)}
    )
    text = json.dumps(board_json(odd), allow_nan=False)
    assert json.loads(text)["moments"][0]["ladder"]["ask_ccy_per_mwh"] is None


def test_one_policy_alone_is_compared_with_nothing(result):
    alone = type(result)(**{**{f: getattr(result, f) for f in result.__struct_fields__}, "runs": result.runs[2:3]})
    assert board_figures(alone).sentence.endswith("no other policy was replayed to compare it with.")


def test_amounts_carry_the_sites_own_currency():
    figures = board_figures(build_result(days=2, site=build_site(currency=Currency.EUR), sensitivities=False))
    assert "EUR" in figures.sentence
    assert "USD" not in figures.sentence

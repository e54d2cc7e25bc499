"""The compiled loop against a slow twin that plans each step with the records of the five-minute cycle."""

import msgspec
import numpy as np
import pytest

from closed_loop_cases import STEPS_PER_DAY, daily_site, spiky_prices
from headrace.dispatch.closed_loop import (
    PUE_FADE_S,
    LoopPrices,
    LoopSite,
    loop_problem,
    run_always_on,
    run_desk,
    run_rolling,
)
from headrace.dispatch.outlook import PRICE_FADE_S
from headrace.dispatch.policies.rolling import FINE_S, HORIZON_S
from headrace.dispatch.price_change import change_of, fit_changes
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve
from headrace.dispatch.telescope import window_grid
from headrace.energy import Series
from headrace.energy.forecast import forecast

STEP_S = 900


def _series(name: str, values: np.ndarray, known_s: np.ndarray) -> Series:
    return Series(name=name, unit="", step_s=STEP_S, start_s=0, values=values, known_s=known_s, source="test")


def _day_ahead(prices: LoopPrices) -> Series:
    steps = np.arange(len(prices.day_ahead_ccy_per_mwh))
    first_known = np.searchsorted(prices.day_ahead_known_steps, steps, side="right")
    return _series("day_ahead", prices.day_ahead_ccy_per_mwh, first_known * STEP_S)


def _problem(site: LoopSite, t: int, step_h, price, pue, stored_mwh: float) -> Problem:
    mean = (price * step_h).sum() / step_h.sum() - site.export_deduction_ccy_per_mwh
    none = np.zeros((0, len(step_h)))
    return Problem(
        step_h=step_h,
        import_cost_ccy_per_mwh=price + site.import_adder_ccy_per_mwh,
        export_value_ccy_per_mwh=price - site.export_deduction_ccy_per_mwh,
        import_max_mw=np.full(len(step_h), site.import_max_mw),
        export_max_mw=np.full(len(step_h), site.export_max_mw),
        firm_mw=site.firm_it_mw * pue,
        use_names=site.use_names,
        use_value_ccy_per_mwh=site.use_known_ccy_per_mwh[:, [t]] / pue,
        use_max_mw=site.use_it_max_mw[:, None] * pue,
        source_names=(),
        source_cost_ccy_per_mwh=none,
        source_min_mw=none,
        source_max_mw=none,
        battery=site.battery,
        stored_mwh=stored_mwh,
        end_value_ccy_per_mwh=mean * site.battery.discharge_efficiency_ratio,
        peak=None,
    )


def _slow_rolling(site: LoopSite, prices: LoopPrices) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Uses, stored energy and margin, one `solve` per step."""
    steps = site.steps
    times_s = np.arange(steps) * STEP_S
    live = _series("real_time", prices.settled_ccy_per_mwh, times_s + prices.late_steps * STEP_S)
    day_ahead, pue = _day_ahead(prices), _series("pue", site.pue_ratio, times_s)
    uses, stored, margin = np.zeros((len(site.use_names), steps)), np.zeros(steps + 1), np.zeros(steps)
    stored[0] = site.battery.stored_start_mwh
    changes = fit_changes(prices.past_deviation_ccy_per_mwh, STEP_S)
    for t in range(steps):
        now_s = t * STEP_S
        starts_s, step_h = window_grid(
            now_s=now_s, step_s=STEP_S, fine_s=FINE_S, horizon_s=HORIZON_S, end_s=steps * STEP_S
        )
        price = forecast(starts_s, now_s, base=day_ahead, live=live, fade_s=PRICE_FADE_S, lag_days_min=0)
        if t > 0 and prices.late_steps == 1:
            last = prices.settled_ccy_per_mwh[t - 1] - prices.day_ahead_ccy_per_mwh[t - 1]
            price += change_of(changes, np.array([last])) * np.exp(-(starts_s - now_s) / PRICE_FADE_S)
        ahead = forecast(starts_s, now_s, base=pue, live=pue, fade_s=PUE_FADE_S, lag_days_min=1)
        plan = solve(_problem(site, t, step_h, price, ahead, stored[t]))
        uses[:, t], stored[t + 1] = plan.use_mw[:, 0], plan.stored_mwh[1]
        paid = prices.settled_ccy_per_mwh[t]
        margin[t] = step_h[0] * (
            (site.use_earned_ccy_per_mwh[:, t] / site.pue_ratio[t] * uses[:, t]).sum()
            + (paid - site.export_deduction_ccy_per_mwh) * plan.export_mw[0]
            - (paid + site.import_adder_ccy_per_mwh) * plan.import_mw[0]
            - site.battery.wear_ccy_per_mwh * plan.discharge_mw[0]
        )
    return uses, stored, margin


@pytest.mark.parametrize("late_steps", [0, 1])
def test_the_loop_decides_what_the_five_minute_cycle_decides(late_steps):
    site, prices = daily_site(5, seed=3), spiky_prices(5, seed=4, late_steps=late_steps)
    run = run_rolling(site, prices)
    uses, stored, margin = _slow_rolling(site, prices)
    np.testing.assert_allclose(run.stored_mwh, stored, atol=1e-7)
    np.testing.assert_allclose(run.use_mw, uses, atol=1e-7)
    np.testing.assert_allclose(run.margin_ccy, margin, atol=1e-5)


def test_a_run_cut_short_decides_what_the_whole_run_decides():
    site, prices = daily_site(4, seed=5), spiky_prices(4, seed=6, late_steps=0)
    for run_policy in (run_desk, run_rolling):
        whole, part = run_policy(site, prices), run_policy(site, prices, until=200)
        np.testing.assert_array_equal(part.stored_mwh, whole.stored_mwh[:201])
        np.testing.assert_array_equal(part.use_mw, whole.use_mw[:, :200])


def test_no_policy_beats_perfect_foresight():
    site, prices = daily_site(10, seed=7), spiky_prices(10, seed=8, late_steps=0)
    end_value = float(np.median(prices.settled_ccy_per_mwh))
    bound = solve(
        loop_problem(
            site,
            prices.settled_ccy_per_mwh,
            first=0,
            steps=site.steps,
            stored_mwh=site.battery.stored_start_mwh,
            end_value_ccy_per_mwh=end_value,
        )
    ).objective_ccy
    worths = [run(site, prices).worth_ccy(end_value) for run in (run_always_on, run_desk, run_rolling)]
    assert max(worths) <= bound + 1e-6
    assert worths[0] < worths[2], "re-planning earns more than always-on on spiky prices"


def test_the_desk_holds_each_state_for_its_hold_time():
    site, prices = daily_site(6, seed=9), spiky_prices(6, seed=10, late_steps=0)
    run = run_desk(site, prices, hold_h=2.0)
    # The connection cuts part of a use; a switch is between none and some.
    is_on = run.use_mw[0] > 0.0
    switches = np.flatnonzero(np.diff(is_on.astype(int)))
    assert len(switches) > 2
    assert np.diff(switches).min() >= 8


def test_the_desk_stops_a_use_above_its_break_even():
    site, prices = daily_site(4, seed=11), spiky_prices(4, seed=12, late_steps=0)
    run = run_desk(site, prices, hold_h=0.0)
    cost = prices.settled_ccy_per_mwh + site.import_adder_ccy_per_mwh
    loses = site.use_known_ccy_per_mwh / site.pue_ratio <= cost
    assert loses.any()
    assert not run.use_mw[loses].any()


def test_the_desk_battery_reads_no_real_time_price():
    site, prices = daily_site(3, seed=13), spiky_prices(3, seed=14, late_steps=0)
    # Without uses nothing competes for the connection, so the battery's path is the day-ahead plan's alone.
    bare = msgspec.structs.replace(site, use_it_max_mw=np.zeros(4))
    other = msgspec.structs.replace(prices, settled_ccy_per_mwh=prices.settled_ccy_per_mwh[::-1].copy())
    np.testing.assert_array_equal(run_desk(bare, prices).stored_mwh, run_desk(bare, other).stored_mwh)
    assert np.ptp(run_desk(bare, prices).stored_mwh[: STEPS_PER_DAY + 1]) > 1.0

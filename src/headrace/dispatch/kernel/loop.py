"""Rolling re-plans, the desk and always-on over a whole year, compiled.

`headrace.dispatch.closed_loop` says what a policy sees. A step's plan is made by the very functions that make one in
the five-minute cycle: `fill_forecast`, `pack_blocks`, `build_stages`, `back_block`, `split`, `powers`, `fill_blocks`.
Only the duals and the path beyond the first step are left out, as nobody reads them here.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.merge import split
from headrace.dispatch.kernel.merit import fill_blocks
from headrace.dispatch.kernel.path import back_block, solve_path
from headrace.dispatch.kernel.stage import build_stages, powers
from headrace.dispatch.kernel.tolerance import AT_MW
from headrace.dispatch.kernel.whole import pack_blocks
from headrace.energy.forecast_kernel import fill_forecast

__all__ = [
    "PriceArrays",
    "RunArrays",
    "SiteArrays",
    "Window",
    "always_on",
    "blank_window",
    "desk",
    "forecast_price",
    "forecast_pue",
    "lay_out",
    "realise",
    "rolling",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SiteArrays(NamedTuple):
    """`LoopSite` as the compiler takes it."""

    step_s: int
    import_max_mw: float
    export_max_mw: float
    import_adder: float
    export_deduction: float
    firm_it_mw: float
    pue: Floats
    use_it_max_mw: Floats
    use_known: Floats
    use_earned: Floats
    battery: Floats
    """(c̄, d̄, η_c, η_d, wear, s_min, s_max), as in `build_stages`."""
    start_mwh: float


class PriceArrays(NamedTuple):
    """`LoopPrices` as the compiler takes it."""

    settled: Floats
    late_steps: int
    day_ahead: Floats
    known_steps: Ints
    change: Floats
    """Change expected from the last price seen to the present one, by present step."""


class RunArrays(NamedTuple):
    """`LoopRun` as the compiler takes it; all written."""

    use_mw: Floats
    charge_mw: Floats
    discharge_mw: Floats
    import_mw: Floats
    export_mw: Floats
    stored_mwh: Floats
    margin_ccy: Floats


class Window(NamedTuple):
    """Work arrays of one plan, over at most M steps of B = N + 2 blocks; made once per run."""

    times_s: Ints
    step_h: Floats
    forecast: Floats
    pue: Floats
    import_cost: Floats
    export_value: Floats
    import_max: Floats
    export_max: Floats
    firm: Floats
    use_value: Floats
    use_max: Floats
    none: Floats
    cap: Floats
    price: Floats
    width: Floats
    need: Floats
    base: Floats
    order: Ints
    slope: Floats
    piece: Floats
    piece_count: Ints
    frame: Floats
    curve_at: Ints
    curve_count: Ints
    curve: Floats


@njit(cache=True, error_model="numpy")
def always_on(site: SiteArrays, prices: PriceArrays, until: int, run: RunArrays) -> None:
    """Every use at full width, battery idle, in steps 0 <= t < `until`."""
    uses = len(site.use_it_max_mw)
    wish = np.empty(uses)
    run.stored_mwh[0] = site.start_mwh
    for t in range(until):
        for n in range(uses):
            wish[n] = site.use_it_max_mw[n] * site.pue[t]
        realise(site, prices.settled[t], t, wish, 0.0, 0.0, run)


@njit(cache=True, error_model="numpy")
def desk(
    site: SiteArrays,
    prices: PriceArrays,
    day_start_steps: Ints,
    hold_steps: int,
    price_fade_s: float,
    pue_fade_s: float,
    until: int,
    run: RunArrays,
) -> None:
    """Uses off above break-even, each state held; the battery follows the plan of the local day's day-ahead prices.

    Parameters
    ----------
    site, prices, run
        See `headrace.dispatch.closed_loop`.
    until
        Steps 0 <= t < `until` are run; the plans still see the whole period.
    day_start_steps
        First step of each local day, and T last.
    hold_steps
        Least steps a use stays off, or on, once switched.
    price_fade_s, pue_fade_s
        See `rolling`.
    """
    steps, uses = len(site.pue), len(site.use_it_max_mw)
    is_on = np.ones(uses, np.bool_)
    switched = np.full(uses, -hold_steps)
    wish = np.empty(uses)
    seen = np.empty(1)
    now = np.empty(1, np.int64)
    path = np.empty(steps + 1)
    run.stored_mwh[0] = site.start_mwh
    longest = 0
    for day in range(len(day_start_steps) - 1):
        longest = max(longest, day_start_steps[day + 1] - day_start_steps[day])
    window = blank_window(longest, uses)
    day = 0
    for t in range(until):
        if day < len(day_start_steps) - 1 and t == day_start_steps[day]:
            _day_path(site, prices, t, day_start_steps[day + 1], run.stored_mwh[t], pue_fade_s, window, path)
            day += 1
        now[0] = t * site.step_s
        forecast_price(site, prices, t, now, price_fade_s, seen)
        for n in range(uses):
            pays = site.use_known[n, t] / site.pue[t] > seen[0] + site.import_adder
            if pays != is_on[n] and t - switched[n] >= hold_steps:
                is_on[n] = pays
                switched[n] = t
            wish[n] = site.use_it_max_mw[n] * site.pue[t] if is_on[n] else 0.0
        rate = (path[t + 1] - run.stored_mwh[t]) * 3600.0 / site.step_s
        charge = min(rate / site.battery[2], site.battery[0]) if rate >= 0.0 else 0.0
        discharge = min(-rate * site.battery[3], site.battery[1]) if rate < 0.0 else 0.0
        realise(site, prices.settled[t], t, wish, charge, discharge, run)


@njit(cache=True, error_model="numpy")
def rolling(
    site: SiteArrays,
    prices: PriceArrays,
    fine_s: int,
    horizon_s: int,
    price_fade_s: float,
    pue_fade_s: float,
    until: int,
    run: RunArrays,
) -> int:
    """Re-plan every step on the telescoped grid and apply the first step.

    Parameters
    ----------
    site, prices, run
        See `headrace.dispatch.closed_loop`.
    until
        Steps 0 <= t < `until` are run; the plans still see the whole period.
    fine_s, horizon_s
        How far the control step is kept, and how far the plan looks, seconds.
    price_fade_s, pue_fade_s
        Times in which present deviations of price and PUE fade to 1/e, seconds.

    Returns
    -------
    int
        First step without a plan (the firm load does not fit), or -1.
    """
    steps, uses = len(site.pue), len(site.use_it_max_mw)
    window = blank_window((fine_s + 3600) // site.step_s + horizon_s // 3600 + 1, uses)
    slope = np.empty(64 * len(window.need))
    width = np.empty(64 * len(window.need))
    fill = np.empty(uses + 2)
    wish = np.empty(uses)
    run.stored_mwh[0] = site.start_mwh
    for t in range(until):
        count = _telescope(t * site.step_s, steps * site.step_s, site.step_s, fine_s, horizon_s, window)
        forecast_price(site, prices, t, window.times_s[:count], price_fade_s, window.forecast[:count])
        forecast_pue(site, t, window.times_s[:count], pue_fade_s, window.pue[:count])
        end_value = lay_out(site, t, count, window)
        bad = build_stages(
            0, count, window.step_h, window.price, window.width, window.need, window.base, site.battery,
            window.order, window.slope, window.piece, window.piece_count, window.frame,
        )  # fmt: skip
        if bad >= 0:
            return t
        slope[0], width[0] = end_value, site.battery[6] - site.battery[5]
        last = count - 1
        window.curve_at[last], window.curve_count[last] = 0, 1
        window.curve[last, 0], window.curve[last, 1], window.curve[last, 2] = site.battery[5], site.battery[6], 0.0
        slope, width, bad = back_block(
            1, count, slope, width, window.curve_at, window.curve_count, window.curve,
            window.slope, window.piece, window.piece_count, window.frame, site.battery[5], site.battery[6],
        )  # fmt: skip
        if bad >= 0:
            return t
        after = split(
            slope, width, window.curve_at[0], window.curve_count[0], window.curve[0, 0], window.curve[0, 1],
            window.slope, window.piece, window.piece_count, window.frame, 0, run.stored_mwh[t],
        )  # fmt: skip
        charge, discharge = powers(run.stored_mwh[t] - after, window.step_h[0], window.frame[0, 4], site.battery)
        fill_blocks(window.width, window.order, 0, window.need[0], discharge - charge, fill)
        for n in range(uses):
            wish[n] = fill[n]
        realise(site, prices.settled[t], t, wish, charge, discharge, run)
    return -1


@njit(cache=True, error_model="numpy")
def realise(
    site: SiteArrays, price: float, t: int, wish: Floats, charge: float, discharge: float, run: RunArrays
) -> None:
    """Cut what the connection cannot carry, cheapest use first, then pay the step at its true price."""
    battery = site.battery
    hours = site.step_s / 3600.0
    stored = run.stored_mwh[t]
    # Both at once burns energy of negative worth, so each leaves the other room.
    charge = min(charge, ((battery[6] - stored) / hours + discharge / battery[3]) / battery[2])
    discharge = min(discharge, ((stored - battery[5]) / hours + charge * battery[2]) * battery[3])
    net = site.firm_it_mw * site.pue[t] + charge - discharge
    for n in range(len(wish)):
        net += wish[n]
    while net > site.import_max_mw + AT_MW:
        least = -1
        for n in range(len(wish)):
            if wish[n] > 0.0 and (least < 0 or site.use_known[n, t] < site.use_known[least, t]):
                least = n
        if least < 0:
            break
        cut = min(wish[least], net - site.import_max_mw)
        wish[least] -= cut
        net -= cut
    eased = min(charge, max(net - site.import_max_mw, 0.0))
    charge -= eased
    net -= eased
    eased = min(discharge, max(-net - site.export_max_mw, 0.0))
    discharge -= eased
    net += eased
    bought, sold = max(net, 0.0), max(-net, 0.0)
    rate = sold * (price - site.export_deduction) - bought * (price + site.import_adder) - battery[4] * discharge
    for n in range(len(wish)):
        run.use_mw[n, t] = wish[n]
        rate += wish[n] * site.use_earned[n, t] / site.pue[t]
    run.charge_mw[t], run.discharge_mw[t] = charge, discharge
    run.import_mw[t], run.export_mw[t] = bought, sold
    run.margin_ccy[t] = rate * hours
    after = stored + hours * (battery[2] * charge - discharge / battery[3])
    run.stored_mwh[t + 1] = min(max(after, battery[5]), battery[6])


@njit(cache=True, error_model="numpy")
def forecast_price(site: SiteArrays, prices: PriceArrays, t: int, times_s: Ints, fade_s: float, out: Floats) -> None:
    """Price of each time as step t sees it: day-ahead plus the last seen deviation moved on, fading."""
    live = t - prices.late_steps
    fill_forecast(
        out, times_s, t * site.step_s, prices.day_ahead, 0, site.step_s, prices.known_steps[t],
        prices.settled[live] + prices.change[t] if live >= 0 else np.nan, live * site.step_s, site.step_s, fade_s, 0, 1,
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def forecast_pue(site: SiteArrays, t: int, times_s: Ints, fade_s: float, out: Floats) -> None:
    """PUE of each time as step t sees it: yesterday's shape moved to the present level, which fades."""
    fill_forecast(
        out, times_s, t * site.step_s, site.pue, 0, site.step_s, t + 1,
        site.pue[t], t * site.step_s, site.step_s, fade_s, 1, 1,
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _telescope(now_s: int, end_s: int, step_s: int, fine_s: int, horizon_s: int, window: Window) -> int:
    """The grid of `headrace.dispatch.telescope.window_grid`; returns how many steps it has."""
    hours_from_s = (now_s + fine_s + 3599) // 3600 * 3600
    stop_s = min(max(hours_from_s, (now_s + horizon_s + 3599) // 3600 * 3600), end_s)
    at_s = now_s
    count = 0
    while at_s < stop_s:
        length_s = min(step_s if at_s < hours_from_s else 3600, stop_s - at_s)
        window.times_s[count] = at_s
        window.step_h[count] = length_s / 3600.0
        count += 1
        at_s += length_s
    return count


@njit(cache=True, error_model="numpy")
def lay_out(site: SiteArrays, t: int, count: int, window: Window) -> float:
    """Turn the window's forecasts into blocks with what step t knows; returns the worth of stored energy at its end."""
    worth = 0.0
    hours = 0.0
    for k in range(count):
        price, pue = window.forecast[k], window.pue[k]
        window.import_cost[k] = price + site.import_adder
        window.export_value[k] = price - site.export_deduction
        window.import_max[k] = site.import_max_mw
        window.export_max[k] = site.export_max_mw
        window.firm[k] = site.firm_it_mw * pue
        for n in range(len(site.use_it_max_mw)):
            window.use_value[n, k] = site.use_known[n, t] / pue
            window.use_max[n, k] = site.use_it_max_mw[n] * pue
        worth += price * window.step_h[k]
        hours += window.step_h[k]
    pack_blocks(
        window.step_h[:count], window.import_cost, window.export_value, window.import_max, window.export_max,
        window.firm, window.use_value, window.use_max, window.none, window.none, window.none, window.cap, 0.0,
        window.price, window.width, window.need, window.base,
    )  # fmt: skip
    return float((worth / hours - site.export_deduction) * site.battery[3])


@njit(cache=True, error_model="numpy")
def _day_path(
    site: SiteArrays,
    prices: PriceArrays,
    first: int,
    last: int,
    stored_mwh: float,
    pue_fade_s: float,
    window: Window,
    path: Floats,
) -> None:
    """Stored energy that is best for the day-ahead prices of steps first..last-1, written to path[first..last]."""
    count = last - first
    for k in range(count):
        window.times_s[k] = (first + k) * site.step_s
        window.step_h[k] = site.step_s / 3600.0
    fill_forecast(
        window.forecast[:count], window.times_s[:count], first * site.step_s, prices.day_ahead, 0, site.step_s,
        prices.known_steps[first], np.nan, 0, site.step_s, 1.0, 0, 1,
    )  # fmt: skip
    forecast_pue(site, first, window.times_s[:count], pue_fade_s, window.pue[:count])
    end_slope = np.full(1, lay_out(site, first, count, window))
    end_width = np.full(1, site.battery[6] - site.battery[5])
    build_stages(
        0, count, window.step_h, window.price, window.width, window.need, window.base, site.battery,
        window.order, window.slope, window.piece, window.piece_count, window.frame,
    )  # fmt: skip
    feasible, _ = solve_path(
        window.slope[:count], window.piece[:count], window.piece_count[:count], window.frame[:count],
        site.battery[5], site.battery[6], stored_mwh, end_slope, end_width, 0.0, path[first : last + 1],
    )  # fmt: skip
    if not feasible:
        path[first : last + 1] = stored_mwh


@njit(cache=True, error_model="numpy")
def blank_window(most: int, uses: int) -> Window:
    """Room for plans of at most `most` steps."""
    blocks = uses + 2
    order = np.empty((most, blocks), np.int64)
    for b in range(blocks):
        order[0, b] = b
    return Window(
        np.empty(most, np.int64),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty((uses, most)),
        np.empty((uses, most)),
        np.empty((0, most)),
        np.empty(0),
        np.empty((most, blocks)),
        np.empty((most, blocks)),
        np.empty(most),
        np.empty(most),
        order,
        np.empty((most, blocks + 4)),
        np.empty((most, blocks + 4)),
        np.empty(most, np.int64),
        np.empty((most, 5)),
        np.zeros(most + 1, np.int64),
        np.zeros(most + 1, np.int64),
        np.zeros((most + 1, 3)),
    )

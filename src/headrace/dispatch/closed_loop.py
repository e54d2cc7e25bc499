"""A year of control in one compiled loop, for a simple site given as arrays: flexible blocks and one battery.

It runs the kernel and the forecast of the five-minute cycle without its records, so that a year of re-plans takes
seconds: for benches and sweeps, not for a live site. In every control step t a policy sees

    price          the real-time price of step t (late by 0 steps) or of an earlier one
    day ahead      the prices of the first `day_ahead_known_steps[t]` steps
    PUE            the present one; ahead of it, yesterday's shape moved to today's level
    worth of uses  the present ones

and sets powers. What the connection cannot carry is cut, the cheapest use first; then the step is paid at its true
price. The policies are those of `headrace.dispatch.policies`, with no peak charge, sources or demand of their own.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import require
from headrace.dispatch.arrays import battery_row
from headrace.dispatch.kernel.loop import PriceArrays, RunArrays, SiteArrays, always_on, desk, rolling
from headrace.dispatch.kernel.water_loop import FitArrays, stochastic
from headrace.dispatch.outlook import PRICE_FADE_S
from headrace.dispatch.policies.rolling import FINE_S, HORIZON_S
from headrace.dispatch.policies.stochastic import CELLS
from headrace.dispatch.price_change import change_of, fit_changes
from headrace.dispatch.price_state import DAYS_MOST, REFIT_S, PriceStates, fit_states
from headrace.dispatch.problem import Problem
from headrace.energy import Battery

__all__ = [
    "PUE_FADE_S",
    "LoopPrices",
    "LoopRun",
    "LoopSite",
    "loop_problem",
    "run_always_on",
    "run_desk",
    "run_rolling",
    "run_stochastic",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PUE_FADE_S: Final = 6 * 3600.0
"""A PUE's deviation from yesterday's fades with six hours."""

DESK_HOLD_H: Final = 0.5
"""Least time the desk leaves a load off, or on, once switched, hours."""


class LoopSite(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A simple site over T control steps; N uses."""

    step_h: float
    """Length of a control step, hours; a whole number of them makes an hour."""
    import_max_mw: float
    export_max_mw: float
    import_adder_ccy_per_mwh: float
    export_deduction_ccy_per_mwh: float
    pue_ratio: Floats
    """Facility power per IT power, one for all loads, shape (T,)."""
    firm_it_mw: float
    """IT power that always runs; with its cooling it always fits under the import limit."""
    use_names: tuple[str, ...]
    use_it_max_mw: Floats
    """Widest each use can be, IT MW, shape (N,)."""
    use_known_ccy_per_mwh: Floats
    """Worth of one IT MWh to each use as a decision in the step knows it, shape (N, T)."""
    use_earned_ccy_per_mwh: Floats
    """Worth of one IT MWh as it turns out, shape (N, T)."""
    battery: Battery

    @property
    def steps(self) -> int:
        """T."""
        return len(self.pue_ratio)


class LoopPrices(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What energy costs, and what of it a decision may read; T control steps that start on a full hour."""

    settled_ccy_per_mwh: Floats
    """Price that each step is paid at, shape (T,)."""
    late_steps: int
    """Steps by which that price arrives late: 0 in time, 1 a settlement step later."""
    day_ahead_ccy_per_mwh: Floats
    """Day-ahead price, shape (T,)."""
    day_ahead_known_steps: Ints
    """How many leading day-ahead prices are known at the start of each step, shape (T,)."""
    day_start_steps: Ints
    """First step of each local day, and T last."""
    past_deviation_ccy_per_mwh: Floats = msgspec.field(default_factory=lambda: np.empty(0))
    """Settled less day-ahead price of the steps before the first, the newest last; whole hours of them, NaN where
    missing."""


class LoopRun(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What one policy did; powers at the bus."""

    use_mw: Floats
    """Shape (N, T)."""
    charge_mw: Floats
    """Shape (T,)."""
    discharge_mw: Floats
    """Shape (T,)."""
    import_mw: Floats
    """Shape (T,)."""
    export_mw: Floats
    """Shape (T,)."""
    stored_mwh: Floats
    """s_0..s_T, shape (T+1,)."""
    margin_ccy: Floats
    """Worth of the uses less energy and wear of each step, shape (T,); the firm load's revenue is left out."""

    def worth_ccy(self, end_value_ccy_per_mwh: float) -> float:
        """Margin of the whole run with the energy left in store."""
        return float(self.margin_ccy.sum() + end_value_ccy_per_mwh * self.stored_mwh[-1])


def run_always_on(site: LoopSite, prices: LoopPrices) -> LoopRun:
    """Policy `always-on`: every use at full width, battery idle."""
    arrays = _blank(site, site.steps)
    always_on(_site_arrays(site), _price_arrays(prices), site.steps, arrays)
    return LoopRun(**arrays._asdict())


def run_desk(site: LoopSite, prices: LoopPrices, *, hold_h: float = DESK_HOLD_H, until: int | None = None) -> LoopRun:
    """Policy `desk`: uses off above break-even with a hold time, battery on the plan of the day's day-ahead prices.

    Parameters
    ----------
    site, prices
        The site and what energy costs.
    hold_h
        Least time a use stays off, or on, once switched, hours.
    until
        Run only this many steps of the period; None for all.
    """
    steps = site.steps if until is None else until
    arrays = _blank(site, steps)
    desk(
        _site_arrays(site),
        _price_arrays(prices),
        prices.day_start_steps,
        round(hold_h / site.step_h),
        PRICE_FADE_S,
        PUE_FADE_S,
        steps,
        arrays,
    )
    return LoopRun(**arrays._asdict())


def run_rolling(site: LoopSite, prices: LoopPrices, *, until: int | None = None) -> LoopRun:
    """Policy `rolling`: re-plan every control step on the telescoped grid, apply the first step.

    Parameters
    ----------
    site, prices
        The site and what energy costs.
    until
        Run only this many steps of the period; None for all.
    """
    steps = site.steps if until is None else until
    arrays = _blank(site, steps)
    parts = _site_arrays(site), _price_arrays(prices, _changes(site, prices, steps))
    stopped = rolling(*parts, FINE_S, HORIZON_S, PRICE_FADE_S, PUE_FADE_S, steps, arrays)
    require(stopped < 0, f"the firm load must fit under the import limit in every step, but not in step {stopped}")
    return LoopRun(**arrays._asdict())


def run_stochastic(site: LoopSite, prices: LoopPrices, *, until: int | None = None) -> LoopRun:
    """Policy `stochastic`: each step against the expected worth of what it leaves in store; `rolling` before any fit.

    Parameters
    ----------
    site, prices
        The site and what energy costs.
    until
        Run only this many steps of the period; None for all.
    """
    steps = site.steps if until is None else until
    first, fits = _fits(site, prices, steps)
    arrays = _blank(site, steps)
    parts = _site_arrays(site), _price_arrays(prices, _changes(site, prices, steps))
    stopped = rolling(*parts, FINE_S, HORIZON_S, PRICE_FADE_S, PUE_FADE_S, first, arrays)
    if fits is not None and stopped < 0:
        stopped = stochastic(*parts, fits, HORIZON_S, CELLS, PRICE_FADE_S, PUE_FADE_S, first, steps, arrays)
    require(stopped < 0, f"the firm load must fit under the import limit in every step, but not in step {stopped}")
    return LoopRun(**arrays._asdict())


def _fits(site: LoopSite, prices: LoopPrices, steps: int) -> tuple[int, FitArrays | None]:
    """First step with a chain (`steps` if there is none), and the chains, each from what was known at its fit."""
    step_s = round(site.step_h * 3600.0)
    found: list[PriceStates] = []
    of_step = np.zeros(steps, np.int64)
    begin = steps
    for t, first, deviation in _trailing(site, prices, steps):
        states = fit_states(deviation, first * step_s, step_s)
        if states is not None:
            found.append(states)
            begin = min(begin, t)
            of_step[t:] = len(found) - 1
    if not found:
        return steps, None
    return begin, FitArrays(
        np.stack([states.deviation_ccy_per_mwh for states in found]),
        np.stack([states.deviation_after_ccy_per_mwh(prices.late_steps) for states in found]),
        np.stack([states.transition_ratio for states in found]),
        of_step,
    )


def _changes(site: LoopSite, prices: LoopPrices, steps: int) -> Floats:
    """Change expected from the price seen to the present one, shape (T,): none unless it is late by one step."""
    changes = np.zeros(site.steps)
    if prices.late_steps != 1:
        return changes
    step_s = round(site.step_h * 3600.0)
    late = prices.settled_ccy_per_mwh[:-1] - prices.day_ahead_ccy_per_mwh[:-1]
    for t, _, deviation in _trailing(site, prices, steps):
        serves = slice(max(t, 1), t + REFIT_S // step_s)
        changes[serves] = change_of(fit_changes(deviation, step_s), late[serves.start - 1 : serves.stop - 1])
    return changes


def _trailing(site: LoopSite, prices: LoopPrices, steps: int) -> Iterator[tuple[int, int, Floats]]:
    """Steps of each fit, and the deviations known there: step of the first (below 0 in the past), and their values."""
    step_s = round(site.step_h * 3600.0)
    past = len(prices.past_deviation_ccy_per_mwh)
    deviation = np.concatenate(
        (prices.past_deviation_ccy_per_mwh, prices.settled_ccy_per_mwh - prices.day_ahead_ccy_per_mwh)
    )
    span = DAYS_MOST * 86_400 // step_s
    for t in range(0, steps, REFIT_S // step_s):
        known = past + max(t - prices.late_steps + 1, 0)
        first = max(known - span, 0)
        yield t, first - past, deviation[first:known]


def loop_problem(
    site: LoopSite,
    price_ccy_per_mwh: Floats,
    *,
    first: int,
    steps: int,
    stored_mwh: float,
    end_value_ccy_per_mwh: float,
) -> Problem:
    """Problem of `steps` control steps from `first` on with everything as it turns out: the perfect foresight of it."""
    cut = slice(first, first + steps)
    pue = site.pue_ratio[cut]
    price = price_ccy_per_mwh[cut]
    none = np.zeros((0, len(price)))
    return Problem(
        step_h=np.full(len(price), site.step_h),
        import_cost_ccy_per_mwh=price + site.import_adder_ccy_per_mwh,
        export_value_ccy_per_mwh=price - site.export_deduction_ccy_per_mwh,
        import_max_mw=np.full(len(price), site.import_max_mw),
        export_max_mw=np.full(len(price), site.export_max_mw),
        firm_mw=site.firm_it_mw * pue,
        use_names=site.use_names,
        use_value_ccy_per_mwh=site.use_earned_ccy_per_mwh[:, cut] / pue,
        use_max_mw=site.use_it_max_mw[:, None] * pue,
        source_names=(),
        source_cost_ccy_per_mwh=none,
        source_min_mw=none,
        source_max_mw=none,
        battery=site.battery,
        stored_mwh=stored_mwh,
        end_value_ccy_per_mwh=end_value_ccy_per_mwh,
        peak=None,
    )


def _site_arrays(site: LoopSite) -> SiteArrays:
    return SiteArrays(
        step_s=round(site.step_h * 3600.0),
        import_max_mw=site.import_max_mw,
        export_max_mw=site.export_max_mw,
        import_adder=site.import_adder_ccy_per_mwh,
        export_deduction=site.export_deduction_ccy_per_mwh,
        firm_it_mw=site.firm_it_mw,
        pue=site.pue_ratio,
        use_it_max_mw=site.use_it_max_mw,
        use_known=site.use_known_ccy_per_mwh,
        use_earned=site.use_earned_ccy_per_mwh,
        battery=battery_row(site.battery),
        start_mwh=site.battery.stored_start_mwh,
    )


def _price_arrays(prices: LoopPrices, change_ccy_per_mwh: Floats | None = None) -> PriceArrays:
    return PriceArrays(
        settled=prices.settled_ccy_per_mwh,
        late_steps=prices.late_steps,
        day_ahead=prices.day_ahead_ccy_per_mwh,
        known_steps=prices.day_ahead_known_steps,
        change=np.zeros(len(prices.settled_ccy_per_mwh)) if change_ccy_per_mwh is None else change_ccy_per_mwh,
    )


def _blank(site: LoopSite, steps: int) -> RunArrays:
    return RunArrays(
        use_mw=np.zeros((len(site.use_names), steps)),
        charge_mw=np.zeros(steps),
        discharge_mw=np.zeros(steps),
        import_mw=np.zeros(steps),
        export_mw=np.zeros(steps),
        stored_mwh=np.zeros(steps + 1),
        margin_ccy=np.zeros(steps),
    )

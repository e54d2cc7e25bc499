"""Weigh each step against what stored energy is expected to be worth, over every way the price may go.

Once for each day-ahead publication the expected worth of stored energy is worked out for the steps ahead, over a
Markov chain of the price's deviations (`headrace.dispatch.price_state`, `headrace.dispatch.kernel.water`). Every
control step then meets that worth with the present: present price, present demand, what is in store.

Nothing is carried from step to step: fits and water values rest on what was known at times that `now` alone gives, so
they are only kept to save work.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import content_id
from headrace.dispatch.arrays import kernel_args, plan_from_rows
from headrace.dispatch.assemble import problem_id, problem_of
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.kernel.present import solve_present
from headrace.dispatch.kernel.water import blend, state_weights, water_curves
from headrace.dispatch.kernel.whole import pack_blocks
from headrace.dispatch.outlook import expected
from headrace.dispatch.peak_terms import bills_month_peak
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies.always_on import present
from headrace.dispatch.policies.proposal import Proposal, Sight, asked_by
from headrace.dispatch.policies.rolling import HORIZON_S, Rolling, first_step
from headrace.dispatch.price_state import REFIT_S, PriceStates, fit_states, trailing_deviations
from headrace.dispatch.reserve import HOLD_AHEAD_S, battery_hold, under_reserve
from headrace.dispatch.site import Site
from headrace.dispatch.terms_in_force import terms_in_force
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.energy.forecast_kernel import DAY_S, base_value

__all__ = ["CELLS", "Stochastic", "why_rolling"]

CELLS: Final = 64
"""Slopes of a value function, on equal cells of the store; twice as many move no share of gain by 0.1 points."""

Floats = NDArray[np.float64]


class WaterValues(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Expected worth of stored energy after each interval from one publication on."""

    states: PriceStates
    start_s: int
    """Start of the first interval, epoch seconds."""
    late: int
    """Intervals by which the price is published late: a state is that of the interval so many before."""
    curve_ccy_per_mwh: Floats
    """Slopes by interval, state and cell, shape (T, N, M)."""


class Stochastic:
    """Policy `stochastic`.

    Equal to `rolling` where it has nothing to add: on the sites that `why_rolling` names; where the price is settled
    ahead; before there are days enough to fit; and where the firm load at times needs stored energy.
    """

    name = "stochastic"

    def __init__(self) -> None:
        self._rolling = Rolling()
        self._fits: dict[int, PriceStates | None] = {}
        self._values: dict[tuple[float, ...], WaterValues | None] = {}

    def propose(self, model: SiteModel, sight: Sight) -> Proposal | Infeasible:
        """Ask for what the present and the expected worth of the store agree on."""
        answer = self._weigh(model, sight)
        return self._rolling.propose(model, sight) if answer is None else answer

    def _weigh(self, model: SiteModel, sight: Sight) -> Proposal | None:
        live = sight.inputs.real_time
        if why_rolling(model.site) or live.step_s % model.site.control_step_s:
            return None
        seen = live.latest(sight.now_s)
        if seen is None or seen.interval_start_s > sight.now_s:
            return None
        values = self._values_at(model, sight)
        if values is None:
            return None
        slope = _expected_slopes(values, sight.inputs, seen.interval_start_s, seen.value, sight.now_s)
        if slope is None:
            return None
        return _meet(model, sight, slope, self._rolling.price_change.expected_ccy_per_mwh(sight.inputs, sight.now_s))

    def _values_at(self, model: SiteModel, sight: Sight) -> WaterValues | None:
        """Water values of the last publication, made afresh when there is a newer one or the month turns."""
        anchor_s = _published_s(sight.inputs, sight.now_s)
        key = (anchor_s, sight.month, *_reserve_sold(model, sight))
        if key not in self._values:
            states = self._states_at(sight.inputs, anchor_s)
            self._values = {key: None if states is None else _water_values(model, sight, anchor_s, states)}
        return self._values[key]

    def _states_at(self, inputs: Inputs, anchor_s: int) -> PriceStates | None:
        fit_s = anchor_s // REFIT_S * REFIT_S
        if fit_s not in self._fits:
            base = inputs.real_time if inputs.day_ahead is None else inputs.day_ahead
            self._fits = {
                fit_s: fit_states(*trailing_deviations(base, inputs.real_time, fit_s), inputs.real_time.step_s)
            }
        return self._fits[fit_s]


def why_rolling(site: Site) -> str:
    """Why water values have nothing to add to `rolling` at a site; empty if they have."""
    battery = site.battery
    if battery is None or battery.stored_max_mwh <= battery.stored_min_mwh:
        return "the site has no battery"
    if bills_month_peak(site):
        return "its water values do not know the monthly peak charge"
    if site.plant is not None and site.plant.units:
        return "its water values do not know units that are started and stopped"
    if site.job_clusters:
        return "its water values do not know batch jobs"
    return ""


def _published_s(inputs: Inputs, now_s: int) -> int:
    """When the newest day-ahead price became known, or whole days after; the start of the UTC day without any."""
    ahead = inputs.day_ahead
    known = 0 if ahead is None else ahead.known_count(now_s)
    at_s = 0 if ahead is None or known == 0 else int(ahead.known_s[known - 1])
    return at_s + (now_s - at_s) // DAY_S * DAY_S


def _base_price(inputs: Inputs, now_s: int, starts_s: NDArray[np.int64]) -> Floats:
    """Price without any deviation, as known at `now_s`: day-ahead, else that of the day before."""
    base: Series = inputs.real_time if inputs.day_ahead is None else inputs.day_ahead
    lag_days = 1 if inputs.day_ahead is None else 0
    known = base.known_count(now_s)
    return np.array(
        [base_value(base.values, base.start_s, base.step_s, known, lag_days, int(at_s)) for at_s in starts_s]
    )


def _water_values(model: SiteModel, sight: Sight, anchor_s: int, states: PriceStates) -> WaterValues | None:
    """Work out the worth of stored energy with what was known at `anchor_s`; None if the firm load needs it."""
    site, live = model.site, sight.inputs.real_time
    battery = site.battery
    assert battery is not None
    start_s = live.start_s + live.index(anchor_s) * live.step_s
    starts_s = start_s + np.arange(HORIZON_S // live.step_s, dtype=np.int64) * live.step_s
    steps = len(starts_s)
    price = _base_price(sight.inputs, anchor_s, starts_s)
    if np.isnan(price).any():
        return None
    step_h = np.full(steps, live.step_s / 3600.0)
    outlook = expected(model, sight.inputs, anchor_s, starts_s, step_h)
    end_value = (float(price.mean()) - site.tariff.export_deduction_ccy_per_mwh) * battery.discharge_efficiency_ratio
    outlook = msgspec.structs.replace(outlook, price_ccy_per_mwh=price)
    problem = problem_of(
        model,
        outlook,
        month=sight.month,
        stored_mwh=battery.stored_min_mwh,
        end_value_ccy_per_mwh=end_value,
        peak=None,
        terms=terms_in_force(model, msgspec.structs.replace(asked_by(sight, outlook), now_s=anchor_s)),
    )
    problem = under_reserve(problem, site, sight.memory.reserve, sight.now_s)
    if problem.battery is None or problem.battery.stored_max_mwh <= problem.battery.stored_min_mwh:
        return None
    args = kernel_args(problem)
    count = len(problem.use_names) + len(problem.source_names)
    price_rows, width_rows = np.empty((2, steps, count + 2))
    need, base = np.empty((2, steps))
    pack_blocks(*args[:11], np.empty(0), 0.0, price_rows, width_rows, need, base)
    curve = np.empty((steps, states.deviation_ccy_per_mwh.shape[1], CELLS))
    late = _late(live, anchor_s)
    stopped = water_curves(
        problem.step_h, price_rows, width_rows, need, base, count, args[11],
        (starts_s - late * live.step_s) // 3600 % 24,
        states.deviation_after_ccy_per_mwh(late), states.transition_ratio, end_value, curve,
    )  # fmt: skip
    return None if stopped >= 0 else WaterValues(states=states, start_s=start_s, late=late, curve_ccy_per_mwh=curve)


def _late(live: Series, now_s: int) -> int:
    """Intervals from the start of the newest price known to the one in which it became known."""
    last = live.known_count(now_s) - 1
    if last < 0:
        return 0
    return max((int(live.known_s[last]) - live.start_s) // live.step_s - last, 0)


def _reserve_sold(model: SiteModel, sight: Sight) -> tuple[float, ...]:
    """What sold reserve changes of the water values: the battery it leaves for now, and which hours it was sold for."""
    book = sight.memory.reserve
    if not book.awards:
        return ()
    kept = battery_hold(model.site, book, sight.now_s, sight.now_s + HOLD_AHEAD_S)
    return (*kept, len(book.awards), book.awards[0].start_s, book.awards[-1].start_s)


def _expected_slopes(
    values: WaterValues, inputs: Inputs, seen_s: int, seen_ccy_per_mwh: float, now_s: int
) -> Floats | None:
    """Slopes after the present interval, over what the last price seen leaves open; None without a base for it."""
    step_s = inputs.real_time.step_s
    base = float(_base_price(inputs, now_s, np.array([seen_s]))[0])
    if np.isnan(base):
        return None
    row = (now_s - values.start_s) // step_s
    # The row's states are of an interval `late` before the present; a price older than that runs on by the chain.
    stated_s = values.start_s + (row - values.late) * step_s
    since_s = np.arange(max(seen_s, stated_s - DAY_S), stated_s, step_s, dtype=np.int64)
    states = values.states
    weight = state_weights(
        states.deviation_ccy_per_mwh,
        states.transition_ratio,
        seen_ccy_per_mwh - base,
        seen_s // 3600 % 24,
        since_s // 3600 % 24,
    )
    slope = np.empty(values.curve_ccy_per_mwh.shape[2])
    blend(values.curve_ccy_per_mwh[row], weight, slope)
    return slope


def _meet(
    model: SiteModel, sight: Sight, slope_ccy_per_mwh: Floats, price_change_ccy_per_mwh: float
) -> Proposal | None:
    """Solve what is left of the present price interval against the worth of what it leaves in store."""
    live = sight.inputs.real_time
    left_s = live.step_s - (sight.now_s - live.start_s) % live.step_s
    problem = present(model, sight, by_hand=False, price_change_ccy_per_mwh=price_change_ccy_per_mwh)
    problem = msgspec.structs.replace(problem, step_h=np.array([left_s / 3600.0]))
    feasible, rows, stored_mwh = solve_present(*kernel_args(problem)[:13], slope_ccy_per_mwh)
    if not feasible:
        return None
    plan = plan_from_rows(problem, 0.0, rows, stored_mwh, np.empty(0))
    question = content_id(problem_id(problem).encode(), slope_ccy_per_mwh.tobytes())
    return first_step(model, problem, plan, 0, question)

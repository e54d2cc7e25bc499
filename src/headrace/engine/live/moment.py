"""One live decision as pure functions of the state: what is seen, the rung it stands on, what it settles.

The rungs, first that applies:

    plan        the policy answered, and the price it rests on is fresh
    last plan   no answer in time, or a stale price; the last plan is younger than its limit
    safe rule   no plan serves the firm load, or there is none young enough: only what must run, the battery helping
    shed        firm load was cut (the meters say so, at the interval's end)
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from headrace.control.setpoints import Mode
from headrace.core import Interval, content_id
from headrace.dispatch.allowance import StockState
from headrace.dispatch.owner_terms import stocks_of
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Proposal, Sight
from headrace.dispatch.site import Site
from headrace.energy.plant import UnitState
from headrace.engine.calendar import local_calendar
from headrace.engine.cycle import CycleRecord, Decision, decided, settled
from headrace.engine.live.book import stale_after_s
from headrace.engine.truth import truth_of
from headrace.settlement import SettlementPrices
from headrace.settlement.metering import ControlReading

if TYPE_CHECKING:
    from headrace.engine.live.state import LiveState

__all__ = [
    "DOWN",
    "Moment",
    "decision_of",
    "moment_of",
    "setpoints_digest",
    "settle_interval",
    "sight_of",
    "stale_roles",
]

LOOK_AHEAD_S: Final = 14 * 86_400
"""End of the period as a live policy sees it: beyond any plan's horizon."""

DOWN: Final = "engine.down"
"""Why nothing was decided: the engine did not run."""


class Moment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Local time of one control interval."""

    at_s: int
    """Start of the interval, epoch seconds."""
    month: int
    """Calendar month, 1..12."""
    month_count: int
    """Months since year 0."""
    hour_local: int
    """Local hour, 0..23."""
    day_end_s: int
    """End of the local day, epoch seconds."""
    month_start_s: int
    """Start of the local month, epoch seconds."""
    month_end_s: int
    """End of the local month, epoch seconds."""


def moment_of(site: Site, at_s: int) -> Moment:
    """Local time of the control interval that starts at `at_s`."""
    calendar = local_calendar(
        Interval.from_epoch(at_s, at_s + site.control_step_s), site.control_step_s, site.time_zone
    )
    return Moment(
        at_s=at_s,
        month=int(calendar.month[0]),
        month_count=int(calendar.month_count[0]),
        hour_local=int(calendar.hour[0]),
        day_end_s=int(calendar.day_end_s[0]),
        month_start_s=int(calendar.month_start_s[0]),
        month_end_s=int(calendar.month_end_s[0]),
    )


def sight_of(state: "LiveState", moment: Moment, *, is_anew: bool = False) -> Sight:
    """All that a policy may see now: what has arrived, and what the meters said.

    Where an interval is decided anew after it began, prices that arrived since count as known at its start: the plan
    begins there.
    """
    cycle, site = state.cycle, state.model.site
    inputs = state.book.inputs(site)
    if is_anew:
        known_s = np.minimum(inputs.real_time.known_s, moment.at_s)
        inputs = msgspec.structs.replace(inputs, real_time=msgspec.structs.replace(inputs.real_time, known_s=known_s))
    is_same_month = moment.month_count == cycle.month_count
    units = 0 if site.plant is None else len(site.plant.units)
    return Sight(
        now_s=moment.at_s,
        end_s=moment.at_s + LOOK_AHEAD_S,
        inputs=inputs,
        stored_mwh=cycle.stored_mwh,
        peak_mw=cycle.peak_w * 1e-6 if is_same_month else 0.0,
        month=moment.month,
        hour_local=moment.hour_local,
        day_end_s=moment.day_end_s,
        month_end_s=moment.month_end_s,
        memory=cycle.memory,
        stocks=cycle.stocks_in(moment.month_count) or (StockState(),) * len(stocks_of(state.model)),
        units=cycle.units_in(moment.month_count) or (UnitState(),) * units,
    )


def stale_roles(state: "LiveState", now_s: int) -> tuple[str, ...]:
    """Roles whose newest value is older than it may be."""
    found = []
    for role in state.book.roles:
        series, age_s = state.book.series(role), state.book.age_s(role, now_s)
        if series is not None and (age_s is None or age_s > stale_after_s(series, state.rules.stale_after_s)):
            found.append(role)
    return tuple(found)


def decision_of(state: "LiveState", moment: Moment, answer: Proposal | Infeasible | None, *, missing: str) -> Decision:
    """Decide one interval.

    Parameters
    ----------
    state, moment
        The site, and the interval.
    answer
        What the policy asked for, or why it asked for nothing; None if there is no answer.
    missing
        Why there is none ("plan.late"); empty if there is one.
    """
    rules, site = state.rules, state.model.site
    is_young = state.last_plan_s is not None and moment.at_s - state.last_plan_s <= rules.last_plan_max_s
    last = state.cycle.last if is_young else None
    sight = sight_of(state, moment)
    in_force = None
    if site.plant is not None:
        window = Interval.from_epoch(moment.at_s, moment.at_s + site.control_step_s)
        in_force = truth_of(state.model, sight.inputs, window).in_force(0, sight.units)
    decision = decided(state.model, answer, sight, state.cycle, in_force, last=last)
    if not missing:
        return decision
    reasons = tuple(missing if reason == "plan.late" else reason for reason in decision.setpoints.reasons)
    if decision.setpoints.mode is Mode.SAFE_RULE and state.cycle.last is not None:
        reasons = (*reasons, "plan.too_old")
    return msgspec.structs.replace(decision, setpoints=msgspec.structs.replace(decision.setpoints, reasons=reasons))


def setpoints_digest(decision: Decision) -> str:
    """Digest of what control may do."""
    return content_id(msgspec.json.encode(decision.setpoints))


def settle_interval(state: "LiveState", reading: ControlReading, at_s: int) -> CycleRecord:
    """Settle the control interval that began at `at_s` and is now over."""
    site, cycle = state.model.site, state.cycle
    moment = moment_of(site, at_s)
    decision = state.decision
    if decision is None or decision.at_s != at_s:
        decision = decision_of(state, moment, None, missing=DOWN)
    return settled(
        state.model,
        state.rates,
        decision,
        reading,
        cycle,
        month_count=moment.month_count,
        prices=_prices(state, moment) if _settles(site, moment) else None,
        month_s=moment.month_end_s - moment.month_start_s,
    )


def _settles(site: Site, moment: Moment) -> bool:
    """Does a settlement interval or a month end with this control interval?"""
    end_s = moment.at_s + site.control_step_s
    return end_s % site.market.settlement_step_s == 0 or end_s == moment.month_end_s


def _prices(state: "LiveState", moment: Moment) -> SettlementPrices:
    """Prices of the settlement interval that this one completes, as known when it ends; else marked estimated."""
    site, pending = state.model.site, state.cycle.pending
    first_s = pending[0].interval_start_s if pending else moment.at_s
    window = Interval.from_epoch(first_s, moment.at_s + site.control_step_s)
    truth = truth_of(state.model, state.book.inputs(site), window)
    return truth.prices(len(truth.outlook.starts_s) - 1, first=0)

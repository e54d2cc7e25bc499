"""What really came, on the control grid: for the simulated campus, for settlement, and for the bound.

A missing value has a declared substitute, and every substitute is listed: a price is the day-ahead price of its hour,
else the last one published (the interval is marked estimated); any other series repeats its last value.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.in_force import InForce
from headrace.core import SATS_PER_BTC, Interval, iso, micro
from headrace.dispatch.asked import hindsight
from headrace.dispatch.assemble import problem_of, pue_of
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.outlook import Outlook
from headrace.dispatch.owner_terms import shell_mw
from headrace.dispatch.problem import Problem
from headrace.dispatch.terms_in_force import terms_in_force
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.energy.plant import UnitState
from headrace.engine.calendar import LocalCalendar, local_calendar
from headrace.engine.charges import ChargeTruth, billed_peak, charge_truth
from headrace.engine.plant import PlantTruth, plant_truth
from headrace.engine.position import PositionTruth, position_truth
from headrace.engine.results import DataGap
from headrace.loads.cooling import REFERENCE_TEMP_C
from headrace.loads.hashprice import hashprice_usd_per_phs_day
from headrace.settlement import SettlementPrices
from headrace.settlement.charges import NO_CHARGES

__all__ = ["Truth", "truth_of"]

Floats = NDArray[np.float64]


class Network(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The bitcoin network and its price at each step, shape (T,); zeros where the site mines nothing."""

    reward_btc: Floats
    """Subsidy plus mean fees of the day's blocks, BTC."""
    difficulty: Floats
    """The day's mean difficulty."""
    btc_ccy: Floats
    """Fair value of one bitcoin: the newest price known then, site currency."""


class Truth(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything that came to one site over one period."""

    window: Interval
    calendar: LocalCalendar
    problem: Problem
    """The whole period as one dispatch problem."""
    pue: Floats
    """PUE of each cooling, shape (C, T)."""
    outlook: Outlook
    """Price, weather, demand, output; price is the settled one."""
    is_estimated: NDArray[np.bool_]
    """Was the price missing and substituted, shape (T,)."""
    ppa_ratio: Floats
    """Capacity factor of each power purchase agreement, shape (A, T)."""
    carbon_kg_per_mwh: Floats | None
    """Carbon intensity, NaN where missing, shape (T,); None without a series."""
    shell_mw: Floats
    """Power that each powered-shell tenant asks for, shape (S, T)."""
    median_price_ccy_per_mwh: float
    """Median settled price of the period: what energy left in store is worth."""
    gaps: tuple[DataGap, ...]

    network: Network

    position: PositionTruth | None = None
    """Volumes and prices of the supply contracts; None without any."""

    plant: PlantTruth | None = None
    """Limits in force and fuel prices; None without plant."""

    charges: ChargeTruth | None = None
    """Dated charges; None without any."""

    def in_force(self, step: int, units: tuple[UnitState, ...]) -> InForce | None:
        """Limits of plant in one control step; None without any."""
        if self.plant is None:
            return None
        return InForce(
            at_s=int(self.outlook.starts_s[step]),
            import_max_mw=float(self.plant.import_max_mw[step]),
            export_max_mw=float(self.plant.export_max_mw[step]),
            units=units,
        )

    def prices(self, step: int, *, first: int) -> SettlementPrices:
        """What the settlement interval that holds control steps `first` to `step` is settled at."""
        return SettlementPrices(
            energy_micro_per_mwh=micro(float(self.outlook.price_ccy_per_mwh[step])),
            is_estimated=bool(self.is_estimated[step]),
            block_reward_sats=round(float(self.network.reward_btc[step]) * SATS_PER_BTC),
            difficulty=max(1, round(float(self.network.difficulty[step]))),
            btc_micro=micro(float(self.network.btc_ccy[step])),
            position=None if self.position is None else self.position.facts(first, step),
            fuel_micro_per_gj=() if self.plant is None else self.plant.fuel_micro_per_gj(step),
            charges=NO_CHARGES if self.charges is None else self.charges.facts(first, step),
        )


def truth_of(model: SiteModel, inputs: Inputs, window: Interval) -> Truth:
    """Lay every series on the control grid of `window`, substituting what is missing."""
    site = model.site
    step_s = site.control_step_s
    starts_s = np.arange(window.start_s, window.end_s, step_s, dtype=np.int64)
    step_h = np.full(len(starts_s), step_s / 3600.0)
    calendar = local_calendar(window, step_s, site.time_zone)
    gaps: list[DataGap] = []
    price, is_estimated = _settled_price(inputs, starts_s, window, gaps)

    def held(series: Series, role: str) -> Floats:
        return _hold_last(series, role, starts_s, window, gaps)

    demand = [held(inputs.profiles[s.demand], s.demand) * s.demand_scale_ratio for s in site.inference]
    output = [
        np.ones(len(starts_s)) if g.profile is None else held(inputs.profiles[g.profile], g.profile)
        for g in site.generators
    ]
    bought = [held(inputs.profiles[p.profile], p.profile) for p in site.ppas]
    network = _network(model, inputs, starts_s, window, gaps)
    cold = np.full(len(starts_s), REFERENCE_TEMP_C)
    outlook = Outlook(
        starts_s=starts_s,
        step_h=step_h,
        price_ccy_per_mwh=price,
        temp_c=cold if inputs.temperature is None else held(inputs.temperature, "temperature"),
        hashprice_ccy_per_phs_day=_hashprice(network),
        demand_per_s=np.array(demand).reshape(len(demand), len(starts_s)),
        available_ratio=np.array(output).reshape(len(output), len(starts_s)),
    )
    median = float(np.median(price))
    return Truth(
        window=window,
        calendar=calendar,
        problem=problem_of(
            model,
            outlook,
            month=calendar.month,
            stored_mwh=site.battery.stored_start_mwh if site.battery else 0.0,
            end_value_ccy_per_mwh=median if site.battery else 0.0,
            peak=billed_peak(site, calendar, starts_s),
            terms=terms_in_force(model, hindsight(inputs, outlook)),
        ),
        pue=pue_of(model, outlook.temp_c),
        outlook=outlook,
        is_estimated=is_estimated,
        ppa_ratio=np.array(bought).reshape(len(bought), len(starts_s)),
        carbon_kg_per_mwh=None if inputs.carbon is None else inputs.carbon.onto(starts_s),
        shell_mw=shell_mw(site, hindsight(inputs, outlook)),
        median_price_ccy_per_mwh=median,
        position=position_truth(site, inputs, calendar, price, gaps=gaps, window=window),
        plant=plant_truth(model, hindsight(inputs, outlook)),
        charges=charge_truth(site, inputs, calendar, starts_s, price),
        gaps=tuple(gaps),
        network=network,
    )


def _settled_price(
    inputs: Inputs, starts_s: NDArray[np.int64], window: Interval, gaps: list[DataGap]
) -> tuple[Floats, NDArray[np.bool_]]:
    series = inputs.real_time
    price = series.onto(starts_s)
    missing = np.isnan(price)
    stand_in = np.full(len(price), np.nan) if inputs.day_ahead is None else inputs.day_ahead.onto(starts_s)
    price = np.where(missing, stand_in, price)
    _note(gaps, series, "real_time", window, "day-ahead price of the hour, else the last price; marked estimated")
    return _forward_fill(price, _before(series, window.start_s)), missing


def _hold_last(series: Series, role: str, starts_s: NDArray[np.int64], window: Interval, gaps: list[DataGap]) -> Floats:
    _note(gaps, series, role, window, "the last value before")
    return _forward_fill(series.onto(starts_s), _before(series, window.start_s))


def _before(series: Series, at_s: int) -> float:
    """Newest value before `at_s`, else the first there is at all."""
    position = min(max(series.index(at_s), 0), len(series))
    present = np.flatnonzero(~np.isnan(series.values))
    earlier = present[present < position]
    if not present.size:
        raise ValueError(f"{series.name} holds no value at all")
    return float(series.values[earlier[-1] if earlier.size else present[0]])


def _forward_fill(values: Floats, first: float) -> Floats:
    present = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(present, np.arange(len(values)), -1))
    return np.where(last >= 0, values[np.maximum(last, 0)], first)


def _note(gaps: list[DataGap], series: Series, role: str, window: Interval, substitute: str) -> None:
    gaps.extend(
        DataGap(role=role, start=iso(gap.start_s), intervals=gap.steps(series.step_s), substitute=substitute)
        for gap in series.gaps(window)
    )


def _network(
    model: SiteModel, inputs: Inputs, starts_s: NDArray[np.int64], window: Interval, gaps: list[DataGap]
) -> Network:
    if inputs.bitcoin_price is None or inputs.difficulty is None or inputs.block_reward is None:
        nothing = np.zeros(len(starts_s))
        return Network(reward_btc=nothing, difficulty=nothing, btc_ccy=nothing)
    return Network(
        reward_btc=_hold_last(inputs.block_reward, "block_reward", starts_s, window, gaps),
        difficulty=_hold_last(inputs.difficulty, "difficulty", starts_s, window, gaps),
        btc_ccy=_price_known(inputs.bitcoin_price, starts_s) * model.site.usd_rate_ratio,
    )


def _hashprice(network: Network) -> Floats:
    """Revenue of one PH/s for a day as it is booked, in the currency of the bitcoin price."""
    if not network.difficulty.any():
        return np.zeros(len(network.difficulty))
    return hashprice_usd_per_phs_day(
        block_reward_btc=network.reward_btc, price_usd_per_btc=network.btc_ccy, difficulty=network.difficulty
    )


def _price_known(series: Series, starts_s: NDArray[np.int64]) -> Floats:
    """Fair value at each time: the newest bitcoin price that was known then."""
    count = np.searchsorted(series.known_s, starts_s, side="right")
    filled = _forward_fill(series.values, _before(series, series.start_s))
    return filled[np.clip(count - 1, 0, len(filled) - 1)]

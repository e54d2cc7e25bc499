"""From a decision's setpoints to what each load's machines should draw: the site's fast loop, asked once an interval.

The same `control.govern` that balances a replayed campus balances this one, on the load that is really there. Machines
hang on feeders that carry no cooling, so their targets are IT power:  target = idle + block at the bus / PUE.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from headrace.control.feeders import behind_feeders
from headrace.control.govern import Bus, Flows, govern
from headrace.control.orders_in_force import Binding, narrow
from headrace.control.setpoints import Setpoints
from headrace.dispatch.assemble import pue_of
from headrace.dispatch.outlook import expected
from headrace.dispatch.plant_feeders import feeder_of_uses
from headrace.dispatch.policies import Sight
from headrace.dispatch.policies.always_on import present
from headrace.dispatch.problem import Problem
from headrace.dispatch.uses import SiteModel, UseKind
from headrace.engine.live.meters import load_of
from headrace.engine.live.worth import worth_of_loads

__all__ = ["Drawn", "Targets", "steer"]

SLACK_MW: Final = 1e-6
"""A block within this of its width has all it can get."""


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """What an interval's decision asks of the site's machines."""

    load_mw: dict[str, float]
    """IT power of each flexible load, MW, by name."""
    worth_ccy_per_mwh: dict[str, float]
    """What a MWh is worth in each of them now: the order in which they give way."""
    charge_mw: float
    """Power the battery draws."""
    discharge_mw: float
    """Power it feeds."""
    width_mw: tuple[float, ...]
    """What each block could take at the bus."""
    pue_ratio: dict[str, float]
    """Power at the bus for each of a load's IT power, by name."""


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """What the site draws as its meters and assets say, for telling apart what is flexible."""

    site_mw: float
    """Net import at the connection, MW."""
    battery_mw: float
    """The battery's, load-positive, MW."""
    load_mw: dict[str, float]
    """IT power of each load, MW."""
    wanted_mw: dict[str, float] = {}
    """IT power that each service which follows demand is to be let, MW: its own word, in the place of a forecast."""
    is_followed: bool = False
    """Does the site follow its meters between decisions: is what generators give theirs to say?"""


def steer(
    model: SiteModel,
    sight: Sight,
    setpoints: Setpoints,
    *,
    drawn: Drawn | None,
    binding: Binding,
    rounding_mw: float,
) -> Targets:
    """Balance the bus under this interval's setpoints.

    Parameters
    ----------
    model, sight
        The site, and what is seen.
    setpoints
        What control may do.
    drawn
        What is drawn now, from which firm load follows; None if the meters don't say.
    binding
        What orders in force leave.
    rounding_mw
        What whole machines may come to above their loads' targets: kept below the connection, MW.
    """
    problem = present(model, sight, by_hand=False)
    pue_ratio = _pue(model, sight)
    firm_mw = float(problem.firm_mw[0])
    output_mw: float | None = None
    if drawn is not None and not model.site.generators:
        firm_mw = max(firm_mw, _net_firm_mw(model, drawn, pue_ratio))
    elif drawn is not None and drawn.is_followed:
        net_firm_mw = _net_firm_mw(model, drawn, pue_ratio)
        output_mw = max(0.0, firm_mw - net_firm_mw)
        firm_mw = max(firm_mw, net_firm_mw)
    setpoints = msgspec.structs.replace(
        setpoints,
        import_limit_mw=max(0.0, min(setpoints.import_limit_mw, setpoints.import_max_mw - rounding_mw)),
    )
    bus = _bus(model, problem, sight, setpoints, firm_mw)
    if drawn is not None:
        bus = _as_metered(model, bus, drawn, pue_ratio, output_mw)
    flows = govern(setpoints, bus)
    if binding.reasons:
        setpoints = narrow(setpoints, binding, expected_mw=flows.import_mw - flows.export_mw)
        flows = govern(setpoints, bus)
    return Targets(
        load_mw=_load_mw(model, pue_ratio, flows, bus),
        worth_ccy_per_mwh=worth_of_loads(model, setpoints.use_worth_ccy_per_mwh, setpoints.charge_worth_ccy_per_mwh),
        charge_mw=flows.charge_mw,
        discharge_mw=flows.discharge_mw,
        width_mw=bus.use_width_mw,
        pue_ratio={
            load_of(model.site, use.kind.value, use.load): ratio
            for use, ratio in zip(model.uses, pue_ratio, strict=True)
        },
    )


def _net_firm_mw(model: SiteModel, drawn: Drawn, pue_ratio: list[float]) -> float:
    """Load at the bus that no block is, less output: the meter less what flexible machines draw above idle."""
    idle_mw = _idle_mw(model)
    ratio_of = {
        load_of(model.site, use.kind.value, use.load): ratio for use, ratio in zip(model.uses, pue_ratio, strict=True)
    }
    used_mw = sum(
        max(0.0, drawn.load_mw.get(name, 0.0) - idle_mw.get(name, 0.0)) * ratio for name, ratio in ratio_of.items()
    )
    return drawn.site_mw - drawn.battery_mw - used_mw


def _as_metered(model: SiteModel, bus: Bus, drawn: Drawn, pue_ratio: list[float], output_mw: float | None) -> Bus:
    """The bus with what services ask for and what generators give now, where that is known, instead of forecasts."""
    left_mw = {name: max(0.0, mw - _idle_mw(model).get(name, 0.0)) for name, mw in drawn.wanted_mw.items()}
    width_mw = list(bus.use_width_mw)
    for i, (use, ratio) in enumerate(zip(model.uses, pue_ratio, strict=True)):
        name = load_of(model.site, use.kind.value, use.load)
        if name in left_mw:
            it_mw = min(use.it_max_mw, left_mw[name])
            left_mw[name] -= it_mw
            width_mw[i] = it_mw * ratio
    bus = msgspec.structs.replace(bus, use_width_mw=tuple(width_mw))
    if output_mw is None:
        return bus
    capacity_mw = model.source_capacity_mw[:, 0].tolist()
    ratio = min(1.0, output_mw / sum(capacity_mw))
    return msgspec.structs.replace(
        bus,
        source_max_mw=tuple(ratio * mw for mw in capacity_mw),
        source_min_mw=tuple(min(low, ratio * mw) for low, mw in zip(bus.source_min_mw, capacity_mw, strict=True)),
    )


def _bus(model: SiteModel, problem: Problem, sight: Sight, setpoints: Setpoints, firm_mw: float) -> Bus:
    width_mw = problem.use_max_mw[:, 0].tolist()
    if problem.terms is not None and len(problem.terms.feeder_room_mw):
        width_mw = behind_feeders(
            setpoints,
            problem.terms.use_max_mw[:, 0].tolist(),
            feeder_of_uses(model).tolist(),
            problem.terms.feeder_room_mw[:, 0].tolist(),
        )
    battery, hours = model.site.battery, model.site.control_step_s / 3600.0
    room = {"charge_max_mw": 0.0, "discharge_max_mw": 0.0, "charge_room_mw": 0.0, "discharge_room_mw": 0.0}
    round_trip_ratio = 1.0
    if battery is not None:
        into, out = battery.charge_efficiency_ratio, battery.discharge_efficiency_ratio
        round_trip_ratio = into * out
        room = {
            "charge_max_mw": battery.charge_max_mw,
            "discharge_max_mw": battery.discharge_max_mw,
            "charge_room_mw": max(0.0, battery.stored_max_mwh - sight.stored_mwh) / (into * hours),
            "discharge_room_mw": max(0.0, sight.stored_mwh - battery.stored_min_mwh) * out / hours,
        }
    return Bus(
        firm_mw=firm_mw,
        use_width_mw=tuple(width_mw),
        use_is_mining=tuple(use.kind is UseKind.MINING for use in model.uses),
        source_min_mw=tuple(problem.source_min_mw[:, 0].tolist()),
        source_max_mw=tuple(problem.source_max_mw[:, 0].tolist()),
        source_cost_ccy_per_mwh=tuple(problem.source_cost_ccy_per_mwh[:, 0].tolist()),
        round_trip_ratio=round_trip_ratio,
        **room,
    )


def _load_mw(model: SiteModel, pue_ratio: list[float], flows: Flows, bus: Bus) -> dict[str, float]:
    """IT power of each load; a block that may take all it can get is left at its full: demand comes as it comes."""
    target_mw = dict(_idle_mw(model))
    for use, mw, width_mw, ratio in zip(model.uses, flows.use_mw, bus.use_width_mw, pue_ratio, strict=True):
        name = load_of(model.site, use.kind.value, use.load)
        it_mw = use.it_max_mw if mw >= width_mw - SLACK_MW else mw / ratio
        target_mw[name] = target_mw.get(name, 0.0) + it_mw
    return target_mw


def _idle_mw(model: SiteModel) -> Mapping[str, float]:
    """IT power that each flexible load draws with nothing to do, MW."""
    site = model.site
    flexible = {load_of(site, use.kind.value, use.load) for use in model.uses}
    idle = {each.name: each.idle_ratio * each.it_mw for each in site.leases if each.name in flexible}
    return idle | {each.name: each.idle_ratio * each.it_max_mw for each in site.inference if each.name in flexible}


def _pue(model: SiteModel, sight: Sight) -> list[float]:
    """PUE of each block's cooling at the temperature expected now."""
    starts_s = np.array([sight.now_s], np.int64)
    outlook = expected(model, sight.inputs, sight.now_s, starts_s, np.array([model.site.control_step_s / 3600.0]))
    by_use: list[float] = pue_of(model, outlook.temp_c)[model.cooling, 0].tolist()
    return by_use

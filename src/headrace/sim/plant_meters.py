"""Units that follow orders at once, what they burn, and the firm load each feeder could serve."""

from typing import Final

import numpy as np

from headrace.control.govern import Flows
from headrace.control.setpoints import UnitOrder
from headrace.dispatch.plant_feeders import feeder_of_loads
from headrace.dispatch.plant_terms import source_row
from headrace.dispatch.problem import Problem
from headrace.dispatch.uses import SiteModel
from headrace.settlement.plant import UnitMeter

__all__ = ["PlantDevices"]

MJ_PER_GJ: Final = 1000.0


class PlantDevices:
    """A site's units and feeders in a simulated world.

    Parameters
    ----------
    model
        The site.
    truth
        What really came, on the control grid.
    """

    def __init__(self, model: SiteModel, truth: Problem) -> None:
        plant = model.site.plant
        self._units = () if plant is None else plant.units
        self._rows = [source_row(model, unit) for unit in self._units]
        self._hours = model.site.control_step_s / 3600.0
        self._step_s = model.site.control_step_s
        self._feeder_of = feeder_of_loads(model.site)
        has_feeders = plant is not None and bool(plant.feeders) and truth.terms is not None
        self._shed_mw = np.ascontiguousarray(truth.terms.feeder_shed_mw.T) if has_feeders and truth.terms else None
        self._served = None if self._shed_mw is None else self._shares(truth)

    def limit(self, orders: tuple[UnitOrder, ...], least_mw: list[float], most_mw: list[float]) -> None:
        """Set each unit's output limits to what its order leaves, in place."""
        for unit, row, order in zip(self._units, self._rows, orders, strict=True):
            most_mw[row] = most_mw[row] if order.is_ready else 0.0
            least_mw[row] = min(unit.minimum_mw, most_mw[row])

    def burnt(self, orders: tuple[UnitOrder, ...], flows: Flows) -> tuple[UnitMeter, ...]:
        """Read every unit's meters."""
        meters = []
        for unit, row, order in zip(self._units, self._rows, orders, strict=True):
            work_gj = unit.fuel_gj_per_mwh * flows.source_mw[row] * self._hours
            work_gj += unit.no_load_gj_per_h * self._hours if order.is_ready and flows.source_mw[row] > 0.0 else 0.0
            start_gj = unit.start_gj if order.is_start else 0.0
            meters.append(
                UnitMeter(
                    fuel_mj=round((work_gj + start_gj) * MJ_PER_GJ),
                    starts=int(order.is_start),
                    run_s=self._step_s if order.is_on else 0,
                )
            )
        return tuple(meters)

    def shed_mw(self, step: int) -> float:
        """Firm load that feeders could not carry."""
        return 0.0 if self._shed_mw is None else float(self._shed_mw[step].sum())

    def served_ratio(self, step: int, load: str) -> float:
        """Share of a load's firm power that its feeder carried."""
        feeder = self._feeder_of.get(load)
        return 1.0 if self._served is None or feeder is None else float(self._served[step, feeder])

    def _shares(self, truth: Problem) -> np.ndarray:
        assert truth.terms is not None
        shed_mw, firm_mw = truth.terms.feeder_shed_mw, truth.terms.feeder_firm_mw
        return np.ascontiguousarray(
            (1.0 - np.divide(shed_mw, firm_mw, out=np.zeros_like(shed_mw), where=firm_mw > 0)).T
        )

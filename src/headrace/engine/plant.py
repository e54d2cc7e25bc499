"""What plant was in force on the control grid: import and export limits, and what fuel cost."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import micro
from headrace.dispatch.asked import Asked
from headrace.dispatch.plant_terms import export_in_force, fuel_prices, import_in_force, source_row
from headrace.dispatch.problem import Problem
from headrace.dispatch.uses import SiteModel
from headrace.settlement.metering import MeteredInterval

__all__ = ["PlantTruth", "plant_columns", "plant_truth"]

Floats = NDArray[np.float64]

MJ_PER_GJ: Final = 1000.0


class PlantTruth(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Plant as it really was over a period."""

    import_max_mw: Floats
    """Import limit in force, shape (T,)."""
    export_max_mw: Floats
    """Export limit in force, shape (T,)."""
    uncurtailed_max_mw: Floats
    """Import limit as it would be without curtailment, shape (T,)."""
    fuel_ccy_per_gj: Floats
    """Price of each unit's fuel, shape (U, T)."""

    def fuel_micro_per_gj(self, step: int) -> tuple[int, ...]:
        """Price of each unit's fuel in one control step, micro-units per GJ."""
        return tuple(micro(price) for price in self.fuel_ccy_per_gj[:, step].tolist())


def plant_truth(model: SiteModel, asked: Asked) -> PlantTruth | None:
    """Lay a site's plant on the steps of an outlook, with hindsight; None without plant."""
    plant, connection = model.site.plant, model.site.connection
    if plant is None:
        return None
    steps = len(asked.outlook.starts_s)
    return PlantTruth(
        import_max_mw=import_in_force(plant, asked, np.full(steps, connection.import_max_mw)),
        export_max_mw=export_in_force(plant, asked, np.full(steps, connection.export_max_mw)),
        uncurtailed_max_mw=import_in_force(
            msgspec.structs.replace(plant, non_firm=None), asked, np.full(steps, connection.import_max_mw)
        ),
        fuel_ccy_per_gj=fuel_prices(model, asked.inputs, None, asked.outlook.starts_s),
    )


def plant_columns(
    model: SiteModel, truth: PlantTruth | None, problem: Problem, meters: list[MeteredInterval]
) -> dict[str, object]:
    """Columns of a run's intervals that plant adds; none without plant."""
    plant = model.site.plant
    if plant is None or truth is None:
        return {}
    columns: dict[str, object] = {
        "import_max_mw": truth.import_max_mw,
        "export_max_mw": truth.export_max_mw,
        "uncurtailed_max_mw": truth.uncurtailed_max_mw,
    }
    for u, unit in enumerate(plant.units):
        name = unit.generator
        columns[f"cost:{name}"] = problem.source_cost_ccy_per_mwh[source_row(model, unit)]
        columns[f"fuel:{name}_gj"] = [each.units[u].fuel_mj / MJ_PER_GJ for each in meters]
        columns[f"starts:{name}"] = [each.units[u].starts for each in meters]
        columns[f"run:{name}_s"] = [each.units[u].run_s for each in meters]
    return columns

"""Between the records and the compiled kernel: a problem as its arrays, a plan from the kernel's rows."""

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.plan import Plan
from headrace.dispatch.problem import Problem
from headrace.energy import Battery

__all__ = ["NO_BATTERY", "NO_CAP", "KernelArgs", "battery_row", "kernel_args", "plan_from_rows"]

Floats = NDArray[np.float64]

KernelArgs = tuple[
    Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, float, float
]
"""Leading arguments of `headrace.dispatch.kernel.whole.solve_problem`."""

NO_BATTERY = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0])
"""Battery row of a site without one."""
NO_CAP = np.empty(0)
"""No second import tier."""


def battery_row(battery: Battery | None) -> Floats:
    """Battery as the kernel takes it: (c̄, d̄, η_c, η_d, wear, s_min, s_max)."""
    if battery is None:
        return NO_BATTERY
    return np.array(
        (
            battery.charge_max_mw,
            battery.discharge_max_mw,
            battery.charge_efficiency_ratio,
            battery.discharge_efficiency_ratio,
            battery.wear_ccy_per_mwh,
            battery.stored_min_mwh,
            battery.stored_max_mwh,
        )
    )


def kernel_args(problem: Problem) -> KernelArgs:
    """Arrays of a problem in the kernel's order, contiguous float64 (one compiled version serves all)."""
    row = np.ascontiguousarray
    battery = problem.battery
    start_mwh = 0.0
    if battery is not None:  # a meter's or a simulation's rounding may lie just outside the limits
        start_mwh = float(min(max(problem.stored_mwh, battery.stored_min_mwh), battery.stored_max_mwh))
    return (
        row(problem.step_h),
        row(problem.import_cost_ccy_per_mwh),
        row(problem.export_value_ccy_per_mwh),
        row(problem.import_max_mw),
        row(problem.export_max_mw),
        row(problem.firm_mw),
        row(problem.use_value_ccy_per_mwh),
        row(problem.use_max_mw),
        row(problem.source_cost_ccy_per_mwh),
        row(problem.source_min_mw),
        row(problem.source_max_mw),
        battery_row(battery),
        start_mwh,
        0.0 if battery is None else float(problem.end_value_ccy_per_mwh),
    )


def plan_from_rows(problem: Problem, objective_ccy: float, rows: Floats, stored_mwh: Floats, peak_mw: Floats) -> Plan:
    """Plan from what `solve_problem` returns."""
    uses = len(problem.use_names)
    grid = uses + len(problem.source_names)
    return Plan(
        objective_ccy=objective_ccy,
        import_mw=rows[grid + 1],
        export_mw=rows[grid],
        use_mw=rows[:uses],
        source_mw=rows[uses:grid],
        charge_mw=rows[grid + 2],
        discharge_mw=rows[grid + 3],
        stored_mwh=stored_mwh,
        bid_ccy_per_mwh=rows[grid + 4],
        ask_ccy_per_mwh=rows[grid + 5],
        peak_mw=peak_mw,
    )

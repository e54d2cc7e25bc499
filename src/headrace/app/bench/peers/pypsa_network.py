"""PyPSA, as its users drive it: one network per window, built, solved with HiGHS through the direct interface.

Flexible loads are generators of sign −1, the battery is a storage unit; the end value of stored energy is a term added
to the objective, as PyPSA has no field for it.
"""

import logging
import warnings

import numpy as np
import pandas as pd
import pypsa

from headrace.dispatch.problem import Problem

__all__ = ["pypsa_network"]


def pypsa_network(problem: Problem) -> float:
    """Objective of one window, site currency."""
    # PyPSA 1.4 warns about its own coming defaults and logs every build: neither belongs among the figures.
    logging.getLogger("pypsa").setLevel(logging.ERROR)
    logging.getLogger("linopy").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = _network(problem)
        model = network.optimize.create_model()
        stored = model["StorageUnit-state_of_charge"].sel(name="battery").isel(snapshot=-1)
        model.objective += -problem.end_value_ccy_per_mwh * stored
        network.optimize.solve_model(solver_name="highs", io_api="direct", progress=False, threads=1, output_flag=False)
    return -float(network.model.objective.value)


def _network(problem: Problem) -> pypsa.Network:
    battery = problem.battery
    assert battery is not None
    network = pypsa.Network()
    step = pd.Timedelta(hours=float(problem.step_h[0]))
    index = pd.date_range("2024-01-01", periods=problem.steps, freq=step)
    network.set_snapshots(index)
    network.snapshot_weightings = network.snapshot_weightings.astype(float) * float(problem.step_h[0])
    network.add("Bus", "site")

    def series(values: np.ndarray) -> pd.Series:
        return pd.Series(values, index)

    import_max_mw, export_max_mw = float(problem.import_max_mw[0]), float(problem.export_max_mw[0])
    network.add(
        "Generator", "import", bus="site", p_nom=import_max_mw, marginal_cost=series(problem.import_cost_ccy_per_mwh)
    )
    network.add(
        "Generator",
        "export",
        bus="site",
        p_nom=export_max_mw,
        sign=-1,
        marginal_cost=series(-problem.export_value_ccy_per_mwh),
    )
    network.add("Load", "firm", bus="site", p_set=series(problem.firm_mw))
    for n, name in enumerate(problem.use_names):
        widest_mw = float(problem.use_max_mw[n].max())
        network.add(
            "Generator",
            name,
            bus="site",
            sign=-1,
            p_nom=widest_mw,
            p_max_pu=series(problem.use_max_mw[n] / widest_mw),
            marginal_cost=series(-problem.use_value_ccy_per_mwh[n]),
        )
    network.add(
        "StorageUnit",
        "battery",
        bus="site",
        p_nom=battery.discharge_max_mw,
        max_hours=battery.stored_max_mwh / battery.discharge_max_mw,
        efficiency_store=battery.charge_efficiency_ratio,
        efficiency_dispatch=battery.discharge_efficiency_ratio,
        marginal_cost=battery.wear_ccy_per_mwh,
        state_of_charge_initial=problem.stored_mwh,
        cyclic_state_of_charge=False,
    )
    return network

"""What plant did over a run: curtailment and what it cost, units at work, how long a UPS would carry the firm load.

Cost of curtailment: in each interval in which the curtailed limit binds, the uses that went without, best first, up to
the import taken back, at their worth less the price of import there. The battery's moves, and units that ran instead,
are left out; firm load not served is reported apart.
"""

import numpy as np
import polars as pl

from headrace.dispatch.site import Site
from headrace.energy.plant import Plant

__all__ = ["curtailment_ccy", "plant_figures", "ride_through_min"]

CARBON_KG_PER_GJ = {"gas": 56.1, "diesel": 74.1}
"""Carbon dioxide of fuel burnt, kg per GJ (IPCC 2006 Guidelines, volume 2, table 2.2)."""

AT_MW = 1e-3
"""Import this close to its limit is at it."""

Figure = tuple[str, str, float, str, str]
"""Key, name, value, unit, basis."""


def plant_figures(site: Site, frame: pl.DataFrame, step_h: float) -> list[Figure]:
    """Figures of a site's plant over one run; none without plant."""
    plant = site.plant
    if plant is None or "import_max_mw" not in frame.columns:
        return []
    return [
        *_limits(site, plant, frame, step_h),
        *_units(site, plant, frame),
        *_ups(plant, frame),
    ]


def _limits(site: Site, plant: Plant, frame: pl.DataFrame, step_h: float) -> list[Figure]:
    limit_mw = frame["import_max_mw"].to_numpy()
    figures: list[Figure] = []
    if plant.non_firm is not None:
        hours = step_h * float((limit_mw < frame["uncurtailed_max_mw"].to_numpy() - AT_MW).sum())
        foreseen = plant.non_firm.hours_per_year_h
        basis = "import limit below what plant carries" + (
            "" if foreseen is None else f"; {foreseen:g} h a year foreseen"
        )
        cost = curtailment_ccy(site, frame, step_h)
        figures += [
            ("curtailed_h", "non-firm import curtailed", hours, "h", basis),
            ("curtailment_ccy", "cost of curtailment", cost, site.currency.value, "uses without, worth less import"),
        ]
    if plant.transformers or plant.outages:
        reduced_h = step_h * float((frame["uncurtailed_max_mw"] < site.connection.import_max_mw - AT_MW).sum())
        figures.append(
            ("plant_reduced_h", "import below the connection's", reduced_h, "h", "transformers in service carry less")
        )
    return figures


def curtailment_ccy(site: Site, frame: pl.DataFrame, step_h: float) -> float:
    """What curtailment of non-firm import cost a run, site currency."""
    limit_mw, import_mw = frame["import_max_mw"].to_numpy(), frame["import_mw"].to_numpy()
    taken_back_mw = np.where(import_mw >= limit_mw - AT_MW, frame["uncurtailed_max_mw"].to_numpy() - limit_mw, 0.0)
    names = [column.removeprefix("worth:") for column in frame.columns if column.startswith("worth:")]
    if not names or not taken_back_mw.any():
        return 0.0
    import_cost = frame["price"].to_numpy() + site.tariff.import_adder_ccy_per_mwh
    gain = np.array([frame[f"worth:{name}"].to_numpy() for name in names]) - import_cost
    short_mw = np.array([(frame[f"want:{name}_mw"] - frame[f"use:{name}_mw"]).to_numpy() for name in names])
    order = np.argsort(-gain, axis=0, kind="stable")
    gain, short_mw = np.take_along_axis(gain, order, axis=0), np.take_along_axis(short_mw.clip(0.0), order, axis=0)
    before_mw = np.cumsum(short_mw, axis=0) - short_mw
    filled_mw = np.clip(taken_back_mw - before_mw, 0.0, short_mw)
    return float((filled_mw * gain.clip(0.0)).sum() * step_h)


def _units(site: Site, plant: Plant, frame: pl.DataFrame) -> list[Figure]:
    figures: list[Figure] = []
    kinds = {each.name: each.kind for each in site.generators}
    for unit in plant.units:
        name, key = unit.generator, unit.generator.replace(" ", "_")
        run_h = float(frame[f"run:{name}_s"].sum()) / 3600.0
        permit = "no permit limit" if unit.run_max_h is None else f"of {unit.run_max_h:g} h a year"
        fuel_gj = float(frame[f"fuel:{name}_gj"].sum())
        factor = CARBON_KG_PER_GJ[kinds[name]]
        figures += [
            (f"run_h:{key}", f"{name}: hours at work", run_h, "h", permit),
            (f"starts:{key}", f"{name}: starts", float(frame[f"starts:{name}"].sum()), "", "commanded"),
            (f"fuel_gj:{key}", f"{name}: fuel", fuel_gj, "GJ", "fuel meter"),
            (
                f"fuel_carbon_t:{key}",
                f"{name}: carbon of fuel",
                fuel_gj * factor / 1000.0,
                "t CO₂",
                f"{factor:g} kg/GJ of {kinds[name]}, IPCC 2006 default; outside CUE",
            ),
        ]
    return figures


def _ups(plant: Plant, frame: pl.DataFrame) -> list[Figure]:
    if not plant.ups:
        return []
    firm_mw = float(frame["firm_mw"].max() or 0.0)  # type: ignore[arg-type]  # polars types it as any column's maximum
    basis = f"all UPS together, at the highest firm load of {firm_mw:.2f} MW"
    return [("ride_through_min", "UPS ride-through", ride_through_min(plant, firm_mw), "min", basis)]


def ride_through_min(plant: Plant, firm_mw: float) -> float:
    """How long a site's UPS carry its firm load, minutes; 0 where their power is too little."""
    if firm_mw <= 0.0 or sum(each.discharge_max_mw for each in plant.ups) < firm_mw:
        return 0.0
    return 60.0 * sum(each.deliverable_mwh for each in plant.ups) / firm_mw

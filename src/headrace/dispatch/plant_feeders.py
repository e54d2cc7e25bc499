"""Widths that feeders leave to the uses behind them; `headrace.dispatch.plant_terms` proves why this is exact."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.site import Site
from headrace.dispatch.uses import SiteModel, UseKind

__all__ = ["clip_to_feeders", "feeder_of_loads", "feeder_of_uses"]

Floats = NDArray[np.float64]

AT_BUS = -1
"""Stands for no feeder."""


def clip_to_feeders(
    width_mw: Floats, worth_ccy_per_mwh: Floats, room_mw: Floats, feeder_of: NDArray[np.int64]
) -> Floats:
    """Widest each use can be behind its feeder, best first.

    Parameters
    ----------
    width_mw, worth_ccy_per_mwh
        Width and worth of each use, shape (N, T).
    room_mw
        What each feeder leaves, shape (F, T).
    feeder_of
        Feeder of each use, -1 for none, shape (N,).
    """
    clipped = width_mw.copy()
    for f, left_mw in enumerate(room_mw):
        rows = np.flatnonzero(feeder_of == f)
        if not rows.size or (width_mw[rows].sum(axis=0) <= left_mw).all():
            continue
        order = np.argsort(-worth_ccy_per_mwh[rows], axis=0, kind="stable")
        sorted_mw = np.take_along_axis(width_mw[rows], order, axis=0)
        better_mw = np.cumsum(sorted_mw, axis=0) - sorted_mw
        fits_mw = np.minimum(sorted_mw, np.maximum(left_mw - better_mw, 0.0))
        back = np.empty_like(fits_mw)
        np.put_along_axis(back, order, fits_mw, axis=0)
        clipped[rows] = back
    return clipped


def feeder_of_loads(site: Site) -> dict[str, int]:
    """Feeder of each load that has one."""
    plant = site.plant
    return {} if plant is None else {load: f for f, feeder in enumerate(plant.feeders) for load in feeder.loads}


@lru_cache(maxsize=8)
def feeder_of_uses(model: SiteModel) -> NDArray[np.int64]:
    """Feeder of each block, shape (N,)."""
    site, feeder = model.site, feeder_of_loads(model.site)
    names = {
        UseKind.LEASE: [each.name for each in site.leases],
        UseKind.INFERENCE: [each.name for each in site.inference],
        UseKind.MINING: [each.name for each in site.miners],
    }
    return np.array([feeder.get(names[use.kind][use.load], AT_BUS) for use in model.uses], np.int64)

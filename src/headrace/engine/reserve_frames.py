"""Reserve in a run's frame of control intervals, a set of columns per reserve of the site.

reserve:<name>_sold_mw, _held_mw, _called_mw, _delivered_mw, _short_mw
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.site import Site
from headrace.engine.cycle import CycleRecord

__all__ = ["QUANTITIES", "reserve_columns"]

QUANTITIES: Final = ("sold", "held", "called", "delivered", "short")
"""What each reserve has a column of, mean MW."""

WH_PER_MWH: Final = 1e6


def reserve_columns(site: Site, records: list[CycleRecord]) -> dict[str, NDArray[np.float64]]:
    """Columns of every reserve; none where the site declares none."""
    per_mw = site.control_step_s / 3600.0 * WH_PER_MWH
    columns = {
        f"reserve:{reserve.name}_{quantity}_mw": np.zeros(len(records))
        for reserve in site.reserves
        for quantity in QUANTITIES
    }
    for t, record in enumerate(records):
        for line in record.reserve:
            name = site.reserves[line.reserve].name
            values = (line.sold_wh, line.held_wh, line.called_wh, line.delivered_wh, line.short_wh)
            for quantity, wh in zip(QUANTITIES, values, strict=True):
                columns[f"reserve:{name}_{quantity}_mw"][t] = wh / per_mw
    return columns

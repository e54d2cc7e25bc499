"""What contracts, tariffs, plant and sold reserve change in a dispatch problem, laid on its steps.

Each of them speaks through the same few arrays, so the solver needs to know none of them: a coincident peak is a price,
a sold reserve a part of a load that stays on, a transformer out of service a lower limit.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Terms", "neutral"]

Floats = NDArray[np.float64]


class Terms(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Changes on T steps, N uses and M sources, at the bus; contributors write into the arrays."""

    import_adder_ccy_per_mwh: Floats
    """Added to the cost of import, beyond the tariff's own adder, shape (T,)."""
    export_adder_ccy_per_mwh: Floats
    """Added to the value of export, shape (T,)."""
    import_max_mw: Floats
    """Import limit, shape (T,); starts at the connection's."""
    export_max_mw: Floats
    """Export limit, shape (T,)."""
    firm_mw: Floats
    """Further power that must be served, shape (T,)."""
    use_adder_ccy_per_mwh: Floats
    """Added to the worth of each use, shape (N, T)."""
    use_min_mw: Floats
    """Part of each use that stays on, shape (N, T)."""
    use_max_mw: Floats
    """Cap on each use beside its own width, shape (N, T); inf for none. With feeders: the width before them."""
    source_min_mw: Floats
    """Output each source may not go below, beside its own, shape (M, T)."""
    source_max_mw: Floats
    """Cap on each source beside what is available, shape (M, T); inf for none."""
    source_adder_ccy_per_mwh: Floats
    """Added to the cost of each source, shape (M, T): fuel."""
    feeder_room_mw: Floats
    """What each feeder leaves above its firm load, shape (F, T)."""
    feeder_firm_mw: Floats
    """Firm load behind each feeder, shape (F, T)."""
    feeder_shed_mw: Floats
    """Firm load above each feeder's limit, already taken off `firm_mw`, shape (F, T)."""


def neutral(
    *, steps: int, uses: int, sources: int, import_max_mw: float, export_max_mw: float, feeders: int = 0
) -> Terms:
    """Terms that change nothing."""
    return Terms(
        import_adder_ccy_per_mwh=np.zeros(steps),
        export_adder_ccy_per_mwh=np.zeros(steps),
        import_max_mw=np.full(steps, import_max_mw),
        export_max_mw=np.full(steps, export_max_mw),
        firm_mw=np.zeros(steps),
        use_adder_ccy_per_mwh=np.zeros((uses, steps)),
        use_min_mw=np.zeros((uses, steps)),
        use_max_mw=np.full((uses, steps), np.inf),
        source_min_mw=np.zeros((sources, steps)),
        source_max_mw=np.full((sources, steps), np.inf),
        source_adder_ccy_per_mwh=np.zeros((sources, steps)),
        feeder_room_mw=np.full((feeders, steps), np.inf),
        feeder_firm_mw=np.zeros((feeders, steps)),
        feeder_shed_mw=np.zeros((feeders, steps)),
    )

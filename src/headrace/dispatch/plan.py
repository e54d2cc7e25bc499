"""What dispatch answers: a `Plan`, or `Infeasible` with the limits that clash; never an exception."""

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Clash", "Infeasible", "Plan", "Relaxation"]

Floats = NDArray[np.float64]


class Plan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An optimal allocation over the horizon; facility power at the bus, MW, shapes as in `Problem`."""

    objective_ccy: float
    """Value of the problem's objective."""
    import_mw: Floats
    export_mw: Floats
    use_mw: Floats
    """Shape (N, T)."""
    source_mw: Floats
    """Shape (M, T)."""
    charge_mw: Floats
    discharge_mw: Floats
    stored_mwh: Floats
    """s_0..s_T, shape (T+1,)."""
    bid_ccy_per_mwh: Floats
    """Worth of one more MWh at the bus in each step (low end of the marginal value), shape (T,)."""
    ask_ccy_per_mwh: Floats
    """Cost of giving up one MWh at the bus in each step (high end), >= bid; +inf where nothing could give."""
    peak_mw: Floats
    """D_m, shape (M,); empty without a peak charge."""
    peak_gap_ccy: float = 0.0
    """Most by which a better choice of peaks could raise the objective (weak duality); 0 without a peak charge."""


class Relaxation(msgspec.Struct, frozen=True, kw_only=True):
    """One way out of an infeasible problem: relax this limit alone."""

    limit: str
    """What would have to give: "import limit", "firm load", "discharge power", "stored energy", ..."""
    worst_mw: float | None
    """Largest amount by which it would have to give in one step, MW; None, like the next two, if relaxing it alone
    cannot help (an infinite float would not survive the journal)."""
    energy_mwh: float | None
    """Total over the horizon, MWh."""
    cost_ccy: float | None
    """What the plan loses against no shortage at all: energy bought above the limit, firm load not served ..."""


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Where the limits meet: the first step that cannot be served, in words and figures."""

    step: int
    """Step index t."""
    need_mw: float
    """Power that must be served there."""
    have_mw: float
    """Most that import, generation and battery can give there."""
    limits: tuple[str, ...]
    """The limits that bind there."""


class Infeasible(msgspec.Struct, frozen=True, kw_only=True):
    """No plan serves the firm load within the limits."""

    clash: Clash
    relaxations: tuple[Relaxation, ...]
    """Each limit with the cost of relaxing it, cheapest first."""

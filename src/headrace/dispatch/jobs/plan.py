"""What the fluid problem of batch jobs answers."""

from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.plan import Plan

__all__ = ["JobPlan", "Method"]

Floats = NDArray[np.float64]


class Method(StrEnum):
    """How a plan was found."""

    NETWORK = "network simplex"
    LINEAR_PROGRAMME = "linear programme"
    """HiGHS: for a peak charge, which is no network column, and wherever the network's own certificate failed."""


class JobPlan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An optimal fluid plan of a site and its jobs."""

    window: JobWindow
    core: Plan
    """The site around the jobs: a plan of the problem whose firm load includes their draw. Its bid and ask hold with
    the jobs' powers as planned; `price_ccy_per_mwh` lies between them."""
    objective_ccy: float
    """Value of the whole objective: the site's, less undone work and lateness."""
    power_mw: Floats
    """IT power of each job in each of its steps, as `JobWindow.power_max_mw`, shape (P,)."""
    unserved_mwh: Floats
    """Work left undone, shape (J,)."""
    draw_mw: Floats
    """IT power of each cluster, shape (K, T)."""
    worth_ccy_per_mwh: Floats
    """μ: worth of one more MWh of each job's work done, at the machines, shape (J,)."""
    bid_ccy_per_mwh: Floats
    """What each job would pay for one more MWh at the bus in the first step: μ / PUE, shape (J,)."""
    price_ccy_per_mwh: Floats
    """Worth of a MWh at the bus, one dual of an interval, shape (T,)."""
    rent_ccy_per_mwh: Floats
    """What a MWh of room in each cluster would be worth beyond its energy, >= 0, shape (K, T)."""
    method: Method
    pivots: int
    """Pivots of the network simplex, 0 without it."""
    gap_ratio: float
    """Primal less dual objective, per the objective: how far from the optimum the plan can be at most."""
    residual_mw: float
    """Largest violation of a row or bound, MW (MWh in the rows of energy)."""

    @property
    def job_mw(self) -> Floats:
        """IT power of each job in every step, shape (J, T)."""
        dense = np.zeros((self.window.jobs, self.window.steps))
        dense[self.window.job_of_power, self.window.step_of_power] = self.power_mw
        return dense

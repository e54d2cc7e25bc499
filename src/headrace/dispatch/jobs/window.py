"""Batch jobs over the steps of one dispatch problem, as arrays.

To the problem of `headrace.dispatch.problem` they add, for every job j, its power p_jt at the machines and its work u_j
that stays undone; for every cluster k, its draw q_kt:

    objective   − Σ_j ν_j u_j − Σ_jt h_t λ_jt p_jt
    bus         firm_t grows by Σ_k PUE_kt q_kt
    cluster     Σ_{j in k} p_jt = q_kt <= q̄_kt
    work        Σ_t h_t p_jt + u_j = E_j
    bounds      0 <= p_jt <= p̄_jt

Any part of a job's power may run in any step: the *fluid* problem. Whole gangs, restarts and minimum runs only narrow
it, so its optimum bounds theirs (`headrace.dispatch.jobs.gangs`).
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["JobWindow"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class JobWindow(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """J jobs on K clusters over T steps; job j may run in a row of steps, its powers a slice of P in all."""

    names: tuple[str, ...]
    """Name of each job, J of them."""
    cluster: Ints
    """Cluster of each job, 0..K-1, shape (J,)."""
    work_mwh: Floats
    """E: IT energy the job still needs within these steps, shape (J,)."""
    value_ccy_per_mwh: Floats
    """ν: what a MWh of work not done in these steps costs, shape (J,)."""
    begin: Ints
    """Job j's powers are entries begin[j] .. begin[j+1]-1 of the arrays of shape (P,); shape (J+1,)."""
    first: Ints
    """First step in which job j may run, shape (J,); its steps follow each other."""
    power_max_mw: Floats
    """p̄: IT power the job may take, less in a step it may use in part only, shape (P,)."""
    late_ccy_per_mwh: Floats
    """λ: cost of a MWh done in this step, beyond its energy (lateness), >= 0, shape (P,)."""
    cluster_max_mw: Floats
    """q̄: IT power of each cluster, shape (K, T)."""
    pue_ratio: Floats
    """PUE of each cluster, shape (K, T)."""

    @property
    def jobs(self) -> int:
        """J."""
        return len(self.work_mwh)

    @property
    def steps(self) -> int:
        """T."""
        return int(self.pue_ratio.shape[1])

    @property
    def job_of_power(self) -> Ints:
        """Job of each entry of `power_max_mw`, shape (P,)."""
        return np.repeat(np.arange(self.jobs), np.diff(self.begin))

    @property
    def step_of_power(self) -> Ints:
        """Step of each entry of `power_max_mw`, shape (P,)."""
        return np.arange(len(self.power_max_mw)) + np.repeat(self.first - self.begin[:-1], np.diff(self.begin))

"""Gangs being placed on a window: what is still free, and what each has been given."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.plan import JobPlan
from headrace.dispatch.kernel.network_gang import FRESH, PAUSED, RUNNING, schedule_gang
from headrace.dispatch.problem import Problem
from headrace.loads.jobs import Job, JobCluster, JobState, lock_s

__all__ = ["UNIT_S", "Board"]

Floats = NDArray[np.float64]

UNIT_S: Final = 900
"""Time in which gangs are planned, seconds; shorter steps count as a whole unit of their own length."""
ROOM_RATIO: Final = 1e-9
"""Room missing for a gang that counts as none, per its own size."""


class Board:
    """Places jobs one at a time at the fluid plan's prices.

    Parameters
    ----------
    problem, fluid
        The site without its jobs, and its fluid plan.
    jobs, states, clusters
        As the plan's window was laid out from.
    """

    def __init__(
        self,
        problem: Problem,
        fluid: JobPlan,
        jobs: Sequence[Job],
        states: Sequence[JobState],
        clusters: Sequence[JobCluster],
    ) -> None:
        window = fluid.window
        self._fluid = fluid
        self._jobs = jobs
        self._states = states
        self._hours = problem.step_h
        self._unit_s = min(UNIT_S, round(float(problem.step_h.min()) * 3600.0))
        self._bus_price = window.pue_ratio * fluid.price_ccy_per_mwh
        self._nodes = np.repeat([[cluster.nodes] for cluster in clusters], problem.steps, axis=1)
        self._it_mw = window.cluster_max_mw.copy()
        self._bus_mw = np.maximum(problem.import_max_mw + problem.source_max_mw.sum(axis=0) - problem.firm_mw, 0.0)
        self.power_mw: Floats = np.zeros_like(fluid.power_mw)
        self.work_mwh: Floats = np.zeros(len(jobs))

    def unit_mwh(self, j: int) -> float:
        """Work of one unit of time."""
        return self._jobs[j].power_mw * self._unit_s / 3600.0

    def short_mwh(self, j: int) -> float:
        """Work the job is short of."""
        return float(max(self._fluid.window.work_mwh[j] - self.work_mwh[j], 0.0))

    def cost_ccy(self, j: int) -> float:
        """What a job's times cost: its energy, lateness and undone work."""
        window, at, steps = self._fluid.window, self._at(j), self._steps(j)
        price = self._bus_price[window.cluster[j], steps] + window.late_ccy_per_mwh[at]
        energy = float(price @ (self.power_mw[at] * self._hours[steps]))
        return energy + float(window.value_ccy_per_mwh[j]) * self.short_mwh(j)

    def lift(self, j: int) -> tuple[Floats, float]:
        """Take a job off; returns what `put` takes to put it back."""
        at = self._at(j)
        given = self.power_mw[at].copy(), float(self.work_mwh[j])
        self._take(j, -1)
        self.power_mw[at] = 0.0
        self.work_mwh[j] = 0.0
        return given

    def put(self, j: int, power_mw: Floats, work_mwh: float) -> None:
        """Put a job that is off where it was."""
        self.power_mw[self._at(j)], self.work_mwh[j] = power_mw, work_mwh
        self._take(j, 1)

    def place(self, j: int, rent_ratio: float) -> None:
        """Give a gang that is off its best times among what is free, paying this share of the rent of room."""
        window, job, state = self._fluid.window, self._jobs[j], self._states[j]
        k, steps, at = window.cluster[j], self._steps(j), self._at(j)
        length = np.maximum(np.round(self._hours[steps] * 3600.0 / self._unit_s), 1.0)
        units = np.floor(window.power_max_mw[at] / job.power_mw * length + 1e-6).astype(np.int64)
        per_unit = self.unit_mwh(j)
        price = self._bus_price[k, steps] + rent_ratio * self._fluid.rent_ccy_per_mwh[k, steps]
        locked = self._units(lock_s(job, state))
        # A gang that must run on does so even where its plan could leave all the rest for after the window.
        need = max(int(np.ceil(window.work_mwh[j] / per_unit - 1e-9)), locked)
        lost, restart = job.checkpoint_interval_s // (2 * self._unit_s), self._units(job.restart_s)
        busy = np.zeros(len(units), np.int64)
        left = schedule_gang(
            units,
            np.full(len(units), window.value_ccy_per_mwh[j] * per_unit),
            (price + window.late_ccy_per_mwh[at]) * per_unit,
            self._is_open(j, units, length),
            need,
            RUNNING if state.is_running else PAUSED if state.drawn_mwh > 0.0 else FRESH,
            locked,
            self._units(int(np.ceil(state.restart_left_s))),
            restart,
            self._units(job.min_run_s),
            float(job.idle_ratio * per_unit * price.mean()) if len(price) else 0.0,
            lost,
            float((restart + lost) * per_unit * window.value_ccy_per_mwh[j]),
            busy,
        )
        self.power_mw[at] = busy / length * job.power_mw
        self.work_mwh[j] = min((need - left) * per_unit, window.work_mwh[j])
        self._take(j, 1)

    def pour(self, j: int) -> None:
        """Give a malleable job that is off its fluid power as far as it fits."""
        steps, at = self._steps(j), self._at(j)
        free_mw = np.maximum(self._it_mw[self._fluid.window.cluster[j], steps], 0.0)
        self.power_mw[at] = np.minimum(self._fluid.power_mw[at], free_mw)
        self.work_mwh[j] = float((self.power_mw[at] * self._hours[steps]).sum())
        self._take(j, 1)

    def _is_open(self, j: int, units: NDArray[np.int64], length: Floats) -> NDArray[np.bool_]:
        """Steps in which the gang's nodes and power are free."""
        window, job, steps = self._fluid.window, self._jobs[j], self._steps(j)
        k, fits = window.cluster[j], job.power_mw * (1.0 - ROOM_RATIO)
        is_open = (self._nodes[k, steps] >= job.nodes) & (self._it_mw[k, steps] >= fits) & (units > 0)
        is_open &= self._bus_mw[steps] >= fits * window.pue_ratio[k, steps]
        if len(units) and window.first[j] == 0 and units[0] < length[0]:
            is_open[0] = False  # released within this step: it starts with the next
        return is_open

    def _units(self, time_s: int) -> int:
        return -(-time_s // self._unit_s)

    def _at(self, j: int) -> slice:
        return slice(int(self._fluid.window.begin[j]), int(self._fluid.window.begin[j + 1]))

    def _steps(self, j: int) -> slice:
        at, first = self._at(j), int(self._fluid.window.first[j])
        return slice(first, first + at.stop - at.start)

    def _take(self, j: int, sign: int) -> None:
        """Take a job's nodes and power (sign 1), or give them back (-1)."""
        job, k, steps = self._jobs[j], self._fluid.window.cluster[j], self._steps(j)
        power_mw = self.power_mw[self._at(j)]
        if not job.is_malleable:
            runs = power_mw > 0.0
            self._nodes[k, steps] -= sign * job.nodes * runs
            power_mw = np.where(runs, job.power_mw, 0.0)
        self._it_mw[k, steps] -= sign * power_mw
        self._bus_mw[steps] -= sign * power_mw * self._fluid.window.pue_ratio[k, steps]

"""Batch jobs of the reference campus: random arrivals from a stated seed.

A 20 MW cluster of 8-GPU nodes. A job's time from release to deadline is uniform in 6 to 48 h, its power in 1 to 8 MW,
its work 15 to 70 % of that power over that time, its value 120 to 700 USD per MWh of work; powers and works are then
scaled to a stated share of the cluster (eight jobs a day come to about 85 % unscaled). Releases are uniform over the
period, on full control steps. Seed 5 of NumPy's default generator draws them.

A node draws 10.2 kW, the rated maximum of an NVIDIA DGX H100 (datasheet, 2023). Restart (10 minutes), least run (1 h)
and checkpoints (every 30 minutes, one minute each) are assumptions of this bench.
"""

from typing import Final

import numpy as np

from headrace.loads.jobs import Job, JobCluster

__all__ = ["ARRIVALS_SEED", "CLUSTER", "arrivals"]

ARRIVALS_SEED: Final = 5
NODE_MW: Final = 0.0102
CLUSTER_MW: Final = 20.0
WINDOW_H: Final = (6.0, 48.0)
POWER_MW: Final = (1.0, 8.0)
FILL_RATIO: Final = (0.15, 0.7)
VALUE_USD_PER_MWH: Final = (120.0, 700.0)
RESTART_S: Final = 600
MIN_RUN_S: Final = 3600
CHECKPOINT_INTERVAL_S: Final = 1800
CHECKPOINT_S: Final = 60

CLUSTER: Final = JobCluster(name="batch", it_max_mw=CLUSTER_MW, nodes=int(CLUSTER_MW / NODE_MW), cooling="campus")


def arrivals(
    *, days: int, jobs_per_day: float, cluster_ratio: float, step_s: int, start_s: int, is_malleable: bool
) -> tuple[Job, ...]:
    """Draw the jobs of a period, by release.

    Parameters
    ----------
    days, jobs_per_day
        Length of the period and mean arrivals.
    cluster_ratio
        Share of the cluster's energy that all work takes: every power and work is scaled to it.
    step_s, start_s
        Control step, and start of the period, epoch seconds.
    is_malleable
        Whether they take any power, or are gangs of whole nodes; the same jobs otherwise.
    """
    generator = np.random.default_rng(ARRIVALS_SEED)
    count, steps = round(days * jobs_per_day), days * 86_400 // step_s
    hours = generator.uniform(*WINDOW_H, count)
    length = np.maximum(1, np.round(hours * 3600.0 / step_s).astype(int))
    release = np.floor(generator.uniform(0, steps - length + 1)).astype(int)
    power = generator.uniform(*POWER_MW, count)
    work = power * length * (step_s / 3600.0) * generator.uniform(*FILL_RATIO, count)
    value = generator.uniform(*VALUE_USD_PER_MWH, count)
    scale = CLUSTER_MW * days * 24.0 * cluster_ratio / float(work.sum())
    work, power = work * scale, power * scale
    nodes = np.maximum(1, np.round(power / NODE_MW)).astype(int)
    order = np.argsort(release, kind="stable")
    return tuple(
        Job(
            name=f"job {n}",
            cluster=CLUSTER.name,
            release_s=start_s + int(release[i]) * step_s,
            deadline_s=start_s + int(release[i] + length[i]) * step_s,
            work_mwh=float(work[i]),
            power_mw=float(nodes[i] * NODE_MW),
            nodes=int(nodes[i]),
            value_ccy=float(value[i] * work[i]),
            is_malleable=is_malleable,
            checkpoint_interval_s=CHECKPOINT_INTERVAL_S,
            checkpoint_s=CHECKPOINT_S,
            restart_s=RESTART_S,
            min_run_s=MIN_RUN_S,
        )
        for n, i in enumerate(order)
    )

"""Random jobs on random dispatch problems, each from its own seed."""

import numpy as np

from dispatch_cases import random_problem
from headrace.dispatch.jobs.window import JobWindow


def random_window(seed, problem, jobs_max=40):
    """Jobs of any length on one to three clusters: ties, lateness, closed steps, work that cannot be done."""
    rng = np.random.default_rng((seed, 1))
    steps, clusters = problem.steps, int(rng.integers(1, 4))
    jobs = int(rng.integers(0, jobs_max))
    first = rng.integers(0, steps, jobs)
    last = np.minimum(steps, first + rng.integers(1, steps + 1, jobs))
    lengths = last - first
    begin = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    job = np.repeat(np.arange(jobs), lengths)
    step = np.arange(begin[-1]) - np.repeat(begin[:-1] - first, lengths)
    widest = rng.choice([1.0, 4.0, rng.uniform(0.5, 10.0)], jobs)
    power = widest[job] * rng.choice([1.0, 1.0, 1.0, 0.5, 0.0], len(job))
    able = np.bincount(job, power * problem.step_h[step], jobs)
    late = np.where(rng.random(jobs)[job] < 0.3, rng.choice([2.0, 9.0]) * np.maximum(step - first[job] - 3, 0), 0.0)
    value = rng.choice([60.0, 150.0, 300.0, rng.uniform(-20.0, 700.0)], jobs)
    return JobWindow(
        names=tuple(f"job {j}" for j in range(jobs)),
        cluster=rng.integers(0, clusters, jobs),
        work_mwh=able * rng.choice([0.2, 0.5, 1.0, 1.3], jobs),
        value_ccy_per_mwh=value,
        begin=begin,
        first=first.astype(np.int64),
        power_max_mw=power,
        late_ccy_per_mwh=late,
        cluster_max_mw=rng.uniform(0.0, 20.0, (clusters, 1)) * rng.choice([1.0, 1.0, 0.5], (clusters, steps)),
        pue_ratio=rng.uniform(1.0, 1.35, (clusters, steps)),
    )


def random_case(seed, steps_max=120, jobs_max=40):
    """(problem, its jobs)."""
    problem = random_problem(seed, steps_max)
    return problem, random_window(seed, problem, jobs_max)

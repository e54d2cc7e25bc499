"""A virtual Slurm cluster for tests, started once a module; skips with the reason where that is impossible."""

import pytest

from headrace.adapters.schedulers.slurm import SlurmLimits, SlurmScheduler
from headrace.sim.slurm import PARTITIONS, SlurmCluster, why_no_slurm

TIERS = {name: f"tier{i}" for i, name in enumerate(PARTITIONS[1:], 1)}
LOOP = "#!/bin/sh\nwhile :; do sleep 0.2; done\n"


def started(tmp_path_factory, *, nodes):
    """Use as the body of a module's fixture."""
    if reason := why_no_slurm():
        pytest.skip(reason)
    with SlurmCluster(tmp_path_factory.mktemp("slurm"), nodes=nodes) as cluster:
        yield cluster


def scheduler_of(cluster, **limits):
    return SlurmScheduler(
        name="virtual", tier_of_partition=TIERS, env=cluster.env, limits=SlurmLimits(**limits) if limits else None
    )


def submit(cluster, script=LOOP, *, partition="flex1", gpus=1, options=()):
    return cluster.submit(script, "-p", partition, "-N1", f"--gres=gpu:{gpus}", *options)


def states(cluster):
    rows = cluster.run("squeue", "-h", "-o", "%A %T").split()
    return dict(zip(rows[::2], rows[1::2], strict=True))

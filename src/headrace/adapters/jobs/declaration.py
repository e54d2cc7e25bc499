"""A job list as the site file declares it, beside the records it becomes."""

import msgspec

__all__ = ["JobList"]


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """A file of jobs and the terms they run under, checked at the door."""

    cluster: str
    """Name of the cluster they are submitted to."""
    file: str
    """Path under the data folder, or "sample:" and a file of the embedded sample."""
    start_s: int
    """What the file's offsets count from, epoch seconds."""
    gpu_mw: float
    """IT power of one GPU at work, MW."""
    gpus_per_node: int
    """GPUs in each node of the cluster."""
    value_ccy_per_gpu_h: float
    """Worth of a GPU-hour of work done in time."""
    slack_ratio: float
    """Time beyond its duration that a job may take, per duration, where the file gives no deadline."""
    slack_least_s: int
    """The same, at least, seconds."""
    lateness_ccy_per_gpu_h: float
    """Lost per GPU and hour after the deadline."""
    is_malleable: bool
    """Takes any power up to its own."""
    checkpoint_interval_s: int
    """Work between two checkpoints, seconds; 0 if a stop loses nothing."""
    checkpoint_s: int
    """Time that writing one takes, seconds."""
    restart_s: int
    """Time at full power that a start after a stop takes, seconds."""
    min_run_s: int
    """Least time it is left running, seconds."""
    idle_ratio: float
    """Share of its power it draws while paused."""

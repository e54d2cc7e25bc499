"""Tables of the site file that say which batch jobs run, and where."""

from typing import Annotated

from pydantic import Field

from headrace.adapters.sitefile.fields import Count, Flag, Fraction, Magnitude, Name, PositiveMagnitude, Section
from headrace.adapters.sitefile.moment import Moment

__all__ = ["JobClusterSection", "JobListSection"]

Minutes = Annotated[Magnitude, Field(le=10_080.0)]
"""Minutes of a week, 0 to 10,080."""


class JobClusterSection(Section):
    """Accelerators that batch jobs share; nodes no job holds are off."""

    name: Name
    """Name unique at the site."""
    nodes: Count
    """Nodes installed."""
    gpus_per_node: Count
    """GPUs in each."""
    kw_per_gpu: PositiveMagnitude
    """IT power per GPU at work, its share of server and network included, kW."""
    idle_ratio: Fraction
    """Share of its power a paused job's GPUs draw."""
    cooling: str
    """Name of its cooling."""


class JobListSection(Section):
    """A list of jobs that are submitted to one cluster, and the terms they run under."""

    cluster: str
    """Name of the [[job_cluster]]."""
    file: Annotated[str, Field(min_length=1)]
    """CSV or Parquet under the data folder with submit_offset_s, nodes, gpus, duration_s and, if it likes,
    deadline_offset_s; "sample:ai_jobs.csv" comes with the package."""
    start: Moment
    """When the list begins: its offsets count from here. A date, or a time with its offset."""
    value_ccy_per_gpu_h: Magnitude
    """Worth of a GPU-hour of work done in time."""
    slack_ratio: Magnitude = 1.0
    """Time beyond its duration that a job without a deadline of its own may take, per duration."""
    slack_least_h: Magnitude = 4.0
    """The same, at least, hours."""
    lateness_ccy_per_gpu_h: Magnitude = 0.0
    """Lost per GPU and hour after the deadline; 0 for a deadline after which the work is worthless."""
    malleable: Flag = False
    """Takes any power; the keys below do not concern it."""
    checkpoint_interval_min: Minutes = 0.0
    """Work between two checkpoints, minutes; 0 if a stop loses nothing."""
    checkpoint_min: Minutes = 0.0
    """Time that writing one takes, minutes."""
    restart_min: Minutes = 0.0
    """Time at full power that a start after a stop takes before work goes on, minutes."""
    min_run_min: Minutes = 0.0
    """Once started it is left running for at least this long, minutes."""

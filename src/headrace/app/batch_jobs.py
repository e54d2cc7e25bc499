"""Batch jobs in a replay: reading their lists, their part of the inputs' digest, and the bound beside them."""

from pathlib import Path

import msgspec

from headrace.adapters.jobs.read import read_jobs
from headrace.adapters.sitefile import LoadedSite
from headrace.core import Interval, content_id
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Policy
from headrace.dispatch.policies.jobs_bound import bound_with_jobs
from headrace.dispatch.problem import Problem
from headrace.dispatch.uses import SiteModel
from headrace.engine.truth import Truth
from headrace.loads.jobs import Job

__all__ = ["hindsight_bound", "jobs_of", "with_jobs_digest"]


def jobs_of(loaded: LoadedSite, data_dir: Path | None, window: Interval) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """Jobs of a site in a period, by release, and what a reader must know of them.

    Raises
    ------
    BadInput
        If a list can't be read or holds a job that can't be.
    """
    if not loaded.site.job_clusters:
        return (), ()
    site = loaded.site
    jobs, notes = read_jobs(
        loaded.job_lists, site.job_clusters, data_dir=data_dir, window=window, step_s=site.control_step_s
    )
    if not jobs:
        return jobs, notes
    said = (
        "The bound cuts gangs to any power without loss: no plan with whole gangs and restarts can reach it.",
        "A job is known from its submission on; its duration on record, taken as the work it needs, includes any time "
        "it waited there.",
    )
    return jobs, (*notes, *said)


def with_jobs_digest(digest: str, jobs: tuple[Job, ...]) -> str:
    """Digest of a run's inputs with its jobs."""
    return content_id(digest.encode(), msgspec.json.encode(jobs)) if jobs else digest


def hindsight_bound(model: SiteModel, truth: Truth, problem: Problem, jobs: tuple[Job, ...]) -> Policy | Infeasible:
    """The bound of a site with batch jobs: the fluid optimum of the whole period.

    Parameters
    ----------
    model, truth
        The site and what really came.
    problem
        The whole period without jobs.
    jobs
        Fluid jobs.
    """
    cooling = {each.name: i for i, each in enumerate(model.site.coolings)}
    rows = [cooling[cluster.cooling] for cluster in model.site.job_clusters]
    return bound_with_jobs(
        problem, jobs, model.site.job_clusters, starts_s=truth.outlook.starts_s, pue_ratio=truth.pue[rows]
    )

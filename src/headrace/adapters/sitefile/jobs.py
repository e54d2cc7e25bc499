"""What must fit together in job clusters and lists, and the records made of them."""

from zoneinfo import ZoneInfo

from headrace.adapters.jobs.declaration import JobList
from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.explain import did_you_mean
from headrace.adapters.sitefile.moment import instant
from headrace.adapters.sitefile.schema import SiteFile
from headrace.loads.jobs import JobCluster

__all__ = ["build_job_clusters", "build_job_lists", "job_findings"]


def build_job_clusters(file: SiteFile) -> tuple[JobCluster, ...]:
    """Clusters of a file that has passed every check."""
    return tuple(
        JobCluster(
            name=each.name,
            it_max_mw=each.nodes * each.gpus_per_node * each.kw_per_gpu / 1e3,
            nodes=each.nodes,
            cooling=each.cooling,
            gpu_mw=each.kw_per_gpu / 1e3,
        )
        for each in file.job_cluster
    )


def build_job_lists(file: SiteFile) -> tuple[JobList, ...]:
    """Lists of a file that has passed every check, with what they need of their cluster."""
    zone = ZoneInfo(file.site.time_zone)
    clusters = {each.name: each for each in file.job_cluster}
    return tuple(
        JobList(
            cluster=each.cluster,
            file=each.file,
            start_s=int(instant(each.start, zone).timestamp()),
            gpu_mw=clusters[each.cluster].kw_per_gpu / 1e3,
            gpus_per_node=clusters[each.cluster].gpus_per_node,
            value_ccy_per_gpu_h=each.value_ccy_per_gpu_h,
            slack_ratio=each.slack_ratio,
            slack_least_s=round(each.slack_least_h * 3600.0),
            lateness_ccy_per_gpu_h=each.lateness_ccy_per_gpu_h,
            is_malleable=each.malleable,
            checkpoint_interval_s=round(each.checkpoint_interval_min * 60.0),
            checkpoint_s=round(each.checkpoint_min * 60.0),
            restart_s=round(each.restart_min * 60.0),
            min_run_s=round(each.min_run_min * 60.0),
            idle_ratio=clusters[each.cluster].idle_ratio,
        )
        for each in file.job_list
    )


def job_findings(file: SiteFile) -> Findings:
    """Clusters and lists that contradict each other or the site."""
    coolings = [plant.name for plant in file.cooling]
    clusters = [each.name for each in file.job_cluster]
    if clusters and file.reserve:
        found = "beside [[reserve]]: no bound knows both yet, so no result could say what was left on the table"
        yield Finding(path=("job_cluster", 0), found=found, do="Leave one of them out")
    for i, each in enumerate(file.job_cluster):
        if each.cooling not in coolings:
            do = did_you_mean(each.cooling, coolings) if coolings else "Add a [[cooling]] table with this name"
            found = f'must name a [[cooling]] table, was "{each.cooling}"'
            yield Finding(path=("job_cluster", i, "cooling"), found=found, do=do)
        if each.name in clusters[:i]:
            found = f'is taken: "{each.name}"'
            yield Finding(path=("job_cluster", i, "name"), found=found, do="Choose another name")
    for i, jobs in enumerate(file.job_list):
        if jobs.cluster not in clusters:
            do = did_you_mean(jobs.cluster, clusters) if clusters else "Add a [[job_cluster]] table with this name"
            found = f'must name a [[job_cluster]] table, was "{jobs.cluster}"'
            yield Finding(path=("job_list", i, "cluster"), found=found, do=do)
        if jobs.checkpoint_min > 0.0 and jobs.checkpoint_interval_min == 0.0:
            found = "must be above 0 where writing a checkpoint takes time"
            do = "Give the time between two, or leave checkpoint_min out"
            yield Finding(path=("job_list", i, "checkpoint_interval_min"), found=found, do=do)

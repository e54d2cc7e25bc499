"""Batch jobs on the board's page: what became of them under each policy, and how far that is from the fluid bound."""

from headrace.core import MICRO
from headrace.engine.job_frames import JobFate
from headrace.engine.results import PolicyRun, ReplayResult
from headrace.interfaces.report.margins import headline_run
from headrace.interfaces.report.section import Section, Table
from headrace.interfaces.wording import energy, money, policy_name, share

__all__ = ["job_section"]

LARGEST = 12
"""Jobs shown one by one."""


def job_section(result: ReplayResult) -> Section | None:
    """Section of the page; None at a site without batch jobs."""
    runs = [run for run in result.runs if not run.jobs.is_empty()]
    if not runs:
        return None
    jobs = runs[0].jobs
    value = int(jobs["value"].sum()) / MICRO
    bound = next((run for run in runs if run.policy == "bound"), None)
    currency = result.site.currency.value
    shown = [run for run in runs if run.is_headline] or runs
    return Section(
        key="jobs",
        title="Batch jobs",
        words=(
            f"{jobs.height:,} jobs were submitted and due in the period, worth {money(value, currency)} in all. A job "
            "earns its value in proportion to the work it has saved by its deadline.",
        ),
        tables=(
            Table(
                caption="What became of them",
                columns=(
                    "Policy",
                    "Finished",
                    "Late",
                    "Unfinished",
                    "GPU-hours",
                    "IT energy",
                    "Restarts",
                    "Earned",
                    "Penalties",
                    "Share of value",
                    "Gap of plans",
                    "Margin below bound",
                ),
                rows=tuple(_row(run, bound, value, currency) for run in shown),
                key=frozenset(i for i, run in enumerate(shown) if run is headline_run(result)),
            ),
            _largest(headline_run(result), currency),
        ),
        source="Finished: all work saved by the deadline. GPU-hours: at work, with restarts, checkpoints and work done "
        "twice. Gap of plans: mean of what whole gangs lose at most, per the fluid optimum of the site and its jobs. "
        "Margin below bound: of the whole site, against the fluid bound, which cuts gangs to any power.",
    )


def _row(run: PolicyRun, bound: PolicyRun | None, value_ccy: float, currency: str) -> tuple[str, ...]:
    jobs = run.jobs
    fates = [str(int((jobs["state"] == fate.value).sum())) for fate in JobFate]
    earned, penalties = (int(jobs[name].sum()) / MICRO for name in ("earned", "penalties"))
    return (
        policy_name(run),
        *fates,
        f"{int(jobs['gpu_s'].sum()) / 3600.0:,.0f}",
        energy(int(jobs["it_wh"].sum()) / 1e6),
        f"{int(jobs['restarts'].sum()):,}",
        money(earned, currency),
        money(penalties, currency),
        share((earned - penalties) / value_ccy if value_ccy else None),
        _gap(run),
        "n/a" if bound is None else money(bound.margin_ccy - run.margin_ccy, currency),
    )


def _gap(run: PolicyRun) -> str:
    """Mean gap of a policy's job plans to their fluid optima; empty where it makes none."""
    gaps = run.intervals["jobs_gap_ratio"].drop_nulls().to_numpy()
    return share(float(gaps.mean())) if gaps.size else ""


def _largest(run: PolicyRun, currency: str) -> Table:
    """The jobs worth most, under the headline policy."""
    largest = run.jobs.sort("value", "release", descending=[True, False]).head(LARGEST)
    return Table(
        caption=f"The {largest.height} largest, {policy_name(run)}",
        columns=("Job", "GPUs", "Submitted", "Due", "Finished", "State", "Work saved", "Restarts", "Earned"),
        rows=tuple(
            (
                row["job"],
                "" if row["gpus"] is None else f"{row['gpus']:,}",
                f"{row['release']:%Y-%m-%d %H:%MZ}",
                f"{row['deadline']:%Y-%m-%d %H:%MZ}",
                "" if row["finished"] is None else f"{row['finished']:%Y-%m-%d %H:%MZ}",
                row["state"],
                share(row["saved_ratio"]),
                str(row["restarts"]),
                money(row["earned"] / MICRO, currency),
            )
            for row in largest.iter_rows(named=True)
        ),
        words=frozenset({2, 3, 4, 5}),
        is_folded=True,
    )

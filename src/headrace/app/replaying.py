"""Compose a replay: site file and data folder in, `ReplayResult` out, its journals on disk as it goes."""

import platform
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import LoadedSite
from headrace.app.batch_jobs import hindsight_bound, jobs_of, with_jobs_digest
from headrace.app.folders import file_stem
from headrace.app.inputs import check_period, read_inputs, read_series
from headrace.app.reserves import bound_with_reserve, check_reserve_rules, reserve_notes, selling
from headrace.core import BadInput, ExitCode, HeadraceError, Interval, content_id, iso
from headrace.dispatch.asked import hindsight
from headrace.dispatch.commitment import commit, has_units
from headrace.dispatch.inputs import Inputs, in_time
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import AlwaysOn, Bound, Desk, Policy, Proposal, Rolling, Stochastic
from headrace.dispatch.policies.jobs_bound import as_fluid
from headrace.dispatch.policies.stochastic import why_rolling
from headrace.dispatch.price_state import DAYS_MOST, REFIT_S
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve
from headrace.dispatch.uses import SiteModel, model_of
from headrace.engine.frames import policy_run
from headrace.engine.journal import JournalHeader
from headrace.engine.replay import Tick, run_policy
from headrace.engine.results import PolicyRun, ReplayResult
from headrace.engine.truth import Truth, truth_of
from headrace.loads.jobs import Job, JobState
from headrace.settlement import MeteredInterval, Statement
from headrace.settlement.metering import ControlReading
from headrace.sim.campus import Campus
from headrace.sim.job_cluster import JobClusters

__all__ = [
    "HEADLINE",
    "NO_BOUND",
    "POLICIES",
    "SENSITIVITIES",
    "NoBound",
    "Variant",
    "prepare",
    "replay",
    "with_price_history",
]

HEADLINE: Final = ("always-on", "desk", "rolling", "bound")
"""Policies of every headline, in order."""

POLICIES: Final = ("always-on", "desk", "rolling", "stochastic", "bound")
"""Policies that can be compared, in order."""

SENSITIVITIES: Final = ("rolling, price known", "rolling, no battery", "rolling, hub price")
"""Labelled runs beside the headline; the last only where the site file declares a hub's series."""

PRICE_HISTORY: Final = timedelta(days=DAYS_MOST + 1, seconds=REFIT_S)
"""Prices before the period that a fit of `stochastic` may read, with a day for late publication."""

NO_BOUND: Final = "No bound"
"""How the note begins that says why a replay has none."""

Progress = Callable[[str], Tick]
"""Given a run's label, makes its progress callback."""


class NoBound(HeadraceError):
    """The bound was asked for and does not exist: no plan, even with hindsight, serves the firm load."""

    exit_code = ExitCode.INFEASIBLE


class Variant(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A site in the world one run takes place in."""

    model: SiteModel
    inputs: Inputs
    truth: Truth
    jobs: tuple[Job, ...] = ()
    """Batch jobs submitted and due in the period, by release."""
    notes: tuple[str, ...] = ()
    """What a reader must know of them."""


def prepare(loaded: LoadedSite, feed: RecordedFeed, window: Interval, data_dir: Path | None = None) -> Variant:
    """Read everything a replay of `window` rests on.

    Raises
    ------
    BadInput
        If a series is missing, broken, or does not cover the period.
    """
    check_period(feed, loaded.site, window)
    check_reserve_rules(loaded.site, window)
    inputs = read_inputs(feed, loaded.site, set(loaded.feeds), window)
    model = model_of(loaded.site)
    jobs, notes = jobs_of(loaded, data_dir, window)
    return Variant(model=model, inputs=inputs, truth=truth_of(model, inputs, window), jobs=jobs, notes=notes)


def replay(
    loaded: LoadedSite,
    *,
    data_dir: Path | None,
    window: Interval | None,
    labels: tuple[str, ...],
    journals: Path | None,
    resume: bool,
    progress: Progress,
) -> ReplayResult:
    """Replay a recorded period under several policies.

    Parameters
    ----------
    loaded
        The site file.
    data_dir
        Folder of recorded data; None if the site needs only the embedded sample.
    window
        Period; None takes the site file's own.
    labels
        Runs to make, from `POLICIES` and `SENSITIVITIES`.
    journals
        Folder for one journal a run; None keeps none.
    resume
        Go on where a killed replay stopped.
    progress
        Makes a progress callback for each run.

    Raises
    ------
    BadInput
        If the period or the data can't be used, or a journal can't be written or belongs to another run.
    NoBound
        If there is no run to hand back: the bound alone was asked for and does not exist.
    """
    window = window or loaded.window
    if window is None:
        raise BadInput(str(loaded.path), "no period given", "Add a [replay] table or give --from and --to")
    feed = RecordedFeed(data_dir, loaded.feeds, loaded.site.time_zone)
    base = prepare(loaded, feed, window, data_dir)
    digest = with_jobs_digest(_digest(base.inputs), base.jobs)
    runs: list[PolicyRun] = []
    notes = [*_notes(loaded, base), *reserve_notes(loaded.site, base.inputs, window), *base.notes, *loaded.notes]
    notes += _series_notes(loaded, feed, base)
    if "stochastic" in labels and (why := why_rolling(loaded.site)):
        notes.append(f"Policy stochastic equals rolling here: {why}.")
    for label in labels:
        variant = _variant(label, base, loaded, feed, window)
        if variant is None:
            continue
        policy = _policy(label, variant)
        if isinstance(policy, Infeasible):
            notes.insert(0, _no_bound(policy, variant))
            continue
        seen = digest if variant.inputs is base.inputs else with_jobs_digest(_digest(variant.inputs), base.jobs)
        header = _header(loaded, label, window, seen)
        records = run_policy(
            variant.model,
            variant.inputs,
            variant.truth,
            policy,
            partial(_campus, variant),
            journal=None if journals is None else journals / f"{file_stem(label)}.jsonl",
            header=header,
            resume=resume,
            tick=progress(label),
            jobs=variant.jobs,
        )
        summed = partial(policy_run, variant.model, variant.truth, records, jobs=variant.jobs)
        runs.append(summed(policy=policy.name, label=label, is_headline=label in POLICIES))
        del records, summed  # a year's are hundreds of MB, and the next run makes its own
    if not runs:
        raise NoBound(notes[0])
    notes[:0] = [note for run in runs if (note := _shed_note(run, loaded.site.control_step_s))]
    return ReplayResult(
        site=loaded.site,
        window=window,
        runs=tuple(runs),
        gaps=base.truth.gaps,
        notes=tuple(notes),
        sources={role: feed.series(role, window).describe() for role in _used_roles(loaded, base)},
        meta={
            "config_digest": loaded.digest,
            "input_digest": digest,
            "versions": _versions(),
            "site_file": loaded.path.name,
        },
    )


def _campus(variant: Variant, stored_mwh: float, jobs_begun: Mapping[int, JobState]) -> Campus:
    truth, site = variant.truth, variant.model.site
    campus = Campus(
        variant.model,
        truth.problem,
        pue=truth.pue,
        demand_per_s=truth.outlook.demand_per_s,
        ppa_ratio=truth.ppa_ratio,
        months=truth.calendar.month,
        start_s=truth.window.start_s,
        shell_mw=truth.shell_mw,
        jobs=JobClusters(site, variant.jobs, truth.pue, jobs_begun) if site.job_clusters else None,
    )
    campus.stored_mwh = stored_mwh
    return campus


def _variant(label: str, base: Variant, loaded: LoadedSite, feed: RecordedFeed, window: Interval) -> Variant | None:
    """The world of one run; None if the site declares nothing to make it from."""
    match label:
        case "stochastic" | "rolling" if label == "stochastic" or base.model.site.reserves:
            return msgspec.structs.replace(base, inputs=with_price_history(base.inputs, feed, window))
        case "rolling, price known":
            inputs = msgspec.structs.replace(base.inputs, real_time=in_time(base.inputs.real_time))
            return msgspec.structs.replace(base, inputs=inputs)
        case "rolling, no battery" if base.model.site.battery is not None:
            model = model_of(msgspec.structs.replace(base.model.site, battery=None))
            return msgspec.structs.replace(base, model=model, truth=truth_of(model, base.inputs, window))
        case "rolling, hub price" if "hub_real_time" in loaded.feeds:
            start = window.start_s - base.inputs.real_time.start_s
            wide = Interval.from_epoch(window.start_s - start, window.end_s)
            ahead = (
                read_series(feed, "hub_day_ahead", wide) if "hub_day_ahead" in loaded.feeds else base.inputs.day_ahead
            )
            inputs = msgspec.structs.replace(
                base.inputs, real_time=read_series(feed, "hub_real_time", wide), day_ahead=ahead
            )
            return msgspec.structs.replace(base, inputs=inputs, truth=truth_of(base.model, inputs, window))
        case "rolling, no battery" | "rolling, hub price":
            return None
        case _:
            return msgspec.structs.replace(base, jobs=as_fluid(base.jobs)) if label == "bound" else base


def with_price_history(inputs: Inputs, feed: RecordedFeed, window: Interval) -> Inputs:
    """The same inputs with prices that reach back as far as a fit may read, where they are on record."""
    wide = Interval(start=window.start - PRICE_HISTORY, end=window.end)
    ahead = None if inputs.day_ahead is None else read_series(feed, "day_ahead", wide)
    return msgspec.structs.replace(inputs, real_time=read_series(feed, "real_time", wide), day_ahead=ahead)


def _policy(label: str, variant: Variant) -> Policy | Infeasible:
    """The rule that a run's label names, or why there is no bound."""
    match label.partition(",")[0]:
        case "always-on":
            return AlwaysOn()
        case "desk":
            return selling(Desk(), variant.model.site)
        case "rolling":
            return selling(Rolling(), variant.model.site)
        case "stochastic":
            return selling(Stochastic(), variant.model.site)
        case "bound":
            return _bound(variant)
        case _:
            known = ", ".join(POLICIES + SENSITIVITIES)
            raise BadInput(f"policy {label!r}", "unknown", f"Choose from: {known}")


def _bound(variant: Variant) -> Policy | Infeasible:
    """Perfect foresight of the whole period."""
    model, truth = variant.model, variant.truth
    problem = _committed(variant)
    if model.site.reserves:
        return bound_with_reserve(model, variant.inputs, truth, problem)
    if variant.jobs:
        return hindsight_bound(model, truth, problem, variant.jobs)
    plan = solve(problem)
    return plan if isinstance(plan, Infeasible) else Bound(problem, plan, truth.window.start_s)


def _committed(variant: Variant) -> Problem:
    """The whole period's problem, its units started and stopped with hindsight."""
    problem = variant.truth.problem
    if not has_units(variant.model):
        return problem
    return commit(variant.model, problem, hindsight(variant.inputs, variant.truth.outlook))


def _notes(loaded: LoadedSite, base: Variant) -> list[str]:
    """What a reader must know beside the headline."""
    site = loaded.site
    notes = []
    if site.market.is_hub:
        notes.append(f"{site.market.settlement_point} is a trading hub: no load can settle at its price.")
    live = base.inputs.real_time
    is_known_ahead = int(live.known_s[-1]) <= live.end_s - live.step_s
    if base.inputs.day_ahead is None and not is_known_ahead:
        follows = " and the desk's battery follows them" if site.battery else ""
        notes.append(f"No day-ahead series: forecasts repeat the last day{follows}.")
    estimated = int(base.truth.is_estimated.sum())
    if estimated:
        notes.append(f"{estimated} control intervals are settled at a substitute for a missing price.")
    return notes


def _series_notes(loaded: LoadedSite, feed: RecordedFeed, base: Variant) -> list[str]:
    """What a reader must know of the series, each thing once with all the roles it is true of."""
    roles_of: dict[str, list[str]] = {}
    for role in _used_roles(loaded, base):
        if note := feed.declaration(role).note:
            roles_of.setdefault(note, []).append(role)
    return [f"{', '.join(roles)}: {note}" for note, roles in roles_of.items()]


def _used_roles(loaded: LoadedSite, base: Variant) -> list[str]:
    """Roles that the runs rest on; a hub's prices only where a contract settles there, else a sensitivity alone."""
    return [role for role in sorted(loaded.feeds) if role[:4] != "hub_" or role in base.inputs.further]


def _no_bound(found: Infeasible, variant: Variant) -> str:
    clash, currency = found.clash, variant.model.site.currency.value
    at = iso(variant.truth.window.start_s + clash.step * variant.model.site.control_step_s)
    ways_out = [
        f"{way.limit} by {way.worst_mw:.2f} MW ({way.energy_mwh:,.1f} MWh, {way.cost_ccy:,.0f} {currency})"
        for way in found.relaxations
        if way.worst_mw is not None and way.energy_mwh is not None and way.cost_ccy is not None
    ]
    return (
        f"{NO_BOUND}: even with perfect foresight the firm load cannot be served at {at}: it needs {clash.need_mw:.2f} "
        f"MW and the site can be given {clash.have_mw:.2f} MW ({', '.join(clash.limits)}). "
        f"Relax one limit, cheapest first: {'; '.join(ways_out) or 'no single one helps'}."
    )


def _shed_note(run: PolicyRun, step_s: int) -> str:
    """How much firm load a run did not serve, and since when; empty if it served all of it."""
    shed = run.intervals.filter(run.intervals["shed_mw"] > 0.0)
    if shed.is_empty():
        return ""
    lost_mwh = sum(shed["shed_mw"]) * step_s / 3600.0
    return (
        f"FIRM LOAD NOT SERVED by {run.label}: {lost_mwh:,.2f} MWh in {len(shed):,} control intervals, first at "
        f"{shed['interval_start'][0]:%Y-%m-%dT%H:%MZ}; tenants are owed the credits."
    )


def _digest(inputs: Inputs) -> str:
    """Digest of every value a run can read, and of when each was known."""
    by_role = {"profiles", "further"}
    series = [s for s in (getattr(inputs, name) for name in inputs.__struct_fields__ if name not in by_role) if s]
    series += [inputs.profiles[role] for role in sorted(inputs.profiles)]
    series += [inputs.further[role] for role in sorted(inputs.further)]
    parts = []
    for each in series:
        grid = np.array([each.start_s, each.step_s], np.int64).tobytes()
        parts.append(each.name.encode() + grid + each.values.tobytes() + each.known_s.tobytes())
    return content_id(*parts)


def _header(loaded: LoadedSite, label: str, window: Interval, digest: str) -> JournalHeader:
    return JournalHeader(
        kind="backtest",
        site=loaded.site.name,
        policy=label,
        period=f"{iso(window.start_s)}/{iso(window.end_s)}",
        config_digest=loaded.digest,
        input_digest=digest,
        fields={
            kind.__name__: kind.__struct_fields__ for kind in (Proposal, ControlReading, MeteredInterval, Statement)
        },
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    packages = ("headrace", "highspy", "msgspec", "numba", "numpy", "polars")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}

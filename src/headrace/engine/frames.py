"""A run's records as polars frames: the columns are listed in `engine.results`."""

from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from headrace.core import MICRO
from headrace.dispatch.site import Site
from headrace.dispatch.uses import SiteModel
from headrace.engine.charges import charge_columns
from headrace.engine.cycle import CycleRecord
from headrace.engine.job_frames import job_columns, job_frame
from headrace.engine.plant import plant_columns
from headrace.engine.reserve_frames import reserve_columns
from headrace.engine.results import LINES, POSITION_MICRO, POSITION_WH, PolicyRun
from headrace.engine.truth import Truth
from headrace.loads.jobs import Job
from headrace.settlement import Statement
from headrace.settlement.owners import OwnerLine

__all__ = ["policy_run", "statements_of"]

MWH_PER_WH = 1e-6


def policy_run(
    model: SiteModel,
    truth: Truth,
    records: list[CycleRecord],
    *,
    policy: str,
    label: str,
    is_headline: bool,
    jobs: tuple[Job, ...] = (),
) -> PolicyRun:
    """Sum up one policy's run.

    Parameters
    ----------
    model, truth
        The site and what really came.
    records
        Every cycle, in order.
    policy, label, is_headline
        Name of the rule, what the report calls this run, and whether it is one of the headline's.
    jobs
        The run's batch jobs, by release.
    """
    settlements = _settlements(records)
    lines = {name: sum(settlements[name].to_list()) / MICRO for name in LINES}
    stored_change = (records[-1].reading.stored_mwh - truth.problem.stored_mwh) * truth.median_price_ccy_per_mwh
    stored_change = stored_change if model.site.battery else 0.0
    return PolicyRun(
        policy=policy,
        label=label,
        is_headline=is_headline,
        intervals=_intervals(model, truth, records),
        settlements=settlements,
        margin_ccy=sum(lines.values()) + stored_change,
        stored_change_ccy=stored_change,
        lines_ccy=lines,
        mining_sats=sum(settlements["mining_sats"].to_list()),
        owners=_owners(model.site, records),
        jobs=job_frame(model.site, jobs, records),
    )


def statements_of(run: PolicyRun) -> Iterator[Statement]:
    """The statements behind a run's settlements, in order: what the books are posted from."""
    for row in run.settlements.drop(POSITION_WH + POSITION_MICRO, strict=False).iter_rows(named=True):
        yield Statement(interval_start_s=int(row.pop("interval_start").timestamp()), **row)


def _intervals(model: SiteModel, truth: Truth, records: list[CycleRecord]) -> pl.DataFrame:
    site = model.site
    hours = site.control_step_s / 3600.0
    readings = [r.reading for r in records]
    meters = [r.meters for r in readings]
    proposals = [r.proposal for r in records]

    def power(energies_wh: Iterable[int]) -> NDArray[np.float64]:
        return np.fromiter(energies_wh, float, len(records)) * (MWH_PER_WH / hours)

    def asked(pick: Callable[..., float | None]) -> list[float | None]:
        return [None if p is None else pick(p) for p in proposals]

    columns: dict[str, object] = {
        "interval_start": pl.Series(truth.outlook.starts_s * 1_000_000).cast(pl.Datetime("us", "UTC")),
        "price": truth.outlook.price_ccy_per_mwh,
        "price_seen": pl.Series(asked(lambda p: p.price_seen_ccy_per_mwh), dtype=pl.Float64),
        "is_estimated": truth.is_estimated,
        "bid": pl.Series(asked(lambda p: p.bid_ccy_per_mwh), dtype=pl.Float64),
        "ask": pl.Series(asked(lambda p: p.ask_ccy_per_mwh), dtype=pl.Float64),
        "import_mw": power(m.import_wh for m in meters),
        "export_mw": power(m.export_wh for m in meters),
        "firm_mw": power(r.firm_wh for r in readings),
        "charge_mw": power(m.charge_wh for m in meters),
        "discharge_mw": power(m.discharge_wh for m in meters),
        "stored_mwh": [r.stored_mwh for r in readings],
        "it_mw": power(m.it_wh for m in meters),
    }
    for i, use in enumerate(model.uses):
        columns[f"use:{use.name}_mw"] = power(r.use_wh[i] for r in readings)
        columns[f"want:{use.name}_mw"] = power(r.use_width_wh[i] for r in readings)
        columns[f"worth:{use.name}"] = truth.problem.use_value_ccy_per_mwh[i]
    for j, generator in enumerate(site.generators):
        columns[f"source:{generator.name}_mw"] = power(m.generated_wh[j] for m in meters)
        columns[f"available:{generator.name}_mw"] = power(r.available_wh[j] for r in readings)
    carbon = truth.carbon_kg_per_mwh
    columns |= {
        "hashrate_phs": np.array([sum(m.work_ph) for m in meters], float) / site.control_step_s,
        "requests_per_s": np.array([sum(m.requests_served) for m in meters], float) / site.control_step_s,
        "requests_asked_per_s": np.array([sum(m.requests_asked) for m in meters], float) / site.control_step_s,
        "gpus_busy": np.array([sum(m.lease_delivered_gpu_s) for m in meters], float) / site.control_step_s,
        "heat_mw": power(sum(m.heat_wh) for m in meters),
        "temp_c": truth.outlook.temp_c,
        "carbon_kg_per_mwh": pl.Series([None] * len(records) if carbon is None else carbon, dtype=pl.Float64).fill_nan(
            None
        ),
        "mode": [r.mode.value for r in records],
        "yielded_mw": power(r.yielded_wh for r in readings),
        "absorbed_mw": power(r.absorbed_wh for r in readings),
        "shed_mw": power(r.shed_wh for r in readings),
        "spilled_mw": power(r.spilled_wh for r in readings),
    }
    columns |= charge_columns(truth.charges)
    columns |= job_columns(site, records)
    columns |= reserve_columns(site, records)
    columns |= plant_columns(model, truth.plant, truth.problem, meters)
    return pl.DataFrame(columns)


def _owners(site: Site, records: list[CycleRecord]) -> pl.DataFrame:
    names = [each.name for each in site.hosting] + [each.name for each in site.tenants]
    if not names:
        return pl.DataFrame()
    rows = [
        (s.interval_start_s * 1_000_000, name, *msgspec.structs.astuple(line))
        for r in records
        if (s := r.statement) is not None
        for name, line in zip(names, s.owners, strict=True)
    ]
    columns = ("interval_start", "contract", *OwnerLine.__struct_fields__)
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return frame.with_columns(pl.col("interval_start").cast(pl.Datetime("us", "UTC")))


def _settlements(records: list[CycleRecord]) -> pl.DataFrame:
    statements = [r.statement for r in records if r.statement is not None]
    columns: dict[str, object] = {
        "interval_start": pl.Series([s.interval_start_s * 1_000_000 for s in statements], dtype=pl.Int64).cast(
            pl.Datetime("us", "UTC")
        ),
        "duration_s": [s.duration_s for s in statements],
        "import_wh": [s.import_wh for s in statements],
        "export_wh": [s.export_wh for s in statements],
        "is_estimated": [s.is_estimated for s in statements],
        "mining_sats": [s.mining_sats for s in statements],
    }
    for name in LINES:
        columns[name] = [getattr(s, name) for s in statements]
    if statements and statements[0].position is not None:
        for name in POSITION_WH + POSITION_MICRO:
            columns[name] = [getattr(s.position, name) for s in statements]
    return pl.DataFrame(columns)

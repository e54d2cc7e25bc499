"""What the site did with its energy: yielding and absorbing, work per kWh, and the data-centre indicators.

    PUE = E_DC / E_IT          ISO/IEC 30134-2:2016      E_DC firm load and every use at the bus, cooling included
    ERF = E_reuse / E_DC       ISO/IEC 30134-6:2021      E_reuse heat sold
    CUE = CO₂ / E_IT           ISO/IEC 30134-8:2022      CO₂ of imported energy at the grid's average intensity

Battery losses and exported energy are outside E_DC: they serve the grid and the store, not the data centre. On-site
generation counts as free of carbon in operation; the carbon of fuel burnt is a figure of its own. A figure whose series
is missing is None, with the reason.
"""

import msgspec
import numpy as np
import polars as pl

from headrace.dispatch.site import Site
from headrace.engine.results import PolicyRun
from headrace.interfaces.families import Family, source_bands, use_bands
from headrace.interfaces.report.plant import plant_figures

__all__ = ["OperationFigure", "operation_figures"]


class OperationFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure with its unit and what it rests on."""

    key: str
    """Name in JSON."""
    name: str
    """Name for people."""
    value: float | None
    """Value in `unit`; None where it can't be told."""
    unit: str
    """Unit."""
    basis: str
    """Formula and source, or why there is no value."""


def operation_figures(site: Site, run: PolicyRun) -> tuple[OperationFigure, ...]:
    """Operational figures of one run over the whole window."""
    frame, step_h = run.intervals, site.control_step_s / 3600.0
    bands = use_bands(site, frame)
    mwh = {family: step_h * sum(float(b.mw.sum()) for b in bands if b.family is family) for family in Family}
    site_mwh = mwh[Family.FIRM] + mwh[Family.CURTAILABLE] + mwh[Family.INFERENCE] + mwh[Family.MINING]
    return (
        *_flexibility(site, frame, step_h),
        *_work(site, frame, step_h, mwh),
        *_indicators(frame, step_h, site_mwh),
        *_carbon(frame, step_h),
        *_integrity(site, frame, step_h),
        *(_figure(*each) for each in plant_figures(site, frame, step_h)),
    )


def _flexibility(site: Site, frame: pl.DataFrame, step_h: float) -> list[OperationFigure]:
    figures = [
        _figure(
            "yielded_mwh", "mining yielded to AI", _sum(frame, "yielded_mw") * step_h, "MWh", "mining stopped for AI"
        ),
        _figure(
            "absorbed_mwh",
            "surplus mining absorbed",
            _sum(frame, "absorbed_mw") * step_h,
            "MWh",
            "mining taken up as AI demand fell or the grid had a surplus",
        ),
    ]
    if not site.miners:
        figures = [_missing(f.key, f.name, f.unit, "the site has no mining") for f in figures]
    if site.battery is not None:
        usable_mwh = site.battery.stored_max_mwh - site.battery.stored_min_mwh
        out_mwh = _sum(frame, "discharge_mw") * step_h / site.battery.discharge_efficiency_ratio
        figures.append(
            _figure("battery_cycles", "battery cycles", out_mwh / usable_mwh, "full cycles", "energy released / usable")
        )
    return figures


def _work(site: Site, frame: pl.DataFrame, step_h: float, mwh: dict[Family, float]) -> list[OperationFigure]:
    step_s = 3600.0 * step_h
    exahashes = _sum(frame, "hashrate_phs") * step_s / 1e3
    gpu_h = _sum(frame, "gpus_busy") * step_h
    requests = _sum(frame, "requests_per_s") * step_s
    asked = _sum(frame, "requests_asked_per_s") * step_s
    ai_mwh = mwh[Family.FIRM] + mwh[Family.CURTAILABLE]
    rows = (
        (
            "eh_per_kwh",
            "mining work",
            exahashes,
            mwh[Family.MINING],
            "EH/kWh",
            "hashes / energy of mining, cooling included",
        ),
        (
            "gpu_h_per_kwh",
            "leased GPU work",
            gpu_h,
            ai_mwh,
            "GPU-h/kWh",
            "GPU-hours / firm load and leases, idle included",
        ),
        (
            "requests_per_kwh",
            "inference work",
            requests,
            mwh[Family.INFERENCE],
            "requests/kWh",
            "requests / energy above idle, cooling included",
        ),
    )
    figures = [
        _figure(key, name, work / (1000.0 * energy_mwh), unit, basis)
        if work > 0.0 and energy_mwh > 0.0
        else _missing(key, name, unit, "none was done")
        for key, name, work, energy_mwh, unit, basis in rows
    ]
    if site.inference and asked > 0.0:
        served = _figure("served_ratio", "requests served", 100.0 * requests / asked, "%", "served / asked")
        figures.append(served)
    return figures


def _indicators(frame: pl.DataFrame, step_h: float, site_mwh: float) -> list[OperationFigure]:
    it_mwh = _sum(frame, "it_mw") * step_h
    if it_mwh <= 0.0:
        return [_missing(k, n, u, "no IT energy") for k, n, u in (("pue", "PUE", "ratio"), ("erf", "ERF", "ratio"))]
    reused_mwh = _sum(frame, "heat_mw") * step_h
    return [
        _figure("pue", "PUE", site_mwh / it_mwh, "ratio", "E_DC / E_IT, ISO/IEC 30134-2"),
        _figure("erf", "ERF", reused_mwh / site_mwh, "ratio", "heat sold / E_DC, ISO/IEC 30134-6"),
    ]


def _carbon(frame: pl.DataFrame, step_h: float) -> list[OperationFigure]:
    covered = frame.filter(pl.col("carbon_kg_per_mwh").is_not_null())
    if covered.is_empty():
        reason = "no carbon series covers the period"
        return [
            _missing("cue", "CUE", "kg CO₂/kWh", reason),
            _missing("carbon_t", "carbon of imports", "t CO₂", reason),
        ]
    part = (
        "" if covered.height == frame.height else f", over the {100.0 * covered.height / frame.height:.1f} % with data"
    )
    emitted_kg = float((covered["import_mw"] * covered["carbon_kg_per_mwh"]).sum()) * step_h
    it_kwh = 1000.0 * _sum(covered, "it_mw") * step_h
    cue = (
        _figure("cue", "CUE", emitted_kg / it_kwh, "kg CO₂/kWh", f"CO₂ / E_IT, ISO/IEC 30134-8{part}")
        if it_kwh > 0.0
        else _missing("cue", "CUE", "kg CO₂/kWh", "no IT energy")
    )
    basis = f"imports × average grid intensity, location based{part}"
    return [cue, _figure("carbon_t", "carbon of imports", emitted_kg / 1000.0, "t CO₂", basis)]


def _integrity(site: Site, frame: pl.DataFrame, step_h: float) -> list[OperationFigure]:
    given_mw = np.sum([band.mw for band in source_bands(site, frame)], axis=0)
    taken_mw = np.sum([band.mw for band in use_bands(site, frame)], axis=0)
    spilled_mw = frame["spilled_mw"].to_numpy() if "spilled_mw" in frame.columns else 0.0
    residual_mw = np.abs(given_mw - taken_mw - spilled_mw)
    unplanned = frame.filter(pl.col("mode") != "plan").height
    return [
        _figure(
            "residual_max_kw",
            "largest residual at the bus",
            1000.0 * float(residual_mw.max()),
            "kW",
            "given less taken, any control interval",
        ),
        _figure("shed_mwh", "firm load not served", _sum(frame, "shed_mw") * step_h, "MWh", "never for price"),
        _figure("spilled_mwh", "generation spilled", _sum(frame, "spilled_mw") * step_h, "MWh", "no taker at the bus"),
        _figure("unplanned", "intervals not set by a fresh plan", float(unplanned), "", f"of {frame.height:,}"),
    ]


def _sum(frame: pl.DataFrame, column: str) -> float:
    return float(frame[column].fill_null(0.0).sum()) if column in frame.columns else 0.0


def _figure(key: str, name: str, value: float, unit: str, basis: str) -> OperationFigure:
    return OperationFigure(key=key, name=name, value=value, unit=unit, basis=basis)


def _missing(key: str, name: str, unit: str, reason: str) -> OperationFigure:
    return OperationFigure(key=key, name=name, value=None, unit=unit, basis=reason)

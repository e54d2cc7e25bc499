"""From a row of a run's intervals to the ladder of that moment: what `why` and the board's page show."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl

from headrace.core import BadInput
from headrace.dispatch.ladder import Ladder, build_ladder
from headrace.dispatch.moment import BatteryNow, GridNow, Moment, SourceNow, UseNow, power_text
from headrace.dispatch.peak_terms import bills_month_peak
from headrace.dispatch.site import Site
from headrace.dispatch.supply_terms import supply_adder_ccy_per_mwh
from headrace.energy import Battery, Generator
from headrace.energy.tariffs import adder_ccy_per_mwh
from headrace.energy.tariffs_monthly import monthly_peak_at
from headrace.engine.results import PolicyRun

__all__ = ["ChosenMoment", "chosen_moments", "ladder_at", "ladder_of_row"]


class ChosenMoment(msgspec.Struct, frozen=True, kw_only=True):
    """One interval worth looking at."""

    title: str
    """Why it was chosen: "highest price" ..."""
    at: str
    """Start of the interval, site's local time with zone."""
    price_ccy_per_mwh: float
    """Market price the interval settled at."""
    price_seen_ccy_per_mwh: float
    """Last published price when the interval was decided."""
    ladder: Ladder
    """The ladder of that interval."""


def chosen_moments(site: Site, run: PolicyRun) -> tuple[ChosenMoment, ...]:
    """Ladders at the highest, lowest and median price, and where mining gave most power to AI.

    Intervals without bid and ask (a policy that makes no plan, a shed) are passed over; ties go to the earliest.
    """
    rows = run.intervals.with_row_index("row").filter(
        pl.col("bid").is_finite() & pl.col("ask").is_not_null() & ~pl.col("is_estimated")
    )
    if rows.is_empty():
        return ()
    median = float(rows["price"].median() or 0.0)  # type: ignore[arg-type]  # polars types it as any column's median
    picks = [
        ("highest price", rows.sort("price", descending=True, maintain_order=True)),
        ("lowest price", rows.sort("price", maintain_order=True)),
        ("median price", rows.sort((pl.col("price") - median).abs(), maintain_order=True)),
    ]
    if float(rows["yielded_mw"].max() or 0.0) > 0.0:  # type: ignore[arg-type]  # likewise
        picks.append(("most mining yielding to AI", rows.sort("yielded_mw", descending=True, maintain_order=True)))
    found: dict[int, tuple[str, Mapping[str, Any]]] = {}
    for title, ranked in picks:
        row = ranked.row(0, named=True)
        already = found.get(row["row"])
        found[row["row"]] = (f"{already[0]}, {title}" if already else title, row)
    zone = ZoneInfo(site.time_zone)
    return tuple(
        ChosenMoment(
            title=title,
            at=f"{row['interval_start'].astimezone(zone):%Y-%m-%d %H:%M %Z}",
            price_ccy_per_mwh=row["price"],
            price_seen_ccy_per_mwh=row["price_seen"],
            ladder=ladder_of_row(site, row, peak_so_far_mw=_peak_before(site, run.intervals, row["interval_start"])),
        )
        for title, row in found.values()
    )


def ladder_at(site: Site, run: PolicyRun, at: datetime) -> Ladder:
    """Build the ladder of the interval that holds `at`.

    Parameters
    ----------
    site
        The site of the run.
    run
        Any run; where it has no bid and ask (a rule of thumb, an interval without a plan) the ladder is cut at the
        grid's price and its first sentence says so.
    at
        Aware time inside the replayed window.

    Raises
    ------
    BadInput
        If `at` lies outside the run.
    """
    starts = run.intervals["interval_start"]
    row_index = int(starts.search_sorted(at, side="right")) - 1
    step = timedelta(seconds=site.control_step_s)
    if row_index < 0 or at >= starts[row_index] + step:
        raise BadInput(
            at.isoformat(),
            f"the replay covers {starts[0].isoformat()} to {(starts[-1] + step).isoformat()}",
            "Name a time inside it.",
        )
    row = run.intervals.row(row_index, named=True)
    peak_so_far_mw = _peak_before(site, run.intervals, row["interval_start"])
    if row["bid"] is not None and row["ask"] is not None:
        return ladder_of_row(site, row, peak_so_far_mw=peak_so_far_mw)
    ladder = ladder_of_row(site, row | _grid_price(site, row), peak_so_far_mw=peak_so_far_mw)
    return msgspec.structs.replace(ladder, sentences=(_no_price(run, row), *ladder.sentences[1:]))


def _grid_price(site: Site, row: Mapping[str, Any]) -> dict[str, float]:
    """What the grid itself pays or asks at the margin, for an interval that no plan priced."""
    import_cost, export_value = _grid_prices(site, row)
    margin = export_value if row["export_mw"] > 0.0 else import_cost
    return {"bid": margin, "ask": margin}


def _grid_prices(site: Site, row: Mapping[str, Any]) -> tuple[float, float]:
    """Cost of importing and worth of exporting a MWh, at the price the decision saw, else the settled one."""
    seen = row["price_seen"] if row["price_seen"] is not None else row["price"]
    adder = site.tariff.import_adder_ccy_per_mwh
    if site.charges or site.contracts:
        starts_s, prices = np.array([int(row["interval_start"].timestamp())], np.int64), np.array([seen])
        adder += float(adder_ccy_per_mwh(site.charges, starts_s, prices, site.time_zone)[0])
        adder += float(supply_adder_ccy_per_mwh(site, starts_s, prices)[0])
    if row["price_seen"] is not None:
        adder += row.get("peak_seen") or 0.0
    return seen + adder, seen - site.tariff.export_deduction_ccy_per_mwh


def _no_price(run: PolicyRun, row: Mapping[str, Any]) -> str:
    if row["shed_mw"] > 0.0:
        return (
            f"No plan served the firm load: {power_text(row['shed_mw'])} of it went without, and any power more would "
            "have gone there first. The line is the grid's price."
        )
    if row["mode"] == "plan":
        return (
            f"Policy {run.label} prices nothing: the line is the grid's price, and what it holds back it holds by rule."
        )
    return f"No plan was in force (mode {row['mode'].replace('_', ' ')}): the line is the grid's price."


def ladder_of_row(site: Site, row: Mapping[str, Any], *, peak_so_far_mw: float | None) -> Ladder:
    """Build the ladder of one row of `PolicyRun.intervals`, at the price its decision saw."""
    import_cost, export_value = _grid_prices(site, row)
    names = [column.removeprefix("worth:") for column in row if column.startswith("worth:")]
    ladder = build_ladder(
        Moment(
            currency=site.currency,
            firm_mw=row["firm_mw"] + row.get("jobs_mw", 0.0),
            uses=tuple(
                UseNow(
                    name=name,
                    worth_ccy_per_mwh=row[f"worth:{name}"],
                    want_mw=row[f"want:{name}_mw"],
                    got_mw=row[f"use:{name}_mw"],
                )
                for name in names
            ),
            sources=tuple(
                SourceNow(
                    name=generator.name,
                    cost_ccy_per_mwh=row.get(f"cost:{generator.name}", generator.marginal_cost_ccy_per_mwh),
                    min_mw=_least_mw(site, generator, row),
                    max_mw=row[f"available:{generator.name}_mw"],
                    mw=row[f"source:{generator.name}_mw"],
                )
                for generator in site.generators
            ),
            grid=GridNow(
                import_cost_ccy_per_mwh=import_cost,
                import_mw=row["import_mw"],
                import_max_mw=row.get("import_max_mw", site.connection.import_max_mw),
                export_value_ccy_per_mwh=export_value,
                export_mw=row["export_mw"],
                export_max_mw=row.get("export_max_mw", site.connection.export_max_mw),
                peak_so_far_mw=peak_so_far_mw,
            ),
            battery=None if site.battery is None else _battery_now(site.battery, row, site.control_step_s / 3600.0),
            bid_ccy_per_mwh=row["bid"],
            ask_ccy_per_mwh=row["ask"],
            mode=row["mode"],
        )
    )
    return msgspec.structs.replace(ladder, sentences=(*ladder.sentences, *_bound_by(site, row)))


def _bound_by(site: Site, row: Mapping[str, Any]) -> tuple[str, ...]:
    """What contracts hold in this interval, which no rung shows."""
    said = []
    for reserve in site.reserves:
        sold_mw = row.get(f"reserve:{reserve.name}_sold_mw") or 0.0
        if sold_mw > 0.0:
            said.append(f"{reserve.name}: {power_text(sold_mw)} sold; what carries it stays on, whatever the price.")
    said += [
        f"{each.load} may be interrupted for {each.monthly_h:g} h a month, so it may run where stopping it would pay."
        for each in site.allowances
        if (row.get(f"want:{each.load}_mw") or 0.0) > 0.0
    ]
    if site.hosting:
        said.append("Hosted machines are worth to the site what their contract pays it, not what they mine.")
    return tuple(said)


def _least_mw(site: Site, generator: Generator, row: Mapping[str, Any]) -> float:
    """Output that cannot be turned down: a share of what is available, or a running unit's minimum load."""
    available_mw: float = row[f"available:{generator.name}_mw"]
    units = () if site.plant is None else site.plant.units
    unit = next((each for each in units if each.generator == generator.name), None)
    return generator.must_run_ratio * available_mw if unit is None else min(unit.minimum_mw, available_mw)


def _battery_now(battery: Battery, row: Mapping[str, Any], step_h: float) -> BatteryNow:
    """The battery as the interval starts; the row holds what is stored as it ends."""
    charge_mw, discharge_mw = row["charge_mw"], row["discharge_mw"]
    into_mwh = step_h * battery.charge_efficiency_ratio * charge_mw
    out_mwh = step_h * discharge_mw / battery.discharge_efficiency_ratio
    held_mwh = min(max(row["stored_mwh"] - into_mwh + out_mwh, 0.0), battery.stored_max_mwh)
    room_mw = (battery.stored_max_mwh - held_mwh) / (step_h * battery.charge_efficiency_ratio)
    ready_mw = max(0.0, held_mwh - battery.stored_min_mwh) * battery.discharge_efficiency_ratio / step_h
    return BatteryNow(
        charge_mw=charge_mw,
        charge_max_mw=max(charge_mw, min(battery.charge_max_mw, room_mw)),
        discharge_mw=discharge_mw,
        discharge_max_mw=max(discharge_mw, min(battery.discharge_max_mw, ready_mw)),
        stored_mwh=held_mwh,
        stored_max_mwh=battery.stored_max_mwh,
    )


def _peak_before(site: Site, intervals: pl.DataFrame, start: datetime) -> float | None:
    """Highest import of the local month before `start`, MW, as it is measured; None without a peak charge."""
    if not bills_month_peak(site):
        return None
    local = start.astimezone(ZoneInfo(site.time_zone))
    month = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    before = intervals.filter((pl.col("interval_start") >= month) & (pl.col("interval_start") < start))
    charge = monthly_peak_at(site.charges, int(start.timestamp()), local.month)
    if charge is not None:
        parts = charge.interval_s // site.control_step_s
        means = before.group_by(pl.col("interval_start").dt.epoch("s") // charge.interval_s).agg(
            pl.col("import_mw").sum() / parts, complete=pl.len() == parts
        )
        before = means.filter(pl.col("complete"))
    return float(before["import_mw"].max() or 0.0)  # type: ignore[arg-type]  # polars types it as any column's maximum

"""The board's page on reserve: what was sold and held, what it paid, and every call with its evidence."""

import numpy as np
import polars as pl

from headrace.engine.reserve_frames import QUANTITIES
from headrace.engine.results import PolicyRun, ReplayResult
from headrace.interfaces.report.margins import headline_run
from headrace.interfaces.report.section import Section, Table
from headrace.interfaces.wording import money, policy_name, signed_money

__all__ = ["reserve_section"]

CALLS_SHOWN = 12
"""Most calls listed one by one; the run's frame of intervals holds all of them."""


def reserve_section(result: ReplayResult) -> Section | None:
    """Lay out the section; None where the site sells no reserve."""
    reserves = result.site.reserves
    if not reserves:
        return None
    headline = headline_run(result)
    names = [reserve.name for reserve in reserves]
    calls = [row for name in names for row in _calls(headline, name)]
    words = [
        "Reserve is capacity that could answer the grid within minutes: load that runs and can stop, a battery that "
        "could feed. It is sold the day before and held through the hour, whatever the price."
    ]
    if not calls:
        words.append("Nothing was called: none of these figures holds income or loss from a call.")
    tables = [_money(result), _capacity(result, headline)]
    if calls:
        tables.append(
            Table(
                caption="Calls, mean MW",
                columns=("Reserve and start (UTC)", "Minutes", "Called", "Delivered", "Short"),
                rows=tuple(calls[:CALLS_SHOWN]),
                is_folded=True,
            )
        )
    return Section(
        key="reserve",
        title="Reserve sold",
        words=tuple(words),
        tables=tuple(tables),
        source=f"{policy_name(headline)}: from the meters of every control interval; a watt counts for one reserve.",
    )


def _money(result: ReplayResult) -> Table:
    currency = result.site.currency.value
    runs = [run for run in result.runs if run.is_headline]
    return Table(
        caption="Payments and charges by policy",
        columns=("Policy", "Payments", "Charges"),
        rows=tuple(
            (
                policy_name(run),
                money(run.lines_ccy["reserve"], currency),
                signed_money(run.lines_ccy["reserve_penalties"], currency),
            )
            for run in runs
        ),
    )


def _capacity(result: ReplayResult, run: PolicyRun) -> Table:
    rows = []
    for reserve in result.site.reserves:
        sold, held, called, delivered, short = (_column(run, reserve.name, quantity) for quantity in QUANTITIES)
        on = sold > 0.0
        hours = float(on.sum()) * result.site.control_step_s / 3600.0
        mean_mw = float(sold[on].mean()) if on.any() else 0.0
        ready = float(held.sum() + delivered.sum()) / float(sold.sum()) if on.any() else None
        rows.append(
            (
                reserve.name,
                f"{hours:,.0f}",
                f"{mean_mw:,.1f}",
                "n/a" if ready is None else f"{100 * ready:.2f} %",
                f"{float(called.sum()) * result.site.control_step_s / 3600.0:,.1f}",
                f"{float(short.sum()) * result.site.control_step_s / 3600.0:,.2f}",
            )
        )
    return Table(
        caption="Capacity sold and held",
        columns=("Reserve", "Hours sold", "Mean MW", "Held or delivered", "Called, MWh", "Short, MWh"),
        rows=tuple(rows),
    )


def _calls(run: PolicyRun, name: str) -> list[tuple[str, ...]]:
    """One row per run of intervals with a call."""
    called, delivered, short = (_column(run, name, quantity) for quantity in ("called", "delivered", "short"))
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (called > 0.0).astype(np.int8), [0]))))
    starts: pl.Series = run.intervals["interval_start"]
    step_min = (starts[1] - starts[0]).total_seconds() / 60.0 if len(starts) > 1 else 0.0
    return [
        (
            f"{name}, {starts[int(a)]:%Y-%m-%d %H:%M}",
            f"{(b - a) * step_min:.0f}",
            f"{called[a:b].mean():,.2f}",
            f"{delivered[a:b].mean():,.2f}",
            f"{short[a:b].mean():,.2f}",
        )
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]


def _column(run: PolicyRun, name: str, quantity: str) -> np.ndarray:
    return run.intervals[f"reserve:{name}_{quantity}_mw"].to_numpy()

"""A statement for every owner of hosted machines and every powered-shell tenant, month by month."""

from typing import Any, Final

import polars as pl

from headrace.core import MICRO, SATS_PER_BTC
from headrace.dispatch.site import Site
from headrace.engine.results import PolicyRun, ReplayResult
from headrace.interfaces.report.margins import headline_run
from headrace.interfaces.report.section import Section, Table
from headrace.interfaces.wording import energy, policy_name

__all__ = ["owner_months", "owner_section"]

NO_BREAK_HYPHEN: Final = "\u2011"
"""Keeps a month on one line of a narrow column."""


def owner_months(run: PolicyRun, time_zone: str) -> pl.DataFrame:
    """Sums per contract and local month: contract, month, wh, short_wh, power, further, credits (micro), sats."""
    amounts = ("wh", "short_wh", "power", "further", "credits", "sats")
    return run.owners.group_by(
        "contract",
        month=pl.col("interval_start").dt.convert_time_zone(time_zone).dt.strftime("%Y-%m"),
        maintain_order=True,
    ).agg(pl.col(name).sum() for name in amounts)


def owner_section(result: ReplayResult) -> Section | None:
    """Section of the page; None at a site that hosts nobody."""
    site, run = result.site, headline_run(result)
    if run.owners.is_empty():
        return None
    months = owner_months(run, site.time_zone)
    return Section(
        key="owners",
        title="Owners and tenants",
        words=(
            "What the headline policy delivered to those whose machines and halls the site powers, and what they owe. "
            "Mining of hosted machines is paid by the pool to its owner and is no income of the site.",
        ),
        tables=tuple(_table(site, contract, months) for contract in months["contract"].unique(maintain_order=True)),
        source=f"{policy_name(run)}. Uptime: delivered energy over delivered and missing. Credits: for power not "
        "delivered beyond the allowance, and the owner's share of what a stop saved.",
    )


def _table(site: Site, contract: str, months: pl.DataFrame) -> Table:
    own = months.filter(pl.col("contract") == contract).drop("contract")
    is_hosted = any(each.name == contract for each in site.hosting)
    rows = [_row(row, is_hosted=is_hosted) for row in own.iter_rows(named=True)]
    total = own.select(pl.lit("Total").alias("month"), pl.exclude("month").sum()).row(0, named=True)
    columns = ("Month", "Delivered", "Missing", "Uptime", "Power", "Share" if is_hosted else "Rent", "Credits", "Net")
    return Table(
        caption=f"{contract}{_owner(site, contract)}, {site.currency.value}",
        columns=(*columns, "Paid in BTC") if is_hosted else columns,
        rows=(*rows, _row(total, is_hosted=is_hosted)),
        key=frozenset({len(rows)}),
    )


def _owner(site: Site, contract: str) -> str:
    hosting = next((each for each in site.hosting if each.name == contract), None)
    return ", powered shell" if hosting is None else f", {hosting.owner}: {hosting.miner}"


def _row(row: dict[str, Any], *, is_hosted: bool) -> tuple[str, ...]:
    asked_wh = row["wh"] + row["short_wh"]
    amounts = (row["power"], row["further"], -row["credits"], row["power"] + row["further"] - row["credits"])
    return (
        row["month"].replace("-", NO_BREAK_HYPHEN),
        energy(row["wh"] / 1e6),
        energy(row["short_wh"] / 1e6),
        f"{100 * row['wh'] / asked_wh:.2f} %" if asked_wh else "n/a",
        *(f"{each / MICRO:,.0f}" for each in amounts),
        *((f"{row['sats'] / SATS_PER_BTC:,.4f}",) if is_hosted else ()),
    )

"""The commercial position on the page: contracts, what became of their volume, physical cost apart from hedge, cash."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from headrace.core import MICRO
from headrace.dispatch.site import Site
from headrace.energy import Contract, DayAheadPurchase, FixedPrice, SupplyFees, Swing, TakeOrPay
from headrace.engine.cashflow import cash_terms, has_cash_view, run_cash
from headrace.engine.results import POSITION_MICRO, POSITION_WH, PolicyRun, ReplayResult
from headrace.interfaces.report.margins import headline_run
from headrace.interfaces.report.section import Section, Table
from headrace.interfaces.wording import energy, money, policy_name
from headrace.treasury.cash import CashDay, lowest

__all__ = ["commercial_section", "position_months"]

PHYSICAL = ("energy_bought", "energy_sold")
CONTRACTUAL = ("day_ahead", "hedge", "basis", "supply_fees")


def commercial_section(result: ReplayResult) -> Section | None:
    """Section of the page; None at a site without contracts or cash terms."""
    site, run = result.site, headline_run(result)
    if not has_cash_view(site):
        return None
    tables = []
    if "scheduled_wh" in run.settlements.columns:
        months = position_months(run, site.time_zone)
        tables += [_contracts(site), _volumes(months), _amounts(site, months)]
    if days := run_cash(site, run):
        tables += [_cash(site, days), _terms(site)]
    return Section(
        key="commercial",
        title="Commercial position",
        words=(
            "The market is paid for every metered MWh; each contract pays the difference between a market price and "
            "its own price on its volume, whatever is metered. So hedges change what energy costs, never what runs.",
            "Sold back is the scheduled volume that was not consumed: its proceeds at the market price, and its gain "
            "over what that volume had cost.",
        ),
        tables=tuple(tables),
        source=f"{policy_name(run)}. Imbalance: net import less scheduled volume, at the site's own real-time price.",
    )


def position_months(run: PolicyRun, time_zone: str) -> pl.DataFrame:
    """Sums per local month of what the position is told by: energies, Wh, and amounts, micro-units."""
    names = ("import_wh", "export_wh", *POSITION_WH, *POSITION_MICRO, *PHYSICAL, *CONTRACTUAL)
    month = pl.col("interval_start").dt.convert_time_zone(time_zone).dt.strftime("%Y-%m")
    months = run.settlements.group_by(month=month, maintain_order=True).agg(pl.col(name).sum() for name in names)
    return months.with_columns(
        imbalance_wh=pl.col("import_wh") - pl.col("export_wh") - pl.col("scheduled_wh"),
        physical=pl.sum_horizontal(PHYSICAL),
        sold_back_gain=pl.col("sold_back") - pl.col("sold_back_cost"),
    ).with_columns(imbalance=pl.col("physical") + pl.col("scheduled_at_market"))


def _contracts(site: Site) -> Table:
    return Table(
        caption="Contracts",
        columns=("Contract", "Volume", "Price", "Settles at", "In force", "Source"),
        rows=tuple((each.name, *_told(each, site), each.source) for each in site.contracts),
        words=frozenset({1, 2, 3, 4, 5}),
        is_folded=True,
    )


def _told(contract: Contract, site: Site) -> tuple[str, str, str, str]:
    """Volume, price, place and dates of a contract in words."""
    unit = f"{site.currency.value}/MWh"
    place = "hub" if isinstance(contract, FixedPrice | DayAheadPurchase | Swing) and contract.at_hub else "own point"
    match contract:
        case FixedPrice():
            volume = f"{max(contract.hour_mw):g} MW, {contract.shape}" + (
                "" if contract.sells_back else ", no sell-back"
            )
            price = f"{contract.strike_ccy_per_mwh:,.2f} {unit}"
        case DayAheadPurchase():
            volume, price = f"{max(contract.hour_mw):,.2f} MW, {contract.shape}", "day-ahead price"
        case Swing():
            volume = f"{contract.day_min_mwh:g} to {contract.day_max_mwh:g} MWh a day, {contract.power_max_mw:g} MW"
            price = f"{contract.strike_ccy_per_mwh:,.2f} {unit}"
        case TakeOrPay():
            volume, place = f"at least {contract.month_min_mwh:,.0f} MWh a month", ""
            price = f"{contract.shortfall_ccy_per_mwh:,.2f} {unit} short"
        case SupplyFees():
            volume, place = "all import", ""
            price = f"{contract.fee_ccy_per_mwh:,.2f} {unit}, imbalance {contract.imbalance_fee_ccy_per_mwh:,.2f}"
    start, end = (date(1970, 1, 1) + timedelta(seconds=at_s) for at_s in (contract.start_s, contract.end_s))
    return volume, price, place, f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"


def _volumes(months: pl.DataFrame) -> Table:
    wh = ("scheduled_wh", "import_wh", "spot_wh", "sold_back_wh", "lost_wh", "imbalance_wh")
    rows = _with_total(months, wh)
    return Table(
        caption="What became of the volume",
        columns=("Month", "Scheduled", "Imported", "Bought at spot", "Sold back", "Lost", "Imbalance"),
        rows=tuple((row["month"], *(energy(row[name] / 1e6) for name in wh)) for row in rows),
        key=frozenset({len(rows) - 1}),
    )


def _amounts(site: Site, months: pl.DataFrame) -> Table:
    names = ("physical", *CONTRACTUAL, "imbalance", "sold_back", "sold_back_gain")
    rows = _with_total(months, names)
    currency = site.currency.value
    return Table(
        caption=f"Physical cost apart from the position, {currency}",
        columns=(
            "Month",
            "Physical energy",
            "Day-ahead",
            "Hedge",
            "Basis",
            "Fees",
            "Of it imbalance",
            "Sold back, proceeds",
            "Sold back, gain",
        ),
        rows=tuple((row["month"], *(money(row[name] / MICRO, "").strip() for name in names)) for row in rows),
        key=frozenset({len(rows) - 1}),
    )


def _with_total(months: pl.DataFrame, names: tuple[str, ...]) -> list[dict[str, Any]]:
    total = months.select(pl.lit("Total").alias("month"), *(pl.col(name).sum() for name in names))
    return [*months.select("month", *names).iter_rows(named=True), total.row(0, named=True)]


def _cash(site: Site, days: tuple[CashDay, ...]) -> Table:
    low = lowest(days)
    most = max(days, key=lambda each: each.security)
    jump = max(pairwise(days), key=lambda pair: pair[1].security - pair[0].security, default=(days[0], days[0]))
    currency = site.currency.value
    rows = [
        ("Opening cash", _date(days[0]), money(cash_terms(site).opening_ccy, currency)),
        ("Lowest free cash", _date(low), money(low.free / MICRO, currency)),
        ("Most security called", _date(most), money(most.security / MICRO, currency)),
        ("Sharpest call in a day", _date(jump[1]), money((jump[1].security - jump[0].security) / MICRO, currency)),
        ("Cash once all is paid", _date(days[-1]), money(days[-1].balance / MICRO, currency)),
    ]
    return Table(caption="Cash", columns=("Point", "Day", "Amount"), rows=tuple(rows), words=frozenset({1}))


def _terms(site: Site) -> Table:
    return Table(
        caption="Terms of payment",
        columns=("Party", "Bills by", "Days to the money", "Source"),
        rows=tuple(
            (each.party, "month" if each.by_month else "day", str(each.lag_days), each.source)
            for each in cash_terms(site).payments
        ),
        words=frozenset({1, 3}),
        is_folded=True,
    )


def _date(day: CashDay) -> str:
    return f"{date(1970, 1, 1) + timedelta(days=day.day):%Y-%m-%d}"

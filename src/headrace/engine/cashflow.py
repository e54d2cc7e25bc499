"""A run's cash, local day by local day: the books of each day, and when each party's money falls due."""

from datetime import date, timedelta

import polars as pl

from headrace.dispatch.site import Site
from headrace.energy import CashTerms
from headrace.engine.results import LINES, PolicyRun
from headrace.settlement import Statement
from headrace.treasury import Asset, entry_of
from headrace.treasury.cash import BookedDay, CashDay, cash_days

__all__ = ["cash_frame", "cash_terms", "has_cash_view", "run_cash"]

EPOCH = date(1970, 1, 1)


def has_cash_view(site: Site) -> bool:
    """Does the site declare anything that a cash view is about."""
    return site.cash is not None or bool(site.contracts)


def cash_terms(site: Site) -> CashTerms:
    """The site's terms, or the defaults."""
    return site.cash or CashTerms()


def run_cash(site: Site, run: PolicyRun) -> tuple[CashDay, ...]:
    """Cash of a run; empty for one that settled nothing."""
    local = pl.col("interval_start").dt.convert_time_zone(site.time_zone).dt.date()
    sums = ("duration_s", "import_wh", "export_wh", "mining_sats", *LINES)
    per_day = (
        run.settlements.group_by(day=local, maintain_order=True)
        .agg(
            pl.col("interval_start").first(),
            pl.col("is_estimated").any(),
            *(pl.col(name).sum() for name in sums),
        )
        .sort("day")
    )
    booked = []
    for sequence, row in enumerate(per_day.iter_rows(named=True), start=1):
        day: date = row.pop("day")
        statement = Statement(interval_start_s=int(row.pop("interval_start").timestamp()), **row)
        booked.append(
            BookedDay(
                day=(day - EPOCH).days,
                month_end_day=(_month_end(day) - EPOCH).days,
                entry=entry_of(statement, site.currency, sequence),
            )
        )
    return cash_days(booked, cash_terms(site), Asset(site.currency.value)) if booked else ()


def cash_frame(site: Site, days: tuple[CashDay, ...]) -> pl.DataFrame:
    """Cash days as a frame in micro-units: day, a column per party, balance, unpaid, marked_loss, security, free."""
    columns: dict[str, object] = {"day": [EPOCH + timedelta(days=each.day) for each in days]}
    for row, payment in enumerate(cash_terms(site).payments):
        columns[payment.party] = [each.by_party[row] for each in days]
    for name in ("balance", "unpaid", "marked_loss", "security", "free"):
        columns[name] = [getattr(each, name) for each in days]
    return pl.DataFrame(columns)


def _month_end(day: date) -> date:
    following = day.replace(day=28) + timedelta(days=4)
    return following - timedelta(days=following.day)

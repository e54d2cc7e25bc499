"""A run's cash, local day by local day: the books of each day, and when each party's money falls due.

What a dated charge says of its cash outranks the terms of its party: a summer's coincident peaks fall due in the months
of the year after.
"""

from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from headrace.core import divide_nearest, from_epoch_s, micro
from headrace.dispatch.site import Site
from headrace.energy import CashTerms
from headrace.energy.tariffs import CashFall, Charge, CoincidentPeaks, FixedCharge, MonthlyPeak, PriceAdder, dues_s
from headrace.engine.results import LINES, PolicyRun
from headrace.settlement import Statement
from headrace.treasury import Asset, entry_of
from headrace.treasury.cash import BookedDay, CashDay, DatedSum, cash_days

__all__ = ["cash_frame", "cash_terms", "has_cash_view", "run_cash"]

EPOCH = date(1970, 1, 1)


DATED: Final = (
    ("fixed_charges", "network", FixedCharge),
    ("transmission", "transmission", CoincidentPeaks),
    ("peak", "network", MonthlyPeak),
)
"""Statement lines that dated charges say the cash of: line, party, kind of charge."""


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
        dated = _dated(site, statement) if site.charges else ()
        booked.append(
            BookedDay(
                day=(day - EPOCH).days,
                month_end_day=(_month_end(day) - EPOCH).days,
                entry=entry_of(statement, site.currency, sequence),
                dated=dated,
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


def _dated(site: Site, statement: Statement) -> tuple[DatedSum, ...]:
    """What dated charges say the cash of, by when it was booked; charges paid alike share a sum.

    Where charges of one kind in force that day are paid at different times, the line is split by their rates.
    """
    sums = []
    at_s, zone = statement.interval_start_s, ZoneInfo(site.time_zone)
    for line, party, kind in DATED:
        alike: dict[CashFall, list[Charge]] = {}
        for each in site.charges:
            if isinstance(each, kind) and each.start_s <= at_s < each.end_s:
                alike.setdefault(each.cash, []).append(each)
        amount: int = getattr(statement, line)
        total = sum(_weight(each) for charges in alike.values() for each in charges)
        if not amount or not total:
            continue
        weight, before = 0, 0
        for charges in alike.values():
            weight += sum(map(_weight, charges))
            after = divide_nearest(amount * weight, total)
            ends = [from_epoch_s(end_s - 1).astimezone(zone).date() for end_s in dues_s(charges[0], at_s, zone.key)]
            due_days = tuple((day - EPOCH).days for day in ends)
            sums.append(DatedSum(party=party, amount=after - before, due_days=due_days))
            before = after
    return tuple(sums)


def _weight(charge: Charge) -> int:
    """What a line is split by between charges of a kind: their rates, micro-units."""
    match charge:
        case FixedCharge():
            return micro(charge.month_ccy)
        case CoincidentPeaks():
            return micro(charge.peak_ccy_per_mw)
        case MonthlyPeak():
            return micro(charge.peak_ccy_per_mw_month)
        case PriceAdder():
            return 0


def _month_end(day: date) -> date:
    following = day.replace(day=28) + timedelta(days=4)
    return following - timedelta(days=following.day)

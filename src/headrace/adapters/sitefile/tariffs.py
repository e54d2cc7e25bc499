"""What must fit together in dated charges, and the records made of them."""

from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.lines import KeyPath
from headrace.adapters.sitefile.moment import instant
from headrace.adapters.sitefile.schema import SiteFile
from headrace.adapters.sitefile.schema_tariffs import ChargeSection
from headrace.core import epoch_s
from headrace.energy.coincident import PeakCalendar
from headrace.energy.tariffs import (
    ALL_HOURS,
    ALL_MONTHS,
    CashFall,
    Charge,
    CoincidentPeaks,
    FixedCharge,
    MonthlyPeak,
    PriceAdder,
)
from headrace.energy.tariffs_usual import missing_components

__all__ = ["build_charges", "charge_findings", "charge_notes", "charge_roles", "charge_units"]

NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "energy": ("adder_ccy_per_mwh",),
    "uplift": ("adder_ccy_per_mwh",),
    "losses": ("loss_ratio",),
    "fixed": ("fixed_ccy_per_month",),
    "four-peaks": ("peak_ccy_per_mw_year",),
    "five-peaks": ("pool_ccy_per_year", "system_peak_mw", "class_b_ccy_per_mwh"),
    "monthly-peak": ("peak_ccy_per_mw_month",),
}
"""Keys each kind must have."""

ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "energy": ("months", "hours_local"),
    "uplift": ("months", "hours_local"),
    "losses": (),
    "fixed": (),
    "four-peaks": ("months", "interval_min", "load", "temperature", "peaks"),
    "five-peaks": ("class_a_min_mw", "interval_min", "load", "temperature", "peaks"),
    "monthly-peak": ("months", "interval_min", "is_pro_rata"),
}
"""Keys each kind may have besides."""

MEASURING_MIN: Final = (15, 30, 60)
"""Lengths that a demand meter is set to, minutes."""

COMMON: Final = ("kind", "name", "start", "end", "source", "cash")

CLASS_A_MIN_MW: Final = 5.0
"""Ontario: mean monthly peak demand above which a load is in class A (O. Reg. 429/04; smaller ones may opt in)."""

SUMMER: Final = (6, 7, 8, 9)
"""Months of ERCOT's four coincident peaks (PUCT substantive rule 25.192)."""

BASE_PERIOD_MONTH: Final = 5
"""Ontario's base period begins on 1 May (O. Reg. 429/04)."""


def charge_findings(file: SiteFile) -> Findings:
    """Charges that contradict themselves, each other or the site."""
    if file.site.time_zone not in available_timezones():
        return
    for i, each in enumerate(file.charge):
        yield from _keys(i, each)
        yield from _terms(file, i, each)
    yield from _monthly(file)
    names = list(dict.fromkeys(each.name for each in file.charge))
    for name in names:
        yield from _versions(file, [(i, each) for i, each in enumerate(file.charge) if each.name == name])


def _keys(i: int, each: ChargeSection) -> Findings:
    """Keys the kind lacks, and keys it doesn't know."""
    for key in NEEDED[each.kind]:
        if getattr(each, key) is None:
            yield Finding(path=("charge", i, key), found=f"is missing: {each.kind} needs it", do=f"Add {key}")
    for key in ChargeSection.model_fields:
        known = COMMON + NEEDED[each.kind] + ALLOWED[each.kind]
        if key not in known and getattr(each, key) is not None:
            found = f"does not belong to a charge of kind {each.kind}"
            yield Finding(path=("charge", i, key), found=found, do="Remove it, or give another kind")


def _terms(file: SiteFile, i: int, each: ChargeSection) -> Findings:
    """What one charge says against itself."""
    start_s, end_s = _span(file, each)
    if end_s <= start_s:
        found = f"must be after start, was {each.end} with start {each.start}"
        yield Finding(path=("charge", i, "end"), found=found, do="Correct either")
    if not _has_peaks(each):
        return
    path: KeyPath = ("charge", i)
    if (each.load is None) == (each.peaks is None):
        found = f"must tell its peaks by load or by a list, had {'neither' if each.load is None else 'both'}"
        yield Finding(path=path, found=found, do="Give load, a role in [feeds], or peaks")
    if each.temperature is not None and each.load is None:
        found = "forecasts a load, and none is declared"
        yield Finding(path=(*path, "temperature"), found=found, do="Give load or remove it")
    length_min, settles_min = _interval_min(each), file.market.settlement_step_min
    if length_min % settles_min or 60 % length_min:
        found = f"must divide the hour and be whole settlement intervals of {settles_min} min, was {length_min}"
        yield Finding(path=(*path, "interval_min"), found=found, do="Correct it or market.settlement_step_min")
    for j, peak in enumerate(each.peaks or ()):
        at_s = epoch_s(instant(peak, _zone(file)))
        if at_s % (length_min * 60):
            found = f"must begin a peak interval of {length_min} min, was {peak}"
            yield Finding(path=(*path, "peaks"), found=found, do="Give the interval's start")
        elif not start_s <= at_s < end_s:
            found = f"number {j + 1}, {peak}, lies outside {each.start} to {each.end}"
            yield Finding(path=(*path, "peaks"), found=found, do="Give only the peaks of this version")


def _monthly(file: SiteFile) -> Findings:
    """A site has one charge on its own monthly peak, and its rate changes with the month, as the bill does."""
    rows = [(i, each) for i, each in enumerate(file.charge) if each.kind == "monthly-peak"]
    for i, each in rows:
        path: KeyPath = ("charge", i)
        if file.tariff.peak_charge_ccy_per_mw_month > 0.0:
            found = "is charged beside tariff.peak_charge_ccy_per_mw_month: a month has one peak"
            yield Finding(path=(*path, "kind"), found=found, do="Leave one of them out")
        if each.name != rows[0][1].name:
            found = f'"{each.name}" is a second monthly peak beside "{rows[0][1].name}"'
            yield Finding(path=(*path, "name"), found=found, do="Declare one part of this kind")
        elif each is not rows[0][1] and _interval_min(each) != _interval_min(rows[0][1]):
            found = f"must be that of its other versions, {_interval_min(rows[0][1])}, was {_interval_min(each)}"
            yield Finding(path=(*path, "interval_min"), found=found, do="Correct either")
        if _interval_min(each) not in MEASURING_MIN or _interval_min(each) % file.site.control_step_min:
            found = f"must be 15, 30 or 60 and whole control steps, was {_interval_min(each)}"
            yield Finding(path=(*path, "interval_min"), found=found, do="Correct it")
        begins = instant(each.start, _zone(file)).astimezone(_zone(file))
        follows = any(_span(file, other)[1] == _span(file, each)[0] for _, other in rows)
        if follows and (begins.day, begins.hour, begins.minute) != (1, 0, 0):
            found = f"must be a month's first instant where a rate follows another, was {each.start}"
            yield Finding(path=(*path, "start"), found=found, do="Let the rate change with the month")


def _versions(file: SiteFile, versions: list[tuple[int, ChargeSection]]) -> Findings:
    """Versions of one part follow each other: no two at once, none missing."""
    ordered = sorted(versions, key=lambda pair: _span(file, pair[1]))
    for (_, before), (i, after) in pairwise(ordered):
        if before.kind != after.kind:
            found = f'"{after.name}" is {after.kind} here and {before.kind} in another version'
            yield Finding(path=("charge", i, "kind"), found=found, do="Give one of them another name")
        end_s, start_s = _span(file, before)[1], _span(file, after)[0]
        if start_s != end_s:
            what = "a gap" if start_s > end_s else "an overlap"
            first, last = (before.end, after.start) if start_s > end_s else (after.start, before.end)
            found = f'"{after.name}" has {what} in its dates, from {first} to {last}'
            yield Finding(path=("charge", i, "start"), found=found, do="Let one version end where the next begins")


def build_charges(file: SiteFile) -> tuple[Charge, ...]:
    """Charges of a file that has passed every check."""
    return tuple(_charge(file, each) for each in file.charge)


def _charge(file: SiteFile, each: ChargeSection) -> Charge:
    start_s, end_s = _span(file, each)
    usual = CashFall.NEXT_YEAR if _is_by_peaks(file, each) else CashFall.NEXT_MONTH
    dated: dict[str, Any] = {"name": each.name, "start_s": start_s, "end_s": end_s, "source": each.source}
    dated["cash"] = each.cash or usual
    if each.kind == "fixed":
        return FixedCharge(**dated, month_ccy=each.fixed_ccy_per_month or 0.0)
    if each.kind == "monthly-peak":
        return MonthlyPeak(
            **dated,
            peak_ccy_per_mw_month=each.peak_ccy_per_mw_month or 0.0,
            interval_s=_interval_min(each) * 60,
            months=tuple(sorted(set(each.months or ALL_MONTHS))),
            is_pro_rata=bool(each.is_pro_rata),
        )
    if not _is_by_peaks(file, each):
        adder = each.class_b_ccy_per_mwh if each.kind == "five-peaks" else each.adder_ccy_per_mwh
        return PriceAdder(
            **dated,
            adder_ccy_per_mwh=adder or 0.0,
            loss_ratio=each.loss_ratio or 0.0,
            months=tuple(sorted(set(each.months or ALL_MONTHS))),
            hours_local=tuple(sorted(set(each.hours_local or ALL_HOURS))),
        )
    is_monthly = each.kind == "four-peaks"
    rate = each.peak_ccy_per_mw_year if is_monthly else (each.pool_ccy_per_year or 0.0) / (each.system_peak_mw or 1.0)
    return CoincidentPeaks(
        **dated,
        peak_ccy_per_mw_year=rate or 0.0,
        interval_s=_interval_min(each) * 60,
        calendar=PeakCalendar(
            months=tuple(sorted(set(each.months or SUMMER))) if is_monthly else ALL_MONTHS,
            is_monthly=is_monthly,
            first_month=1 if is_monthly else BASE_PERIOD_MONTH,
            count=1 if is_monthly else 5,
        ),
        load=each.load,
        temperature=each.temperature,
        peaks_s=tuple(epoch_s(instant(peak, _zone(file))) for peak in each.peaks or ()),
    )


def charge_notes(file: SiteFile) -> list[str]:
    """What a reader must know of the site's charges."""
    charges = build_charges(file)
    has_class_b = any(each.kind == "five-peaks" and not _is_by_peaks(file, each) for each in file.charge)
    missing = missing_components(file.market.name, charges, has_class_b=has_class_b)
    said = [f"{file.market.name}: {part}." for part in missing]
    for each in charges:
        if isinstance(each, CoincidentPeaks):
            told = "the peaks listed in the site file" if each.load is None else f"the series {each.load}"
            said.append(f"{each.name}: provisional, accrued at the peaks of {told}, not the operator's settled ones.")
    return said


def charge_units(file: SiteFile) -> dict[str, str]:
    """Unit of the series that charges name."""
    loads = {each.load: "mw" for each in file.charge if each.load is not None}
    return loads | {each.temperature: "c" for each in file.charge if each.temperature is not None}


def charge_roles(file: SiteFile) -> dict[str, tuple[KeyPath, str]]:
    """Roles that charges need: the key that asks, and what it is."""
    roles: dict[str, tuple[KeyPath, str]] = {}
    for i, each in enumerate(file.charge):
        if each.load is not None:
            roles[each.load] = (("charge", i, "load"), "system load, MW")
        if each.temperature is not None:
            roles[each.temperature] = (("charge", i, "temperature"), "temperature, degrees C")
    return roles


def _has_peaks(each: ChargeSection) -> bool:
    return each.kind in {"four-peaks", "five-peaks"}


def _is_by_peaks(file: SiteFile, each: ChargeSection) -> bool:
    """Does the site pay this by peaks: four-peaks, or five-peaks in class A."""
    least_mw = CLASS_A_MIN_MW if each.class_a_min_mw is None else each.class_a_min_mw
    is_class_a = file.connection.import_max_mw >= least_mw
    return each.kind == "four-peaks" or (each.kind == "five-peaks" and is_class_a)


def _interval_min(each: ChargeSection) -> int:
    return each.interval_min or (60 if each.kind == "five-peaks" else 15)


def _zone(file: SiteFile) -> ZoneInfo:
    return ZoneInfo(file.site.time_zone)


def _span(file: SiteFile, each: ChargeSection) -> tuple[int, int]:
    return epoch_s(instant(each.start, _zone(file))), epoch_s(instant(each.end, _zone(file)))

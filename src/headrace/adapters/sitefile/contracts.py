"""Supply contracts of the site file: what must fit together, and the records the rooms get.

Peak hours are those of North American practice: 5x16 is 06:00 to 22:00 on weekdays, 2x16 the same at the weekend, 7x8
the rest, in local time. Holidays, which the traded product counts as weekend, are not known here.
"""

import calendar as months
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.lines import KeyPath
from headrace.adapters.sitefile.moment import instant
from headrace.adapters.sitefile.schema import SiteFile
from headrace.adapters.sitefile.schema_contracts import ContractSection
from headrace.core import epoch_s
from headrace.energy import CashTerms, Contract, DayAheadPurchase, FixedPrice, Payment, SupplyFees, Swing, TakeOrPay
from headrace.energy.contracts import HOURS_PER_WEEK
from headrace.energy.payment import DEFAULT_PAYMENTS
from headrace.loads import Cooling, Firmness
from headrace.loads.cooling import REFERENCE_TEMP_C, pue_at

__all__ = ["build_contracts", "contract_findings", "contract_notes", "contract_roles"]

VOLUMES: Final = ("block", "shaped", "day-ahead", "swing")
"""Kinds that schedule a volume."""

NEEDED: Final = {
    "block": ("power_mw", "strike_ccy_per_mwh"),
    "shaped": ("profile_mw", "strike_ccy_per_mwh"),
    "day-ahead": (),
    "swing": ("power_max_mw", "day_min_mwh", "day_max_mwh", "strike_ccy_per_mwh"),
    "take-or-pay": ("month_min_mwh", "shortfall_ccy_per_mwh"),
    "supply-fees": (),
}
"""Keys that a kind can't do without."""

ALLOWED: Final = {
    "block": ("hours", "at_hub", "sell_back", "speculative"),
    "shaped": ("at_hub", "speculative"),
    "day-ahead": ("power_mw", "hours", "profile_mw", "firm_share_ratio", "at_hub", "speculative"),
    "swing": ("year_max_mwh", "at_hub", "speculative"),
    "take-or-pay": (),
    "supply-fees": ("fee_ccy_per_mwh", "imbalance_fee_ccy_per_mwh", "tolerance_ratio"),
}
"""Further keys that it may have."""

OF_ALL: Final = ("kind", "name", "start", "end", "source")
FIRST_PEAK_HOUR, LAST_PEAK_HOUR = 6, 21
MWH_TOLERANCE: Final = 1e-9


def contract_findings(file: SiteFile) -> Findings:
    """Contracts that contradict themselves, each other, or the site."""
    if file.site.time_zone not in available_timezones():
        return
    sound = []
    for i, each in enumerate(file.contract):
        problems = [*_keys(i, each), *_terms(file, i, each)]
        yield from problems
        if not problems:
            sound.append((i, each))
    yield from _twice(file, sound)
    yield from _above_connection(file, sound)
    yield from _chain(file, [pair for pair in sound if pair[1].kind == "supply-fees"], may_gap=False)
    yield from _chain(file, [pair for pair in sound if pair[1].kind == "take-or-pay"], may_gap=True)
    seen: set[str] = set()
    for i, payment in enumerate(file.cash.payment if file.cash else ()):
        if payment.party in seen:
            found = f'names "{payment.party}" twice'
            yield Finding(path=("cash", "payment", i, "party"), found=found, do="Give each party one entry")
        seen.add(payment.party)


def contract_roles(file: SiteFile) -> dict[str, tuple[KeyPath, str]]:
    """Series that contracts can't settle without: the key that asks for each, and what it is."""
    asked: dict[str, tuple[KeyPath, str]] = {}
    for i, each in enumerate(file.contract):
        path: KeyPath = ("contract", i, "at_hub" if each.at_hub else "kind")
        if each.kind in VOLUMES and each.at_hub:
            asked["hub_real_time"] = (path, "the price it settles at")
        if each.kind in {"day-ahead", "swing"}:
            role = "hub_day_ahead" if each.at_hub else "day_ahead"
            asked[role] = (path, "the price it is bought or nominated at")
    for i, ppa in enumerate(file.ppa):
        if ppa.at_hub:
            asked["hub_real_time"] = (("ppa", i, "at_hub"), "the price it settles at")
    return asked


def build_contracts(file: SiteFile) -> dict[str, Any]:
    """Fields of `Site` that come from contracts and cash, for a file that has passed every check."""
    cash = file.cash
    own = {} if cash is None else {each.party: each for each in cash.payment}
    terms = tuple(
        default
        if (given := own.get(default.party)) is None
        else Payment(party=given.party, by_month=given.bills == "month", lag_days=given.lag_days, source=given.source)
        for default in DEFAULT_PAYMENTS
    )
    return {
        "contracts": tuple(_contract(file, each) for each in file.contract),
        "cash": None if cash is None else CashTerms(**cash.model_dump(exclude={"payment"}), payments=terms),
    }


def contract_notes(file: SiteFile) -> Iterator[str]:
    """What a reader of the results should know of the contracts."""
    for each in file.contract:
        if each.kind == "take-or-pay":
            yield f"contract {each.name}: dispatch does not see the charge for volume not taken; the books do"
        if each.imbalance_fee_ccy_per_mwh:
            yield f"contract {each.name}: dispatch does not see the imbalance fee; the books do"
        if each.kind == "swing":
            yield f"contract {each.name}: nominated day-ahead by rule, dearest hours first, then settled as a block"
        if each.speculative:
            yield f"contract {each.name}: declared speculative; its volume may exceed what the site can consume"


def _keys(i: int, each: ContractSection) -> Findings:
    needed, allowed = NEEDED[each.kind], (*NEEDED[each.kind], *ALLOWED[each.kind], *OF_ALL)
    for key in needed:
        if getattr(each, key) is None:
            do = f"Add {key}: {_meaning(key)}"
            yield Finding(path=("contract", i), found=f"a {each.kind} contract needs {key}, which is missing", do=do)
    for key in sorted(each.model_fields_set - set(allowed)):
        found = f"a {each.kind} contract takes no such key"
        yield Finding(path=("contract", i, key), found=found, do=f"Remove it, or change kind; known: {_known(each)}")
    if each.kind == "day-ahead":
        given = [key for key in ("power_mw", "profile_mw", "firm_share_ratio") if getattr(each, key) is not None]
        if len(given) != 1:
            found = f"must say its volume in one way, had {', '.join(given) or 'none'}"
            yield Finding(path=("contract", i), found=found, do="Give power_mw, profile_mw or firm_share_ratio")
    if each.kind == "supply-fees" and each.fee_ccy_per_mwh is None and each.imbalance_fee_ccy_per_mwh is None:
        found = "charges nothing"
        yield Finding(path=("contract", i), found=found, do="Give fee_ccy_per_mwh or imbalance_fee_ccy_per_mwh")


def _terms(file: SiteFile, i: int, each: ContractSection) -> Findings:
    """What one contract says against itself."""
    start_s, end_s = _span(file, each)
    if end_s <= start_s:
        found = f"must be after start, was {each.end} with start {each.start}"
        yield Finding(path=("contract", i, "end"), found=found, do="Correct either")
    if each.profile_mw is not None and len(each.profile_mw) not in {24, HOURS_PER_WEEK}:
        found = f"must have 24 hours or 168, had {len(each.profile_mw)}"
        yield Finding(path=("contract", i, "profile_mw"), found=found, do="Give a day, or a week from Monday 00:00")
    if each.kind == "swing":
        yield from _swing(i, each)
    if each.kind == "block" and not each.sell_back:
        yield from _no_sell_back(file, i, each)
    if each.kind == "take-or-pay":
        for key, at, verb in (("start", each.start, "start"), ("end", each.end, "end")):
            if at.day != 1:
                found = f"must {verb} on the first of a month, was {at}"
                yield Finding(path=("contract", i, key), found=found, do="The least volume is that of whole months")
    if each.kind in VOLUMES and file.market.settlement_step_min > 60:
        found = f"settles by the hour, the market bills {file.market.settlement_step_min} min together"
        yield Finding(path=("contract", i), found=found, do="Lower market.settlement_step_min")


def _swing(i: int, each: ContractSection) -> Findings:
    least, most, power = each.day_min_mwh, each.day_max_mwh, each.power_max_mw
    if least is None or most is None or power is None:
        return
    if least > most:
        found = f"must be at most day_max_mwh {most:g}, was {least:g}"
        yield Finding(path=("contract", i, "day_min_mwh"), found=found, do="Correct either")
    if most > 24.0 * power:
        found = f"can't be taken: 24 h at power_max_mw {power:g} are {24.0 * power:g} MWh, was {most:g}"
        yield Finding(path=("contract", i, "day_max_mwh"), found=found, do="Lower it or raise power_max_mw")
    if each.year_max_mwh is not None and 365.0 * least > each.year_max_mwh:
        found = f"is below 365 days of day_min_mwh, {365.0 * least:g} MWh, was {each.year_max_mwh:g}"
        yield Finding(path=("contract", i, "year_max_mwh"), found=found, do="Correct either")


def _no_sell_back(file: SiteFile, i: int, each: ContractSection) -> Findings:
    limit_mw = file.connection.import_max_mw
    if each.at_hub or each.hours not in {None, "flat"} or (each.power_mw or 0.0) < limit_mw:
        found = f"without sell_back a block must be flat, at the site's own point and no less than {limit_mw:g} MW"
        do = "Import would have two marginal costs in one interval, of which dispatch knows one: allow sell_back"
        yield Finding(path=("contract", i, "sell_back"), found=found, do=do)
    elif file.connection.export_max_mw > 0.0:
        found = "without sell_back at a site that exports, the same energy would be sold through the meter"
        yield Finding(path=("contract", i, "sell_back"), found=found, do="Allow sell_back, or set export_max_mw to 0")


def _twice(file: SiteFile, sound: list[tuple[int, ContractSection]]) -> Findings:
    """The same volume on the same terms, twice."""
    for place, (i, each) in enumerate(sound):
        for _, other in sound[:place]:
            own, others = (c.model_dump(exclude={"name", "start", "end", "source"}) for c in (each, other))
            if each.kind in VOLUMES and own == others and _overlap(_span(file, each), _span(file, other)):
                found = f'has the terms and, in part, the dates of "{other.name}": the same volume twice'
                yield Finding(path=("contract", i, "start"), found=found, do="Remove one, or tell them apart")


def _above_connection(file: SiteFile, sound: list[tuple[int, ContractSection]]) -> Findings:
    """More volume in some hour than the connection can take, not declared as speculative."""
    volumes = [(i, each) for i, each in sound if each.kind in VOLUMES and not each.speculative]
    limit_mw = file.connection.import_max_mw
    for i, each in volumes:
        start_s = _span(file, each)[0]
        held = [c for _, c in volumes if _span(file, c)[0] <= start_s < _span(file, c)[1]]
        total = [sum(hour) for hour in zip(*(_hour_mw(file, c) for c in held), strict=True)]
        hour = max(range(HOURS_PER_WEEK), key=total.__getitem__)
        if total[hour] > limit_mw + MWH_TOLERANCE:
            day, clock = months.day_name[hour // 24], hour % 24
            names = ", ".join(f'"{c.name}"' for c in held)
            found = (
                f"with {names} {total[hour]:g} MW are bought on {day} {clock:02d}:00, the connection takes {limit_mw:g}"
            )
            yield Finding(path=("contract", i), found=found, do="Lower the volume, or declare speculative = true")
            return


def _chain(file: SiteFile, pairs: list[tuple[int, ContractSection]], *, may_gap: bool) -> Findings:
    """Contracts that follow one another: no two at once and, where something must always hold, none missing."""
    ordered = sorted(pairs, key=lambda pair: _span(file, pair[1]))
    for (_, before), (i, after) in pairwise(ordered):
        end_s, start_s = _span(file, before)[1], _span(file, after)[0]
        if start_s < end_s:
            found = f'starts {after.start}, while "{before.name}" holds until {before.end}'
            yield Finding(path=("contract", i, "start"), found=found, do="Let one end where the other starts")
        elif start_s > end_s and not may_gap:
            found = f'starts {after.start}, but "{before.name}" ends {before.end}: no fees are known between'
            yield Finding(path=("contract", i, "start"), found=found, do="Close the gap in the dates")


def _contract(file: SiteFile, each: ContractSection) -> Contract:
    start_s, end_s = _span(file, each)
    dated: dict[str, Any] = {"name": each.name, "start_s": start_s, "end_s": end_s, "source": each.source}
    match each.kind:
        case "block" | "shaped":
            return FixedPrice(
                **dated,
                shape=_shape(each),
                hour_mw=_hour_mw(file, each),
                strike_ccy_per_mwh=each.strike_ccy_per_mwh or 0.0,
                at_hub=each.at_hub,
                sells_back=each.sell_back,
                is_speculative=each.speculative,
            )
        case "day-ahead":
            return DayAheadPurchase(
                **dated,
                shape=_shape(each),
                hour_mw=_hour_mw(file, each),
                at_hub=each.at_hub,
                is_speculative=each.speculative,
            )
        case "swing":
            return Swing(
                **dated,
                power_max_mw=each.power_max_mw or 0.0,
                day_min_mwh=each.day_min_mwh or 0.0,
                day_max_mwh=each.day_max_mwh or 0.0,
                year_max_mwh=each.year_max_mwh,
                strike_ccy_per_mwh=each.strike_ccy_per_mwh or 0.0,
                at_hub=each.at_hub,
                is_speculative=each.speculative,
            )
        case "take-or-pay":
            return TakeOrPay(
                **dated,
                month_min_mwh=each.month_min_mwh or 0.0,
                shortfall_ccy_per_mwh=each.shortfall_ccy_per_mwh or 0.0,
            )
        case "supply-fees":
            return SupplyFees(
                **dated,
                fee_ccy_per_mwh=each.fee_ccy_per_mwh or 0.0,
                imbalance_fee_ccy_per_mwh=each.imbalance_fee_ccy_per_mwh or 0.0,
                tolerance_ratio=each.tolerance_ratio or 0.0,
            )


def _shape(each: ContractSection) -> str:
    if each.profile_mw is not None:
        return f"{len(each.profile_mw)} hours"
    if each.firm_share_ratio is not None:
        return f"{each.firm_share_ratio:.0%} of the firm load"
    return each.hours or "flat"


def _hour_mw(file: SiteFile, each: ContractSection) -> tuple[float, ...]:
    """Power in each local hour of the week, MW; a swing contract's is the most it can be."""
    if each.profile_mw is not None:
        return each.profile_mw * (HOURS_PER_WEEK // len(each.profile_mw))
    if each.firm_share_ratio is not None:
        return (each.firm_share_ratio * _firm_mw(file),) * HOURS_PER_WEEK
    power_mw = each.power_max_mw if each.kind == "swing" else each.power_mw
    return tuple(power_mw or 0.0 if _has(each.hours or "flat", hour) else 0.0 for hour in range(HOURS_PER_WEEK))


def _has(hours: str, week_hour: int) -> bool:
    """Does a product hold in this local hour of the week."""
    is_day = FIRST_PEAK_HOUR <= week_hour % 24 <= LAST_PEAK_HOUR
    is_weekday = week_hour < 5 * 24
    held = {"flat": True, "peak": is_day and is_weekday, "weekend": is_day and not is_weekday, "night": not is_day}
    return held[hours]


def _firm_mw(file: SiteFile) -> float:
    """Load at the bus that runs whatever the price, with cooling at the reference temperature, MW."""
    pue = {
        plant.name: float(
            pue_at(
                Cooling(
                    name=plant.name, temp_c=tuple(p[0] for p in plant.pue), pue_ratio=tuple(p[1] for p in plant.pue)
                ),
                np.array(REFERENCE_TEMP_C),
            )
        )
        for plant in file.cooling
    }
    clusters = sum(
        lease.gpus
        * cluster.kw_per_gpu
        * (1.0 if lease.firmness is Firmness.FIRM else cluster.idle_ratio)
        * pue.get(cluster.cooling, 1.0)
        for cluster in file.cluster
        for lease in cluster.lease
    )
    services = sum(s.gpus * s.kw_per_gpu * s.idle_ratio * pue.get(s.cooling, 1.0) for s in file.inference)
    return (clusters + services) / 1e3


def _span(file: SiteFile, each: ContractSection) -> tuple[int, int]:
    zone = ZoneInfo(file.site.time_zone)
    return epoch_s(instant(each.start, zone)), epoch_s(instant(each.end, zone))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def _meaning(key: str) -> str:
    text = " ".join((ContractSection.model_fields[key].description or "").split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _known(each: ContractSection) -> str:
    return ", ".join(key for key in ContractSection.model_fields if key in NEEDED[each.kind] + ALLOWED[each.kind])

"""From running totals to a control interval's reading: differences, and what stands in for a counter that is silent.

    amount of an interval = total now − what is booked of that counter

A counter that does not answer is estimated (its last interval's amount again) and what was estimated is remembered:
when the counter is back, its difference less the estimate is booked, so energy is counted once. A total below what is
booked by more than was estimated means that the device began again from nothing.

Names are those of `control.readings.CounterReading`; beside the meters' own fields a site may serve
`use_wh.<load>`, the energy of a load at the bus, which explains the interval (else control's belief is added up).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from headrace.dispatch.site import Site
from headrace.dispatch.uses import SiteModel
from headrace.loads import Firmness
from headrace.settlement.metering import ControlReading, MeteredInterval

__all__ = ["Amounts", "amounts_of", "counter_names", "reading_of", "split_evenly", "unmetered"]

WH_PER_MWH: Final = 1_000_000


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """What every counter moved in one interval."""

    moved: dict[str, int]
    """Amount of each counter, in its own unit."""
    booked: dict[str, int]
    """Total booked of each counter by the interval's end."""
    estimated: dict[str, int]
    """Of it, what is estimated and not yet confirmed by the counter."""
    reasons: tuple[str, ...]
    """Which counters were estimated, and why."""


def counter_names(site: Site) -> tuple[str, ...]:
    """Counters that a site's settlement asks for, by name."""
    names = ["import_wh", "export_wh", "it_wh"]
    if site.battery is not None:
        names += ["charge_wh", "discharge_wh"]
    names += [f"generated_wh.{each.name}" for each in site.generators]
    for lease in site.leases:
        names += [f"lease_delivered_gpu_s.{lease.name}", f"lease_short_gpu_s.{lease.name}"]
    for service in site.inference:
        names += [f"requests_served.{service.name}", f"requests_asked.{service.name}"]
    names += [f"work_ph.{each.name}" for each in site.miners]
    names += [f"heat_wh.{each.load}" for each in site.heat]
    names += [f"ppa_wh.{each.name}" for each in site.ppas]
    return tuple(names)


def unmetered(site: Site) -> tuple[str, ...]:
    """Parts of a site whose settlement no counter of a live site serves yet."""
    parts = {
        "hosting contracts": site.hosting,
        "interruption allowances": site.allowances,
        "powered-shell tenants": site.tenants,
        "batch jobs": site.job_clusters,
        "fuel-burning units": () if site.plant is None else site.plant.units,
    }
    return tuple(name for name, part in parts.items() if part)


def amounts_of(
    names: Sequence[str],
    totals: Mapping[str, int],
    booked: Mapping[str, int],
    estimated: Mapping[str, int],
    usual: Mapping[str, int],
) -> Amounts:
    """What each counter moved since it was last booked.

    Parameters
    ----------
    names
        Counters that are asked for.
    totals
        Totals of the counters that answered.
    booked, estimated
        What is booked of each by now, and how much of it was estimated; a counter that is not named begins now.
    usual
        Amount of each counter in the interval before: the estimate for one that is silent.
    """
    moved: dict[str, int] = {}
    now_booked: dict[str, int] = {}
    now_estimated: dict[str, int] = {}
    reasons: list[str] = []
    for name in names:
        open_amount = estimated.get(name, 0)
        if name not in totals:
            moved[name] = usual.get(name, 0)
            if name in booked:
                now_booked[name] = booked[name] + moved[name]
                now_estimated[name] = open_amount + moved[name]
            reasons.append(f"counter.silent.{name}")
            continue
        total, before = totals[name], booked.get(name, totals[name])
        if total < before - open_amount:
            before, open_amount = 0, 0
            reasons.append(f"counter.began_again.{name}")
        moved[name] = max(0, total - before)
        now_booked[name] = max(total, before)
        if before > total:
            now_estimated[name] = before - total
    return Amounts(moved=moved, booked=now_booked, estimated=now_estimated, reasons=tuple(reasons))


def split_evenly(amounts: Mapping[str, int], parts: int) -> list[dict[str, int]]:
    """Amounts of several intervals that were read as one, to the last unit: the earlier ones are rounded down."""
    shares = [{name: amount // parts for name, amount in amounts.items()} for _ in range(parts - 1)]
    return [*shares, {name: amount - (parts - 1) * (amount // parts) for name, amount in amounts.items()}]


def reading_of(
    model: SiteModel,
    moved: Mapping[str, int],
    *,
    at_s: int,
    duration_s: int,
    stored_mwh: float,
    load_wh: Mapping[str, int],
    width_mw: Sequence[float],
) -> ControlReading:
    """One control interval as its counters tell it.

    Parameters
    ----------
    model
        The site.
    moved
        What each counter moved.
    at_s, duration_s
        Start of the interval, epoch seconds, and its length, seconds.
    stored_mwh
        Energy in store at its end, as the battery reports it.
    load_wh
        Energy of each flexible load at the bus, by name, from assets where no counter serves it.
    width_mw
        What each block could have taken at the bus.
    """
    site = model.site

    def of(name: str) -> int:
        return moved.get(name, 0)

    width_wh = [round(mw * duration_s / 3600.0 * WH_PER_MWH) for mw in width_mw]
    use_wh = _by_block(model, {load: moved.get(f"use_wh.{load}", wh) for load, wh in load_wh.items()}, width_wh)
    meters = MeteredInterval(
        interval_start_s=at_s,
        duration_s=duration_s,
        import_wh=of("import_wh"),
        export_wh=of("export_wh"),
        charge_wh=of("charge_wh"),
        discharge_wh=of("discharge_wh"),
        generated_wh=tuple(of(f"generated_wh.{each.name}") for each in site.generators),
        it_wh=of("it_wh"),
        lease_delivered_gpu_s=tuple(of(f"lease_delivered_gpu_s.{each.name}") for each in site.leases),
        lease_short_gpu_s=tuple(of(f"lease_short_gpu_s.{each.name}") for each in site.leases),
        requests_served=tuple(of(f"requests_served.{each.name}") for each in site.inference),
        requests_asked=tuple(of(f"requests_asked.{each.name}") for each in site.inference),
        work_ph=tuple(of(f"work_ph.{each.name}") for each in site.miners),
        heat_wh=tuple(of(f"heat_wh.{each.load}") for each in site.heat),
        ppa_wh=tuple(of(f"ppa_wh.{each.name}") for each in site.ppas),
        import_peak_w=of("import_wh") * 3600 // duration_s,
    )
    given_wh = meters.import_wh + meters.discharge_wh + sum(meters.generated_wh)
    taken_wh = meters.export_wh + meters.charge_wh + sum(use_wh)
    return ControlReading(
        meters=meters,
        firm_wh=max(0, given_wh - taken_wh),
        use_wh=tuple(use_wh),
        use_width_wh=tuple(width_wh),
        available_wh=meters.generated_wh,
        stored_mwh=stored_mwh,
        yielded_wh=0,
        absorbed_wh=0,
        shed_wh=_shed_wh(site, meters),
        spilled_wh=0,
    )


def _by_block(model: SiteModel, load_wh: Mapping[str, int], width_wh: Sequence[int]) -> list[int]:
    """Energy of each load over its blocks, best first: blocks of one load lie in the order of their worth."""
    left = dict(load_wh)
    taken = []
    for use, width in zip(model.uses, width_wh, strict=True):
        load = load_of(model.site, use.kind.value, use.load)
        wh = min(left.get(load, 0), width)
        left[load] = left.get(load, 0) - wh
        taken.append(wh)
    return taken


def load_of(site: Site, kind: str, position: int) -> str:
    """Name of the load that a block is part of."""
    loads: dict[str, Sequence[str]] = {
        "lease": [each.name for each in site.leases],
        "inference": [each.name for each in site.inference],
        "mining": [each.name for each in site.miners],
    }
    return loads[kind][position]


def _shed_wh(site: Site, meters: MeteredInterval) -> int:
    """IT energy that firm leases were let and did not get."""
    return sum(
        round(lease.it_mw * short_gpu_s / (lease.gpus * 3600.0) * WH_PER_MWH)
        for lease, short_gpu_s in zip(site.leases, meters.lease_short_gpu_s, strict=True)
        if lease.firmness is Firmness.FIRM
    )

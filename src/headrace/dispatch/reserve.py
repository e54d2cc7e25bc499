"""Reserve sold: awards by the hour, what of the site carries them, and what they leave of a dispatch problem.

A block that carries reserve stays on: its part joins the firm load of every plan (`Terms.use_min_mw`). A battery that
carries it keeps discharge power and, for the product's duration, energy:

    d ≤ d̄ − Σ r        s ≥ s_min + Σ τ r / η_d

The exact kernel takes one battery for a whole window, so a plan sees the most that is held from now until
`HOLD_AHEAD_S`; what each interval really needs is control's business.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from headrace.dispatch.problem import Problem
from headrace.dispatch.site import Site
from headrace.dispatch.terms import Terms
from headrace.dispatch.uses import SiteModel, UseKind
from headrace.energy.reserves import product_at

if TYPE_CHECKING:
    from headrace.dispatch.asked import Asked

__all__ = [
    "BATTERY",
    "HOLD_AHEAD_S",
    "HOUR_S",
    "Award",
    "Offer",
    "ReserveBook",
    "battery_hold",
    "carriers",
    "contribute",
    "energy_kept_mwh",
    "under_reserve",
]

BATTERY: Final = -1
"""Carrier of an award that no block carries."""

HOUR_S: Final = 3600
"""Reserve is sold by the hour."""

HOLD_AHEAD_S: Final = 2 * HOUR_S
"""A plan's battery keeps what is held this far ahead: as far as its steps are fine."""


class Offer(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One step of an offer curve: so many MW of one carrier at this price or more."""

    start_s: int
    """Start of the hour, epoch seconds."""
    reserve: int
    """Position among the site's reserves."""
    carrier: int
    """Position of the block, or `BATTERY`."""
    mw: float
    """Quantity, MW; linked offers of one carrier share it."""
    price_ccy_per_mw_h: float
    """Least capacity price at which it is sold."""


class Award(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Reserve sold for one hour on one carrier."""

    start_s: int
    """Start of the hour, epoch seconds."""
    reserve: int
    """Position among the site's reserves."""
    carrier: int
    """Position of the block, or `BATTERY`."""
    mw: float
    """Quantity, MW > 0."""
    price_ccy_per_mw_h: float
    """Clearing price it is paid."""


class ReserveBook(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy has offered and sold."""

    offered_until_s: int = 0
    """End of the last local day offers were made for, epoch seconds."""
    offers: tuple[Offer, ...] = ()
    """Offers that the market has not answered yet."""
    awards: tuple[Award, ...] = ()
    """Hours sold, past ones dropped once a day, in order of start."""

    def at(self, now_s: int) -> list[Award]:
        """Awards of the hour that holds `now_s`."""
        return [award for award in self.awards if award.start_s <= now_s < award.start_s + HOUR_S]


def carriers(model: SiteModel, reserve: int) -> list[int]:
    """Blocks that may carry one of the site's reserves."""
    site = model.site
    names = {UseKind.MINING: [m.name for m in site.miners], UseKind.LEASE: [lease.name for lease in site.leases]}
    loads = site.reserves[reserve].loads
    return [
        i
        for i, use in enumerate(model.uses)
        if use.kind is not UseKind.INFERENCE and names[use.kind][use.load] in loads
    ]


def contribute(terms: Terms, model: SiteModel, asked: "Asked") -> None:
    """Keep on what carries reserve, in every hour sold."""
    awards = () if asked.memory is None else asked.memory.reserve.awards
    if not awards:
        return
    hours = asked.outlook.starts_s // HOUR_S
    first = int(hours[0])
    count = int(hours[-1]) - first + 1
    keep_mw = np.zeros((len(model.uses), count))
    for award in awards:
        hour = award.start_s // HOUR_S - first
        if award.carrier != BATTERY and 0 <= hour < count:
            keep_mw[award.carrier, hour] += award.mw
    terms.use_min_mw[:] += keep_mw[:, hours - first]


def battery_hold(site: Site, book: ReserveBook, start_s: int, end_s: int) -> tuple[float, float]:
    """Most discharge power, MW, and stored energy, MWh, that the battery keeps for reserve in any hour of a span."""
    power: dict[int, float] = {}
    energy: dict[int, float] = {}
    for award in book.awards:
        if award.carrier == BATTERY and award.start_s < end_s and award.start_s + HOUR_S > start_s:
            power[award.start_s] = power.get(award.start_s, 0.0) + award.mw
            energy[award.start_s] = energy.get(award.start_s, 0.0) + energy_kept_mwh(site, award)
    return max(power.values(), default=0.0), max(energy.values(), default=0.0)


def energy_kept_mwh(site: Site, award: Award) -> float:
    """Stored energy that sustains a battery's award for the product's duration, MWh."""
    product = product_at(site.reserves[award.reserve], award.start_s)
    if product is None or site.battery is None:
        return 0.0
    return award.mw * product.duration_h / site.battery.discharge_efficiency_ratio


def under_reserve(problem: Problem, site: Site, book: ReserveBook, now_s: int) -> Problem:
    """The same problem with the battery that reserve leaves to it."""
    battery = problem.battery
    if battery is None or not book.awards:
        return problem
    power_mw, energy_mwh = battery_hold(site, book, now_s, now_s + HOLD_AHEAD_S)
    if power_mw == 0.0:
        return problem
    floor_mwh = min(battery.stored_min_mwh + energy_mwh, battery.stored_max_mwh)
    return msgspec.structs.replace(
        problem,
        battery=msgspec.structs.replace(
            battery,
            discharge_max_mw=max(battery.discharge_max_mw - power_mw, 0.0),
            stored_min_mwh=floor_mwh,
        ),
        # Below the floor control charges; the plan begins where it will have got to.
        stored_mwh=max(problem.stored_mwh, floor_mwh),
    )

"""What stands between the grid and the loads: units that burn fuel, transformers, feeders, outages, the connection.

Everything is active power at the site's bus. A rating in MVA becomes MW once, at the door (`active_limit_mw`):

    P² + max(0, P tan φ − Q_c)² ≤ S²         cos φ power factor of the loads, Q_c reactive power the site itself makes

which has one largest P. Where loads differ in power factor, their lowest is declared: Q = Σ Pᵢ tan φᵢ ≤ P tan φ_min, so
the limit holds for any mix of them, and is exact where all are alike.

A unit's fuel is affine in its output, through its heat rates at minimum and full load (`fuel_line`):

    F(P) = a + b P    GJ/h        b = (H_full P_full − H_min P_min) / (P_full − P_min),    a = (H_min − b) P_min
"""

import math

import msgspec

__all__ = [
    "Curtailment",
    "Feeder",
    "NonFirm",
    "Outage",
    "Plant",
    "Transformer",
    "Unit",
    "UnitState",
    "Ups",
    "active_limit_mw",
    "advance_unit",
    "fuel_line",
    "may_be_on",
    "secure_mw",
]


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A gas or diesel generator: started and stopped, with a least load and a permit."""

    generator: str
    """Name of the generator it describes."""
    minimum_mw: float
    """Least output while it runs, MW."""
    maximum_mw: float
    """Most output, MW; the generator's capacity."""
    fuel_gj_per_mwh: float
    """Fuel of one more MWh while it runs (b)."""
    no_load_gj_per_h: float
    """Fuel of an hour at work beyond that (a); negative for a unit that is most efficient at minimum load."""
    fuel_ccy_per_gj: float
    """Price of fuel; on top of a series, what transport adds."""
    fuel_price: str | None
    """Feed role of the fuel's price, US dollars per MMBtu; None for a constant price."""
    start_ccy: float
    """Cost of a start, fuel aside."""
    start_gj: float
    """Fuel of a start."""
    start_s: int
    """From the start command to minimum load, seconds."""
    up_min_s: int
    """Least time from the start command to the stop command, seconds."""
    down_min_s: int
    """Least time from a stop to the next start command, seconds."""
    run_max_h: float | None
    """Hours that the permit allows in a local calendar year; None without a limit."""
    run_used_h: float
    """Hours of the year already used when a replay starts."""


class UnitState(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a unit is doing, from its meters alone."""

    is_on: bool = False
    """Does it burn fuel: starting, or at work?"""
    since_s: int = 0
    """When it began to, or stopped, epoch seconds; 0 where it has stood since before the period."""
    run_s: int = 0
    """Seconds it has burnt fuel in this local calendar year."""

    def is_ready(self, unit: Unit, at_s: int) -> bool:
        """Has it come up to minimum load?"""
        return self.is_on and at_s >= self.since_s + unit.start_s


class Transformer(msgspec.Struct, frozen=True, kw_only=True):
    """One of the site's transformers; all of them run in parallel."""

    name: str
    """Name unique in the plant."""
    limit_mw: float
    """Active power it carries at the loads' power factor."""


class Feeder(msgspec.Struct, frozen=True, kw_only=True):
    """A feeder from the bus to some loads."""

    name: str
    """Name unique in the plant."""
    limit_mw: float
    """Active power it carries at its loads' power factor."""
    loads: tuple[str, ...]
    """Loads behind it: leases, inference services, miner classes, tenants. A load behind none is at the bus itself."""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """An element out of service."""

    element: str
    """Name of a transformer, feeder or generator."""
    start_s: int
    """First instant, epoch seconds."""
    end_s: int
    """First instant after it, epoch seconds."""
    known_s: int | None
    """When it was announced, epoch seconds; None for a forced one, known when it begins and of unknown end."""


class Curtailment(msgspec.Struct, frozen=True, kw_only=True):
    """An order of the network to give up non-firm import."""

    start_s: int
    """First instant, epoch seconds."""
    end_s: int
    """First instant after it, epoch seconds."""
    known_s: int
    """When it was announced, epoch seconds; the start itself where it came without notice."""
    granted_mw: float
    """Non-firm power still granted, MW."""


class NonFirm(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the connection that the network may take back."""

    firm_mw: float
    """Import that stays, MW."""
    hours_per_year_h: float | None
    """Most hours of curtailment a year that the agreement foresees; None where it names none."""
    series: str | None
    """Feed role of the share of non-firm power that is granted, 0..1; None where `orders` list every curtailment."""
    orders: tuple[Curtailment, ...]
    """Curtailments, by start."""


class Ups(msgspec.Struct, frozen=True, kw_only=True):
    """A battery that carries the firm load through a loss of supply, and does nothing else."""

    name: str
    """Name, for people."""
    discharge_max_mw: float
    """Most power it feeds, MW."""
    deliverable_mwh: float
    """Energy it feeds from full, or from what is never dispatched, losses off, MWh."""


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """Electrical plant of a site that declares any."""

    units: tuple[Unit, ...]
    transformers: tuple[Transformer, ...]
    is_n_minus_1: bool
    """Is import kept below what the transformers in service carry without their largest?"""
    feeders: tuple[Feeder, ...]
    outages: tuple[Outage, ...]
    non_firm: NonFirm | None
    ups: tuple[Ups, ...]


def active_limit_mw(rating_mva: float, power_factor_ratio: float, correction_mvar: float = 0.0) -> float:
    """Most active power through a rating.

    Parameters
    ----------
    rating_mva
        Apparent power S, MVA.
    power_factor_ratio
        Lowest power factor of the loads, 0 < cos φ ≤ 1.
    correction_mvar
        Reactive power that capacitors or inverters make on site, Mvar; never more than the loads draw.
    """
    slope = math.sqrt(1.0 - power_factor_ratio**2) / power_factor_ratio
    if slope * rating_mva <= correction_mvar:
        return rating_mva
    square = 1.0 + slope**2
    root = math.sqrt((slope * correction_mvar) ** 2 - square * (correction_mvar**2 - rating_mva**2))
    return (slope * correction_mvar + root) / square


def fuel_line(
    *, minimum_mw: float, maximum_mw: float, min_load_gj_per_mwh: float, full_load_gj_per_mwh: float
) -> tuple[float, float]:
    """Fuel of an hour at work and of one more MWh, (a, b), from the heat rates at minimum and full load."""
    if maximum_mw <= minimum_mw:
        return 0.0, full_load_gj_per_mwh
    more_gj_per_h = full_load_gj_per_mwh * maximum_mw - min_load_gj_per_mwh * minimum_mw
    slope = more_gj_per_h / (maximum_mw - minimum_mw)
    return (min_load_gj_per_mwh - slope) * minimum_mw, slope


def secure_mw(in_service_mw: tuple[float, ...], *, is_n_minus_1: bool) -> float:
    """Power that transformers in service may carry together.

    With N-1 security the loss of any one leaves the rest within their ratings: the sum without the largest. The last
    one in service has nothing that could take over; it carries its own rating.
    """
    total_mw = sum(in_service_mw)
    return total_mw - max(in_service_mw) if is_n_minus_1 and len(in_service_mw) > 1 else total_mw


def advance_unit(state: UnitState, run_s: int, at_s: int) -> UnitState:
    """State after a control interval in which the unit burnt fuel for `run_s` seconds."""
    is_on = run_s > 0
    return UnitState(
        is_on=is_on,
        since_s=state.since_s if is_on == state.is_on else at_s,
        run_s=state.run_s + run_s,
    )


def may_be_on(unit: Unit, state: UnitState, wanted: bool, at_s: int, step_s: int) -> tuple[bool, str]:
    """What a unit can do of what is wanted in a control interval, and why not the whole of it; "" if it can."""
    if unit.run_max_h is not None and state.run_s + unit.run_used_h * 3600.0 + step_s > unit.run_max_h * 3600.0:
        return False, "unit.run_hours" if wanted or state.is_on else ""
    if state.since_s == 0 or wanted == state.is_on:
        return wanted, ""
    if state.is_on and at_s < state.since_s + unit.up_min_s:
        return True, "unit.up_time"
    if not state.is_on and at_s < state.since_s + unit.down_min_s:
        return False, "unit.down_time"
    return wanted, ""

"""Read the series a site needs for a period; refuse what cannot be: a period without prices, a value out of range."""

from datetime import UTC, timedelta
from typing import Final

import numpy as np

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.core import BadInput, Interval, iso
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.site import Site
from headrace.energy import Series
from headrace.energy.reserves import simulated_role
from headrace.energy.tariffs import CoincidentPeaks
from headrace.engine.position import uses_hub, uses_hub_day_ahead
from headrace.loads.cooling import is_flat
from headrace.sim.reserve_calls import simulated_calls

__all__ = ["check_period", "further_roles", "read_inputs", "read_series"]

LOOK_BACK: Final = timedelta(days=15)
"""How much of each series before the period forecasts may use: two weeks, and a day for late publication."""

PRICES: Final = ("real_time", "day_ahead", "hub_real_time", "hub_day_ahead")

PLAUSIBLE: Final = dict.fromkeys(PRICES, (-1e5, 1e5)) | {
    "temperature": (-90.0, 60.0),
    "bitcoin_price": (1e-6, 1e9),
    "difficulty": (1.0, 1e24),
    "block_reward": (0.0, 1e3),
    "carbon": (0.0, 1e4),
    "system_load": (1.0, 1e7),
    "profile": (0.0, 1.1),
    "demand": (0.0, 1e12),
    "reserve_price": (-1e3, 1e5),
    "fuel_price": (-1e2, 1e3),
}
"""Least and greatest value of a role, or of what a generator, agreement or service names, in the series' unit. Wide: no
market, machine or weather on record comes near, so a value outside is another unit, or no measurement."""


def read_inputs(feed: RecordedFeed, site: Site, declared: set[str], window: Interval) -> Inputs:
    """Read every declared series over the period and the days before it.

    Parameters
    ----------
    feed
        Where series come from.
    site
        The site, for what it needs.
    declared
        Roles of the site file's [feeds].
    window
        Period to replay.

    Raises
    ------
    BadInput
        If a needed series is not declared or does not reach the period.
    """
    wide = Interval(start=window.start - LOOK_BACK, end=window.end)
    needed = {"real_time"}
    if site.miners:
        needed |= {"bitcoin_price", "difficulty", "block_reward"}
    if not all(is_flat(c) for c in site.coolings):
        needed.add("temperature")
    own = {g.profile for g in site.generators if g.profile} | {p.profile for p in site.ppas}
    own |= {t.profile for t in site.tenants if t.profile}
    own |= {s.demand for s in site.inference}
    further = further_roles(site)
    for role in sorted((needed | own | set(further) | set(peak_roles(site))) - declared):
        raise BadInput(f"feeds.{role}", "not declared", "Name a series for it in the site file's [feeds]")

    def read(role: str) -> Series | None:
        return read_series(feed, role, wide) if role in declared and (role in needed or role in optional) else None

    optional = {"day_ahead", "carbon"}
    real_time = read_series(feed, "real_time", wide)
    if np.isnan(real_time.values[max(0, real_time.index(window.start_s)) :]).all():
        raise BadInput(
            f"feed 'real_time', {iso(window.start_s)} to {iso(window.end_s)}",
            "every price of the period is missing",
            "Choose a period that has prices with --from and --to",
        )
    demands = {service.demand for service in site.inference}
    return Inputs(
        real_time=real_time,
        day_ahead=read("day_ahead"),
        temperature=read("temperature"),
        bitcoin_price=read("bitcoin_price"),
        difficulty=read("difficulty"),
        block_reward=read("block_reward"),
        carbon=read("carbon"),
        profiles={
            role: read_series(feed, role, wide, "demand" if role in demands else "profile") for role in sorted(own)
        },
        further={role: read_series(feed, role, wide, kind) for role, kind in sorted(further.items())}
        | {role: read_series(feed, role, _on_record(feed, role, wide), kind) for role, kind in peak_roles(site).items()}
        | simulated_calls(site, wide),
    )


def further_roles(site: Site) -> dict[str, str]:
    """Roles that contracts, tariffs and reserves need, each with its entry of `PLAUSIBLE`."""
    roles: dict[str, str] = {}
    if uses_hub(site):
        roles["hub_real_time"] = "hub_real_time"
    if uses_hub_day_ahead(site):
        roles["hub_day_ahead"] = "hub_day_ahead"
    simulated = {simulated_role(reserve.name) for reserve in site.reserves}
    for reserve in site.reserves:
        roles[reserve.price] = "reserve_price"
        if reserve.calls is not None and reserve.calls not in simulated:
            roles[reserve.calls] = "profile"
    if site.plant is not None:
        roles |= {unit.fuel_price: "fuel_price" for unit in site.plant.units if unit.fuel_price is not None}
        if site.plant.non_firm is not None and site.plant.non_firm.series is not None:
            roles[site.plant.non_firm.series] = "profile"
    return roles


def peak_roles(site: Site) -> dict[str, str]:
    """Roles that coincident peaks need, each with its entry of `PLAUSIBLE`."""
    roles: dict[str, str] = {}
    for charge in site.charges:
        if isinstance(charge, CoincidentPeaks):
            roles |= {} if charge.load is None else {charge.load: "system_load"}
            roles |= {} if charge.temperature is None else {charge.temperature: "temperature"}
    return roles


def _on_record(feed: RecordedFeed, role: str, window: Interval) -> Interval:
    """All of a series: earlier seasons teach a forecast, and a peak's month or year may end after the window."""
    span = feed.span(role)
    return Interval(start=min(window.start, span.start), end=max(window.end, span.end))


def read_series(feed: RecordedFeed, role: str, window: Interval, kind: str = "") -> Series:
    """Read one series and refuse values that cannot be.

    Parameters
    ----------
    feed
        Where series come from.
    role
        Feed role.
    window
        What to read.
    kind
        Entry of `PLAUSIBLE`; empty if the role is one.

    Raises
    ------
    BadInput
        If the series holds no value there, or one out of range; it names the first.
    """
    series = feed.series(role, window)
    low, high = PLAUSIBLE[kind or role]
    if np.isnan(series.values).all():
        raise BadInput(
            f"feed {role!r}, {iso(series.start_s)} to {iso(series.end_s)}",
            f"no value at all in {series.source}",
            "Choose another period or another series",
        )
    outside = np.flatnonzero((series.values < low) | (series.values > high))
    if outside.size:
        at_s = series.start_s + int(outside[0]) * series.step_s
        raise BadInput(
            f"feed {role!r} at {iso(at_s)}",
            f"{series.values[outside[0]]:g} {series.unit} cannot be: between {low:g} and {high:g} was expected",
            f"Correct {series.source}, or the feed's unit and scale",
        )
    return series


def check_period(feed: RecordedFeed, site: Site, window: Interval) -> None:
    """Refuse a period outside the price's record, or one that starts or ends inside a settlement interval."""
    step_s = max(site.control_step_s, site.market.settlement_step_s)
    for name, at in (("start", window.start), ("end", window.end)):
        if at.timestamp() % step_s:
            raise BadInput(
                f"period {name} {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                f"inside a settlement interval of {step_s // 60} minutes",
                "Give a time on the interval's boundary",
            )
    span = feed.span("real_time")
    if window.start < span.start or window.end > span.end:
        raise BadInput(
            f"period {iso(window.start_s)} to {iso(window.end_s)}",
            f"the price on record runs from {iso(span.start_s)} to {iso(span.end_s)}",
            "Choose a period inside it with --from and --to, or another series",
        )

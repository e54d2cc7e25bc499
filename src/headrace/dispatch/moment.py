"""One interval as plain values: what the ladder is built from. Power is MW at the bus, all >= 0."""

from typing import Final

import msgspec

from headrace.core import Currency

__all__ = [
    "TOLERANCE_CCY_PER_MWH",
    "TOLERANCE_MW",
    "BatteryNow",
    "GridNow",
    "Moment",
    "SourceNow",
    "UseNow",
    "power_text",
]

TOLERANCE_MW: Final = 1e-4
"""Power below which a rung counts as off, or a limit as reached: 100 W, ten times
what rounding meters to 1 Wh leaves."""

TOLERANCE_CCY_PER_MWH: Final = 0.005
"""Half a cent: below it two prices print alike, and are called equal."""


class UseNow(msgspec.Struct, frozen=True, kw_only=True):
    """One flexible use in one interval."""

    name: str
    """Its name at the site."""
    worth_ccy_per_mwh: float
    """Worth of one MWh at the bus to it; any sign."""
    want_mw: float
    """Power it could take."""
    got_mw: float
    """Power it got."""


class SourceNow(msgspec.Struct, frozen=True, kw_only=True):
    """One on-site generator in one interval."""

    name: str
    """Its name at the site."""
    cost_ccy_per_mwh: float
    """Cost of one more MWh from it; any sign."""
    min_mw: float
    """Output that cannot be turned down."""
    max_mw: float
    """Output available."""
    mw: float
    """Output taken."""


class GridNow(msgspec.Struct, frozen=True, kw_only=True):
    """The connection in one interval."""

    import_cost_ccy_per_mwh: float
    """Price of an imported MWh, adders included, as the decision saw it."""
    import_mw: float
    """Power drawn from the grid."""
    import_max_mw: float
    """Most it may draw."""
    export_value_ccy_per_mwh: float
    """Price of an exported MWh less deductions, as the decision saw it."""
    export_mw: float
    """Power fed to the grid."""
    export_max_mw: float
    """Most it may feed."""
    peak_so_far_mw: float | None = None
    """Highest import of the billing month so far where a peak charge applies; None without one."""


class BatteryNow(msgspec.Struct, frozen=True, kw_only=True):
    """The battery in one interval."""

    charge_mw: float
    """Power it draws."""
    charge_max_mw: float
    """Most it could draw, room in the store considered."""
    discharge_mw: float
    """Power it feeds."""
    discharge_max_mw: float
    """Most it could feed, energy in the store considered."""
    stored_mwh: float
    """Energy held as the interval starts."""
    stored_max_mwh: float
    """Most energy it may hold."""
    charge_worth_ccy_per_mwh: float | None = None
    """Worth of one MWh drawn now; None where the interval alone does not tell, and a bound is shown."""
    discharge_cost_ccy_per_mwh: float | None = None
    """Cost of one MWh fed now (later use forgone, losses, wear); None likewise."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One interval as plain values: what the ladder is built from."""

    currency: Currency
    """Currency of the prices."""
    firm_mw: float
    """Power that must be served."""
    uses: tuple[UseNow, ...]
    """Flexible uses, in any order."""
    sources: tuple[SourceNow, ...]
    """On-site generators, in any order."""
    grid: GridNow
    """The connection."""
    battery: BatteryNow | None
    """The battery, or None without one."""
    bid_ccy_per_mwh: float
    """Worth of one more MWh at the bus."""
    ask_ccy_per_mwh: float
    """Cost of giving one up, >= bid; +inf where nothing could give."""
    mode: str = "plan"
    """Which rule set the power: plan, last_plan, safe_rule or shed."""


def power_text(power_mw: float) -> str:
    """Write power as people say it: "100 MW", "8.4 MW", "350 kW"."""
    if abs(power_mw) >= 1.0:
        return f"{power_mw:,.1f}".removesuffix(".0") + " MW"
    return f"{power_mw * 1000.0:,.0f} kW"

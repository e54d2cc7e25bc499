"""Which limits bind in one interval, and what one MW more of each would earn.

A limit binds when it is reached and relaxing it would be worth something. Its price is what one MW more would earn in
the interval, from bid and ask of power at the bus (p⁺ import price, p⁻ export price, k cost of generation):

    import  bid − p⁺      export  p⁻ − ask      generation  bid − k      must-run  k − ask
"""

import msgspec

from headrace.dispatch.moment import TOLERANCE_CCY_PER_MWH, TOLERANCE_MW, BatteryNow, Moment, SourceNow, power_text

__all__ = ["BindingLimit", "binding_limits"]


class BindingLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that is reached and worth relaxing."""

    limit: str
    """Which: "import limit", "export limit", "monthly peak so far", "battery charge limit", "wind output" ..."""
    limit_mw: float
    """Where it lies, MW."""
    price_ccy_per_mwh: float | None
    """What one MW more of it would earn per hour; None where the interval alone does not tell."""
    next_use: str | None
    """Use that would take the MW; None where no use waits."""
    sentence: str
    """The limit, its size and its price in words."""


def binding_limits(moment: Moment, next_use: str | None) -> tuple[BindingLimit, ...]:
    """List the limits that bind, dearest first; those without a price last.

    Parameters
    ----------
    moment
        Plain values of the interval.
    next_use
        Best use that still waits for power; None if none does.

    Returns
    -------
    tuple of BindingLimit
        Empty where no limit is worth relaxing.
    """
    found = [
        *_grid_limits(moment, next_use),
        *(limit for source in moment.sources for limit in _generation_limits(moment, source, next_use)),
        *(_battery_limits(moment, moment.battery) if moment.battery is not None else ()),
    ]
    found.sort(key=lambda limit: (limit.price_ccy_per_mwh is None, -(limit.price_ccy_per_mwh or 0.0), limit.limit))
    return tuple(found)


def _grid_limits(moment: Moment, next_use: str | None) -> list[BindingLimit]:
    grid, unit = moment.grid, f"{moment.currency}/MWh"
    limits: list[BindingLimit] = []
    import_gain = moment.bid_ccy_per_mwh - grid.import_cost_ccy_per_mwh
    peak_mw = grid.peak_so_far_mw
    if import_gain > TOLERANCE_CCY_PER_MWH:
        if grid.import_mw >= grid.import_max_mw - TOLERANCE_MW:
            limits.append(
                BindingLimit(
                    limit="import limit",
                    limit_mw=grid.import_max_mw,
                    price_ccy_per_mwh=import_gain,
                    next_use=next_use,
                    sentence=f"The import limit of {power_text(grid.import_max_mw)} binds: one more MW here would earn "
                    f"{import_gain:,.2f} {unit} more than the grid charges.",
                )
            )
        elif peak_mw is not None and abs(grid.import_mw - peak_mw) <= TOLERANCE_MW:
            limits.append(
                BindingLimit(
                    limit="monthly peak so far",
                    limit_mw=peak_mw,
                    price_ccy_per_mwh=import_gain,
                    next_use=next_use,
                    sentence=f"The month's peak of {power_text(peak_mw)} binds: one more MW would earn "
                    f"{import_gain:,.2f} {unit}, but raise the peak charge.",
                )
            )
    export_gain = grid.export_value_ccy_per_mwh - moment.ask_ccy_per_mwh
    if grid.export_mw >= grid.export_max_mw - TOLERANCE_MW and export_gain > TOLERANCE_CCY_PER_MWH:
        noun = (
            f"The export limit of {power_text(grid.export_max_mw)} binds"
            if grid.export_max_mw > TOLERANCE_MW
            else "The connection takes no export"
        )
        limits.append(
            BindingLimit(
                limit="export limit",
                limit_mw=grid.export_max_mw,
                price_ccy_per_mwh=export_gain,
                next_use="sell to grid",
                sentence=f"{noun}: one more MW sold would earn {export_gain:,.2f} {unit} more than its use here.",
            )
        )
    return limits


def _generation_limits(moment: Moment, source: SourceNow, next_use: str | None) -> list[BindingLimit]:
    unit, subject = f"{moment.currency}/MWh", source.name[:1].upper() + source.name[1:]
    gain = moment.bid_ccy_per_mwh - source.cost_ccy_per_mwh
    loss = source.cost_ccy_per_mwh - moment.ask_ccy_per_mwh
    if source.mw >= source.max_mw - TOLERANCE_MW and source.max_mw > TOLERANCE_MW and gain > TOLERANCE_CCY_PER_MWH:
        return [
            BindingLimit(
                limit=f"{source.name} output",
                limit_mw=source.max_mw,
                price_ccy_per_mwh=gain,
                next_use=next_use,
                sentence=f"{subject} gives all it has, {power_text(source.max_mw)}: one more MW of it would earn "
                f"{gain:,.2f} {unit}.",
            )
        ]
    if source.mw <= source.min_mw + TOLERANCE_MW and source.min_mw > TOLERANCE_MW and loss > TOLERANCE_CCY_PER_MWH:
        return [
            BindingLimit(
                limit=f"{source.name} must run",
                limit_mw=source.min_mw,
                price_ccy_per_mwh=loss,
                next_use=None,
                sentence=f"{subject} cannot be turned below {power_text(source.min_mw)}: one MW less would save "
                f"{loss:,.2f} {unit}.",
            )
        ]
    return []


def _battery_limits(moment: Moment, battery: BatteryNow) -> list[BindingLimit]:
    unit = f"{moment.currency}/MWh"
    if battery.charge_mw > TOLERANCE_MW and battery.charge_mw >= battery.charge_max_mw - TOLERANCE_MW:
        worth = battery.charge_worth_ccy_per_mwh
        price = None if worth is None else worth - moment.ask_ccy_per_mwh
        told = f"a MWh drawn now is worth {_bounded(worth, moment.bid_ccy_per_mwh, 'at least')} {unit} to it"
        return _battery_limit("charge", battery.charge_mw, price, f"The battery draws all it can: {told}.")
    if battery.discharge_mw > TOLERANCE_MW and battery.discharge_mw >= battery.discharge_max_mw - TOLERANCE_MW:
        cost = battery.discharge_cost_ccy_per_mwh
        price = None if cost is None else moment.bid_ccy_per_mwh - cost
        told = f"a MWh fed now costs it {_bounded(cost, moment.bid_ccy_per_mwh, 'at most')} {unit}"
        return _battery_limit("discharge", battery.discharge_mw, price, f"The battery feeds all it can: {told}.")
    return []


def _battery_limit(way: str, limit_mw: float, price_ccy_per_mwh: float | None, sentence: str) -> list[BindingLimit]:
    if price_ccy_per_mwh is not None and price_ccy_per_mwh <= TOLERANCE_CCY_PER_MWH:
        return []
    return [
        BindingLimit(
            limit=f"battery {way} limit",
            limit_mw=limit_mw,
            price_ccy_per_mwh=price_ccy_per_mwh,
            next_use=None,
            sentence=sentence,
        )
    ]


def _bounded(known_ccy_per_mwh: float | None, bound_ccy_per_mwh: float, word: str) -> str:
    return f"{word} {bound_ccy_per_mwh:,.2f}" if known_ccy_per_mwh is None else f"{known_ccy_per_mwh:,.2f}"

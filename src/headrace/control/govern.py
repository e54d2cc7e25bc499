"""The site's fast loop: keep the bus balanced within its limits as demand and output really come.

Interruptible blocks give way first, least worth first; when load falls or the sun comes out, blocks that may fill take
the surplus, best first. Firm load is last: it is shed only when nothing else is left.
"""

from typing import Final

import msgspec

from headrace.control.setpoints import Setpoints

__all__ = ["Bus", "Flows", "govern"]

SLACK_MW: Final = 1e-9
"""Power below this is rounding, not flow."""


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """What the bus really meets in one interval."""

    firm_mw: float
    """Power that must be served."""
    use_width_mw: tuple[float, ...]
    """What each block could take."""
    use_is_mining: tuple[bool, ...]
    """Is the block mining, the first to yield below the plan's own import limit?"""
    source_min_mw: tuple[float, ...]
    """Output that cannot be turned down."""
    source_max_mw: tuple[float, ...]
    """Available output."""
    source_cost_ccy_per_mwh: tuple[float, ...]
    """Cost of each generator's output."""
    charge_room_mw: float
    """Most the battery could draw over the interval without overfilling."""
    discharge_room_mw: float
    """Most it could feed without running empty."""


class Flows(msgspec.Struct, frozen=True, kw_only=True):
    """What flowed."""

    import_mw: float
    export_mw: float
    use_mw: tuple[float, ...]
    source_mw: tuple[float, ...]
    charge_mw: float
    discharge_mw: float
    shed_mw: float
    """Firm load not served."""
    spilled_mw: float
    """Output that could be neither used nor exported nor turned down."""
    yielded_mw: float
    """Mining that its limit allowed and the connection did not."""


def govern(setpoints: Setpoints, bus: Bus) -> Flows:
    """Balance the bus.

    Parameters
    ----------
    setpoints
        This interval's limits.
    bus
        What really comes.
    """
    use = [
        width if limit is None else min(width, limit)
        for width, limit in zip(bus.use_width_mw, setpoints.use_limit_mw, strict=True)
    ]
    allowed_mining_mw = sum(mw for mw, mines in zip(use, bus.use_is_mining, strict=True) if mines)
    source = [
        high if limit is None else max(low, min(high, limit))
        for low, high, limit in zip(bus.source_min_mw, bus.source_max_mw, setpoints.source_limit_mw, strict=True)
    ]
    charge = min(setpoints.charge_mw, bus.charge_room_mw)
    discharge = min(setpoints.discharge_mw, bus.discharge_room_mw)
    if setpoints.mode == "safe_rule":
        discharge = min(discharge, max(0.0, bus.firm_mw - sum(source) - setpoints.import_max_mw))
    net = bus.firm_mw + sum(use) + charge - discharge - sum(source)
    ascending = sorted(range(len(use)), key=setpoints.use_worth_ccy_per_mwh.__getitem__)
    if net > setpoints.import_limit_mw + SLACK_MW:
        net -= _raise(source, bus.source_max_mw, net - setpoints.import_limit_mw)
        mining = [i for i in ascending if bus.use_is_mining[i]]
        net -= _cut(use, mining, net - setpoints.import_limit_mw)
    if net > setpoints.import_max_mw + SLACK_MW:
        net -= _cut(use, ascending, net - setpoints.import_max_mw)
        eased = min(charge, max(0.0, net - setpoints.import_max_mw))
        charge -= eased
        net -= eased
        helped = min(bus.discharge_room_mw - discharge, max(0.0, net - setpoints.import_max_mw))
        discharge += helped
        net -= helped
    shed = max(0.0, net - setpoints.import_max_mw)
    net -= shed
    if net < -SLACK_MW:
        fillers = [i for i in reversed(ascending) if setpoints.may_fill[i]]
        net += _fill(use, bus.use_width_mw, fillers, -net)
    if -net > setpoints.export_max_mw + SLACK_MW:
        net += _turn_down(source, bus, -net - setpoints.export_max_mw)
        eased = min(discharge, max(0.0, -net - setpoints.export_max_mw))
        discharge -= eased
        net += eased
    spilled = max(0.0, -net - setpoints.export_max_mw)
    net += spilled
    mining_mw = sum(mw for mw, mines in zip(use, bus.use_is_mining, strict=True) if mines)
    return Flows(
        import_mw=max(net, 0.0),
        export_mw=max(-net, 0.0),
        use_mw=tuple(use),
        source_mw=tuple(source),
        charge_mw=charge,
        discharge_mw=discharge,
        shed_mw=shed,
        spilled_mw=spilled,
        yielded_mw=max(0.0, allowed_mining_mw - mining_mw),
    )


def _cut(use: list[float], order: list[int], over_mw: float) -> float:
    """Cut blocks in order until `over_mw` is gone; return what was cut."""
    left = over_mw
    for i in order:
        if left <= SLACK_MW:
            break
        cut = min(use[i], left)
        use[i] -= cut
        left -= cut
    return over_mw - left if over_mw > 0.0 else 0.0


def _fill(use: list[float], width_mw: tuple[float, ...], order: list[int], spare_mw: float) -> float:
    """Raise blocks in order by up to `spare_mw`; return what was taken."""
    left = spare_mw
    for i in order:
        taken = min(width_mw[i] - use[i], left)
        use[i] += taken
        left -= taken
    return spare_mw - left


def _raise(source: list[float], available_mw: tuple[float, ...], short_mw: float) -> float:
    """Let held-back generators up by `short_mw` in all; return what they gave."""
    left = short_mw
    for j, high in enumerate(available_mw):
        given = min(high - source[j], left)
        source[j] += given
        left -= given
    return short_mw - left


def _turn_down(source: list[float], bus: Bus, over_mw: float) -> float:
    """Turn generators down, dearest first, by `over_mw` in all; return what was turned down."""
    left = over_mw
    for j in sorted(range(len(source)), key=bus.source_cost_ccy_per_mwh.__getitem__, reverse=True):
        less = min(source[j] - bus.source_min_mw[j], left)
        source[j] -= less
        left -= less
    return over_mw - left

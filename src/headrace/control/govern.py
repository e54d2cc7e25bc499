"""The site's fast loop: keep the bus balanced within its limits as demand and output really come.

Interruptible blocks give way first, least worth first; when load falls or the sun comes out, blocks that may fill take
the surplus, best first. Firm load is last: it is shed only when nothing else is left.
"""

import math
from typing import Final

import msgspec

from headrace.control.setpoints import Mode, Setpoints

__all__ = ["Bus", "Flows", "govern"]

SLACK_MW: Final = 1e-9
"""Power below this is rounding, not flow."""


class Bus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
    charge_max_mw: float
    """Most the battery's converter draws."""
    discharge_max_mw: float
    """Most it feeds."""
    charge_room_mw: float
    """Draw that would fill the store over the interval, if it fed nothing."""
    discharge_room_mw: float
    """Feed that would empty the store over the interval, if it drew nothing."""
    round_trip_ratio: float
    """Energy fed per energy drawn: what one power makes room for in the other."""

    def most_charge_mw(self, discharge_mw: float) -> float:
        """Most the battery can draw while it feeds this much."""
        return min(self.charge_max_mw, self.charge_room_mw + discharge_mw / self.round_trip_ratio)

    def most_discharge_mw(self, charge_mw: float) -> float:
        """Most it can feed while it draws this much."""
        return min(self.discharge_max_mw, self.discharge_room_mw + charge_mw * self.round_trip_ratio)


class Flows(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
    state = _start(setpoints, bus)
    wanted_mining_mw = state.mining_mw()
    if state.net_mw > setpoints.import_limit_mw + SLACK_MW:
        state.stay_below_plan(setpoints)
        if setpoints.import_limit_mw < setpoints.import_max_mw - SLACK_MW:
            wanted_mining_mw = state.mining_mw()  # kept from a new peak, not giving way to AI
    if state.net_mw > setpoints.import_max_mw + SLACK_MW:
        state.stay_below_connection(setpoints)
    shed_mw = max(0.0, state.net_mw - setpoints.import_max_mw)
    state.net_mw -= shed_mw
    if state.net_mw < -SLACK_MW:
        state.take_surplus(setpoints.may_fill)
    if -state.net_mw > setpoints.export_max_mw + SLACK_MW:
        state.turn_down(setpoints.export_max_mw)
    spilled_mw = max(0.0, -state.net_mw - setpoints.export_max_mw)
    state.net_mw += spilled_mw
    return Flows(
        import_mw=max(state.net_mw, 0.0),
        export_mw=max(-state.net_mw, 0.0),
        use_mw=tuple(state.use_mw),
        source_mw=tuple(state.source_mw),
        charge_mw=state.charge_mw,
        discharge_mw=state.discharge_mw,
        shed_mw=shed_mw,
        spilled_mw=spilled_mw,
        yielded_mw=max(0.0, wanted_mining_mw - state.mining_mw()),
    )


def _start(setpoints: Setpoints, bus: Bus) -> "_Balance":
    """The bus as the setpoints alone would have it."""
    use = [
        width if limit is None else min(width, limit)
        for width, limit in zip(bus.use_width_mw, setpoints.use_limit_mw, strict=True)
    ]
    if setpoints.use_min_mw:
        use = [
            max(mw, min(width, keep))
            for mw, width, keep in zip(use, bus.use_width_mw, setpoints.use_min_mw, strict=True)
        ]
    source = [
        high if limit is None else max(low, min(high, limit))
        for low, high, limit in zip(bus.source_min_mw, bus.source_max_mw, setpoints.source_limit_mw, strict=True)
    ]
    charge_mw, discharge_mw = setpoints.charge_mw, setpoints.discharge_mw
    if setpoints.mode is Mode.SAFE_RULE:
        discharge_mw = min(discharge_mw, max(0.0, bus.firm_mw - sum(source) - setpoints.import_max_mw))
    discharge_mw = min(discharge_mw, bus.most_discharge_mw(charge_mw))
    charge_mw = min(charge_mw, bus.most_charge_mw(discharge_mw))
    return _Balance(
        bus,
        sorted(range(len(use)), key=setpoints.use_worth_ccy_per_mwh.__getitem__),
        use,
        source,
        charge_mw,
        min(discharge_mw, bus.most_discharge_mw(charge_mw)),
        setpoints,
    )


class _Balance:
    """The bus while it is being balanced; every method moves it towards one limit and keeps `net_mw` true."""

    def __init__(
        self,
        bus: Bus,
        by_worth: list[int],
        use_mw: list[float],
        source_mw: list[float],
        charge: float,
        discharge: float,
        kept: Setpoints,
    ) -> None:
        self.bus = bus
        self.by_worth = by_worth
        self.use_mw = use_mw
        self.source_mw = source_mw
        self.charge_mw = charge
        self.discharge_mw = discharge
        self.net_mw = bus.firm_mw + sum(use_mw) + charge - discharge - sum(source_mw)
        # What sold reserve keeps ready, until the connection itself needs it.
        self.use_min_mw = kept.use_min_mw or (0.0,) * len(use_mw)
        self.discharge_cap_mw = kept.discharge_cap_mw
        self.charge_min_mw = kept.charge_min_mw

    def mining_mw(self) -> float:
        """Power of all mining."""
        return sum(mw for mw, mines in zip(self.use_mw, self.bus.use_is_mining, strict=True) if mines)

    def stay_below_plan(self, setpoints: Setpoints) -> None:
        """Under the import the plan accepted: generators up, mining and charging down; AI is not touched."""
        limit_mw = setpoints.import_limit_mw
        self._raise_sources(limit_mw)
        self._give_way([i for i in self.by_worth if self.bus.use_is_mining[i]], setpoints, limit_mw)

    def stay_below_connection(self, setpoints: Setpoints) -> None:
        """Under the connection: every block and charging, least worth first; sold reserve only after all of them."""
        self._give_way(self.by_worth, setpoints, setpoints.import_max_mw)
        if setpoints.reserve and self.net_mw > setpoints.import_max_mw + SLACK_MW:
            self.use_min_mw = (0.0,) * len(self.use_mw)
            self.discharge_cap_mw, self.charge_min_mw = math.inf, 0.0
            self._give_way(self.by_worth, setpoints, setpoints.import_max_mw)

    def take_surplus(self, may_fill: tuple[bool, ...]) -> None:
        """Let blocks rise, best first, on power that would be exported."""
        for i in reversed(self.by_worth):
            if may_fill[i]:
                taken = max(0.0, min(self.bus.use_width_mw[i] - self.use_mw[i], -self.net_mw))
                self.use_mw[i] += taken
                self.net_mw += taken

    def turn_down(self, export_max_mw: float) -> None:
        """Generators down, dearest first, then the battery, until the export fits."""
        bus = self.bus
        for j in sorted(range(len(self.source_mw)), key=bus.source_cost_ccy_per_mwh.__getitem__, reverse=True):
            less = max(0.0, min(self.source_mw[j] - bus.source_min_mw[j], -self.net_mw - export_max_mw))
            self.source_mw[j] -= less
            self.net_mw += less
        eased = max(0.0, min(self.discharge_mw, -self.net_mw - export_max_mw))
        self.discharge_mw -= eased
        overfilling = max(0.0, self.charge_mw - bus.most_charge_mw(self.discharge_mw))
        self.charge_mw -= overfilling
        self.net_mw += eased - overfilling

    def _raise_sources(self, limit_mw: float) -> None:
        for j, high in enumerate(self.bus.source_max_mw):
            given = max(0.0, min(high - self.source_mw[j], self.net_mw - limit_mw))
            self.source_mw[j] += given
            self.net_mw -= given

    def _give_way(self, order: list[int], setpoints: Setpoints, limit_mw: float) -> None:
        """Blocks worth less than charging, charging, the other blocks; then the battery feeds what it can."""
        worth = setpoints.use_worth_ccy_per_mwh
        self._cut([i for i in order if worth[i] < setpoints.charge_worth_ccy_per_mwh], limit_mw)
        self._ease_charging(limit_mw)
        self._cut(order, limit_mw)
        most_mw = self.bus.most_discharge_mw(self.charge_mw)
        most_mw = min(most_mw, self.discharge_cap_mw)
        fed = max(0.0, min(most_mw - self.discharge_mw, self.net_mw - limit_mw))
        self.discharge_mw += fed
        self.net_mw -= fed

    def _ease_charging(self, limit_mw: float) -> None:
        """Charge less; what an empty store fed from that power goes with it."""
        if self.net_mw <= limit_mw or self.charge_mw <= 0.0:
            return
        over_mw = self.net_mw - limit_mw
        tied_mw = max(0.0, self.discharge_mw - self.bus.discharge_room_mw)
        free_mw = max(0.0, self.charge_mw - tied_mw / self.bus.round_trip_ratio)
        eased = min(max(free_mw - self.charge_min_mw, 0.0), over_mw)
        # Beyond that each MW less drawn is also round_trip_ratio MW less fed.
        left_mw = max(self.charge_mw - self.charge_min_mw, 0.0) - eased
        tied = min(left_mw, (over_mw - eased) / max(1.0 - self.bus.round_trip_ratio, SLACK_MW))
        fed_less = min(tied * self.bus.round_trip_ratio, self.discharge_mw)
        self.charge_mw -= eased + tied
        self.discharge_mw -= fed_less
        self.net_mw -= eased + tied - fed_less

    def _cut(self, order: list[int], limit_mw: float) -> None:
        for i in order:
            cut = max(0.0, min(self.use_mw[i] - self.use_min_mw[i], self.net_mw - limit_mw))
            self.use_mw[i] -= cut
            self.net_mw -= cut

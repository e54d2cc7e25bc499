"""What the market reads of a site every two seconds, and how well its base points were followed.

Telemetry is what the meter shows and what is registered. Each period between base points is accounted for when it ends:
the metered draw against the path, in integers, as a record of the journal. Base points are taken from the orders in
force, so an engine that starts again goes on with them.
"""

import math
from collections.abc import Mapping
from typing import Final, Protocol

from headrace.control.basepoints import BasePoint, Registration, Trace, desired_mw, deviation
from headrace.control.layout import US_PER_S
from headrace.control.orders import Authority, OrderKind
from headrace.control.setpoints import Mode
from headrace.engine.live.engine import Engine
from headrace.engine.live.records import Followed

__all__ = ["Dispatched", "TelemetryDoor"]

W_PER_MW: Final = 1e6
POINTS_MOST: Final = 64
"""Base points of a period that are accounted for; a master that sends more is followed, and told of the last ones."""
READINGS_MOST: Final = 4_000
"""Readings of a period kept: more than one a second for an hour."""


class TelemetryDoor(Protocol):
    """Where the market reads."""

    def telemetry(self, analog_mw: Mapping[str, float], binary: Mapping[str, bool]) -> None:
        """Put values on points: MW and MW a minute, and what is true."""
        ...


class Dispatched:
    """A site that a market dispatches.

    Parameters
    ----------
    engine
        State, meters and journal.
    door
        Where the market reads.
    registration
        What the market knows of the load; None for telemetry alone.
    every_s
        Period of telemetry, seconds.
    """

    def __init__(
        self, engine: Engine, door: TelemetryDoor, registration: Registration | None, *, every_s: float = 2.0
    ) -> None:
        self._engine = engine
        self._door = door
        self._registration = registration
        self._every_s = every_s
        self._points: dict[str, BasePoint] = {}
        self._trace: list[Trace] = []
        self._start_us = self._boundary_us(engine.clock.now_us())

    async def run(self) -> None:
        """Tell and account until cancelled."""
        while True:
            self.look()
            await self._engine.clock.sleep_until(self._engine.clock.now_s() + self._every_s)

    def look(self) -> None:
        """Tell the market where the site stands; account for the period that is over."""
        engine = self._engine
        now_us, draw_mw = engine.clock.now_us(), engine.site_mw()
        if self._registration is not None:
            if self._boundary_us(now_us) > self._start_us:
                self._account(self._registration, self._boundary_us(now_us))
            self._hear(self._registration)
            if draw_mw is not None and len(self._trace) < READINGS_MOST:
                self._trace.append(Trace(at_us=now_us, power_w=round(draw_mw * W_PER_MW)))
        self._door.telemetry(self._analog(draw_mw), self._binary(draw_mw, now_us))

    def _analog(self, draw_mw: float | None) -> dict[str, float]:
        layout, own = self._engine.state.layout, self._registration
        found = {"draw": math.nan if draw_mw is None else draw_mw}
        if own is None:
            inventory = layout.inventory
            return found | {
                "least": math.nan,
                "most": self._engine.state.model.site.connection.import_max_mw,
                "ramp_up": inventory.ramp_up_max_mw_per_min,
                "ramp_down": inventory.ramp_down_max_mw_per_min,
            }
        piece = next((each for each in own.normal.pieces if (draw_mw or 0.0) <= each.to_mw), own.normal.pieces[-1])
        return found | {
            "least": own.least_mw,
            "most": own.most_mw,
            "ramp_up": piece.up_mw_per_min,
            "ramp_down": piece.down_mw_per_min,
        }

    def _binary(self, draw_mw: float | None, now_us: int) -> dict[str, bool]:
        state = self._engine.state
        mode = None if state.decision is None else state.decision.setpoints.mode
        is_bound = any(held.order.authority <= Authority.SITE for held in state.orders.values())
        is_available = draw_mw is not None and mode in (Mode.PLAN, Mode.LAST_PLAN) and not is_bound
        return {"available": is_available, "following": self._is_following(draw_mw, now_us)}

    def _is_following(self, draw_mw: float | None, now_us: int) -> bool:
        """Is the draw within the tolerance of the path in force?"""
        own, points = self._registration, self._in_force()
        if own is None or draw_mw is None or not points:
            return False
        path_mw = desired_mw(points[-1], own, now_us)
        band_mw = max(path_mw * own.tolerance_ppm * 1e-6, own.tolerance_least_w / W_PER_MW)
        return abs(draw_mw - path_mw) <= band_mw

    def _in_force(self) -> list[BasePoint]:
        held = self._engine.state.orders
        return sorted((each for name, each in self._points.items() if name in held), key=lambda each: each.at_us)

    def _hear(self, own: Registration) -> None:
        """Note base points that came since: the limit of each pair, and what was drawn when it came."""
        for name, held in self._engine.state.orders.items():
            order = held.order
            if name in self._points or order.issued_by != own.name or order.kind is not OrderKind.LIMIT:
                continue
            self._points[name] = BasePoint(
                at_us=order.starts_us, from_mw=held.before_mw, to_mw=order.mw, within_s=order.within_s
            )

    def _account(self, own: Registration, end_us: int) -> None:
        """Write how a period was followed, if base points and readings tell; the next begins with what is in force."""
        in_force = self._in_force()
        points = sorted(self._points.values(), key=lambda each: each.at_us)[-POINTS_MOST:]
        trace = [each for each in self._trace if points and each.at_us >= points[0].at_us]
        if trace:
            found = deviation(points, own, trace, end_us)
            self._engine.note(
                Followed(
                    at_us=self._engine.clock.now_us(),
                    resource=own.name,
                    start_us=trace[0].at_us,
                    end_us=end_us,
                    base_mw=points[-1].to_mw,
                    metered_wh=found.metered_wh,
                    path_wh=found.path_wh,
                    over_wh=found.over_wh,
                    under_wh=found.under_wh,
                    longest_off_us=found.longest_off_us,
                    worst_w=found.worst_w,
                )
            )
        self._points = {name: each for name, each in self._points.items() if each in in_force}
        self._trace.clear()
        self._start_us = end_us

    def _boundary_us(self, now_us: int) -> int:
        period_us = (300 if self._registration is None else self._registration.period_s) * US_PER_S
        return now_us // period_us * period_us

"""Replicas of an inference service as one queue: requests come, power serves them, the rest waits.

A fluid, first come first served:

    served(t)  ≤ (P(t) − idle power) / (energy a request)          P of all its servers, as the world says
    queue(t)   = came(t) − served(t)
    wait of a request that came at t = how long until as many were served as had come by t

Servers are asked for what comes and for what waits, the queue within `DRAIN_S`. A wait is caused by power when it ends
later than the same requests' would have on servers that nothing limited (their own rise to full takes 2 s); what all
servers at full could not serve in time is a matter of too few of them.
"""

from collections import deque
from typing import Final

import numpy as np

from headrace.sim.world.world import US_PER_S, World

__all__ = ["Replicas"]

DRAIN_S: Final = 1.0
"""Time within which a queue is to be worked off: what servers ask for beyond what comes (assumption)."""


class Replicas:
    """One service's queue.

    Parameters
    ----------
    world
        The world whose servers serve it.
    load
        Name of the service.
    """

    def __init__(self, world: World, load: str) -> None:
        self._world = world
        self.load = load
        position = next(i for i, each in enumerate(world.layout.loads) if each.name == load)
        self._servers = np.flatnonzero(world.layout.load_of == position)
        service = world.site.inference[world.layout.loads[position].position]
        self._ws_per_request = service.wh_per_request * 3600.0
        standby_w, span_w = world.machines.standby_w[self._servers], world.machines.span_w[self._servers]
        self._standby_w = float(standby_w.sum())
        self.able_per_s = float(span_w.sum()) / self._ws_per_request
        """Requests a second of all servers at full."""
        self.queue = 0.0
        """Requests that wait."""
        self.came, self.done = 0.0, 0.0
        """Requests so far."""
        self._open: deque[tuple[int, float, float]] = deque()
        self.waits: list[tuple[int, float, float]] = []
        """When requests came (epoch microseconds), what they waited, seconds, and how many they were."""
        self._last_us = world.now_us

    def step(self, now_us: int, per_s: float) -> None:
        """Let time pass to `now_us`, in which `per_s` requests a second came."""
        world, step_s = self._world, (now_us - self._last_us) / US_PER_S
        world.advance(now_us)
        if step_s > 0.0:
            came = per_s * step_s
            power_w = float(world.machines.power_w[self._servers].sum()) - self._standby_w
            self.came += came
            served = min(self.queue + came, max(0.0, power_w) / self._ws_per_request * step_s)
            self._open.append((self._last_us + (now_us - self._last_us) // 2, came, self.came))
            self.done += served
            self.queue = self.came - self.done
            while self._open and self._open[0][2] <= self.done + 1e-9:
                at_us, count, _ = self._open.popleft()
                self.waits.append((at_us, max(0.0, (now_us - at_us) / US_PER_S - 0.5 * step_s), count))
            self._last_us = now_us
        world.demand(self.load, min(self.able_per_s, per_s + self.queue / DRAIN_S))

    def all_waits(self) -> list[tuple[int, float, float]]:
        """When requests came (epoch microseconds), what they waited, seconds, and how many; open ones so far."""
        waiting = [(at_us, (self._last_us - at_us) / US_PER_S, count) for at_us, count, _ in self._open]
        return self.waits + waiting

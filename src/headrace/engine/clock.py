"""Clocks the engine can be given: the wall's, one that runs faster, and one that jumps as soon as nobody waits.

Nothing below the engine asks what time it is; it is told. All times are epoch seconds of the site's own time, which a
fast clock lets pass more quickly than the wall.
"""

import asyncio
import heapq
import time
from typing import Final, Protocol

from headrace.core import require

__all__ = ["Clock", "FastClock", "SimulatedClock", "WallClock"]


SETTLE_TURNS: Final = 64
"""Turns of the event loop before time moves on, where the loop does not say whether anybody else could run."""


class Clock(Protocol):
    """What time it is, and how to wait for another."""

    def now_s(self) -> float:
        """Now, epoch seconds."""
        ...

    def now_us(self) -> int:
        """Now, epoch microseconds."""
        ...

    async def sleep_until(self, at_s: float) -> None:
        """Wait until `at_s`, epoch seconds; not at all if it has passed."""
        ...


class WallClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Now, epoch seconds."""
        return time.time_ns() * 1e-9

    def now_us(self) -> int:
        """Now, epoch microseconds."""
        return time.time_ns() // 1000

    async def sleep_until(self, at_s: float) -> None:
        """Wait until `at_s`."""
        while (left_s := at_s - self.now_s()) > 0.0:
            await asyncio.sleep(min(left_s, 60.0))  # a stepped clock is noticed within a minute


class FastClock:
    """Runs `speed_ratio` times as fast as the wall from `start_s` on: two processes that share an anchor agree.

    Parameters
    ----------
    start_s
        Site time at the anchor, epoch seconds.
    speed_ratio
        Site seconds per second of the wall.
    anchor_wall_s
        Wall time at which site time was `start_s`, epoch seconds.
    """

    def __init__(self, *, start_s: float, speed_ratio: float, anchor_wall_s: float) -> None:
        require(speed_ratio > 0.0, "a clock runs forward")
        self._start_s = start_s
        self._speed_ratio = speed_ratio
        self._anchor_wall_s = anchor_wall_s

    def now_s(self) -> float:
        """Now, epoch seconds of site time."""
        return self._start_s + (time.time_ns() * 1e-9 - self._anchor_wall_s) * self._speed_ratio

    def now_us(self) -> int:
        """Now, epoch microseconds of site time."""
        return round(self.now_s() * 1e6)

    async def sleep_until(self, at_s: float) -> None:
        """Wait until site time `at_s`."""
        while (left_s := at_s - self.now_s()) > 0.0:
            await asyncio.sleep(min(left_s / self._speed_ratio, 60.0))


class SimulatedClock:
    """Stands still while anybody works and jumps to the next time somebody waits for: a week in seconds.

    Everything that waits must wait through this clock; work in other threads or processes is not waited for.
    """

    def __init__(self, start_s: float) -> None:
        self._now_s = start_s
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now_s(self) -> float:
        """Now, epoch seconds."""
        return self._now_s

    def now_us(self) -> int:
        """Now, epoch microseconds."""
        return round(self._now_s * 1e6)

    def step(self, by_s: float) -> None:
        """Set the clock forward or back as a time server would, without waking anybody early."""
        self._now_s += by_s

    async def sleep_until(self, at_s: float) -> None:
        """Wait until `at_s`."""
        if at_s <= self._now_s:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (at_s, self._count, future))
        await future

    async def run(self) -> None:
        """Move time on for ever; run it as a task beside those that wait and cancel it with them."""
        ready = getattr(asyncio.get_running_loop(), "_ready", None)
        idle = 0
        while True:
            await asyncio.sleep(0)
            if not self._waiting or ready:  # asyncio's own list of what could run now
                idle = 0
                continue
            idle += 1
            if ready is None and idle < SETTLE_TURNS:
                continue
            idle = 0
            at_s, _, future = heapq.heappop(self._waiting)
            if not future.done():  # whoever gave up waiting moves no time
                self._now_s = max(self._now_s, at_s)
                future.set_result(None)

"""Doors for grid signals, each with the other side it talks to: what the tests of all of them share."""

import asyncio
import socket
import time
from collections.abc import Callable

from headrace.adapters.grid.programme import Programme
from headrace.control.orders import Authority, Order

DEMAND_RESPONSE = Programme(
    name="demand response",
    context="http://utility.example/dr",
    authority=Authority.VOLUNTARY,
    within_s=600.0,
    largest_mw=100.0,
    level_mw=(5.0, 10.0, 20.0),
)
EMERGENCY = Programme(
    name="grid operator",
    context="http://grid.example/emergency",
    authority=Authority.GRID,
    within_s=60.0,
    largest_mw=100.0,
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wall_us() -> int:
    return time.time_ns() // 1000


async def until(condition: Callable[[], object], what: str, within_s: float = 10.0) -> None:
    """Wait for a condition, bounded."""
    clock = asyncio.get_running_loop().time
    deadline_s = clock() + within_s
    while not condition():
        assert clock() < deadline_s, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.01)


class Collected:
    """Orders of a door as they come."""

    def __init__(self, door) -> None:
        self.orders: list[Order] = []
        self._task = asyncio.create_task(self._collect(door))

    async def _collect(self, door) -> None:
        async for order in door.orders():
            self.orders.append(order)

    async def count(self, count: int, within_s: float = 10.0) -> list[Order]:
        """The first `count` orders."""
        found = f"{count} orders, found"
        await until(lambda: len(self.orders) >= count or self._task.done(), f"{found} {self.orders}", within_s)
        assert len(self.orders) >= count
        return self.orders

    async def ended(self) -> None:
        """Wait for the stream's end."""
        await asyncio.wait_for(self._task, 5.0)

"""Grid orders that are simply there: the simulated twin of every signal door, for runs on a simulated clock."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from headrace.control.orders import Order, OrderKind

__all__ = ["ScriptedSignals"]


class ScriptedSignals:
    """A grid operator who says what the script says.

    Parameters
    ----------
    now_us
        The site's clock, epoch microseconds.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.reported: list[tuple[str, float, int]] = []
        self._now_us = now_us
        self._orders: asyncio.Queue[Order | None] = asyncio.Queue()
        self._in_force: dict[str, Order] = {}

    def issue(self, order: Order) -> None:
        """Ask for something; the same id with other contents replaces what it asked before."""
        before = self._in_force.get(order.id)
        if before == order:
            return
        self._orders.put_nowait(order)
        self._in_force[order.id] = order

    def replace(self, old: str, order: Order) -> None:
        """Ask for something else instead of the order `old`."""
        self.issue(order)
        self.cancel(old)

    def cancel(self, order: str) -> None:
        """End an order."""
        before = self._in_force.pop(order, None)
        if before is None:
            return
        now_us = self._now_us()
        restore = msgspec.structs.replace(
            before,
            id=f"{order}.end",
            kind=OrderKind.RESTORE,
            mw=0.0,
            received_us=now_us,
            starts_us=now_us,
            ends_us=None,
            ends=order,
        )
        self._orders.put_nowait(restore)

    async def orders(self) -> AsyncIterator[Order]:
        """Orders as they come, until the door is closed."""
        while (order := await self._orders.get()) is not None:
            yield order

    async def report(self, order: str, met_mw: float, at_us: int) -> None:
        """Note what is being delivered."""
        self.reported.append((order, met_mw, at_us))

    async def close(self) -> None:
        """Say no more."""
        self._orders.put_nowait(None)

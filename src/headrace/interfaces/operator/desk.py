"""What the operator's API asks of the live engine."""

from typing import Protocol

import msgspec

from headrace.control.orders import LockOut, Order

__all__ = ["Desk", "Preview", "Receipt"]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an order would do now; nothing is done."""

    expected_mw: float
    """Fall of the load that it would bring, MW."""
    short_mw: float
    """What it asks and nothing is left to give, MW."""
    assets: int
    """Assets that it would command."""
    mw_of_load: dict[str, float]
    """What each load would give, MW."""
    reasons: tuple[str, ...]
    """Why it is short, and what it would cut that is firm."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request."""

    order: str
    """Id of the order, or of the lock's asset."""
    refused: str = ""
    """Why it is not followed; empty if it is."""
    asked_mw: float = 0.0
    """Fall of the load that was asked, MW."""
    metered_mw: float = 0.0
    """Fall that the meter shows, MW."""
    is_met: bool = False
    """Within its time and to within a hundredth."""
    reasons: tuple[str, ...] = ()
    """What stood in the way."""
    seconds: float = 0.0
    """From the request to the answer, seconds of the site's clock."""


class Desk(Protocol):
    """A live site as its operator handles it."""

    def now_us(self) -> int:
        """The site's clock, epoch microseconds."""
        ...

    def status(self) -> msgspec.Struct:
        """Where the site stands: one record."""
        ...

    def preview(self, order: Order) -> Preview:
        """What an order would do."""
        ...

    async def submit(self, order: Order) -> Receipt:
        """Follow an order; back when its commands were answered or timed out."""
        ...

    async def lock(self, lock: LockOut) -> Receipt:
        """Lock an asset or a feeder out."""
        ...

    async def release(self, asset: str, *, by: str) -> Receipt:
        """Release a lock; only its holder may."""
        ...

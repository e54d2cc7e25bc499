"""Who may ask a live site for what, and who goes before whom.

An order narrows what control may do until it ends. Orders of a higher authority bind those below; within one authority
the tightest holds. A lock-out is no order: no authority reaches a locked asset, and only its holder takes the lock off.
"""

from enum import IntEnum, StrEnum

import msgspec

__all__ = ["Authority", "LockOut", "Order", "OrderKind"]


class Authority(IntEnum):
    """Rank of who asks, first first."""

    SAFETY = 0
    """People and equipment."""
    GRID = 1
    """A mandatory order of the grid's operator."""
    SITE = 2
    """An emergency of the site, declared by its operator."""
    RESERVE = 3
    """Reserve sold and called."""
    FIRM = 4
    """Firm leases: nothing below may cut them."""
    VOLUNTARY = 5
    """A demand-response programme that the site joined of its own will."""
    MONEY = 6
    """Price."""


class OrderKind(StrEnum):
    """What is asked."""

    SHED = "shed"
    """Draw `mw` less than when the order came."""
    LIMIT = "limit"
    """Draw at most `mw`."""
    RAISE = "raise"
    """Draw at least `mw`, as far as there is load for it (a sudden surplus, a base point)."""
    HOLD = "hold"
    """Change nothing for money's sake."""
    RESTORE = "restore"
    """End the order that `ends` names, if the grid permits: restoration is staggered."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the site."""

    id: str
    """From the door it came through ("adr.evt-7", "op.3"); the same id twice is the same order."""
    kind: OrderKind
    authority: Authority
    mw: float = 0.0
    """Power that it names, MW, >= 0."""
    feeder: str = ""
    """Feeder that it is about; empty for the whole site."""
    received_us: int
    """When it came, epoch microseconds."""
    starts_us: int
    """When it begins to bind, epoch microseconds."""
    ends_us: int | None = None
    """When it stops to bind, epoch microseconds; None until a restore ends it."""
    within_s: float
    """How fast it is to be met, seconds from its start."""
    ends: str = ""
    """For a restore: id of the order it ends."""
    issued_by: str
    """Who asked: a person's name, a programme, a market."""
    reason: str
    """In the words of whoever asked."""


class LockOut(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody works on an asset: no command may reach it, wake and restore included."""

    asset: str
    """Name of an asset or of a feeder with everything on it."""
    holder: str
    """Who holds the lock, the only one who may release it."""
    since_us: int
    """Since when, epoch microseconds."""
    reason: str
    """Why."""

"""What an asset is told, and what became of it: commanded, sent, acknowledged, metered, each with its time.

A command carries an id made from the record that decided it, so that the same decision taken twice is the same command.
A command sets a state, never a difference: hearing it twice does no more than hearing it once.
"""

from enum import StrEnum

import msgspec

__all__ = ["Action", "Command", "CommandOutcome", "Result"]


class Action(StrEnum):
    """The state a command asks for."""

    STOP = "stop"
    """Draw no more than standby power: sleep, pause, suspend."""
    RUN = "run"
    """Run at full power."""
    CAP = "cap"
    """Run at no more than `power_mw`."""
    CHARGE = "charge"
    """Battery: draw `power_mw` from the bus."""
    DISCHARGE = "discharge"
    """Battery: feed `power_mw` to the bus."""
    OPEN = "open"
    """Contactor: take the feeder off."""
    CLOSE = "close"
    """Contactor: put the feeder back."""


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One asset's new state."""

    id: str
    """Id of the record that decided it, a dot, and its number there ("o42.17")."""
    asset: str
    """Name of the asset."""
    action: Action
    power_mw: float | None = None
    """Power at the feeder for cap, charge and discharge, MW, >= 0; None otherwise."""
    commanded_us: int
    """When it was decided, epoch microseconds."""
    expires_us: int
    """When it must no longer be carried out, epoch microseconds."""
    reason: str
    """Reason code ("order.grid.shed", "plan.mining", "wake")."""


class Result(StrEnum):
    """How far a command got."""

    METERED = "metered"
    """A meter confirms it."""
    ACKNOWLEDGED = "acknowledged"
    """The device says that it did it; no meter has confirmed it yet."""
    SENT = "sent"
    """The bytes have left and no answer was waited for."""
    MUTE = "mute"
    """The bytes have left and no answer came in time."""
    UNREACHABLE = "unreachable"
    """No connection: nothing was sent."""
    REFUSED = "refused"
    """The device answered that it would not."""
    GARBLED = "garbled"
    """The device's answer could not be read."""
    LOCKED_OUT = "locked_out"
    """Somebody holds a lock on the asset: nothing was sent."""
    EXPIRED = "expired"
    """Its time had passed before it could be sent."""
    LYING = "lying"
    """Acknowledged, and the feeder's meter shows otherwise."""


class CommandOutcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one command."""

    command: str
    """Its id."""
    asset: str
    """Name of the asset."""
    result: Result
    commanded_us: int
    """When it was decided, epoch microseconds."""
    sent_us: int | None = None
    """When its last byte left, epoch microseconds."""
    acknowledged_us: int | None = None
    """When the device's answer was whole, epoch microseconds."""
    metered_us: int | None = None
    """Time of the meter reading that confirmed it, epoch microseconds."""
    reason: str = ""
    """Why the result is not what was asked; the device's own words where it had any."""

"""Doors of a live site: how commands reach assets, and how meters and grid signals reach control.

No method raises for a device's failure: what failed and why is in what it returns. Each door has a real adapter, a
simulated one, and one conformance test.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from headrace.control.assets import Asset
from headrace.control.caps import CapOutcome, CapState
from headrace.control.commands import Command, CommandOutcome
from headrace.control.orders import Order
from headrace.control.readings import AssetReading, CounterReading, MeterReading
from headrace.control.workloads import Listing, WorkOutcome

__all__ = ["Caps", "Driver", "Meters", "Scheduler", "Signals"]


class Driver(Protocol):
    """Reaches assets of one kind."""

    name: str
    """As `Asset.driver` names it."""

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Do now what need not wait for a command: connections, sessions, tokens, frames. May be called again."""
        ...

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out commands, in their order of urgency, and say what became of each, one for one.

        Returns within the driver's timeout whatever is mute. A timeout begins when a command's bytes have left.
        """
        ...

    async def read(self) -> tuple[AssetReading, ...]:
        """What its assets say of themselves now; one that says nothing is reported with a reason."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class Meters(Protocol):
    """Reads meters and counters."""

    async def power(self) -> tuple[MeterReading, ...]:
        """Power of every meter that answered; one that did not is absent."""
        ...

    async def counters(self) -> tuple[CounterReading, ...]:
        """Running totals of every counter that answered."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class Signals(Protocol):
    """A place that orders come from: a grid operator, an aggregator, a market."""

    def orders(self) -> AsyncIterator[Order]:
        """Orders as they come, until the door is closed."""
        ...

    async def report(self, order: str, met_mw: float, at_us: int) -> None:
        """Tell whoever asked what is being delivered, MW below the baseline (negative: above)."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class Scheduler(Protocol):
    """Holds the AI work of a cluster: the slow path, in which what the nodes were told becomes the accounts' truth.

    Asking for a state that holds already is no error. Firm work is refused here, whatever was asked.
    """

    name: str
    """As its cluster is called."""
    pause_keeps_accelerators: bool
    """Does paused work keep its accelerators (Slurm), or do its processes end and free them (Kubernetes)?"""

    async def workloads(self) -> Listing:
        """Every workload that has not ended."""
        ...

    async def pause(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Stop these, by id, and say what became of each, one for one."""
        ...

    async def resume(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Let these go on."""
        ...

    async def requeue(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Checkpoint those that declare how, take all off their nodes, and let them wait for others."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class Caps(Protocol):
    """Limits the power and the clock of accelerators or nodes."""

    name: str
    """Name of the door."""

    async def states(self) -> tuple[CapState, ...]:
        """Every unit's limits and power; one that did not answer is there with a reason."""
        ...

    async def limit_power(self, limits_w: Mapping[str, int | None]) -> tuple[CapOutcome, ...]:
        """Limit units to so many W, None to their default; what became of each, in order."""
        ...

    async def lock_clock(self, clocks_mhz: Mapping[str, int | None]) -> tuple[CapOutcome, ...]:
        """Hold units to at most so many MHz, None sets them free; what became of each, in order."""
        ...

    async def close(self) -> None:
        """Let go of every connection. Limits stay as they are."""
        ...

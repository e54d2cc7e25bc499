"""Nodes whose scheduler is told afterwards: the agents act within a second, the accounts follow what they did.

Paused processes would go on using up their jobs' time limits, and a scheduler that knows nothing would send the next
job to a node that is asked to stand still. So after each send the flexible workloads of the nodes that acknowledged
are paused or resumed in the scheduler too, once every node of a workload says the same. What the scheduler answers
changes nothing about the power: it is counted, and the last reason is kept.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from headrace.control.assets import Asset
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.ports import Driver, Scheduler
from headrace.control.readings import AssetReading
from headrace.control.workloads import Workload, WorkState

__all__ = ["AccountedNodes", "node_name"]


def node_name(asset: Asset) -> str:
    """Name of an asset's node at its scheduler: what follows the slash of its address, else the asset's own."""
    return asset.address.partition("/")[2] or asset.name


class AccountedNodes:
    """A driver of nodes, and the scheduler that is told what it did.

    Parameters
    ----------
    nodes
        Reaches the agents.
    scheduler
        Holds the work on them.
    """

    def __init__(self, nodes: Driver, scheduler: Scheduler) -> None:
        self.name = nodes.name
        self.counts: Counter[Result] = Counter()
        """What became of requests to the scheduler."""
        self.reason = ""
        """Why the last request that came to nothing did."""
        self._nodes = nodes
        self._scheduler = scheduler
        self._node_of: dict[str, str] = {}
        self._is_stopped: dict[str, bool] = {}
        self._is_due = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Open the connections to the agents."""
        self._node_of = {asset.name: node_name(asset) for asset in assets}
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep_accounts(), name="accounts")
        await self._nodes.arm(assets)

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out by the agents; the scheduler hears of it when that is done, and nobody waits for it."""
        outcomes = await self._nodes.send(commands)
        told = {each.id: each for each in commands}
        for outcome in outcomes:
            if outcome.result is Result.ACKNOWLEDGED and outcome.asset in self._node_of:
                self._is_stopped[self._node_of[outcome.asset]] = told[outcome.command].action is Action.STOP
                self._is_due.set()
        return outcomes

    async def read(self) -> tuple[AssetReading, ...]:
        """What the agents say."""
        return await self._nodes.read()

    async def close(self) -> None:
        """Let go of agents and scheduler."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
            self._keeping = None
        await self._nodes.close()
        await self._scheduler.close()

    async def settle(self) -> None:
        """Bring the scheduler to what the nodes were told last."""
        listing = await self._scheduler.workloads()
        if listing.workloads is None:
            self.counts[Result.UNREACHABLE] += 1
            self.reason = listing.reason
            return
        held = [each for each in listing.workloads if each.tier and each.nodes]
        pause = [each.id for each in held if each.state is WorkState.RUNNING and self._is_all(each, stopped=True)]
        resume = [each.id for each in held if each.state is WorkState.PAUSED and self._is_all(each, stopped=False)]
        for ids, ask in ((pause, self._scheduler.pause), (resume, self._scheduler.resume)):
            for outcome in await ask(ids) if ids else ():
                self.counts[outcome.result] += 1
                self.reason = outcome.reason or self.reason

    def _is_all(self, work: Workload, *, stopped: bool) -> bool:
        """Were all nodes of a workload told the same?"""
        return all(self._is_stopped.get(node) is stopped for node in work.nodes)

    async def _keep_accounts(self) -> None:
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            try:
                await self.settle()
            except Exception as error:  # noqa: BLE001  accounts must not end the nodes' driver
                self.counts[Result.UNREACHABLE] += 1
                self.reason = f"{type(error).__name__}: {error}"

"""Simulated servers behind the real node agents' protocol: what an agent is told, the world does."""

from collections.abc import Awaitable, Callable

from headrace.adapters.nodes.line import AgentLine
from headrace.adapters.nodes.wire import Answer, Cap, GroupCount, Notify, Pause, Renew, Resume, Status, Tell
from headrace.control.assets import Asset
from headrace.control.commands import Action
from headrace.sim.world.faults import FaultKind
from headrace.sim.world.world import World

__all__ = ["WorldNode"]

HELLO_S = 5.0
PROCESSES = 8
"""Processes that a simulated server shows: one per accelerator."""


class WorldNode:
    """One server's agent.

    Parameters
    ----------
    asset
        The server.
    key
        Shared with the site.
    world
        The world.
    now_us
        The site's time.
    """

    def __init__(self, asset: Asset, key: bytes, world: World, now_us: Callable[[], int]) -> None:
        self.key = key
        self.node = asset.name
        self.hello_s = HELLO_S
        self.now_us = now_us
        self._asset = asset
        self._world = world
        self._cap_w: float | None = None
        self._lines: set[AgentLine] = set()

    def enter(self, line: AgentLine) -> None:
        """A connection was made."""
        if self._world.faults.of(FaultKind.LINK, self.node):
            line.abort()
        else:
            self._lines.add(line)

    def leave(self, line: AgentLine) -> None:
        """A connection ended."""
        self._lines.discard(line)

    def refuse(self, reason: str) -> None:
        """Nobody counts those that are turned away here."""

    def close(self) -> None:
        """End every connection."""
        for line in tuple(self._lines):
            line.abort()

    def obey(self, number: int, tell: Tell) -> Awaitable[Answer]:
        """Let the world do it, and answer."""
        return self._obey(number, tell)

    async def _obey(self, number: int, tell: Tell) -> Answer:
        now_us = self.now_us()
        self._world.advance(now_us)
        reason = ""
        if isinstance(tell, Pause | Resume | Notify | Cap) and tell.expires_us < now_us:
            reason = "expired before it came"
        elif self._world.faults.of(FaultKind.REFUSING, self.node) and not isinstance(tell, Status | Renew):
            reason = "not permitted"
        else:
            self._do(tell, now_us)
        return Answer(
            number=number,
            is_done=not reason,
            reason=reason,
            acted_us=now_us,
            seen_us=now_us,
            groups=() if isinstance(tell, Renew) else (self._group(),),
        )

    def _do(self, tell: Tell, now_us: int) -> None:
        match tell:
            case Pause():
                self._world.tell(self.node, Action.STOP, at_us=now_us)
            case Resume() | Cap() if tell.power_w is not None:
                self._cap_w = float(tell.power_w)
                self._world.tell(self.node, Action.CAP, self._cap_w, at_us=now_us)
            case Resume() | Cap():
                self._cap_w = None
                self._world.tell(self.node, Action.RUN, at_us=now_us)
            case Notify() | Status() | Renew():
                pass

    def _group(self) -> GroupCount:
        world = self._world
        i = world.layout.index[self.node]
        runs = world.machines.told_w[i] > world.machines.standby_w[i] * 1.001
        return GroupCount(name=self._asset.load, tier="flex", processes=PROCESSES, stopped=0 if runs else PROCESSES)

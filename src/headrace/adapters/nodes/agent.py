"""The agent of one node: stops and continues the flexible processes there within milliseconds of being told.

A scheduler needs a third of a second and more to stop a hundred jobs, because one daemon tells them one after another.
An agent has its node's processes at hand beforehand, sends the signals at once, and answers when the kernel's own table
shows that they stand. What starts later in a paused tier is stopped too. If the site falls silent for longer than its
lease, the agent goes to its declared state and stays there until it is told otherwise.
"""

import asyncio
import signal
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from headrace.adapters.nodes.groups import Groups
from headrace.adapters.nodes.line import AgentLine
from headrace.adapters.nodes.proc import Snapshot, Sweep
from headrace.adapters.nodes.wire import Answer, Cap, GroupCount, Notify, Pause, Renew, Resume, Status, Tell
from headrace.control.assets import WhenLost

__all__ = ["AgentSettings", "NodeAgent", "PowerCap"]

PowerCap = Callable[[int | None], Awaitable[str]]
"""Caps the node's power at so many W, or lifts the cap; why not, empty if it is done."""

SIGNALS: Final = {"USR1": signal.SIGUSR1, "USR2": signal.SIGUSR2}
LOOK_AGAIN_S: Final = 0.002
REASON_CHARS: Final = 60
REASONS_MAX: Final = 100
CAP_S: Final = 5.0
"""Longest wait for a power cap to be set, seconds."""


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one agent behaves."""

    node: str
    """Name of the node."""
    lease_s: float = 60.0
    """Silence of the site after which it counts as lost, seconds."""
    when_lost: WhenLost = WhenLost.KEEPS
    """What the agent does then."""
    confirm_s: float = 1.0
    """Longest wait for processes to be seen in the state asked for, seconds."""
    refresh_s: float = 1.0
    """How often it looks who is there, seconds."""
    hello_s: float = 5.0
    """A connection must have proved within this time that it is the site's, seconds; a frame begun, have ended."""
    connections_max: int = 16
    """Most connections at a time; one that proved nothing gives way to a newer one."""


class NodeAgent:
    """Serves one node.

    Parameters
    ----------
    settings
        How it behaves.
    key
        Shared with the site.
    groups
        Kinds of flexible process groups.
    sweep
        Reads the kernel's table.
    now_us
        The node's clock, epoch microseconds.
    passed_s
        A clock that is never set, seconds.
    power_cap
        Caps the node's power; None if it can't.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        key: bytes,
        groups: Sequence[Groups],
        sweep: Sweep,
        now_us: Callable[[], int],
        passed_s: Callable[[], float],
        power_cap: PowerCap | None = None,
    ) -> None:
        self.settings = settings
        self.key = key
        self.node = settings.node
        self.hello_s = settings.hello_s
        self.now_us = now_us
        self.refused: Counter[str] = Counter()
        """How many peers were turned away, by reason."""
        self._groups = tuple(groups)
        self._sweep = sweep
        self._passed_s = passed_s
        self._power_cap = power_cap
        self._held_tiers: set[str] = set()
        self._held_groups: set[str] = set()
        self._holds_every = False
        self._turn = 0
        self.is_alone = False
        self._is_capped = False
        self._lease_ends_s = passed_s() + settings.lease_s
        self._lines: list[AgentLine] = []
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Look who is there and listen; the port it listens on."""
        await self._refresh()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: AgentLine(self), host, port, family=socket.AF_INET)
        self._watch = loop.create_task(self._keep_watch())
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop serving; processes stay as they are."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for line in tuple(self._lines):
            line.abort()
        for kind in self._groups:
            kind.close()

    def enter(self, line: AgentLine) -> None:
        """Take a new connection, at the cost of the oldest that has proved nothing."""
        if len(self._lines) >= self.settings.connections_max:
            stranger = next((each for each in self._lines if not each.is_proved), line)
            self.refuse("more connections than allowed")
            stranger.abort()
        if not line.is_closed:
            self._lines.append(line)

    def leave(self, line: AgentLine) -> None:
        """Forget a connection that ended."""
        if line in self._lines:
            self._lines.remove(line)

    def refuse(self, reason: str) -> None:
        """Count a peer that was turned away."""
        self.refused[reason[:REASON_CHARS]] += 1
        if len(self.refused) > REASONS_MAX:
            self.refused = Counter({"other": self.refused.total()})

    def obey(self, number: int, tell: Tell) -> Awaitable[Answer]:
        """Act at once; the answer comes when the kernel shows the result."""
        self._lease_ends_s = self._passed_s() + self.settings.lease_s
        if isinstance(tell, Pause | Resume | Notify | Cap) and tell.expires_us < self.now_us():
            return self._refuse(number, "expired before it came")
        match tell:
            case Pause():
                return self._pause(number, tell)
            case Resume():
                return self._resume(number, tell)
            case Notify():
                return self._notify(number, tell)
            case Cap():
                return self._cap(number, tell)
            case Status() | Renew():
                return self._status(number, is_counted=isinstance(tell, Status))

    def _pause(self, number: int, tell: Pause) -> Awaitable[Answer]:
        self._holds_every |= not (tell.tiers or tell.groups)
        self._held_tiers |= set(tell.tiers)
        self._held_groups |= set(tell.groups)
        refused = self._enforce()
        self._turn += 1
        return self._confirm(number, self._turn, self.now_us(), refused, _selected(tell), is_pause=True)

    async def _resume(self, number: int, tell: Resume) -> Answer:
        capped = await self._set_cap(tell.power_w)
        if capped:
            return await self._refuse(number, capped)
        if not (tell.tiers or tell.groups):
            self._holds_every, self.is_alone = False, False
            self._held_tiers.clear()
            self._held_groups.clear()
        self._held_tiers -= set(tell.tiers)
        self._held_groups -= set(tell.groups)
        refused = ""
        wanted = _selected(tell)
        for kind in self._groups:
            tiers = kind.tiers()
            free = [name for name, tier in tiers.items() if wanted(name, tier) and not self._is_held(name, tier)]
            refused = kind.go_on(free) or refused
        self._turn += 1
        return await self._confirm(number, self._turn, self.now_us(), refused, wanted, is_pause=False)

    async def _notify(self, number: int, tell: Notify) -> Answer:
        if tell.signal not in SIGNALS:
            return await self._refuse(number, f"signal {tell.signal!r}: only {' and '.join(SIGNALS)} are sent")
        seen, wanted, told = await self._refresh(), _selected(tell), 0
        for kind in self._groups:
            names = [name for name, tier in kind.tiers().items() if wanted(name, tier)]
            told += kind.notify(names, SIGNALS[tell.signal], self._sweep.table)
        reason = "" if told else "no process declares a handler for it"
        return self._answer(number, self.now_us(), self._count(seen), reason)

    async def _cap(self, number: int, tell: Cap) -> Answer:
        return self._answer(number, self.now_us(), (), await self._set_cap(tell.power_w))

    async def _set_cap(self, power_w: int | None) -> str:
        """Why it could not be done; empty if it was."""
        if power_w is None and not self._is_capped:
            return ""
        if self._power_cap is None:
            return "this node has no power cap"
        self._is_capped = True  # before it is sure: a cap that may be there is one to lift
        try:
            refused = await asyncio.wait_for(self._power_cap(power_w), CAP_S)
        except TimeoutError:
            return f"the power cap took longer than {CAP_S:.0f} s"
        self._is_capped = power_w is not None or bool(refused)
        return refused

    async def _status(self, number: int, *, is_counted: bool) -> Answer:
        at_us = self.now_us()
        return self._answer(number, at_us, self._count(await self._refresh()) if is_counted else (), "")

    async def _refuse(self, number: int, reason: str) -> Answer:
        return self._answer(number, self.now_us(), (), reason)

    async def _confirm(
        self,
        number: int,
        turn: int,
        acted_us: int,
        refused: str,
        wanted: Callable[[str, str], bool],
        *,
        is_pause: bool,
    ) -> Answer:
        """Look until every process wanted is as it should be; what forked meanwhile is stopped on the way."""
        until_s = self._passed_s() + self.settings.confirm_s
        while True:
            known = self._known()
            seen = await self._refresh()
            counts = self._count(seen)
            if turn != self._turn:
                return self._answer(number, acted_us, counts, "a newer message came before this was seen done")
            if is_pause:
                refused = self._enforce() or refused
            left = [each for each in counts if wanted(each.name, each.tier) and _is_amiss(each, is_pause=is_pause)]
            if not left and (known == self._known() or not is_pause):
                return self._answer(number, acted_us, counts, refused)
            if self._passed_s() > until_s:
                return self._answer(number, acted_us, counts, refused or _still(left, is_pause=is_pause))
            await asyncio.sleep(LOOK_AGAIN_S)

    def _answer(self, number: int, acted_us: int, counts: tuple[GroupCount, ...], reason: str) -> Answer:
        return Answer(
            number=number,
            is_done=not reason,
            reason=reason,
            acted_us=acted_us,
            seen_us=self.now_us(),
            is_alone=self.is_alone,
            groups=counts,
        )

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(self.settings.refresh_s)
            if self._passed_s() > self._lease_ends_s and not self.is_alone:
                self.is_alone = True
                self._holds_every |= self.settings.when_lost is WhenLost.STOPS
                self._turn += 1
            seen = await self._sweep.recent(self.settings.refresh_s / 2.0)
            self._take_in(seen)
            self._enforce()

    async def _refresh(self) -> Snapshot:
        seen = await self._sweep.fresh()
        self._take_in(seen)
        return seen

    def _take_in(self, seen: Snapshot) -> None:
        for kind in self._groups:
            kind.refresh(self._sweep.table, seen)

    def _enforce(self) -> str:
        """Stop whatever is held and may run."""
        refused = ""
        for kind in self._groups:
            held = [name for name, tier in kind.tiers().items() if self._is_held(name, tier)]
            refused = (kind.stop(held, self._sweep.table) if held else "") or refused
        return refused

    def _is_held(self, name: str, tier: str) -> bool:
        return self._holds_every or tier in self._held_tiers or name in self._held_groups

    def _known(self) -> list[frozenset[int]]:
        return [kind.pids() for kind in self._groups]

    def _count(self, seen: Snapshot) -> tuple[GroupCount, ...]:
        return tuple(count for kind in self._groups for count in kind.count(seen))


def _selected(tell: Pause | Resume | Notify) -> Callable[[str, str], bool]:
    """Which groups, by name and tier, a message is about."""
    tiers = () if isinstance(tell, Notify) else tell.tiers
    if not (tiers or tell.groups):
        return lambda name, tier: True
    return lambda name, tier: tier in tiers or name in tell.groups


def _is_amiss(count: GroupCount, *, is_pause: bool) -> bool:
    return count.stopped < count.processes if is_pause else count.stopped > 0 and not count.is_others


def _still(left: Sequence[GroupCount], *, is_pause: bool) -> str:
    wrong = sum(each.processes - each.stopped if is_pause else each.stopped for each in left)
    of, first = sum(each.processes for each in left), left[0].name if left else "new ones"
    return f"{wrong} of {of} processes still {'run' if is_pause else 'stand'} ({first})"

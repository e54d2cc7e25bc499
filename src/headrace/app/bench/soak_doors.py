"""Doors that fail on purpose, and what a soak notes at them: what was sent, and what the site really draws."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from headrace.app.bench.soak_script import Event
from headrace.control.assets import Asset
from headrace.control.commands import Command, CommandOutcome
from headrace.control.ports import Driver, Meters
from headrace.control.readings import AssetReading, CounterReading, MeterReading
from headrace.dispatch.plan import Clash, Infeasible
from headrace.dispatch.policies import Policy, Proposal, Sight
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.engine.journal import JournalWriter
from headrace.engine.live.book import FeedBook
from headrace.engine.live.feeds import FeedNews, RecordedFeeds
from headrace.engine.live.journal import LiveJournal
from headrace.engine.live.records import LiveRecord
from headrace.engine.live.solver import LATE, Answer, InlineSolver

__all__ = [
    "DoorFailed",
    "FailingPolicy",
    "Killed",
    "LateSolver",
    "Life",
    "MortalJournal",
    "TroubledDriver",
    "TroubledFeeds",
    "TroubledMeters",
    "Troubles",
]

NO_POWER: Final = Clash(step=0, need_mw=1.0, have_mw=0.0, limits=("import limit",))
"""What a planner says that finds nothing."""


class Killed(BaseException):
    """The process is gone: nobody may catch this."""


class DoorFailed(RuntimeError):
    """A driver with a bug, a cable pulled, a thread that died."""


class Life:
    """One life of an engine: alive until something kills it."""

    def __init__(self) -> None:
        self.dies = ""
        """How it is going to die at its next chance; empty if it lives on."""
        self.is_dead = False

    def check(self) -> None:
        """Let nothing happen after death."""
        if self.is_dead:
            raise Killed

    def die(self) -> None:
        """Die now."""
        self.is_dead = True
        raise Killed


class Troubles:
    """What is broken until when, by the site's own time."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._until: dict[tuple[str, str], tuple[float, str]] = {}

    def begin(self, event: Event) -> None:
        """Break something."""
        self._until[event.act.value, event.name] = (self._now_s() + event.value, event.how)

    def how(self, act: str, name: str = "") -> str | None:
        """Which way something is broken; None if it works."""
        found = self._until.get((act, name))
        if found is None:
            return None
        if self._now_s() >= found[0]:
            del self._until[act, name]
            return None
        return found[1]

    @property
    def any(self) -> bool:
        """Is anything broken?"""
        return any(self.how(*key) is not None for key in list(self._until))


class MortalJournal(LiveJournal):
    """A journal whose engine can die before, after or in the middle of a line.

    Parameters
    ----------
    writer
        The file.
    life
        Whose journal it is.
    tear
        Tears so many bytes, at most, off the file's end: what a power cut leaves.
    """

    def __init__(self, writer: JournalWriter, life: Life, tear: Callable[[int], None]) -> None:
        super().__init__(writer)
        self._life = life
        self._tear = tear

    def append(self, record: LiveRecord) -> int:
        """Append, unless it dies of it."""
        self._life.check()
        if self._life.dies == "before":
            self._life.die()
        seq = super().append(record)
        if self._life.dies == "torn":
            self._tear(seq)
            self._life.die()
        if self._life.dies == "after":
            self._life.die()
        return seq

    def flush(self) -> None:
        """Put everything on disk, while alive."""
        self._life.check()
        super().flush()

    def close(self) -> None:
        """Close, while alive."""
        self._life.check()
        super().close()


class TroubledDriver:
    """A driver that raises when it is told to, and notes every command that reached it.

    Parameters
    ----------
    inner
        The driver.
    troubles, life
        What is broken, and whose driver it is.
    note
        Told of every command that is sent.
    """

    def __init__(
        self, inner: Driver, troubles: Troubles, life: Life, note: Callable[[Sequence[Command]], None]
    ) -> None:
        self.name = inner.name
        self._inner = inner
        self._troubles = troubles
        self._life = life
        self._note = note

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Arm."""
        await self._inner.arm(assets)

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Send, or fail before or after."""
        self._life.check()
        how = self._troubles.how("driver_fails", self.name)
        if how == "before":
            raise DoorFailed(f"{self.name}: no route")
        if self._life.dies == "sending":
            first = tuple(commands)[: 1 + len(commands) // 2]
            self._note(first)
            await self._inner.send(first)
            self._life.die()
        self._note(commands)
        outcomes = await self._inner.send(commands)
        self._life.check()
        if how is not None:
            raise DoorFailed(f"{self.name}: connection reset")
        return outcomes

    async def read(self) -> tuple[AssetReading, ...]:
        """Read, or fail."""
        self._life.check()
        if self._troubles.how("driver_fails", self.name) is not None:
            raise DoorFailed(f"{self.name}: no route")
        return await self._inner.read()

    async def close(self) -> None:
        """Close."""
        await self._inner.close()


class TroubledMeters:
    """Meters that raise when they are told to; whoever looks is told when they were read.

    Parameters
    ----------
    inner
        The meters.
    troubles, life
        What is broken, and whose meters they are.
    looked, counted
        Called after power and after counters were read.
    """

    def __init__(
        self,
        inner: Meters,
        troubles: Troubles,
        life: Life,
        *,
        looked: Callable[[], None],
        counted: Callable[[], None],
    ) -> None:
        self._inner = inner
        self._troubles = troubles
        self._life = life
        self._looked = looked
        self._counted = counted

    async def power(self) -> tuple[MeterReading, ...]:
        """Power, or a failure."""
        self._life.check()
        readings = await self._inner.power()
        self._looked()
        if self._troubles.how("meters_fail") is not None:
            raise DoorFailed("meters: gateway gone")
        return readings

    async def counters(self) -> tuple[CounterReading, ...]:
        """Totals, or a failure."""
        self._life.check()
        readings = await self._inner.counters()
        self._counted()
        if self._troubles.how("meters_fail") is not None:
            raise DoorFailed("meters: gateway gone")
        return readings

    async def close(self) -> None:
        """Close."""
        await self._inner.close()


class TroubledFeeds(RecordedFeeds):
    """Recorded feeds that fall silent, fail with a reason, or raise.

    Parameters
    ----------
    series, look_back_s
        As `RecordedFeeds` takes them.
    troubles
        What is broken.
    """

    def __init__(self, series: Mapping[str, Series], look_back_s: Mapping[str, int], troubles: Troubles) -> None:
        super().__init__(series, look_back_s)
        self._troubles = troubles

    async def news(self, book: FeedBook, now_s: int, at_us: int) -> FeedNews:
        """What became known, but for what is out."""
        if self._troubles.how("feed_outage", "*") == "raising":
            raise DoorFailed("feeds: name server gone")
        news = await super().news(book, now_s, at_us)
        out = {role: self._how(role) for role in {each.role for each in news.arrived}}
        return FeedNews(
            arrived=tuple(each for each in news.arrived if out[each.role] is None),
            failed={role: "503 from the operator" for role in sorted(out) if out[role] not in (None, "silent")},
        )

    def _how(self, role: str) -> str | None:
        how = self._troubles.how("feed_outage", role)
        return self._troubles.how("feed_outage", "*") if how is None else how


class LateSolver(InlineSolver):
    """A planner that takes longer than it may when it is told to.

    Parameters
    ----------
    policy
        Who answers.
    troubles
        What is broken.
    wait
        Waits until a time.
    """

    def __init__(self, policy: Policy, troubles: Troubles, wait: Callable[[float], Awaitable[None]]) -> None:
        super().__init__(policy)
        self._troubles = troubles
        self._wait = wait

    async def solve(self, model: SiteModel, sight: Sight, until_s: float) -> Answer:
        """Answer now, or be late."""
        if self._troubles.how("solver_late") is None:
            return await super().solve(model, sight, until_s)
        await self._wait(until_s)
        return LATE


class FailingPolicy:
    """A policy that finds no plan, or fails, in some periods: the same in the run and when it is reproduced.

    Parameters
    ----------
    inner
        The policy.
    windows
        Start and end of each period, epoch seconds, and which way it fails.
    """

    def __init__(self, inner: Policy, windows: Sequence[tuple[float, float, str]]) -> None:
        self.name = inner.name
        self._inner = inner
        self._windows = windows

    def propose(self, model: SiteModel, sight: Sight) -> Proposal | Infeasible:
        """Answer, or not."""
        for start_s, end_s, how in self._windows:
            if start_s <= sight.now_s < end_s:
                if how == "raising":
                    raise ArithmeticError("a plan that can't be made")
                return Infeasible(clash=NO_POWER, relaxations=())
        return self._inner.propose(model, sight)

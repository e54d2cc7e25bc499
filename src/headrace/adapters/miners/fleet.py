"""A fleet of miners of any dialect behind one driver: armed before it is needed, fired in order, believed by answer.

Arming does beforehand whatever need not wait for a decision: log-ins, stop frames made (and encrypted), connections
opened where the firmware lets them idle. Firing writes every frame that is ready, in the order given, before it reads
any answer; the rest connects first. A command whose bytes have left is never sent again under the same id.
"""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from headrace.adapters.miners.codec import Codec, Credentials
from headrace.adapters.miners.dialects import codec_for
from headrace.adapters.miners.firing import carry_out, make_ready, read_status
from headrace.adapters.miners.miner import Miner
from headrace.adapters.miners.steps import Steps, run_all
from headrace.adapters.miners.wire import Wire, WireLimits
from headrace.control.assets import Asset
from headrace.control.commands import Command, CommandOutcome, Result
from headrace.control.readings import AssetReading
from headrace.core import BadInput

__all__ = ["FleetLimits", "FleetStanding", "MinerAccess", "MinerFleet"]

GRACE_S = 0.4
"""What a call may take beyond the time for an answer: writing, connecting, gathering."""


class MinerAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How one miner is spoken to."""

    dialect: str
    """Name of its dialect."""
    credentials: Credentials = Credentials()
    """How it is logged in to."""


class FleetLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet's engine allows itself."""

    answer_s: float = 2.0
    """Longest wait for an answer since the bytes left, seconds; a call returns at most half a second later."""
    connect_s: float = 1.0
    """Longest wait for a connection, seconds."""
    connecting_max: int = 1_024
    """Most connections being opened at a time."""
    at_once_max: int = 1_000
    """Most miners read or armed at a time."""
    sweep_s: float = 30.0
    """Longest time for a sweep that reads or arms all of them, seconds."""
    keep_every_s: float = 0.5
    """How often what is armed is looked after, seconds."""
    keep_most: int = 1_000
    """Most miners armed again in one look: a switch that comes back must not meet all of them at once."""
    retry_s: float = 5.0
    """Least time between two attempts to arm a miner that failed, seconds; doubles up to `retry_max_s`."""
    retry_max_s: float = 300.0
    """Longest time between two such attempts, seconds."""
    frame_age_max_s: int = 20
    """Age at which a stop frame made ready is made again, as some carry a time, seconds."""
    session_margin_s: int = 15
    """How long before its end a session is renewed, seconds."""
    remembered_max: int = 200_000
    """Most commands remembered, so that none is sent twice."""


class FleetStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How ready a fleet is."""

    miners: int
    """How many it has."""
    ready: int
    """Of those, how many have a stop frame ready and, where the dialect allows, an open connection."""
    reasons: tuple[tuple[str, str], ...]
    """Asset and reason of each that is not ready."""


class MinerFleet:
    """Driver of miners.

    Parameters
    ----------
    access
        By asset name: dialect and credentials.
    now_us
        The site's time, epoch microseconds.
    monotonic
        Seconds that only rise, whatever the site's clock does.
    limits
        What the engine allows itself.
    name
        As assets name it.
    codec_for
        Codec of a dialect.
    device_s
        Epoch seconds by the devices' own clocks; the site's if None. They differ only where a simulated site runs
        faster than its devices.
    """

    def __init__(
        self,
        access: Mapping[str, MinerAccess],
        *,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
        limits: FleetLimits | None = None,
        name: str = "miners",
        codec_for: Callable[[str], Codec] = codec_for,
        device_s: Callable[[], int] | None = None,
    ) -> None:
        self.name = name
        self.limits = limits or FleetLimits()
        self._access = access
        self._now_us = now_us
        self._monotonic = monotonic
        self._codec_for = codec_for
        self._device_s = device_s or (lambda: now_us() // 1_000_000)
        self._wire = Wire(
            now_us=now_us,
            monotonic=monotonic,
            limits=WireLimits(
                connect_s=self.limits.connect_s,
                answer_s=self.limits.answer_s,
                connecting_max=self.limits.connecting_max,
            ),
        )
        self._miners: dict[str, Miner] = {}
        self._strangers: dict[str, str] = {}
        self._sent: OrderedDict[str, CommandOutcome] = OrderedDict()
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._volleys = 0
        self._keeper: asyncio.Task[None] | None = None

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Take on these miners as well, and make them ready; from then on they are kept so.

        Returns when each is ready or has failed to be, or after `FleetLimits.sweep_s`; `standing` says which are not.
        """
        for asset in assets:
            self._take_on(asset)
        await self._make_ready([miner for asset in assets if (miner := self._miners.get(asset.name)) is not None])
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out commands; returns within `FleetLimits.answer_s` and half a second."""
        outcomes: dict[int, CommandOutcome] = {}
        joined: list[tuple[int, asyncio.Future[None]]] = []
        work: list[Steps[CommandOutcome]] = []
        places: list[int] = []
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        named: set[str] = set()
        for place, command in enumerate(commands):
            if (known := self._sent.get(command.id)) is not None:
                outcomes[place] = known
            elif (elsewhere := self._under_way.get(command.id)) is not None:
                joined.append((place, elsewhere))
            elif (turned_away := self._turned_away(command, named)) is not None:
                outcomes[place] = turned_away
            else:
                named.add(command.asset)
                self._under_way[command.id] = over
                places.append(place)
                work.append(self._carry_out(command))
        self._volleys += 1
        try:
            found = await run_all(self._wire, work, at_once_max=len(work) + 1, within_s=self.limits.answer_s + GRACE_S)
        finally:
            self._volleys -= 1
            for place in places:
                self._under_way.pop(commands[place].id, None)
            over.set_result(None)
        outcomes.update(zip(places, found, strict=True))
        for place, elsewhere in joined:
            if elsewhere is not over:
                await elsewhere
            outcomes[place] = self._sent.get(commands[place].id) or outcome_unsent(
                commands[place], Result.UNREACHABLE, "the same command, under way in another call, was not sent"
            )
        return tuple(outcomes[place] for place in range(len(commands)))

    async def read(self) -> tuple[AssetReading, ...]:
        """Ask every miner how it is."""
        read = await run_all(
            self._wire,
            (read_status(miner, self._device_s) for miner in list(self._miners.values())),
            at_once_max=self.limits.at_once_max,
            within_s=self.limits.sweep_s,
        )
        at_us = self._now_us()
        strangers = (
            AssetReading(asset=name, at_us=at_us, is_running=None, reason=reason)
            for name, reason in self._strangers.items()
        )
        return (*read, *strangers)

    def standing(self) -> FleetStanding:
        """How ready the fleet is."""
        miners = self._miners.values()
        reasons = [(miner.name, miner.reason or "not armed") for miner in miners if not miner.is_ready]
        return FleetStanding(
            miners=len(self._miners) + len(self._strangers),
            ready=len(self._miners) - len(reasons),
            reasons=(*reasons, *self._strangers.items()),
        )

    async def close(self) -> None:
        """Let go of every connection."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        self._wire.close()

    def _take_on(self, asset: Asset) -> None:
        known = self._miners.pop(asset.name, None)
        access = self._access.get(asset.name)
        codec: Codec | None
        try:
            if access is None:
                raise BadInput(asset.name, "no dialect is declared for it", "Name it in the device file.")
            codec = self._codec_for(access.dialect)
            host, port = endpoint(asset.address, codec.port)
        except BadInput as error:
            self._strangers[asset.name] = str(error)
            host, port, codec = "", 0, None
        if known is not None and (known.host, known.port, known.codec) == (host, port, codec):
            known.full_mw = _lifted_mw(asset)
            self._miners[asset.name] = known
            return
        if known is not None:
            known.let_go(self._wire)
        if access is None or codec is None:
            return
        self._strangers.pop(asset.name, None)
        self._miners[asset.name] = Miner(asset.name, host, port, codec, access.credentials)
        self._miners[asset.name].full_mw = _lifted_mw(asset)

    def _turned_away(self, command: Command, named: set[str]) -> CommandOutcome | None:
        """Outcome of a command that is not to be sent."""
        miner = self._miners.get(command.asset)
        if miner is None:
            reason = self._strangers.get(command.asset, "this fleet has no such miner: arm it first")
            return outcome_unsent(command, Result.UNREACHABLE, reason)
        if command.asset in named:
            return outcome_unsent(command, Result.REFUSED, "the same call has an earlier command for this asset")
        if self._now_us() >= command.expires_us:
            return outcome_unsent(command, Result.EXPIRED, "its time had passed")
        if command.commanded_us < miner.commanded_us:
            return outcome_unsent(command, Result.EXPIRED, "a later command has been sent to this asset")
        return None

    def _carry_out(self, command: Command) -> Steps[CommandOutcome]:
        miner = self._miners[command.asset]
        miner.commanded_us = command.commanded_us
        if miner.talk is not None:
            self._wire.drop(miner.talk, f"overtaken by {command.id}")
        outcome = yield from carry_out(miner, command, self._device_s)
        if outcome.sent_us is not None:
            self._sent[command.id] = outcome
            if len(self._sent) > self.limits.remembered_max:
                self._sent.popitem(last=False)
        return outcome

    # -- keeping it armed ---------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self.limits.keep_every_s)
            if self._volleys:
                continue  # answers come first
            now_s, now_mono_s = self._device_s(), self._monotonic()
            wanting = [miner for miner in self._miners.values() if self._wants_care(miner, now_s, now_mono_s)]
            await self._make_ready(wanting[: self.limits.keep_most])

    def _wants_care(self, miner: Miner, now_s: int, now_mono_s: float) -> bool:
        if miner.talk is not None or now_mono_s < miner.retry_at_s:
            return False
        is_old = now_s - miner.frame_made_s > self.limits.frame_age_max_s
        return is_old or not miner.is_ready or not miner.has_session(now_s + self.limits.session_margin_s)

    async def _make_ready(self, miners: Sequence[Miner]) -> None:
        await run_all(
            self._wire,
            (self._made_ready(miner) for miner in miners),
            at_once_max=self.limits.at_once_max,
            within_s=self.limits.sweep_s,
        )

    def _made_ready(self, miner: Miner) -> Steps[None]:
        reason, opened = yield from make_ready(miner, self._device_s, self.limits.session_margin_s)
        if opened is not None:
            miner.let_go(self._wire)
            miner.sock = opened.sock
            self._wire.watch(opened.sock, lambda: self._stirred(miner))
        miner.reason = reason
        if not reason:
            miner.failures = 0
            return
        wait_s = min(self.limits.retry_s * 2.0**miner.failures, self.limits.retry_max_s)
        miner.failures += 1
        miner.retry_at_s = self._monotonic() + wait_s

    def _stirred(self, miner: Miner) -> None:
        """An idle connection ended, or spoke unasked: it is of no more use, and opened again later."""
        miner.let_go(self._wire)
        miner.reason = "the idle connection was closed by the peer"
        miner.retry_at_s = self._monotonic() + self.limits.retry_s


def _lifted_mw(asset: Asset) -> float | None:
    """Power that waking lifts a cap to; None for an asset that is on or off."""
    return None if asset.least_mw is None else asset.full_mw


def endpoint(address: str, port: int) -> tuple[str, int]:
    """Host and port of an address ("10.1.3.17", "10.1.3.17:4028", "[fd00::17]:4028").

    Raises
    ------
    BadInput
        If the host is no IP address: a name would have to be looked up while a command waits.
    """
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
    else:
        colon = address.find(":") if address.count(":") == 1 else len(address)
        host, rest = address[:colon], address[colon:]
    own_port = rest.removeprefix(":") if rest else str(port)
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise BadInput("address", f"{address!r} is no IP address", 'Write "10.1.3.17" or "10.1.3.17:4028".') from error
    if not own_port.isdecimal() or not 0 < int(own_port) < 65_536:
        raise BadInput("address", f"{address!r} has no usable port", 'Write "10.1.3.17" or "10.1.3.17:4028".')
    return host, int(own_port)


def outcome_unsent(command: Command, result: Result, reason: str) -> CommandOutcome:
    """Outcome of a command of which nothing was sent."""
    return CommandOutcome(
        command=command.id, asset=command.asset, result=result, commanded_us=command.commanded_us, reason=reason
    )

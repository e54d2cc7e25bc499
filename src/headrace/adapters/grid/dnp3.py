"""A DNP3 outstation: telemetry of a controllable load upwards, base points and commands downwards.

    analog inputs    0 draw, 1 least, 2 most, 3 normal ramp up, 4 down, 5 delivered below baseline   kW, kW a minute
    binary inputs    0 available for dispatch, 1 following its base point
    analog output    0 base point, kW: draw this until the next, on the registered ramps
    binary output    0 latched on: shed everything that may be shed; latched off: restore

A base point holds for its validity; one of the same power that comes again while half of it is left renews nothing.
With a registration it is met on the straight line and the ramps of `control.basepoints`, the emergency curve's while
this link's own shed is in force, and holds for two periods: its end is its own statement and needs no permission.
Commands select before they operate where the declaration says so. The stack runs in threads of its own: what comes
from it is handed to the event loop, and a command is answered with success only when it has been queued there. The
package binds no configuration per point: analog inputs are 32-bit integers, hence kW, and masters poll; there is no
unsolicited reporting.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import opendnp3

from headrace.adapters.grid.book import Ask, GridEvent
from headrace.adapters.grid.inbox import Inbox
from headrace.adapters.grid.programme import Programme
from headrace.adapters.grid.refusals import Refusals, Why
from headrace.control.basepoints import BasePoint, Registration, orders_of
from headrace.control.orders import Order, OrderKind
from headrace.core import BadInput

__all__ = ["ANALOG_POINTS", "BINARY_POINTS", "Dnp3", "Dnp3Settings", "Registered"]

ANALOG_POINTS: Final = ("draw", "least", "most", "ramp_up", "ramp_down", "delivered")
"""Analog inputs by index."""
BINARY_POINTS: Final = ("available", "following")
"""Binary inputs by index."""
ONLINE: Final = 0x01
COMM_LOST: Final = 0x04
KW_PER_MW: Final = 1e3
BASE_POINT: Final = 0
SHED: Final = 0
ANSWER_WAIT_S: Final = 1.0
"""Longest that the stack's thread waits for the event loop, seconds: a master's own timeout is longer."""


class Dnp3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a master reaches the outstation."""

    port: int
    """TCP port."""
    bind: str = "127.0.0.1"
    """Address to listen on."""
    outstation: int = 10
    """Link address of this end."""
    master: int = 1
    """Link address of the other."""
    valid_s: int = 600
    """How long a base point holds, seconds: two periods, so that one late base point frees nothing."""
    must_select: bool = True
    """Refuse commands that were not selected first?"""


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """What the market knows of the load, and with what right its base points come."""

    registration: Registration
    programme: Programme
    """Of its base points: their rank, and the time in which each is to be reached."""


class Dnp3:
    """Door to one master.

    Parameters
    ----------
    settings
        How it is reached.
    programme
        What the site declares of it; DNP3 names no programme.
    shed_mw
        What the binary output asks to shed, MW.
    now_us
        The site's clock, epoch microseconds.
    known
        Orders of this door that are in force already.
    registered
        What the market knows of the load; None where base points are limits and no more.
    """

    def __init__(
        self,
        settings: Dnp3Settings,
        programme: Programme,
        now_us: Callable[[], int],
        *,
        shed_mw: float = 0.0,
        known: Iterable[Order] = (),
        registered: Registered | None = None,
    ) -> None:
        self._settings = settings
        self._programme = programme
        self._shed_mw = shed_mw
        self._registered = registered
        programmes = (programme,) if registered is None else (programme, registered.programme)
        self._inbox = Inbox("dnp3", programmes, now_us, known)
        self._draw_mw = math.nan
        self._is_shedding = any(order.id.startswith("dnp3.shed") for order in known)
        self._manager: Any = None
        self._outstation: Any = None
        self._handler: Any = None
        self._base: tuple[float, int] | None = None

    @property
    def refusals(self) -> Refusals:
        """What was turned away."""
        return self._inbox.refusals

    async def open(self) -> None:
        """Listen; may be called again.

        Raises
        ------
        headrace.core.BadInput
            If the port can't be had.
        """
        if self._manager is not None:
            return
        own, loop = self._settings, asyncio.get_running_loop()
        self._manager = opendnp3.DNP3Manager(1)
        self._handler = _Handler(lambda *command: _on_loop(loop, self._command, command), must_select=own.must_select)
        config = opendnp3.OutstationStackConfig(opendnp3.DatabaseConfig(len(ANALOG_POINTS)))
        config.link.LocalAddr, config.link.RemoteAddr = own.outstation, own.master
        config.outstation.params.allowUnsolicited = False
        try:
            channel = self._manager.AddTCPServer(
                "headrace",
                opendnp3.LogLevels(0),
                opendnp3.ServerAcceptMode.CloseExisting,
                opendnp3.IPEndpoint(own.bind, own.port),
                None,
            )
        except RuntimeError as error:
            self._manager = None
            where = f"DNP3 outstation, {own.bind}:{own.port}"
            raise BadInput(where, f"can't listen: {error}", "Choose a free port") from error
        self._outstation = channel.AddOutstation("headrace", self._handler, opendnp3.IOutstationApplication(), config)
        self._outstation.Enable()

    def telemetry(self, analog_mw: Mapping[str, float], binary: Mapping[str, bool]) -> None:
        """Put values (MW, MW a minute) on the points of these names; one that is not finite is marked as lost."""
        self._draw_mw = analog_mw.get("draw", self._draw_mw)
        self._inbox.look()
        if self._outstation is None:
            return
        builder = opendnp3.UpdateBuilder()
        for name, value_mw in analog_mw.items():
            is_known = math.isfinite(value_mw)
            flags = opendnp3.Flags(ONLINE if is_known else COMM_LOST)
            point = opendnp3.Analog(value_mw * KW_PER_MW if is_known else 0.0, flags)
            builder.Update(point, ANALOG_POINTS.index(name))
        for name, state in binary.items():
            builder.Update(opendnp3.Binary(state), BINARY_POINTS.index(name))
        self._outstation.Apply(builder.Build())

    async def orders(self) -> AsyncIterator[Order]:
        """Orders as they come, until the door is closed."""
        await self.open()
        async for order in self._inbox.orders():
            yield order

    async def report(self, order: str, met_mw: float, at_us: int) -> None:
        """Put what is being delivered on its point."""
        if order.startswith("dnp3."):
            self.telemetry({"delivered": met_mw}, {})

    async def close(self) -> None:
        """Let go of the master, and let whoever waits for orders go."""
        if self._manager is not None:
            manager, self._manager, self._outstation = self._manager, None, None
            await asyncio.to_thread(manager.Shutdown)
        self._inbox.close()

    def _command(self, kind: str, index: int, value: float) -> bool:
        """Take a command in; is it accepted?"""
        now_us = self._inbox.now_us()
        if kind == "analog" and index == BASE_POINT:
            return self._base_point(value / KW_PER_MW, now_us)
        if kind == "binary" and index == SHED:
            asks = (Ask(starts_us=now_us, ends_us=None, kind=OrderKind.SHED, mw=self._shed_mw),)
            self._is_shedding = bool(value)
            return self._take(GridEvent(
                id="shed", modification=now_us, revision=f"m{now_us}", context=self._programme.context,
                asks=asks if value else (), is_cancelled=not value, reason="binary output 0",
            ))  # fmt: skip
        self.refusals.add(now_us, Why.UNSUPPORTED, f"{kind} output {index}", "no such point")
        return False

    def _base_point(self, mw: float, now_us: int) -> bool:
        valid_us = self._settings.valid_s * 1_000_000
        if self._base is not None and self._base[0] == mw and now_us < self._base[1] + valid_us // 2:
            return True  # the same base point again
        if self._registered is not None:
            asks, context = self._on_ramps(self._registered, mw, now_us), self._registered.programme.context
        else:
            asks, context = self._plain(mw, now_us, now_us + valid_us), self._programme.context
        is_taken = self._take(
            GridEvent(
                id="basepoint",
                modification=now_us,
                revision=f"m{now_us}",
                context=context,
                asks=asks,
                reason=f"base point {mw:g} MW",
            )
        )
        if is_taken:
            self._base = (mw, now_us)
        return is_taken

    def _plain(self, mw: float, now_us: int, ends_us: int) -> tuple[Ask, ...]:
        kinds = (OrderKind.LIMIT, OrderKind.RAISE) if self._programme.follows else (OrderKind.LIMIT,)
        return tuple(Ask(starts_us=now_us, ends_us=ends_us, kind=kind, mw=mw) for kind in kinds)

    def _on_ramps(self, registered: "Registered", mw: float, now_us: int) -> tuple[Ask, ...]:
        programme = registered.programme
        if not (math.isfinite(mw) and 0.0 <= mw <= programme.largest_mw):  # as it came, for the refusal to tell
            return (Ask(starts_us=now_us, ends_us=None, kind=OrderKind.LIMIT, mw=mw),)
        point = BasePoint(
            at_us=now_us,
            from_mw=self._draw_mw if math.isfinite(self._draw_mw) else mw,
            to_mw=mw,
            within_s=programme.within_s,
            is_emergency=self._is_shedding,
        )
        orders = orders_of(
            point,
            registered.registration,
            id="basepoint",
            authority=programme.authority,
            received_us=now_us,
            issued_by=programme.name,
        )
        return tuple(
            Ask(starts_us=each.starts_us, ends_us=each.ends_us, kind=each.kind, mw=each.mw, within_s=each.within_s)
            for each in orders
        )

    def _take(self, event: GridEvent) -> bool:
        return self._inbox.take(event).why is None


def _on_loop(loop: asyncio.AbstractEventLoop, act: Callable[..., bool], command: tuple[Any, ...]) -> bool:
    """Run a command on the event loop and wait for its answer, from the stack's thread."""

    async def run() -> bool:
        return act(*command)

    try:
        return asyncio.run_coroutine_threadsafe(run(), loop).result(ANSWER_WAIT_S)
    except (TimeoutError, RuntimeError):
        return False


class _Handler(opendnp3.ICommandHandler):  # type: ignore[misc]  # the package has no types
    """Answers the stack's commands.

    Parameters
    ----------
    accept
        Takes a command in: kind, index, value (1 and 0 for on and off).
    must_select
        Refuse commands that were not selected first?
    """

    def __init__(self, accept: Callable[[str, int, float], bool], *, must_select: bool) -> None:
        super().__init__()
        self._accept = accept
        self._must_select = must_select

    def Begin(self) -> None:
        """Begin a request."""

    def End(self) -> None:
        """End it."""

    def Select(self, command: Any, index: int) -> Any:  # noqa: ANN401
        """Would this command be carried out?"""
        read = _read(command)
        if read is None or not math.isfinite(read[1]):
            return opendnp3.CommandStatus.FORMAT_ERROR
        known = {"analog": BASE_POINT, "binary": SHED}
        is_known = index == known[read[0]]
        return opendnp3.CommandStatus.SUCCESS if is_known else opendnp3.CommandStatus.NOT_SUPPORTED

    def Operate(self, command: Any, index: int, updates: Any, how: Any) -> Any:  # noqa: ANN401
        """Carry a command out."""
        if self._must_select and how != opendnp3.OperateType.SelectBeforeOperate:
            return opendnp3.CommandStatus.NO_SELECT
        read = _read(command)
        if read is None or not math.isfinite(read[1]):
            return opendnp3.CommandStatus.FORMAT_ERROR
        kind, value = read
        is_taken = self._accept(kind, index, value)
        return opendnp3.CommandStatus.SUCCESS if is_taken else opendnp3.CommandStatus.OUT_OF_RANGE


def _read(command: Any) -> tuple[str, float] | None:  # noqa: ANN401
    """Kind and value of a command; None for one that means nothing here."""
    if isinstance(command, opendnp3.ControlRelayOutputBlock):
        latch = opendnp3.OperationType
        return {latch.LATCH_ON: ("binary", 1.0), latch.LATCH_OFF: ("binary", 0.0)}.get(command.opType)
    return "analog", float(command.value)

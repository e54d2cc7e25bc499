"""A DNP3 master on loopback: sends base points and commands, reads telemetry."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import opendnp3

__all__ = ["Dnp3Master"]

ANSWER_WAIT_S: Final = 5.0
"""Longest wait for an outstation, seconds."""


class Dnp3Master:
    """A master of one outstation.

    Parameters
    ----------
    port
        The outstation's TCP port on loopback.
    outstation, master
        Link addresses.
    """

    def __init__(self, port: int, *, outstation: int = 10, master: int = 1) -> None:
        self._manager = opendnp3.DNP3Manager(1)
        channel = self._manager.AddTCPClient(
            "master",
            opendnp3.LogLevels(0),
            opendnp3.ChannelRetry(opendnp3.TimeDuration.Milliseconds(50), opendnp3.TimeDuration.Seconds(1)),
            [opendnp3.IPEndpoint("127.0.0.1", port)],
            "127.0.0.1",
            None,
        )
        config = opendnp3.MasterStackConfig()
        config.link.LocalAddr, config.link.RemoteAddr = master, outstation
        self._events = _Points()
        self._application = _Application()
        self._master = channel.AddMaster("master", self._events, self._application, config)
        self._master.Enable()

    @property
    def analog(self) -> dict[int, float]:
        """Analog inputs as last read, kW and kW a minute, by index."""
        return self._events.analog

    @property
    def binary(self) -> dict[int, bool]:
        """Binary inputs as last read, by index."""
        return self._events.binary

    def scan(self) -> None:
        """Ask for everything; values arrive in `analog` and `binary`."""
        self._master.ScanClasses(opendnp3.ClassField.AllClasses(), self._events)

    async def base_point(self, mw: float, *, index: int = 0, selects: bool = True) -> str:
        """Send a base point; the outstation's answer ("SUCCESS", "OUT_OF_RANGE" ...)."""
        return await self._send(opendnp3.AnalogOutputDouble64(mw * 1e3), index, selects)

    async def latch(self, *, is_on: bool, index: int = 0, selects: bool = True) -> str:
        """Latch a binary output; the outstation's answer."""
        latch = opendnp3.OperationType.LATCH_ON if is_on else opendnp3.OperationType.LATCH_OFF
        return await self._send(opendnp3.ControlRelayOutputBlock(latch), index, selects)

    async def stop(self) -> None:
        """Let go."""
        await asyncio.to_thread(self._manager.Shutdown)

    async def _send(self, command: Any, index: int, selects: bool) -> str:  # noqa: ANN401
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[str] = loop.create_future()

        def answer(result: Any) -> None:  # noqa: ANN401
            points = [str(point.status).rsplit(".", 1)[-1] for point in result.to_list()]
            words = points[0] if points else str(result.summary).rsplit(".", 1)[-1]
            loop.call_soon_threadsafe(_settle, answered, words)

        send = self._master.SelectAndOperate if selects else self._master.DirectOperate
        send(command, index, answer)
        return await asyncio.wait_for(answered, ANSWER_WAIT_S)


def _settle(answered: "asyncio.Future[str]", words: str) -> None:
    if not answered.done():
        answered.set_result(words)


class _Points(opendnp3.ISOEHandler):  # type: ignore[misc]  # the package has no types
    def __init__(self) -> None:
        super().__init__()
        self.analog: dict[int, float] = {}
        self.binary: dict[int, bool] = {}

    def BeginFragment(self, info: object) -> None:
        """Begin a reply."""

    def EndFragment(self, info: object) -> None:
        """End it."""

    def OnRawAPDU(self, *raw: object) -> None:
        """Look at bytes."""

    def Process(self, info: object, values: Iterable[object]) -> None:
        """Take values of one kind."""
        for each in values:
            if isinstance(each, opendnp3.IndexedAnalog):
                self.analog[each.index] = each.value.value
            elif isinstance(each, opendnp3.IndexedBinary):
                self.binary[each.index] = each.value.value


class _Application(opendnp3.IMasterApplication):  # type: ignore[misc]  # likewise
    def __init__(self) -> None:
        super().__init__()

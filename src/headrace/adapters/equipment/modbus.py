"""One Modbus TCP connection, made when it is needed: answers or reasons, never exceptions.

A request is sent once; its time runs from when it has left. After a silence the connection is dropped, so that a late
answer can't be taken for that to the next request. Requests of one connection go one after the other, as devices want.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import msgspec

from headrace.control.commands import Result

__all__ = ["Failure", "ModbusLink", "ModbusLinks"]

READ_MAX: Final = 125
"""Most registers of one request, by the standard."""

EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledge: still at it",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway: path unavailable",
    11: "gateway: target does not respond",
}
"""Exception codes of the standard."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer to use."""

    result: Result
    """Unreachable, mute, refused or garbled."""
    reason: str
    """In words."""


class ModbusLink:
    """A connection to one address, shared by the units behind it.

    Parameters
    ----------
    host, port
        Where the device listens.
    timeout_s
        Longest wait for a connection, and for an answer, seconds.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._client: Any = None
        self._opening = asyncio.Lock()

    async def read(
        self, table: Literal["holding", "input"], address: int, count: int, *, unit: int
    ) -> list[int] | Failure:
        """Registers, in blocks of at most what one request may ask for."""
        words: list[int] = []
        while len(words) < count:
            size = min(READ_MAX, count - len(words))
            at = address + len(words)
            name = "read_holding_registers" if table == "holding" else "read_input_registers"
            answer = await self._ask(name, at, count=size, device_id=unit)
            if isinstance(answer, Failure):
                return answer
            if len(answer.registers) != size:
                found = f"{len(answer.registers)} registers for {size}"
                return Failure(result=Result.GARBLED, reason=found)
            words += answer.registers
        return words

    async def write(self, address: int, words: list[int], *, unit: int) -> Failure | None:
        """Write holding registers in one request."""
        answer = await self._ask("write_registers", address, words, device_id=unit)
        return answer if isinstance(answer, Failure) else None

    async def input(self, address: int, *, unit: int) -> bool | Failure:
        """One discrete input."""
        answer = await self._ask("read_discrete_inputs", address, count=1, device_id=unit)
        if isinstance(answer, Failure):
            return answer
        return bool(answer.bits[0]) if answer.bits else Failure(result=Result.GARBLED, reason="no bit")

    async def set_coil(self, address: int, *, on: bool, unit: int) -> Failure | None:
        """Write one coil."""
        answer = await self._ask("write_coil", address, on, device_id=unit)
        return answer if isinstance(answer, Failure) else None

    async def open(self) -> bool:
        """Connect if there is no connection; says whether there is one now."""
        async with self._opening:
            if self._client is not None and self._client.connected:
                return True
            self._drop()
            from pymodbus.client import AsyncModbusTcpClient  # noqa: PLC0415  an extra

            logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # a failure is in what we return

            client = AsyncModbusTcpClient(
                self._host, port=self._port, timeout=self._timeout_s, retries=0, reconnect_delay=0
            )
            _contain(client.ctx)
            try:
                is_open = await asyncio.wait_for(client.connect(), self._timeout_s)
            except (TimeoutError, OSError):
                is_open = False
            if not is_open:
                client.close()
                return False
            self._client = client
            return True

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()

    async def _ask(self, name: str, *values: Any, **options: Any) -> Any:  # noqa: ANN401  pymodbus's own
        from pymodbus.exceptions import ConnectionException, ModbusException  # noqa: PLC0415  an extra

        if not await self.open():
            return Failure(result=Result.UNREACHABLE, reason="no connection")
        request: Callable[..., Awaitable[Any]] = getattr(self._client, name)
        try:
            answer = await request(*values, **options)
        except ConnectionException:
            self._drop()
            return Failure(result=Result.UNREACHABLE, reason="no connection")
        except ModbusException as error:
            self._drop()
            is_silence = "No response" in error.string
            reason = f"no answer within {self._timeout_s:g} s" if is_silence else _short(error.string)
            return Failure(result=Result.MUTE if is_silence else Result.GARBLED, reason=reason)
        except (ValueError, IndexError, OSError) as error:  # an answer that the library could not take apart
            self._drop()
            return Failure(result=Result.GARBLED, reason=_short(str(error)))
        if answer.isError():
            code = getattr(answer, "exception_code", 0)
            reason = EXCEPTIONS.get(code, f"exception {code}")
            return Failure(result=Result.REFUSED, reason=reason)
        return answer

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


class ModbusLinks:
    """Connections by address: several units and drivers share one."""

    def __init__(self) -> None:
        self._links: dict[tuple[str, int], ModbusLink] = {}

    def at(self, host: str, port: int, *, timeout_s: float) -> ModbusLink:
        """The connection to an address; its first user sets the wait."""
        return self._links.setdefault((host, port), ModbusLink(host, port, timeout_s=timeout_s))

    def close(self) -> None:
        """Let go of all of them."""
        for link in self._links.values():
            link.close()


def _contain(context: Any) -> None:  # noqa: ANN401  pymodbus's own
    """Have the request fail with what an answer can't be read for: raised in the event loop it is a page of its log."""
    from pymodbus.exceptions import ModbusIOException  # noqa: PLC0415  an extra

    take: Callable[..., int] = context.callback_data

    def taken(data: bytes, addr: Any = None) -> int:  # noqa: ANN401
        try:
            return take(data, addr=addr)
        except Exception as error:  # noqa: BLE001  a stranger's bytes meet decoders that are not ours
            answer = context.response_future
            if not answer.done():
                answer.set_exception(ModbusIOException(str(error)))
                answer.exception()  # seen, should nobody wait for it
            return len(data)

    context.callback_data = taken


def _short(text: str) -> str:
    return " ".join(text.split())[:120]

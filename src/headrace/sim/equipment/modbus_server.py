"""A Modbus TCP server for simulated devices, written from the standard: frames in, answers, delays and silences out.

frame = transaction (2) | protocol 0 (2) | length (2) | unit (1) | function (1) | data
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Final, Protocol, cast

import msgspec

__all__ = ["Manners", "ModbusServer", "ModbusUnit"]

FRAME_MAX: Final = 260
"""Longest frame of the standard, bytes."""
HEAD: Final = 7

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
DEVICE_FAILURE: Final = 4
NO_TARGET: Final = 11

READ_BITS: Final = {1: "coil", 2: "input"}
READ_REGISTERS: Final = {3: "holding", 4: "input"}
WRITES: Final = frozenset({5, 6, 16})


class ModbusUnit(Protocol):
    """One device behind a server; None or False where it has no such address."""

    def registers(self, table: str, address: int, count: int) -> list[int] | None:
        """Registers of the table "holding" or "input"."""
        ...

    def set_registers(self, address: int, words: list[int]) -> bool:
        """Write holding registers."""
        ...

    def bits(self, table: str, address: int, count: int) -> list[bool] | None:
        """Bits of the table "coil" or "input"."""
        ...

    def set_coil(self, address: int, *, on: bool) -> bool:
        """Write one coil."""
        ...


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """How a device answers now."""

    is_mute: bool = False
    """Does it swallow requests? It acts on them all the same unless it is deaf."""
    is_deaf: bool = False
    """Does it not even act?"""
    refuses: bool = False
    """Does it answer every write with a failure?"""
    is_garbled: bool = False
    """Are its answers cut to pieces?"""
    drops: bool = False
    """Does it end the connection instead?"""
    delay_s: float = 0.0
    """How long it takes, seconds."""


class ModbusServer:
    """Devices behind one address.

    Parameters
    ----------
    units
        Devices by unit id.
    manners
        How they answer at the moment.
    """

    def __init__(self, units: dict[int, ModbusUnit], manners: Callable[[], Manners]) -> None:
        self.units = units
        self.manners = manners
        self._server: asyncio.AbstractServer | None = None
        self._links: set[_Link] = set()

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin to listen; port 0 takes a free one. Returns the address as it is."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Link(self, self._links), host, port)
        name = self._server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for link in tuple(self._links):
            link.end()
        await asyncio.sleep(0)

    def answer(self, unit: int, pdu: bytes, manners: Manners) -> bytes:
        """What a device answers to one request, without the header."""
        device = self.units.get(unit)
        function = pdu[0]
        if device is None:
            return bytes((function | 0x80, NO_TARGET))
        if manners.refuses and function in WRITES:
            return bytes((function | 0x80, DEVICE_FAILURE))
        try:
            answer = _act(device, function, pdu[1:])
        except struct.error:
            answer = ILLEGAL_VALUE
        return bytes((function | 0x80, answer)) if isinstance(answer, int) else bytes((function,)) + answer


class _Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: ModbusServer, links: "set[_Link]") -> None:
        self._server = server
        self._links = links
        self._gathered = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._links.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._links.discard(self)

    def end(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._gathered += data
        while len(self._gathered) >= HEAD:
            transaction, protocol, length = struct.unpack(">HHH", self._gathered[:6])
            if protocol != 0 or not 2 <= length <= FRAME_MAX - 6:
                self.end()
                return
            if len(self._gathered) < 6 + length:
                return
            frame, self._gathered = self._gathered[: 6 + length], self._gathered[6 + length :]
            self._serve(transaction, frame[6], frame[7:])

    def _serve(self, transaction: int, unit: int, pdu: bytes) -> None:
        manners = self._server.manners()
        if manners.drops:
            self.end()
            return
        if manners.is_deaf:
            return
        answer = self._server.answer(unit, pdu, manners)
        if manners.is_mute:
            return
        frame = struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer
        if manners.is_garbled:
            frame = frame[:6] + b"\xff\x00\x13"
        if manners.delay_s > 0.0:
            asyncio.get_running_loop().call_later(manners.delay_s, self._write, frame)
        else:
            self._write(frame)

    def _write(self, frame: bytes) -> None:
        if self._transport is not None:
            self._transport.write(frame)


def _act(device: ModbusUnit, function: int, data: bytes) -> bytes | int:
    """Data of the answer, or an exception code."""
    address, number = struct.unpack(">HH", data[:4])
    if function in READ_BITS:
        bits = device.bits(READ_BITS[function], address, number)
        return ILLEGAL_ADDRESS if bits is None else _packed(bits)
    if function in READ_REGISTERS:
        if not 1 <= number <= 125:
            return ILLEGAL_VALUE
        words = device.registers(READ_REGISTERS[function], address, number)
        return ILLEGAL_ADDRESS if words is None else bytes((2 * number,)) + struct.pack(f">{number}H", *words)
    if function not in WRITES:
        return ILLEGAL_FUNCTION
    if function == 5:
        done = number in {0, 0xFF00} and device.set_coil(address, on=number == 0xFF00)
    else:
        words = [number] if function == 6 else list(struct.unpack(f">{number}H", data[5 : 5 + 2 * number]))
        done = device.set_registers(address, words)
    return data[:4] if done else ILLEGAL_ADDRESS


def _packed(bits: list[bool]) -> bytes:
    """Bits as the standard packs them: the first in the lowest."""
    size = -(-len(bits) // 8)
    value = sum(1 << i for i, bit in enumerate(bits) if bit)
    return bytes((size,)) + value.to_bytes(size, "little")

"""The driver pack's own process: does to miners what lines of JSON on its input ask, one answer a line.

It holds `pyasic-rs`, which may end its interpreter without warning: that is why it lives apart. What that library says
is not taken at its word: after a pause or a resume the miner is asked whether it mines, and if it says otherwise, the
answer says so.
"""

import asyncio
import os
import sys
from typing import Any, Final

import msgspec

__all__ = ["PackAnswer", "PackRequest"]

AT_ONCE_MAX: Final = 64
"""Requests worked on at the same time."""
LINE_MAX_BYTES: Final = 65_536
ASKED_AGAIN: Final = 6
"""Times a miner is asked whether it obeyed."""
ASKED_EVERY_S: Final = 0.5
REASON_MAX_CHARS: Final = 160


class PackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do."""

    number: int
    """Number that its answer carries."""
    do: str
    """"read", "stop", "run" or "cap"."""
    host: str
    """Address of the miner, without a port: the library knows its firmware's."""
    user: str = ""
    """Account; empty for the firmware's usual one."""
    password: str = ""
    """Its password."""
    power_w: int | None = None
    """For a cap: W."""

    def __repr__(self) -> str:
        return f"PackRequest({self.number}, {self.do}, {self.host})"


class PackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    number: int
    """Number of the request."""
    is_done: bool = False
    """Was it done, as far as the library says?"""
    reason: str = ""
    """Why it was not, or what contradicts that it was."""
    model: str = ""
    """Hardware."""
    firmware: str = ""
    """Firmware and version."""
    is_mining: bool | None = None
    """Does it say that it mines?"""
    hashrate_ths: float | None = None
    """Hash rate, TH/s."""
    power_w: int | None = None
    """Power it claims to draw, W."""
    temp_c: float | None = None
    """Average temperature it reports, °C."""


class _Pack:
    """Miners known so far and the requests at work."""

    def __init__(self) -> None:
        from pyasic_rs.asic_rs import HashRateUnit, MinerFactory  # noqa: PLC0415  # an extra, in this process alone

        self._terahash = HashRateUnit.TeraHash
        self._factory = MinerFactory()
        self._miners: dict[str, Any] = {}
        self._room = asyncio.Semaphore(AT_ONCE_MAX)

    async def answer(self, request: PackRequest) -> PackAnswer:
        """Do one request; whatever the library raises becomes a reason."""
        async with self._room:
            try:
                miner = await self._miner(request)
                if miner is None:
                    return PackAnswer(number=request.number, reason="nothing that the library knows answers there")
                if request.do == "read":
                    return await self._read(request, miner)
                return await self._command(request, miner)
            except Exception as error:  # noqa: BLE001  # a foreign library's errors have no common root
                return PackAnswer(number=request.number, reason=f"{type(error).__name__}: {error}"[:REASON_MAX_CHARS])

    async def _miner(self, request: PackRequest) -> Any:  # noqa: ANN401  # the library's own class
        miner = self._miners.get(request.host)
        if miner is None:
            miner = await self._factory.get_miner(request.host)
            if miner is None:
                return None
            self._miners[request.host] = miner
        if request.password:
            miner.set_auth(request.user, request.password)
        return miner

    async def _command(self, request: PackRequest, miner: Any) -> PackAnswer:  # noqa: ANN401
        number = request.number
        if request.do == "cap":
            said = await miner.set_power_limit(float(request.power_w or 0))
            return PackAnswer(number=number, is_done=said, reason="" if said else "it would not, without a reason")
        should_mine = request.do == "run"
        said = await (miner.resume() if should_mine else miner.pause())
        if not said:
            return PackAnswer(number=number, reason="it would not, without a reason")
        for _ in range(ASKED_AGAIN):
            if await miner.get_is_mining() is should_mine:
                return PackAnswer(number=number, is_done=True, is_mining=should_mine)
            await asyncio.sleep(ASKED_EVERY_S)
        contrary = "still mines" if not should_mine else "does not mine"
        return PackAnswer(
            number=number,
            is_done=True,
            is_mining=not should_mine,
            reason=f"acknowledged, but it says that it {contrary}",
        )

    async def _read(self, request: PackRequest, miner: Any) -> PackAnswer:  # noqa: ANN401
        data = await miner.get_data()
        rate = data.hashrate
        return PackAnswer(
            number=request.number,
            is_done=True,
            model=f"{miner.make} {miner.model}",
            firmware=f"{miner.firmware} {data.firmware_version or ''}".strip(),
            is_mining=data.is_mining,
            hashrate_ths=None if rate is None else float(rate.as_unit(self._terahash)),
            power_w=None if data.wattage is None else round(data.wattage),
            temp_c=data.average_temperature,
        )


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_MAX_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    pack = _Pack()
    at_work: set[asyncio.Task[None]] = set()

    async def work(request: PackRequest) -> None:
        answer = await pack.answer(request)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()

    while line := await reader.readline():
        task = loop.create_task(work(msgspec.json.decode(line, type=PackRequest)))
        at_work.add(task)
        task.add_done_callback(at_work.discard)


if __name__ == "__main__":
    asyncio.run(_serve())
    sys.stdout.flush()
    os._exit(0)  # the library may abort its interpreter on a usual exit

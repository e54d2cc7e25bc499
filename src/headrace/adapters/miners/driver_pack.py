"""Miners whose firmware has no codec here, through `pyasic-rs` in a process of its own.

Slower than a codec and taken less at its word: a command costs an identification and several requests, and the library
does not say when bytes left, so `sent_us` is when the request was handed to it. Nothing armed ahead, no emergency:
what must be gone within a second hangs on a codec or a contactor. If the process ends, that is the reason its commands
carry, and the next ones get a new process.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from headrace.adapters.miners.codec import Credentials
from headrace.adapters.miners.driver_pack_process import LINE_MAX_BYTES, PackAnswer, PackRequest
from headrace.control.assets import Asset
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.readings import AssetReading

__all__ = ["DriverPack", "PackFailed"]

DOES: Final = {Action.STOP: "stop", Action.RUN: "run", Action.CAP: "cap"}
STOPS_WITHIN_S: Final = 2.0
PROCESS: Final = "headrace.adapters.miners.driver_pack_process"


class PackFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The pack gave no answer."""

    result: Result
    """What that makes of the command."""
    reason: str
    """Why."""
    was_sent: bool = False
    """Had the request been handed over?"""


class DriverPack:
    """Driver of miners without a codec.

    Parameters
    ----------
    credentials
        By asset name; a miner that is not named is tried with its firmware's usual ones.
    now_us
        The site's time, epoch microseconds.
    within_s
        Longest that a command or a reading may take, seconds; stock firmware is known to need more than 20.
    name
        As assets name it.
    arguments
        What runs the process.
    """

    def __init__(
        self,
        credentials: Mapping[str, Credentials],
        *,
        now_us: Callable[[], int],
        within_s: float = 35.0,
        name: str = "driver-pack",
        arguments: Sequence[str] = (sys.executable, "-m", PROCESS),
    ) -> None:
        self.name = name
        self._credentials = credentials
        self._now_us = now_us
        self._within_s = within_s
        self._arguments = tuple(arguments)
        self._assets: dict[str, Asset] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[PackAnswer]] = {}
        self._count = 0
        self._starting = asyncio.Lock()

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Start the process and learn the assets; their sessions are the library's business."""
        self._assets |= {asset.name: asset for asset in assets}
        await self._started()

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out commands."""
        return tuple(await asyncio.gather(*(self._send(command) for command in commands)))

    async def read(self) -> tuple[AssetReading, ...]:
        """What every asset says of itself."""
        return tuple(await asyncio.gather(*(self._read(asset) for asset in self._assets.values())))

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), STOPS_WITHIN_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._listener is not None:
            await self._listener

    async def _send(self, command: Command) -> CommandOutcome:
        outcome = CommandOutcome(
            command=command.id, asset=command.asset, result=Result.REFUSED, commanded_us=command.commanded_us
        )
        asset = self._assets.get(command.asset)
        do = DOES.get(command.action)
        if asset is None or do is None:
            why = "not an asset of this driver" if asset is None else f"no miner's command: {command.action}"
            return msgspec.structs.replace(outcome, reason=why)
        if self._now_us() >= command.expires_us:
            return msgspec.structs.replace(outcome, result=Result.EXPIRED, reason="its time had passed")
        power_w = None if command.power_mw is None else round(command.power_mw * 1e6)
        sent_us = self._now_us()
        answer = await self._ask(asset, do, power_w)
        if isinstance(answer, PackFailed):
            left_us = sent_us if answer.was_sent else None
            return msgspec.structs.replace(outcome, result=answer.result, reason=answer.reason, sent_us=left_us)
        return msgspec.structs.replace(
            outcome,
            result=Result.ACKNOWLEDGED if answer.is_done else Result.REFUSED,
            sent_us=sent_us,
            acknowledged_us=self._now_us() if answer.is_done else None,
            reason=answer.reason,
        )

    async def _read(self, asset: Asset) -> AssetReading:
        answer = await self._ask(asset, "read", None)
        at_us = self._now_us()
        if isinstance(answer, PackFailed) or not answer.is_done:
            return AssetReading(asset=asset.name, at_us=at_us, is_running=None, reason=answer.reason)
        return AssetReading(
            asset=asset.name, at_us=at_us, is_running=answer.is_mining, power_w=answer.power_w, temp_c=answer.temp_c
        )

    async def _ask(self, asset: Asset, do: str, power_w: int | None) -> PackAnswer | PackFailed:
        """Ask the process for one thing and wait for its answer, no longer than allowed."""
        process = await self._started()
        if isinstance(process, PackFailed):
            return process
        known = self._credentials.get(asset.name, Credentials())
        self._count += 1
        request = PackRequest(
            number=self._count,
            do=do,
            host=asset.address.rpartition(":")[0] or asset.address,
            user=known.user,
            password=known.password,
            power_w=power_w,
        )
        waiting: asyncio.Future[PackAnswer] = asyncio.get_running_loop().create_future()
        at_work = self._waiting  # of this process: a later one has its own
        at_work[request.number] = waiting
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(request) + b"\n")
            return await asyncio.wait_for(waiting, self._within_s)
        except TimeoutError:
            return PackFailed(result=Result.MUTE, reason=f"no answer within {self._within_s:g} s", was_sent=True)
        except ConnectionError as error:
            return PackFailed(result=Result.UNREACHABLE, reason=f"driver pack: {error}", was_sent=True)
        finally:
            at_work.pop(request.number, None)

    async def _started(self) -> asyncio.subprocess.Process | PackFailed:
        """Process that listens; started if there is none."""
        async with self._starting:
            process = self._process
            if process is not None and process.returncode is None:
                return process
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._arguments,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                    limit=LINE_MAX_BYTES,
                )
            except OSError as error:
                return PackFailed(result=Result.UNREACHABLE, reason=f"driver pack does not start: {error}")
            self._process = process
            self._waiting = {}
            self._listener = asyncio.get_running_loop().create_task(_listen(process, self._waiting))
            return process


async def _listen(process: asyncio.subprocess.Process, at_work: dict[int, asyncio.Future[PackAnswer]]) -> None:
    """Hand answers to whoever waits until the process ends, then tell the rest that it did."""
    assert process.stdout is not None
    while True:
        try:
            line = await process.stdout.readline()
            answer = msgspec.json.decode(line, type=PackAnswer) if line else None
        except ValueError:  # a line too long or no answer: the process can't be followed any more
            process.kill()
            answer = None
        if answer is None:
            break
        waiting = at_work.get(answer.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
    code = await process.wait()
    for waiting in at_work.values():
        if not waiting.done():
            waiting.set_exception(ConnectionError(f"its process ended with code {code}"))

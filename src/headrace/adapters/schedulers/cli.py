"""Runs one command, bounded in time and in what it prints; a failure is a reason, never an exception."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec

__all__ = ["Failed", "Ran", "run_command"]

OUTPUT_MAX_BYTES: Final = 32_000_000
WORDS_CHARS: Final = 300
CHUNK_BYTES: Final = 65_536


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A command that ended by itself."""

    code: int
    """What it returned; 0 for success."""
    out: str
    """Its standard output."""
    err: str
    """Its standard error."""

    @property
    def words(self) -> str:
        """What it said was wrong, shortened."""
        return " ".join(self.err.split())[:WORDS_CHARS] or f"exit code {self.code}"


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A command that could not be run, or was ended here."""

    reason: str
    """Why."""
    is_sent: bool
    """Had it begun, so that it may have done what was asked?"""


class _TooLong(Exception):
    """More output than is read."""


async def run_command(argv: Sequence[str], *, env: Mapping[str, str], timeout_s: float) -> Ran | Failed:
    """Run a command without a shell.

    Parameters
    ----------
    argv
        Program and arguments.
    env
        Its whole environment.
    timeout_s
        Longest it may take, seconds; then it is killed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        return Failed(reason=f"{argv[0]}: {error}", is_sent=False)
    try:
        async with asyncio.timeout(timeout_s):
            out, err, code = await asyncio.gather(_all(process.stdout), _all(process.stderr), process.wait())
    except TimeoutError:
        return Failed(reason=f"{argv[0]}: no end within {timeout_s:g} s", is_sent=True)
    except _TooLong:
        return Failed(reason=f"{argv[0]}: more than {OUTPUT_MAX_BYTES:,} bytes of output", is_sent=True)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return Ran(code=code, out=out, err=err)


async def _all(stream: asyncio.StreamReader | None) -> str:
    held = bytearray()
    while stream is not None and (data := await stream.read(CHUNK_BYTES)):
        held += data
        if len(held) > OUTPUT_MAX_BYTES:
            raise _TooLong
    return held.decode("utf-8", "replace")

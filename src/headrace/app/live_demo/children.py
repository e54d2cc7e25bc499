"""Processes of the demo: begun with this interpreter, watched, and always ended, by their own ids."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from headrace.core import ExitCode, HeadraceError

__all__ = ["Child", "DemoFailed"]

END_MAX_S: Final = 15.0
"""Longest wait for a process that was asked to end, seconds."""
WORDS_CHARS: Final = 600


class DemoFailed(HeadraceError):
    """Something of the demo did not happen in time."""

    exit_code = ExitCode.STALE


class Child:
    """One `headrace` process.

    Parameters
    ----------
    name
        What it is, for messages.
    arguments
        Its command line after `headrace`.
    errors
        File that takes its standard error.
    """

    def __init__(self, name: str, arguments: list[str], errors: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._errors = errors
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        """Begin it, in a session of its own: ^C reaches it through the demo alone."""
        code = "from headrace.app.cli import main; main()"
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                code,
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                limit=1_000_000,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    async def line(self, within_s: float) -> bytes:
        """The first line that it prints.

        Raises
        ------
        DemoFailed
            If it ends or says nothing before.
        """
        if self._process is None or self._process.stdout is None:
            raise DemoFailed(f"{self.name} has not begun")
        try:
            async with asyncio.timeout(within_s):
                line = await self._process.stdout.readline()
        except TimeoutError as error:
            raise DemoFailed(f"{self.name} was not ready within {within_s:g} s. {self.words()}") from error
        if not line:
            raise DemoFailed(f"{self.name} ended before it was ready. {self.words()}")
        return line

    def check(self) -> None:
        """See that it runs.

        Raises
        ------
        DemoFailed
            If it has ended.
        """
        if self._process is not None and self._process.returncode is not None:
            raise DemoFailed(f"{self.name} ended with code {self._process.returncode}. {self.words()}")

    def words(self) -> str:
        """The end of what it wrote to standard error."""
        with suppress(OSError):
            return self._errors.read_text(encoding="utf-8", errors="replace")[-WORDS_CHARS:].strip()
        return ""

    async def end(self) -> int | None:
        """Ask it to end, and end it if it does not; its exit code."""
        process = self._process
        if process is None:
            return None
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.send_signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(END_MAX_S):
                    await process.communicate()
                break
        return process.returncode

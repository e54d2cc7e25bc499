"""A simulated fleet in a process of its own, so that what drives it has its own processor time."""

import socket
import subprocess
import sys
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from headrace.sim.miners.serve import FleetSpec, Ready, Records

__all__ = ["FleetProcess"]

READY_WITHIN_S = 60.0

AnswerT = TypeVar("AnswerT")


class FleetProcess:
    """Starts a fleet and reads its records.

    Parameters
    ----------
    spec
        The fleet.
    python
        Interpreter that serves it.
    """

    def __init__(self, spec: FleetSpec, *, python: str = sys.executable) -> None:
        self.spec = spec
        self._process = subprocess.Popen(
            [python, "-m", "headrace.sim.miners", msgspec.json.encode(spec).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError(f"the simulated fleet did not start (exit code {self._process.wait(READY_WITHIN_S)})")
        ready = msgspec.json.decode(line, type=Ready)
        self.addresses = ready.addresses
        """Where each machine listens."""
        self._channel = socket.create_connection(("127.0.0.1", ready.control_port), timeout=READY_WITHIN_S)
        self._answers = self._channel.makefile("rb")

    def records(self) -> Records:
        """What it noted so far."""
        return self._ask("records", Records)

    def power_w(self) -> float:
        """Power of all of it now, W."""
        return float(self._ask("power", dict[str, float])["power_w"])

    def reset(self) -> None:
        """Forget receipts and wake everybody."""
        self._ask("reset", dict[str, str])

    def expire(self) -> None:
        """End every session."""
        self._ask("expire", dict[str, str])

    def close(self) -> None:
        """End it."""
        self._answers.close()
        self._channel.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, word: str, answer: type[AnswerT]) -> AnswerT:
        self._channel.sendall(word.encode() + b"\n")
        return msgspec.json.decode(self._answers.readline(), type=answer)

"""The kernel's table of processes, read from /proc: who is there, who descends from whom, and who belongs to a job.

A process belongs to a job if its environment says so as the scheduler started it, or if an ancestor does. Slurm writes
SLURM_JOB_ID, SLURM_JOB_PARTITION and SLURMD_NODENAME there. Its own `slurmstepd`, which must go on, does not have them.
"""

import asyncio
import os
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["JobMark", "Process", "ProcessTable", "Snapshot", "Sweep"]

STOPPED: Final = frozenset("Tt")
"""States in which a process stands: stopped by a signal, or by a debugger."""
GONE: Final = frozenset("ZXx")
"""States of what is no process any more but a line in the table: a zombie, the dead."""
ENVIRONMENT_MAX_BYTES: Final = 1_000_000
JOB, PARTITION, NODE = b"SLURM_JOB_ID=", b"SLURM_JOB_PARTITION=", b"SLURMD_NODENAME="
LINGER_S: Final = 0.003
"""Wait for others who ask too: reading the table takes longer than stopping what is in it."""
OWN_DAEMON: Final = "slurmstepd"


class JobMark(msgspec.Struct, frozen=True):
    """What the environment of a process says."""

    job: str
    """The scheduler's job id."""
    partition: str
    """Partition that it was submitted to."""
    node: str
    """Node that it runs on."""


class Process(msgspec.Struct, frozen=True, gc=False):
    """One line of the table."""

    pid: int
    """Process id; another process may have it later, but not with the same start."""
    parent: int
    """Process id of the parent."""
    start: int
    """When it started, kernel ticks since boot."""
    state: str
    """Letter of the kernel."""
    name: str
    """Name of the program, at most 15 characters."""

    @property
    def is_stopped(self) -> bool:
        """It stands where it was."""
        return self.state in STOPPED

    @property
    def is_gone(self) -> bool:
        """It has ended, and only its parent does not know yet."""
        return self.state in GONE


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The table at one instant; no zombies."""

    processes: dict[int, Process]
    """Every process, by its id."""
    marks: dict[str, dict[int, JobMark]]
    """Marks of those that a scheduler's job started, by node and process id."""
    children: dict[int, list[int]]
    """Process ids of the children, by that of their parent."""

    def spread(self, roots: dict[int, str]) -> dict[int, str]:
        """Give each root's label to all its descendants; one with a label of its own keeps that."""
        labels = {pid: label for pid, label in roots.items() if pid in self.processes}
        waiting = list(labels)
        while waiting:
            pid = waiting.pop()
            for child in self.children.get(pid, ()):
                if child not in labels:
                    labels[child] = labels[pid]
                    waiting.append(child)
        return labels


class ProcessTable:
    """Reads the table; environments of known processes are remembered.

    Parameters
    ----------
    root
        Where the kernel's table is mounted.
    """

    def __init__(self, root: Path = Path("/proc")) -> None:
        self._root = str(root)
        self._marks: dict[tuple[int, int, str], JobMark | None] = {}

    def scan(self) -> Snapshot:
        """Read the whole table."""
        processes: dict[int, Process] = {}
        children: dict[int, list[int]] = {}
        for name in os.listdir(self._root):
            if name.isdecimal() and (process := self.look(int(name))) is not None and not process.is_gone:
                processes[process.pid] = process
                children.setdefault(process.parent, []).append(process.pid)
        return Snapshot(processes=processes, marks=self._marked(processes), children=children)

    def look(self, pid: int) -> Process | None:
        """One process, or None if it is gone."""
        try:
            with open(f"{self._root}/{pid}/stat", "rb") as file:
                line = file.read(4096)
        except OSError:
            return None
        opened, closed = line.find(b"("), line.rfind(b")")
        fields = line[closed + 2 :].split(None, 20)
        if opened < 0 or len(fields) < 20:
            return None
        return Process(
            pid, int(fields[1]), int(fields[19]), fields[0].decode("ascii", "replace"),
            line[opened + 1 : closed].decode("utf-8", "replace"),
        )  # fmt: skip

    def catches(self, pid: int, signal_number: int) -> bool:
        """Does the process declare a handler for a signal? Without one it would end."""
        try:
            with open(f"{self._root}/{pid}/status", "rb") as file:
                lines = file.read(65_536).splitlines()
        except OSError:
            return False
        caught = next((line for line in lines if line.startswith(b"SigCgt:")), b"SigCgt:\t0")
        return bool(int(caught.split()[1], 16) >> (signal_number - 1) & 1)

    def _marked(self, processes: dict[int, Process]) -> dict[str, dict[int, JobMark]]:
        before, self._marks = self._marks, {}
        found: dict[str, dict[int, JobMark]] = {}
        for process in processes.values():
            key = (process.pid, process.start, process.name)  # a new program under the old id has a new environment
            mark = before[key] if key in before else self._mark(process)
            self._marks[key] = mark
            if mark is not None:
                found.setdefault(mark.node, {})[process.pid] = mark
        return found

    def _mark(self, process: Process) -> JobMark | None:
        if process.name == OWN_DAEMON:
            return None
        try:
            with open(f"{self._root}/{process.pid}/environ", "rb") as file:
                variables = file.read(ENVIRONMENT_MAX_BYTES).split(b"\0")
        except OSError:
            return None
        values = dict.fromkeys((JOB, PARTITION, NODE), "")
        for variable in variables:
            for prefix in values:
                if variable.startswith(prefix):
                    values[prefix] = variable[len(prefix) :].decode("utf-8", "replace")
        return JobMark(values[JOB], values[PARTITION], values[NODE]) if values[JOB] else None


class Sweep:
    """Reads the table for several who ask at about the same time, once, after the last of them has asked.

    Parameters
    ----------
    table
        The table.
    """

    def __init__(self, table: ProcessTable) -> None:
        self.table = table
        self._next: asyncio.Future[Snapshot] | None = None
        self._last: tuple[float, Snapshot] | None = None

    async def recent(self, age_s: float) -> Snapshot:
        """Table as it was at most so many seconds ago."""
        if self._last is not None and self._last[0] + age_s > asyncio.get_running_loop().time():
            return self._last[1]
        return await self.fresh()

    async def fresh(self) -> Snapshot:
        """Table as it is after this was called."""
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            loop.call_later(LINGER_S, self._read)
        return await asyncio.shield(self._next)

    def _read(self) -> None:
        waited, self._next = self._next, None
        if waited is not None and not waited.done():
            self._last = asyncio.get_running_loop().time(), self.table.scan()
            waited.set_result(self._last[1])

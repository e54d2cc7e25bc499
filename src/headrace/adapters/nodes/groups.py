"""Process groups that an agent may stop: a scheduler's jobs found by their environment, and declared control groups.

Signals go through process file descriptors, so one can't reach another process that has taken over a number. A control
group is frozen as a whole by one write, also what forks meanwhile: it is the surer and faster way where it is writable.
"""

import os
import signal
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import msgspec

from headrace.adapters.nodes.proc import Process, ProcessTable, Snapshot
from headrace.adapters.nodes.wire import GroupCount

__all__ = ["FrozenGroups", "Groups", "JobGroups"]

FREEZER_V1: Final = "freezer.state"
FREEZER_V2: Final = "cgroup.freeze"


class Groups(Protocol):
    """Flexible process groups of one node, of one kind. A group that is gone is no failure."""

    def refresh(self, table: ProcessTable, seen: Snapshot) -> None:
        """Take in who is there now."""
        ...

    def tiers(self) -> Mapping[str, str]:
        """Tier of each group, by name."""
        ...

    def pids(self) -> frozenset[int]:
        """Processes that `stop` reaches one by one; none where it reaches all at once."""
        ...

    def stop(self, names: Sequence[str], table: ProcessTable) -> str:
        """Stop these; why not, empty if all was sent."""
        ...

    def go_on(self, names: Sequence[str]) -> str:
        """Let these go on; why not, empty if all was sent."""
        ...

    def notify(self, names: Sequence[str], number: int, table: ProcessTable) -> int:
        """Send a signal to those processes of these groups that handle it; how many got it."""
        ...

    def count(self, seen: Snapshot) -> tuple[GroupCount, ...]:
        """Processes of every group."""
        ...

    def close(self) -> None:
        """Let go of the processes, as they are."""
        ...


class _Member(msgspec.Struct, frozen=True):
    pid: int
    start: int
    handle: int
    group: str


class JobGroups:
    """Jobs that Slurm started on one node in flexible partitions, and processes registered by hand with their children.

    Parameters
    ----------
    node
        Name of the node as Slurm has it.
    tier_of_partition
        Tier of each flexible partition; jobs of other partitions are never touched.
    """

    def __init__(self, *, node: str, tier_of_partition: Mapping[str, str]) -> None:
        self._node = node
        self._tier_of_partition = dict(tier_of_partition)
        self._registered: dict[int, tuple[int, str]] = {}
        self._tiers: dict[str, str] = {}
        self._declared: dict[str, str] = {}
        self._members: dict[int, _Member] = {}
        self._ours: set[str] = set()
        self._theirs: set[str] = set()
        self._is_new = True

    def register(self, *, pid: int, name: str, tier: str, table: ProcessTable) -> bool:
        """Take a process and its descendants as a group; False if there is no such process."""
        process = table.look(pid)
        if process is None:
            return False
        self._registered[pid] = (process.start, name)
        self._declared[name] = tier
        return True

    def refresh(self, table: ProcessTable, seen: Snapshot) -> None:
        """Take in who is there now; see `Groups`."""
        roots, tiers = self._roots(seen)
        own = seen.spread(roots)
        own.pop(os.getpid(), None)  # whoever started the agent inside a job gets no agent that stops itself
        members = {}
        for pid, group in own.items():
            process, member = seen.processes[pid], self._members.get(pid)
            if member is not None and member.start == process.start and member.group == group:
                members[pid] = self._members.pop(pid)
            elif (fresh := _open(table, process, group)) is not None:
                members[pid] = fresh
        self.close()
        self._members = members
        self._tiers = {member.group: tiers[member.group] for member in members.values()}
        standing = self._standing({pid for pid in members if seen.processes[pid].is_stopped})
        if self._is_new:  # what stands as the agent begins may stand by its order before it was restarted
            self._ours, self._is_new = standing, False
        self._ours &= set(self._tiers)
        self._theirs &= standing

    def _standing(self, stopped: Set[int]) -> set[str]:
        """Groups all of whose processes are among these."""
        running = {member.group for pid, member in self._members.items() if pid not in stopped}
        return set(self._tiers) - running

    def _roots(self, seen: Snapshot) -> tuple[dict[int, str], dict[str, str]]:
        """Group of each process that begins one, and tier of each group."""
        roots, tiers = {}, dict(self._declared)
        for pid, (start, name) in self._registered.items():
            if pid in seen.processes and seen.processes[pid].start == start:
                roots[pid] = name
        for pid, mark in seen.marks.get(self._node, {}).items():
            tier = self._tier_of_partition.get(mark.partition)
            if tier is not None:
                roots[pid] = mark.job
                tiers.setdefault(mark.job, tier)
        return roots, tiers

    def tiers(self) -> Mapping[str, str]:
        """Tier of each group; see `Groups`."""
        return self._tiers

    def pids(self) -> frozenset[int]:
        """Every process held; see `Groups`."""
        return frozenset(self._members)

    def stop(self, names: Sequence[str], table: ProcessTable) -> str:
        """Send SIGSTOP, which no process can refuse; a group that somebody else stopped before stays theirs."""
        wanted = set(names)
        fresh = wanted - self._ours - self._theirs
        if fresh:
            looked = {pid: table.look(pid) for pid, member in self._members.items() if member.group in fresh}
            stopped = {pid for pid, process in looked.items() if process is None or process.is_stopped}
            self._theirs |= self._standing(stopped) & fresh
        self._ours |= wanted - self._theirs
        return self._signal(wanted - self._theirs, signal.SIGSTOP)

    def go_on(self, names: Sequence[str]) -> str:
        """Send SIGCONT, but not to what somebody else had stopped."""
        wanted = set(names) - self._theirs
        self._ours -= wanted
        return self._signal(wanted, signal.SIGCONT)

    def notify(self, names: Sequence[str], number: int, table: ProcessTable) -> int:
        """Send a signal to those that handle it; see `Groups`."""
        wanted, told = set(names), 0
        for member in self._members.values():
            if member.group in wanted and table.catches(member.pid, number):
                with suppress(OSError):
                    signal.pidfd_send_signal(member.handle, number)
                    told += 1
        return told

    def count(self, seen: Snapshot) -> tuple[GroupCount, ...]:
        """Processes of every group; see `Groups`."""
        counts = {name: [0, 0] for name in self._tiers}
        for member in self._members.values():
            process = seen.processes.get(member.pid)
            if process is not None and process.start == member.start:
                counts[member.group][0] += 1
                counts[member.group][1] += process.is_stopped
        return tuple(
            GroupCount(
                name=name,
                tier=self._tiers[name],
                processes=all_of_it,
                stopped=stopped,
                is_others=name in self._theirs,
            )
            for name, (all_of_it, stopped) in sorted(counts.items())
        )

    def close(self) -> None:
        """Let go of the processes, as they are."""
        for member in self._members.values():
            os.close(member.handle)
        self._members = {}

    def _signal(self, wanted: Set[str], number: int) -> str:
        refused = ""
        for member in self._members.values():
            if member.group in wanted:
                try:
                    signal.pidfd_send_signal(member.handle, number)
                except ProcessLookupError:
                    continue  # it has ended: it draws nothing
                except OSError as error:
                    refused = f"process {member.pid} of {member.group}: {error.strerror}"
        return refused


class FrozenGroups:
    """Declared control groups, frozen and thawed as a whole; version 1 or 2 of the kernel's hierarchy.

    Parameters
    ----------
    folders
        Folder and tier of each group, by name.
    """

    def __init__(self, folders: Mapping[str, tuple[Path, str]]) -> None:
        self._folders = {name: folder for name, (folder, _) in folders.items()}
        self._tiers = {name: tier for name, (_, tier) in folders.items()}

    def refresh(self, table: ProcessTable, seen: Snapshot) -> None:
        """Nothing to look up: the kernel keeps the list."""

    def tiers(self) -> Mapping[str, str]:
        """Tier of each group; see `Groups`."""
        return self._tiers

    def pids(self) -> frozenset[int]:
        """None: a control group is stopped as a whole."""
        return frozenset()

    def stop(self, names: Sequence[str], table: ProcessTable) -> str:
        """Freeze."""
        return self._write(names, is_frozen=True)

    def go_on(self, names: Sequence[str]) -> str:
        """Thaw."""
        return self._write(names, is_frozen=False)

    def notify(self, names: Sequence[str], number: int, table: ProcessTable) -> int:
        """Send a signal to those that handle it; see `Groups`."""
        told = 0
        for name in names:
            for pid in self._pids(name):
                if table.catches(pid, number):
                    with suppress(OSError):
                        os.kill(pid, number)
                        told += 1
        return told

    def count(self, seen: Snapshot) -> tuple[GroupCount, ...]:
        """Processes of every group now; all or none of a frozen group's are stopped."""
        return tuple(
            GroupCount(
                name=name,
                tier=tier,
                processes=len(pids := self._pids(name)),
                stopped=len(pids) if self._is_frozen(name) else 0,
            )
            for name, tier in sorted(self._tiers.items())
        )

    def close(self) -> None:
        """Nothing is held."""

    def _write(self, names: Sequence[str], *, is_frozen: bool) -> str:
        refused = ""
        for name in names:
            folder = self._folders[name]
            is_v1 = (folder / FREEZER_V1).exists()
            words = ("FROZEN" if is_frozen else "THAWED") if is_v1 else str(int(is_frozen))
            try:
                (folder / (FREEZER_V1 if is_v1 else FREEZER_V2)).write_text(words, encoding="ascii")
            except OSError as error:
                refused = f"control group {name}: {error.strerror}"
        return refused

    def _is_frozen(self, name: str) -> bool:
        folder = self._folders[name]
        try:
            if (folder / FREEZER_V1).exists():
                return (folder / FREEZER_V1).read_text(encoding="ascii").strip() == "FROZEN"
            return "frozen 1" in (folder / "cgroup.events").read_text(encoding="ascii").splitlines()
        except OSError:
            return False

    def _pids(self, name: str) -> list[int]:
        try:
            return [int(line) for line in (self._folders[name] / "cgroup.procs").read_text(encoding="ascii").split()]
        except OSError:
            return []


def _open(table: ProcessTable, process: Process, group: str) -> _Member | None:
    """Hold on to a process, and only to that one: its number may have been given to another meanwhile."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return None
    again = table.look(process.pid)
    if again is None or again.start != process.start:
        os.close(handle)
        return None
    return _Member(process.pid, process.start, handle, group)

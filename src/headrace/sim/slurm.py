"""A real Slurm cluster of virtual nodes on one machine: the simulated hardware behind the scheduler's own software.

One `slurmctld` and a `slurmd` per node run as they do on a cluster, with accelerators that are device files of the
null device; jobs are real processes. What it takes to let 64 daemons share a host (measured with Slurm 22.05):

- `slurmd -N` gives each its name; `config_overrides` lets two cores pass for eight a node;
- ports below 32768, or the kernel's own ephemeral ones collide, and `NoInAddrAny` with it, or all interfaces listen;
- a generic resource needs device files: a bare count makes the nodes invalid;
- `auth/none` needs no munge; requeued jobs wait for `cred_expire`, which is lowered from two minutes (5 s is the least
  that Slurm takes), and then for the scheduler's turn, `sched_interval`, a minute unless it is set;
- Slurm reads from its program's name what it is, so it is started through a link with the plain name.

It needs root (device files, other users' processes) and Debian's packages slurmctld, slurmd and slurm-client.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from headrace.core import HeadraceError

__all__ = ["SlurmCluster", "SlurmDidNotStart", "why_no_slurm"]

PORT_FIRST: Final = 17_000
PORT_LAST: Final = 31_000
"""Range in which the daemons' ports are looked for: below the kernel's ephemeral ports."""
DAEMONS: Final = ("slurmctld", "slurmd")
CLIENTS: Final = ("scontrol", "squeue", "sbatch", "scancel", "sinfo")
START_S: Final = 60.0
STOP_S: Final = 30.0
CANCEL_S: Final = 5.0
"""Time in which cancelled jobs end by themselves, Slurm's KillWait included, seconds."""
POLL_S: Final = 0.1
PARTITIONS: Final = ("firm", "flex1", "flex2", "flex3")
"""Partitions, first first; all but the first are tiers that may be interrupted."""


class SlurmDidNotStart(HeadraceError):
    """The daemons did not come up.

    Parameters
    ----------
    found
        What was seen.
    """

    def __init__(self, found: str) -> None:
        super().__init__(f"virtual Slurm cluster: {found}. Its logs say why")
        self.found = found


def why_no_slurm() -> str:
    """Say why no cluster can be started here; empty if one can."""
    missing = [name for name in (*DAEMONS, *CLIENTS) if _binary(name) is None]
    if missing:
        return f"Slurm is not installed ({', '.join(missing)}): apt-get install slurmctld slurmd slurm-client"
    if os.geteuid() != 0:
        return "only root can make the device files of virtual accelerators"
    return ""


class SlurmCluster:
    """Virtual nodes n00, n01 ... with accelerators, up while the context lasts.

    Parameters
    ----------
    folder
        Where configuration, spool and logs go; must not hold another cluster.
    nodes, gpus
        How many nodes, and accelerators on each.
    cred_expire_s
        How long Slurm waits before a requeued job may start again, seconds (its own default is 120).
    """

    def __init__(self, folder: Path, *, nodes: int = 64, gpus: int = 8, cred_expire_s: int = 5) -> None:
        self._passed_s: Callable[[], float] = time.perf_counter
        self.folder = folder.resolve()
        self.nodes = tuple(f"n{i:02d}" for i in range(nodes))
        self.env = os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._gpus = gpus
        self._cred_expire_s = cred_expire_s
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._lay_out()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def run(self, *argv: str, timeout_s: float = 30.0) -> str:
        """Run one of Slurm's own commands and return what it prints."""
        done = subprocess.run(
            argv, env=self.env, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=self.folder
        )
        if done.returncode:
            raise SlurmDidNotStart(f"{' '.join(argv)}: {done.stderr.strip()[:300]}")
        return done.stdout

    def submit(self, script: str, *options: str) -> str:
        """Submit a batch script and return the job's id."""
        argv = ["sbatch", "--parsable", "--output=/dev/null", "--no-kill", *options]
        done = subprocess.run(
            argv, env=self.env, input=script, capture_output=True, text=True, timeout=30.0, check=False, cwd=self.folder
        )
        if done.returncode:
            raise SlurmDidNotStart(f"{' '.join(argv)}: {done.stderr.strip()[:300]}")
        return done.stdout.strip().partition(";")[0]

    def wait(self, claim: Callable[[], bool], what: str, timeout_s: float = START_S) -> None:
        """Wait until a claim about the cluster holds."""
        until_s = self._passed_s() + timeout_s
        while not claim():
            if self._passed_s() > until_s:
                raise SlurmDidNotStart(f"not within {timeout_s:.0f} s: {what}")
            time.sleep(POLL_S)

    def close(self) -> None:
        """End every job, then every daemon, each by its own id: a job would outlive its daemon."""
        if self._daemons and self._daemons[0].poll() is None:
            with suppress(SlurmDidNotStart, subprocess.TimeoutExpired):  # if the controller is gone: see below
                self.cancel_all()
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
        until_s = self._passed_s() + STOP_S
        for daemon in self._daemons:
            try:
                daemon.wait(max(0.1, until_s - self._passed_s()))
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()
        self._kill_left_over()

    def cancel_all(self) -> None:
        """Cancel every job and wait until the queue is empty and their processes are gone."""
        held = self.run("squeue", "-h", "-o", "%A").split()
        if held:
            subprocess.run(["scancel", *held], env=self.env, capture_output=True, timeout=30.0, check=False)
        try:
            self.wait(self._is_empty, "an empty queue", CANCEL_S)
        except SlurmDidNotStart:  # slurmd may miss a kill that comes within milliseconds of a resume
            self._kill_left_over()
            self.wait(self._is_empty, "an empty queue", STOP_S)

    def _is_empty(self) -> bool:
        return not self.run("squeue", "-h", "-o", "%A").strip()

    def _kill_left_over(self) -> None:
        for pid in self._left_over():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _left_over(self) -> list[int]:
        """Processes of jobs that are still there: they carry this cluster's configuration in their environment."""
        mark = f"SLURM_CONF={self.folder / 'slurm.conf'}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in variables and any(each.startswith(b"SLURM_JOB_ID=") for each in variables):
                found.append(int(entry.name))
        return found

    def _lay_out(self) -> None:
        for name in ("state", "log", "dev", "bin", "run", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(self._gpus):
            device = self.folder / "dev" / f"gpu{i}"
            if not device.exists():
                os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        for name in DAEMONS:
            link = self.folder / "bin" / name
            if not link.exists():
                link.symlink_to(_binary(name) or name)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n", encoding="ascii")
        every = f"n[00-{len(self.nodes) - 1:02d}]"
        (self.folder / "gres.conf").write_text(
            f"NodeName={every} Name=gpu File={self.folder}/dev/gpu[0-{self._gpus - 1}]\n", encoding="ascii"
        )
        (self.folder / "slurm.conf").write_text(self._configuration(every, _free_ports(len(self.nodes) + 1)), "ascii")

    def _configuration(self, every: str, port: int) -> str:
        host = socket.gethostname().partition(".")[0]
        at = self.folder
        cpus = max(self._gpus, 8)
        lines = [
            "ClusterName=headrace-virtual",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={port}",
            "SlurmUser=root",
            "SlurmdUser=root",
            "AuthType=auth/none",
            "CredType=cred/none",
            f"AuthInfo=cred_expire={self._cred_expire_s}",
            "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny",
            f"StateSaveLocation={at}/state",
            f"SlurmdSpoolDir={at}/spool/%n",
            f"SlurmctldPidFile={at}/run/slurmctld.pid",
            f"SlurmdPidFile={at}/run/slurmd-%n.pid",
            f"SlurmctldLogFile={at}/log/slurmctld.log",
            f"SlurmdLogFile={at}/log/slurmd-%n.log",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "JobAcctGatherType=jobacct_gather/none",
            "AccountingStorageType=accounting_storage/none",
            "JobCompType=jobcomp/none",
            "MpiDefault=none",
            "SwitchType=switch/none",
            "ReturnToService=2",
            "SchedulerType=sched/backfill",
            "SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=100000",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core",
            "GresTypes=gpu",
            "SlurmdParameters=config_overrides",
            "KillWait=2",
            "SlurmdTimeout=120",
            "SuspendTime=86400",  # node power states are disabled without it
            "SuspendProgram=/bin/true",
            "ResumeProgram=/bin/true",
            "SuspendTimeout=2",
            "ResumeTimeout=20",
            f"NodeName={every} NodeHostname={host} NodeAddr=127.0.0.1 Port=[{port + 1}-{port + len(self.nodes)}] "
            f"CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory=4000 "
            f"Gres=gpu:{self._gpus} State=UNKNOWN",
        ]
        for rank, name in enumerate(PARTITIONS):
            priority = 100 - 10 * rank
            default = " Default=YES" if rank == 1 else ""
            lines.append(f"PartitionName={name} Nodes=ALL PriorityTier={priority} MaxTime=INFINITE State=UP{default}")
        return "\n".join(lines) + "\n"

    def _start(self) -> None:
        self._spawn("slurmctld", "-D")
        for node in self.nodes:
            self._spawn("slurmd", "-D", "-N", node)
        self.wait(self._is_up, f"{len(self.nodes)} idle nodes")

    def _spawn(self, name: str, *options: str) -> None:
        log = self.folder / "log" / f"{'-'.join([name, *options[2:]])}.out"
        with log.open("wb") as out:
            self._daemons.append(
                subprocess.Popen(
                    [str(self.folder / "bin" / name), *options, "-f", str(self.folder / "slurm.conf")],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=self.env,
                    start_new_session=True,
                )
            )

    def _is_up(self) -> bool:
        ended = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
        if ended:
            raise SlurmDidNotStart(f"{len(ended)} of {len(self._daemons)} daemons ended at once")
        done = subprocess.run(
            ["sinfo", "-h", "-N", "-p", PARTITIONS[0], "-t", "idle", "-o", "%N"],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=30.0,
            check=False,
        )
        return len(set(done.stdout.split())) == len(self.nodes)


def _binary(name: str) -> str | None:
    """Where a program of Slurm is; the plain build, where an emulator's has taken its name."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return shutil.which(f"{name}-wlm", path=path) or shutil.which(name, path=path)


def _free_ports(count: int) -> int:
    """First of so many ports in a row that nobody listens on."""
    first = PORT_FIRST + os.getpid() % 97 * 70
    while first + count < PORT_LAST:
        if all(_is_free(first + i) for i in range(count)):
            return first
        first += count
    raise SlurmDidNotStart(f"{count} free ports in a row below {PORT_LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

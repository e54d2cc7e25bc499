"""What Slurm prints, as records: rows of squeue and sinfo, and its short notation of node names."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from headrace.control.workloads import Workload, WorkState

__all__ = ["QUEUE_FIELDS", "NodeRow", "Unreadable", "expand_nodes", "read_nodes", "read_queue"]

QUEUE_FIELDS: Final = (
    "JobID", "State", "Partition", "NodeList", "NumNodes", "NumTasks", "tres-alloc", "tres-per-job", "tres-per-node",
    "tres-per-task", "RestartCnt", "Reason", "Comment", "Name",
)  # fmt: skip
"""What squeue is asked for; a job's owner writes the last two, so they are last."""
SEPARATOR: Final = "|"
NODES_MAX: Final = 100_000
"""Most nodes that one notation may stand for."""
STATES: Final[Mapping[str, WorkState]] = {
    "PENDING": WorkState.QUEUED,
    "REQUEUED": WorkState.QUEUED,
    "REQUEUE_FED": WorkState.QUEUED,
    "REQUEUE_HOLD": WorkState.HELD,
    "SPECIAL_EXIT": WorkState.HELD,
    "RESV_DEL_HOLD": WorkState.HELD,
    "CONFIGURING": WorkState.RUNNING,
    "RUNNING": WorkState.RUNNING,
    "COMPLETING": WorkState.RUNNING,
    "STAGE_OUT": WorkState.RUNNING,
    "SIGNALING": WorkState.RUNNING,
    "RESIZING": WorkState.RUNNING,
    "STOPPED": WorkState.PAUSED,
    "SUSPENDED": WorkState.PAUSED,
}
"""Every other state of Slurm's is an end."""
CHECKPOINT: Final = re.compile(r"\bcheckpoint=((?:B:)?USR[12])\b")
NOTICE: Final = re.compile(r"\bnotice_s=(\d{1,5})\b")
GPUS: Final = re.compile(r"(?:^|,)gres[:/]gpu(?::[^:=,]+)?[:=](\d{1,6})\b")
"""Accelerators in "gres/gpu=8" (an allocation, where Slurm keeps one) and "gres:gpu:a100:2" (a request)."""
RANGES: Final = re.compile(r"([^,\[\]]*)(?:\[([^\[\]]*)\])?([^,\[\]]*)(?:,|$)")


class Unreadable(Exception):
    """What was printed is not what was asked for."""


class NodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One node as sinfo tells of it."""

    name: str
    """Its name."""
    state: str
    """Slurm's own word ("idle", "mixed", "allocated", "powered_down" ...)."""
    gpus: int
    """Accelerators it has."""


def read_queue(text: str, tier_of_partition: Mapping[str, str]) -> tuple[Workload, ...]:
    """Workloads of squeue's rows.

    Parameters
    ----------
    text
        Rows of `QUEUE_FIELDS`, each field followed by a bar.
    tier_of_partition
        Tier of each flexible partition; jobs of others are firm.

    Raises
    ------
    Unreadable
        If a row is not that, or a job is there twice.
    """
    found: dict[str, Workload] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        fields = line.split(SEPARATOR)
        if len(fields) < len(QUEUE_FIELDS):
            raise Unreadable(f"squeue: {len(fields)} fields where {len(QUEUE_FIELDS)} were asked for: {line[:100]!r}")
        work = _workload(fields, tier_of_partition)
        if work.id in found:
            raise Unreadable(f"squeue: job {work.id} twice")
        if work.state is not WorkState.ENDED:
            found[work.id] = work
    return tuple(found.values())


def _workload(fields: list[str], tier_of_partition: Mapping[str, str]) -> Workload:
    job, state, partition, nodes, count, tasks, *tres = fields[:10]
    restarts, reason, comment = fields[10:13]
    numbers = (job, restarts, count.partition("-")[0], tasks)
    if not all(each.isascii() and each.isdecimal() for each in numbers):
        raise Unreadable(f"squeue: not a job's row: {SEPARATOR.join(fields)[:100]!r}")
    checkpoint, notice = CHECKPOINT.search(comment), NOTICE.search(comment)
    at = STATES.get(state.partition(" ")[0], WorkState.ENDED)
    return Workload(
        id=job,
        name=SEPARATOR.join(fields[13:]).removesuffix(SEPARATOR),
        tier=tier_of_partition.get(partition, ""),
        state=at,
        nodes=expand_nodes(nodes) if at is not WorkState.QUEUED else (),
        gpus=_gpus(tres, nodes=int(numbers[2]), tasks=int(tasks)),
        checkpoint_signal=checkpoint[1] if checkpoint else "",
        notice_s=float(notice[1]) if notice else 0.0,
        restarts=int(restarts),
        reason="" if reason == "None" else reason,
    )


def _gpus(tres: list[str], *, nodes: int, tasks: int) -> int:
    """Accelerators of a job: what it was given if that is kept, else what it asked for."""
    for words, times in zip(tres, (1, 1, nodes, tasks), strict=True):
        if (found := GPUS.search(words)) is not None:
            return int(found[1]) * times
    return 0


def read_nodes(text: str) -> tuple[NodeRow, ...]:
    """Nodes of sinfo's rows of name, state and resources, each once.

    Raises
    ------
    Unreadable
        If a row is not that.
    """
    found = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        fields = line.split(SEPARATOR)
        if len(fields) < 3:
            raise Unreadable(f"sinfo: not a node's row: {line[:100]!r}")
        gpus = re.search(r"\bgpu(?::[^:,()]+)?:(\d{1,6})\b", fields[2])
        found[fields[0]] = NodeRow(
            name=fields[0], state=fields[1].rstrip("*~#!%$@^-+"), gpus=int(gpus[1]) if gpus else 0
        )
    return tuple(found.values())


def expand_nodes(short: str) -> tuple[str, ...]:
    """Names that Slurm's notation stands for: "n[00-02,07],login" is n00, n01, n02, n07 and login.

    Raises
    ------
    Unreadable
        If it is not that notation, or stands for more than 100,000 nodes.
    """
    if short in {"", "(null)", "None assigned"}:
        return ()
    names: list[str] = []
    at = 0
    while at < len(short):
        part = RANGES.match(short, at)
        if part is None or part.end() == at:
            raise Unreadable(f"not a list of nodes: {short[:100]!r}")
        at = part.end()
        head, inside, tail = part[1], part[2], part[3]
        names += [head + tail] if inside is None else [head + number + tail for number in _numbers(inside, short)]
        if len(names) > NODES_MAX:
            raise Unreadable(f"more than {NODES_MAX:,} nodes: {short[:100]!r}")
    return tuple(names)


def _numbers(inside: str, short: str) -> list[str]:
    """Numbers of "00-02,07", with their leading zeros."""
    found: list[str] = []
    for span in inside.split(","):
        first, dash, last = span.partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and first.isascii() and last.isascii()):
            raise Unreadable(f"not a list of nodes: {short[:100]!r}")
        if int(last) - int(first) + len(found) > NODES_MAX:
            raise Unreadable(f"more than {NODES_MAX:,} nodes: {short[:100]!r}")
        found += [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return found

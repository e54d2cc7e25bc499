"""Jobs and Kueue's Workloads of a Kubernetes cluster, from the API's JSON to records; what is odd in it is left out."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from headrace.control.workloads import Workload, WorkState

__all__ = ["JOB", "KUEUE_QUEUE_LABEL", "Kind", "Seen", "kueue_kind", "seen_job", "seen_workload", "workload_id"]

GPU: Final = "nvidia.com/gpu"
GRACE_S: Final = 30.0
"""Kubernetes' own notice before it kills a pod, seconds."""
KUEUE_QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
Json = Mapping[str, Any]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of object that can be told to stand still."""

    name: str
    """First part of a workload's id ("job")."""
    group: str
    """API group."""
    version: str
    """API version."""
    plural: str
    """Name in addresses."""
    key: str
    """Field of its spec that says whether it may run."""
    when_paused: bool
    """Value of that field that makes it stand still."""


JOB: Final = Kind(name="job", group="batch", version="v1", plural="jobs", key="suspend", when_paused=True)
"""A Job: suspended, its pods end and are made again on resume."""


def kueue_kind(version: str) -> Kind:
    """Kueue's Workload: deactivated, it is evicted and its quota goes to others; activated, it queues again."""
    return Kind(
        name="workload", group="kueue.x-k8s.io", version=version, plural="workloads", key="active", when_paused=False
    )


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One object as it was last read."""

    kind: Kind
    """What it is."""
    namespace: str
    """Where it is."""
    name: str
    """What it is called there."""
    uid: str
    """Its identity: another of the same name has another."""
    version: str
    """State of the object that a change is to be based on; empty if the server does not say."""
    owner_uids: tuple[str, ...]
    """Objects that it belongs to."""
    is_queued_by_kueue: bool
    """Is it Kueue's to start and stop?"""
    is_told_to_stand: bool
    """Does its spec say that it may not run?"""
    told_by: str
    """Who of us said so last, by annotation; empty if nobody of us."""
    pods: int
    """Pods that its status says are there."""
    workload: Workload
    """The same as control sees it."""


def workload_id(kind: Kind, namespace: str, name: str) -> str:
    """Id of a workload: kind, namespace and name."""
    return f"{kind.name}/{namespace}/{name}"


def seen_job(item: Json, *, tier_label: str, told_by: str) -> Seen | None:
    """Read a Job; None if it has no name, or no spec."""
    spec, status = _dict(item, "spec"), _dict(item, "status")
    parallel = _int(spec.get("parallelism"), 1)
    pods, stands = _int(status.get("active"), 0), spec.get("suspend") is True
    pod_spec = _dict(_dict(spec, "template"), "spec")
    state = WorkState.HELD if stands else WorkState.RUNNING if pods else WorkState.QUEUED
    if stands and pods:
        state = WorkState.RUNNING  # they have their notice
    if _has(status, "Complete", "Failed"):
        state = WorkState.ENDED
    return _seen(
        JOB, item, tier_label, told_by, stands=stands, pods=pods, state=state, gpus=parallel * _gpus(pod_spec),
        notice_s=_seconds(pod_spec.get("terminationGracePeriodSeconds")),
    )  # fmt: skip


def seen_workload(item: Json, kind: Kind, *, tier_label: str, told_by: str) -> Seen | None:
    """Read a Kueue Workload; None if it has no name, or no spec."""
    spec, status = _dict(item, "spec"), _dict(item, "status")
    stands, is_in = spec.get("active") is False, _has(status, "Admitted", "QuotaReserved")
    state = WorkState.RUNNING if is_in else WorkState.HELD if stands else WorkState.QUEUED
    if _has(status, "Finished"):
        state = WorkState.ENDED
    sets = spec.get("podSets")
    gpus, notice_s = 0, GRACE_S
    for each in sets if isinstance(sets, list) else ():
        if isinstance(each, dict):
            pod_spec = _dict(_dict(each, "template"), "spec")
            gpus += _int(each.get("count"), 0) * _gpus(pod_spec)
            notice_s = max(notice_s, _seconds(pod_spec.get("terminationGracePeriodSeconds")))
    return _seen(
        kind, item, tier_label, told_by, stands=stands, pods=int(is_in), state=state, gpus=gpus, notice_s=notice_s
    )


def _seen(
    kind: Kind,
    item: Json,
    tier_label: str,
    told_by: str,
    *,
    stands: bool,
    pods: int,
    state: WorkState,
    gpus: int,
    notice_s: float,
) -> Seen | None:
    about = _dict(item, "metadata")
    name, namespace = about.get("name"), about.get("namespace")
    if not (isinstance(name, str) and isinstance(namespace, str) and name and namespace and item.get("spec")):
        return None
    labels, notes = _dict(about, "labels"), _dict(about, "annotations")
    owners = about.get("ownerReferences")
    return Seen(
        kind=kind,
        namespace=namespace,
        name=name,
        uid=str(about.get("uid") or ""),
        version=str(about.get("resourceVersion") or ""),
        owner_uids=tuple(str(each.get("uid")) for each in owners or () if isinstance(each, dict)),
        is_queued_by_kueue=KUEUE_QUEUE_LABEL in labels,
        is_told_to_stand=stands,
        told_by=str(notes.get(told_by) or ""),
        pods=pods,
        workload=Workload(
            id=workload_id(kind, namespace, name),
            name=name,
            tier=str(labels.get(tier_label) or ""),
            state=state,
            gpus=gpus,
            notice_s=notice_s,
            reason=_why_waiting(_dict(item, "status")) if state is WorkState.QUEUED else "",
        ),
    )


def _gpus(pod_spec: Json) -> int:
    containers = pod_spec.get("containers")
    found = 0
    for container in containers if isinstance(containers, list) else ():
        if isinstance(container, dict):
            found += _int(_dict(_dict(container, "resources"), "limits").get(GPU), 0)
    return found


def _has(status: Json, *kinds: str) -> bool:
    """Is one of these conditions true?"""
    return any(each.get("type") in kinds and each.get("status") == "True" for each in _conditions(status))


def _why_waiting(status: Json) -> str:
    false = [str(each.get("message") or "") for each in _conditions(status) if each.get("status") == "False"]
    return false[0][:200] if false else ""


def _conditions(status: Json) -> list[Json]:
    conditions = status.get("conditions")
    return [each for each in conditions if isinstance(each, dict)] if isinstance(conditions, list) else []


def _dict(item: Json, key: str) -> Json:
    found = item.get(key)
    return found if isinstance(found, dict) else {}


def _int(value: object, otherwise: int) -> int:
    """Integer of a JSON number or a quantity's text; extended resources are whole."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000:
        return value
    return (
        int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 7 else otherwise
    )


def _seconds(value: object) -> float:
    return float(_int(value, int(GRACE_S)))

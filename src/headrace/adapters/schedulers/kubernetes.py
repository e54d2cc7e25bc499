"""Kubernetes, through its official client: Jobs are suspended, Kueue's Workloads deactivated.

In Kubernetes a suspended Job's pods end: they get SIGTERM (after their pre-stop hook) and the grace period that their
template gives them, which is their notice to write a checkpoint; their accelerators are free afterwards. A Job that
Kueue queues is changed through its Workload only, because Kueue would undo anything else. What is suspended here is
marked by an annotation, and only what is marked is resumed: a Job that its owner suspended stays so.

A change is based on the object as it was read; if somebody changed it meanwhile (409) it is read and judged again.
The client is synchronous and runs in a bounded number of threads.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import msgspec
import urllib3
from kubernetes import client

from headrace.adapters.schedulers.kubernetes_objects import JOB, Kind, Seen, kueue_kind, seen_job, seen_workload
from headrace.control.commands import Result
from headrace.control.workloads import Listing, WorkOutcome, WorkState

__all__ = ["KubernetesLimits", "KubernetesScheduler"]

PAGE: Final = 500
MERGE: Final = "application/merge-patch+json"
WORDS_CHARS: Final = 200
NOT_FOUND: Final = 404
CONFLICT: Final = 409
BUSY: Final = frozenset({429, 500, 502, 503, 504})
T = TypeVar("T")


class KubernetesLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What asking the cluster may cost."""

    at_a_time: int = 8
    """Most requests at a time."""
    connect_s: float = 2.0
    """Longest wait for a connection, seconds."""
    answer_s: float = 10.0
    """Longest wait for an answer, seconds."""
    pages_max: int = 40
    """Most pages of 500 objects that are read of each kind."""
    conflicts_max: int = 5
    """How often a change is tried again when somebody else changed the object."""
    leave_s: float = 5.0
    """Wait for pods to be gone beyond their own notice, seconds."""
    leave_max_s: float = 120.0
    """Longest wait for pods to be gone, seconds."""
    look_again_s: float = 0.5
    """Pause between two looks meanwhile, seconds."""


class _Failed(Exception):
    """A request that did not do what it was to do."""

    def __init__(self, result: Result, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason
        self.status = status


class KubernetesScheduler:
    """One Kubernetes cluster.

    Parameters
    ----------
    api
        Client with the cluster's address and credentials.
    name
        What the site calls it; also the mark of what it suspended.
    tier_label
        Label that makes work flexible; its value is the tier.
    kueue_version
        API version of Kueue's Workloads; empty if the cluster has no Kueue.
    limits
        What asking may cost.
    """

    pause_keeps_accelerators = False

    def __init__(
        self,
        api: client.ApiClient,
        *,
        name: str,
        tier_label: str = "headrace.io/tier",
        kueue_version: str = "",
        limits: KubernetesLimits | None = None,
    ) -> None:
        self.name = name
        self._objects = client.CustomObjectsApi(api)
        self._tier_label = tier_label
        self._told_by = f"{tier_label.partition('/')[0]}/paused-by"
        self._kueue = kueue_kind(kueue_version) if kueue_version else None
        self._limits = limits or KubernetesLimits()
        self._threads = ThreadPoolExecutor(self._limits.at_a_time, thread_name_prefix="kubernetes")

    async def workloads(self) -> Listing:
        """Every labelled Job and Workload that has not ended; see `headrace.control.ports.Scheduler`."""
        try:
            seen = await self._list()
        except _Failed as failed:
            return Listing(workloads=None, reason=failed.reason)
        return Listing(workloads=tuple(each.workload for each in seen.values()))

    async def pause(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Suspend or deactivate, and wait until the pods are gone."""
        return await self._change(workloads, is_pause=True)

    async def resume(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Let go on what was paused here; Kubernetes then starts its pods when there is room."""
        return await self._change(workloads, is_pause=False)

    async def requeue(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Pause, wait until the pods are gone, and resume: it waits for room like any other."""
        paused = await self.pause(workloads)
        done = [each.workload for each in paused if each.result is Result.ACKNOWLEDGED]
        resumed = {each.workload: each for each in await self.resume(done)}
        return tuple(resumed.get(each.workload, each) for each in paused)

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _change(self, ids: Sequence[str], *, is_pause: bool) -> tuple[WorkOutcome, ...]:
        if not ids:
            return ()
        try:
            seen = await self._list()
        except _Failed as failed:
            return tuple(WorkOutcome(workload=each, result=failed.result, reason=failed.reason) for each in ids)
        unique = tuple(dict.fromkeys(ids))
        outcomes = await asyncio.gather(*(self._change_one(each, seen.get(each), is_pause=is_pause) for each in unique))
        by_id = dict(zip(unique, outcomes, strict=True))
        return tuple(by_id[each] for each in ids)

    async def _change_one(self, work: str, seen: Seen | None, *, is_pause: bool) -> WorkOutcome:
        if seen is None:
            return WorkOutcome(workload=work, result=Result.REFUSED, reason="no such flexible work, or it has ended")
        try:
            for _ in range(self._limits.conflicts_max):
                if refused := self._refusal(seen, is_pause=is_pause):
                    return WorkOutcome(workload=work, result=Result.REFUSED, state=seen.workload.state, reason=refused)
                if seen.is_told_to_stand is is_pause:
                    break
                try:
                    seen = await self._patch(seen, is_pause=is_pause)
                    break
                except _Failed as failed:
                    if failed.status != CONFLICT:
                        raise
                    seen = await self._read(seen)
            else:
                reason = f"changed by somebody else {self._limits.conflicts_max} times in a row"
                return WorkOutcome(workload=work, result=Result.REFUSED, state=seen.workload.state, reason=reason)
            return await self._settled(work, seen, is_pause=is_pause)
        except _Failed as failed:
            return WorkOutcome(workload=work, result=failed.result, reason=failed.reason)

    def _refusal(self, seen: Seen, *, is_pause: bool) -> str:
        """Why this object may not be changed so."""
        if not seen.workload.tier:
            return "firm work is not interrupted here"
        if seen.workload.state is WorkState.ENDED:
            return "it has ended"
        if not is_pause and seen.is_told_to_stand and seen.told_by != self.name:
            return "somebody else suspended it"
        return ""

    async def _settled(self, work: str, seen: Seen, *, is_pause: bool) -> WorkOutcome:
        """Outcome by the object read again; a pause is done when no pod is left."""
        wait_s = min(seen.workload.notice_s + self._limits.leave_s, self._limits.leave_max_s) if is_pause else 0.0
        for look in range(1 + round(wait_s / self._limits.look_again_s)):
            if look:
                await asyncio.sleep(self._limits.look_again_s)
            seen = await self._read(seen)
            if seen.is_told_to_stand is not is_pause:
                reason = "it was changed back at once"
                return WorkOutcome(workload=work, result=Result.REFUSED, state=seen.workload.state, reason=reason)
            if not (is_pause and seen.pods):
                return WorkOutcome(workload=work, result=Result.ACKNOWLEDGED, state=seen.workload.state)
        reason = f"{seen.pods} of its pods are still there after {wait_s:g} s"
        return WorkOutcome(workload=work, result=Result.REFUSED, state=seen.workload.state, reason=reason)

    async def _list(self) -> dict[str, Seen]:
        """Flexible work by id. A Job that Kueue queues gives its tier to its Workload, and is not listed itself."""
        jobs = await self._pages(JOB)
        found = {each.workload.id: each for each in jobs if each.workload.tier}
        if self._kueue is not None:
            tiers = {each.uid: each.workload.tier for each in jobs if each.uid and each.is_queued_by_kueue}
            for each in await self._pages(self._kueue):
                inherited = next((tiers[uid] for uid in each.owner_uids if uid in tiers), "")
                if tier := each.workload.tier or inherited:
                    work = msgspec.structs.replace(each.workload, tier=tier)
                    found[work.id] = msgspec.structs.replace(each, workload=work)
            found = {key: each for key, each in found.items() if each.kind is not JOB or not each.is_queued_by_kueue}
        return {key: each for key, each in found.items() if each.workload.state is not WorkState.ENDED}

    async def _pages(self, kind: Kind) -> list[Seen]:
        found, token = [], ""
        selector = {"label_selector": self._tier_label} if kind is JOB else {}  # a Workload's tier may be its Job's
        for _ in range(self._limits.pages_max):
            more = {"_continue": token} if token else {}
            page: Any = await self._ask(
                self._objects.list_custom_object_for_all_namespaces,
                kind.group,
                kind.version,
                kind.plural,
                limit=PAGE,
                **selector,
                **more,
            )
            items = page.get("items") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise _Failed(Result.GARBLED, f"no list of {kind.plural} in the answer")
            seen = (self._seen(kind, item) for item in items if isinstance(item, dict))
            found += [each for each in seen if each is not None]
            about = page.get("metadata")
            token = str(about.get("continue") or "") if isinstance(about, dict) else ""
            if not token:
                return found
        raise _Failed(Result.REFUSED, f"more than {self._limits.pages_max * PAGE:,} {kind.plural}")

    def _seen(self, kind: Kind, item: dict[str, Any]) -> Seen | None:
        if kind is JOB:
            return seen_job(item, tier_label=self._tier_label, told_by=self._told_by)
        return seen_workload(item, kind, tier_label=self._tier_label, told_by=self._told_by)

    async def _read(self, seen: Seen) -> Seen:
        kind = seen.kind
        item = await self._ask(
            self._objects.get_namespaced_custom_object,
            kind.group,
            kind.version,
            seen.namespace,
            kind.plural,
            seen.name,
        )
        return self._again(seen, item)

    async def _patch(self, seen: Seen, *, is_pause: bool) -> Seen:
        kind = seen.kind
        about: dict[str, Any] = {"annotations": {self._told_by: self.name if is_pause else None}}
        if seen.version:
            about["resourceVersion"] = seen.version
        item = await self._ask(
            self._objects.patch_namespaced_custom_object,
            kind.group,
            kind.version,
            seen.namespace,
            kind.plural,
            seen.name,
            {"metadata": about, "spec": {kind.key: kind.when_paused is is_pause}},
            _content_type=MERGE,
        )
        return self._again(seen, item)

    def _again(self, before: Seen, item: object) -> Seen:
        """Read an object once more; what its Workload has from its Job stays."""
        now = self._seen(before.kind, item) if isinstance(item, dict) else None
        if now is None:
            raise _Failed(Result.GARBLED, f"no {before.kind.name} in the answer")
        if before.uid and now.uid and now.uid != before.uid:
            raise _Failed(Result.REFUSED, "another of the same name has taken its place")
        if before.kind is JOB or now.workload.tier:
            return now
        return msgspec.structs.replace(now, workload=msgspec.structs.replace(now.workload, tier=before.workload.tier))

    async def _ask(self, call: Callable[..., T], *args: object, **more: object) -> T:
        """Run one request in a thread; every failure leaves as `_Failed`."""
        timeout = (self._limits.connect_s, self._limits.answer_s)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: call(*args, _request_timeout=timeout, **more))
        except client.ApiException as error:
            raise _told(error) from error
        except urllib3.exceptions.ReadTimeoutError as error:
            raise _Failed(Result.MUTE, f"no answer within {self._limits.answer_s:g} s") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _Failed(Result.UNREACHABLE, f"{type(error).__name__}: {error}"[:WORDS_CHARS]) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise _Failed(Result.GARBLED, f"unreadable answer: {error}"[:WORDS_CHARS]) from error


def _told(error: client.ApiException) -> _Failed:
    """What the server said, as far as it is fit to be shown."""
    try:
        body = json.loads(error.body or "{}")
        words = str(body.get("message") or error.reason)
    except (ValueError, AttributeError, RecursionError):
        words = str(error.reason)
    status = error.status if isinstance(error.status, int) else 0
    result = Result.UNREACHABLE if status in BUSY or not status else Result.REFUSED
    reason = "it is gone" if status == NOT_FOUND else words[:WORDS_CHARS]
    return _Failed(result, f"HTTP {status}: {reason}", status)

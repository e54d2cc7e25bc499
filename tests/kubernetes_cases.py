"""An emulated Kubernetes API with Jobs, and the official client's address of it.

The emulator merges JSON and keeps it: no controllers, no label selection, no versions. What a controller would do
(pods that end) tests write into the status themselves.
"""

from contextlib import asynccontextmanager

import kmock
from aiohttp import web
from kubernetes import client

from headrace.adapters.schedulers.kubernetes import KubernetesLimits, KubernetesScheduler

TIER = "headrace.io/tier"
JOBS = "batch/v1/jobs"
KUEUE = "kueue.x-k8s.io/v1beta1/workloads"
LIMITS = KubernetesLimits(connect_s=1.0, answer_s=2.0, leave_s=0.1, look_again_s=0.02)


class Emulator(kmock.KubernetesEmulator):
    """Refuses the first changes, without making them: the emulator's own reactions answer and change all the same."""

    conflicts = 0

    async def _handle(self, request):
        if request.method == kmock.method.PATCH and self.conflicts > 0:
            self.conflicts -= 1
            return web.json_response({"message": "the object has been modified"}, status=409)
        return await super()._handle(request)


def job(name, *, tier="flex1", suspend=None, gpus=4, parallelism=2, active=0, grace_s=0, labels=None, **about):
    labels = dict(labels or {}) | ({TIER: tier} if tier else {})
    limits = {"limits": {"nvidia.com/gpu": str(gpus)}}
    pod = {"containers": [{"name": "train", "resources": limits}], "terminationGracePeriodSeconds": grace_s}
    spec = {"parallelism": parallelism, "template": {"spec": pod}}
    return {
        "metadata": {"name": name, "namespace": "ai", "labels": labels, **about},
        "spec": spec if suspend is None else spec | {"suspend": suspend},
        "status": {"active": active},
    }


def kueue_workload(name, *, owner="", tier="", active=True, admitted=True, **about):
    owners = [{"uid": owner, "kind": "Job", "name": name}] if owner else []
    conditions = [{"type": "Admitted", "status": str(admitted)}]
    container = {"resources": {"limits": {"nvidia.com/gpu": 8}}}
    return {
        "metadata": {
            "name": name, "namespace": "ai", "labels": {TIER: tier} if tier else {}, "ownerReferences": owners, **about,
        },
        "spec": {"active": active, "podSets": [{"count": 3, "template": {"spec": {"containers": [container]}}}]},
        "status": {"conditions": conditions},
    }  # fmt: skip


@asynccontextmanager
async def emulated(*jobs, workloads=(), kueue=False, limits=LIMITS):
    """An emulator that holds these, and a scheduler that talks to it."""
    api = Emulator()
    for resource, items in ((JOBS, jobs), (KUEUE, workloads)):
        for item in items:
            api.objects[resource, item["metadata"]["namespace"], item["metadata"]["name"]] = item
    async with kmock.Server(api) as server:
        scheduler = scheduler_at(str(server.url).rstrip("/"), kueue=kueue, limits=limits)
        try:
            yield api, scheduler
        finally:
            await scheduler.close()


def scheduler_at(url, *, kueue=False, limits=LIMITS):
    configuration = client.Configuration(host=url)
    configuration.retries = False
    api = client.ApiClient(configuration)
    return KubernetesScheduler(api, name="k8s", kueue_version="v1beta1" if kueue else "", limits=limits)

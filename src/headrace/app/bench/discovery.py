"""Discovery of miners in a /16, beside pyasic-rs: part of `headrace bench shed`.

A thousand simulated miners listen among 65,536 loopback addresses, of which the dead refuse at once; on a real network
they are silent, and both spend their time-outs on them. Both find and identify in the same run.
"""

import importlib.util
import subprocess
import sys
import time
from ipaddress import IPv4Network
from typing import Any, Final

from headrace.adapters.miners.discovery import Discovery, discover
from headrace.app.bench.loop import on_fast_loop
from headrace.engine.clock import WallClock
from headrace.sim.miners.faults import FaultRates
from headrace.sim.miners.process import FleetProcess
from headrace.sim.miners.serve import FleetSpec

__all__ = ["bench_discovery"]

NETWORK: Final = "127.40"
PEER_WITHIN_S: Final = 300.0


def bench_discovery(*, count: int = 1_000) -> dict[str, Any]:
    """Find `count` simulated miners in a /16.

    Returns
    -------
    dict
        Seconds, miners found, and pyasic-rs's seconds over ours (None if it is not installed).
    """
    spec = FleetSpec(
        dialect="luxos",
        count=count,
        network=NETWORK,
        faults=FaultRates(delay_least_s=0.0, delay_mean_extra_s=0.0),
    )
    network = IPv4Network(f"{NETWORK}.0.0/16")
    with FleetProcess(spec):
        begun_s = time.perf_counter()
        ours: Discovery = on_fast_loop(discover([network], now_us=WallClock().now_us, monotonic=time.perf_counter))
        took_s = time.perf_counter() - begun_s
        peer = _pyasic_rs(str(network))
    found = sum(each.dialect == "luxos" for each in ours.found)
    figures: dict[str, Any] = {
        "addresses": ours.addresses,
        "miners": count,
        "seconds": took_s,
        "found": found,
        "odd": len(ours.odd),
        "ratio": {"pyasic_rs": None if peer is None else peer[0] / took_s},
        "pyasic_rs_seconds": None if peer is None else peer[0],
        "pyasic_rs_found": None if peer is None else peer[1],
    }
    if peer is None:
        figures["missing"] = 'pyasic-rs is not installed: the dependency group "bench" holds it (make bench)'
    return figures


def _pyasic_rs(network: str) -> tuple[float, int] | None:
    """Seconds and miners found by the peer, in a process of its own: it may abort its interpreter at exit."""
    if importlib.util.find_spec("pyasic_rs") is None:
        return None
    ran = subprocess.run(
        [sys.executable, "-m", "headrace.app.bench.peers.pyasic_rs_scan", network],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=PEER_WITHIN_S,
    )
    seconds, found = ran.stdout.split()[:2]
    return float(seconds), int(found)

"""Signed load target over MQTT to verified status, with real processes that stop: one of the figures of `bench flex`.

A broker of its own on loopback, the factory in a process of its own with a hundred children that sleep and wake, the
controller here. The time runs from before the target is made and signed to after the status that answers it is
verified; the factory publishes it when the kernel's table shows every process in the state asked for.
"""

import asyncio
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["dsx_flex_loop"]

PROCESSES: Final = 100
ROUNDS: Final = 60
LEVELS: Final = (7.5, 10.0, 0.5, 10.0)
FULL_MW: Final = 10.0
START_S: Final = 20.0
STATE_S: Final = 2.0
"""Longest wait for processes to be seen stopped or running, seconds."""


def dsx_flex_loop(*, processes: int = PROCESSES, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure the loop; `reason` says why it can't be measured here."""
    binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        return {"loop_ms": None, "reason": "mosquitto is not installed"}
    if sys.platform != "linux":
        return {"loop_ms": None, "reason": "process states are read from /proc"}
    try:
        import jwt  # noqa: F401
        import paho.mqtt.client  # noqa: F401
    except ImportError:
        return {"loop_ms": None, "reason": "pip install 'headrace[live]'"}
    with broker(binary) as port:
        times_ms, refused = _with_factory(port, processes, rounds)
    return {
        "loop_ms": {name: float(np.quantile(times_ms, q)) for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))},
        "processes": processes,
        "rounds": rounds,
        "refused": refused,
        "reason": "",
    }


def _with_factory(port: int, processes: int, rounds: int) -> tuple[list[float], int]:
    """Run the factory in a process of its own, as it is another party, and the controller here."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    ours, theirs = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    private = [
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for key in (ours, theirs)
    ]
    public = [
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        for key in (ours, theirs)
    ]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_serve_factory, args=(there, port, private[1], public[0], processes), daemon=False)
    child.start()
    try:
        if not here.poll(START_S) or here.recv() != "ready":
            raise RuntimeError(f"the bench's factory did not start within {START_S:g} s")
        times_ms, refused = asyncio.run(_measure(port, private[0], public[1], rounds))
        here.send("stop")
        return times_ms, refused + (here.recv() if here.poll(START_S) else 0)
    finally:
        here.close()  # which also ends the factory if it still waits
        child.join(START_S)
        if child.is_alive():
            child.kill()


def _serve_factory(pipe: "Connection", port: int, private: bytes, public: bytes, processes: int) -> None:
    """The factory's process: serves until told to stop or left alone."""
    from cryptography.hazmat.primitives import serialization

    from headrace.engine.clock import WallClock
    from headrace.sim.factory import Feed, MockFactory

    with sleepers(processes) as children:
        factory = MockFactory(
            "hall1",
            host="127.0.0.1",
            port=port,
            key=serialization.load_pem_private_key(private, password=None),
            key_id="hall-1",
            clients={("//grid/v1/isv/headrace", "site-1"): serialization.load_pem_public_key(public)},
            feeds=[Feed("main-a", full_mw=FULL_MW, least_mw=0.0, move=children.stop_down_to)],
            now_s=WallClock().now_s,
        )
        factory.start()
        try:
            pipe.send("ready")
            with suppress(EOFError):
                pipe.recv()
                pipe.send(sum(factory.refused.values()))
        finally:
            factory.close()


async def _measure(port: int, private: bytes, public: bytes, rounds: int) -> tuple[list[float], int]:
    from headrace.adapters.dsx_flex import Factory, FlexController, Target, peer_of, signer_of
    from headrace.adapters.mqtt import MqttEndpoint, MqttLink
    from headrace.control.commands import Result
    from headrace.engine.clock import WallClock

    clock = WallClock()
    controller = FlexController(
        Factory(name="hall1", isv="headrace", agent="hall1"),
        MqttLink(MqttEndpoint(host="127.0.0.1", port=port, client_id="headrace")),
        signer=signer_of(private, key_id="site-1", where="bench"),
        peers=(peer_of(public, source="//grid/v1/dsx-flex-agent/hall1", key_id="hall-1", where="bench"),),
        now_us=clock.now_us,
    )
    try:
        await controller.arm(())
        times_ms = []
        for number in range(rounds):
            target = Target(feed="main-a", power_mw=LEVELS[number % len(LEVELS)], starts_us=clock.now_us())
            began = time.perf_counter()
            answers = await controller.ask([target])
            times_ms.append((time.perf_counter() - began) * 1e3)
            if answers["main-a"].result is not Result.ACKNOWLEDGED:
                raise AssertionError(f"round {number}: {answers['main-a']}")
        return times_ms, sum(controller.inspector.refused.values())
    finally:
        await controller.close()


class Sleepers:
    """Child processes that wake fifty times a second, and their states in the kernel's table.

    Parameters
    ----------
    count
        How many.
    """

    def __init__(self, count: int) -> None:
        code = "import time\nwhile True: time.sleep(0.02)"
        self._children = [subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range(count)]
        self._states = [os.open(f"/proc/{child.pid}/stat", os.O_RDONLY) for child in self._children]
        self._running = count

    def stop_down_to(self, allowed_mw: float) -> float:
        """Stop processes until no more run than the power allows; what they then draw, MW."""
        wanted = int(len(self._children) * allowed_mw / FULL_MW + 1e-9)
        for child in self._children[self._running : wanted]:
            os.kill(child.pid, signal.SIGCONT)
        for child in self._children[wanted : self._running]:
            os.kill(child.pid, signal.SIGSTOP)
        moving = range(min(wanted, self._running), max(wanted, self._running))
        deadline = time.perf_counter() + STATE_S
        while any(self._is_stopped(n) is (n < wanted) for n in moving) and time.perf_counter() < deadline:
            time.sleep(0.0002)
        self._running = wanted
        stopped = sum(self._is_stopped(n) for n in range(len(self._children)))
        return (len(self._children) - stopped) / len(self._children) * FULL_MW

    def close(self) -> None:
        """End them."""
        for child in self._children:
            child.kill()
        for child in self._children:
            child.wait(5.0)
        for state in self._states:
            os.close(state)

    def _is_stopped(self, number: int) -> bool:
        return os.pread(self._states[number], 512, 0).rsplit(b")", 1)[1][1:2] == b"T"


@contextmanager
def sleepers(count: int) -> Iterator[Sleepers]:
    """Children that are ended afterwards."""
    children = Sleepers(count)
    try:
        yield children
    finally:
        children.close()


@contextmanager
def broker(binary: str) -> Iterator[int]:
    """A mosquitto of our own on a free port of loopback, without Nagle's delay."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\nlog_type none\n"
        )
        process = subprocess.Popen([binary, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(5.0)


def wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the broker listens, at most 10 s."""
    deadline = time.perf_counter() + 10.0
    while process.poll() is None and time.perf_counter() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the bench's broker did not listen within 10 s")

"""A mosquitto broker of the test's own: free port, loopback, without Nagle's delay, stopped by its process id."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BINARY = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, port: int, more: str = "") -> subprocess.Popen[bytes]:
    """Start a broker and wait until it answers; `more` is appended to its configuration."""
    if BINARY is None:
        pytest.skip("mosquitto is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    listener = "" if "listener" in more else f"listener {port} 127.0.0.1\n"
    access = "" if "password_file" in more else "allow_anonymous true\n"
    config = folder / "mosquitto.conf"
    config.write_text(
        f"per_listener_settings false\nset_tcp_nodelay true\nuser root\npersistence false\n{listener}{access}{more}\n"
    )
    with (folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen([BINARY, "-c", str(config)], stdout=log, stderr=log)
    deadline = time.perf_counter() + 10.0
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            pytest.fail(f"mosquitto ended: {(folder / 'mosquitto.log').read_text()[-500:]}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.02)
    stop(process)
    pytest.fail("mosquitto did not listen within 10 s")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


@contextmanager
def broker(folder: Path, more: str = "") -> Iterator[int]:
    """A running broker; gives its port."""
    port = free_port()
    process = start(folder, port, more)
    try:
        yield port
    finally:
        stop(process)

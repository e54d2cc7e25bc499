"""What the demo stands on: a folder with site, devices, keys and tokens, and loopback addresses of its own."""

import os
import secrets
import shutil
import socket
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from headrace.adapters.devicefile import load_devices
from headrace.adapters.keys.chain import KeyFolder
from headrace.adapters.sitefile import load_site
from headrace.app.live.attesting import device_names
from headrace.core import BadInput
from headrace.engine.atomic import refused
from headrace.interfaces.operator.access import Rank, new_token
from headrace.settlement.identities import Role, fingerprint

__all__ = ["GATEWAY", "PROGRAMME", "VEN", "Ground", "Network", "free_port", "lay_ground"]

PROGRAMME: Final = "grid-emergency"
"""Name of the programme at the demo's grid operator."""
VEN: Final = "live-demo"
"""Name under which the site is known there, and its client id."""
GATEWAY: Final = "gateway-1"
MARK: Final = ".headrace-live-demo"
"""Names a folder that a demo made, which the next may clear."""
PORT: Final = 15020
"""Port of the demo's Modbus devices; the one by which a network is claimed."""
FIRST_NETWORK, NETWORKS = 64, 128
DAY_S: Final = 86_400

DOORS: Final = """
[[openadr3]]                            # written by `headrace live-demo`
name = "Grid operator"
vtn = "{vtn}"
programme = "{programme}"
ven = "{ven}"
authority = "grid"
secret = "file:secrets/vtn"
poll_s = 1.0
webhook_port = {webhook}
webhook_secret = "file:secrets/webhook"
within_s = {within_s}
positive_delta = "draws"

[api]
port = {api}
access = "file:secrets/access"

[telemetry]
keys = "keys"
gateway = "{gateway}"
"""


class Network:
    """A loopback network of one demo's own, claimed as long as this is open: two demos never share an address.

    Raises
    ------
    headrace.core.BadInput
        If this system has no such addresses.
    """

    def __init__(self) -> None:
        why = ""
        for number in range(NETWORKS):
            second = FIRST_NETWORK + (os.getpid() + number) % NETWORKS
            claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                claim.bind((f"127.{second}.255.1", PORT))
            except OSError as error:
                why = error.strerror or str(error)
                claim.close()
                continue
            self.second = second
            self._claim = claim
            return
        raise BadInput("127.64.0.0 to 127.191.0.0", f"no loopback address is free: {why}", "Run the demo on Linux")

    def moved(self, text: str) -> str:
        """A device file with its addresses in this network."""
        for old, new in (("127.30.", "127.{}."), ("127.31.", "127.{}.1"), ("127.32.", "127.{}.2")):
            text = text.replace(old, new.format(self.second))
        return text

    def close(self) -> None:
        """Let the network go."""
        self._claim.close()


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Files and secrets of one demo."""

    folder: Path
    """Folder of everything."""
    site: Path
    """Site file."""
    devices: Path
    """Device file."""
    run: Path
    """Folder of the engine's run."""
    token: Path
    """File with an operator's token."""
    api: str
    """Address of the operator's API."""
    authority: str
    """Fingerprint of the authority that all signatures rest on."""


def lay_ground(folder: Path, network: Network, *, vtn: str, vtn_secret: str, within_s: float, start_s: int) -> Ground:
    """Write everything that the demo's processes read.

    Parameters
    ----------
    folder
        Where; an earlier demo there is cleared away, anything else is refused.
    network
        Addresses of the devices.
    vtn, vtn_secret
        The grid operator's server, and the site's secret there.
    within_s
        How fast its orders are to be met, seconds of site time.
    start_s
        Start of site time, epoch seconds.

    Raises
    ------
    headrace.core.BadInput
        If the folder can't be used.
    """
    _clear(folder)
    sites = files("headrace.app") / "sites"
    ground = Ground(
        folder=folder,
        site=folder / "site.toml",
        devices=folder / "devices.toml",
        run=folder / "run",
        token=folder / "secrets" / "token",
        api=f"http://127.0.0.1:{(api := free_port())}",
        authority="",
    )
    access_token, access_line = new_token("demo", Rank.OPERATOR)
    for name, text in (
        ("vtn", vtn_secret),
        ("webhook", secrets.token_hex(16)),
        ("agents", secrets.token_hex(32)),
        ("miners", "admin"),  # what the simulated firmware is delivered with
        ("access", access_line),
        ("token", access_token),
    ):
        _write_secret(folder / "secrets" / name, text)
    doors = DOORS.format(
        vtn=vtn, programme=PROGRAMME, ven=VEN, webhook=free_port(), api=api, gateway=GATEWAY, within_s=within_s
    )
    text = network.moved((sites / "live_demo.devices.toml").read_text(encoding="utf-8"))
    text = text.replace("env:HEADRACE_DEMO_AGENTS", "file:secrets/agents")
    text = text.replace("env:HEADRACE_DEMO_MINERS", "file:secrets/miners")
    ground.devices.write_text(text + doors, encoding="utf-8")
    ground.site.write_text((sites / "live_demo.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return msgspec.structs.replace(ground, authority=_enrolled(ground, start_s))


def _enrolled(ground: Ground, start_s: int) -> str:
    """Make keys for the gateway and for everything that it signs for; the authority's fingerprint."""
    loaded = load_site(ground.site)
    devices = load_devices(ground.devices, loaded)
    keys = KeyFolder.create(ground.folder / "keys", loaded.site.name)
    keys.enrol(Role.GATEWAY, GATEWAY, at_s=start_s - DAY_S)
    for name in device_names(devices.inventory, tuple(each.name for each in devices.file.counter)):
        keys.enrol(Role.DEVICE, name, at_s=start_s - DAY_S)
    return fingerprint(keys.authority)


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise BadInput(str(folder), "is not empty, and no demo made it", "Give another folder with --out")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "secrets").mkdir(parents=True, mode=0o700)
        (folder / MARK).touch()
    except OSError as error:
        raise refused(folder, error) from error


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

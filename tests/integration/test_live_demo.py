"""The live demo: what it stands on, how its processes are begun and ended, and the whole of it."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flex_factory import AGENT_KEY, SITE_KEY, feed, mock, private_pem, public_pem, wall_us
from headrace.adapters.devicefile import load_devices
from headrace.adapters.sitefile import load_site
from headrace.app.live.factories import factory_drivers
from headrace.app.live.plan import live_plan
from headrace.app.live_demo.children import Child, DemoFailed
from headrace.app.live_demo.ground import Network, lay_ground
from headrace.control.commands import Action, Command, Result
from headrace.core import BadInput
from headrace.settlement.identities import fingerprint
from mosquitto import broker

START_S = 1_731_952_800
HEADRACE = [sys.executable, "-c", "from headrace.app.cli import main; main()"]


@pytest.fixture
def network():
    claimed = Network()
    yield claimed
    claimed.close()


def ground(folder: Path, network: Network):
    return lay_ground(folder, network, vtn="http://127.0.0.1:9", vtn_secret="s3cret", within_s=300.0, start_s=START_S)


def test_two_demos_never_share_an_address(network):
    other = Network()
    try:
        assert network.second != other.second
        assert network.moved('host = "127.32.1.1"') == f'host = "127.{network.second}.21.1"'
    finally:
        other.close()


def test_the_ground_is_a_site_with_doors_keys_and_secrets_that_only_their_owner_reads(tmp_path, network):
    laid = ground(tmp_path / "out", network)
    devices = load_devices(laid.devices, load_site(laid.site))
    assert {each.address.split(".")[1] for each in devices.inventory.assets} == {str(network.second)}
    (programme,) = devices.file.openadr3
    assert (programme.authority, programme.secret) == ("grid", "file:secrets/vtn")
    assert laid.api.endswith(str(devices.file.api.port))
    text = laid.devices.read_text()
    for secret in (tmp_path / "out" / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert secret.name == "miners" or secret.read_text().strip() not in text
    assert len(laid.authority.replace(" ", "")) == len(fingerprint(b"x").replace(" ", ""))


def test_only_a_demos_own_folder_is_cleared(tmp_path, network):
    laid = ground(tmp_path / "out", network)
    (laid.folder / "run").mkdir()
    assert not (ground(tmp_path / "out", network).folder / "run").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(BadInput, match="no demo made it"):
        ground(tmp_path / "mine", network)
    assert (tmp_path / "mine" / "thesis.txt").exists()


async def test_a_process_that_ends_before_it_is_ready_is_told_with_its_own_words(tmp_path):
    child = Child("headrace sim", ["nonsense"], tmp_path / "errors")
    await child.begin()
    with pytest.raises(DemoFailed, match=r"(?s)ended before it was ready.*nonsense"):
        await child.line(30.0)
    assert await child.end() == 2
    with pytest.raises(DemoFailed, match="ended with code 2"):
        child.check()


async def test_an_ai_factory_of_the_device_file_is_asked_over_the_sites_broker(tmp_path, network):
    laid = ground(tmp_path / "out", network)
    (laid.folder / "secrets" / "site.pem").write_bytes(private_pem(SITE_KEY))
    (laid.folder / "secrets" / "hall1.pem").write_bytes(public_pem(AGENT_KEY))
    before, _, after = laid.devices.read_text().partition('[[nodes]]\nname = "batch"')
    factory = """
[[dsx_flex]]
name = "hall1"
load = "batch lab"
feeder = "C"
isv = "headrace"
agent = "hall1"
signing_key = "file:secrets/site.pem"
signing_key_id = "site-1"
factory_key = "file:secrets/hall1.pem"
factory_key_id = "hall-1"
[[dsx_flex.feed]]
tag = "main-a"
full_kw = 83.2
standby_kw = 25.0
[mqtt]
port = {port}
"""
    with broker(tmp_path / "broker") as port:
        laid.devices.write_text(before + factory.format(port=port) + after[after.index("\n[") :])
        plan = live_plan(laid.site, laid.devices)
        ((name, driver),) = factory_drivers(plan, wall_us).items()
        feeds = [each for each in plan.devices.inventory.assets if each.driver == name]
        assert [(each.name, each.address) for each in feeds] == [("hall1.main-a", "main-a")]
        hall = mock(port, [feed(full_mw=0.0832, least_mw=0.01)])
        hall.start()
        try:
            await driver.arm(feeds)
            now_us = wall_us()
            stop = Command(
                id="o1.0",
                asset="hall1.main-a",
                action=Action.STOP,
                commanded_us=now_us,
                expires_us=now_us + 60_000_000,
                reason="order.grid.shed",
            )
            (outcome,) = await driver.send([stop])
            (reading,) = await driver.read()
        finally:
            await driver.close()
            hall.close()
    assert outcome.result is Result.ACKNOWLEDGED, outcome
    assert reading.power_w == pytest.approx(25_000, rel=0.01)


@pytest.mark.slow
def test_the_whole_demo_sheds_restores_and_proves_it(tmp_path):
    out = tmp_path / "out"
    told = [*HEADRACE, "live-demo", "--out", str(out), "--json"]
    ran = subprocess.run(told, capture_output=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    said = json.loads(ran.stdout)
    assert said["order"]["is_met"]
    assert said["order"]["metered_mw"] >= 0.99 * said["order"]["asked_mw"]
    assert said["order"]["in_band_s"] < said["order"]["within_s"]
    assert said["order"]["reports"] >= 1
    assert said["devices"]["silent"] == ["B.m007", "B.m041"]
    assert said["devices"]["acknowledged"] == said["devices"]["commanded"] - 2
    assert [each[:2] for each in said["devices"]["suspected"]] == ["B:"]
    assert said["restored"]["waves"] > 1
    assert said["restored"]["after_s"] is not None
    assert (said["verify"]["is_trusted"], said["verify"]["faults"]) == (True, 0)
    assert said["verify"]["signed"] == said["verify"]["intervals"] > 2
    assert said["reproduce"]["equal"]
    assert "What devices answered" in Path(said["files"]["html"]).read_text()
    assert running(out) == []


@pytest.mark.slow
def test_an_interrupted_demo_leaves_no_process(tmp_path):
    out = tmp_path / "out"
    demo = subprocess.Popen([*HEADRACE, "live-demo", "--out", str(out)], stdout=subprocess.PIPE)
    try:
        lines = [demo.stdout.readline(), demo.stdout.readline()]
        assert b"simulated site serves" in lines[1]
        assert running(out)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) != 0
    finally:
        demo.kill()
        demo.wait(10)
    deadline = time.perf_counter() + 20.0
    while running(out) and time.perf_counter() < deadline:
        time.sleep(0.1)
    assert running(out) == []


def running(out: Path) -> list[int]:
    """Processes other than this that name a folder in their command line."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes()
        except OSError:
            continue
        if str(out / "devices.toml").encode() in words and int(each.parent.name) != os.getpid():
            found.append(int(each.parent.name))
    return found

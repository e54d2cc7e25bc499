"""`headrace sim` in a process of its own, driven by the real drivers over the real protocols."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace.app.live.doors import Doors, real_doors
from headrace.app.live.plan import live_plan
from headrace.control.commands import Action, Command, Result
from headrace.engine.clock import FastClock

SITES = Path(__file__).resolve().parents[2] / "src/headrace/app/sites"
START = "2024-11-18T06:00:00Z"
START_S = 1_731_909_600.0
SPEED = 10.0
NETWORKS = {"127.30.": "127.40.", "127.31.": "127.41.", "127.32.": "127.42."}
SECRETS = {"HEADRACE_DEMO_AGENTS": "k" * 40, "HEADRACE_DEMO_MINERS": "admin"}


class Site:
    """A simulated site that runs, and the doors to it."""

    def __init__(self, doors: Doors, clock: FastClock, ready: dict, assets: dict[str, list]) -> None:
        self.doors, self.clock, self.ready, self.assets = doors, clock, ready, assets
        self.number = 0

    async def send(self, driver: str, action: Action, names: list[str], power_mw: float | None = None):
        commands = []
        for name in names:
            self.number += 1
            now_us = self.clock.now_us()
            commands.append(
                Command(
                    id=f"o.{self.number}",
                    asset=name,
                    action=action,
                    power_mw=power_mw,
                    commanded_us=now_us,
                    expires_us=now_us + 600_000_000,
                    reason="test",
                )
            )
        return await self.doors.drivers[driver].send(commands)

    def names(self, driver: str) -> list[str]:
        return [each.name for each in self.assets[driver]]

    async def meter_w(self, name: str) -> int:
        return next(each.power_w for each in await self.doors.meters.power() if each.meter == name)

    async def until(self, name: str, low_w: float, high_w: float, within_s: float = 10.0) -> int:
        """Power of a meter once it lies in a range, at most so many seconds of the wall later."""
        deadline = time.perf_counter() + within_s
        while not low_w <= (power_w := await self.meter_w(name)) <= high_w:
            assert time.perf_counter() < deadline, f"{name} shows {power_w} W, not {low_w} to {high_w}"
            await asyncio.sleep(0.02)
        return power_w

    async def ask(self, do: str, **more: object) -> dict:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ready["channel"]["port"])
        writer.write(json.dumps({"token": self.ready["channel"]["token"], "do": do} | more).encode() + b"\n")
        answer = json.loads(await reader.readline())
        writer.close()
        return answer


@contextlib.asynccontextmanager
async def running(folder: Path):
    for key, value in SECRETS.items():
        os.environ[key] = value
    site, devices = folder / "live_demo.toml", folder / "live_demo.devices.toml"
    site.write_text((SITES / "live_demo.toml").read_text(encoding="utf-8"), encoding="utf-8")
    text = (SITES / "live_demo.devices.toml").read_text(encoding="utf-8")
    for old, new in NETWORKS.items():
        text = text.replace(old, new)
    devices.write_text(text, encoding="utf-8")
    anchor_s = time.time_ns() * 1e-9
    command = [sys.executable, "-c", "from headrace.app.cli import main; main()", "sim", str(site)]
    command += ["--devices", str(devices), "--speed", str(SPEED), "--start", START, "--anchor", repr(anchor_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 60.0)
        assert line, process.stderr.read().decode()
        plan = live_plan(site, devices)
        clock = FastClock(start_s=START_S, speed_ratio=SPEED, anchor_wall_s=anchor_s)
        doors = real_doors(plan, clock)
        assets: dict[str, list] = {}
        for each in plan.devices.inventory.assets:
            assets.setdefault(each.driver, []).append(each)
        for name, driver in doors.drivers.items():
            await driver.arm(assets[name])
        yield Site(doors, clock, json.loads(line), assets)
        for driver in doors.drivers.values():
            await driver.close()
        await doors.meters.close()
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors.decode()
    assert not errors, errors.decode()


@pytest.mark.slow
async def test_every_real_driver_moves_its_devices_and_the_meters_confirm_it(tmp_path):
    async with running(tmp_path) as site:
        await site.until("A", 419_000, 421_000)
        for driver, feeder, standby_w in (("braiins", "A", 7200), ("whatsminer-v2", "B", 4800)):
            outcomes = await site.send(driver, Action.STOP, site.names(driver))
            assert {each.result for each in outcomes} == {Result.ACKNOWLEDGED}
            await site.until(feeder, standby_w - 100, standby_w + 100)
        outcomes = await site.send("agent", Action.CAP, site.names("agent")[:8], 0.006)
        outcomes += await site.send("agent", Action.STOP, site.names("agent")[8:])
        assert {each.result for each in outcomes} == {Result.ACKNOWLEDGED}
        servers_w = 8 * 6000 + 8 * 3120
        await site.until("C", servers_w - 100, servers_w + 100)
        (outcome,) = await site.send("inverter", Action.CHARGE, ["battery"], 0.1)
        assert outcome.result is Result.ACKNOWLEDGED
        await site.until("storage", 99_900, 100_100)
        await site.until("C", servers_w + 99_900, servers_w + 100_100)
        before = {each.name: each.total for each in await site.doors.meters.counters()}
        await asyncio.sleep(0.5)
        after = {each.name: each.total for each in await site.doors.meters.counters()}
        assert after["charge_wh"] > before["charge_wh"]
        assert after["import_wh"] > before["import_wh"]
        assert after["lease_delivered_gpu_s.firm lab"] > before["lease_delivered_gpu_s.firm lab"]
        assert after["lease_delivered_gpu_s.batch lab"] == before["lease_delivered_gpu_s.batch lab"]
        truth = await site.ask("truth")
        assert truth["feeder_w"]["C"] == pytest.approx(servers_w + 100_000, abs=200)


@pytest.mark.slow
async def test_faults_come_through_the_wire_and_leave_their_trace(tmp_path):
    async with running(tmp_path) as site:
        since_s = (await site.ask("truth"))["since_s"]
        for kind, target in (("lying", "A.m00*"), ("refusing", "B.m001"), ("stuck", "B.k1"), ("meter_gap", "B")):
            await site.ask("fault", fault={"kind": kind, "target": target, "start_s": since_s})
        await site.ask("truth")
        outcomes = await site.send("braiins", Action.STOP, site.names("braiins"))
        assert {each.result for each in outcomes} == {Result.ACKNOWLEDGED}
        await site.until("A", 9 * 3500 + 111 * 60 - 100, 9 * 3500 + 111 * 60 + 100)
        refused = await site.send("whatsminer-v2", Action.STOP, ["B.m001"])
        assert refused[0].result is Result.REFUSED
        assert refused[0].reason
        stuck = await site.send("coils", Action.OPEN, ["B.k1"])
        assert stuck[0].result is Result.REFUSED
        assert "did not move" in stuck[0].reason
        meters = {each.meter for each in await site.doors.meters.power()}
        assert "B" not in meters
        assert {"poi", "A", "C", "storage"} <= meters
        effects = (await site.ask("effects"))["effects"]
        stopped = [each for each in effects if each["asset"].startswith("A.") and each["changed"]]
        assert len(stopped) == len({each["asset"] for each in stopped}) == 111
        assert (await site.ask("effects", after=10_000))["effects"] == []
        assert "error" in await site.ask("nonsense")
        site.ready["channel"]["token"] = "wrong"
        assert await site.ask("truth") == {"error": "another token"}

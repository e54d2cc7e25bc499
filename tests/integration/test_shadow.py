"""A shadow beside a site that is served over the real protocols: it reads its meters, and no command reaches it."""

import asyncio
import time
from pathlib import Path

import pytest

from headrace.adapters.devicefile import load_devices
from headrace.adapters.sitefile import load_site
from headrace.app.live.plan import live_plan
from headrace.app.live.running import Run, run_live
from headrace.app.simulating import SimulatedSite
from headrace.engine.clock import FastClock
from headrace.engine.live.journal import read_live
from headrace.engine.live.records import Commanded, Decided, Observed
from headrace.sim.world.world import World

SITES = Path(__file__).resolve().parents[2] / "src/headrace/app/sites"
START_S = 1_731_909_600.0
SECRETS = {"HEADRACE_DEMO_AGENTS": "k" * 40, "HEADRACE_DEMO_MINERS": "admin"}
NETWORKS = {"127.30.": "127.50.", "127.31.": "127.51.", "127.32.": "127.52."}
SPEED = 60.0


@pytest.mark.slow
async def test_a_shadow_decides_beside_the_real_site_and_touches_nothing(tmp_path, monkeypatch):
    for key, value in SECRETS.items():
        monkeypatch.setenv(key, value)
    site, devices = tmp_path / "live_demo.toml", tmp_path / "live_demo.devices.toml"
    site.write_text((SITES / "live_demo.toml").read_text(encoding="utf-8"), encoding="utf-8")
    text = (SITES / "live_demo.devices.toml").read_text(encoding="utf-8")
    for old, new in NETWORKS.items():
        text = text.replace(old, new)
    devices.write_text(text, encoding="utf-8")
    loaded = load_site(site)
    read = load_devices(devices, loaded)
    anchor_s = time.time_ns() * 1e-9
    clock = FastClock(start_s=START_S - 60.0, speed_ratio=SPEED, anchor_wall_s=anchor_s)
    real = SimulatedSite(World(loaded.site, read.inventory, start_us=clock.now_us()), read, clock)
    await real.listen()
    try:
        plan = live_plan(site, devices, policy="always-on", poll_s=10.0)
        run = Run(
            plan=plan,
            out=tmp_path / "out",
            is_shadow=True,
            start_s=START_S - 60.0,
            speed_ratio=SPEED,
            anchor_s=anchor_s,
            last_s=900.0,
        )
        status = await asyncio.wait_for(asyncio.to_thread(run_live, run), 120.0)
    finally:
        await real.close()
    assert not real.world.effects  # not one command has reached the site
    records = read_live(tmp_path / "out" / "shadow.jsonl")[1]
    assert any(each.commands for each in records if isinstance(each, Commanded))  # though it commanded its own devices
    assert any(isinstance(each, Decided) for each in records)
    seen = [each for each in records if isinstance(each, Observed)]
    assert len(seen) >= 2
    assert {"poi", "A", "B"} <= set(seen[-1].power_w)
    assert status.is_shadow
    assert status.shadow.intervals >= 1
    assert status.shadow.real_wh == seen[-1].counters["import_wh"] - seen[0].counters["import_wh"] > 0
    assert status.shadow.decided_wh > 0
    assert not (tmp_path / "out" / "books.sqlite").exists()

"""A full disk: the reserve is given back to it and orders are met; when that is used up the engine ends, unwritten."""

import asyncio
import errno
import os
import resource
import subprocess
from contextlib import contextmanager, suppress

import msgspec
import pytest

from headrace.adapters.grid.trace import TracedMeters
from headrace.control.orders import OrderKind
from headrace.control.readings import MeterReading
from headrace.dispatch.policies import AlwaysOn
from headrace.engine.live.engine import JournalLost
from headrace.engine.live.journal import read_live
from headrace.engine.live.records import Alarmed, Commanded, Decided
from headrace.engine.spare import Spare
from headrace.interfaces.operator.audit import Audit, AuditLine
from live_cases import RULES, Campus, order

ALWAYS = msgspec.structs.replace(RULES, fsync_every=1)
HALF_HOUR_S = 1800.0


@contextmanager
def small_disk(folder, size_bytes):
    """A real file system of so many bytes."""
    folder.mkdir()
    options = f"size={size_bytes}"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def filled(folder) -> os.PathLike:
    """Take all that is left."""
    path = folder / "others"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return path


def emergency(campus, told, act):
    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.window.start_s + 430.0)
        told["filled"] = act()
        await campus.clock.sleep_until(campus.window.start_s + 440.0)
        told["met"] = await site.submit(order(campus, OrderKind.SHED, 4.0))
        await campus.clock.sleep_until(campus.window.start_s + 700.0)
        told["alarms"] = {each.code for each in site.status().alarms}

    return desk


def written_before_sent(campus) -> None:
    written = {c.id for each in campus.records() if isinstance(each, Commanded) for c in each.commands}
    assert {effect.command for effect in campus.world.effects if effect.command} <= written


class OneMeter:
    def __init__(self, at_us: int) -> None:
        self.at_us = at_us

    async def power(self):
        return (MeterReading(meter="poi", at_us=self.at_us, power_w=1_000_000),)


def test_a_grid_emergency_is_met_on_a_full_disk_and_the_reserve_is_taken_again(tmp_path):
    with small_disk(tmp_path / "disk", 6_000_000) as folder:
        campus = Campus(folder / "live.jsonl", policy=AlwaysOn, rules=ALWAYS)
        campus.spare = Spare(folder / "live.spare", 3_000_000)
        assert campus.spare.keep()
        told = {}

        async def tidied(site) -> None:
            await campus.clock.sleep_until(campus.window.start_s + 900.0)
            told["filled"].unlink()

        campus.run(HALF_HOUR_S, emergency(campus, told, lambda: filled(folder)), tidied)
        assert told["met"].is_met
        assert "journal.disk" in told["alarms"]
        assert [
            each.is_up for each in campus.records() if isinstance(each, Alarmed) and each.code == "journal.disk"
        ] == [
            True,
            False,
        ]
        assert campus.spare.is_whole
        assert len([each for each in campus.records() if isinstance(each, Decided)]) == 6
        written_before_sent(campus)


def test_when_the_reserve_is_used_up_devices_stay_as_told_and_the_engine_goes_on_later(tmp_path):
    with small_disk(tmp_path / "disk", 1_200_000) as folder:
        campus = Campus(folder / "live.jsonl", policy=AlwaysOn, rules=ALWAYS)
        campus.spare = Spare(folder / "live.spare", 20_000)
        told = {}
        with pytest.raises(JournalLost, match="No space left"):
            campus.run(4 * HALF_HOUR_S, emergency(campus, told, lambda: filled(folder)))
        written_before_sent(campus)
        lines = read_live(campus.path)[1]
        told["filled"].unlink()
        campus.run(HALF_HOUR_S)
        assert campus.records()[: len(lines)] == lines
        written_before_sent(campus)


def test_a_file_that_may_grow_no_further_ends_the_engine_with_whole_lines(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn, rules=ALWAYS)
    campus.spare = Spare(tmp_path / "live.spare", 100_000)
    campus.run(400.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (campus.path.stat().st_size + 5_000, hard))
    try:
        with pytest.raises(JournalLost, match="too large"):
            campus.run(4 * HALF_HOUR_S)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    whole = campus.path.read_bytes()
    assert whole.endswith(b"\n")
    campus.run(HALF_HOUR_S)
    assert campus.path.read_bytes().startswith(whole)
    written_before_sent(campus)


def test_what_an_fsync_refuses_is_written_once_when_the_reserve_makes_room(tmp_path, monkeypatch):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn, rules=ALWAYS)
    campus.spare = Spare(tmp_path / "live.spare", 1_000_000)
    before, refused = os.fsync, []

    def full(descriptor: int) -> None:
        if campus.clock.now_s() > campus.window.start_s + 300.0 and campus.spare.is_whole and not refused:
            refused.append(descriptor)
            raise OSError(errno.ENOSPC, "No space left on device")
        before(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    campus.spare.keep()
    campus.run(HALF_HOUR_S)
    assert refused
    read_live(campus.path)  # every line continues the chain: none is there twice
    written_before_sent(campus)


def test_the_audit_of_an_order_makes_room_too_and_leaves_whole_lines(tmp_path):
    line = AuditLine(at_us=1, who="maria", peer="127.0.0.1", what="POST /v1/orders", detail="shed", outcome="202")
    with small_disk(tmp_path / "disk", 2_000_000) as folder:
        spare = Spare(folder / "live.spare", 100_000)
        audit = Audit(folder / "audit.jsonl", spare.give)
        audit.write(line)
        assert spare.keep()
        filled(folder)
        for _ in range(60):
            audit.write(line)
        audit.close()
        lines = (folder / "audit.jsonl").read_bytes().splitlines()
        assert [msgspec.json.decode(each, type=AuditLine) for each in lines] == [line] * 61


def test_the_trace_keeps_the_days_that_are_declared_and_leaves_a_full_disk_to_the_journal(tmp_path):
    day_us = 86_400_000_000
    for day in ("2023-12-30", "2023-12-31", "2024-01-01"):
        (tmp_path / f"{day}.csv").write_text("at_us,meter,power_w\n")
    is_full = []
    meter = OneMeter(at_us=19723 * day_us)  # 2024-01-01
    traced = TracedMeters(meter, tmp_path, keep_days=2, may_write=lambda: not is_full)
    asyncio.run(traced.power())
    meter.at_us += day_us
    asyncio.run(traced.power())
    is_full.append(True)
    meter.at_us += day_us
    asyncio.run(traced.power())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2023-12-31.csv", "2024-01-01.csv", "2024-01-02.csv"]
    assert traced.unwritten == 1

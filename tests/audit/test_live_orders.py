"""What orders bind, by the simulated world's own power and not by anything the engine says of itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from audit import live_books as books
from audit.live_day import START_S, run_day

pytest.importorskip("headrace.sim.world", reason="the simulated site's packages are not installed")


def powers(folder: Path, first_h: float, last_h: float) -> list[dict[str, Any]]:
    """The world's rows of a stretch of the day."""
    rows = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    return [row for row in rows if first_h <= (row["at_us"] / 1e6 - START_S) / 3600 <= last_h]


def test_an_order_on_a_feeder_binds_until_it_is_ended(tmp_path: Path) -> None:
    run_day(
        tmp_path,
        hours=0.75,
        faults=(),
        orders=(
            {"at_h": 0.05, "id": "safe.1", "kind": "limit", "authority": 0, "mw": 0.10, "feeder": "A"},
            {"at_h": 0.5, "id": "safe.2", "kind": "restore", "authority": 0, "ends": "safe.1"},
        ),
    )
    most_w = max(row["feeder_w"]["A"] for row in powers(tmp_path, 0.06, 0.5))
    assert most_w <= 100_000 * 1.005
    assert powers(tmp_path, 0.74, 0.75)[-1]["feeder_w"]["A"] > 400_000


def test_what_a_restore_brings_back_the_plan_does_not_take_off_again(tmp_path: Path) -> None:
    run_day(
        tmp_path,
        hours=0.8,
        faults=(),
        orders=(
            {"at_h": 0.05, "id": "op.1", "kind": "shed", "authority": 2, "mw": 0.15, "for_h": 2.0},
            {"at_h": 0.06, "id": "grid.1", "kind": "shed", "authority": 1, "mw": 0.30},
            {"at_h": 0.5, "id": "grid.2", "kind": "restore", "authority": 1, "ends": "grid.1"},
        ),
    )
    day = books.Day(tmp_path)
    woken: dict[str, int] = {}
    for record in day.of("commanded"):
        for command in record["commands"]:
            if command["reason"] == "restore":
                woken[command["asset"]] = record["at_us"]
            elif command["action"] == "stop" and command["asset"] in woken:
                pytest.fail(
                    f"{command['asset']} was woken and stopped {record['at_us'] - woken[command['asset']]} us later"
                )

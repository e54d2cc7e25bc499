"""What orders bind, by the simulated world's own power and not by anything the engine says of itself."""

import json
from itertools import pairwise
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


def test_programmes_and_called_reserve_keep_to_the_registered_ramp(tmp_path: Path) -> None:
    run_day(
        tmp_path,
        hours=1.5,
        faults=(),
        orders=(
            {"at_h": 0.1, "id": "dr.1", "kind": "shed", "authority": 5, "mw": 0.80, "for_h": 0.3, "within_s": 600.0},
            {"at_h": 0.8, "id": "res.1", "kind": "shed", "authority": 3, "mw": 0.80, "for_h": 0.3, "within_s": 120.0},
        ),
    )
    rows = powers(tmp_path, 0.0, 1.5)
    for before, after in pairwise(rows):  # ten seconds apart, and a minute of ramp saved up
        most_w = 0.5e6 / 60 * (60 + (after["at_us"] - before["at_us"]) / 1e6)
        assert before["net_w"] - after["net_w"] <= most_w * 1.05  # overheads fall with their machines
    day = books.Day(tmp_path)
    books.check_ramps(day)
    told = books.check_orders(day)
    assert day.wrong == []
    assert all("True" in line for line in told)


def test_the_plan_does_not_raise_past_an_order_that_asks_for_export(tmp_path: Path) -> None:
    run_day(
        tmp_path,
        hours=0.6,
        faults=(),
        orders=({"at_h": 0.05, "id": "grid.1", "kind": "shed", "authority": 1, "mw": 0.95},),
    )
    before_w = powers(tmp_path, 0.0, 0.05)[-1]["net_w"]
    assert max(row["net_w"] for row in powers(tmp_path, 0.06, 0.6)) <= before_w - 0.95e6


def test_a_limit_of_a_programme_is_reached_along_its_line(tmp_path: Path) -> None:
    run_day(
        tmp_path,
        hours=0.6,
        faults=(),
        orders=(
            {"at_h": 0.1, "id": "dr.1", "kind": "limit", "authority": 5, "mw": 0.45, "for_h": 0.4, "within_s": 600.0},
        ),
    )
    rows = powers(tmp_path, 0.1, 0.1 + 600 / 3600)
    first_w, start_us = rows[0]["net_w"], rows[0]["at_us"]
    for row in rows:
        line_w = first_w + (450_000.0 - first_w) * (row["at_us"] - start_us) / 600e6
        assert row["net_w"] <= line_w + 40_000.0, (row["at_us"] - start_us) / 1e6
    told = [record for record in books.Day(tmp_path).of("delivered") if record["order"] == "dr.1"]
    assert [record["is_met"] for record in told] == [False, True]


def test_a_battery_that_was_out_of_reach_is_told_once_it_is_back(tmp_path: Path) -> None:
    run_day(tmp_path, hours=0.4, faults=(("link", "battery", 0.2, 0.27, 0.0),), orders=())
    assert powers(tmp_path, 0.3, 0.4)[-1]["battery_w"] == pytest.approx(-200_000.0, rel=0.01)


def test_a_result_that_no_meter_showed_says_so(tmp_path: Path) -> None:
    run_day(
        tmp_path,
        hours=0.3,
        faults=(("meter_gap", "poi", 0.05, 0.3, 0.0),),
        orders=({"at_h": 0.1, "id": "op.1", "kind": "shed", "authority": 2, "mw": 0.2, "for_h": 0.1},),
    )
    (told,) = (record for record in books.Day(tmp_path).of("delivered") if record["order"] == "op.1")
    assert "meter.silent" in told["reasons"]


def test_energy_of_each_load_is_counted_once_over_a_silence_of_its_meters(tmp_path: Path) -> None:
    run_day(tmp_path, hours=1.0, faults=(("meter_gap", "*", 0.24, 0.6, 0.0),), orders=())
    day = books.Day(tmp_path)
    books.check_energy(day)
    books.check_energy_truth(day)
    assert day.wrong == []

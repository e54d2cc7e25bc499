"""A day at the live demo with orders, mute, deaf and lying devices and silent meters, and the same day replayed."""

from pathlib import Path

import polars as pl
import pytest

from audit import live_books as books
from audit.live_day import SITES, run_day
from command_line import run as headrace

CHECKS = (
    books.check_intervals,
    books.check_energy,
    books.check_money,
    books.check_commands,
    books.check_ladder,
    books.check_ramps,
    books.check_rest,
    books.check_orders,
    books.check_energy_truth,
)
BILLED = ("import_wh", "export_wh", "energy_bought", "energy_sold", "adders", "ai_firm", "ai_curtailable", "wear")


@pytest.mark.slow
def test_nothing_in_a_troubled_day_contradicts_its_records_or_the_world(tmp_path: Path) -> None:
    run_day(tmp_path)
    day = books.Day(tmp_path)
    for check in CHECKS:
        check(day)
    storage = ("charge_wh", "discharge_wh")  # that meter began again from nothing: what it lost nobody can know
    assert [each for each in day.wrong if not each.startswith(storage)] == []


def test_a_live_day_without_trouble_is_the_replayed_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_day(tmp_path, hours=2.01, faults=(), orders=(), poll_s=30.0)
    # A replay knows the end of its period and empties the battery before it: it runs longer than what is compared.
    dates = ("--from", "2024-11-18", "--to", "2024-11-21", "--policies", "rolling", "--no-sensitivities")
    headrace(capsys, monkeypatch, "replay", SITES / "live_demo.toml", *dates, "--out", tmp_path / "replay")
    day = books.Day(tmp_path)
    for check in CHECKS:
        check(day)
    assert day.wrong == []
    live, replayed = books.check_money(day), pl.read_parquet(tmp_path / "replay" / "settlements" / "rolling.parquet")
    replayed = replayed.head(8)
    for name in BILLED:
        column = name if name in replayed.columns else f"{name}_usd_micro"
        assert live[name] == pytest.approx(replayed[column].sum(), rel=1e-4), name
    steps = pl.read_parquet(tmp_path / "replay" / "intervals" / "rolling.parquet")
    for record, step in zip(day.of("closed"), steps.iter_rows(named=True), strict=False):
        meters = record["cycle"]["reading"][0]
        assert (meters[4] - meters[5]) * 12e-6 == pytest.approx(step["charge_mw"] - step["discharge_mw"], abs=1e-3)

"""A dated charge on the month's own peak, measured over 15, 30 or 60 minutes of the clock."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.adapters.sitefile import SiteFileError, parse_site
from replays import SITES, days_of, demo_site, run

RATE = 6_000.0


def charge(*, rate=RATE, start="2020-01-01", end="2030-01-01", more="interval_min = 30"):
    return f"""
[[charge]]
kind = "monthly-peak"
name = "demand"
start = {start}
end = {end}
source = "assumed"
peak_usd_per_mw_month = {rate}
{more}
"""


def site(tables, *, undated="0.0"):
    text = (SITES / "demo.toml").read_text(encoding="utf-8")
    text = re.sub(r"^(\[tariff\].*\n)", rf"\1peak_charge_usd_per_mw_month = {undated}\n", text, flags=re.MULTILINE)
    return parse_site(text.replace("\n[battery]", f"{tables}\n[battery]", 1), Path("demo.toml"))


def highest_mw(each, minutes):
    """Highest mean over measuring intervals of the clock, from the settled energy."""
    of = pl.col("interval_start").dt.truncate(f"{minutes}m")
    return each.settlements.group_by(of).agg(pl.col("import_wh").sum())["import_wh"].max() * 60 / minutes / 1e6


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_the_peak_is_the_highest_mean_over_a_measuring_interval(minutes):
    loaded = site(charge(more=f"interval_min = {minutes}"))
    result = run(loaded, days_of(loaded, 3, 1), ("always-on", "desk", "rolling", "bound"))
    for label in ("always-on", "desk", "rolling", "bound"):
        each = result.run(label)
        assert -each.lines_ccy["peak"] == pytest.approx(RATE * highest_mw(each, minutes), abs=0.01)
    best = max(each.margin_ccy for each in result.runs)
    assert best == result.run("bound").margin_ccy


def test_a_charge_of_any_length_equals_the_undated_one_where_import_is_even():
    dated, undated = site(charge(more="interval_min = 15")), site("", undated=str(RATE))
    results = [run(each, days_of(each, 3, 1), ("bound",)).run("bound") for each in (dated, undated)]
    assert results[0].margin_ccy == pytest.approx(results[1].margin_ccy, rel=1e-4)


@pytest.mark.inv("R2")
@pytest.mark.parametrize("minutes", [30, 60])
def test_a_replay_killed_inside_a_measuring_interval_resumes_to_the_same_bytes(tmp_path, minutes):
    loaded = site(charge(more=f"interval_min = {minutes}"))
    window = days_of(loaded, 3, 1)
    run(loaded, window, ("rolling",), tmp_path)
    path = tmp_path / "rolling.jsonl"
    original = path.read_bytes()
    for cut in np.random.default_rng(3).integers(len(original) // 4, len(original), 3).tolist():
        path.write_bytes(original[:cut])
        run(loaded, window, ("rolling",), tmp_path, resume=True)
        assert path.read_bytes() == original, f"cut at byte {cut}"


def test_each_month_is_charged_at_its_own_rate_and_the_bound_knows_both():
    loaded = demo_site()
    window = days_of(loaded, 0, 1)
    month = window.start.strftime("%Y-%m")
    first = int(month[:4]) * 12 + int(month[5:])
    turn = f"{first // 12}-{first % 12 + 1:02d}-01"
    dated = site(charge(end=turn) + charge(rate=500.0, start=turn, end="2030-01-01"))
    last_day = (np.datetime64(turn) - np.datetime64(window.start.date())).astype(int) - 1
    result = run(dated, days_of(dated, int(last_day), 2), ("rolling", "bound"))
    for label in ("rolling", "bound"):
        each = result.run(label)
        zone = dated.site.time_zone
        local = each.settlements.with_columns(month=pl.col("interval_start").dt.convert_time_zone(zone).dt.month())
        owed = 0.0
        for (number,), part in local.group_by("month"):
            means = part.group_by(pl.col("interval_start").dt.truncate("30m")).agg(pl.col("import_wh").sum())
            rate = RATE if number == window.start.month else 500.0
            owed += rate * means["import_wh"].max() * 2 / 1e6
        assert -each.lines_ccy["peak"] == pytest.approx(owed, abs=0.02)
    assert result.run("bound").margin_ccy >= result.run("rolling").margin_ccy


def test_part_of_a_month_is_charged_in_full_or_by_its_share_as_declared():
    loaded = demo_site()
    window = days_of(loaded, 3, 1)
    start = window.start.strftime("%Y-%m-%d")
    owed = []
    for more in ("is_pro_rata = false", "is_pro_rata = true"):
        each = site(charge(start=start, more=more))
        owed.append(-run(each, window, ("always-on",)).run("always-on").lines_ccy["peak"])
    assert start == "2024-11-07"
    november_h = 30 * 24 + 1  # clocks went back on the third
    assert owed[1] / owed[0] == pytest.approx(24 * 24 / november_h, rel=1e-6)


@pytest.mark.parametrize(
    ("tables", "undated", "said"),
    [
        (charge(), "500.0", "is charged beside tariff.peak_charge_usd_per_mw_month"),
        (charge(more="interval_min = 20"), "0.0", "must be 15, 30 or 60"),
        (charge() + charge().replace("demand", "other"), "0.0", "is a second monthly peak"),
        (charge(end="2023-08-15") + charge(start="2023-08-15"), "0.0", "must be a month's first instant"),
    ],
)
def test_a_monthly_peak_that_contradicts_itself_or_the_tariff_is_refused(tables, undated, said):
    with pytest.raises(SiteFileError, match=re.escape(said)):
        site(tables, undated=undated)

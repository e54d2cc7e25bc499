"""A day that was a coincident peak, 10 August 2023 in ERCOT, and what every policy paid for it."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from headrace.adapters.sitefile import parse_site
from headrace.core import Interval
from headrace.engine.cashflow import cash_terms, run_cash
from headrace.interfaces.report.cfo import cfo_section
from headrace.interfaces.report.figures import board_json
from headrace.interfaces.report.peaks import peak_alarms, peak_hours, peak_section
from replays import SITES, run

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
pytestmark = pytest.mark.skipif(not (DATA / "energy").is_dir(), reason=f"no recorded data at {DATA}")

CHARGES = """
[[charge]]
kind = "four-peaks"
name = "transmission"
start = 2023-01-01
end = 2024-01-01
source = "assumed"
peak_usd_per_mw_year = 64000.0
interval_min = 60
load = "system_load"
temperature = "system_temperature"

[[charge]]
kind = "losses"
name = "losses"
start = 2023-01-01
end = 2024-01-01
source = "assumed"
loss_ratio = 0.02

[[charge]]
kind = "fixed"
name = "meter"
start = 2023-01-01
end = 2024-01-01
source = "assumed"
fixed_usd_per_month = 3100.0

[battery]
"""
LABELS = ("always-on", "desk", "rolling", "bound")


@pytest.fixture(scope="module")
def result():
    text = (SITES / "texas_100mw.toml").read_text(encoding="utf-8").replace("[battery]\n", CHARGES, 1)
    # Day-ahead prices by point are not on record for 2023.
    lines = [line for line in text.splitlines() if not line.startswith(("day_ahead", "hub_"))]
    lines += ['system_load = "ercot.system_generation"', 'system_temperature = "weather.dallas"']
    loaded = parse_site("\n".join(lines), Path("peak_day.toml"))
    window = Interval(start=datetime(2023, 8, 10, 5, tzinfo=UTC), end=datetime(2023, 8, 11, 5, tzinfo=UTC))
    return run(loaded, window, LABELS, data=DATA)


def test_the_peak_is_charged_to_the_import_of_its_hour(result):
    for label in LABELS:
        each = result.run(label)
        (peak,) = peak_hours(result.site, each)
        assert f"{peak.start:%d %H:%M}" == "10 17:00"
        assert -each.lines_ccy["transmission"] == pytest.approx(16_000.0 * peak.import_mw, rel=1e-6)


def test_who_knows_more_pays_less_for_the_peak(result):
    always_on, desk, rolling, bound = (-result.run(label).lines_ccy["transmission"] for label in LABELS)
    assert always_on > desk > bound
    assert always_on > rolling > bound
    margins = [result.run(label).margin_ccy for label in LABELS]
    assert max(margins) == margins[-1]


def test_the_peak_day_is_a_right_alarm_and_told(result):
    (alarm,) = peak_alarms(result.site, result.run("rolling"))
    assert alarm.is_right
    assert alarm.cost_ccy > 0.0
    section = peak_section(result)
    assert section is not None
    assert "missed 0" in section.words[0]


def test_prices_seen_are_market_prices_alone(result):
    """No adder, no losses and no price of a peak is left in them: nobody saw a price that was not published."""
    published = result.run("always-on").intervals["price"].to_numpy()
    for label in ("always-on", "desk", "bound"):
        seen = result.run(label).intervals["price_seen"].to_numpy()
        if label == "bound":
            np.testing.assert_allclose(seen, published, atol=1e-6)
        else:
            np.testing.assert_allclose(np.isin(seen[36:].round(6), published.round(6)), True)


def test_a_days_fixed_charge_is_its_part_of_the_month(result):
    assert result.run("rolling").lines_ccy["fixed_charges"] == pytest.approx(-100.0, abs=1e-6)


def test_a_peak_of_this_summer_is_paid_in_the_months_of_the_next_year(result):
    each = result.run("rolling")
    days = run_cash(result.site, each)
    parties = [payment.party for payment in cash_terms(result.site).payments]

    def paid(party):
        row = parties.index(party)
        return {date(1970, 1, 1) + timedelta(days=day.day): day.by_party[row] for day in days if day.by_party[row]}

    peaks = paid("transmission")
    assert list(peaks) == [date(2024 + m // 12, m % 12 + 1, 1) - timedelta(days=1) for m in range(1, 13)]
    assert sum(peaks.values()) == round(each.lines_ccy["transmission"] * 1e6)
    assert max(peaks.values()) - min(peaks.values()) <= 1
    assert paid("network")[date(2023, 9, 30)] == round(each.lines_ccy["fixed_charges"] * 1e6)


def test_the_page_and_the_json_tell_false_alarms_and_missed_peaks_beside_the_sum(result):
    memos = {each["label"]: each for each in board_json(result)["coincident_peaks"]}
    # The price alone stops the desk's miners at the peak; its AI runs on, which hindsight would have stopped.
    assert [memos[label]["missed"] for label in LABELS] == [1, 1, 0, 0]
    assert memos["desk"]["missed_ccy"] < memos["always-on"]["missed_ccy"]
    assert 0.0 < memos["always-on"]["missed_ccy"] < -result.run("always-on").lines_ccy["transmission"]
    assert memos["always-on"]["alarms"] == memos["bound"]["false_alarms"] == 0
    (table,) = cfo_section(result).tables
    names = [row[0] for row in table.rows]
    assert names.index("False alarms (memo)") > names.index("Margin")
    assert table.rows[names.index("Missed peaks (memo)")][1].startswith("-")
    assert [row[0] for i, row in enumerate(table.rows) if i in table.key] == ["Margin"]

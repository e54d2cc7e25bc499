"""A live site through everything that can go wrong, under a seed: a failure prints it, and it becomes a test here."""

import pytest

from headrace.app.bench.soak import real_soak, soak

HOURS_6 = 0.25
SHORT_SEED = 7
FOUND = (1, 2, 3)
"""Seeds of days that once failed: alarms that stayed up, a feeder's order undone, a battery beyond the ramp."""


def check(figures) -> None:
    case = f"seed {figures['seed']}, {figures['days']:g} days: {figures['broken']}: " + "; ".join(figures["told"])
    assert figures["is_sound"], case
    assert figures["firm_cut_for_money"] == figures["journal_lost"] == figures["duplicated_effects"] == 0, case
    assert figures["records"] > 0, case


def test_a_site_comes_through_hours_of_faults_deaths_and_orders(tmp_path):
    check(soak(tmp_path / "live.jsonl", data=None, days=HOURS_6, seed=SHORT_SEED, policy="always-on", poll_s=10.0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", FOUND)
def test_days_that_once_failed_are_sound(tmp_path, seed):
    check(soak(tmp_path / "live.jsonl", data=None, days=1.0, seed=seed, policy="always-on", poll_s=5.0))


@pytest.mark.slow
def test_a_site_comes_through_two_days_watched_every_second(tmp_path):
    """The week is `headrace bench soak`: its second day found a feed door that ended the engine."""
    figures = soak(tmp_path / "live.jsonl", data=None, days=2.0, seed=1)
    check(figures)
    assert figures["memory_growth_mb"] < 0.1 * figures["memory_mb"], "memory is flat"


@pytest.mark.slow
def test_a_site_comes_through_an_hour_over_the_real_protocols(tmp_path):
    pytest.importorskip("uvloop")
    check(real_soak(tmp_path, hours=1.0, seed=2))

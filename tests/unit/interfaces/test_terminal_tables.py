"""Terminal tables fit 100 columns, carry currency and unit, and treat names as text."""

import io

import pytest
from rich.console import Console

from headrace.core import BadInput, Currency
from headrace.interfaces.moments import chosen_moments, ladder_at
from headrace.interfaces.terminal import gaps_table, ladder_table, policy_table, replay_progress
from result_builder import build_result, build_site


def _printed(table, width=100):
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


@pytest.fixture(scope="module")
def result():
    return build_result(days=3)


def test_every_policy_stands_on_one_line_with_its_shares(result):
    lines = _printed(policy_table(result)).splitlines()
    rolling = next(line for line in lines if "Rolling re-optimisation" in line)
    assert rolling.count("%") == 2
    assert max(len(line) for line in lines) <= 100
    assert any("HB_SOUTH is a trading hub" in line for line in lines)


def test_a_ladder_prints_every_rung_and_every_sentence(result):
    ladder = chosen_moments(result.site, result.run("rolling"))[0].ladder
    text = _printed(ladder_table(ladder))
    assert all(rung.name in text for rung in (*ladder.rungs, *ladder.sources))
    assert all(sentence in text for sentence in ladder.sentences)
    assert max(len(line) for line in text.splitlines()) <= 100


def test_money_has_the_sites_currency():
    result = build_result(days=2, site=build_site(currency=Currency.CAD), sensitivities=False)
    assert "CAD" in _printed(policy_table(result))
    assert "CAD/MWh" in _printed(ladder_table(chosen_moments(result.site, result.run("rolling"))[0].ladder))


def test_a_name_in_square_brackets_is_printed_not_obeyed():
    result = build_result(days=2, site=build_site(name="[red]North[/red]"), sensitivities=False)
    assert "[red]North[/red]" in _printed(policy_table(result))


def test_gaps_are_listed_with_what_stood_in_and_none_is_said(result):
    assert "day-ahead price of the hour" in _printed(gaps_table(result))
    assert "None." in _printed(gaps_table(build_result(days=2, gaps=False, sensitivities=False)))


def test_progress_is_silent_where_the_output_is_no_terminal():
    out = io.StringIO()
    with replay_progress(Console(file=out)) as tick:
        tick(1, 2, "rolling")
        tick(2, 2, "rolling")
    assert out.getvalue().strip() == ""


def test_progress_shows_each_run_on_a_terminal():
    out = io.StringIO()
    with replay_progress(Console(file=out, force_terminal=True, width=100)) as tick:
        tick(1, 2, "rolling")
        tick(1, 4, "bound")
    assert "rolling" in out.getvalue()
    assert "bound" in out.getvalue()


def test_a_time_outside_the_replay_is_refused_with_the_window(result):
    with pytest.raises(BadInput, match="the replay covers 2022-02-11T06:00:00"):
        ladder_at(result.site, result.run("rolling"), result.window.end)


def test_the_ladder_of_a_time_is_that_of_the_interval_that_holds_it(result):
    run, start = result.run("rolling"), result.window.start
    first = ladder_at(result.site, run, start)
    within = ladder_at(result.site, run, start.replace(minute=4, second=59))
    assert first == within
    assert first.residual_mw == pytest.approx(0.0, abs=1e-9)

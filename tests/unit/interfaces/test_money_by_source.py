"""The first page's money: every column adds up to its policy's margin, and the years to the whole."""

from datetime import UTC, datetime

import pytest

from headrace.interfaces.report.cfo import cfo_section, money_by_source, years_of
from headrace.interfaces.report.page import render
from result_builder import build_result


@pytest.fixture(scope="module")
def two_years():
    """Four days over New Year in Chicago."""
    return build_result(days=4, start=datetime(2022, 12, 30, 6, tzinfo=UTC))


def test_sources_add_up_to_the_margin_of_every_policy(two_years):
    for result in (two_years, *(part for _, part in years_of(two_years))):
        headline = [run for run in result.runs if run.is_headline]
        for column, run in enumerate(headline):
            total = sum(row.by_policy_ccy[column] for row in money_by_source(result))
            assert total == pytest.approx(run.margin_ccy, abs=1e-3), run.label


def test_the_years_are_the_sites_own_and_add_up_to_the_whole(two_years):
    years = years_of(two_years)
    assert [year for year, _ in years] == [2022, 2023]
    assert years[0][1].window.end == datetime(2023, 1, 1, 6, tzinfo=UTC)
    for run in two_years.runs:
        parts = [part.run(run.label) for _, part in years]
        assert sum(part.intervals.height for part in parts) == run.intervals.height
        assert sum(part.mining_sats for part in parts) == run.mining_sats
        for line, ccy in run.lines_ccy.items():
            assert sum(part.lines_ccy[line] for part in parts) == pytest.approx(ccy, abs=1e-6)


def test_the_page_has_a_table_a_year_before_the_ladder(two_years):
    captions = [table.caption for table in cfo_section(two_years).tables]
    assert [caption[:5] for caption in captions] == ["2022:", "2023:"]
    page = render(two_years)
    assert page.index('id="money"') < page.index('id="ladder"')

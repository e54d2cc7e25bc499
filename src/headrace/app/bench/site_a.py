"""Site (a) on recorded prices through the product's own replay: dollars a year, and what a late price costs.

Site (a) settles at the West load zone, so its own rows are that zone's years; other points of the same market are what
it would earn there. Where a year's day-ahead prices exist as hub average only, the row says so. The reference campus
compares algorithms; this one is a business case, and there is no bar to reach.
"""

from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from headrace.adapters.sitefile import load_site
from headrace.app.bench.series import SeriesSpec, local_year, spec_named
from headrace.app.replaying import HEADLINE, replay
from headrace.core import BadInput, Interval
from headrace.engine.results import ReplayResult
from headrace.interfaces.report.margins import policy_figures, sensitivity_figures

__all__ = ["SITE_A_SERIES", "site_a_row", "site_a_row_or_none"]

SITE_A_SERIES: Final = tuple(f"ercot_lz_west_{year}" for year in (2020, 2021, 2022, 2023, 2024))
"""Every year on record at the site's own settlement point."""

KNOWN: Final = "rolling, price known"
HOURS_PER_YEAR: Final = 8760.0


def site_a_row(name: str, data: Path) -> dict[str, Any]:
    """Replay site (a) over one year of one settlement point.

    Parameters
    ----------
    name
        Series of `bench value`, of the site's market.
    data
        Folder of recorded data.

    Returns
    -------
    dict
        By policy `usd_per_year`, the same without the best 20 hours and without 13-19 February 2021 (None in other
        years), `share_of_gain`; by row `late_price_cost_usd_per_year`.

    Raises
    ------
    BadInput
        If the series is of another market, or the data do not cover it.
    """
    spec = spec_named(name)
    if not name.startswith("ercot_"):
        raise BadInput(name, "site (a) stands in ERCOT", "choose a series of ERCOT")
    result = _replayed(spec, data)
    per_year = HOURS_PER_YEAR / (result.window.duration.total_seconds() / 3600.0)
    row: dict[str, Any] = {
        figures.label: {
            "usd_per_year": figures.margin_ccy * per_year,
            "usd_per_year_without_best_20_h": figures.less_best_hours_ccy * per_year,
            "usd_per_year_without_storm": None if figures.less_storm_ccy is None else figures.less_storm_ccy * per_year,
            "share_of_gain": figures.share_of_gain_ratio,
            "share_of_gain_without_best_20_h": figures.less_best_hours_share_of_gain_ratio,
            "share_of_gain_without_storm": figures.less_storm_share_of_gain_ratio,
        }
        for figures in policy_figures(result)
    }
    known = next(figures for figures in sensitivity_figures(result) if figures.label == KNOWN)
    row["late_price_cost_usd_per_year"] = known.over_headline_ccy * per_year
    row["note"] = spec.note
    return row


def site_a_row_or_none(name: str, data: Path) -> dict[str, Any] | None:
    """The row, or None for a series of another market: the site stands in ERCOT."""
    return site_a_row(name, data) if name.startswith("ercot_") else None


def _replayed(spec: SeriesSpec, data: Path) -> ReplayResult:
    """Headline policies at the published price, and rolling with the price known."""
    point = spec.name.removeprefix("ercot_").rpartition("_")[0]
    ahead = "hb_hubavg" if "hubavg" in (spec.day_ahead or ("",))[0] else point
    with resources.as_file(resources.files("headrace.app") / "sites" / "texas_100mw.toml") as path:
        loaded = load_site(path)
    feeds = loaded.feeds | {"real_time": f"ercot.real_time.{point}", "day_ahead": f"ercot.day_ahead.{ahead}"}
    del feeds["carbon"]  # decides nothing, and does not reach every year
    start_s, end_s = local_year(spec)
    return replay(
        msgspec.structs.replace(loaded, feeds=feeds),
        data_dir=data,
        window=Interval.from_epoch(start_s, end_s),
        labels=(*HEADLINE, KNOWN),
        journals=None,
        resume=False,
        progress=lambda _label: lambda _done, _of: None,
    )

"""`headrace bench forecasts`: how far the forecasts of the policies miss, by lead time, beside simple ones.

Mean absolute error over a year, a forecast made every hour from what was known then. `hold` repeats the newest known
value. `plain` is the rule before: yesterday's temperature and demand with the present deviation fading
(6 h and 2 h), for the price the day-ahead price with the deviation fading with 1 h. `present` is what the policies use.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.app.bench.machine import machine, versions
from headrace.core import BadInput, Interval
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.outlook import BASE_DAYS, DEMAND_FADE_S, PRICE_FADE_S, WEATHER_FADE_S
from headrace.dispatch.price_change import PriceChange
from headrace.energy import Series
from headrace.energy.forecast import forecast

__all__ = ["LEADS_H", "bench_forecasts", "print_forecasts"]

Floats = NDArray[np.float64]

LEADS_H: Final = (0, 1, 2, 4, 8, 12, 24, 36)
METHODS: Final = ("hold", "plain", "present")
HOUR_S: Final = 3600
HISTORY_S: Final = 30 * 86_400
"""Days before the year that are read, so that the first forecasts have a past."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A series that is forecast over one year."""

    live: str
    """Catalogue name."""
    year: int
    """Calendar year, UTC."""
    time_zone: str
    """IANA zone that its publication times are in."""
    day_ahead: str | None = None
    """Catalogue name of the price's base; None where the base is the series itself."""
    plain_fade_s: float = HOUR_S
    """Fade of the plain rule, seconds."""
    fade_s: float = PRICE_FADE_S
    """Fade of the present rule, seconds."""


SUBJECTS: Final = (
    Subject(
        live="ercot.real_time.lz_west", day_ahead="ercot.day_ahead.lz_west", year=2024, time_zone="America/Chicago"
    ),
    Subject(live="nyiso.real_time.west", day_ahead="nyiso.day_ahead.west", year=2018, time_zone="America/New_York"),
    Subject(
        live="weather.dallas", year=2024, time_zone="America/Chicago", plain_fade_s=6 * HOUR_S, fade_s=WEATHER_FADE_S
    ),
    Subject(live="llm.m_large", year=2024, time_zone="America/Chicago", plain_fade_s=2 * HOUR_S, fade_s=DEMAND_FADE_S),
)


def bench_forecasts(data: Path, *, every_s: int = HOUR_S) -> dict[str, Any]:
    """Measure the forecasts.

    Parameters
    ----------
    data
        Folder of recorded data.
    every_s
        A forecast is made so often, seconds.

    Returns
    -------
    dict
        `mae.<series>.<method>.<lead>h`, None for a series that is not at hand.
    """
    rows: dict[str, Any] = {}
    for subject in SUBJECTS:
        try:
            rows[f"{subject.live}.{subject.year}"] = _row(subject, data, every_s)
        except BadInput:
            rows[f"{subject.live}.{subject.year}"] = None
    return {"mae": rows, "versions": versions(), "machine": machine()}


def _row(subject: Subject, data: Path, every_s: int) -> dict[str, dict[str, float]]:
    start_s, end_s = (int(np.datetime64(f"{y}-01-01", "s").astype(np.int64)) for y in (subject.year, subject.year + 1))
    names = {"live": subject.live} | ({} if subject.day_ahead is None else {"base": subject.day_ahead})
    feed = RecordedFeed(data, names, subject.time_zone)
    wide = Interval.from_epoch(start_s - HISTORY_S, end_s)
    live = feed.series("live", wide)
    base = live if subject.day_ahead is None else feed.series("base", wide)
    leads_s = np.array(LEADS_H, np.int64) * HOUR_S
    starts_s = np.arange(start_s, end_s - leads_s[-1], every_s, dtype=np.int64)
    ahead = _forecasts(subject, live, base, starts_s, leads_s)
    came = live.onto((starts_s[:, None] + leads_s).ravel()).reshape(len(starts_s), -1)
    errors = {method: np.nanmean(np.abs(values - came), axis=0) for method, values in ahead.items()}
    return {
        method: {f"{lead}h": float(error) for lead, error in zip(LEADS_H, row, strict=True)}
        for method, row in errors.items()
    }


def _forecasts(
    subject: Subject, live: Series, base: Series, starts_s: NDArray[np.int64], leads_s: NDArray[np.int64]
) -> dict[str, Floats]:
    """Every method's forecast made at each start, shape (starts, leads)."""
    is_price = base is not live
    lag_days = 0 if is_price else 1
    change, inputs = PriceChange(), _prices(live, base)
    out = {method: np.empty((len(starts_s), len(leads_s))) for method in METHODS}
    for row, now_s in enumerate(starts_s.tolist()):
        at_s = now_s + leads_s
        newest = live.latest(now_s)
        out["hold"][row] = np.nan if newest is None else newest.value
        out["plain"][row] = forecast(
            at_s, now_s, base=base, live=live, fade_s=subject.plain_fade_s, lag_days_min=lag_days
        )
        present = forecast(
            at_s,
            now_s,
            base=base,
            live=live,
            fade_s=subject.fade_s,
            lag_days_min=lag_days,
            base_days=1 if is_price else BASE_DAYS,
        )
        if is_price:
            present += change.expected_ccy_per_mwh(inputs, now_s) * np.exp(-leads_s / subject.fade_s)
        out["present"][row] = present
    return out


def _prices(live: Series, base: Series) -> Inputs:
    return Inputs(
        real_time=live,
        day_ahead=base,
        temperature=None,
        bitcoin_price=None,
        difficulty=None,
        block_reward=None,
        carbon=None,
        profiles={},
    )


def print_forecasts(figures: dict[str, Any], console: Console) -> None:
    """Print mean absolute errors by lead time."""
    table = Table(title="Mean absolute error by lead time, in the series' unit; a forecast every hour")
    for column in ("series", "method", *(f"{lead} h" for lead in LEADS_H)):
        table.add_column(column, justify="left" if column in {"series", "method"} else "right")
    for name, row in figures["mae"].items():
        if row is None:
            table.add_row(name, "n/a", *["n/a"] * len(LEADS_H))
            continue
        for method, errors in row.items():
            table.add_row(name, method, *(f"{error:.2f}" for error in errors.values()))
    console.print(table)

"""Price series of `bench value`: every market of the data folder, a row per settlement point and year.

A year is the market's local calendar year. Missing prices repeat the last present one and are counted. The day-ahead
prices of a local day are known from 13:30 local time of the day before.
"""

from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from headrace.core import BadInput
from headrace.dispatch.price_state import DAYS_MOST

__all__ = ["PriceYear", "SeriesSpec", "all_series", "hashprice_daily", "local_year", "read_series", "spec_named"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PUBLISHED_HOUR: Final = 13
PUBLISHED_MINUTE: Final = 30
"""Local time at which the next local day's day-ahead prices are out."""

ERCOT_POINTS: Final = ("hb_north", "hb_west", "hb_houston", "hb_south", "hb_pan", "lz_west", "lz_north")
ERCOT_YEARS: Final = (2020, 2021, 2022, 2023, 2024)
HUB_AVERAGE_YEARS: Final = (2020, 2023)
NYISO_ZONES: Final = ("west", "north")
NYISO_YEARS: Final = (2017, 2018)


class SeriesSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where one year of one settlement point is found."""

    name: str
    """Key in the figures, e.g. "ercot_hb_west_2024"."""
    year: int
    """Local calendar year."""
    time_zone: str
    """IANA zone of the market."""
    step_s: int
    """Settlement step, seconds; the control step of this bench too."""
    real_time: tuple[str, str] | None
    """File and column of the real-time price, or None where the market has none in the folder."""
    day_ahead: tuple[str, str] | None
    """File and column of the day-ahead price, or None."""
    note: str
    """What a reader must know: a basis, a currency; empty for nothing."""


class PriceYear(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One year of prices on the settlement step."""

    spec: SeriesSpec
    start_s: int
    """Start of the first step, epoch seconds."""
    price_ccy_per_mwh: Floats
    """What energy is settled at: the real-time price, or the day-ahead price where there is no other, shape (T,)."""
    day_ahead_ccy_per_mwh: Floats | None
    """Day-ahead price of each step, shape (T,)."""
    day_ahead_known_steps: Ints
    """How many leading steps' day-ahead prices are known at the start of each step, shape (T,)."""
    day_start_steps: Ints
    """First step of each local day, and T."""
    published_steps: Ints
    """Step at whose start the day's day-ahead prices were known, for each local day (0 for the first)."""
    past_deviation_ccy_per_mwh: Floats
    """Settlement less day-ahead price in the days before the year that a fit may read, newest last; empty if the year
    before is not in the table. Where its day-ahead price is the hub average, so is the base."""
    filled: int
    """Settlement prices that were missing and repeat the one before."""

    @property
    def steps(self) -> int:
        """T."""
        return len(self.price_ccy_per_mwh)

    @property
    def step_h(self) -> float:
        """Length of a step, hours."""
        return self.spec.step_s / 3600.0


def all_series() -> tuple[SeriesSpec, ...]:
    """Every row of the table of series, in the order printed."""
    rows = []
    for year in ERCOT_YEARS:
        is_basis = year in HUB_AVERAGE_YEARS
        for point in ERCOT_POINTS:
            rows.append(
                SeriesSpec(
                    name=f"ercot_{point}_{year}",
                    year=year,
                    time_zone="America/Chicago",
                    step_s=900,
                    real_time=(f"ercot_rt_spp_15min_{year}.parquet", f"{point}_usd_per_mwh"),
                    day_ahead=(f"ercot_dam_spp_hourly_{year}_hubavg_only.parquet", "hb_hubavg_usd_per_mwh")
                    if is_basis
                    else (f"ercot_dam_spp_hourly_{year}.parquet", f"{point}_usd_per_mwh"),
                    note="day-ahead price is the hub average: basis to the point not known ahead" if is_basis else "",
                )
            )
    rows += [
        SeriesSpec(
            name=f"nyiso_{zone}_{year}",
            year=year,
            time_zone="America/New_York",
            step_s=300,
            real_time=("nyiso_rt_5min_2017_2018.parquet", f"nyiso_{zone}_rt_usd_per_mwh"),
            day_ahead=("nyiso_dam_hourly_2017_2018.parquet", f"nyiso_{zone}_dam_usd_per_mwh"),
            note="",
        )
        for year in NYISO_YEARS
        for zone in NYISO_ZONES
    ]
    rows += [
        _one_price(
            f"ontario_{year}", year, "Etc/GMT+5", ("ontario_hoep_hourly_2020_2023.parquet", "price_cad_per_mwh"), "CAD"
        )
        for year in (2020, 2021, 2022, 2023)
    ]
    for country, zone in (("france", "Europe/Paris"), ("germany", "Europe/Berlin")):
        source = (f"{country}_dayahead_hourly_2021_2023.parquet", "price_eur_per_mwh")
        rows += [_one_price(f"{country}_{year}", year, zone, source, "EUR") for year in (2021, 2022, 2023)]
    source = ("caiso_np15_dam_hourly_2020_2022.parquet", "np15_dam_usd_per_mwh")
    rows += [
        _one_price(f"caiso_np15_{year}", year, "America/Los_Angeles", source, "USD") for year in (2020, 2021, 2022)
    ]
    return tuple(rows)


def spec_named(name: str) -> SeriesSpec:
    """Row of the table with this name.

    Raises
    ------
    BadInput
        If there is none.
    """
    for spec in all_series():
        if spec.name == name:
            return spec
    raise BadInput("--series", f"no series {name}", f"choose among {', '.join(s.name for s in all_series())}")


def local_year(spec: SeriesSpec) -> tuple[int, int]:
    """Start and end of the year in the market's local time, epoch seconds."""
    zone = ZoneInfo(spec.time_zone)
    start, end = (datetime(year, 1, 1, tzinfo=zone) for year in (spec.year, spec.year + 1))
    return int(start.timestamp()), int(end.timestamp())


def read_series(spec: SeriesSpec, energy: Path) -> PriceYear:
    """Read one year from the `energy` folder.

    Raises
    ------
    BadInput
        If a file or column is missing, or the year is not inside the file.
    """
    zone = ZoneInfo(spec.time_zone)
    start_s, end_s = local_year(spec)
    times_s = np.arange(start_s, end_s, spec.step_s, dtype=np.int64)
    settled = spec.real_time or spec.day_ahead
    assert settled is not None
    price, filled = _on_grid(energy, *settled, times_s)
    day_ahead = _on_grid(energy, *spec.day_ahead, times_s)[0] if spec.day_ahead and spec.real_time else None
    day_starts, published = _local_days(spec, zone, start_s, end_s)
    ends = np.append(day_starts[1:], len(times_s))
    known = ends[np.searchsorted(published, np.arange(len(times_s)), side="right") - 1]
    return PriceYear(
        spec=spec,
        start_s=start_s,
        price_ccy_per_mwh=price,
        day_ahead_ccy_per_mwh=day_ahead,
        day_ahead_known_steps=known,
        day_start_steps=np.append(day_starts, len(times_s)),
        published_steps=published,
        past_deviation_ccy_per_mwh=_past_deviation(spec, energy, start_s),
        filled=filled,
    )


def hashprice_daily(bitcoin: Path, times_s: Ints) -> tuple[Floats, Floats]:
    """Historical hashprice in USD/PH/day at each time: what was known (the last full UTC day's) and what was earned.

    Raises
    ------
    BadInput
        If the file is missing or does not reach the times.
    """
    path = bitcoin / "btc_network_daily.parquet"
    frame = _frame(path)
    day = frame["date_utc"].dt.epoch("d").to_numpy()
    values = frame["hashprice_usd_per_phs_day"].to_numpy()
    at = times_s // 86400 - day[0]
    last = len(values) - 1
    # Local years reach some hours past the record's UTC days: its first and last day stand in for those hours.
    if at[0] < -1 or at[-1] > last + 1:
        raise BadInput(str(path), "the period is outside the file", "choose a year inside it")
    return values[np.clip(at - 1, 0, last)], values[np.clip(at, 0, last)]


def _past_deviation(spec: SeriesSpec, energy: Path, start_s: int) -> Floats:
    """Deviations of the days before `start_s`, from the year before."""
    name = f"{spec.name.rpartition('_')[0]}_{spec.year - 1}"
    past = next((other for other in all_series() if other.name == name), None)
    if past is None or past.real_time is None or past.day_ahead is None:
        return np.empty(0)
    times_s = np.arange(start_s - DAYS_MOST * 86_400, start_s, spec.step_s, dtype=np.int64)
    price, day_ahead = (_on_grid(energy, *source, times_s)[0] for source in (past.real_time, past.day_ahead))
    return price - day_ahead


def _one_price(name: str, year: int, zone: str, source: tuple[str, str], currency: str) -> SeriesSpec:
    is_real_time = name.startswith("ontario")
    return SeriesSpec(
        name=name,
        year=year,
        time_zone=zone,
        step_s=3600,
        real_time=source if is_real_time else None,
        day_ahead=None if is_real_time else source,
        note=("no day-ahead price" if is_real_time else "no real-time price: settled day-ahead")
        + ("" if currency == "USD" else f"; {currency}, campus values at par"),
    )


def _frame(path: Path) -> pl.DataFrame:
    if not path.exists():
        raise BadInput(str(path), "no such file", "pass --data with the folder that holds energy/ and bitcoin/")
    return pl.read_parquet(path)


def _on_grid(energy: Path, file: str, column: str, times_s: Ints) -> tuple[Floats, int]:
    """Values that hold at each time, missing ones repeating the one before; and how many were missing."""
    frame = _frame(energy / file)
    if column not in frame.columns:
        raise BadInput(str(energy / file), f"no column {column}", "use the folder's own files")
    at_s = frame["interval_start"].dt.epoch("s").to_numpy()
    step_s = int(at_s[1] - at_s[0])
    index = (times_s - at_s[0]) // step_s
    if index[0] < 0 or index[-1] >= len(at_s):
        raise BadInput(str(energy / file), "the year is not inside the file", "choose a year inside it")
    column_values = frame[column].cast(pl.Float64)
    missing = column_values.is_null().to_numpy()[index]
    values = column_values.forward_fill().backward_fill().to_numpy()[index]
    return np.ascontiguousarray(values), int(missing.sum())


def _local_days(spec: SeriesSpec, zone: ZoneInfo, start_s: int, end_s: int) -> tuple[Ints, Ints]:
    """First step of each local day, and the step at whose start its day-ahead prices were known."""
    starts, published = [], []
    midnight_s = start_s
    previous_s: int | None = None
    while midnight_s < end_s:
        starts.append((midnight_s - start_s) // spec.step_s)
        known_s = start_s if previous_s is None else previous_s
        published.append(-(-(known_s - start_s) // spec.step_s))
        local = datetime.fromtimestamp(midnight_s, tz=zone)
        previous_s = int(local.replace(hour=PUBLISHED_HOUR, minute=PUBLISHED_MINUTE).timestamp())
        # 36 h after midnight is about noon of the next day, whatever the clocks do at night.
        following = datetime.fromtimestamp(midnight_s + 36 * 3600, tz=zone)
        midnight_s = int(following.replace(hour=0, minute=0, second=0).timestamp())
    return np.array(starts, np.int64), np.array(published, np.int64)

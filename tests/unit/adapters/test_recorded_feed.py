"""Reading files by declaration: what is accepted, what is refused, and in which words."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.feeds.declaration import FeedDeclaration, Publication
from headrace.adapters.feeds.inventory import inventory
from headrace.adapters.feeds.publication import known_s
from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.core import BadInput, Interval

START = datetime(2024, 3, 4, tzinfo=UTC)
DAY = Interval(start=START, end=START + timedelta(days=1))
HOURS = [(START + timedelta(hours=h), float(h)) for h in range(24)]

Rows = Iterable[tuple[object, object]]


def csv(folder: Path, rows: Rows, name: str = "price.csv", header: str = "interval_start,price") -> Path:
    lines = [f"{at.strftime('%Y-%m-%dT%H:%M:%SZ') if isinstance(at, datetime) else at},{v}" for at, v in rows]
    (folder / name).write_text("\n".join([header, *lines]) + "\n")
    return folder / name


def feed(folder: Path | None, zone: str = "America/Chicago", **fields: object) -> RecordedFeed:
    declared = {"files": ("price.csv",), "columns": ("price",), "unit": "usd_per_mwh", "step_min": 60} | fields
    return RecordedFeed(folder, {"price": FeedDeclaration.model_validate(declared)}, zone)


def refusal(reader: RecordedFeed, window: Interval = DAY) -> str:
    with pytest.raises(BadInput) as caught:
        reader.series("price", window)
    assert caught.value.exit_code == 2
    return str(caught.value)


# ---------------------------------------------------------------------------------------------------- what is read


def test_csv_and_parquet_give_the_same_series(tmp_path: Path) -> None:
    csv(tmp_path, HOURS)
    pl.DataFrame(
        {"interval_start": [at for at, _ in HOURS], "price": [v for _, v in HOURS], "other": "x"}
    ).write_parquet(tmp_path / "price.parquet")
    from_csv = feed(tmp_path).series("price", DAY)
    from_parquet = feed(tmp_path, files=("price.parquet",)).series("price", DAY)
    np.testing.assert_array_equal(from_csv.values, from_parquet.values)
    np.testing.assert_array_equal(from_csv.known_s, from_parquet.known_s)
    assert from_csv.source == "price.csv, column price"


def test_missing_rows_empty_cells_nan_and_null_are_all_nan(tmp_path: Path) -> None:
    csv(tmp_path, [(at, "" if v == 3 else "NaN" if v == 4 else v) for at, v in HOURS if v not in {7, 8}])
    values = feed(tmp_path).series("price", DAY).values
    assert np.flatnonzero(np.isnan(values)).tolist() == [3, 4, 7, 8]


@settings(deadline=None, max_examples=50)
@given(
    cells=st.lists(st.one_of(st.none(), st.just("gone"), st.floats(-9e9, 9e9), st.floats(-99, 99)), max_size=48),
    margin_h=st.tuples(st.integers(-20, 40), st.integers(-20, 24)),
)
def test_whatever_is_written_comes_back_on_the_grid(
    tmp_path_factory: pytest.TempPathFactory, cells: list[float | str | None], margin_h: tuple[int, int]
) -> None:
    cells = [1.0, *cells, 2.0]
    folder = tmp_path_factory.mktemp("written")
    stamped = [(START + timedelta(hours=h), cell) for h, cell in enumerate(cells)]
    csv(folder, [(at, "" if cell is None else cell) for at, cell in stamped if cell != "gone"])
    before_h, after_h = margin_h
    start, end = START - timedelta(hours=before_h), START + timedelta(hours=len(cells) + after_h)
    assume(end > START and start < min(end, START + timedelta(hours=len(cells))))
    series = feed(folder).series("price", Interval(start=start, end=end))
    expected = [cells[h] if 0 <= h < len(cells) else None for h in range(-before_h, len(cells) + after_h)]
    assert series.values.tolist() == pytest.approx(
        [cell if isinstance(cell, float) else float("nan") for cell in expected], rel=0, abs=0, nan_ok=True
    )


def test_columns_are_added_divided_and_scaled(tmp_path: Path) -> None:
    csv(tmp_path, [(at, f"{v},1,4") for at, v in HOURS], header="interval_start,subsidy,fees,blocks")
    reader = feed(tmp_path, columns=("subsidy", "fees"), divide_by="blocks", scale=2.0)
    assert reader.series("price", DAY).values.tolist() == [2 * (h + 1) / 4 for h in range(24)]
    assert reader.series("price", DAY).source == "price.csv, column (subsidy + fees) / blocks"


def test_where_keeps_the_rows_of_one_model(tmp_path: Path) -> None:
    rows = [(at, f"{v},{model}") for model in ("a", "b") for at, v in HOURS]
    csv(tmp_path, rows, header="interval_start,price,model")
    assert feed(tmp_path, where={"model": "b"}).series("price", DAY).values.tolist() == list(range(24))
    assert "no row with model = 'c'" in refusal(feed(tmp_path, where={"model": "c"}))


def test_naive_stamps_offsets_and_dates_are_read_as_utc(tmp_path: Path) -> None:
    csv(tmp_path, [("2024-03-04 00:00:00", 0), ("2024-03-04T02:00:00+01:00", 1), ("2024-03-04T02:00Z", 2)])
    assert feed(tmp_path).series("price", DAY).values[:3].tolist() == [0, 1, 2]
    csv(tmp_path, [("2024-03-04", 5), ("2024-03-05", 6)])
    assert feed(tmp_path, step_min=1440).series("price", DAY).values.tolist() == [5]


def test_grid_keeps_the_phase_of_the_file(tmp_path: Path) -> None:
    csv(tmp_path, [(at + timedelta(minutes=30), v) for at, v in HOURS])
    series = feed(tmp_path).series("price", DAY)
    assert series.start_s == DAY.start_s - 1800
    assert np.isnan(series.values[0])
    assert series.values[1:].tolist() == list(range(24))


def test_data_may_begin_inside_the_window_but_reach_its_end_to_within_a_day(tmp_path: Path) -> None:
    csv(tmp_path, HOURS)
    week = Interval(start=START - timedelta(days=6), end=DAY.end + timedelta(hours=24))
    values = feed(tmp_path).series("price", week).values
    assert np.isnan(values[: 6 * 24]).all()
    assert np.isnan(values[7 * 24 :]).all()
    late = Interval(start=START, end=DAY.end + timedelta(hours=25))
    assert refusal(feed(tmp_path), late) == (
        "feed 'price', 2024-03-04T00:00:00Z to 2024-03-06T01:00:00Z: outside the data, which run from "
        "2024-03-04T00:00:00Z to 2024-03-05T00:00:00Z. Choose a period inside the data"
    )


# ---------------------------------------------------------------------------------------------------- yearly files


def yearly(folder: Path, years: Iterable[int], template: str = "p_{year}.csv") -> RecordedFeed:
    for year in years:
        first = datetime(year, 1, 1, 6, tzinfo=UTC)
        days = (datetime(year + 1, 1, 1, 6, tzinfo=UTC) - first).days
        csv(folder, [(first + timedelta(days=d), year) for d in range(days)], template.replace("{year}", str(year)))
    return feed(folder, files=("p_{year}.csv", "p_{year}_average.csv"), step_min=1440)


def test_local_year_files_join_across_new_year(tmp_path: Path) -> None:
    reader = yearly(tmp_path, [2021, 2022, 2023])
    window = Interval(start=datetime(2021, 12, 30, 6, tzinfo=UTC), end=datetime(2023, 1, 3, 6, tzinfo=UTC))
    series = reader.series("price", window)
    assert not np.isnan(series.values).any()
    assert [int(np.count_nonzero(series.values == year)) for year in (2021, 2022, 2023)] == [2, 365, 2]
    assert series.source == "p_2021.csv to p_2023.csv, column price"


def test_a_window_that_ends_with_the_local_year_needs_no_next_file(tmp_path: Path) -> None:
    reader = yearly(tmp_path, [2022])
    window = Interval(start=datetime(2021, 12, 24, 6, tzinfo=UTC), end=datetime(2023, 1, 1, 6, tzinfo=UTC))
    values = reader.series("price", window).values
    assert np.isnan(values[:8]).all()
    assert (values[8:] == 2022).all()


def test_a_year_missing_in_the_middle_or_at_the_end_is_refused(tmp_path: Path) -> None:
    reader = yearly(tmp_path, [2021, 2022, 2024])
    said = refusal(reader, Interval(start=datetime(2022, 6, 1, tzinfo=UTC), end=datetime(2024, 6, 1, tzinfo=UTC)))
    assert said == (
        f"feed 'price', p_2023.csv: no such file in {tmp_path} (years there: 2021, 2022, 2024). "
        "Choose a period in those years, or add the file"
    )
    assert "p_2025.csv" in refusal(
        reader, Interval(start=datetime(2024, 6, 1, tzinfo=UTC), end=datetime(2025, 6, 1, tzinfo=UTC))
    )


def test_the_first_template_that_has_a_year_is_read(tmp_path: Path) -> None:
    yearly(tmp_path, [2023], "p_{year}_average.csv")
    reader = yearly(tmp_path, [2022, 2024])
    assert reader.span("price").start == datetime(2022, 1, 1, 6, tzinfo=UTC)
    window = Interval(start=datetime(2022, 6, 1, tzinfo=UTC), end=datetime(2024, 6, 1, tzinfo=UTC))
    assert not np.isnan(reader.series("price", window).values).any()


# ------------------------------------------------------------------------------------------------- what is refused


def test_refusals_name_file_time_finding_and_remedy(tmp_path: Path) -> None:
    def said(rows: Rows, **fields: object) -> str:
        csv(tmp_path, rows)
        return refusal(feed(tmp_path, **fields))

    assert said([HOURS[0], HOURS[2], HOURS[1]]) == (
        "feed 'price', price.csv, data row 3: 2024-03-04T01:00:00Z comes after 2024-03-04T02:00:00Z. "
        "Sort the rows by time, one each"
    )
    assert said([HOURS[0], HOURS[1], HOURS[1]]) == (
        "feed 'price', price.csv, data row 3: 2024-03-04T01:00:00Z comes twice. Sort the rows by time, one each"
    )
    assert said([*HOURS[:20], (START + timedelta(hours=20, minutes=7), 1)]) == (
        "feed 'price', price.csv at 2024-03-04T20:07:00Z: off the grid of 60 min from 2024-03-04T00:00:00Z. "
        "Stamp each row with its interval's start"
    )
    assert said(HOURS, step_min=15) == (
        "feed 'price', price.csv: rows are 60 min apart, declared step_min is 15. Declare the step of the file"
    )
    assert said([(START + timedelta(minutes=5 * i), i) for i in range(99)]) == (
        "feed 'price', price.csv: rows are 5 min apart, declared step_min is 60. Declare the step of the file"
    )
    assert said([*HOURS[:2], (HOURS[2][0], "inf"), *HOURS[3:]]) == (
        "feed 'price', price.csv at 2024-03-04T02:00:00Z: the value is infinite. Leave a missing value empty"
    )
    assert said([*HOURS[:2], (HOURS[2][0], "n/a"), *HOURS[3:]]) == (
        "feed 'price', price.csv at 2024-03-04T02:00:00Z: price is 'n/a', not a number. Leave a missing value empty"
    )
    assert said([*HOURS[:2], ("yesterday", 3.0)]) == (
        "feed 'price', price.csv, data row 3: interval_start is 'yesterday'. "
        "Use ISO-8601 with its offset, such as 2024-11-04T06:00:00Z"
    )
    assert said([]) == "feed 'price', price.csv: no row. Check the file and the feed's `where`"
    assert said(HOURS, columns=("prices",)) == "feed 'price', price.csv: no column 'prices'. Columns there: price"
    assert said(HOURS, time="interval_begin").endswith("no column 'interval_begin'. Columns there: interval_start")


def test_files_that_cannot_be_opened_are_refused(tmp_path: Path) -> None:
    assert refusal(feed(None)) == (
        "feed 'price', price.csv: no data folder was given. Name the one that holds it: --data DIR"
    )
    assert refusal(feed(tmp_path)) == (
        f"feed 'price', price.csv: no such file in {tmp_path}. Check the path and --data DIR"
    )
    (tmp_path / "price.parquet").write_bytes(b"not parquet")
    assert "can't be read" in refusal(feed(tmp_path, files=("price.parquet",)))
    (tmp_path / "price.csv").write_bytes(b"")
    assert "can't be read" in refusal(feed(tmp_path))
    (tmp_path / "price.xlsx").write_bytes(b"")
    assert "unknown kind of file '.xlsx'. Use .parquet or .csv" in refusal(feed(tmp_path, files=("price.xlsx",)))


def test_a_division_by_zero_is_refused(tmp_path: Path) -> None:
    csv(tmp_path, [(at, f"5,{v}") for at, v in HOURS], header="interval_start,price,blocks")
    assert "at 2024-03-04T00:00:00Z: the value is infinite" in refusal(feed(tmp_path, divide_by="blocks"))


def test_files_that_overlap_are_refused(tmp_path: Path) -> None:
    csv(tmp_path, HOURS)
    csv(tmp_path, HOURS[12:], "more.csv")
    assert refusal(feed(tmp_path, files=("price.csv", "more.csv"))) == (
        "feed 'price', more.csv: begins at 2024-03-04T12:00:00Z, inside the file before it. "
        "Each interval may be in one file only, files in order of time"
    )


def test_an_unknown_catalogue_name_is_refused_with_the_closest() -> None:
    with pytest.raises(BadInput, match=r"no series 'ercot.real_time.hb_wst' .* Closest: ercot.real_time.hb_west"):
        RecordedFeed(None, {"real_time": "ercot.real_time.hb_wst"}, "America/Chicago")
    with pytest.raises(BadInput, match="unknown zone 'Texas'"):
        RecordedFeed(None, {}, "Texas")


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"step_min": 7}, "divide a day"),
        ({"step_min": 0}, "greater than 0"),
        ({"files": ()}, "at least 1"),
        ({"files": ("a.csv", "b_{year}.csv")}, "all plain paths"),
        ({"files": ("{year}/b.csv",)}, "name of the file"),
        ({"scale": float("inf")}, "finite"),
        ({"known": {"at_local": "25:00"}}, "pattern"),
        ({"known": {"time_zone": "Mars/Olympus"}}, "IANA zone"),
        ({"colums": ("price",)}, "Extra inputs"),
    ],
)
def test_a_declaration_that_cannot_be_right_is_refused(fields: dict[str, object], finding: str) -> None:
    with pytest.raises(ValueError, match=finding):
        feed(None, **fields)


# ------------------------------------------------------------------------------------------------ when it is known


def test_day_ahead_is_published_at_one_wall_time_on_both_clock_changes() -> None:
    rule = Publication(rule="day_before", at_local="13:30", time_zone="America/Chicago")
    for first, hours, published_utc in (
        (datetime(2024, 3, 10, 6, tzinfo=UTC), 23, datetime(2024, 3, 9, 19, 30, tzinfo=UTC)),
        (datetime(2024, 11, 3, 5, tzinfo=UTC), 25, datetime(2024, 11, 2, 18, 30, tzinfo=UTC)),
    ):
        starts_s = np.int64(first.timestamp()) + 3600 * np.arange(-1, hours + 1, dtype=np.int64)
        known = known_s(rule, starts_s, 3600, "UTC")
        assert np.count_nonzero(known == int(published_utc.timestamp())) == hours
        assert known[0] < int(published_utc.timestamp()) < known[-1]


@settings(deadline=None)
@given(
    rule=st.sampled_from(["after_end", "after_start", "day_before"]),
    delay_min=st.floats(0, 600),
    at_local=st.times().map(lambda t: f"{t:%H:%M}"),
    zone=st.sampled_from(["UTC", "America/Chicago", "Europe/Paris", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    start_s=st.integers(0, 2**31).map(lambda s: s // 300 * 300),
    step_s=st.sampled_from([300, 900, 3600, 86_400]),
)
def test_known_times_never_decrease_under_any_rule(
    rule: str, delay_min: float, at_local: str, zone: str, start_s: int, step_s: int
) -> None:
    publication = Publication.model_validate({"rule": rule, "delay_min": delay_min, "at_local": at_local})
    starts_s = start_s + step_s * np.arange(600, dtype=np.int64)
    known = known_s(publication, starts_s, step_s, zone)
    assert (np.diff(known) >= 0).all()
    assert (known < starts_s).all() if rule == "day_before" else (known >= starts_s).all()


# -------------------------------------------------------------------------------------------------- undated traces


def trace(folder: Path, days: int = 15) -> RecordedFeed:
    """Hourly trace whose value is its own hour."""
    csv(folder, [(3600 * h, h) for h in range(24 * days)], header="offset_s,price")
    return feed(folder, time="offset_s", is_undated=True)


def test_a_trace_starts_on_a_local_monday_and_repeats_its_whole_weeks(tmp_path: Path) -> None:
    monday = datetime(2024, 6, 3, 5, tzinfo=UTC)  # midnight in Texas, summer time
    values = trace(tmp_path).series("price", Interval(start=monday, end=monday + timedelta(days=28))).values
    first = int(values[0])
    assert first in {0, 168}
    assert values.tolist() == [(first + h) % 336 for h in range(672)]


def test_a_trace_follows_the_wall_clock_through_both_changes(tmp_path: Path) -> None:
    reader = trace(tmp_path)
    for day, hours in (
        (datetime(2024, 3, 10, 6, tzinfo=UTC), [0, 1, *range(3, 24)]),
        (datetime(2024, 11, 3, 5, tzinfo=UTC), [0, 1, 1, *range(2, 24)]),
    ):
        series = reader.series("price", Interval(start=day, end=day + timedelta(hours=len(hours))))
        assert (series.values % 24).tolist() == hours


def test_a_trace_shorter_than_a_week_is_refused(tmp_path: Path) -> None:
    assert "shorter than a week" in refusal(trace(tmp_path, days=6))


# ------------------------------------------------------------------------------------------------------- catalogue


def test_catalogue_names_every_series_of_the_contract() -> None:
    names = set(catalogue())
    points = ("hb_north", "hb_west", "hb_houston", "hb_south", "hb_pan", "hb_hubavg", "lz_west", "lz_north")
    assert {f"ercot.{market}.{point}" for market in ("real_time", "day_ahead") for point in points} <= names
    assert {f"nyiso.{market}.{zone}" for market in ("real_time", "day_ahead") for zone in ("west", "north")} <= names
    assert {"france.day_ahead", "germany.day_ahead", "ontario.real_time", "caiso.day_ahead.np15"} <= names
    assert {f"bitcoin.{what}" for what in ("price", "price_hourly", "difficulty", "block_reward")} <= names
    assert {f"carbon.{place}" for place in ("ercot", "ontario", "france", "germany", "california")} <= names


def test_no_declaration_keeps_a_placeholder() -> None:
    for name, declaration in catalogue().items():
        assert "{each}" not in declaration.model_dump_json(), name
        assert "{" not in name


def test_inventory_of_no_folder_lists_the_sample() -> None:
    held = {holding.name: holding for holding in inventory(None)}
    assert set(held) == {name for name in catalogue() if name.startswith("sample.")}
    assert held["sample.real_time"].intervals == 4032
    assert held["sample.temperature"].missing == 8
    assert held["sample.llm.m_large"].span is None


def test_inventory_says_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bitcoin").mkdir()
    csv(tmp_path, HOURS, "x.csv")
    (tmp_path / "bitcoin" / "btc_network_daily.parquet").write_bytes(b"PAR1")
    held = {holding.name: holding.problem for holding in inventory(tmp_path)}
    assert "can't be read" in held["bitcoin.price"]
    assert not held["sample.real_time"]

"""Data that cannot be used: one message that names the feed, the file, the time, what was found, what to do."""

import polars as pl
import pytest

from command_line import DEMO, ROLLING, SIX_HOURS, declared, refused, run, sample_rows, site_with, spoil

PRICE = "real_time_price_15min.csv"
COLUMN = "hb_south_rt_usd_per_mwh"
NOON = "2024-11-07T12:00:00Z"


@pytest.fixture
def replay(capsys, monkeypatch, tmp_path):
    """Replay a site whose price is data/price.csv, or whatever else a test declares."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()

    def go(*options, **feeds):
        feeds = feeds or {"real_time": declared("price.csv", COLUMN, "usd_per_mwh", 15)}
        site = site_with(tmp_path, **feeds)
        return run(capsys, monkeypatch, "replay", site, *(options or ROLLING), "--data", tmp_path / "data")

    return go


def at_noon(value):
    return lambda _, row: [row[0], value] if row[0] == NOON else row


def in_period(row):
    return "2024-11-07T06" <= row[0] < "2024-11-07T12"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("abc", [NOON, "is 'abc', not a number", "Leave a missing value empty"]),
        ("1.5.2", [NOON, "not a number"]),
        ('"1,5"', [NOON, "is '1,5', not a number"]),
        ("inf", [NOON, "infinite"]),
        ("-inf", [NOON, "infinite"]),
        ("1e999", [NOON, "infinite"]),
        ("1e308", [NOON, "1e+308 usd_per_mwh cannot be", "between -100000 and 100000"]),
        ("-250000", [NOON, "-250000 usd_per_mwh cannot be", "unit and scale"]),
        ('"1', ["can't be read"]),
    ],
)
def test_a_price_that_cannot_be_is_named_with_its_time(replay, tmp_path, value, words):
    options = ("--from", "2024-11-07", "--to", "2024-11-08", *ROLLING[4:])
    spoil(PRICE, tmp_path / "data" / "price.csv", at_noon(value))
    refused(replay(*options), "feed 'real_time'", "price.csv", *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["", "nan", "NaN"])
def test_a_missing_price_is_a_gap_that_the_result_tells(replay, tmp_path, value):
    options = ("--from", "2024-11-07", "--to", "2024-11-08", *ROLLING[4:], "--json")
    spoil(PRICE, tmp_path / "data" / "price.csv", at_noon(value))
    gaps = [gap for gap in replay(*options).json["gaps"] if gap["role"] == "real_time"]
    assert [(gap["start"], gap["intervals"]) for gap in gaps] == [(NOON, 1)]


def test_missing_rows_are_a_gap_that_the_result_tells(replay, tmp_path):
    spoil(PRICE, tmp_path / "data" / "price.csv", lambda _, row: None if row[0][:13] == "2024-11-07T08" else row)
    gaps = [gap for gap in replay(*ROLLING, "--json").json["gaps"] if gap["role"] == "real_time"]
    assert [(gap["start"], gap["intervals"]) for gap in gaps] == [("2024-11-07T08:00:00Z", 4)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda i, row: [row[0].replace("T12:15", "T12:00"), row[1]], ["2024-11-", "comes twice", "Sort the rows"]),
        (lambda i, row: [row[0].replace("T12:15", "T11:15"), row[1]], ["comes after", "Sort the rows"]),
        (lambda i, row: row if i % 2 else None, ["30 min apart", "step_min is 15"]),
        (lambda i, row: [row[0].replace("T12:15", "T12:16"), row[1]], ["off the grid of 15 min"]),
        (lambda i, row: ["garbage" if i == 40 else row[0], row[1]], ["data row 41", "'garbage'", "ISO-8601"]),
        (lambda i, row: ["" if i == 40 else row[0], row[1]], ["data row 41", "ISO-8601"]),
        (lambda i, row: [*row, "1", "2"] if i == 40 else row, ["can't be read"]),
        (lambda i, row: None, ["no row"]),
        (lambda i, row: [row[0], ""], ["no value at all"]),
        (lambda i, row: [row[0], "" if in_period(row) else row[1]], ["every price of the period is missing"]),
    ],
)
def test_rows_out_of_order_or_off_the_step_are_named(replay, tmp_path, change, words):
    spoil(PRICE, tmp_path / "data" / "price.csv", change)
    refused(replay(), "feed 'real_time'", *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["no such file in", "--data DIR"]),
        (b"", ["can't be read", "empty"]),
        (bytes(range(256)) * 64, ["no column 'interval_start'"]),
        (f"interval_start,{COLUMN}\n".encode() + b"\xff\xfe,1\n" * 9, ["can't be read", "utf-8"]),
        (b"interval_start,other\n2024-11-07T06:00:00Z,1\n", [f"no column '{COLUMN}'", "Columns there: "]),
    ],
)
def test_a_file_that_is_no_table_is_named(replay, tmp_path, content, words):
    if content is not None:
        (tmp_path / "data" / "price.csv").write_bytes(content)
    said = replay()
    refused(said, "feed 'real_time'", "price.csv", *words)
    assert said.err.count("\n") == 1


def test_a_folder_or_a_broken_link_in_a_files_place_is_named(replay, tmp_path):
    (tmp_path / "data" / "price.csv").mkdir()
    refused(replay(), "price.csv", "no such file")
    (tmp_path / "data" / "price.csv").rmdir()
    (tmp_path / "data" / "price.csv").symlink_to("nowhere")
    refused(replay(), "price.csv", "no such file")


def _parquet(change):
    header, rows = sample_rows(PRICE)
    frame = pl.DataFrame({name: [row[i] for row in rows] for i, name in enumerate(header.split(","))})
    return change(
        frame.with_columns(pl.col("interval_start").str.to_datetime(time_zone="UTC"), pl.col(COLUMN).cast(pl.Float64))
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.with_columns(pl.concat_list(COLUMN).alias(COLUMN)), ["holds List", "not numbers"]),
        (lambda f: f.with_columns((pl.col(COLUMN) > 0).alias(COLUMN)), ["holds Boolean, not numbers"]),
        (lambda f: f.with_columns(pl.lit(5).alias("interval_start")), ["not times"]),
    ],
)
def test_a_parquet_column_of_another_kind_is_named(replay, tmp_path, change, words):
    _parquet(change).write_parquet(tmp_path / "data" / "price.parquet")
    refused(replay(real_time=declared("price.parquet", COLUMN, "usd_per_mwh", 15)), "price.parquet", *words)


@pytest.mark.parametrize("kept", [0, 8, 2000])
def test_a_cut_parquet_file_is_named(replay, tmp_path, kept):
    path = tmp_path / "data" / "price.parquet"
    _parquet(lambda frame: frame).write_parquet(path)
    path.write_bytes(path.read_bytes()[:kept])
    refused(replay(real_time=declared("price.parquet", COLUMN, "usd_per_mwh", 15)), "price.parquet", "can't be read")


@pytest.mark.parametrize(
    ("role", "file", "column", "unit", "position", "value", "words"),
    [
        ("temperature", "temperature_hourly.csv", "temp_c", "c", 1, "77", ["'temperature'", "77 c cannot be"]),
        ("difficulty", "bitcoin_daily.csv", "difficulty_mean", "ratio", 2, "0", ["'difficulty'", "0 ratio cannot be"]),
        ("difficulty", "bitcoin_daily.csv", "difficulty_mean", "ratio", 2, "", ["'difficulty'", "no value at all"]),
        ("bitcoin_price", "bitcoin_daily.csv", "btc_close_usd", "usd", 1, "-1", ["-1 usd cannot be"]),
        ("bitcoin_price", "bitcoin_daily.csv", "btc_close_usd", "usd", 1, "1e300", ["1e+300 usd cannot be"]),
        (
            "day_ahead",
            "day_ahead_price_hourly.csv",
            "hb_south_da_usd_per_mwh",
            "usd_per_mwh",
            1,
            "",
            ["no value at all"],
        ),
    ],
)
def test_a_value_no_world_has_is_refused(replay, tmp_path, role, file, column, unit, position, value, words):
    spoil(file, tmp_path / "data" / file, lambda _, row: [*row[:position], value, *row[position + 1 :]])
    step_min = 1440 if file == "bitcoin_daily.csv" else 60
    refused(replay(**{role: declared(file, column, unit, step_min)}), f"feed '{role}'", file, *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda i, row: [row[0], "-5"], ["-5 per_s cannot be"]),
        (lambda i, row: [row[0], ""], ["no value at all"]),
        (lambda i, row: ["abc", row[1]], ["data row 1", "'abc'", "seconds from the trace's start"]),
        (lambda i, row: row if i < 2 else None, ["shorter than a week"]),
    ],
)
def test_a_trace_that_cannot_be_laid_is_named(replay, tmp_path, change, words):
    spoil("llm_demand_10min.csv", tmp_path / "data" / "chat.csv", change)
    undated = ', time = "offset_s", is_undated = true'
    said = replay(chat_demand=declared("chat.csv", "rate_req_per_s", "per_s", 10, undated))
    refused(said, "feed 'chat_demand'", *words)


def _powered_by_a_plant(tmp_path, ratio):
    """The demo site with a thin connection and a plant of its own, whose output is a recorded series."""
    plant = '[[generator]]\nname = "plant"\nkind = "nuclear"\ncapacity_mw = 20.0\nmarginal_cost_usd_per_mwh = 5.0\n'
    text = DEMO.read_text(encoding="utf-8").replace("import_max_mw = 21.0", "import_max_mw = 2.0")
    text = text.replace("[desk]", f'{plant}must_run_ratio = 0.0\nprofile = "plant_output"\n\n[desk]')
    spoil(PRICE, tmp_path / "data" / "plant.csv", lambda _, row: [row[0], ratio(row)])
    site = tmp_path / "plant.toml"
    site.write_text(f"{text}plant_output = {declared('plant.csv', COLUMN, 'ratio', 15)}\n", encoding="utf-8")
    return site


def test_firm_load_that_cannot_be_served_is_said_loudly_and_the_replay_goes_on(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    site = _powered_by_a_plant(tmp_path, lambda row: "0" if row[0] >= "2024-11-07T09" else "1")
    options = ("--data", tmp_path / "data", "--no-sensitivities", "--json")
    said = run(capsys, monkeypatch, "replay", site, *SIX_HOURS, "--policies", "always-on,rolling", *options)
    assert said.code == 0
    loud = [caveat for caveat in said.json["caveats"] if "FIRM LOAD NOT SERVED" in caveat]
    assert [caveat.split(":")[0] for caveat in loud] == [
        "FIRM LOAD NOT SERVED by always-on",
        "FIRM LOAD NOT SERVED by rolling",
    ]

    said = run(capsys, monkeypatch, "replay", site, *SIX_HOURS, *options)
    assert said.code == 3
    assert "No bound: even with perfect foresight the firm load cannot be served at 2024-11-07T09:" in said.err
    finished = {figures["label"] for figures in said.json["policies"]}
    assert {"always-on", "desk", "rolling"} <= finished
    assert "bound" not in finished
    assert (tmp_path / "out" / "run.json").exists()

    alone = ("--policies", "bound", "--out", "alone")
    refused(run(capsys, monkeypatch, "replay", site, *SIX_HOURS, *alone, *options), "No bound", code=3)
    assert not (tmp_path / "alone").exists()


def test_output_beyond_a_plants_capacity_is_refused(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    site = _powered_by_a_plant(tmp_path, lambda _: "1.5")
    said = run(capsys, monkeypatch, "replay", site, *ROLLING, "--data", tmp_path / "data")
    refused(said, "feed 'plant_output'", "1.5 ratio cannot be", "unit and scale")

"""How cells become integers: units, signs, marks, stamps and intervals."""

from pathlib import Path

import pytest

from headrace.adapters.statements import (
    MeterDeclaration,
    StatementDeclaration,
    load_declaration,
    read_meter,
    read_statement,
)
from headrace.core import BadInput, iso
from headrace.settlement.billed import Version

PLAIN = {
    "source": "supplier",
    "counterparty": "Made-up supplier",
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "interval": "hour",
    "plus_is": "owed_by_us",
    "version": "initial",
    "columns": {"start": "at", "amount": "sum", "quantity": "qty", "price": "price"},
    "charges": {"Energy": "energy_bought"},
}
IN_KWH = {"quantity_unit": "kWh", "price_unit": "per_kwh"}
GERMAN = {"time_format": "%d.%m.%Y %H:%M", "interval": "15min"}


def read(tmp_path, *rows, header="at,qty,price,sum", **changes):
    path = tmp_path / "statement.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return read_statement(path, StatementDeclaration.model_validate(PLAIN | changes))


def only(tmp_path, row, **changes):
    return read(tmp_path, row, **changes).rows[0]


@pytest.mark.parametrize(
    ("row", "changes", "expected"),
    [
        ("2024-06-01T00:00,2.5,40,100.00", {}, (2_500_000, -40_000_000, -100_000_000)),
        ("2024-06-01T00:00,2500,0.04,100", IN_KWH, (2_500_000, -40_000_000, -100_000_000)),
        ("2024-06-01T00:00,2.5,40,(100.00)", {}, (2_500_000, 40_000_000, 100_000_000)),
        ("2024-06-01T00:00,-2.5,40,-100", {}, (2_500_000, 40_000_000, 100_000_000)),
        ("2024-06-01T00:00,2.5,-40,-100", {}, (2_500_000, 40_000_000, 100_000_000)),
        ("2024-06-01T00:00,2.5,40,100", {"plus_is": "owed_to_us"}, (2_500_000, 40_000_000, 100_000_000)),
        ('2024-06-01T00:00,"1,000.5",40,"40,020.00"', {}, (1_000_500_000, -40_000_000, -40_020_000_000)),
        ("2024-06-01T00:00,,,3.14", {}, (None, None, -3_140_000)),
    ],
)  # fmt: skip
def test_quantity_price_and_amount_are_exact(tmp_path, row, changes, expected):
    found = only(tmp_path, row, **changes)
    assert (found.quantity, found.price_micro_per_mwh, found.amount) == expected


def test_a_decimal_comma_is_declared(tmp_path):
    found = read(
        tmp_path, "2024-06-01T00:00;2,5;40;1.100,50", header="at;qty;price;sum", delimiter=";", decimal_mark=","
    ).rows[0]
    assert (found.quantity, found.amount) == (2_500_000, -1_100_500_000)


@pytest.mark.parametrize("text", ["1,5", "1e5", "NaN", "inf", "", "--1", "(-1)", "0x10", "9" * 25, "1 000"])
def test_what_is_no_amount_is_refused(tmp_path, text):
    with pytest.raises(BadInput, match=r"line 2: .* is (no number|more than)"):
        only(tmp_path, f'2024-06-01T00:00,1,1,"{text}"')


@pytest.mark.parametrize(
    ("stamp", "changes", "span"),
    [
        ("2024-06-01T00:00", {}, ("2024-05-31T22:00:00Z", "2024-05-31T23:00:00Z")),
        ("2024-06-01T00:00Z", {}, ("2024-06-01T00:00:00Z", "2024-06-01T01:00:00Z")),
        ("2024-06-01 01:00+02:00", {"stamp": "end"}, ("2024-05-31T22:00:00Z", "2024-05-31T23:00:00Z")),
        ("01.06.2024 00:15", GERMAN, ("2024-05-31T22:15:00Z", "2024-05-31T22:30:00Z")),
        ("2024-03-31", {"interval": "day"}, ("2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z")),
        ("2024-10-27", {"interval": "day"}, ("2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z")),
        ("2024-10", {"interval": "month", "time_format": "%Y-%m"}, ("2024-09-30T22:00:00Z", "2024-10-31T23:00:00Z")),
        ("2024-12-01", {"interval": "month"}, ("2024-11-30T23:00:00Z", "2024-12-31T23:00:00Z")),
    ],
)  # fmt: skip
def test_a_stamp_names_an_interval(tmp_path, stamp, changes, span):
    found = only(tmp_path, f"{stamp},1,1,1", **changes)
    assert (iso(found.start_s), iso(found.end_s)) == span


@pytest.mark.parametrize("stamp", ["2024-06-02", "2024-06-01T01:00"])
def test_a_month_begins_on_its_first_day(tmp_path, stamp):
    with pytest.raises(BadInput, match="is not where a month begins in Europe/Berlin"):
        only(tmp_path, f"{stamp},1,1,1", interval="month")


def test_the_hour_that_the_clock_shows_again_is_told_apart(tmp_path):
    columns = PLAIN["columns"] | {"repeated_hour": "dst"}
    hours = [("00:00", "N"), ("01:00", "N"), ("02:00", "N"), ("02:00", "Y"), ("03:00", "N")]
    rows = [f"2024-10-27T{hour},1,1,1,{flag}" for hour, flag in hours]
    found = read(tmp_path, *rows, header="at,qty,price,sum,dst", columns=columns)
    assert [row.start_s - found.start_s for row in found.rows] == [3600 * i for i in range(5)]


def test_a_pools_hashrate_and_price_are_work_and_satoshis(tmp_path):
    about = {
        "source": "pool",
        "currency": "BTC",
        "quantity_unit": "PH/s",
        "price_unit": "per_phs_day",
        "interval": "day",
    }
    about |= {"time_zone": "UTC", "plus_is": "owed_to_us", "charges": {"FPPS": "mining_sats"}}
    found = only(tmp_path, "2024-06-01,500,0.00000060,0.00030000", **about)
    assert (found.quantity, found.amount) == (500 * 86_400, 30_000)
    assert found.price_micro_per_mwh == round(60 * 1e6 / 86_400)


def test_a_charge_may_be_billed_by_the_month_beside_hours(tmp_path):
    charges = {"Energy": "energy_bought", "Grid": {"line": "fixed_charges", "interval": "month"}}
    rows = [f"2024-02-{d:02d},{h:02d}:00" for d in range(1, 30) for h in range(24)]
    rows = [f"{row.replace(',', 'T')},Energy,1,1,1" for row in rows] + ["2024-02-01,Grid,,,900"]
    columns = PLAIN["columns"] | {"charge": "what"}
    found = read(tmp_path, *rows, header="at,what,qty,price,sum", columns=columns, charges=charges)
    assert (iso(found.start_s), iso(found.end_s)) == ("2024-01-31T23:00:00Z", "2024-02-29T23:00:00Z")
    assert found.total == -(29 * 24 + 900) * 1_000_000


def test_the_senders_words_for_versions_are_declared(tmp_path):
    columns = PLAIN["columns"] | {"version": "run"}
    for word, version in (("Settled 1", Version.INITIAL), ("FINAL", Version.FINAL), ("resettled", Version.TRUE_UP)):
        found = read(
            tmp_path, f"2024-06-01T00:00,1,1,1,{word}", header="at,qty,price,sum,run", columns=columns, version=None,
            versions={"settled 1": "initial", "resettled": "true-up"},
        )  # fmt: skip
        assert found.version is version


def test_the_digest_follows_what_is_billed_not_how_it_is_written(tmp_path):
    first = read(tmp_path, "2024-06-01T00:00,2.5,40,100.00")
    assert read(tmp_path, '2024-05-31T22:00Z,2.500,40.0,"100"').digest == first.digest
    assert read(tmp_path, "2024-06-01T00:00,2.5,40,100.01").digest != first.digest


METER = {"time_zone": "UTC", "interval": "15min", "columns": {"start": "at", "imported": "in", "exported": "out"}}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["2024-06-01T00:00,1,0", "2024-06-01T00:30,1,0"], "line 3: no reading for 2024-06-01T00:15:00Z"),
        (["2024-06-01T00:00,1,0", "2024-06-01T00:00,2,0"], "line 3: 2024-06-01T00:00:00Z is read twice"),
        (["2024-06-01T00:00,x,0"], "line 2: 'x' is no number"),
        ([], "holds no reading"),
    ],
)
def test_a_meters_file_with_a_hole_is_refused(tmp_path, rows, words):
    path = tmp_path / "meter.csv"
    path.write_text("\n".join(["at,in,out", *rows]))
    with pytest.raises(BadInput, match=words):
        read_meter(path, MeterDeclaration.model_validate(METER))


def test_the_declaration_in_the_guide_is_one(tmp_path):
    guide = Path(__file__).parents[3] / "docs" / "guides" / "reconcile-a-statement.md"
    section = guide.read_text(encoding="utf-8").split("\n## ")[2]
    path = tmp_path / "market.toml"
    path.write_text("\n".join(line[4:] for line in section.splitlines() if line.startswith("    ")), encoding="utf-8")
    assert load_declaration(path, StatementDeclaration).lines == ("energy_bought", "energy_sold", "supply_fees")


def test_a_declaration_of_the_other_kind_is_refused(tmp_path):
    path = tmp_path / "meter.toml"
    path.write_text('time_zone = "UTC"\ninterval = "15min"\n[columns]\nstart = "at"\nimported = "in"\n')
    assert load_declaration(path, MeterDeclaration).tolerance_ppm == 2000
    with pytest.raises(BadInput, match=r"columns\.amount: is missing"):
        load_declaration(path, StatementDeclaration)

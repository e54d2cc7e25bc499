"""A day's offers written as files, the plan on the curve, and awards checked against what was offered."""

import csv
import hashlib
import json
from pathlib import Path

import pytest

from headrace.app.market_verbs import run_awards, run_offer
from headrace.core import BadInput
from headrace.dispatch.offers import BidCurve, BidPoint, drawn_mw

SITE = Path(__file__).parents[2] / "src/headrace/app/sites/demo_mixed.toml"
DAY = "2024-11-20"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("market")
    run_offer(
        SITE,
        day=DAY,
        out=out,
        data=None,
        layout="ercot",
        gate="10:00",
        resource="LOAD_1",
        stored_mwh=None,
        as_json=True,
    )
    return out


def offers(folder):
    return json.loads((folder / "offers.json").read_bytes())


def test_every_hour_clears_at_its_plan(folder):
    hours = offers(folder)["energy"]
    assert len(hours) == 24
    for hour in hours:
        points = tuple(BidPoint(mw=p["mw"], ccy_per_mwh=p["price"]) for p in hour["points"])
        curve = BidCurve(least_mw=hour["least_mw"], points=points)
        assert abs(drawn_mw(curve, hour["expected_price"]) - hour["planned_mw"]) <= 0.06


def test_a_market_curve_never_rises_and_has_ten_points_at_most(folder):
    with (folder / "energy_bid_curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    for ending in range(1, 25):
        own = [(float(r["mw"]), float(r["price_per_mwh"])) for r in rows if r["hour_ending"] == str(ending)]
        assert 0 < len(own) <= 10
        assert own == sorted(own, key=lambda point: (point[0], -point[1]))
        assert [price for _, price in own] == sorted((price for _, price in own), reverse=True)


def test_the_operating_plan_covers_the_day(folder):
    with (folder / "current_operating_plan.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["hour_ending"] for row in rows] == [str(hour) for hour in range(1, 25)]
    for row in rows:
        low, most = float(row["low_power_consumption_mw"]), float(row["max_power_consumption_mw"])
        assert low - 0.1 <= float(row["planned_mw"]) <= most + 0.1


def test_digests_on_record_are_those_of_the_files(folder):
    line = json.loads((folder / "market.jsonl").read_text().splitlines()[0])
    assert line["reason"].startswith("2,2")
    for name, digest in line["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_same_day_gives_the_same_bytes(folder, tmp_path):
    run_offer(
        SITE,
        day=DAY,
        out=tmp_path,
        data=None,
        layout="ercot",
        gate="10:00",
        resource="LOAD_1",
        stored_mwh=None,
        as_json=True,
    )
    for name in ("offers.json", "energy_bid_curves.csv", "current_operating_plan.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_awards_within_the_offers_are_kept(folder, tmp_path):
    file = tmp_path / "awards.csv"
    file.write_text("kind,start,mw,price\nenergy,2024-11-20T06:00-06:00,60.5,21.40\n")
    run_awards(file, out=folder, as_json=True)
    kept = json.loads((folder / "awards.json").read_bytes())
    assert kept["awards"] == [{"kind": "energy", "start_s": 1732104000, "mw": 60.5, "price_ccy": 21.4}]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("start,mw\n2024,1\n", "columns kind, start, mw, price expected"),
        ("kind,start,mw,price\nenergy,2024-11-20T06:00-06:00,600,21\n", "600 MW of energy awarded"),
        ("kind,start,mw,price\nenergy,2024-11-20T06:00,60,21\n", "carries no zone"),
        ("kind,start,mw,price\nenergy,2024-11-20T06:00-06:00,nan,21\n", "must be numbers"),
        ("kind,start,mw,price\nenergy,2024-11-25T06:00-06:00,6,21\n", "was not offered"),
        ("kind,start,mw,price\nenergy,2024-11-20T06:00-06:00,6,21\nenergy,2024-11-20T06:00-06:00,6,21\n", "twice"),
        ("", "no line"),
    ],
)
def test_an_award_that_cannot_be_is_refused_with_its_line(folder, tmp_path, text, found):
    file = tmp_path / "awards.csv"
    file.write_text(text)
    with pytest.raises(BadInput, match=found):
        run_awards(file, out=folder, as_json=True)


def test_a_day_that_is_none_is_refused():
    with pytest.raises(BadInput, match="no day and time"):
        run_offer(
            SITE,
            day="tomorrow",
            out=Path("unused"),
            data=None,
            layout="generic",
            gate="10:00",
            resource=None,
            stored_mwh=None,
            as_json=True,
        )

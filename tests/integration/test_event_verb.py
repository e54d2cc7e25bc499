"""`headrace event`: from a live site's journal and trace to a report, with baselines from the days before."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headrace.adapters.grid.trace import TracedMeters, read_trace
from headrace.app.event_verbs import run_event
from headrace.control.orders import Authority, Order, OrderKind
from headrace.control.readings import MeterReading
from headrace.core import BadInput
from headrace.engine.journal import JournalHeader
from headrace.engine.live.journal import reopen
from headrace.engine.live.records import Ordered

SITE = Path(__file__).parents[2] / "src/headrace/app/sites/demo_mixed.toml"
S = 1_000_000
START = round(datetime(2026, 7, 15, 20, tzinfo=UTC).timestamp()) * S  # a Wednesday, 15:00 in Texas
DAY_S = 86_400


class Meter:
    """A meter that reads what it is told."""

    def __init__(self):
        self.reading = None

    async def power(self):
        return (self.reading,)

    async def counters(self):
        return ()

    async def close(self):
        return None


@pytest.fixture
async def folder(tmp_path):
    order = Order(
        id="adr3.evt-7",
        kind=OrderKind.SHED,
        authority=Authority.GRID,
        mw=20.0,
        received_us=START - 60 * S,
        starts_us=START,
        ends_us=START + 900 * S,
        within_s=30.0,
        issued_by="utility",
        reason="heat",
    )
    header = JournalHeader(
        kind="live", site="x", policy="rolling", period="a/b", config_digest="", input_digest="", versions={}
    )
    journal, _ = reopen(tmp_path / "live.jsonl", header, fsync_every=1)
    journal.append(Ordered(at_us=order.received_us, order=order, load_mw=60.0))
    journal.close()
    meter = Meter()
    traced = TracedMeters(meter, tmp_path / "trace")
    for at_s in range(-4 * 3600 - 20, 1800, 10):
        power_w = 40_000_000 if 20 <= at_s < 900 else 60_000_000
        meter.reading = MeterReading(meter="site", at_us=START + at_s * S, power_w=power_w)
        await traced.power()
    for day in range(1, 16):
        times = (START + (at_s - day * DAY_S) * S for at_s in range(-4 * 3600 - 20, 1000, 10))
        lines = "".join(f"{at_us},site,60000000\n" for at_us in times)
        date = datetime.fromtimestamp(START / 1e6 - day * DAY_S, tz=UTC).date()
        (tmp_path / "trace" / f"{date}.csv").write_text(f"at_us,meter,power_w\n{lines}")
    return tmp_path


def run(folder, **changes):
    arguments = {"site": SITE, "out": folder, "meter": "site", "bundle": None, "to": None, "as_json": True}
    run_event("adr3.evt-7", **arguments | changes)
    return json.loads((folder / "event-adr3.evt-7.json").read_bytes())


async def test_an_event_is_reported_from_journal_and_trace(folder):
    report = run(folder)["performance"]
    assert report["met_us"] == START + 20 * S
    assert report["before_w"] == 60_000_000
    by_method = {each["method"]: each["delivered_wh"] for each in report["delivered"]}
    assert len(by_method) == 3
    expected_wh = round(20_000_000 * 880 / 3600)
    assert all(abs(wh - expected_wh) <= 3 for wh in by_method.values())
    ten = next(each for each in report["baselines"] if each["method"] == "10-in-10")
    assert len(ten["days"]) == 10
    assert {each["reason"] for each in ten["left_out"]} == {"weekend"}


async def test_the_report_names_the_bundle_it_rests_on(folder):
    bundle = folder / "telemetry.bundle"
    bundle.write_bytes(b"signed")
    proof = run(folder, bundle=bundle)["proof"]
    assert proof["bundle"] == "telemetry.bundle"
    assert len(proof["digest"]) == 64
    assert "telemetry.bundle" in (folder / "event-adr3.evt-7.html").read_text()


async def test_an_unknown_event_names_those_there_are(folder):
    with pytest.raises(BadInput, match=r"Last orders: adr3\.evt-7"):
        run_event("nothing", site=SITE, out=folder, meter="site", bundle=None, to=None, as_json=True)


async def test_a_torn_line_of_the_trace_costs_that_reading_alone(folder):
    path = folder / "trace" / "2026-07-15.csv"
    path.write_text(path.read_text() + "17841")
    before = len(read_trace(folder / "trace", "site", START, START + 900 * S))
    assert before == 90


async def test_a_disk_that_takes_nothing_costs_readings_and_not_control(tmp_path):
    meter = Meter()
    (tmp_path / "file").write_text("in the way")
    traced = TracedMeters(meter, tmp_path / "file")
    meter.reading = MeterReading(meter="site", at_us=START, power_w=1)
    assert await traced.power() == (meter.reading,)
    assert traced.unwritten == 1

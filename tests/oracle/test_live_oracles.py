"""Independent readers on the same recorded replies; each skips where its package is not importable.

They run in an environment of their own (docs/guides/live-feeds.md): both need pandas, gridstatus an older one.
gridstatus reads CAISO only while it fetches, so it has no say on those bytes; their times are UTC.
"""

import io
import json
from datetime import date

import numpy as np
import pytest

from headrace.adapters.feeds.live.sources import source_of
from headrace.adapters.feeds.live.wall import midnight_s
from headrace.core import Interval
from live_replies import recorded, zipped

PANDAS = "oracles need pandas, in an environment of their own: docs/guides/live-feeds.md"
NYISO_FILES = [
    ("nyiso.real_time.west", "WEST", "20240310realtime_zone.csv", "realtime"),
    ("nyiso.real_time.nyc", "N.Y.C.", "20241103realtime_zone.csv", "realtime"),
    ("nyiso.day_ahead.west", "WEST", "20241103damlbmp_zone.csv", "damlbmp"),
]
ERCOT_FILES = [
    ("ercot.real_time.hb_south", "ercot_spp_2024-03-10.json", "settlementPointPrice"),
    ("ercot.real_time.hb_south", "ercot_spp_2024-11-03.json", "settlementPointPrice"),
    ("ercot.day_ahead.hb_south", "ercot_dam_2024-11-03.json", "settlementPointPrice"),
]
ENTSOE_FILES = [
    ("entsoe.day_ahead.fr", "entsoe_fr_2024-03-31.xml", "60min"),
    ("entsoe.day_ahead.fr", "entsoe_fr_2024-10-27.xml", "60min"),
]


def own(name, body):
    """Our rows of a reply, missing ones left out."""
    source, series = source_of(name)
    begins_s = midnight_s(date(2024, 3, 1), source.zone)
    request = source.requests(series, Interval.from_epoch(begins_s, begins_s + 3600), begins_s + 86_400 * 90)[0]
    found = source.read(series, request, body)
    present = ~np.isnan(found.values)
    return dict(zip(found.times_s[present].tolist(), found.values[present].tolist(), strict=True))


def seconds(stamps):
    """Epoch seconds of aware pandas times."""
    return [int(stamp.timestamp()) for stamp in stamps]


@pytest.mark.parametrize(("name", "point", "file", "dataset"), NYISO_FILES)
def test_gridstatus_reads_the_same_prices_of_nyiso(name, point, file, dataset):
    pandas = pytest.importorskip("pandas", reason=PANDAS)
    gridstatus = pytest.importorskip("gridstatus", reason="gridstatus is not importable")
    body = recorded(f"nyiso_{file}")
    frame = gridstatus.NYISO()._handle_time(pandas.read_csv(io.BytesIO(body)), dataset)
    rows = frame[frame["Name"] == point]
    theirs = dict(zip(seconds(rows["Interval Start"]), rows["LBMP ($/MWHr)"].tolist(), strict=True))
    assert own(name, zipped(**{file.replace(".", "__"): body})) == theirs


@pytest.mark.parametrize(("name", "file", "column"), ERCOT_FILES)
def test_gridstatus_reads_the_same_prices_of_ercot(name, file, column):
    pandas = pytest.importorskip("pandas", reason=PANDAS)
    gridstatus = pytest.importorskip("gridstatus", reason="gridstatus is not importable")
    reply = json.loads(recorded(file))
    frame = pandas.DataFrame(reply["data"], columns=[field["name"] for field in reply["fields"]])
    frame = frame.rename(columns={"deliveryHour": "DeliveryHour", "deliveryInterval": "DeliveryInterval"})
    rows = gridstatus.Ercot().parse_doc(frame)
    theirs = dict(zip(seconds(rows["Interval Start"]), rows[column].tolist(), strict=True))
    assert own(name, recorded(file)) == theirs


@pytest.mark.parametrize(("name", "file", "resolution"), ENTSOE_FILES)
def test_entsoe_py_reads_the_same_prices(name, file, resolution):
    parsers = pytest.importorskip("entsoe.parsers", reason="entsoe-py is not importable")
    hourly = parsers.parse_prices(recorded(file).decode())[resolution].dropna()
    ours = own(name, recorded(file))
    theirs = {
        s + q: v for s, v in zip(seconds(hourly.index), hourly.tolist(), strict=True) for q in (0, 900, 1800, 2700)
    }
    assert ours == theirs


def test_entsoe_py_reads_the_same_quarter_hours():
    parsers = pytest.importorskip("entsoe.parsers", reason="entsoe-py is not importable")
    body = recorded("entsoe_de_lu_2025-09-30.xml")
    found = parsers.parse_prices(body.decode())["15min"]
    theirs = {(s, v) for s, v in zip(seconds(found.index), found.tolist(), strict=True)}
    ours = own("entsoe.day_ahead.de_lu", body)
    quarters = {(s, v) for s, v in ours.items() if v > 100.0}
    assert len(quarters) == 96
    assert quarters <= theirs, "it returns every auction's quarters, ours is one of them"

"""CAISO: prices of trading hubs and load aggregation points from OASIS.

Format: CAISO's OASIS interface specification, `SingleZip` with `resultformat=6`: a zip with one CSV, or with one XML
that says why there is none. Times are UTC, so daylight saving does not touch them. A reply interleaves the price
(`LMP`) with its components (`MCE`, `MCC`, `MCL`, `MGHG`). OASIS asks for five seconds between requests; a client that
is faster is sent a page of HTML.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from headrace.adapters.feeds.live.markup import tag, xml_root
from headrace.adapters.feeds.live.request import Request
from headrace.adapters.feeds.live.rows import csv_rows, number, table, text
from headrace.adapters.feeds.live.source import LiveSeries, Source
from headrace.adapters.feeds.live.wall import days, midnight_s
from headrace.adapters.feeds.live.zipped import unzipped
from headrace.adapters.feeds.table import Table
from headrace.core import BadInput, Interval, epoch_s, from_epoch_s

__all__ = ["CAISO"]

ZONE: Final = ZoneInfo("America/Los_Angeles")
HOST: Final = "oasis.caiso.com"
FIRST_DAY: Final = date(2009, 4, 1)
"""The present market's first day; OASIS keeps the last years of it and answers older ones with "no data"."""
DAYS_A_REQUEST: Final = 15
"""OASIS serves up to 31 days of one node."""
REAL_TIME: Final = "PRC_INTVL_LMP"
DAY_AHEAD: Final = "PRC_LMP"
RUNS: Final = {REAL_TIME: ("RTM", "3"), DAY_AHEAD: ("DAM", "12")}
"""Market run and version of each report."""
VALUE_COLUMNS: Final = {REAL_TIME: "VALUE", DAY_AHEAD: "MW"}
"""Column of the price: OASIS calls it MW in the hourly report, though it is $/MWh."""
NO_DATA: Final = "1000"
POINTS: Final = {
    "np15": "TH_NP15_GEN-APND",
    "sp15": "TH_SP15_GEN-APND",
    "zp26": "TH_ZP26_GEN-APND",
    "dlap_pgae": "DLAP_PGAE-APND",
    "dlap_sce": "DLAP_SCE-APND",
    "dlap_sdge": "DLAP_SDGE-APND",
}


def _offered() -> Mapping[str, LiveSeries]:
    reports = {"real_time": REAL_TIME, "day_ahead": DAY_AHEAD}
    found = [
        LiveSeries(name=f"caiso.{market}.{point}", report=report, point=node, first_day=FIRST_DAY)
        for market, report in reports.items()
        for point, node in POINTS.items()
    ]
    return {series.name: series for series in found}


def _requests(series: LiveSeries, window: Interval, now_s: int) -> list[Request]:
    """Up to fifteen local days a request."""
    asked = days(window.start_s, window.end_s, ZONE)
    run, version = RUNS[series.report]
    found = []
    for i in range(0, len(asked), DAYS_A_REQUEST):
        first, last = asked[i], asked[min(i + DAYS_A_REQUEST, len(asked)) - 1]
        interval = Interval.from_epoch(midnight_s(first, ZONE), midnight_s(last + timedelta(days=1), ZONE))
        params = (
            ("queryname", series.report),
            ("market_run_id", run),
            ("node", series.point),
            ("startdatetime", f"{from_epoch_s(interval.start_s):%Y%m%dT%H:%M}-0000"),
            ("enddatetime", f"{from_epoch_s(interval.end_s):%Y%m%dT%H:%M}-0000"),
            ("version", version),
            ("resultformat", "6"),
        )
        found.append(Request(url=f"https://{HOST}/oasisapi/SingleZip", params=params, interval=interval))
    return found


def _read(series: LiveSeries, request: Request, body: bytes) -> Table:
    where = f"CAISO {series.report} {series.point}"
    step_s = series.declaration.step_s
    found: list[tuple[int, float]] = []
    for name, content in unzipped(where, body).items():
        if name.lower().endswith(".xml"):
            _check_no_data(where, content)
            continue
        found += _rows(where, series, text(where, content))
    return table(where, found, step_s)


def _check_no_data(where: str, content: bytes) -> None:
    """Take the operator's "no data" for an empty reply, and any other error for one."""
    root = xml_root(where, content)
    said = {tag(element): (element.text or "").strip() for element in root.iter()}
    if said.get("ERR_CODE") != NO_DATA:
        what = f"error {said.get('ERR_CODE', '?')}, {said.get('ERR_DESC', 'no explanation')!r}"
        raise BadInput(where, what, "Check the period; OASIS also refuses requests that come too fast")


def _rows(where: str, series: LiveSeries, words: str) -> list[tuple[int, float]]:
    step_s = series.declaration.step_s
    columns = ("INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "NODE", "LMP_TYPE", VALUE_COLUMNS[series.report])
    found: list[tuple[int, float]] = []
    nodes: set[str] = set()
    for start, end, node, kind, value in csv_rows(where, words, columns):
        nodes.add(node)
        if node != series.point or kind != "LMP":
            continue
        start_s = _utc_s(where, start)
        if _utc_s(where, end) - start_s != step_s:
            raise BadInput(f"{where} at {start}", f"ends at {end}", f"An interval has {step_s / 60:g} min")
        found.append((start_s, number(where, value)))
    if not found:
        raise BadInput(where, "no price of this node", f"Nodes there: {', '.join(sorted(nodes)[:20]) or 'none'}")
    return found


def _utc_s(where: str, stamp: str) -> int:
    """Epoch seconds of "2024-11-03T08:00:00-00:00"."""
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError as error:
        raise BadInput(where, f"{stamp!r} is no time", "CAISO's format has changed") from error
    if at.utcoffset() != timedelta():
        raise BadInput(where, f"{stamp!r} is not UTC", "CAISO's format has changed")
    return epoch_s(at)


CAISO: Final = Source(
    name="caiso",
    title="California Independent System Operator",
    time_zone="America/Los_Angeles",
    pauses_s={HOST: 5.0},
    series=_offered(),
    requests=_requests,
    read=_read,
)

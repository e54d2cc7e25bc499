"""NYISO: zonal prices from the public files of the market information system.

Format: the files themselves (mis.nyiso.com, P-24A real time and P-2A day ahead), one CSV a local day, and a zip of them
a month. Real-time stamps are the ends of their intervals, day-ahead stamps the beginnings of their hours, both in local
time without a mark for the hour that autumn repeats: rows come in order of time, so where the clock steps back the
second showing begins. Between the five-minute marks there are corrective runs at odd seconds: a price holds from the
stamp before it to its own, for five minutes at most, and an interval is the mean of its pieces by time.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from headrace.adapters.feeds.live.request import Request
from headrace.adapters.feeds.live.rows import csv_rows, number, table, text
from headrace.adapters.feeds.live.source import LiveSeries, Source
from headrace.adapters.feeds.live.wall import days, is_twice, midnight_s, wall_s
from headrace.adapters.feeds.live.zipped import unzipped
from headrace.adapters.feeds.table import Table
from headrace.core import BadInput, Interval

__all__ = ["NYISO"]

ZONE: Final = ZoneInfo("America/New_York")
HOST: Final = "mis.nyiso.com"
FIRST_DAY: Final = date(1999, 11, 18)
"""The market's first day."""
DAILY_FILES_S: Final = 7 * 86_400
"""How long a day is served as a file of its own, seconds; older ones come by the month."""
REAL_TIME: Final = "realtime"
DAY_AHEAD: Final = "damlbmp"
PRICE: Final = "LBMP ($/MWHr)"
"""Column with the price; its name states the unit."""
POINTS: Final = {
    "capitl": "CAPITL",
    "centrl": "CENTRL",
    "dunwod": "DUNWOD",
    "genese": "GENESE",
    "hud_vl": "HUD VL",
    "longil": "LONGIL",
    "mhk_vl": "MHK VL",
    "millwd": "MILLWD",
    "nyc": "N.Y.C.",
    "north": "NORTH",
    "west": "WEST",
}


def _offered() -> Mapping[str, LiveSeries]:
    reports = {"real_time": REAL_TIME, "day_ahead": DAY_AHEAD}
    found = [
        LiveSeries(name=f"nyiso.{market}.{point}", report=report, point=name, first_day=FIRST_DAY)
        for market, report in reports.items()
        for point, name in POINTS.items()
    ]
    return {series.name: series for series in found}


def _requests(series: LiveSeries, window: Interval, now_s: int) -> list[Request]:
    """Months as zips as long as a day of them is no longer served alone, then days."""
    found: list[Request] = []
    for day in days(window.start_s, window.end_s, ZONE):
        if midnight_s(day, ZONE) > now_s - DAILY_FILES_S:
            found.append(_request(series, f"{day:%Y%m%d}{series.report}_zone.csv", day, day + timedelta(days=1)))
        elif not found or found[-1].interval.end_s <= midnight_s(day, ZONE):
            first = day.replace(day=1)
            after = (first + timedelta(days=31)).replace(day=1)
            found.append(_request(series, f"{first:%Y%m%d}{series.report}_zone_csv.zip", first, after))
    return found


def _request(series: LiveSeries, file: str, first: date, after: date) -> Request:
    return Request(
        url=f"https://{HOST}/public/csv/{series.report}/{file}",
        interval=Interval.from_epoch(midnight_s(first, ZONE), midnight_s(after, ZONE)),
    )


def _read(series: LiveSeries, request: Request, body: bytes) -> Table:
    file = request.url.rpartition("/")[2]
    files = unzipped(f"NYISO {file}", body) if file.endswith(".zip") else {file: body}
    stamped: list[tuple[int, float]] = []
    for name, content in sorted(files.items()):
        stamped += _stamped(f"NYISO {name}", series.point, content)
    where, step_s = f"NYISO {file}", series.declaration.step_s
    return table(where, stamped if series.report == DAY_AHEAD else _intervals(stamped, step_s), step_s)


def _stamped(where: str, point: str, content: bytes) -> list[tuple[int, float]]:
    """Rows of one point as (stamp in epoch seconds, price)."""
    rows: list[tuple[datetime, float]] = []
    points: set[str] = set()
    for stamp, name, price in csv_rows(where, text(where, content), ("Time Stamp", "Name", PRICE)):
        points.add(name)
        if name == point:
            rows.append((_wall(where, stamp), number(where, price)))
    if not rows:
        there = ", ".join(sorted(points)[:20]) or "none"
        raise BadInput(where, f"no row of {point}", f"Points there: {there}")
    return _in_utc(where, rows)


def _in_utc(where: str, rows: Sequence[tuple[datetime, float]]) -> list[tuple[int, float]]:
    """Wall stamps as epoch seconds: of those that the clock shows twice, the second showing begins at the step back.

    Where rows are lost and no step back is left, the two showings can't be told apart: these rows are left out.
    """
    twice = {i for i, (wall, _) in enumerate(rows) if is_twice(wall, ZONE)}
    second_from = next((i for i in sorted(twice) if i - 1 in twice and rows[i][0] <= rows[i - 1][0]), len(rows))
    is_told = second_from < len(rows) or len(rows) - 1 in twice  # the day's file may not have come that far yet
    return [
        (wall_s(f"{where}, {wall}", wall, ZONE, is_second=i in twice and i >= second_from), price)
        for i, (wall, price) in enumerate(rows)
        if is_told or i not in twice
    ]


def _wall(where: str, stamp: str) -> datetime:
    form = "%m/%d/%Y %H:%M:%S" if stamp.count(":") == 2 else "%m/%d/%Y %H:%M"
    try:
        return datetime.strptime(stamp, form)  # noqa: DTZ007  wall time: its zone is settled with the rows around it
    except ValueError as error:
        raise BadInput(where, f"{stamp!r} is no time", "NYISO's format has changed") from error


def _intervals(stamped: Sequence[tuple[int, float]], step_s: int) -> list[tuple[int, float]]:
    """Prices that end at their stamps, as means of whole intervals; an interval partly without a price has none."""
    pieces: dict[int, list[tuple[int, float]]] = {}
    before_s = 0
    for end_s, price in stamped:
        at_s = max(before_s, end_s - step_s)
        while at_s < end_s:
            start_s = at_s // step_s * step_s
            until_s = min(end_s, start_s + step_s)
            pieces.setdefault(start_s, []).append((until_s - at_s, price))
            at_s = until_s
        before_s = end_s
    return [
        (start_s, parts[0][1] if len(parts) == 1 else sum(s * price for s, price in parts) / step_s)
        for start_s, parts in pieces.items()
        if sum(seconds for seconds, _ in parts) == step_s
    ]


NYISO: Final = Source(
    name="nyiso",
    title="New York Independent System Operator",
    time_zone="America/New_York",
    pauses_s={HOST: 1.0},
    series=_offered(),
    requests=_requests,
    read=_read,
)

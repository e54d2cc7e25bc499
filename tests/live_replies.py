"""Operators that answer from memory, each in its own format, and the recorded replies; no test reaches a network."""

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from headrace.adapters.feeds.live.request import Request
from headrace.adapters.feeds.live.source import LiveSeries
from headrace.adapters.feeds.live.sources import source_of
from headrace.core import from_epoch_s

REPLIES = Path(__file__).parent / "replies"
CAISO_HEADER = (
    "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,OPR_INTERVAL,NODE_ID_XML,NODE_ID,NODE,MARKET_RUN_ID,"
    "LMP_TYPE,XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,{value},GROUP"
)
NYISO_HEADER = (
    '"Time Stamp","Name","PTID","LBMP ($/MWHr)","Marginal Cost Losses ($/MWHr)","Marginal Cost Congestion ($/MWHr)"'
)


def recorded(name: str) -> bytes:
    """A recorded reply."""
    return (REPLIES / name).read_bytes()


def zipped(**members: bytes) -> bytes:
    """A zip of these files; a double underscore in a name stands for its dot."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return body.getvalue()


class Operator:
    """All four operators: answer each request from one series, in the format of the real service."""

    def __init__(self, name: str, starts_s: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        self.source, self.offered = source_of(name)
        present = ~np.isnan(values)
        self.prices = dict(zip(starts_s[present].tolist(), values[present].tolist(), strict=True))
        self.asked: list[str] = []

    def fetch(self, request: Request) -> bytes:
        """Body of the reply."""
        self.asked.append(request.shown())
        span = request.interval
        rows = [(s, v) for s, v in sorted(self.prices.items()) if span.start_s <= s < span.end_s]
        match self.source.name:
            case "ercot":
                return ercot_json(self.offered, rows)
            case "caiso":
                return caiso_zip(self.offered, rows)
            case "entsoe":
                return entsoe_xml(self.offered, request, dict(rows))
            case _:
                return nyiso_file(self.offered, request, rows)


def ercot_json(offered: LiveSeries, rows: list[tuple[int, float]]) -> bytes:
    """Settlement point prices, newest first."""
    zone, cells = ZoneInfo("America/Chicago"), []
    is_real_time = offered.declaration.step_s == 900
    for start_s, value in reversed(rows):
        at = from_epoch_s(start_s).astimezone(zone)
        hour = [at.hour + 1, at.minute // 15 + 1] if is_real_time else [f"{at.hour + 1:02}:00"]
        kind = ["HU"] if is_real_time else []
        cells.append([f"{at:%Y-%m-%d}", *hour, offered.point, *kind, value, bool(at.fold)])
    keys = ["deliveryDate", *(["deliveryHour", "deliveryInterval"] if is_real_time else ["hourEnding"])]
    keys += ["settlementPoint", *(["settlementPointType"] if is_real_time else []), "settlementPointPrice", "DSTFlag"]
    reply = {"_meta": {"totalPages": 1}, "fields": [{"name": key} for key in keys], "data": cells}
    return json.dumps(reply).encode()


def caiso_zip(offered: LiveSeries, rows: list[tuple[int, float]]) -> bytes:
    """OASIS prices among their components."""
    if not rows:
        return zipped(INVALID_REQUEST__xml=recorded("caiso_no_data.xml"))
    step_s = offered.declaration.step_s
    lines = [CAISO_HEADER.format(value="VALUE" if step_s == 300 else "MW")]
    for start_s, value in rows:
        start, end = (f"{from_epoch_s(at):%Y-%m-%dT%H:%M:%S}-00:00" for at in (start_s, start_s + step_s))
        for kind, price in (("MCC", 0.0), ("LMP", value)):
            lines.append(f"{start},{end},x,1,0,n,n,{offered.point},R,{kind},i,n,ALL,0,{price!r},1")
    return zipped(prices__csv="\n".join(lines).encode())


def nyiso_file(offered: LiveSeries, request: Request, rows: list[tuple[int, float]]) -> bytes:
    """A day of the public files, or a zip of a month of them."""
    zone, step_s = ZoneInfo("America/New_York"), offered.declaration.step_s
    is_real_time = step_s == 300
    files: dict[str, list[str]] = {}
    for start_s, value in rows:
        day = from_epoch_s(start_s).astimezone(zone)
        stamp = from_epoch_s(start_s + step_s).astimezone(zone) if is_real_time else day
        text = f"{stamp:%m/%d/%Y %H:%M:%S}" if is_real_time else f"{stamp:%m/%d/%Y %H:%M}"
        lines = files.setdefault(f"{day:%Y%m%d}{offered.report}_zone.csv", [NYISO_HEADER])
        lines += [f'"{text}","CAPITL",61757,1.00,0.00,0.00', f'"{text}","{offered.point}",61752,{value!r},0.00,0.00']
    bodies = {name: "\r\n".join(lines).encode() for name, lines in files.items()}
    file = request.url.rpartition("/")[2]
    return (
        zipped(**{name.replace(".", "__"): body for name, body in bodies.items()}) if ".zip" in file else bodies[file]
    )


def entsoe_xml(offered: LiveSeries, request: Request, prices: dict[int, float]) -> bytes:
    """Day-ahead prices, one document series a day; a price that repeats the one before it is left out (A03)."""
    if not prices:
        return recorded("entsoe_no_data.xml")
    zone, day_of = ZoneInfo("Europe/Brussels"), {}
    for start_s in prices:
        day_of.setdefault(from_epoch_s(start_s).astimezone(zone).date(), []).append(start_s)
    entries = []
    for day, starts in day_of.items():
        at = from_epoch_s(min(starts)).astimezone(zone).replace(hour=0, minute=0, fold=0)
        after = (at + timedelta(days=1)).timestamp()
        unit_s = 900 if f"{day}" >= "2025-10-01" else 3600
        units = [prices.get(s) for s in range(int(at.timestamp()), int(after), unit_s)]
        curve = "A01" if None in units else "A03"
        points = [
            f"<Point><position>{i + 1}</position><price.amount>{price!r}</price.amount></Point>"
            for i, price in enumerate(units)
            if price is not None and not (curve == "A03" and i and units[i - 1] == price)
        ]
        span = [f"{from_epoch_s(int(s)):%Y-%m-%dT%H:%MZ}" for s in (at.timestamp(), after)]
        entries.append(
            f"<TimeSeries><in_Domain.mRID>{offered.point}</in_Domain.mRID><out_Domain.mRID>{offered.point}"
            "</out_Domain.mRID><currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH"
            f"</price_Measure_Unit.name><curveType>{curve}</curveType><Period><timeInterval><start>{span[0]}</start>"
            f"<end>{span[1]}</end></timeInterval><resolution>PT{unit_s // 60}M</resolution>{''.join(points)}</Period>"
            "</TimeSeries>"
        )
    root = "Publication_MarketDocument"
    return (
        f'<{root} xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">{"".join(entries)}</{root}>'
    ).encode()

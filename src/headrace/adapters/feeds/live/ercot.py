"""ERCOT: settlement point prices and system load from the public API.

Format: ERCOT's own specification (github.com/ercot/api-specs, pubapi) and developer portal: JSON with `_meta`,
`fields` and rows in `data`. Hours are hour-ending 1..24 of local time; `DSTFlag` is true in the second showing of the
hour that autumn repeats. The published limit is 30 requests a minute; a key and an hour's token go with each.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from headrace.adapters.feeds.live.request import Request, SignIn
from headrace.adapters.feeds.live.rows import number, table, text
from headrace.adapters.feeds.live.source import LiveSeries, Source
from headrace.adapters.feeds.live.wall import days, midnight_s, wall_s
from headrace.adapters.feeds.table import Table
from headrace.core import BadInput, Interval

__all__ = ["ERCOT"]

ZONE: Final = ZoneInfo("America/Chicago")
HOST: Final = "api.ercot.com"
SIGN_IN_HOST: Final = "ercotb2c.b2clogin.com"
CLIENT: Final = "fec253ea-0d06-4272-a5e6-b478baeecd70"
"""Client id of the public API itself, the same for everyone; from the developer portal."""
SIGN_IN: Final = SignIn(
    url=f"https://{SIGN_IN_HOST}/ercotb2c.onmicrosoft.com/B2C_1_PUBAPI-ROPC-FLOW/oauth2/v2.0/token",
    form=(
        ("grant_type", "password"),
        ("response_type", "id_token"),
        ("scope", f"openid {CLIENT} offline_access"),
        ("client_id", CLIENT),
    ),
    secret_form=(("username", "HEADRACE_ERCOT_USERNAME"), ("password", "HEADRACE_ERCOT_PASSWORD")),
    token_key="id_token",
)
FIRST_DAY: Final = date(2023, 12, 11)
"""Oldest rows that the API has been seen to return; older years are in ERCOT's archive files."""
DAYS_A_REQUEST: Final = 10
PAGE_ROWS: Final = 1_000
"""Ten days of quarter-hours fit a page of this size."""
REAL_TIME: Final = "np6-905-cd/spp_node_zone_hub"
DAY_AHEAD: Final = "np4-190-cd/dam_stlmnt_pnt_prices"
LOAD: Final = "np6-345-cd/act_sys_load_by_wzn"
DAY_KEYS: Final = {REAL_TIME: "deliveryDate", DAY_AHEAD: "deliveryDate", LOAD: "operatingDay"}
VALUE_KEYS: Final = {REAL_TIME: "settlementPointPrice", DAY_AHEAD: "settlementPointPrice", LOAD: "total"}
HUBS: Final = ("hb_busavg", "hb_houston", "hb_hubavg", "hb_north", "hb_pan", "hb_south", "hb_west")
LOAD_ZONES: Final = ("lz_aen", "lz_cps", "lz_houston", "lz_lcra", "lz_north", "lz_raybn", "lz_south", "lz_west")


def _offered() -> Mapping[str, LiveSeries]:
    reports = {"real_time": REAL_TIME, "day_ahead": DAY_AHEAD}
    found = [
        LiveSeries(name=f"ercot.{market}.{point}", report=report, point=point.upper(), first_day=FIRST_DAY)
        for market, report in reports.items()
        for point in (*HUBS, *LOAD_ZONES)
    ]
    found.append(LiveSeries(name="ercot.system_load", report=LOAD, point="", first_day=FIRST_DAY))
    return {series.name: series for series in found}


def _requests(series: LiveSeries, window: Interval, now_s: int) -> list[Request]:
    """Up to ten local days a request."""
    asked = days(window.start_s, window.end_s, ZONE)
    key = DAY_KEYS[series.report]
    found = []
    for first, last in ((chunk[0], chunk[-1]) for chunk in _chunks(asked)):
        params = [(f"{key}From", first.isoformat()), (f"{key}To", last.isoformat())]
        if series.point:
            params.append(("settlementPoint", series.point))
        if series.report == REAL_TIME and series.point.startswith("LZ_"):
            params.append(("settlementPointType", "LZ"))
        found.append(
            Request(
                url=f"https://{HOST}/api/public-reports/{series.report}",
                params=(*params, ("size", str(PAGE_ROWS))),
                secret_headers=(("Ocp-Apim-Subscription-Key", "HEADRACE_ERCOT_SUBSCRIPTION_KEY"),),
                sign_in=SIGN_IN,
                interval=Interval.from_epoch(midnight_s(first, ZONE), midnight_s(last + timedelta(days=1), ZONE)),
            )
        )
    return found


def _chunks(asked: list[date]) -> list[list[date]]:
    return [asked[i : i + DAYS_A_REQUEST] for i in range(0, len(asked), DAYS_A_REQUEST)]


def _read(series: LiveSeries, request: Request, body: bytes) -> Table:
    where = f"ERCOT {series.report}"
    reply = _decoded(where, body)
    pages = reply.get("_meta", {}).get("totalPages", 1)
    if pages > 1:
        raise BadInput(where, f"a reply in {pages} pages", "Ask for a shorter period")
    places = {str(field["name"]).lower(): i for i, field in enumerate(reply["fields"])}
    keys = [DAY_KEYS[series.report], VALUE_KEYS[series.report], "DSTFlag"]
    keys += ["deliveryHour", "deliveryInterval"] if series.report == REAL_TIME else ["hourEnding"]
    keys += ["settlementPoint"] if series.point else []
    missing = [key for key in keys if key.lower() not in places]
    if missing:
        raise BadInput(where, f"no field {missing[0]!r}", f"ERCOT's format has changed; fields there: {list(places)}")
    rows = [{key: cells[places[key.lower()]] for key in keys} for cells in reply["data"]]
    others = sorted({str(row["settlementPoint"]) for row in rows} - {series.point}) if series.point else []
    if others:
        raise BadInput(where, f"rows of {others[0]}, not {series.point}", "Ask again later")
    step_s = series.declaration.step_s
    found = [(_start_s(where, series, row), number(where, row[VALUE_KEYS[series.report]])) for row in rows]
    return table(where, found, step_s)


def _decoded(where: str, body: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(text(where, body))
    except (ValueError, RecursionError) as error:
        raise BadInput(where, f"not JSON ({error})", "The reply was cut short: ask again") from error
    if not isinstance(reply, dict) or "data" not in reply or "fields" not in reply:
        said = reply.get("message", reply.get("error_message", "")) if isinstance(reply, dict) else ""
        raise BadInput(where, f"no rows in the reply ({said or str(reply)[:80]!r})", "Check the series and the period")
    return reply


def _start_s(where: str, series: LiveSeries, row: dict[str, Any]) -> int:
    """Start of a row's interval: its hour ends at `hourEnding`, and a quarter is 1..4 of it."""
    hour = row["deliveryHour"] if series.report == REAL_TIME else str(row["hourEnding"]).partition(":")[0]
    quarter = int(row["deliveryInterval"]) if series.report == REAL_TIME else 1
    day = date.fromisoformat(str(row[DAY_KEYS[series.report]])[:10])
    at = f"{where}, {day} hour {hour} interval {quarter}"
    if not (1 <= int(hour) <= 24 and 1 <= quarter <= 4):
        raise BadInput(at, "no such interval", "Hours run from 1 to 24, quarters from 1 to 4")
    wall = datetime.combine(day, time()) + timedelta(hours=int(hour) - 1, minutes=15 * (quarter - 1))
    return wall_s(at, wall, ZONE, is_second=row["DSTFlag"] in {True, "Y", "true"})


ERCOT: Final = Source(
    name="ercot",
    title="Electric Reliability Council of Texas",
    time_zone="America/Chicago",
    pauses_s={HOST: 2.1, SIGN_IN_HOST: 2.1},
    series=_offered(),
    requests=_requests,
    read=_read,
)

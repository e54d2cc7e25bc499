"""ENTSO-E Transparency Platform: day-ahead auction prices of bidding zones (document A44, regulation item 12.1.D).

Format: the platform's RESTful API guide and implementation guide (IEC 62325-451-3 publication document). Times are UTC.
A series whose curve type is A03 leaves out a point that repeats the one before it; with A01 a point left out is
missing. Up to delivery on 30 September 2025 the coupled auction's unit is the hour, from then on the quarter of an
hour; zones that published another resolution beside it did so for another auction. The series here is quarter-hourly
throughout: an hour's price holds in each of its quarters, exactly.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

from headrace.adapters.feeds.live.markup import tag, xml_root
from headrace.adapters.feeds.live.request import Request
from headrace.adapters.feeds.live.rows import number, table
from headrace.adapters.feeds.live.source import LiveSeries, Source
from headrace.adapters.feeds.live.wall import days, midnight_s
from headrace.adapters.feeds.table import Table
from headrace.core import BadInput, Interval, epoch_s, from_epoch_s

__all__ = ["ENTSOE"]

ZONE: Final = ZoneInfo("Europe/Brussels")
"""The auction's days are those of Central European time, whatever the zone."""
HOST: Final = "web-api.tp.entsoe.eu"
FIRST_DAY: Final = date(2015, 1, 5)
"""The platform's first day."""
DAYS_A_REQUEST: Final = 60
"""The platform serves up to a year a request; less keeps a reply small and a broken fetch cheap."""
QUARTERS_FROM_S: Final = midnight_s(date(2025, 10, 1), ZONE)
"""Delivery from here on is auctioned by the quarter of an hour."""
STEP_S: Final = 900
RESOLUTIONS_S: Final = {"PT15M": 900, "PT30M": 1_800, "PT60M": 3_600, "PT1H": 3_600}
NO_DATA: Final = "999"
FILLED: Final = "A03"
COUPLED: Final = "1"
"""Position of the coupled auction where a zone publishes several."""
POINTS: Final = {
    "at": "10YAT-APG------L",
    "be": "10YBE----------2",
    "cz": "10YCZ-CEPS-----N",
    "de_lu": "10Y1001A1001A82H",
    "dk_1": "10YDK-1--------W",
    "dk_2": "10YDK-2--------M",
    "es": "10YES-REE------0",
    "fi": "10YFI-1--------U",
    "fr": "10YFR-RTE------C",
    "hu": "10YHU-MAVIR----U",
    "it_nord": "10Y1001A1001A73I",
    "nl": "10YNL----------L",
    "no_1": "10YNO-1--------2",
    "no_2": "10YNO-2--------T",
    "pl": "10YPL-AREA-----S",
    "pt": "10YPT-REN------W",
    "se_3": "10Y1001A1001A46L",
    "se_4": "10Y1001A1001A47J",
}


def _offered() -> Mapping[str, LiveSeries]:
    found = [
        LiveSeries(name=f"entsoe.day_ahead.{point}", report="A44", point=code, first_day=FIRST_DAY)
        for point, code in POINTS.items()
    ]
    return {series.name: series for series in found}


def _requests(series: LiveSeries, window: Interval, now_s: int) -> list[Request]:
    """Up to sixty local days a request."""
    asked = days(window.start_s, window.end_s, ZONE)
    found = []
    for i in range(0, len(asked), DAYS_A_REQUEST):
        first, last = asked[i], asked[min(i + DAYS_A_REQUEST, len(asked)) - 1]
        interval = Interval.from_epoch(midnight_s(first, ZONE), midnight_s(last + timedelta(days=1), ZONE))
        params = (
            ("documentType", series.report),
            ("in_Domain", series.point),
            ("out_Domain", series.point),
            ("periodStart", f"{from_epoch_s(interval.start_s):%Y%m%d%H%M}"),
            ("periodEnd", f"{from_epoch_s(interval.end_s):%Y%m%d%H%M}"),
        )
        secret = (("securityToken", "HEADRACE_ENTSOE_TOKEN"),)
        found.append(Request(url=f"https://{HOST}/api", params=params, secret_params=secret, interval=interval))
    return found


def _read(series: LiveSeries, request: Request, body: bytes) -> Table:
    where = f"ENTSO-E {series.report} {series.point}"
    root = xml_root(where, body)
    if tag(root) == "Acknowledgement_MarketDocument":
        said = {tag(element): (element.text or "").strip() for element in root.iter()}
        if said.get("code") == NO_DATA and "no matching data" in said.get("text", "").lower():
            return table(where, [], STEP_S)
        raise BadInput(where, f"refused ({said.get('text', 'no reason given')!r})", "Check the series and the period")
    if tag(root) != "Publication_MarketDocument":
        raise BadInput(where, f"a document {tag(root)!r}, not prices", "Ask again later")
    found: list[tuple[int, float]] = []
    left_out: set[str] = set()
    for entry in (element for element in root if tag(element) == "TimeSeries"):
        if _word(entry, "classificationSequence_AttributeInstanceComponent.position", COUPLED) != COUPLED:
            continue
        _check(where, series, entry)
        for period in (element for element in entry if tag(element) == "Period"):
            resolution = _word(period, "resolution")
            if RESOLUTIONS_S.get(resolution) == _unit_s(_period_s(where, period)[0]):
                found += _points(where, period, is_filled=_word(entry, "curveType") == FILLED)
            else:
                left_out.add(resolution)
    if left_out and not found:
        raise BadInput(where, f"only prices by {', '.join(sorted(left_out))}", "Expected the auction's own time unit")
    return table(where, found, STEP_S)


def _unit_s(start_s: int) -> int:
    """Length of the auction's time unit at delivery, seconds."""
    return STEP_S if start_s >= QUARTERS_FROM_S else 3_600


def _word(element: Element, name: str, otherwise: str = "") -> str:
    """Text of the first child of this name."""
    return next(((child.text or "").strip() for child in element if tag(child) == name), otherwise)


def _check(where: str, series: LiveSeries, entry: Element) -> None:
    """The reply's own zone and unit are those asked for."""
    expected = {
        "in_Domain.mRID": series.point,
        "out_Domain.mRID": series.point,
        "currency_Unit.name": "EUR",
        "price_Measure_Unit.name": "MWH",
    }
    for name, value in expected.items():
        if _word(entry, name) != value:
            raise BadInput(where, f"{name} is {_word(entry, name)!r}", f"Expected {value!r}: ask again later")


def _period_s(where: str, period: Element) -> tuple[int, int]:
    """Start and end of a period, epoch seconds."""
    words = {tag(element): (element.text or "").strip() for element in period.iter()}
    try:
        return epoch_s(datetime.fromisoformat(words["start"])), epoch_s(datetime.fromisoformat(words["end"]))
    except (KeyError, ValueError) as error:
        raise BadInput(where, f"a period without its times ({error})", "ENTSO-E's format has changed") from error


def _points(where: str, period: Element, *, is_filled: bool) -> Iterator[tuple[int, float]]:
    """Quarter-hours of one period with their prices."""
    start_s, end_s = _period_s(where, period)
    unit_s = RESOLUTIONS_S[_word(period, "resolution")]
    units = (end_s - start_s) // unit_s
    prices: dict[int, float] = {}
    for point in (element for element in period if tag(element) == "Point"):
        position = _word(point, "position")
        if not position.isdecimal() or not 1 <= int(position) <= units:
            raise BadInput(where, f"position {position!r} of {units}", "ENTSO-E's format has changed")
        if int(position) in prices:
            raise BadInput(where, f"position {position} twice in one period", "Ask again later")
        prices[int(position)] = number(where, _word(point, "price.amount"))
    price = float("nan")
    for unit in range(units):
        price = prices.get(unit + 1, price if is_filled else float("nan"))
        for quarter_s in range(0, unit_s, STEP_S):
            yield start_s + unit * unit_s + quarter_s, price


ENTSOE: Final = Source(
    name="entsoe",
    title="ENTSO-E Transparency Platform",
    time_zone="Europe/Brussels",
    pauses_s={HOST: 0.5},
    series=_offered(),
    requests=_requests,
    read=_read,
)

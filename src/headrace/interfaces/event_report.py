"""The report of one event: instruction, metered trace, time to band, energy against each baseline, and its proof.

One page that needs nothing else (HTML) and the same as data (JSON), with every reading of the trace. What is estimated,
left out or unknown stands beside the figure it touches. The proof is the digest of the bundle of signed telemetry that
the trace was read from; `headrace verify` checks that bundle without the site.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import jinja2
import msgspec
import numpy as np

from headrace.control.arming import ArmingReport
from headrace.control.orders import OrderKind
from headrace.interfaces.report.palette import HEADLINE
from headrace.interfaces.report.section import Section, Table
from headrace.interfaces.report.svg import Canvas, LinearScale
from headrace.settlement.baselines import Baseline, NoBaseline
from headrace.settlement.performance import EventPerformance, TracePoint

__all__ = ["EventReport", "Proof", "event_html", "event_json"]

US_PER_S: Final = 1_000_000
DRAWN_POINTS_MAX: Final = 1_200
"""Most steps of the picture; a longer trace is drawn as the range of each stretch. The data keep every reading."""
WIDTH, NARROW_WIDTH, HEIGHT = 880.0, 400.0, 320.0
NAMED_MAX: Final = 20
"""Most devices named in a row of the page; the data name all."""
ASKED: Final = {
    OrderKind.SHED: "draw {mw} less than before",
    OrderKind.LIMIT: "draw at most {mw}",
    OrderKind.RAISE: "draw at least {mw}",
    OrderKind.HOLD: "hold",
    OrderKind.RESTORE: "restore",
}


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle of signed telemetry that the trace was read from."""

    bundle: str
    """Name of the bundle's file, beside the report."""
    digest: str
    """SHA-256 of its bytes, hexadecimal."""
    gateway: str = ""
    """Fingerprint of the key that signed its intervals."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the commands of an order: a device's word and a meter's are two things."""

    commanded: int
    """Devices told."""
    acknowledged: int
    """Of them, those that said that they did it."""
    confirmed: int
    """Of them, those that a feeder's meter proves to have done it."""
    silent: tuple[str, ...] = ()
    """Those that did not answer in time, or could not be reached."""
    refused: tuple[str, ...] = ()
    """Those that would not, or could not be told."""
    lying: tuple[str, ...] = ()
    """Those that said so and did not, by their feeder's meter."""
    suspected: tuple[str, ...] = ()
    """Feeders where somebody said so and did not, and the meter can't tell who."""
    switches: tuple[str, ...] = ()
    """Switches opened for what was missing."""


class EventReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the report of an event shows."""

    site: str
    """Name of the site."""
    time_zone: str
    """IANA zone of the times on the page; the data carry UTC."""
    meter: str
    """Name of the meter that the trace is of."""
    performance: EventPerformance
    """How the event was met."""
    answers: Answers | None = None
    """What devices answered; None if no device was told."""
    arming: tuple[ArmingReport, ...] = ()
    """Reserve behind relays that was armed during the event."""
    proof: Proof | None = None
    """The signed telemetry; None if the trace is not signed, which the page says."""
    notes: tuple[str, ...] = ()
    """What a reader must know beside the figures."""


def event_json(report: EventReport) -> bytes:
    """The report as data, the same bytes every time."""
    return msgspec.json.format(msgspec.json.encode(report, order="deterministic"), indent=1) + b"\n"


def event_html(report: EventReport) -> str:
    """The report as a page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headrace.interfaces.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = (
        _met(report),
        _delivered(report),
        _by_interval(report),
        _days(report),
        *_answered(report),
        *_armed(report),
        _proof(report),
    )
    return environment.get_template("event.html.j2").render(
        report=report,
        lead=_lead(report),
        sections=sections,
        picture=_picture(report, WIDTH),
        narrow_picture=_picture(report, NARROW_WIDTH),
        when=_span(report),
        asked=_asked(report),
        beside=_beside(report),
    )


def _asked(report: EventReport) -> str:
    asked = report.performance.instruction
    return ASKED[asked.kind].format(mw=_mw(asked.power_w))


def _lead(report: EventReport) -> str:
    found, asked = report.performance, report.performance.instruction
    name = f"{asked.issued_by or 'The programme'} asked to {_asked(report)} within {_s(asked.within_us)}"
    if found.target_w is None:
        return f"{name}. The meter was silent before the event: how it was met can't be told."
    if found.met_us is None:
        return f"{name}. The draw never came into the band of {_mw(found.band_w)} around {_mw(found.target_w)} to stay."
    after_us = found.met_us - asked.starts_us
    verdict = "in time" if after_us <= asked.within_us else "too late"
    share = (
        "" if found.in_band_ppm is None else f" and was in the band for {_percent(found.in_band_ppm)} of what was due"
    )
    return f"{name}. The draw came into the band after {_s(after_us)}, {verdict},{share}."


def _beside(report: EventReport) -> tuple[str, ...]:
    found = report.performance
    notes = list(report.notes)
    if found.estimated_us:
        notes.append(
            f"{_s(found.estimated_us)} of the event lie in gaps of the meter: energy there is estimated on the "
            "straight line."
        )
    notes += [
        f"No baseline by {each.method}: {each.reason}." for each in found.baselines if isinstance(each, NoBaseline)
    ]
    if any(each.metered_wh is None for each in found.intervals):
        notes.append("Some intervals have no reading: they count in no total.")
    if report.proof is None:
        notes.append("The trace is not signed: nobody outside can check it.")
    return tuple(notes)


def _met(report: EventReport) -> Section:
    found, asked = report.performance, report.performance.instruction
    rows = [
        ("Order", asked.id),
        ("Asked by", asked.issued_by or "not said"),
        ("In words", asked.reason or "none"),
        ("Asked", _asked(report)),
        ("Received", _time(report, asked.received_us)),
        ("Start", _time(report, asked.starts_us)),
        ("End", _time(report, asked.ends_us)),
        ("Due within", _s(asked.within_us)),
        ("Draw before", _or_none(found.before_w)),
        ("Target", _or_none(found.target_w)),
        ("Tolerance", _mw(found.band_w)),
        ("Came into the band", "never to stay" if found.met_us is None else _time(report, found.met_us)),
        ("Time to band", "n/a" if found.met_us is None else _s(found.met_us - asked.starts_us)),
        ("Share of time due in the band", "n/a" if found.in_band_ppm is None else _percent(found.in_band_ppm)),
        ("Furthest outside the band", _or_none(found.worst_w)),
        ("Time between readings", "n/a" if found.resolution_us is None else _s(found.resolution_us)),
    ]
    table = Table(
        caption="What was asked, and how it was met", columns=("", ""), rows=tuple(rows), words=frozenset({1})
    )
    source = f"Meter {report.meter}; {len(found.trace):,} readings."
    return Section(key="met", title="Instruction and answer", tables=(table,), source=source)


def _delivered(report: EventReport) -> Section:
    rows = tuple(
        (str(each.method), _mwh(each.baseline_wh), _mwh(each.metered_wh), _mwh(each.delivered_wh))
        for each in report.performance.delivered
    )
    table = Table(
        caption="Energy of the event, MWh", columns=("Baseline", "Would have drawn", "Drew", "Delivered"), rows=rows
    )
    return Section(
        key="delivered",
        title="Delivered against each baseline",
        tables=(table,),
        source="Intervals without a reading are in no column. A negative delivery is draw above the baseline.",
    )


def _by_interval(report: EventReport) -> Section:
    found = report.performance
    columns = ("Interval", "Drew", *(str(each.method) for each in found.delivered), "Estimated")
    rows = []
    for index, each in enumerate(found.intervals):
        delivered = (_mwh(one.by_interval_wh[index]) for one in found.delivered)
        drew = _mwh(each.metered_wh)
        rows.append(
            (_time(report, each.start_us), drew, *delivered, _s(each.estimated_us) if each.estimated_us else "")
        )
    table = Table(
        caption="Drew, and delivered against each baseline, MWh", columns=columns, rows=tuple(rows), is_folded=True
    )
    return Section(key="intervals", title="By interval", tables=(table,))


def _days(report: EventReport) -> Section:
    used, left_out = [], []
    for each in report.performance.baselines:
        left_out += [(str(each.method), out.day, out.reason) for out in each.left_out]
        if isinstance(each, Baseline) and each.days:
            adjusted = _percent(each.adjustment_ppm) + (" (capped)" if each.is_capped else "")
            used.append((str(each.method), f"{len(each.days)} from {each.days[-1]} to {each.days[0]}", adjusted))
    tables = []
    if used:
        columns = ("Baseline", "Days", "Mean times")
        tables.append(Table(caption="What they rest on", columns=columns, rows=tuple(used), words=frozenset({1})))
    if left_out:
        columns = ("Baseline", "Day", "Why it is left out")
        rows = tuple(left_out)
        tables.append(
            Table(caption="Days left out", columns=columns, rows=rows, words=frozenset({1, 2}), is_folded=True)
        )
    return Section(key="days", title="Days behind the baselines", tables=tuple(tables))


def _answered(report: EventReport) -> tuple[Section, ...]:
    found = report.answers
    if found is None or not found.commanded:
        return ()
    rows = [
        ("Told", f"{found.commanded:,}"),
        ("Acknowledged", f"{found.acknowledged:,}"),
        ("Confirmed one by one by a feeder's meter", f"{found.confirmed:,}"),
    ]
    named = (
        ("Silent", found.silent),
        ("Refused", found.refused),
        ("Acknowledged, and their meter shows otherwise", found.lying),
        ("Suspected", found.suspected),
        ("Switches opened for what was missing", found.switches),
    )
    rows += [(name, _listed(each)) for name, each in named if each]
    table = Table(caption="Commands of the order", columns=("", ""), rows=tuple(rows), words=frozenset({1}))
    source = "A feeder's meter judges all its devices at once: where sums do not add up, it confirms none of them."
    return (Section(key="devices", title="What devices answered", tables=(table,), source=source),)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more


def _armed(report: EventReport) -> tuple[Section, ...]:
    if not report.arming:
        return ()
    words = tuple(" ".join(each.sentences) for each in report.arming)
    source = "Trips and their times are the relay's own record; software arms, proves and restores."
    return (Section(key="armed", title="Reserve behind relays", words=words, source=source),)


def _proof(report: EventReport) -> Section:
    if report.proof is None:
        return Section(key="proof", title="Proof", words=("The trace of this report is not signed.",))
    words = [
        f"The signed energy of every interval is in {report.proof.bundle}, SHA-256 {report.proof.digest}. The trace "
        "between two ends of an interval is the site's own record.",
        f"Check it with: headrace verify {report.proof.bundle} --trust FINGERPRINT, the fingerprint of the site's "
        "authority from its owner.",
    ]
    if report.proof.gateway:
        words.insert(1, f"Its intervals are signed by the gateway's key {report.proof.gateway}.")
    return Section(key="proof", title="Proof", words=tuple(words))


def _picture(report: EventReport, width: float) -> str:
    """The trace in steps, target and band, the event's window shaded."""
    found, asked = report.performance, report.performance.instruction
    left, right, top, bottom = 56.0, 14.0, 30.0, HEIGHT - 30.0
    canvas = Canvas(
        width,
        HEIGHT,
        key=f"trace{width:.0f}",
        title="Metered draw",
        description="Metered draw before, in and after the event",
    )
    if not found.trace:
        return canvas.text(left, top, "No reading.").render()
    edges_s, low_mw, high_mw = _steps(found.trace, max(asked.ends_us, found.trace[-1].at_us + 1))
    levels = [*low_mw.tolist(), *high_mw.tolist(), 0.0]
    levels += [] if found.target_w is None else [(found.target_w + found.band_w) / 1e6]
    x = LinearScale(float(edges_s[0]), float(edges_s[-1]), left, width - right)
    y = LinearScale(min(levels), 1.05 * max(levels), bottom, top)
    event = x(asked.starts_us / 1e6), x(asked.ends_us / 1e6)
    canvas.rect(event[0], top, event[1] - event[0], bottom - top, HEADLINE, is_pale=True, title="the event")
    for tick in y.ticks():
        canvas.line(left, y(tick), width - right, y(tick), "grid")
        canvas.text(left - 6.0, y(tick) + 4.0, f"{tick:,.4g}", kind="mut", anchor="end")
    if found.target_w is not None:
        for offset_w in (-found.band_w, 0, found.band_w):
            level = y((found.target_w + offset_w) / 1e6)
            canvas.line(event[0], level, event[1], level, "cut" if offset_w == 0 else "source")
    if len(low_mw) < len(found.trace):
        canvas.band(x.array(edges_s), y.array(low_mw), y.array(high_mw), "envelope")
    else:
        canvas.steps(x.array(edges_s), y.array(high_mw), "now")
    canvas.text(left, 16.0, "MW drawn; dashed: target, dotted: its tolerance", kind="strong")
    for at_us in (asked.starts_us, asked.ends_us):
        canvas.text(x(at_us / 1e6), bottom + 18.0, _clock(report, at_us), kind="mut", anchor="middle")
    return canvas.render()


def _steps(trace: tuple[TracePoint, ...], end_us: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges, s, and the least and greatest draw between them, MW: a stretch a reading, or more where there are many."""
    at_s = np.array([point.at_us for point in trace]) / 1e6
    mw = np.array([point.power_w for point in trace]) / 1e6
    every = -(-len(trace) // DRAWN_POINTS_MAX)
    first = np.arange(0, len(trace), every)
    edges_s = np.append(at_s[first], end_us / 1e6)
    return edges_s, np.minimum.reduceat(mw, first), np.maximum.reduceat(mw, first)


def _at(report: EventReport, at_us: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(ZoneInfo(report.time_zone))


def _time(report: EventReport, at_us: int) -> str:
    at = _at(report, at_us)
    fraction = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
    return f"{at:%Y-%m-%d %H:%M:%S}{fraction} {at:%Z}"


def _clock(report: EventReport, at_us: int) -> str:
    return f"{_at(report, at_us):%H:%M}"


def _span(report: EventReport) -> str:
    asked = report.performance.instruction
    return f"{_time(report, asked.starts_us)} to {_time(report, asked.ends_us)}"


def _mw(power_w: int) -> str:
    return f"{power_w / 1e6:,.3f}".rstrip("0").rstrip(".") + " MW"


def _mwh(energy_wh: int | None) -> str:
    return "no reading" if energy_wh is None else f"{energy_wh / 1e6:,.3f}"


def _s(span_us: int) -> str:
    return f"{span_us / US_PER_S:,.3f}".rstrip("0").rstrip(".") + " s"


def _percent(share_ppm: int) -> str:
    return f"{share_ppm / 1e4:,.1f} %"


def _or_none(power_w: int | None) -> str:
    return "not known" if power_w is None else _mw(power_w)

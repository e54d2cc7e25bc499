"""The verb that reports an event of a live site: its journal says what was asked, its trace how it was met."""

import hashlib
import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console

from headrace.adapters.grid.trace import read_trace
from headrace.adapters.sitefile import load_site
from headrace.app.event_answers import answers_of
from headrace.app.printing import show
from headrace.control.orders import Order, OrderKind
from headrace.core import BadInput
from headrace.engine.atomic import replacing_file
from headrace.engine.live.journal import read_live
from headrace.engine.live.records import LiveRecord, Ordered, OrdersEnded
from headrace.interfaces.event_report import EventReport, Proof, event_html, event_json
from headrace.settlement.baselines import DaySample, TenInTenRules, meter_before, ten_in_ten
from headrace.settlement.performance import EventPerformance, Instruction, TracePoint, energy_wh, mean_w, perform

__all__ = ["report_event", "run_event"]

US_PER_S: Final = 1_000_000
INTERVAL_US: Final = 300 * US_PER_S
GAP_US: Final = 10 * US_PER_S
"""Readings further apart leave a gap: five of the two-second frames that markets ask for."""
BEFORE_US: Final = 300 * US_PER_S
"""The draw before an instruction is the mean of five minutes."""
SHOWN_US: Final = 900 * US_PER_S
"""How much of the trace is shown before and after the event."""
ADJUST_FROM_US, ADJUST_TO_US = 4 * 3600 * US_PER_S, 3600 * US_PER_S
"""The same-day adjustment compares the hours from four to one before the event."""
LOOK_BACK_DAYS: Final = 45
TOLERANCE_LEAST_W: Final = 100_000
SMALL_SITE_RATIO: Final = 0.01
"""The least tolerance is 0.1 MW, and on a site below 10 MW a hundredth of its connection."""


def run_event(
    order_id: str, *, site: Path, out: Path, meter: str, bundle: Path | None, to: Path | None, as_json: bool
) -> None:
    """Report one order: write its page and its data, and print where they are and what they say."""
    show(report_event(order_id, site=site, out=out, meter=meter, bundle=bundle, to=to), _draw, as_json=as_json)


def report_event(
    order_id: str, *, site: Path, out: Path, meter: str, bundle: Path | None, to: Path | None
) -> dict[str, Any]:
    """Write the page and the data of one order's report; where they are, and what they say."""
    loaded = load_site(site)
    _, records = read_live(out / "live.jsonl")
    order, ends_us = _order(records, order_id, out)
    zone = ZoneInfo(loaded.site.time_zone)
    trace = read_trace(out / "trace", meter, order.starts_us - SHOWN_US - BEFORE_US, ends_us + SHOWN_US)
    performance = _performance(
        order, ends_us, trace, records, out / "trace", meter, zone, loaded.site.connection.import_max_mw
    )
    report = EventReport(
        site=loaded.site.name,
        time_zone=loaded.site.time_zone,
        meter=meter,
        performance=performance,
        answers=answers_of(records, order_id),
        proof=None if bundle is None else _proof(bundle),
        notes=("10-in-10 counts weekdays among weekdays and weekends among weekends; holidays are not known here.",),
    )
    stem = (to or out) / f"event-{order_id.replace('/', '-')}"
    written = {"html": stem.with_name(f"{stem.name}.html"), "json": stem.with_name(f"{stem.name}.json")}
    for path, content in ((written["html"], event_html(report).encode()), (written["json"], event_json(report))):
        with replacing_file(path) as working:
            working.write_bytes(content)
    return {
        "order": order_id,
        "files": {kind: str(path) for kind, path in written.items()},
        "met_us": performance.met_us,
        "time_to_band_s": None if performance.met_us is None else (performance.met_us - order.starts_us) / US_PER_S,
        "in_band_ppm": performance.in_band_ppm,
        "delivered_wh": {str(each.method): each.delivered_wh for each in performance.delivered},
        "estimated_us": performance.estimated_us,
    }


def _order(records: Sequence[LiveRecord], order_id: str, out: Path) -> tuple[Order, int]:
    """The order, and when it really ended."""
    order: Order | None = None
    ended_us: int | None = None
    for record in records:
        if isinstance(record, Ordered) and record.order.id == order_id:
            order = record.order
        elif isinstance(record, OrdersEnded) and order_id in record.orders:
            ended_us = record.at_us
    if order is None or order.kind is OrderKind.RESTORE:
        known = [each.order.id for each in records if isinstance(each, Ordered)][-5:]
        raise BadInput(
            f"event {order_id!r}", f"not in {out / 'live.jsonl'}", f"Last orders: {', '.join(known) or 'none'}"
        )
    ends_us = ended_us or order.ends_us or records[-1].at_us
    return order, max(min(ends_us, order.ends_us or ends_us), order.starts_us + US_PER_S)


def _performance(
    order: Order,
    ends_us: int,
    trace: tuple[TracePoint, ...],
    records: Sequence[LiveRecord],
    folder: Path,
    meter: str,
    zone: ZoneInfo,
    import_max_mw: float,
) -> EventPerformance:
    starts_us = list(range(order.starts_us, ends_us, INTERVAL_US))
    lengths_us = [b - a for a, b in zip(starts_us, [*starts_us[1:], ends_us], strict=True)]
    events = _event_days(records, zone)
    history = [
        _sample(order.starts_us, lengths_us, back, folder, meter, zone, events) for back in range(1, LOOK_BACK_DAYS + 1)
    ]
    today = _sample(order.starts_us, [], 0, folder, meter, zone, set()).before_wh
    before_w = mean_w(trace, order.received_us - BEFORE_US, order.received_us, GAP_US)
    baselines = (*ten_in_ten(history, today, TenInTenRules()), meter_before(before_w, lengths_us))
    instruction = Instruction(
        id=order.id,
        kind=order.kind,
        power_w=round(order.mw * 1e6),
        received_us=order.received_us,
        starts_us=order.starts_us,
        ends_us=ends_us,
        within_us=round(order.within_s * 1e6),
        issued_by=order.issued_by,
        reason=order.reason,
        tolerance_least_w=min(TOLERANCE_LEAST_W, round(import_max_mw * 1e6 * SMALL_SITE_RATIO)),
    )
    return perform(instruction, trace, baselines, starts_us=starts_us, gap_us=GAP_US, before_us=BEFORE_US)


def _event_days(records: Sequence[LiveRecord], zone: ZoneInfo) -> set[date]:
    """Local days on which an order began to move load; one that was refused, or ended another, moved none."""
    return {
        _local(each.order.starts_us, zone).date()
        for each in records
        if isinstance(each, Ordered) and not each.refused and each.order.kind is not OrderKind.RESTORE
    }


def _sample(
    starts_us: int,
    lengths_us: Sequence[int],
    days_back: int,
    folder: Path,
    meter: str,
    zone: ZoneInfo,
    events: set[date],
) -> DaySample:
    """A day before at the event's local hours."""
    local = _local(starts_us, zone)
    then = local - timedelta(days=days_back)  # the same wall clock, whatever daylight saving did in between
    at_us = round(then.astimezone(UTC).timestamp()) * US_PER_S
    kinds = {True: "weekend", False: "weekday"}
    left_out = ""
    if then.date() in events and days_back:
        left_out = "event"
    elif (then.weekday() >= 5) != (local.weekday() >= 5):
        left_out = kinds[then.weekday() >= 5]
    window = at_us - ADJUST_FROM_US, at_us - ADJUST_TO_US
    empty = (None,) * len(lengths_us)
    if left_out:
        return DaySample(day=then.date().isoformat(), event_wh=empty, before_wh=(None,), left_out=left_out)
    trace = read_trace(folder, meter, window[0] - GAP_US, at_us + sum(lengths_us) + GAP_US)
    edges = [at_us]
    for length_us in lengths_us:
        edges.append(edges[-1] + length_us)
    event = tuple(_whole(trace, a, b) for a, b in itertools.pairwise(edges))
    return DaySample(day=then.date().isoformat(), event_wh=event, before_wh=(_whole(trace, *window),))


def _whole(trace: Sequence[TracePoint], start_us: int, end_us: int) -> int | None:
    """Energy of a time without gaps, Wh."""
    drawn_wh, estimated_us = energy_wh(trace, start_us, end_us, GAP_US)
    return None if estimated_us else drawn_wh


def _local(at_us: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_us // US_PER_S, tz=UTC).astimezone(zone)


def _proof(bundle: Path) -> Proof:
    try:
        with bundle.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(str(bundle), f"can't be read: {error.strerror}", "Name a bundle of signed telemetry") from error
    return Proof(bundle=bundle.name, digest=digest)


def _draw(figures: dict[str, Any], console: Console) -> None:
    time_s = figures["time_to_band_s"]
    console.print(f"{figures['order']}: " + ("never met" if time_s is None else f"in its band after {time_s:,.1f} s"))
    for method, wh in figures["delivered_wh"].items():
        console.print(f"  {wh / 1e6:,.3f} MWh delivered against {method}")
    for path in figures["files"].values():
        console.print(path, soft_wrap=True)

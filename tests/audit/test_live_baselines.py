"""Baselines of an event recomputed from the trace by plain sums, over a change to daylight saving time."""

import json
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from audit.live_day import SITES
from headrace.app.event_verbs import run_event
from headrace.control.orders import Authority, Order, OrderKind
from headrace.engine.journal import JournalHeader
from headrace.engine.live.journal import reopen
from headrace.engine.live.records import Ordered

ZONE = ZoneInfo("America/Chicago")
STEP_S = 10
LENGTH_S = 1500
SPRING, AUTUMN = date(2026, 3, 11), date(2026, 11, 4)
"""Wednesdays after a Sunday of 23 hours and one of 25."""


def order(name: str, at: datetime, **changes) -> Order:
    at_us = round(at.timestamp() * 1e6)
    given = {
        "kind": OrderKind.SHED,
        "authority": Authority.VOLUNTARY,
        "mw": 5.0,
        "received_us": at_us,
        "starts_us": at_us,
        "ends_us": at_us + LENGTH_S * 1_000_000,
        "within_s": 60.0,
    }
    return Order(id=name, issued_by="utility", reason="heat", **(given | changes))


def wh_of(power: dict[int, int], start_s: int, end_s: int) -> Fraction | None:
    """Energy by adding up readings that hold until the next."""
    found = [power.get(at) for at in range(start_s, end_s, STEP_S)]
    return None if None in found else Fraction(sum(found) * STEP_S, 3600)


@pytest.mark.parametrize(("seed", "last"), [(1, SPRING), (2, AUTUMN), (3, SPRING), (4, AUTUMN)])
def test_baselines_are_those_of_plain_sums(tmp_path: Path, seed: int, last: date) -> None:
    rng = np.random.default_rng(seed)
    event = datetime(last.year, last.month, last.day, 15, 0, tzinfo=ZONE)
    power: dict[int, int] = {}
    lines: dict[date, list[str]] = {}
    (tmp_path / "trace").mkdir()
    for back in range(22):
        then = datetime.combine(last - timedelta(days=back), event.timetz())
        level_w = int(rng.integers(20e6, 60e6))
        start_s = int(then.timestamp())
        for at_s in range(start_s - 4 * 3600 - 100, start_s + LENGTH_S + 200, STEP_S):
            if back == 5 and start_s <= at_s < start_s + 60:
                continue  # a gap
            power[at_s] = level_w + int(rng.integers(-3e6, 3e6))
            day = datetime.fromtimestamp(at_s, tz=ZoneInfo("UTC")).date()
            lines.setdefault(day, []).append(f"{at_s * 1_000_000},poi,{power[at_s]}\n")
    for day, rows in lines.items():
        (tmp_path / "trace" / f"{day}.csv").write_text("at_us,meter,power_w\n" + "".join(rows))
    header = JournalHeader(kind="live", site="x", policy="", period="", config_digest="", input_digest="", versions={})
    journal, _ = reopen(tmp_path / "live.jsonl", header, fsync_every=1000)
    days = {back: datetime.combine(last - timedelta(days=back), event.timetz()) for back in range(22)}
    journal.append(Ordered(at_us=1, order=order("old", days[8]), load_mw=40.0))
    journal.append(Ordered(at_us=2, order=order("no", days[1]), load_mw=0.0, refused="order.over"))
    restore = order("back", days[2], kind=OrderKind.RESTORE, ends="old", mw=0.0)
    journal.append(Ordered(at_us=3, order=restore, load_mw=0.0))
    journal.append(Ordered(at_us=4, order=order("evt", event), load_mw=40.0))
    journal.close()
    site = SITES / "live_demo.toml"
    run_event("evt", site=site, out=tmp_path, meter="poi", bundle=None, to=None, as_json=True)
    said = {b["method"]: b for b in json.loads((tmp_path / "event-evt.json").read_bytes())["performance"]["baselines"]}

    eligible = [back for back in range(1, 22) if days[back].weekday() < 5 and back not in (5, 8)][:10]
    starts = {back: int(days[back].timestamp()) for back in days}
    mean = []
    for k in range(0, LENGTH_S, 300):
        amounts = [wh_of(power, starts[b] + k, starts[b] + min(k + 300, LENGTH_S)) for b in eligible]
        mean.append(sum(amounts) / len(amounts))
    before = sum(wh_of(power, starts[b] - 4 * 3600, starts[b] - 3600) for b in eligible) / len(eligible)
    factor = wh_of(power, starts[0] - 4 * 3600, starts[0] - 3600) / before
    factor = min(max(factor, Fraction(8, 10)), Fraction(12, 10))
    assert said["10-in-10"]["days"] == [days[b].date().isoformat() for b in eligible]
    assert said["10-in-10"]["wh"] == pytest.approx([float(wh) for wh in mean], abs=1.0)
    adjusted = said["10-in-10 with same-day adjustment"]
    assert adjusted["wh"] == pytest.approx([float(wh * factor) for wh in mean], abs=3.0)
    just_before = wh_of(power, starts[0] - 300, starts[0])
    lengths = [min(300, LENGTH_S - k) for k in range(0, LENGTH_S, 300)]
    assert said["meter before, meter after"]["wh"] == pytest.approx(
        [float(just_before) * n / 300 for n in lengths], abs=2.0
    )

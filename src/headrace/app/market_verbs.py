"""Verbs of the way to market: a day's offers as files, and the awards that come back."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.market.awards import read_awards
from headrace.adapters.market.files import FORMATS, OfferFacts, market_files, sha256_of
from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.folders import data_folder
from headrace.app.inputs import read_inputs
from headrace.app.printing import show
from headrace.core import BadInput, ExitCode, HeadraceError, Interval, epoch_s, iso
from headrace.dispatch.allowance import StockState
from headrace.dispatch.day_offers import DayOffer, day_offer
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.offers import CurveRules
from headrace.dispatch.owner_terms import stocks_of
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Memory, Sight
from headrace.dispatch.uses import model_of
from headrace.energy.plant import UnitState
from headrace.energy.reserves import product_at
from headrace.engine.atomic import replacing_file

__all__ = ["run_awards", "run_offer"]

ERCOT_POINTS: Final = 5
"""Steps of an ERCOT-like curve: each takes two of its ten points."""
FILE_MAX_BYTES: Final = 10_000_000
LOG: Final = "market.jsonl"
"""What was written when, and why: a line for each time."""


class NoOffer(HeadraceError):
    """No plan serves the firm load of the day: nothing can be offered."""

    exit_code = ExitCode.INFEASIBLE


def run_offer(
    site: Path,
    *,
    day: str,
    out: Path,
    data: Path | None,
    layout: str,
    gate: str,
    resource: str | None,
    stored_mwh: float | None,
    as_json: bool,
) -> None:
    """Plan a day ahead as of its gate, write its offers, and print them."""
    if layout not in FORMATS:
        raise BadInput(f"--format {layout}", "no such layout", f"Give one of {', '.join(FORMATS)}")
    loaded = load_site(site)
    start, gate_s, starts_s = _day(day, gate, loaded.site.time_zone)
    window = Interval(start=start - timedelta(days=2), end=datetime.fromtimestamp(int(starts_s[-1]) + 3600, tz=UTC))
    feed = RecordedFeed(data_folder(data), loaded.feeds, loaded.site.time_zone)
    inputs = read_inputs(feed, loaded.site, set(loaded.feeds), window)
    rules = CurveRules(points_max=ERCOT_POINTS) if layout == "ercot" else CurveRules()
    offer = _offer(loaded, inputs, gate_s, starts_s, stored_mwh, rules)
    facts = _facts(loaded, inputs, offer, day=day, gate_s=gate_s, resource=resource or loaded.site.name)
    files = market_files(offer, facts, layout)
    if layout != "generic":  # awards are checked against it
        files |= market_files(offer, facts, "generic")
    hashes = _written(files, out, facts, offer)
    figures = {
        "day": day,
        "gate": iso(gate_s),
        "files": hashes,
        "reason": facts.reason,
        "hours": [msgspec.to_builtins(hour) for hour in offer.hours],
        "reserve": len(offer.reserve),
    }
    show(figures, _draw, as_json=as_json)


def run_awards(file: Path, *, out: Path, as_json: bool) -> None:
    """Check awards against the offers in a folder, keep them beside, and print them."""
    offers = _decoded(out / "offers.json")
    awards = read_awards(_bytes(file), offers, str(file))
    content = msgspec.json.format(msgspec.json.encode({"day": offers["day"], "awards": awards}), indent=1) + b"\n"
    _write(out / "awards.json", content)
    _log(out, {"at": offers["made"], "day": offers["day"], "awards": sha256_of(content), "from": file.name})
    show(
        {"day": offers["day"], "awards": [msgspec.to_builtins(each) for each in awards]}, _draw_awards, as_json=as_json
    )


def _day(day: str, gate: str, time_zone: str) -> tuple[datetime, int, np.ndarray]:
    """Start of the local day, its gate on the day before, and the starts of its 23 to 25 hours."""
    try:
        local = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(time_zone))
        hour, minute = (int(part) for part in gate.split(":"))
        gate_at = (local - timedelta(days=1)).replace(hour=hour, minute=minute)
    except ValueError as error:
        raise BadInput(
            f"--for {day} --gate {gate}", "no day and time", "Write --for 2024-11-20 --gate 10:00"
        ) from error
    end_s = epoch_s((local + timedelta(days=1)).astimezone(UTC))
    start_s = epoch_s(local.astimezone(UTC))
    return local.astimezone(UTC), epoch_s(gate_at.astimezone(UTC)), np.arange(start_s, end_s, 3600, dtype=np.int64)


def _offer(
    loaded: LoadedSite,
    inputs: Inputs,
    gate_s: int,
    starts_s: np.ndarray,
    stored_mwh: float | None,
    rules: CurveRules,
) -> DayOffer:
    model, battery = model_of(loaded.site), loaded.site.battery
    half_mwh = 0.0 if battery is None else (battery.stored_min_mwh + battery.stored_max_mwh) / 2.0
    first = datetime.fromtimestamp(int(starts_s[0]), tz=UTC).astimezone(ZoneInfo(loaded.site.time_zone))
    sight = Sight(
        now_s=gate_s,
        end_s=int(starts_s[-1]) + 3600,
        inputs=inputs,
        stored_mwh=half_mwh if stored_mwh is None else stored_mwh,
        peak_mw=0.0,
        month=first.month,
        hour_local=0,
        day_end_s=int(starts_s[0]),
        month_end_s=int(starts_s[-1]) + 3600,
        memory=Memory(),
        stocks=(StockState(),) * len(stocks_of(model)),
        units=(UnitState(),) * (0 if loaded.site.plant is None else len(loaded.site.plant.units)),
    )
    found = day_offer(model, sight, starts_s, rules)
    if isinstance(found, Infeasible):
        clash = found.clash
        raise NoOffer(f"hour {clash.step + 1}: {clash.need_mw:g} MW must be served, {clash.have_mw:g} MW can be had")
    return found


def _facts(loaded: LoadedSite, inputs: Inputs, offer: DayOffer, *, day: str, gate_s: int, resource: str) -> OfferFacts:
    site = loaded.site
    at_s = offer.hours[0].start_s
    digest = hashlib.sha256(inputs.real_time.values.tobytes() + loaded.digest.encode()).hexdigest()[:32]
    prices = [hour.price_ccy_per_mwh for hour in offer.hours]
    planned_mwh = sum(hour.planned_mw for hour in offer.hours)
    return OfferFacts(
        site=site.name,
        resource=resource,
        time_zone=site.time_zone,
        currency=str(site.currency),
        day=day,
        gate_s=gate_s,
        products=tuple(
            product.name if (product := product_at(each, at_s)) is not None else each.name for each in site.reserves
        ),
        inputs=digest,
        reason=(
            f"{planned_mwh:,.1f} MWh planned at expected prices of {min(prices):,.2f} to {max(prices):,.2f} "
            f"{site.currency}/MWh, as known at {iso(offer.made_s)}"
        ),
    )


def _written(files: dict[str, bytes], out: Path, facts: OfferFacts, offer: DayOffer) -> dict[str, str]:
    """Write each file whole, then the line that names their digests: a digest on record has its file."""
    for name, content in files.items():
        _write(out / name, content)
    hashes = {name: sha256_of(content) for name, content in sorted(files.items())}
    _log(
        out,
        {"at": iso(offer.made_s), "day": facts.day, "files": hashes, "inputs": facts.inputs, "reason": facts.reason},
    )
    return hashes


def _write(path: Path, content: bytes) -> None:
    with replacing_file(path) as working:
        working.write_bytes(content)


def _log(out: Path, line: dict[str, Any]) -> None:
    before = (out / LOG).read_bytes() if (out / LOG).exists() else b""
    _write(out / LOG, before + msgspec.json.encode(line) + b"\n")


def _decoded(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(_bytes(path), type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadInput(str(path), f"no file of offers: {error}", "Write it again with headrace offer") from error


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(str(path), f"can't be read: {error.strerror}", "Name the file, or run headrace offer") from error
    if len(content) > FILE_MAX_BYTES:
        raise BadInput(str(path), f"more than {FILE_MAX_BYTES:,} bytes", "Name a file of one day")
    return content


def _draw(figures: dict[str, Any], console: Console) -> None:
    table = Table(title=f"Offers for {figures['day']}, gate {figures['gate']}")
    for heading in ("Hour", "Expected price", "Planned MW", "Least MW", "Most MW", "Points"):
        table.add_column(heading, justify="right")
    for hour in figures["hours"]:
        table.add_row(
            iso(hour["start_s"])[11:16],
            f"{hour['price_ccy_per_mwh']:,.2f}",
            f"{hour['planned_mw']:,.1f}",
            f"{hour['least_mw']:,.1f}",
            f"{hour['most_mw']:,.1f}",
            str(len(hour["curve"]["points"])),
        )
    console.print(table)
    console.print(figures["reason"])
    for name, digest in figures["files"].items():
        console.print(f"{name}  sha256 {digest}", soft_wrap=True)


def _draw_awards(figures: dict[str, Any], console: Console) -> None:
    table = Table(title=f"Awards for {figures['day']}")
    for heading in ("Kind", "Hour", "MW", "Price"):
        table.add_column(heading, justify="right")
    for each in figures["awards"]:
        table.add_row(each["kind"], iso(each["start_s"])[11:16], f"{each['mw']:,.1f}", f"{each['price_ccy']:,.2f}")
    console.print(table)

"""What the demo shows, from the journal, the trace and the bundle: figures that anybody can check in the same files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from headrace.adapters.keys.signing import Signatures
from headrace.adapters.telemetry.bundle_file import read_bundle
from headrace.app.event_answers import answers_of
from headrace.app.event_verbs import report_event
from headrace.app.live_demo.children import DemoFailed
from headrace.app.live_demo.ground import Ground
from headrace.app.live_demo.scenario import SPEED, Happened
from headrace.app.reproducing import reproduce_live
from headrace.engine.live.journal import read_live
from headrace.engine.live.records import (
    Attested,
    Commanded,
    Delivered,
    LiveRecord,
    Ordered,
    Waking,
)
from headrace.settlement.bundle import verify_bundle

__all__ = ["summary_of"]

US_PER_S = 1_000_000


def summary_of(happened: Happened, meter: str) -> dict[str, Any]:
    """Figures of a demo that has ended, its event report and its proofs made on the way."""
    ground = happened.ground
    journal = ground.run / "live.jsonl"
    _, records = read_live(journal)
    bundle = _bundle(ground)
    report = report_event(
        happened.order, site=ground.site, out=ground.run, meter=meter, bundle=bundle, to=ground.folder
    )
    return {
        "speed": SPEED,
        "wall_s": happened.wall_s,
        "served": happened.devices,
        "order": _order(records, happened.order) | {"reports": happened.reports, "in_band_s": report["time_to_band_s"]},
        "devices": msgspec.to_builtins(answers_of(records, happened.order))
        | {"went_wrong": [f"{who} {what}" for what, who in happened.troubles]},
        "restored": _restored(records, happened.order),
        "verify": _verified(bundle, ground.authority) | {"signed": sum(isinstance(each, Attested) for each in records)},
        "reproduce": {"records": reproduce_live(journal)[0], "equal": True},
        "files": report["files"] | {"journal": str(journal), "bundle": str(bundle)},
    }


def _order(records: Sequence[LiveRecord], order_id: str) -> dict[str, Any]:
    ordered = next(each for each in records if isinstance(each, Ordered) and each.order.id == order_id)
    met = next(each for each in records if isinstance(each, Delivered) and each.order == order_id)
    after_s = (met.at_us - ordered.order.starts_us) / US_PER_S
    return {
        "id": order_id,
        "issued_by": ordered.order.issued_by,
        "asked_mw": ordered.order.mw,
        "within_s": ordered.order.within_s,
        "before_mw": ordered.load_mw,
        "metered_mw": met.met_mw,
        "is_met": met.is_met,
        "metered_after_s": after_s,
        "metered_after_wall_s": after_s / SPEED,
        "reasons": list(met.reasons),
    }


def _restored(records: Sequence[LiveRecord], order_id: str) -> dict[str, Any]:
    """How what was shed came back."""
    asked_us = next(each.at_us for each in records if isinstance(each, Ordered) and each.order.ends == order_id)
    done_us = next(
        (each.at_us for each in records if isinstance(each, Waking) and not each.record and each.at_us > asked_us), None
    )
    waves = [
        len(each.commands)
        for each in records
        if isinstance(each, Commanded) and each.commands and each.commands[0].id.startswith("v")
    ]
    after_s = None if done_us is None else (done_us - asked_us) / US_PER_S
    return {
        "after_s": after_s,
        "after_wall_s": None if after_s is None else after_s / SPEED,
        "waves": len(waves),
        "commands": sum(waves),
    }


def _bundle(ground: Ground) -> Path:
    found = sorted((ground.run / "telemetry").glob("telemetry-*.jsonl"))
    if not found:
        raise DemoFailed(
            f"{ground.run / 'telemetry'} holds no bundle: nothing was signed. See {ground.folder}/live.log"
        )
    return found[-1]


def _verified(bundle: Path, authority: str) -> dict[str, Any]:
    header, intervals = read_bundle(bundle)
    verdict = verify_bundle(header, intervals, Signatures(), trusted=authority)
    return {
        "authority": authority,
        "is_trusted": verdict.is_trusted,
        "intervals": verdict.intervals,
        "readings": verdict.readings,
        "faults": verdict.fault_count,
    }

"""The auditor's own eyes on a journal: is power balanced, is every limit kept, is every megawatt of reserve there?

Plain lists of what is wrong, so that a test asserts that a list is empty. It reads journals and TOML, no Headrace.
"""

from collections import defaultdict

ROUNDING_WH = 12
"""Meters are whole watt-hours: a dozen of them may be off by half of one each."""


def unbalanced(records: list[dict]) -> list[int]:
    """Intervals in which what came in is not what went out."""
    bad = []
    for record in records:
        reading, meters = record["reading"], record["reading"]["meters"]
        came = meters["import_wh"] + meters["discharge_wh"] + sum(meters["generated_wh"])
        went = meters["export_wh"] + meters["charge_wh"] + reading["firm_wh"] + sum(reading["use_wh"])
        if abs(came - went - reading["spilled_wh"] - reading["jobs_wh"]) > ROUNDING_WH:
            bad.append(record["at"])
    return bad


def wrong_store(records: list[dict], battery: dict) -> list[int]:
    """Intervals in which the store leaves its limits or does not follow its flows."""
    size = battery["capacity_mwh"]
    stored = battery["soc_start_ratio"] * size
    bad = []
    for record in records:
        meters, now = record["reading"]["meters"], record["reading"]["stored_mwh"]
        moved = meters["charge_wh"] * battery["charge_efficiency_ratio"]
        moved -= meters["discharge_wh"] / battery["discharge_efficiency_ratio"]
        inside = battery["soc_min_ratio"] * size - 1e-9 <= now <= battery["soc_max_ratio"] * size + 1e-9
        if not inside or abs(now - stored - moved / 1e6) > 3e-6:
            bad.append(record["at"])
        stored = now
    return bad


def above(records: list[dict], limit_mw) -> list[int]:
    """Intervals with more import than `limit_mw(start)` allows."""
    return [r["at"] for r in records if r["reading"]["meters"]["import_wh"] > limit_mw(r["at"]) * 1e6 / 12 + 1]


def shed_too_soon(records: list[dict]) -> list[int]:
    """Intervals in which firm load went without while something else was served or charged."""
    return [
        r["at"]
        for r in records
        if r["reading"]["shed_wh"] > ROUNDING_WH
        and (sum(r["reading"]["use_wh"]) > ROUNDING_WH or r["reading"]["meters"]["charge_wh"] > 1)
    ]


def overloaded(records: list[dict], blocks: list[int], limit_mw) -> list[int]:
    """Intervals in which these blocks together take more than their feeder's limit."""
    return [
        r["at"]
        for r in records
        if sum(r["reading"]["use_wh"][i] for i in blocks) > limit_mw(r["at"]) * 1e6 / 12 + len(blocks)
    ]


def called_now(record: dict) -> bool:
    """Is any reserve called in this interval?"""
    return any(row[3] for row in record["reserve"])


def not_there(records: list[dict], battery: dict, hours_of: dict[int, float]) -> list[tuple[int, str, float]]:
    """Uncalled intervals in which a carrier could not give what is sold on it: start, carrier, Wh missing.

    Blocks must draw what they carry. The battery must have the power beside what it feeds, and from the beginning of
    the interval to its end the energy for every reserve's whole duration; each megawatt counts once.
    """
    bad = []
    floor = battery["soc_min_ratio"] * battery["capacity_mwh"]
    before = battery["soc_start_ratio"] * battery["capacity_mwh"]
    for record in records:
        reading = record["reading"]
        stored, before = min(before, reading["stored_mwh"]), reading["stored_mwh"]
        if called_now(record):
            continue
        carried: dict[int, float] = defaultdict(float)
        energy = 0.0
        for start, reserve, carrier, mw, _ in record["awards"]:
            if start <= record["at"] < start + 3600:
                carried[carrier] += mw
                if carrier == -1:
                    energy += mw * hours_of[reserve] / battery["discharge_efficiency_ratio"]
        for carrier, mw in carried.items():
            if carrier == -1:
                spare = battery["discharge_max_mw"] * 1e6 / 12 - reading["meters"]["discharge_wh"]
                lacks = max(mw * 1e6 / 12 - spare, (energy - (stored - floor)) * 1e6 / 12)
                name = "battery"
            else:
                lacks, name = mw * 1e6 / 12 - reading["use_wh"][carrier], f"block {carrier}"
            if lacks > 5:
                bad.append((record["at"], name, lacks))
    return bad


def charged(records: list[dict]) -> dict[int, int]:
    """Wh of reserve charged as short by interval."""
    return {r["at"]: sum(row[5] for row in r["reserve"]) for r in records if any(row[5] for row in r["reserve"])}


def interruptions(records: list[dict], block: int) -> list[tuple[int, int, float]]:
    """Interruptions of a block: start, control intervals, full-stop hours."""
    runs: list[list[float]] = []
    cut = False
    for record in records:
        width = record["reading"]["use_width_wh"][block]
        missing = 0.0 if width == 0 else 1.0 - record["reading"]["use_wh"][block] / width
        if missing > 0.01:
            if not cut:
                runs.append([record["at"], 0, 0.0])
            runs[-1][1] += 1
            runs[-1][2] += missing / 12
        cut = missing > 0.01
    return [(int(at), int(count), hours) for at, count, hours in runs]

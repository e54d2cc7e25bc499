"""The auditor's reading of a live journal: from its lines, the two TOML files and nothing of Headrace's own code.

Every rule is written again from docs/live.md, docs/live-safety.md and docs/statements.md; what breaks one is told.
"""

import json
import tomllib
from collections import defaultdict
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

SLACK_MW = 1e-3
"""A machine that says nothing counts in the engine at what it was last believed to draw, here at what it was told."""
FALLS = {"stop", "cap", "open"}


class Day:
    """A journal and the files it was written under, read plainly."""

    def __init__(self, folder: Path, name: str = "live") -> None:
        self.wrong: list[str] = []
        self.site = tomllib.loads((folder / f"{name}.site.toml").read_text())
        self.devices = tomllib.loads((folder / f"{name}.devices.toml").read_text())
        self.records = self._read(folder / f"{name}.jsonl")
        self.assets = assets_of(self.devices, self.site)
        truth = folder / "truth.jsonl"
        self.truth = [json.loads(line) for line in truth.read_text().splitlines()] if truth.exists() else []

    def _read(self, path: Path) -> list[dict[str, Any]]:
        """Lines, each of which must continue the chain of the one before."""
        chain, found = b"", []
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True)):
            key = b'"rec":' if number else b'"header":'
            body = line[line.index(key) + len(key) : -2]
            chain = blake2b(chain + body, digest_size=8).hexdigest().encode()
            whole = json.loads(line)
            if whole["chain"].encode() != chain or (number and whole["seq"] != number) or not line.endswith(b"}\n"):
                self.wrong.append(f"chain broken at line {number + 1}")
            if number:
                found.append(whole["rec"])
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Records of one kind."""
        return [record for record in self.records if record["is"] == kind]


def assets_of(devices: dict[str, Any], site: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Machines of a device file, named as its templates name them."""
    found: dict[str, dict[str, Any]] = {}
    for group in devices.get("miners", []) + devices.get("nodes", []):
        addresses = [a for text in group["addresses"] for a in expand(text)]
        for n, address in enumerate(addresses, start=1):
            name = group.get("asset", "{group}.{n}").format(group=group["name"], n=n, address=address)
            found[name] = {
                "load": group["load"],
                "feeder": group["feeder"],
                "full": group["full_kw"] / 1000,
                "standby": group.get("standby_kw", 0.0) / 1000,
                "min_off_s": group.get("min_off_min", 0.0) * 60,
                "cycles": group.get("cycles_per_day_max"),
            }
    return found


def expand(text: str) -> list[str]:
    """First to last address of a range."""
    first, _, last = text.partition("-")
    if not last:
        return [first]
    stem, low = first.rsplit(".", 1)
    return [f"{stem}.{n}" for n in range(int(low), int(last.rsplit(".", 1)[1]) + 1)]


def check_intervals(day: Day) -> None:
    """Every interval decided once at most, closed exactly once, without a hole, before what follows is decided."""
    step = day.site["site"]["control_step_min"] * 60
    decided, closed = [r["at_s"] for r in day.of("decided")], [r["cycle"]["at_s"] for r in day.of("closed")]
    if len(set(decided)) != len(decided):
        day.wrong.append("an interval was decided twice")
    if closed != list(range(closed[0], closed[0] + step * len(closed), step)):
        day.wrong.append("closed intervals have a hole, repeat, or are out of order")
    if not set(closed) <= set(decided):
        day.wrong.append(f"closed and never decided: {sorted(set(closed) - set(decided))[:3]}")
    if not set(decided) <= set(closed) | {max(decided)}:
        day.wrong.append(f"decided and never closed: {sorted(set(decided) - set(closed))[:3]}")
    at = [r["at_us"] for r in day.records]
    if any(b < a for a, b in pairwise(at)):
        day.wrong.append("times in the journal fall")


def check_energy(day: Day) -> None:
    """Counter differences are what was booked: Σ moved = last total − first, silent counters estimated and told."""
    base = day.of("based")[0]["counters"]
    booked, open_amount, usual = dict(base), defaultdict(int), {}
    for r in day.of("closed"):
        estimated = r.get("estimated", {})
        for name, moved in r["moved"].items():
            now = r["counters"].get(name)
            if now is None or name not in booked:
                continue
            began = f"counter.began_again.{name}" in r.get("reasons", [])
            if not began and now != booked[name] + moved:
                day.wrong.append(f"{r['cycle']['at_s']}: {name} booked {now}, was {booked[name]} and moved {moved}")
            if moved < 0:
                day.wrong.append(f"{name} moved backwards")
            silent = f"counter.silent.{name}" in r.get("reasons", [])
            if silent and (moved != usual.get(name, 0) or estimated.get(name, 0) != open_amount[name] + moved):
                day.wrong.append(f"{r['cycle']['at_s']}: estimate of {name} is not its last interval's, or not marked")
        reading = r["cycle"]["reading"][0]
        names = ("import_wh", "export_wh", "charge_wh", "discharge_wh")
        for position, name in zip((2, 3, 4, 5), names, strict=True):
            if reading[position] != r["moved"].get(name, 0):
                day.wrong.append(f"reading says {reading[position]} {name}, counters {r['moved'].get(name)}")
        if reading[7] != r["moved"]["it_wh"]:
            day.wrong.append("reading's IT energy is not the counter's")
        booked, usual = r["counters"] | {}, r["moved"]
        open_amount = defaultdict(int, estimated)


def nearest(value: Fraction) -> int:
    """Halves away from zero, as docs and the code of settlement have it."""
    return (1 if value >= 0 else -1) * int(abs(value) + Fraction(1, 2))


def micro(amount: float) -> Fraction:
    """Micro-units of a price as typed, to the nearest."""
    return Fraction(round(Fraction(str(amount)) * 10**6))


def known_series(day: Day) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Rows of every role as they arrived, by sequence of lines."""
    found: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for number, r in enumerate(day.records):
        if r["is"] == "arrived":
            found[r["role"]].append((number, r))
    return found


def price_of(day: Day, role: str, before_line: int, start_s: int, now_s: int) -> float | None:
    """Value of the role's interval that holds `start_s`, as far as it had arrived."""
    value = None
    for line, r in day.series[role]:
        if line > before_line:
            break
        n = (start_s - r["start_s"]) // r["step_s"]
        if 0 <= n < len(r["values"]) and r["values"][n] is not None and r["known_s"][n] <= now_s:
            value = r["values"][n]
    return value


def last_of(day: Day, role: str, before_line: int, now_s: int) -> float | None:
    """The latest value of a role that had arrived and could be known."""
    found = None
    for line, r in day.series[role]:
        if line > before_line:
            break
        for value, known_s in zip(r["values"], r["known_s"], strict=True):
            found = value if value is not None and known_s <= now_s else found
    return found


LINES = [
    "start",
    "length",
    "estimated",
    "import_wh",
    "export_wh",
    "mining_sats",
    "owners",
    "position",
    "energy_bought",
    "energy_sold",
    "adders",
    "mining",
    "pool_fees",
    "ai_firm",
    "ai_curtailable",
    "inference",
    "heat",
    "service_credits",
    "ppa",
    "peak",
    "generation",
    "wear",
]
"""A statement's fields in the journal, in their order."""


def check_money(day: Day) -> dict[str, int]:
    """Statements from readings, prices that had arrived and the site file, every line to the micro-unit."""
    day.series = known_series(day)
    settle_s = day.site["market"]["settlement_step_min"] * 60
    totals: dict[str, int] = defaultdict(int)
    meters: list[list[Any]] = []
    for line, r in enumerate(day.records):
        if r["is"] != "closed":
            continue
        meters.append(r["cycle"]["reading"][0])
        statement = r["cycle"].get("statement")
        if ((r["cycle"]["at_s"] + 300) % settle_s == 0) != (statement is not None):
            day.wrong.append(f"{r['cycle']['at_s']}: a statement where none is due, or none where one is")
        if statement is None:
            continue
        said = dict(zip(LINES, statement, strict=False))
        due = energy_due(day, line, meters, said) | mining_due(day, line, meters) | leases_due(day, meters)
        for name, amount in due.items():
            if said[name] != amount:
                day.wrong.append(f"{meters[0][0]}: {name} is {said[name]}, should be {amount}")
            totals[name] += amount
        meters = []
    return dict(totals)


def energy_due(day: Day, line: int, meters: list[list[Any]], said: dict[str, Any]) -> dict[str, int]:
    """Lines that follow from the connection's meter and the battery's."""
    start_s, end_s = meters[0][0], meters[-1][0] + 300
    imported, exported = sum(m[2] for m in meters), sum(m[3] for m in meters)
    code, tariff = day.site["site"]["currency"].lower(), day.site["tariff"]
    due = {"start": start_s, "length": end_s - start_s, "import_wh": imported, "export_wh": exported}
    price = price_of(day, "real_time", line, start_s, end_s)
    if price is not None:
        due["energy_bought"] = -nearest(Fraction(imported) * micro(price) / 10**6)
        due["energy_sold"] = nearest(Fraction(exported) * micro(price) / 10**6)
    elif not said["estimated"]:
        day.wrong.append(f"{start_s}: settled at an invented price that is not marked estimated")
    adder = imported * micro(tariff[f"import_adder_{code}_per_mwh"])
    adder += exported * micro(tariff[f"export_deduction_{code}_per_mwh"])
    wear = sum(m[5] for m in meters) * micro(day.site["battery"][f"wear_{code}_per_mwh"])
    return due | {"adders": -nearest(adder / 10**6), "wear": -nearest(wear / 10**6)}


def mining_due(day: Day, line: int, meters: list[list[Any]]) -> dict[str, int]:
    """Satoshis of the work, and what they are worth at the close of the last day that had ended."""
    start_s, end_s = meters[0][0], meters[-1][0] + 300
    difficulty, reward = (last_of(day, role, line, end_s) for role in ("difficulty", "block_reward"))
    btc = price_of(day, "bitcoin_price", line, start_s - 86_400, start_s)
    if difficulty is None or reward is None:
        return {}
    gross_all = net_all = 0
    for k, miner in enumerate(day.site["miner"]):
        work = sum(m[12][k] for m in meters)
        gross = work * 10**15 * round(reward * 10**8) // (round(difficulty) * 2**32)
        fee = -((-gross * round(miner["pool_fee_ratio"] * 10**6)) // 10**6)
        gross_all, net_all = gross_all + gross, net_all + gross - fee
    if btc is None:
        return {"mining_sats": net_all}
    value, kept = (nearest(Fraction(sats) * micro(btc) / 10**8) for sats in (gross_all, net_all))
    return {"mining_sats": net_all, "mining": value, "pool_fees": kept - value}


def leases_due(day: Day, meters: list[list[Any]]) -> dict[str, int]:
    """Rent rounded down and credits rounded up, each lease and interval by itself."""
    code = day.site["site"]["currency"].lower()
    due = {"ai_firm": 0, "ai_curtailable": 0, "service_credits": 0}
    for k, lease in enumerate(lease for cluster in day.site["cluster"] for lease in cluster["lease"]):
        delivered, short = sum(m[8][k] for m in meters), sum(m[9][k] for m in meters)
        rent = delivered * micro(lease[f"price_{code}_per_gpu_h"]) / 3600
        due["ai_firm" if lease["firmness"] == "firm" else "ai_curtailable"] += int(rent)
        due["service_credits"] += int(-short * micro(lease[f"credit_{code}_per_gpu_h"]) / 3600 // 1)
    return due


def check_commands(day: Day) -> None:
    """Ids once; an outcome is of one command that was written before it; times rise; orders precede their commands."""
    told: dict[str, dict[str, Any]] = {}
    final: dict[str, str] = {}
    for r in day.records:
        if r["is"] == "commanded":
            for c in r["commands"]:
                if c["id"] in told:
                    day.wrong.append(f"command {c['id']} twice")
                told[c["id"]] = c
                if c["action"] in ("cap", "charge", "discharge") and (c["power_mw"] is None or c["power_mw"] < 0):
                    day.wrong.append(f"{c['id']} names no power")
        if r["is"] == "outcomes":
            seen = [o["command"] for o in r["outcomes"]]
            if len(seen) != len(set(seen)):
                day.wrong.append("two outcomes of one command in one record")
            for o in r["outcomes"]:
                c = told.get(o["command"])
                if c is None:
                    if o["result"] not in ("locked_out", "expired", "unreachable"):
                        day.wrong.append(f"outcome {o['result']} of {o['command']}, which was never written")
                    continue
                if c["asset"] != o["asset"]:
                    day.wrong.append(f"{o['command']} answered by another asset")
                times = [o["commanded_us"], o.get("sent_us"), o.get("acknowledged_us"), o.get("metered_us")]
                times = [t for t in times if t is not None]
                if times != sorted(times) or o["commanded_us"] != c["commanded_us"]:
                    day.wrong.append(f"{o['command']}: times out of order {times}")
                if o["result"] in ("acknowledged", "metered") and o.get("acknowledged_us") is None:
                    day.wrong.append(f"{o['command']} {o['result']} and no time of acknowledgement")
                if o["result"] == "metered" and o.get("metered_us") is None:
                    day.wrong.append(f"{o['command']} metered without a time")
                if o["result"] not in ("acknowledged", "metered", "sent") and not o["reason"]:
                    day.wrong.append(f"{o['command']} {o['result']} without a reason")
                if o["command"] in final and (final[o["command"]], o["result"]) not in {
                    ("acknowledged", "metered"),
                    ("acknowledged", "lying"),
                    ("mute", "metered"),
                    ("garbled", "metered"),
                    ("sent", "metered"),
                    ("sent", "lying"),
                }:
                    day.wrong.append(f"{o['command']} was {final[o['command']]} and then {o['result']}")
                final[o["command"]] = o["result"]
    silent = set(told) - set(final)
    if silent:
        day.wrong.append(f"{len(silent)} commands of which nobody says what became of them: {sorted(silent)[:3]}")


def check_ladder(day: Day) -> None:
    """No firm lease for a programme or a price; no locked asset told anything; permission; who releases."""
    firm = {
        lease["name"] for cluster in day.site["cluster"] for lease in cluster["lease"] if lease["firmness"] == "firm"
    }
    locks: set[tuple[str, str]] = set()
    orders: dict[str, dict[str, Any]] = {}
    restored: dict[str, int] = {}
    for r in day.records:
        if r["is"] == "ordered" and not r.get("refused"):
            if r["order"]["id"] in orders:
                day.wrong.append(f"order {r['order']['id']} twice")
            orders[r["order"]["id"]] = r["order"]
            if r["order"]["kind"] == "restore":
                restored[r["order"]["ends"]] = r["order"]["authority"]
        if r["is"] == "ended":
            for name in r["orders"]:
                order = orders[name]
                if order["authority"] in (0, 1) and restored.get(name) != order["authority"]:
                    day.wrong.append(f"{name} ended without its authority")
                if name in restored and restored[name] > order["authority"]:
                    day.wrong.append(f"{name} ended by a lower authority")
        if r["is"] == "locked":
            locks.add((r["lock"]["asset"], r["lock"]["holder"]))
        if r["is"] == "released" and not r.get("refused"):
            if (r["asset"], r["by"]) not in locks:
                day.wrong.append(f"{r['asset']} released by {r['by']}, who did not hold it")
            locks.discard((r["asset"], r["by"]))
        if r["is"] == "commanded":
            shut = {each["contactor"]: each["name"] for each in day.devices["feeder"] if "contactor" in each}
            for c in r["commands"]:
                asset = day.assets.get(c["asset"])
                feeder = asset["feeder"] if asset else shut.get(c["asset"], "")
                if any(name in (c["asset"], feeder) for name, _ in locks):
                    day.wrong.append(f"{c['id']} reaches {c['asset']}, which is locked")
                taker = c["reason"].split(".")[1] if c["reason"].startswith("order.") else "money"
                if asset and asset["load"] in firm and c["action"] in FALLS and taker in ("money", "voluntary"):
                    day.wrong.append(f"{c['id']} takes firm {c['asset']} for {c['reason']}")
                if c["action"] == "open" and feeder:
                    behind = {a["load"] for a in day.assets.values() if a["feeder"] == feeder}
                    if behind & firm and taker in ("money", "voluntary"):
                        day.wrong.append(f"{c['id']} opens a feeder with a firm lease")


def power_mw(day: Day, c: dict[str, Any]) -> float | None:
    """Draw of an asset that did as it was told."""
    asset = day.assets.get(c["asset"])
    if c["asset"] == "battery":
        return {"charge": 1.0, "discharge": -1.0}.get(c["action"], 0.0) * (c["power_mw"] or 0.0)
    if asset is None:
        return None
    return {"run": asset["full"], "stop": asset["standby"]}.get(c["action"], c["power_mw"])


def check_ramps(day: Day) -> list[tuple[float, float, str]]:
    """Moves of all that is no emergency, against the registered ramp since the last of them (a minute at most)."""
    up, down = (day.devices["site"][f"ramp_{way}_max_mw_per_min"] / 60 for way in ("up", "down"))
    emergencies = ("order.safety", "order.grid", "order.site")
    now: dict[str, float] = {name: a["full"] for name, a in day.assets.items()} | {"battery": 0.0}
    windows: list[tuple[float, float, str]] = []
    pending: dict[str, dict[str, Any]] = {}
    for r in day.records:
        if r["is"] == "commanded":
            moved, why = 0.0, ""
            for c in r["commands"]:
                p = power_mw(day, c)
                pending[c["id"]] = c
                if p is None:
                    continue
                if not c["reason"].startswith(emergencies):
                    moved += p - now[c["asset"]]
                    why = c["id"] + " " + c["reason"]
                now[c["asset"]] = p
            if why:
                windows.append((r["at_us"] / 1e6, moved, why))
    last = day.records[0]["at_us"] / 1e6 - 60
    for at, moved, why in windows:
        since = min(60.0, at - last)
        if moved > up * since + SLACK_MW or -moved > down * since + SLACK_MW:
            day.wrong.append(f"{why}: {moved:+.4f} MW {since:.1f} s after the last move ({up * since:.4f} allowed)")
        if abs(moved) > 1e-9:
            last = at
    return windows


def check_rest(day: Day) -> None:
    """Least times off, from the stop's acknowledgement to the next run."""
    stopped: dict[str, int] = {}
    told: dict[str, dict[str, Any]] = {}
    for r in day.records:
        if r["is"] == "commanded":
            for c in r["commands"]:
                told[c["id"]] = c
                asset = day.assets.get(c["asset"])
                if asset and c["action"] in ("run", "cap") and c["asset"] in stopped:
                    off = (c["commanded_us"] - stopped[c["asset"]]) / 1e6
                    if off < asset["min_off_s"] - 2.0 and not c["reason"].startswith("order.safety"):
                        day.wrong.append(f"{c['id']} starts {c['asset']} after {off:.0f} s off ({c['reason']})")
        if r["is"] == "outcomes":
            for o in r["outcomes"]:
                if o["result"] == "acknowledged" and o["command"] in told:
                    if told[o["command"]]["action"] == "stop":
                        stopped.setdefault(o["asset"], o["acknowledged_us"])
                    else:
                        stopped.pop(o["asset"], None)


def metered_mw(day: Day, at_us: int, feeder: str) -> float:
    """The world's own power at a time."""
    row = min(day.truth, key=lambda t: abs(t["at_us"] - at_us))
    return (row["feeder_w"][feeder] if feeder else row["net_w"]) / 1e6


def check_orders(day: Day) -> list[str]:
    """What was reported of each order beside what the world shows at the end of its time."""
    told = []
    said = {r["order"]: r for r in day.of("delivered")}
    for r in day.of("ordered"):
        order = r["order"]
        if r.get("refused") or order["kind"] not in ("shed", "limit"):
            continue
        due_us = order["starts_us"] + round(order["within_s"] * 1e6) + 10_000_000
        fell = r["load_mw"] - metered_mw(day, due_us, order["feeder"])
        asked = order["mw"] if order["kind"] == "shed" else max(0.0, r["load_mw"] - order["mw"])
        met = fell >= asked * 0.99 - 1e-3
        d = said.get(order["id"])
        told.append(
            f"{order['id']}: asked {asked:.3f}, world fell {fell:.3f} ({'met' if met else 'missed'}); journal "
            + (
                f"asked {d['asked_mw']:.3f} met {d['met_mw']:.3f} {d['is_met']} {d.get('reasons')}"
                if d
                else "says nothing"
            )
        )
        if d is None:
            day.wrong.append(f"nothing says how {order['id']} was met")
        elif "meter.silent" in d.get("reasons", ()):
            continue
        elif d["is_met"] != met:
            day.wrong.append(f"{order['id']} is said to be {d['is_met']} and the world says {met}")
        elif abs(d["asked_mw"] - asked) > 1e-6:
            day.wrong.append(f"{order['id']} asked for a fall of {asked:.4f}, told as {d['asked_mw']:.4f}")
    return told


def check_energy_truth(day: Day) -> None:
    """What was settled of every counter beside what the world counted meanwhile, to the last unit."""
    base, closed = day.of("based")[0]["counters"], day.of("closed")
    row = next(t for t in day.truth if t["at_us"] >= (closed[-1]["cycle"]["at_s"] + 300) * 1_000_000)
    for name, total in row["totals"].items():
        settled = base.get(name, 0) + sum(r["moved"].get(name, 0) for r in closed)
        if settled != total:
            day.wrong.append(f"{name}: {settled} settled, the world counted {total}")

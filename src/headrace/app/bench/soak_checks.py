"""What a soak's journal must hold, read from its bytes by code that shares nothing with the engine that wrote them.

Each rule counts what breaks it; a soak passes when every count is zero. Lines are read as plain JSON, the chain is
computed here again, locks and firm leases are followed from the records alone.
"""

import re
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from headrace.control.assets import AssetKind, Inventory

__all__ = ["JournalCheck", "check_journal"]

LINE: Final = re.compile(rb'\{"seq":(\d+),"chain":"([0-9a-f]{16})","rec":(.*)\}\n')
FIRST: Final = re.compile(rb'\{"chain":"([0-9a-f]{16})","header":(.*)\}\n')
FALLS: Final = frozenset({"stop", "cap", "open"})
MONEY: Final = ("plan", "order.voluntary", "order.money")
"""How the reasons of commands begin that may take no firm lease."""
PERMITTED: Final = frozenset({0, 1})
"""Authorities whose orders end by a restore of their own: people and equipment, the grid."""
RAMP_CREDIT_S: Final = 60.0
"""A registered ramp is a rate by the minute: more time than this earns nothing."""
RAMP_SLACK_MW: Final = 1.001e-3
"""What a battery's step of 1 kW may add to a move."""
MOST_TOLD: Final = 20
"""Breaches that are told in words."""


class JournalCheck:
    """Follows a journal line by line and counts what must not be.

    Parameters
    ----------
    inventory
        The site's devices.
    firm
        Loads under firm leases.
    step_s, settlement_s
        Length of a control and of a settlement interval, seconds.
    """

    def __init__(self, inventory: Inventory, *, firm: frozenset[str], step_s: int, settlement_s: int) -> None:
        self.broken: Counter[str] = Counter()
        """Breaches by rule."""
        self.told: list[str] = []
        """The first of them in words."""
        self.lines = 0
        self.decided: set[int] = set()
        self.closed: list[int] = []
        self.commands: set[str] = set()
        self.told_to: Counter[tuple[str, str]] = Counter()
        """How often each asset was told each action."""
        self.orders: dict[str, dict[str, Any]] = {}
        self.moved: Counter[str] = Counter()
        """Amount of each counter over all intervals."""
        self.based: dict[str, int] = {}
        """Where counters stood when the first interval began."""
        self.kinds: Counter[str] = Counter()
        """Records by kind."""
        self.authorities: Counter[int] = Counter()
        """Orders taken by authority."""
        self.alarms: set[str] = set()
        """Alarms that are up."""
        self._inventory = inventory
        self._assets = {each.name: each for each in inventory.assets}
        self._feeders = {each.name: each for each in inventory.feeders}
        self._firm = frozenset(each.name for each in inventory.assets if each.load in firm)
        self._firm |= {
            each.contactor
            for each in inventory.feeders
            if any(asset.load in firm and asset.feeder == each.name for asset in inventory.assets)
        }
        self._step_s, self._settlement_s = step_s, settlement_s
        self._locks: set[tuple[str, str]] = set()
        self._locked: frozenset[str] = frozenset()
        self._restores: dict[str, int] = {}
        self._told_mw: dict[str, float] = {}
        self._pending: dict[str, tuple[str, float, str]] = {}
        self._stopped_us: dict[str, int] = {}
        self._money_us = 0
        self._in_force: set[str] = set()

    def breach(self, rule: str, what: str) -> None:
        """Note that a rule was broken."""
        self.broken[rule] += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(f"{rule}: {what}")

    def read(self, path: Path) -> None:
        """Follow a whole journal."""
        chain = b""
        with path.open("rb") as file:
            for number, line in enumerate(file):
                found = (LINE if number else FIRST).fullmatch(line)
                if found is None:
                    self.breach("chain", f"line {number + 1} is torn")
                    return
                seq = int(found[1]) if number else 0
                said, record = found[found.re.groups - 1], found[found.re.groups]
                chain = blake2b(chain + record, digest_size=8).hexdigest().encode()
                if said != chain or seq != number:
                    self.breach("chain", f"line {number + 1} does not continue the one before")
                    return
                if number:
                    self.lines = number
                    self._follow(msgspec.json.decode(record))
        self._end()

    def _follow(self, record: dict[str, Any]) -> None:
        kind = record["is"]
        self.kinds[kind] += 1
        handler = getattr(self, f"_on_{kind}", None)
        if handler is not None:
            handler(record)

    def _on_started(self, record: Mapping[str, Any]) -> None:
        self._money_us = max(self._money_us, record["at_us"])

    def _on_based(self, record: Mapping[str, Any]) -> None:
        self.based = record["counters"]

    def _on_decided(self, record: Mapping[str, Any]) -> None:
        if record["at_s"] in self.decided:
            self.breach("decided_twice", f"interval {record['at_s']}")
        if record["at_s"] % self._step_s:
            self.breach("decided_twice", f"interval {record['at_s']} is off the grid")
        self.decided.add(record["at_s"])

    def _on_closed(self, record: Mapping[str, Any]) -> None:
        cycle = record["cycle"]
        at_s = cycle["at_s"] if isinstance(cycle, dict) else cycle[0]
        if self.closed and at_s != self.closed[-1] + self._step_s:
            self.breach("intervals", f"{at_s} follows {self.closed[-1]}")
        self.closed.append(at_s)
        self.moved.update(record["moved"])
        if (at_s + self._step_s) % self._settlement_s == 0 and cycle.get("statement") is None:
            self.breach("statements", f"none for the settlement interval that ends with {at_s}")

    def _on_ordered(self, record: Mapping[str, Any]) -> None:
        order = record["order"]
        if record.get("refused"):
            return
        if order["id"] in self.orders:
            self.breach("ordered_twice", order["id"])
        self.authorities[order["authority"]] += 1
        self.orders[order["id"]] = order
        if order["kind"] == "restore":
            self._restores[order["ends"]] = order["authority"]
        else:
            self._in_force.add(order["id"])

    def _on_ended(self, record: Mapping[str, Any]) -> None:
        for name in record["orders"]:
            self._in_force.discard(name)
            authority = self.orders[name]["authority"]
            if authority in PERMITTED and self._restores.get(name) != authority:
                self.breach("ended_without_permission", name)

    def _on_locked(self, record: Mapping[str, Any]) -> None:
        self._locks.add((record["lock"]["asset"], record["lock"]["holder"]))
        self._locked = self._covered()

    def _on_released(self, record: Mapping[str, Any]) -> None:
        held = (record["asset"], record["by"])
        if not record.get("refused"):
            if held not in self._locks:
                self.breach("released_by_another", f"{held[0]} by {held[1]}")
            self._locks.discard(held)
            self._locked = self._covered()

    def _on_commanded(self, record: Mapping[str, Any]) -> None:
        money_mw, is_money, at_us = 0.0, False, record["at_us"]
        for command in record["commands"]:
            name, asset, reason = command["id"], command["asset"], command["reason"]
            if name in self.commands:
                self.breach("commanded_twice", name)
            self.commands.add(name)
            self.told_to[asset, command["action"]] += 1
            if asset in self._locked:
                self.breach("commanded_locked", f"{name} to {asset}")
            if command["action"] in FALLS and asset in self._firm and reason.startswith(MONEY):
                self.breach("firm_cut_for_money", f"{name}: {reason} {command['action']} {asset}")
            power_mw = self._power_mw(command)
            before_mw = self._told_mw.get(asset)
            if reason.startswith("plan") and power_mw is not None:
                is_money = True
                money_mw += 0.0 if before_mw is None else power_mw - before_mw
            if power_mw is not None:
                self._pending[name] = (asset, power_mw, command["action"])
                self._told_mw.pop(asset, None)
            self._rests(command)
        if is_money:
            self._ramped(record, money_mw, at_us)

    def _on_outcomes(self, record: Mapping[str, Any]) -> None:
        for outcome in record["outcomes"]:
            known = self._pending.pop(outcome["command"], None)
            if outcome["result"] == "acknowledged" and known is not None:
                asset, power_mw, action = known
                self._told_mw[asset] = power_mw
                if action == "stop":
                    self._stopped_us[asset] = outcome["commanded_us"]
                else:
                    self._stopped_us.pop(asset, None)
            elif outcome["result"] == "lying":
                self._told_mw.pop(outcome["asset"], None)

    def _on_alarm(self, record: Mapping[str, Any]) -> None:
        if record["is_up"] == (record["code"] in self.alarms):
            self.breach("alarm_repeated", record["code"])
        (self.alarms.add if record["is_up"] else self.alarms.discard)(record["code"])

    def _rests(self, command: Mapping[str, Any]) -> None:
        """A machine starts no earlier than its least time off allows, but for people and equipment."""
        since_us = self._stopped_us.get(command["asset"])
        if command["action"] != "run" or since_us is None or command["reason"].startswith("order.safety"):
            return
        rested_s = (command["commanded_us"] - since_us) / 1e6
        if 0.0 <= rested_s < self._assets[command["asset"]].min_off_s:
            self.breach("started_too_soon", f"{command['id']} {command['asset']} after {rested_s:.0f} s")

    def _ramped(self, record: Mapping[str, Any], money_mw: float, at_us: int) -> None:
        """Moves for money keep to the registered ramps over the time since the last ones."""
        since_s = min(max(0.0, (at_us - self._money_us) / 1e6), RAMP_CREDIT_S)
        self._money_us = at_us
        up_mw = self._inventory.ramp_up_max_mw_per_min * since_s / 60.0
        down_mw = self._inventory.ramp_down_max_mw_per_min * since_s / 60.0
        if not -down_mw - RAMP_SLACK_MW <= money_mw <= up_mw + RAMP_SLACK_MW:
            first = record["commands"][0]["id"]
            self.breach("ramp", f"{first}: {money_mw:+.4f} MW, {since_s:.1f} s after the last move")

    def _power_mw(self, command: Mapping[str, Any]) -> float | None:
        """What an asset draws once it has done as told; None for switches."""
        asset = self._assets[command["asset"]]
        if asset.kind not in (AssetKind.MINER, AssetKind.NODE, AssetKind.BATTERY):
            return None
        if asset.kind is AssetKind.BATTERY and command["action"] == "stop":
            return 0.0
        told_mw: float | None = command["power_mw"]
        by_action = {"run": asset.full_mw, "stop": asset.standby_mw, "discharge": -(told_mw or 0.0)}
        return by_action.get(command["action"], told_mw)

    def _covered(self) -> frozenset[str]:
        """Everything a lock reaches: the asset, a feeder with all behind it, and the switch above either."""
        names: set[str] = set()
        for name, _ in self._locks:
            feeder = self._feeders.get(name)
            switched = [each for each in self._feeders.values() if each.contactor == name]
            for each in ([feeder] if feeder else []) + switched:
                names |= {asset.name for asset in self._inventory.assets if asset.feeder == each.name}
                names |= {each.contactor} - {""}
            if name in self._assets:
                names |= {name, self._feeders[self._assets[name].feeder].contactor} - {""}
        return frozenset(names)

    def _end(self) -> None:
        undecided = [at_s for at_s in self.closed if at_s not in self.decided]
        self.kinds["undecided"] = len(undecided)
        if self._locks:
            self.breach("still_locked", str(sorted(self._locks)))
        if self._in_force:
            self.breach("still_ordered", str(sorted(self._in_force)))


def check_journal(
    path: Path, inventory: Inventory, *, firm: frozenset[str], step_s: int, settlement_s: int
) -> JournalCheck:
    """Follow a whole journal; what it breaks is counted in the result."""
    check = JournalCheck(inventory, firm=firm, step_s=step_s, settlement_s=settlement_s)
    check.read(path)
    return check

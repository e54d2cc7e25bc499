"""The simulated site: one physical model behind every door, advanced to the present whenever somebody looks.

    feeder     = Σ machines + base + tenants + battery                          W, load-positive
    overhead   = Σ machines × (PUE(outdoor temperature) − 1)                    W, at the bus or with controlled cooling
    net import = Σ feeders + overhead − generation

Nothing runs in the background: time passes in steps of at most a second while anything moves, of a minute while all
stands. Orders take effect on a grid of 10 ms. Power meters are exact; what goes wrong is a declared fault.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.assets import AssetKind, Inventory, WhenLost
from headrace.control.commands import Action
from headrace.control.readings import MeterReading
from headrace.dispatch.site import Site
from headrace.loads import pue_at
from headrace.sim.world.conditions import Conditions, Outside
from headrace.sim.world.counters import Totals
from headrace.sim.world.faults import Fault, FaultKind, InForce
from headrace.sim.world.layout import Layout, LoadKind, lay_out
from headrace.sim.world.machines import Machines
from headrace.sim.world.plant import Circuits
from headrace.sim.world.storage import Storage

__all__ = ["Effect", "World"]

US_PER_S: Final = 1_000_000
WS_PER_WH: Final = 3600.0
TICK_US: Final = 10_000
"""Orders take effect on this grid, microseconds."""
MOVING_STEP_US: Final = US_PER_S
STANDING_STEP_US: Final = 60 * US_PER_S
CONDITIONS_US: Final = 60 * US_PER_S
"""How often weather and demand are looked at, microseconds."""
EFFECTS_KEPT: Final = 200_000
"""Newest effects that are remembered."""

Floats = NDArray[np.float64]


class Effect(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A device heard a command."""

    at_us: int
    """When it acted, epoch microseconds."""
    asset: str
    """Which device."""
    command: str
    """Id of the command; empty where the device's protocol carries none."""
    action: Action
    """What it was told."""
    changed: bool
    """Did its state change? Hearing a command twice changes nothing the second time."""


class _Order(msgspec.Struct, frozen=True, order=True, gc=False):
    """A command on its way inside a device."""

    at_us: int
    number: int
    asset: str
    action: Action
    power_w: float | None
    command: str


class World:
    """The site's machines, battery, feeders and surroundings.

    Parameters
    ----------
    site
        The site.
    inventory
        Its devices.
    start_us
        When the world begins, epoch microseconds.
    seed
        Of everything drawn at random.
    conditions
        Its surroundings.
    faults
        What goes wrong.
    tenants
        Feeder of each powered-shell tenant, by its name; one that is not named hangs at the bus.
    """

    def __init__(
        self,
        site: Site,
        inventory: Inventory,
        *,
        start_us: int,
        seed: int = 0,
        conditions: Conditions | None = None,
        faults: Sequence[Fault] = (),
        tenants: Mapping[str, str] | None = None,
    ) -> None:
        self.site = site
        self.inventory = inventory
        self.layout: Layout = lay_out(site, inventory)
        self.rng = np.random.default_rng(seed)
        """Draws delays and whatever the doors leave to chance."""
        self.outside = Outside(site, conditions or Conditions(), np.random.default_rng([seed, 1]))
        self.faults = InForce(faults, start_us)
        self.machines = Machines(self.layout.machines)
        self.storage = None if site.battery is None else Storage(site.battery)
        self.circuits = Circuits(self.layout, inventory, np.random.default_rng([seed, 2]))
        self.totals = Totals(site, self.layout)
        self.effects: deque[Effect] = deque(maxlen=EFFECTS_KEPT)
        """What devices heard, oldest first."""
        self.heard = 0
        """How many effects there were since the start, forgotten ones too."""
        self.start_us = start_us
        self.now_us = start_us
        """How far the world is, epoch microseconds."""
        self.claims: dict[str, float] = {}
        """What machines that lie say they draw, by name, W."""
        self._frozen: dict[str, MeterReading] = {}
        self._resets: dict[str, dict[str, int]] = {}
        self._orders: list[_Order] = []
        self._number = 0
        self._zone = ZoneInfo(site.time_zone)
        feeder_index = self.layout.feeder_index
        self._tenant_feeder = [feeder_index[(tenants or {}).get(each.name, "")] for each in site.tenants]
        self._battery_feeder = next(
            (feeder_index[each.feeder] for each in inventory.assets if each.kind is AssetKind.BATTERY), 0
        )
        self.battery_name = next((each.name for each in inventory.assets if each.kind is AssetKind.BATTERY), "")
        """Name of the battery's asset; empty without one."""
        self._base_w = np.array([0.0 if each is None else each.base_mw * 1e6 for each in self.layout.feeders])
        self._demand = np.zeros(len(self.layout.loads))
        self._told_demand: dict[int, float] = {}
        self._asked_ratio = np.ones(len(self.layout.loads))
        self._next_look_us = start_us
        self._watched = {each.name: each for each in inventory.assets if each.when_lost is WhenLost.STOPS}
        self._heard_us: dict[str, int] = {}
        self._look()
        self.machines.arrive()

    def advance(self, now_us: int) -> None:
        """Let time pass until `now_us`; a time that has passed changes nothing."""
        while self.now_us < now_us:
            if self.now_us >= self._next_look_us:
                self._look()
            standing = not (self.machines.is_moving or self.circuits.is_moving or self._storage_moves())
            step_us = STANDING_STEP_US if standing else MOVING_STEP_US
            until_us = min(now_us, self.now_us + step_us, self._next_look_us)
            if self._orders:
                until_us = min(until_us, max(self._orders[0].at_us, self.now_us + 1))
            if self.faults.next_us < until_us:
                until_us = max(int(self.faults.next_us), self.now_us + 1)
            self._run(until_us)
            self._strike()
            self._watch()
            self._obey()

    def tell(self, asset: str, action: Action, power_w: float | None = None, *, at_us: int, command: str = "") -> int:
        """Let a device act on an order at `at_us` (at once if that has passed), unless it lies; returns when it will.

        Parameters
        ----------
        asset
            Name of the device.
        action, power_w
            What it is told.
        at_us
            When it acts, epoch microseconds; rounded up to 10 ms.
        command
            Id of the command, where the door knows it.
        """
        self._number += 1
        at_us = -(-max(at_us, self.now_us) // TICK_US) * TICK_US
        heapq.heappush(self._orders, _Order(at_us, self._number, asset, action, power_w, command))
        return at_us

    def demand(self, load: str, per_s: float) -> None:
        """Let so many requests a second come to an inference service from now on, whatever its series says."""
        i = next(i for i, each in enumerate(self.layout.loads) if each.name == load)
        self._told_demand[i] = self._demand[i] = per_s
        self._serve()

    def asked_w(self, machine: int) -> float:
        """Power a server would draw for what comes to its service if nothing limited it, W."""
        ratio = self._asked_ratio[self.layout.load_of[machine]]
        return float(self.machines.standby_w[machine] + ratio * self.machines.span_w[machine])

    def hear(self, assets: Iterable[str]) -> None:
        """Note that somebody spoke to some devices: each watchdog begins anew."""
        for name in self._watched.keys() & set(assets):
            self._heard_us[name] = self.now_us

    def add_fault(self, fault: Fault) -> None:
        """Let something go wrong; its times count from the world's start."""
        self.faults.add(fault)

    def reset(self, feeder: str) -> None:
        """Close a feeder's breaker by hand."""
        self.circuits.reset(feeder)
        self._serve()

    def supplied(self, asset: str) -> bool:
        """Has a machine voltage?"""
        return bool(self.machines.is_supplied[self.layout.index[asset]])

    def overhead_w(self) -> Floats:
        """Power of cooling, pumps and losses, by the feeder that carries it, W."""
        each_w = self.machines.power_w * (self._pue[self.layout.cooling_of] - 1.0)
        return self.circuits.overhead(self.layout.by_feeder(each_w))

    def feeder_w(self) -> Floats:
        """Power of each feeder, the bus first, load-positive, W."""
        power_w = self.layout.by_feeder(self.machines.power_w)
        power_w += self._base_w * self.circuits.is_live + self.overhead_w()
        np.add.at(power_w, self._tenant_feeder, self._tenant_w())
        if self.storage is not None:
            power_w[self._battery_feeder] += self.storage.power_w
        return power_w

    def net_import_w(self) -> float:
        """Power at the connection, load-positive, W."""
        return float(self.feeder_w().sum()) - self.generated_w()

    def generated_w(self) -> float:
        """Output of all generators now, W."""
        return float(self._generated_w.sum())

    def is_idle_server(self, machine: int) -> bool:
        """Is it a server of a service that may work and has nothing to do?"""
        told_to_run = self.machines.told_w[machine] > self.machines.standby_w[machine]
        return bool(told_to_run and self.is_server(machine))

    def is_server(self, machine: int) -> bool:
        """Is it a server of an inference service?"""
        return self.layout.loads[self.layout.load_of[machine]].kind is LoadKind.INFERENCE

    def frozen(self, meter: str, reading: MeterReading) -> MeterReading:
        """The reading, or the last one before the meter froze."""
        if self.faults.of(FaultKind.METER_FREEZE, meter) is None:
            self._frozen[meter] = reading
        return self._frozen.setdefault(meter, reading)

    def since_reset(self, meter: str, counter: str, total: int) -> int:
        """A counter's total since its meter last began again."""
        if self.faults.of(FaultKind.METER_RESET, meter) is not None:
            self._resets.setdefault(meter, {}).setdefault(counter, total)
        return total - self._resets.get(meter, {}).get(counter, 0)

    def frequency_hz(self) -> float:
        """The grid's frequency now, Hz."""
        fault = self.faults.of(FaultKind.FREQUENCY, "grid")
        return self.outside.frequency_hz(self.now_us / US_PER_S) + (0.0 if fault is None else fault.value)

    def temp_c(self) -> float:
        """Outdoor temperature now, °C."""
        return self._temp_c

    def _look(self) -> None:
        """Take in weather, demand and output."""
        site, at_s = self.site, self.now_us / US_PER_S
        self._next_look_us = (self.now_us // CONDITIONS_US + 1) * CONDITIONS_US
        self._temp_c = self.outside.temp_c(at_s)
        self._pue = np.array([float(pue_at(each, np.array([self._temp_c]))[0]) for each in site.coolings] or [1.0])
        self._generated_w = np.array(
            [each.capacity_mw * 1e6 * self.outside.profile_ratio(each.profile, at_s) for each in site.generators]
        )
        self._ppa_w = np.array(
            [each.capacity_mw * 1e6 * self.outside.profile_ratio(each.profile, at_s) for each in site.ppas]
        )
        self._shell_w = np.array(
            [each.contracted_mw * 1e6 * self.outside.profile_ratio(each.profile, at_s) for each in site.tenants]
        )
        month = datetime.fromtimestamp(at_s, UTC).astimezone(self._zone).month
        self._heat_is_taken = [month in each.months for each in site.heat]
        for i, load in enumerate(self.layout.loads):
            if load.kind is LoadKind.INFERENCE:
                self._demand[i] = self._told_demand.get(i, self.outside.demand_per_s(load.position, at_s))
        self._serve()

    def _serve(self) -> None:
        """Spread each service's demand over its servers that may work, and aim everything anew."""
        machines, load_of = self.machines, self.layout.load_of
        machines.is_supplied = self.circuits.supplied(self.layout.feeder_of)
        for i, load in enumerate(self.layout.loads):
            if load.kind is LoadKind.INFERENCE:
                servers = load_of == i
                room_w = np.where(machines.is_supplied, machines.told_w - machines.standby_w, 0.0)[servers].sum()
                asked_w = self._demand[i] * self.site.inference[load.position].wh_per_request * WS_PER_WH
                span_w = float(machines.span_w[servers & machines.is_supplied].sum())
                self._asked_ratio[i] = 0.0 if span_w <= 0.0 else min(1.0, asked_w / span_w)
                machines.share[servers] = 0.0 if room_w <= 0.0 else min(1.0, asked_w / float(room_w))
        machines.aim()

    def _run(self, until_us: int) -> None:
        """Pass one step in which no order comes."""
        step_s = (until_us - self.now_us) / US_PER_S
        at_s = self.now_us / US_PER_S
        layout, totals = self.layout, self.totals
        energy_ws = self.machines.run(step_s)
        mean_w = energy_ws / step_s
        factor = self._pue[layout.cooling_of]
        it_feeder_w = self.layout.by_feeder(mean_w)
        overhead_w = self.layout.by_feeder(mean_w * (factor - 1.0))
        feeder_w = it_feeder_w + self.circuits.overhead(overhead_w) + self._base_w * self.circuits.is_live
        tenant_w = self._tenant_w()
        np.add.at(feeder_w, self._tenant_feeder, tenant_w)
        if self.storage is not None:
            self.storage.is_supplied = bool(self.circuits.is_live[self._battery_feeder])
            feeder_w[self._battery_feeder] += self.storage.run(step_s) / step_s
        totals.feeder_in_ws += np.maximum(feeder_w, 0.0) * step_s
        totals.feeder_out_ws += np.maximum(-feeder_w, 0.0) * step_s
        net_w = float(feeder_w.sum() - self._generated_w.sum())
        totals.import_ws += max(net_w, 0.0) * step_s
        totals.export_ws += max(-net_w, 0.0) * step_s
        totals.over_import_ws += max(net_w - self.site.connection.import_max_mw * 1e6, 0.0) * step_s
        totals.shell_ws += tenant_w * step_s
        totals.generated_ws += self._generated_w * step_s
        totals.ppa_ws += self._ppa_w * step_s
        self._count_work(at_s, step_s, energy_ws, mean_w)
        self.now_us = until_us
        if self.circuits.pass_time(step_s, feeder_w, it_feeder_w, self._temp_c):
            self._after_trip()

    def _count_work(self, at_s: float, step_s: float, energy_ws: Floats, mean_w: Floats) -> None:
        layout, totals, loads = self.layout, self.totals, len(self.layout.loads)
        load_ws = self.layout.by_load(energy_ws)
        full_w = self.layout.by_load(self.machines.full_w)
        done_w = self.layout.by_load(self.machines.work_ratio(mean_w) * self.machines.full_w)
        totals.it_ws += load_ws
        idle_ws = np.array([each.idle_ratio * each.it_mw * 1e6 for each in layout.loads]) * step_s
        pue = self._pue[np.array([each.cooling for each in layout.loads], np.int64)] if loads else np.zeros(0)
        totals.use_ws += np.maximum(load_ws - idle_ws, 0.0) * pue
        totals.work(
            start_s=at_s,
            step_s=step_s,
            load_ws=load_ws,
            full_ratio=done_w / np.maximum(full_w, 1e-9),
            asked=self._demand,
        )
        for i, heat in enumerate(self.site.heat):
            if self._heat_is_taken[i]:
                position = next(k for k, each in enumerate(layout.loads) if each.name == heat.load)
                totals.heat_ws[i] += min(
                    heat.heat_max_mw * 1e6 * step_s, heat.recovered_ratio * float(load_ws[position])
                )

    def _tenant_w(self) -> Floats:
        live: Floats = (
            self._shell_w * self.circuits.is_live[self._tenant_feeder] if len(self._shell_w) else self._shell_w
        )
        return live

    def _storage_moves(self) -> bool:
        return self.storage is not None and self.storage.is_moving

    def _strike(self) -> None:
        """Let faults begin that do something by themselves."""
        self.faults.look(self.now_us)
        struck = False
        for fault in self.faults.begun:
            if fault.kind is FaultKind.BREAKER_TRIP:
                struck |= self.circuits.trip(fault.target)
            elif fault.kind is FaultKind.PARTIAL_TRIP:
                struck |= self.circuits.trip_part(fault.target, fault.value)
        if struck:
            self._after_trip()

    def _after_trip(self) -> None:
        """Take supply off whatever lost it; machines that got too hot stop until they are told to run."""
        hot = self.circuits.too_hot(self.layout.feeder_of)
        self.machines.told_w = np.where(hot, self.machines.standby_w, self.machines.told_w)
        self._serve()

    def _watch(self) -> None:
        """Let devices stop that have heard nothing for too long, if that is what they do."""
        lost = [
            name
            for name, heard_us in self._heard_us.items()
            if self.now_us - heard_us > self._watched[name].watchdog_s * US_PER_S
        ]
        for name in lost:
            del self._heard_us[name]
            self.tell(name, Action.STOP, at_us=self.now_us)

    def _obey(self) -> None:
        """Carry out the orders that are due."""
        obeyed = False
        while self._orders and self._orders[0].at_us <= self.now_us:
            order = heapq.heappop(self._orders)
            if self.faults.of(FaultKind.LYING, order.asset) is not None:
                self._claim(order)
            else:
                changed = self._act(order)
                obeyed |= changed
                self.heard += 1
                self.effects.append(
                    Effect(
                        at_us=self.now_us,
                        asset=order.asset,
                        command=order.command,
                        action=order.action,
                        changed=changed,
                    )
                )
        if obeyed:
            self._serve()

    def _claim(self, order: _Order) -> None:
        """Pretend to obey."""
        i = self.layout.index.get(order.asset)
        if i is not None:
            claimed_w = {Action.STOP: self.machines.standby_w[i], Action.RUN: self.machines.full_w[i]}.get(order.action)
            self.claims[order.asset] = float(order.power_w or 0.0) if claimed_w is None else float(claimed_w)

    def _act(self, order: _Order) -> bool:
        """Change one device's state; says whether it did."""
        i = self.layout.index.get(order.asset)
        if i is not None:
            machines = self.machines
            told_w = {Action.STOP: machines.standby_w[i], Action.RUN: machines.full_w[i]}.get(order.action)
            if told_w is None:
                told_w = min(max(order.power_w or 0.0, float(machines.standby_w[i])), float(machines.full_w[i]))
            changed = bool(abs(machines.told_w[i] - told_w) > 1e-6)
            machines.told_w[i] = told_w
            return changed
        if order.asset == self.battery_name and self.storage is not None:
            sign = {Action.CHARGE: 1.0, Action.DISCHARGE: -1.0}.get(order.action, 0.0)
            before_w = self.storage.told_w
            self.storage.tell(sign * (order.power_w or 0.0))
            return abs(self.storage.told_w - before_w) > 1e-6
        if self.faults.of(FaultKind.STUCK, order.asset) is not None:
            return False
        return self.circuits.switch(order.asset, on=order.action in {Action.CLOSE, Action.RUN})

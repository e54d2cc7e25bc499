"""A simulated campus: devices that follow setpoints under the conditions that really came, and meters that say so.

Devices here are ideal: they follow within the interval and never fail. Power is held constant over a control interval.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.feeders import behind_feeders
from headrace.control.govern import Bus, Flows, govern
from headrace.control.jobs import govern_with_jobs
from headrace.control.setpoints import Setpoints
from headrace.dispatch.assemble import REQUEST_MW_PER_WH
from headrace.dispatch.plant_feeders import feeder_of_uses
from headrace.dispatch.problem import Problem
from headrace.dispatch.service_terms import in_service
from headrace.dispatch.uses import SiteModel, UseKind
from headrace.loads import Firmness
from headrace.settlement.metering import ControlReading, MeteredInterval
from headrace.sim.job_cluster import JobClusters
from headrace.sim.owner_meters import OwnerMeters
from headrace.sim.plant_meters import PlantDevices

__all__ = ["Campus"]

WH_PER_MWH: Final = 1_000_000

NO_BATTERY: Final = {
    "charge_max_mw": 0.0,
    "discharge_max_mw": 0.0,
    "charge_room_mw": 0.0,
    "discharge_room_mw": 0.0,
    "round_trip_ratio": 1.0,
}
"""Room of a site without one."""


class Campus:
    """The site's devices and meters in a simulated world.

    Parameters
    ----------
    model
        The site.
    truth
        What really came, as the dispatch problem of the whole period on the control grid.
    pue
        PUE of each cooling that really came, shape (C, T).
    demand_per_s, ppa_ratio
        Requests per second of each inference service and capacity factor of each agreement, shapes (I, T), (A, T).
    months
        Local calendar month of each step, shape (T,).
    start_s
        Start of the period, epoch seconds.
    shell_mw
        Power each powered-shell tenant asks for, shape (S, T); None without tenants.
    jobs
        Clusters of batch jobs; None without any.
    """

    def __init__(
        self,
        model: SiteModel,
        truth: Problem,
        *,
        pue: NDArray[np.float64],
        demand_per_s: NDArray[np.float64],
        ppa_ratio: NDArray[np.float64],
        months: NDArray[np.int64],
        start_s: int,
        shell_mw: NDArray[np.float64] | None = None,
        jobs: JobClusters | None = None,
    ) -> None:
        self.stored_mwh = truth.stored_mwh
        self._model = model
        self._start_s = start_s
        self._step_s = model.site.control_step_s
        self._hours = self._step_s / 3600.0
        self._is_mining = tuple(u.kind is UseKind.MINING for u in model.uses)
        # A row per step, contiguous: each interval reads a few rows, and turns them into Python floats.
        self._firm_mw = truth.firm_mw
        self._width_mw = np.ascontiguousarray(truth.use_max_mw.T)
        self._room_mw: NDArray[np.float64] | None = None
        if truth.terms is not None and len(truth.terms.feeder_room_mw):
            self._room_mw = np.ascontiguousarray(truth.terms.feeder_room_mw.T)
            self._width_mw = np.ascontiguousarray(truth.terms.use_max_mw.T)
            self._feeder_of = feeder_of_uses(model).tolist()
        self._source_min_mw = np.ascontiguousarray(truth.source_min_mw.T)
        self._source_max_mw = np.ascontiguousarray(truth.source_max_mw.T)
        self._source_cost = np.ascontiguousarray(truth.source_cost_ccy_per_mwh.T)
        self._pue = np.ascontiguousarray(pue.T)
        self._demand = np.ascontiguousarray(demand_per_s.T)
        self._ppa = np.ascontiguousarray(ppa_ratio.T)
        self._shell_mw = None if shell_mw is None or not len(shell_mw) else np.ascontiguousarray(shell_mw.T)
        starts_s = start_s + np.arange(truth.steps, dtype=np.int64) * self._step_s
        self._is_let = [in_service(lease, starts_s) for lease in model.site.leases]
        self._owners = OwnerMeters(model)
        self._plant = PlantDevices(model, truth)
        self._jobs = jobs
        self._months = months
        self._firm_it_mw = _firm_it_mw(model, self._is_let, truth.steps)

    def apply(self, setpoints: Setpoints, at_s: int) -> ControlReading:
        """Run one control interval under `setpoints` and read the meters."""
        t = (at_s - self._start_s) // self._step_s
        least_mw, most_mw = self._source_min_mw[t].tolist(), self._source_max_mw[t].tolist()
        self._plant.limit(setpoints.units, least_mw, most_mw)
        bus = Bus(
            firm_mw=float(self._firm_mw[t]),
            use_width_mw=self._widths(t, setpoints),
            use_is_mining=self._is_mining,
            source_min_mw=tuple(least_mw),
            source_max_mw=tuple(most_mw),
            source_cost_ccy_per_mwh=tuple(self._source_cost[t].tolist()),
            **self._battery_room(),
        )
        if self._jobs is not None:
            return self._apply_with_jobs(self._jobs, t, at_s, setpoints, bus)
        flows = govern(setpoints, bus)
        self._move_battery(flows)
        return self._read(t, at_s, setpoints, bus, flows)

    def _apply_with_jobs(
        self, clusters: JobClusters, t: int, at_s: int, setpoints: Setpoints, bus: Bus
    ) -> ControlReading:
        """The same with batch jobs on the bus; what they draw is not part of the firm load that is metered."""
        loads, idle_mw = clusters.loads(t, at_s, setpoints.jobs)
        bus = msgspec.structs.replace(bus, firm_mw=bus.firm_mw + idle_mw)
        flows, bus, stopped = govern_with_jobs(setpoints, bus, loads)
        self._move_battery(flows)
        jobs_mw = idle_mw + sum(load.stand_mw if load.job in stopped else load.run_mw for load in loads)
        readings, meters = clusters.follow(at_s, stopped)
        reading = self._read(t, at_s, setpoints, bus, flows)
        jobs_wh = self._wh(jobs_mw)
        it_wh = reading.meters.it_wh + sum(meter.it_wh for meter in meters)
        return msgspec.structs.replace(
            reading,
            meters=msgspec.structs.replace(reading.meters, it_wh=it_wh, jobs=meters),
            firm_wh=reading.firm_wh - jobs_wh,
            jobs_wh=jobs_wh,
            jobs=readings,
        )

    def _widths(self, t: int, setpoints: Setpoints) -> tuple[float, ...]:
        """What each block could take behind its feeder."""
        width_mw = self._width_mw[t].tolist()
        if self._room_mw is None:
            return tuple(width_mw)
        return behind_feeders(setpoints, width_mw, self._feeder_of, self._room_mw[t].tolist())

    def _battery_room(self) -> dict[str, float]:
        """What the battery could draw and feed over the interval, by name in `Bus`."""
        battery = self._model.site.battery
        if battery is None:
            return NO_BATTERY
        into, out = battery.charge_efficiency_ratio, battery.discharge_efficiency_ratio
        return {
            "charge_max_mw": battery.charge_max_mw,
            "discharge_max_mw": battery.discharge_max_mw,
            "charge_room_mw": max(0.0, battery.stored_max_mwh - self.stored_mwh) / (into * self._hours),
            "discharge_room_mw": max(0.0, self.stored_mwh - battery.stored_min_mwh) * out / self._hours,
            "round_trip_ratio": into * out,
        }

    def _move_battery(self, flows: Flows) -> None:
        battery = self._model.site.battery
        if battery is not None:
            moved = (
                flows.charge_mw * battery.charge_efficiency_ratio
                - flows.discharge_mw / battery.discharge_efficiency_ratio
            ) * self._hours
            self.stored_mwh = min(max(self.stored_mwh + moved, battery.stored_min_mwh), battery.stored_max_mwh)

    def _read(self, t: int, at_s: int, setpoints: Setpoints, bus: Bus, flows: Flows) -> ControlReading:
        pue = self._pue[t].tolist()
        use_it_mw = [mw / pue[u.cooling] for mw, u in zip(flows.use_mw, self._model.uses, strict=True)]
        served = 1.0 - (flows.shed_mw / bus.firm_mw if bus.firm_mw > 0.0 else 0.0)
        shed_mw = flows.shed_mw + self._plant.shed_mw(t)
        import_wh = self._wh(flows.import_mw)
        # A feeder's shortage is the site's: to owners and tenants, work it did not carry was not delivered.
        wanted_mw = bus.use_width_mw if self._room_mw is None else tuple(self._width_mw[t].tolist())
        shell_mw = [] if self._shell_mw is None else self._shell_mw[t].tolist()
        shell_share = [served * self._plant.served_ratio(t, each.name) for each in self._model.site.tenants]
        shell_it_mw = sum(mw * share for mw, share in zip(shell_mw, shell_share, strict=True))
        return ControlReading(
            meters=MeteredInterval(
                interval_start_s=at_s,
                duration_s=self._step_s,
                import_wh=import_wh,
                export_wh=self._wh(flows.export_mw),
                charge_wh=self._wh(flows.charge_mw),
                discharge_wh=self._wh(flows.discharge_mw),
                generated_wh=tuple(self._wh(mw) for mw in flows.source_mw),
                it_wh=self._wh(sum(use_it_mw) + served * self._firm_it_mw[t] + shell_it_mw),
                **self._work(t, use_it_mw, served),  # type: ignore[arg-type]  # its names are the meters' of work
                import_peak_w=import_wh * 3600 // self._step_s,
                hosted=self._owners.hosted(wanted_mw, flows, pue),
                shell=self._owners.shell(shell_mw, shell_share),
                units=self._plant.burnt(setpoints.units, flows),
            ),
            firm_wh=self._wh(bus.firm_mw - flows.shed_mw),
            use_wh=tuple(self._wh(mw) for mw in flows.use_mw),
            use_width_wh=tuple(self._wh(mw) for mw in bus.use_width_mw),
            available_wh=tuple(self._wh(mw) for mw in bus.source_max_mw),
            stored_mwh=self.stored_mwh,
            yielded_wh=self._wh(flows.yielded_mw),
            absorbed_wh=self._wh(self._absorbed_mw(pue, setpoints, bus, flows)),
            shed_wh=self._wh(shed_mw),
            spilled_wh=self._wh(flows.spilled_mw),
            short_s=self._owners.short_s(wanted_mw, flows, pue),
        )

    def _work(self, t: int, use_it_mw: list[float], served: float) -> dict[str, tuple[int, ...]]:
        """Useful work of every load over the interval, by meter name."""
        site, step_s = self._model.site, self._step_s
        by_load: dict[tuple[UseKind, int], float] = {}
        hashed = [0.0] * len(site.miners)
        for use, it_mw in zip(self._model.uses, use_it_mw, strict=True):
            by_load[use.kind, use.load] = by_load.get((use.kind, use.load), 0.0) + it_mw
            if use.kind is UseKind.MINING:
                hashed[use.load] += use.hash_phs_per_mw * it_mw
        delivered, short = [], []
        for i, lease in enumerate(site.leases):
            if not self._is_let[i][t]:
                delivered.append(0)
                short.append(0)
                continue
            share = served * self._plant.served_ratio(t, lease.name)
            if lease.firmness is Firmness.CURTAILABLE and lease.idle_ratio < 1.0:
                share = by_load.get((UseKind.LEASE, i), 0.0) / ((1.0 - lease.idle_ratio) * lease.it_mw)
            done = round(lease.gpus * step_s * min(1.0, share))
            delivered.append(done)
            short.append(lease.gpus * step_s - done)
        demand = self._demand[t].tolist()
        answered, asked = [], []
        for i, service in enumerate(site.inference):
            came = round(demand[i] * step_s)
            rate = by_load.get((UseKind.INFERENCE, i), 0.0) / (service.wh_per_request * REQUEST_MW_PER_WH)
            answered.append(min(came, round(rate * step_s)))
            asked.append(came)
        return {
            "lease_delivered_gpu_s": tuple(delivered),
            "lease_short_gpu_s": tuple(short),
            "requests_served": tuple(answered),
            "requests_asked": tuple(asked),
            "work_ph": tuple(round(phs * step_s) for phs in hashed),
            "heat_wh": self._heat(t, by_load, served),
            "ppa_wh": tuple(
                self._wh(p.capacity_mw * ratio) for p, ratio in zip(site.ppas, self._ppa[t].tolist(), strict=True)
            ),
        }

    def _heat(self, t: int, by_load: dict[tuple[UseKind, int], float], served: float) -> tuple[int, ...]:
        """Heat sold through each off-take: of the load's whole IT power, idle included, up to the buyer's limit."""
        site = self._model.site
        if not site.heat:
            return ()
        it_mw: dict[str, float] = {}
        for i, lease in enumerate(site.leases):
            is_firm = lease.firmness is Firmness.FIRM
            share = served * self._plant.served_ratio(t, lease.name)
            base = (share * lease.it_mw if is_firm else lease.idle_ratio * lease.it_mw) * self._is_let[i][t]
            it_mw[lease.name] = base + by_load.get((UseKind.LEASE, i), 0.0)
        for i, service in enumerate(site.inference):
            it_mw[service.name] = service.idle_ratio * service.it_max_mw + by_load.get((UseKind.INFERENCE, i), 0.0)
        for i, miner in enumerate(site.miners):
            it_mw[miner.name] = by_load.get((UseKind.MINING, i), 0.0)
        return tuple(
            self._wh(min(h.heat_max_mw, h.recovered_ratio * it_mw[h.load])) if self._months[t] in h.months else 0
            for h in site.heat
        )

    def _absorbed_mw(self, pue: list[float], setpoints: Setpoints, bus: Bus, flows: Flows) -> float:
        """Mining above what would fit beside AI at its installed capacity."""
        mining_mw = ai_full_mw = 0.0
        for use, mw in zip(self._model.uses, flows.use_mw, strict=True):
            if use.kind is UseKind.MINING:
                mining_mw += mw
            else:
                ai_full_mw += use.it_max_mw * pue[use.cooling]
        room_mw = setpoints.import_limit_mw + sum(flows.source_mw) + flows.discharge_mw - flows.charge_mw
        return min(mining_mw, max(0.0, mining_mw - (room_mw - bus.firm_mw - ai_full_mw)))

    def _wh(self, power_mw: float) -> int:
        return round(power_mw * self._hours * WH_PER_MWH)


def _firm_it_mw(model: SiteModel, is_let: list[NDArray[np.bool_]], steps: int) -> list[float]:
    """IT power that runs whatever the price, of leases that are there, in each step."""
    firm_mw = np.full(steps, model.firm_it_mw.sum())
    for lease, there in zip(model.site.leases, is_let, strict=True):
        firm_mw[~there] -= lease.it_mw if lease.firmness is Firmness.FIRM else lease.idle_ratio * lease.it_mw
    of_steps: list[float] = firm_mw.tolist()
    return of_steps

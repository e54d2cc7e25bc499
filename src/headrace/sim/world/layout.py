"""Where everything of a site lies in the world's arrays: machines by feeder and load, loads by kind."""

from enum import StrEnum
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.assets import Asset, AssetKind, Feeder, Inventory
from headrace.dispatch.site import Site

__all__ = ["BUS", "Layout", "Load", "LoadKind", "lay_out"]

BUS: Final = ""
"""Feeder of what hangs on none: at the bus itself."""

WITHOUT_DEVICES: Final = "without devices: "
"""Name of the stand-in for a load that the device file does not reach."""


class LoadKind(StrEnum):
    """What a load's work is counted in."""

    MINING = "mining"
    LEASE = "lease"
    INFERENCE = "inference"
    JOBS = "jobs"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One load of the site file."""

    name: str
    """Its name."""
    kind: LoadKind
    """What its work is counted in."""
    position: int
    """Position among the site's loads of its kind."""
    cooling: int
    """Position of its cooling plant."""
    it_mw: float
    """Its IT power at full, MW."""
    idle_ratio: float
    """Share of that power which is no flexible use, 0..1."""


class Layout(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A site in arrays; N machines, F feeders with the bus first, L loads."""

    machines: tuple[Asset, ...]
    """Miners and servers, then stand-ins for loads without devices."""
    index: dict[str, int]
    """Position of a machine by name."""
    feeders: tuple[Feeder | None, ...]
    """Feeders; the bus, first, is none."""
    feeder_index: dict[str, int]
    """Position of a feeder by name."""
    feeder_of: NDArray[np.int64]
    """Feeder of each machine, shape (N,)."""
    loads: tuple[Load, ...]
    """Loads of the site file."""
    load_of: NDArray[np.int64]
    """Load of each machine, shape (N,)."""
    cooling_of: NDArray[np.int64]
    """Cooling plant of each machine, shape (N,)."""
    others: dict[str, Asset]
    """Battery, contactors and cooling, by name."""

    def by_feeder(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of the machines' values by feeder, shape (F,)."""
        sums: NDArray[np.float64] = np.bincount(self.feeder_of, values, len(self.feeders)).astype(float, copy=False)
        return sums

    def by_load(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of the machines' values by load, shape (L,)."""
        sums: NDArray[np.float64] = np.bincount(self.load_of, values, len(self.loads)).astype(float, copy=False)
        return sums


def lay_out(site: Site, inventory: Inventory) -> Layout:
    """Layout of a site."""
    loads = _loads(site)
    position = {load.name: i for i, load in enumerate(loads)}
    kinds = {AssetKind.MINER, AssetKind.NODE}
    machines = [each for each in inventory.assets if each.kind in kinds]
    reached = {each.load for each in machines}
    machines += [_stand_in(load) for load in loads if load.name not in reached]
    feeders: tuple[Feeder | None, ...] = (None, *inventory.feeders)
    feeder_index = {BUS if each is None else each.name: i for i, each in enumerate(feeders)}
    load_of = np.array([position[each.load] for each in machines], np.int64)
    return Layout(
        machines=tuple(machines),
        index={each.name: i for i, each in enumerate(machines)},
        feeders=feeders,
        feeder_index=feeder_index,
        feeder_of=np.array([feeder_index[each.feeder] for each in machines], np.int64),
        loads=loads,
        load_of=load_of,
        cooling_of=np.array([load.cooling for load in loads], np.int64)[load_of] if loads else load_of,
        others={each.name: each for each in inventory.assets if each.kind not in kinds},
    )


def _loads(site: Site) -> tuple[Load, ...]:
    plants = {each.name: i for i, each in enumerate(site.coolings)}
    loads = []
    for i, miner in enumerate(site.miners):
        kind, cooling = LoadKind.MINING, plants[miner.cooling]
        loads.append(
            Load(name=miner.name, kind=kind, position=i, cooling=cooling, it_mw=miner.power_mw[-1], idle_ratio=0.0)
        )
    for i, lease in enumerate(site.leases):
        kind, cooling, idle_ratio = LoadKind.LEASE, plants[lease.cooling], lease.idle_ratio
        loads.append(
            Load(name=lease.name, kind=kind, position=i, cooling=cooling, it_mw=lease.it_mw, idle_ratio=idle_ratio)
        )
    for i, service in enumerate(site.inference):
        kind, cooling, it_mw = LoadKind.INFERENCE, plants[service.cooling], service.it_max_mw
        idle_ratio = service.idle_ratio
        loads.append(
            Load(name=service.name, kind=kind, position=i, cooling=cooling, it_mw=it_mw, idle_ratio=idle_ratio)
        )
    for i, cluster in enumerate(site.job_clusters):
        kind, cooling, it_mw = LoadKind.JOBS, plants[cluster.cooling], cluster.it_max_mw
        loads.append(Load(name=cluster.name, kind=kind, position=i, cooling=cooling, it_mw=it_mw, idle_ratio=0.0))
    return tuple(loads)


def _stand_in(load: Load) -> Asset:
    """One machine for a whole load that no device reaches: it runs at full, at the bus."""
    return Asset(
        name=f"{WITHOUT_DEVICES}{load.name}",
        kind=AssetKind.MINER if load.kind is LoadKind.MINING else AssetKind.NODE,
        load=load.name,
        feeder=BUS,
        driver="",
        address="",
        full_mw=load.it_mw,
        standby_mw=load.idle_ratio * load.it_mw,
    )
